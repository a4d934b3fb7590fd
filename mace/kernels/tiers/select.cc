#include "mace/kernels/kernels.h"

namespace mace {
namespace kernels {

namespace tier_baseline {
const KernelSet* Get();
}
#if defined(__x86_64__)
namespace tier_avx2 {
const KernelSet* Get();
}
namespace tier_avx512 {
const KernelSet* Get();
}
#endif

const KernelSet* GetKernelSet(Tier tier) {
  switch (tier) {
    case Tier::kScalar:
      return tier_baseline::Get();
#if defined(__x86_64__)
    case Tier::kAvx2:
      return tier_avx2::Get();
    case Tier::kAvx512Vnni:
      return tier_avx512::Get();
#endif
#if defined(__aarch64__) || defined(__arm__)
    case Tier::kNeon:
      return tier_baseline::Get();
#endif
#if defined(__aarch64__)
    case Tier::kDotprod:
      return tier_baseline::Get();
#endif
    default:
      return nullptr;
  }
}

}  // namespace kernels
}  // namespace mace
