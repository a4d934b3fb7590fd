#include "mace/delegates/registry.h"

namespace mace {
namespace delegates {

Span<const runtime::Delegate> Registered() { return {}; }

}  // namespace delegates
}  // namespace mace
