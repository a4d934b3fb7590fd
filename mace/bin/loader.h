// From the flags of a program to a session.
#ifndef MACE_BIN_LOADER_H_
#define MACE_BIN_LOADER_H_

#include <memory>
#include <string>

#include "mace/base/status.h"
#include "mace/bin/flags.h"
#include "mace/runtime/file.h"
#include "mace/runtime/session.h"

namespace mace {
namespace bin {

// The files stay mapped as long as the session lives.
struct LoadedModel {
  runtime::MappedFile model_file, data_file;
  std::unique_ptr<runtime::Session> session;
};

// Reads --model_file, --model_data_file and --num_threads. `check` may refuse the model before it
// is prepared.
Status LoadModel(const Flags& flags, Status (*check)(const runtime::Model&), LoadedModel* loaded);

// Prints a failure to standard error and returns the exit code for it.
int Report(const Status& status);

}  // namespace bin
}  // namespace mace

#endif  // MACE_BIN_LOADER_H_
