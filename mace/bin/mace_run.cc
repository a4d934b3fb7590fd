// Runs a model: on files or a stream of samples, with timings and dumps of its layers.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "mace/base/diagnostics.h"
#include "mace/base/limits.h"
#include "mace/bin/flags.h"
#include "mace/bin/loader.h"
#include "mace/bin/sample_stream.h"
#include "mace/delegates/registry.h"

namespace mace {
namespace bin {
namespace {

const std::vector<Flag> kFlags = {
    {"model_file", "FILE", "model (.pb)"},
    {"model_data_file", "FILE", "its constants (.data)"},
    {"input", "NAME=FILE", "raw data of an input, of --input_type; once per input"},
    {"input_file", "PREFIX",
     "inputs are PREFIX_<name>, with other characters than letters and digits as _"},
    {"input_type", "NAME",
     "float32: files are float32 (int32 where the graph is); uint8: files of images are pixels of "
     "the input's size, [height, width, channels], RGB or gray; order, mean and scale are the "
     "model's. Default: as the model declares, else float32"},
    {"output_dir", "DIR",
     "write each output there as raw data of the type that the model declares, else float32 (or "
     "int32), named after its tensor"},
    {"output_file", "PREFIX", "write each output to PREFIX_<name>"},
    {"input_stream", "FILE|-", "sample stream to read instead of --input"},
    {"output_stream", "FILE|-", "write a record of outputs per sample"},
    {"layers_output", "FILE",
     "write a record per computed tensor as float32, codes as the real values they mean"},
    {"num_threads", "N", "threads (1; -1: one per processor)"},
    {"round", "N", "runs that are timed (1)"},
    {"benchmark", "", "print the time of every operator; inputs that are not given are random"},
    {"top", "N", "print the N greatest elements of each output"},
    {"labels", "FILE", "names of the classes, a line each, for --top"},
    {"list_kernels", "", "print the operators of this build and their element types"},
    {"list_limits", "", "print what models may ask of this build at most"},
    {"help", "", "print this"},
};

// Of programs that are built with accelerators.
const std::vector<Flag> kAcceleratorFlags = {
    {"accelerator_library", "[DEVICE=]FILE",
     "the vendor's library, instead of the system's; DEVICE is dsp or apu, for a model that has "
     "both"},
    {"hexagon_unsigned_pd", "", "Hexagon: run in an unsigned protection domain"},
    {"hexagon_power", "CORNER", "Hexagon: 0 to 6, release, turbo, nominal plus … svs2"},
    {"hexagon_dcvs", "0|1", "Hexagon, with --hexagon_power: let clocks follow the load (1)"},
    {"hexagon_latency", "US",
     "Hexagon, with --hexagon_power: wake-up latency in microseconds (100)"},
    {"apu_boost_hint", "N", "APU: 0 to 100 (100)"},
    {"apu_preference_hint", "N", "APU: 0 low power, 1 fast single answer, 2 sustained speed (1)"},
    {"accelerator_cache_policy", "N", "APU: 0 none, 1 store, 2 load, 3 load or store (0)"},
    {"accelerator_binary_file", "FILE", "APU: the compiled network to load"},
    {"accelerator_storage_file", "FILE", "APU: where to store the compiled network"},
};

std::vector<Flag> FlagTable() {
  std::vector<Flag> table = kFlags;
  if (!delegates::Registered().empty())
    table.insert(table.end() - 1, kAcceleratorFlags.begin(), kAcceleratorFlags.end());
  return table;
}

void ReadLibraries(const Flags& flags, runtime::AcceleratorOptions* options) {
  for (const std::string& text : flags.All("accelerator_library")) {
    std::string* library = &options->library;
    size_t start = 0;
    for (const runtime::Delegate& device : delegates::Registered()) {
      const std::string prefix = std::string(device.name) + "=";
      if (text.compare(0, prefix.size(), prefix) != 0) continue;
      library = &options->libraries[device.runtime_type];
      start = prefix.size();
    }
    *library = text.substr(start);
  }
}

Status ReadAcceleratorOptions(const Flags& flags, runtime::AcceleratorOptions* options) {
  int dcvs = 1;
  ReadLibraries(flags, options);
  options->unsigned_pd = flags.On("hexagon_unsigned_pd");
  options->power_set = flags.Has("hexagon_power");
  MACE_RETURN_IF_ERROR(flags.Int("hexagon_power", 0, 0, 6, &options->power_corner));
  MACE_RETURN_IF_ERROR(flags.Int("hexagon_dcvs", 1, 0, 1, &dcvs));
  options->dcvs = dcvs != 0;
  MACE_RETURN_IF_ERROR(flags.Int("hexagon_latency", 100, 0, 1 << 20, &options->latency_us));
  MACE_RETURN_IF_ERROR(flags.Int("apu_boost_hint", 100, 0, 100, &options->boost_hint));
  MACE_RETURN_IF_ERROR(flags.Int("apu_preference_hint", 1, 0, 2, &options->preference));
  MACE_RETURN_IF_ERROR(flags.Int("accelerator_cache_policy", 0, 0, 3, &options->cache_policy));
  options->cache_file = flags.Get("accelerator_binary_file");
  options->cache_storage = flags.Get("accelerator_storage_file");
  return Status();
}

using Clock = std::chrono::steady_clock;

double Milliseconds(Clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

std::string FormatName(const std::string& name) {
  std::string formatted = name;
  for (char& c : formatted) {
    const bool kept = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!kept) c = '_';
  }
  return formatted;
}

int ListKernels() {
  for (const runtime::OperatorEntry& op : runtime::OperatorTable()) {
    std::printf("{\"type\": \"%s\", \"float32\": %s, \"uint8\": %s, \"int8\": %s}\n", op.type,
                op.float32 ? "true" : "false", op.uint8 ? "true" : "false",
                op.int8 ? "true" : "false");
  }
  return kExitOk;
}

int ListLimits() {
#define MACE_PRINT_LIMIT(name, constant, value) \
  std::printf("{\"name\": \"%s\", \"value\": %lld}\n", #name, static_cast<long long>(constant));
  MACE_LIMITS(MACE_PRINT_LIMIT)
#undef MACE_PRINT_LIMIT
  return kExitOk;
}

// Adds up over the timed runs.
class Profile : public runtime::Observer {
 public:
  virtual void Print(int rounds) const = 0;
};

// Of every node.
class CpuProfile : public Profile {
 public:
  explicit CpuProfile(const runtime::Session& session)
      : session_(session), nanos_(session.model().nodes.size(), 0) {}
  void OnNode(int node, int64_t start, int64_t end) override {
    nanos_[static_cast<size_t>(node)] += end - start;
  }

  void Print(int rounds) const override {
    const runtime::Model& model = session_.model();
    const double total =
        static_cast<double>(std::accumulate(nanos_.begin(), nanos_.end(), int64_t{0})) / rounds;
    std::printf("\nBy operator (average of %d runs)\n", rounds);
    std::printf("%10s %7s %10s %9s  %-18s %-18s %-30s %s\n", "ms", "%", "MMAC", "GMAC/s", "type",
                "output", "kernel", "name");
    struct Sum {
      double nanos = 0;
      int64_t macs = 0;
      int count = 0;
    };
    std::map<std::string, Sum> types;
    for (size_t i = 0; i < nanos_.size(); ++i) {
      const runtime::Node& node = model.nodes[i];
      const double nanos = static_cast<double>(nanos_[i]) / rounds;
      const int64_t macs = session_.op(i).macs();
      Sum& sum = types[node.type];
      sum.nanos += nanos;
      sum.macs += macs;
      ++sum.count;
      std::printf("%10.3f %7.2f ", nanos / 1e6, Percent(nanos, total));
      Macs(macs, nanos);
      std::printf("  %-18s %-18s %-30s %s\n", node.type.c_str(),
                  ToString(model.tensors[static_cast<size_t>(node.outputs[0])].shape).c_str(),
                  session_.op(i).kernel().c_str(), node.name.c_str());
    }
    std::printf("\nBy operator type\n");
    std::printf("%10s %7s %10s %9s %6s  %s\n", "ms", "%", "MMAC", "GMAC/s", "nodes", "type");
    std::vector<std::pair<std::string, Sum>> sorted(types.begin(), types.end());
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.second.nanos > b.second.nanos; });
    Sum all;
    for (const auto& [type, sum] : sorted) {
      std::printf("%10.3f %7.2f ", sum.nanos / 1e6, Percent(sum.nanos, total));
      Macs(sum.macs, sum.nanos);
      std::printf(" %6d  %s\n", sum.count, type.c_str());
      all.macs += sum.macs;
      all.count += sum.count;
    }
    std::printf("%10.3f %7.2f ", total / 1e6, 100.0);
    Macs(all.macs, total);
    std::printf(" %6d  all\n", all.count);
  }

