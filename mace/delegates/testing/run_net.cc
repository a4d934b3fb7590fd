// Runs a model file whose nets are for accelerators or the CPU, on the library that is named:
//   run_net LIBRARY MODEL.pb MODEL.data INPUTS OUTPUTS [counters]
// INPUTS holds the tensors of any number of samples, one after the other, as the program's inputs
// list them; OUTPUTS gets those of the outputs. With `counters`, nodes and what they cost go to the
// standard output.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "mace/delegates/registry.h"
#include "mace/runtime/file.h"
#include "mace/runtime/program.h"

namespace {

using mace::Status;

class Counters : public mace::runtime::Observer {
 public:
  void OnAcceleratorNode(const std::string& name, const std::string& type,
                         uint64_t cycles) override {
    std::printf("%s\t%s\t%llu\n", name.c_str(), type.c_str(),
                static_cast<unsigned long long>(cycles));
  }
};

Status Run(int argc, char** argv) {
  mace::runtime::ProgramOptions options;
  options.accelerator.library = argv[1];
  options.delegates = mace::delegates::Registered();
  mace::runtime::MappedFile pb, data, samples;
  MACE_RETURN_IF_ERROR(pb.Open(argv[2]));
  MACE_RETURN_IF_ERROR(data.Open(argv[3]));
  MACE_RETURN_IF_ERROR(samples.Open(argv[4]));
  std::unique_ptr<mace::runtime::Program> program;
  MACE_RETURN_IF_ERROR(mace::runtime::Program::Create(pb.data(), pb.size(), data.data(),
                                                      data.size(), options, &program));
  size_t sample_bytes = 0;
  for (const auto& port : program->inputs()) sample_bytes += port.bytes();
  std::string results;
  Counters counters;
  // Copies are aligned, the file's samples need not be.
  std::vector<std::vector<char>> inputs;
  std::vector<const void*> pointers;
  for (const auto& port : program->inputs()) inputs.emplace_back(port.bytes());
  for (const auto& input : inputs) pointers.push_back(input.data());
  const char* at = static_cast<const char*>(samples.data());
  for (size_t left = samples.size(); left >= sample_bytes; left -= sample_bytes) {
    for (auto& input : inputs) {
      std::memcpy(input.data(), at, input.size());
      at += input.size();
    }
    const auto start = std::chrono::steady_clock::now();
    MACE_RETURN_IF_ERROR(program->Run(pointers.data(), argc > 6 ? &counters : nullptr));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::fprintf(stderr, "%.3f s\n", seconds.count());
    for (size_t i = 0; i < program->outputs().size(); ++i) {
      results.append(reinterpret_cast<const char*>(program->output<char>(i)),
                     program->outputs()[i].bytes());
    }
  }
  return mace::runtime::WriteFile(argv[5], results);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: run_net LIBRARY MODEL.pb MODEL.data INPUTS OUTPUTS [counters]\n");
    return 2;
  }
  const Status status = Run(argc, argv);
  if (!status.ok()) std::fputs(status.Render().c_str(), stderr);
  return status.ok() ? 0 : 1;
}
