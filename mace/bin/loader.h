// From the flags of a program to a model that is ready to run.
#ifndef MACE_BIN_LOADER_H_
#define MACE_BIN_LOADER_H_

#include <memory>
#include <string>

#include "mace/base/status.h"
#include "mace/bin/flags.h"
#include "mace/runtime/file.h"
#include "mace/runtime/program.h"

namespace mace {
namespace bin {

// The files stay mapped as long as the program lives.
struct LoadedModel {
  runtime::MappedFile model_file, data_file;
  std::unique_ptr<runtime::Program> program;
};

// Reads --model_file, --model_data_file and --num_threads; `accelerators` are the kinds that nets
// may be for.
Status LoadModel(const Flags& flags, Span<const runtime::Delegate> accelerators,
                 const runtime::AcceleratorOptions& accelerator, LoadedModel* loaded);

// Prints a failure to standard error and returns the exit code for it.
int Report(const Status& status);

}  // namespace bin
}  // namespace mace

#endif  // MACE_BIN_LOADER_H_