 private:
  static double Percent(double part, double total) {
    return total > 0 ? 100.0 * part / total : 0.0;
  }
  static void Macs(int64_t macs, double nanos) {
    if (macs == 0) {
      std::printf("%10s %9s", "", "");
    } else {
      std::printf("%10.2f %9.2f", static_cast<double>(macs) / 1e6,
                  nanos > 0 ? static_cast<double>(macs) / nanos : 0.0);
    }
  }

  const runtime::Session& session_;
  std::vector<int64_t> nanos_;
};

// Of every net, and of every node as far as devices tell.
class AcceleratorProfile : public Profile {
 public:
  void OnNet(int net, int64_t start, int64_t end) override {
    nets_.resize(std::max(nets_.size(), static_cast<size_t>(net) + 1), 0);
    nets_[static_cast<size_t>(net)] += end - start;
  }
  void OnAcceleratorNode(const std::string& name, const std::string& type,
                         uint64_t cycles) override {
    const auto found = index_.emplace(name, nodes_.size());
    if (found.second) nodes_.push_back({name, type, 0});
    nodes_[found.first->second].cycles += cycles;
  }

  void Print(int rounds) const override {
    std::printf("\nBy graph (average of %d runs)\n%10s %6s\n", rounds, "ms", "graph");
    for (size_t i = 0; i < nets_.size(); ++i)
      std::printf("%10.3f %6zu\n", static_cast<double>(nets_[i]) / rounds / 1e6, i);
    if (nodes_.empty()) return;
    std::printf("\nBy node, in the device's cycles\n%14s  %-34s %s\n", "cycles", "type", "name");
    for (const Counted& node : nodes_) {
      std::printf("%14llu  %-34s %s\n",
                  static_cast<unsigned long long>(node.cycles / static_cast<uint64_t>(rounds)),
                  node.type.c_str(), node.name.c_str());
    }
  }

