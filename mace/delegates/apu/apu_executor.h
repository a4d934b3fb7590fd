// Runs a net of MACE's operators on a MediaTek APU.
#ifndef MACE_DELEGATES_APU_APU_EXECUTOR_H_
#define MACE_DELEGATES_APU_APU_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "mace/base/status.h"
#include "mace/runtime/executor.h"

namespace mace {
namespace delegates {

// Loads the vendor's library, checks the net and compiles it, or loads what was compiled before.
Status CreateApuExecutor(const runtime::NetDef& net, const uint8_t* data, size_t data_size,
                         const runtime::AcceleratorOptions& options,
                         std::unique_ptr<runtime::Executor>* executor);

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_APU_APU_EXECUTOR_H_
