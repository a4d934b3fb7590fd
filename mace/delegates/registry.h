// The accelerators that a program or library is built with.
#ifndef MACE_DELEGATES_REGISTRY_H_
#define MACE_DELEGATES_REGISTRY_H_

#include "mace/base/span.h"
#include "mace/runtime/executor.h"

namespace mace {
namespace delegates {

// Defined by one of two libraries, :all_delegates and :no_delegates: loading a vendor's library
// takes a dynamically linked program, and most programs are static.
Span<const runtime::Delegate> Registered();

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_REGISTRY_H_