 private:
  struct Counted {
    std::string name, type;
    uint64_t cycles;
  };
  std::vector<int64_t> nets_;
  std::vector<Counted> nodes_;
  std::map<std::string, size_t> index_;
};

// Writes every computed tensor.
class LayerDump : public runtime::Observer {
 public:
  LayerDump(const runtime::Model& model, SampleWriter* writer) : model_(model), writer_(writer) {}
  const Status& status() const { return status_; }

  void OnTensor(int index, const void* data) override {
    const runtime::Tensor& tensor = model_.tensors[static_cast<size_t>(index)];
    if (!status_.ok() || tensor.producer < 0) return;
    const uint64_t bytes = static_cast<uint64_t>(tensor.elements) * sizeof(float);
    if (IsQuantized(tensor.type)) {
      values_.resize(static_cast<size_t>(tensor.elements));
      const quant::Affine affine{tensor.scale, tensor.zero_point};
      for (size_t i = 0; i < values_.size(); ++i) {
        const int32_t code = tensor.type == ElementType::kInt8
                                 ? static_cast<const int8_t*>(data)[i]
                                 : static_cast<const uint8_t*>(data)[i];
        values_[i] = quant::Dequantize(code, affine);
      }
      data = values_.data();
    } else if (tensor.type == ElementType::kInt32) {
      const int32_t* whole = static_cast<const int32_t*>(data);
      values_.assign(whole, whole + tensor.elements);
      data = values_.data();
    }
    status_ = writer_->Write(tensor.name, {{data, bytes}});
  }

