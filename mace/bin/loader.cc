#include "mace/bin/loader.h"

#include <cstdio>
#include <new>

#include "mace/base/diagnostics.h"

namespace mace {
namespace bin {

Status LoadModel(const Flags& flags, Span<const runtime::Delegate> accelerators,
                 const runtime::AcceleratorOptions& accelerator, LoadedModel* loaded) {
  if (!flags.Has("model_file")) return diagnostics::MissingFlag("model_file");
  // MACE's default of -1 threads means all; here, as there, 1 is the useful default for a
  // benchmark.
  int threads = 1;
  MACE_RETURN_IF_ERROR(flags.Int("num_threads", 1, -1, 256, &threads));
  if (threads < 1) threads = static_cast<int>(std::thread::hardware_concurrency());
  const std::string model_path = flags.Get("model_file"), data_path = flags.Get("model_data_file");
  MACE_RETURN_IF_ERROR(loaded->model_file.Open(model_path));
  if (!data_path.empty()) MACE_RETURN_IF_ERROR(loaded->data_file.Open(data_path));
  try {
    runtime::ProgramOptions options;
    options.session.threads = threads;
    options.accelerator = accelerator;
    options.delegates = accelerators;
    return runtime::Program::Create(loaded->model_file.data(), loaded->model_file.size(),
                                    loaded->data_file.data(), loaded->data_file.size(), options,
                                    &loaded->program)
        .At(model_path);
  } catch (const std::bad_alloc&) {
    return diagnostics::OutOfMemory("the model",
                                    loaded->model_file.size() + loaded->data_file.size());
  }
}

int Report(const Status& status) {
  std::fputs(status.Render().c_str(), stderr);
  return status.code() >= 100 && status.code() < 200 ? kExitUsage : kExitError;
}

}  // namespace bin
}  // namespace mace
