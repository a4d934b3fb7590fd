#include "mace/delegates/apu/apu_executor.h"
#include "mace/delegates/hexagon/hexagon_executor.h"
#include "mace/delegates/registry.h"

namespace mace {
namespace delegates {
namespace {

const runtime::Delegate kDelegates[] = {
    {runtime::kNetOnHexagon, "dsp", "Hexagon DSP", CreateHexagonExecutor},
    {runtime::kNetOnApu, "apu", "MediaTek APU", CreateApuExecutor},
};

}  // namespace

Span<const runtime::Delegate> Registered() {
  return Span<const runtime::Delegate>(kDelegates, sizeof kDelegates / sizeof kDelegates[0]);
}

}  // namespace delegates
}  // namespace mace