 private:
  const runtime::Model& model_;
  SampleWriter* writer_;
  std::vector<float> values_;
  Status status_;
};

Status ReadLabels(const std::string& path, std::vector<std::string>* labels) {
  runtime::MappedFile file;
  MACE_RETURN_IF_ERROR(file.Open(path));
  const char* text = static_cast<const char*>(file.data());
  std::string line;
  for (size_t i = 0; i < file.size(); ++i) {
    if (text[i] == '\n') {
      labels->push_back(line);
      line.clear();
    } else if (text[i] != '\r') {
      line += text[i];
    }
  }
  if (!line.empty()) labels->push_back(line);
  return Status();
}

class Runner {
 public:
  explicit Runner(const Flags& flags) : flags_(flags) {}

  Status Run() {
    MACE_RETURN_IF_ERROR(flags_.Int("round", 1, 1, 1 << 20, &rounds_));
    MACE_RETURN_IF_ERROR(flags_.Int("top", 0, 0, 1 << 20, &top_));
    if (flags_.Has("labels")) MACE_RETURN_IF_ERROR(ReadLabels(flags_.Get("labels"), &labels_));
    const bool stream = flags_.Has("input_stream");
    if (stream && flags_.Has("input"))
      return diagnostics::ConflictingFlags("input", "input_stream");
    if (stream && flags_.Has("input_file"))
      return diagnostics::ConflictingFlags("input_file", "input_stream");
    if (stream && flags_.Has("input_type"))
      return diagnostics::ConflictingFlags("input_type", "input_stream");
    if (!stream && flags_.Has("output_stream")) return diagnostics::MissingFlag("input_stream");
    const Clock::time_point start = Clock::now();
    runtime::AcceleratorOptions accelerator;
    MACE_RETURN_IF_ERROR(ReadAcceleratorOptions(flags_, &accelerator));
    MACE_RETURN_IF_ERROR(LoadModel(flags_, delegates::Registered(), accelerator, &loaded_));
    init_ms_ = Milliseconds(Clock::now() - start);
    if (flags_.Has("layers_output") && session() == nullptr)
      return diagnostics::NoLayers(program().devices());
    if (flags_.Has("layers_output"))
      MACE_RETURN_IF_ERROR(layers_.Open(flags_.Get("layers_output")));
    MACE_RETURN_IF_ERROR(stream ? RunStream() : RunFiles());
    return layers_.Close();
  }

 private:
  runtime::Program& program() { return *loaded_.program; }
  runtime::Session* session() { return loaded_.program->session(); }

  Status RunStream() {
    SampleReader reader(program().inputs());
    MACE_RETURN_IF_ERROR(reader.Open(flags_.Get("input_stream")));
    SampleWriter writer;
    if (flags_.Has("output_stream")) MACE_RETURN_IF_ERROR(writer.Open(flags_.Get("output_stream")));
    while (true) {
      bool end;
      MACE_RETURN_IF_ERROR(reader.Next(&end));
      if (end) break;
      MACE_RETURN_IF_ERROR(RunOnce(reader.inputs()));
      if (writer.is_open()) {
        std::vector<SampleWriter::Data> outputs;
        for (size_t i = 0; i < program().outputs().size(); ++i)
          outputs.push_back({program().output(i), program().outputs()[i].bytes()});
        MACE_RETURN_IF_ERROR(writer.Write(reader.name(), outputs));
      }
      if (top_ > 0)
        PrintTop(reader.name() + ": ", flags_.Get("output_stream") == "-" ? stderr : stdout);
    }
    return writer.Close();
  }

