#include "mace/delegates/hexagon/hexagon_executor.h"
#include "mace/delegates/registry.h"

namespace mace {
namespace delegates {
namespace {

const runtime::Delegate kDelegates[] = {
    {runtime::kNetOnHexagon, "Hexagon DSP", CreateHexagonExecutor},
};

}  // namespace

Span<const runtime::Delegate> Registered() {
  return Span<const runtime::Delegate>(kDelegates, sizeof kDelegates / sizeof kDelegates[0]);
}

}  // namespace delegates
}  // namespace mace