  Status RunFiles() {
    std::vector<std::vector<uint32_t>> data;
    std::vector<const void*> inputs;
    MACE_RETURN_IF_ERROR(ReadInputs(&data));
    for (const auto& d : data) inputs.push_back(d.data());
    const bool benchmark = flags_.On("benchmark");
    const Clock::time_point first = Clock::now();
    MACE_RETURN_IF_ERROR(RunOnce(inputs.data()));
    const double first_ms = Milliseconds(Clock::now() - first);
    if (benchmark || flags_.Has("round")) {
      std::unique_ptr<Profile> profile;
      if (benchmark) {
        profile = session() != nullptr ? std::unique_ptr<Profile>(new CpuProfile(*session()))
                                       : std::unique_ptr<Profile>(new AcceleratorProfile());
      }
      std::vector<double> times;
      for (int i = 0; i < rounds_; ++i) {
        const Clock::time_point start = Clock::now();
        MACE_RETURN_IF_ERROR(program().Run(inputs.data(), profile.get()));
        times.push_back(Milliseconds(Clock::now() - start));
      }
      if (benchmark) profile->Print(rounds_);
      const double average = std::accumulate(times.begin(), times.end(), 0.0) / rounds_;
      std::sort(times.begin(), times.end());
      if (session() != nullptr) {
        std::printf("\nmodel %s, tier %s, %d threads\n", program().name().c_str(),
                    NameOf(session()->tier()), session()->pool().size());
      } else {
        std::printf("\nmodel %s on %s\n", program().name().c_str(), program().devices().c_str());
      }
      std::printf(
          "init %.3f ms, first run %.3f ms, average %.3f ms, median %.3f ms, least %.3f ms (%d "
          "runs)\n",
          init_ms_, first_ms, average, times[times.size() / 2], times[0], rounds_);
      if (session() != nullptr) {
        std::printf("memory: activations %.2f MB, constants %.2f MB\n",
                    static_cast<double>(session()->arena_bytes()) / 1e6,
                    static_cast<double>(session()->model().constant_bytes) / 1e6);
      }
    }
    if (top_ > 0) PrintTop("", stdout);
    return WriteOutputs();
  }

  // One run that counts: dumped when asked.
  Status RunOnce(const void* const* inputs) {
    if (!layers_.is_open()) return program().Run(inputs);
    LayerDump dump(session()->model(), &layers_);
    MACE_RETURN_IF_ERROR(program().Run(inputs, &dump));
    return dump.status();
  }

  // Words of four bytes, float32 or int32.
  Status ReadInputs(std::vector<std::vector<uint32_t>>* data) {
    std::map<std::string, std::string> paths;
    const bool declared = !flags_.Has("input_type");
    const std::string type = declared ? "float32" : flags_.Get("input_type");
    if (type != "float32" && type != "uint8")
      return diagnostics::BadFlagValue("input_type", type, "float32 or uint8");
    const bool pixels = type == "uint8";
    if (pixels && std::none_of(program().inputs().begin(), program().inputs().end(),
                               [](const runtime::ProgramPort& port) {
                                 return runtime::TakesPixels(port.shape, port.type);
                               })) {
      const runtime::ProgramPort& port = program().inputs()[0];
      return diagnostics::NoPixels(port.tensor, ToString(port.shape));
    }
    for (const std::string& given : flags_.All("input")) {
      const size_t equals = given.rfind('=');
      if (equals == std::string::npos)
        return diagnostics::BadFlagValue("input", given, "NAME=FILE");
      const std::string name = given.substr(0, equals);
      std::string known;
      bool found = false;
      for (const runtime::ProgramPort& port : program().inputs()) {
        known += (known.empty() ? "" : ", ") + port.name;
        found = found || name == port.name || name == port.tensor;
      }
      if (!found) return diagnostics::UnknownInput(name, known);
      paths[name] = given.substr(equals + 1);
    }
    for (const runtime::ProgramPort& port : program().inputs()) {
      std::string path;
      if (paths.count(port.name)) path = paths[port.name];
      if (paths.count(port.tensor)) path = paths[port.tensor];
      if (path.empty() && flags_.Has("input_file"))
        path = flags_.Get("input_file") + "_" + FormatName(port.tensor);
      data->emplace_back(static_cast<size_t>(port.elements));
      if (path.empty()) {
        if (!flags_.On("benchmark")) return diagnostics::MissingInput(port.tensor);
        std::mt19937 random(1);
        for (uint32_t& word : data->back()) {
          const float v = static_cast<float>(random() >> 8) / 16777216.0f - 0.5f;
          word = v > 0.0f ? 1 : 0;
          if (port.type == ElementType::kFloat32) std::memcpy(&word, &v, sizeof word);
        }
        continue;
      }
      runtime::MappedFile file;
      MACE_RETURN_IF_ERROR(file.Open(path));
      if (pixels && runtime::TakesPixels(port.shape, port.type)) {
        const uint64_t wanted = static_cast<uint64_t>(port.elements);
        if (file.size() != wanted)
          return diagnostics::PixelCount(port.tensor, file.size(), wanted, ToString(port.shape))
              .At(path);
        MACE_RETURN_IF_ERROR(runtime::PixelsToInput(port.tensor, port.shape, port.preprocess,
                                                    static_cast<const uint8_t*>(file.data()),
                                                    reinterpret_cast<float*>(data->back().data())));
        continue;
      }
      const size_t bytes = declared ? port.buffer_bytes() : port.bytes();
      if (file.size() != bytes)
        return diagnostics::InputSize(port.tensor, file.size(), bytes, ToString(port.shape))
            .At(path);
      if (declared) {
        port.buffer->read(file.data(), port.elements, port.type, data->back().data());
      } else {
        std::memcpy(data->back().data(), file.data(), bytes);
      }
    }
    return Status();
  }

  Status WriteOutputs() {
    std::vector<std::string> prefixes;
    if (flags_.Has("output_dir")) {
      const std::string dir = flags_.Get("output_dir");
      mkdir(dir.c_str(), 0777);  // a failure shows when the files are written
      prefixes.push_back(dir + "/");
    }
    if (flags_.Has("output_file")) prefixes.push_back(flags_.Get("output_file") + "_");
    for (const std::string& prefix : prefixes) {
      for (size_t i = 0; i < program().outputs().size(); ++i) {
        const runtime::ProgramPort& port = program().outputs()[i];
        std::string bytes(port.buffer_bytes(), 0);
        port.buffer->write(program().output<char>(i), port.type, port.elements, &bytes[0]);
        MACE_RETURN_IF_ERROR(runtime::WriteFile(prefix + FormatName(port.name), bytes));
      }
    }
    return Status();
  }

  void PrintTop(const std::string& prefix, std::FILE* to) {
    for (size_t i = 0; i < program().outputs().size(); ++i) {
      const runtime::ProgramPort& t = program().outputs()[i];
      std::vector<double> values(static_cast<size_t>(t.elements));
      if (t.type == ElementType::kInt32) {
        std::copy_n(program().output<int32_t>(i), t.elements, values.begin());
      } else {
        std::copy_n(program().output(i), t.elements, values.begin());
      }
      std::vector<int64_t> order(static_cast<size_t>(t.elements));
      std::iota(order.begin(), order.end(), int64_t{0});
      const size_t count = std::min<size_t>(order.size(), static_cast<size_t>(top_));
      // NaN last, ties by index: a strict order whatever the values.
      std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
                        order.end(), [&](int64_t i, int64_t j) {
                          const size_t a = static_cast<size_t>(i), b = static_cast<size_t>(j);
                          const bool nan_a = values[a] != values[a], nan_b = values[b] != values[b];
                          if (nan_a != nan_b) return nan_b;
                          if (!nan_a && values[a] != values[b]) return values[a] > values[b];
                          return a < b;
                        });
      std::fprintf(to, "%s%s (%s)\n", prefix.c_str(), t.name.c_str(), ToString(t.shape).c_str());
      for (size_t k = 0; k < count; ++k) {
        const size_t index = static_cast<size_t>(order[k]);
        std::fprintf(to, "%4zu. %12.6g  %6zu  %s\n", k + 1, values[index], index,
                     index < labels_.size() ? labels_[index].c_str() : "");
      }
    }
  }

  const Flags& flags_;
  LoadedModel loaded_;
  SampleWriter layers_;
  std::vector<std::string> labels_;
  int rounds_ = 1, top_ = 0;
  double init_ms_ = 0;
};

int Main(int argc, char** argv) {
  Flags flags(FlagTable());
  const Status parsed = flags.Parse(argc, argv);
  if (!parsed.ok()) return Report(parsed);
  if (flags.On("help")) {
    std::fputs(
        flags.Help("mace_run: runs a model on raw float32 inputs or a stream of samples").c_str(),
        stdout);
    return kExitOk;
  }
  if (flags.On("list_kernels")) return ListKernels();
  if (flags.On("list_limits")) return ListLimits();
  Runner runner(flags);
  const Status status = runner.Run();
  return status.ok() ? kExitOk : Report(status);
}

}  // namespace
}  // namespace bin
}  // namespace mace

int main(int argc, char** argv) { return mace::bin::Main(argc, argv); }
