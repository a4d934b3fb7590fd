// The tiers that this process can run. A test that loops over them covers less on an old processor; it says so.
#ifndef MACE_TESTING_TIERS_H_
#define MACE_TESTING_TIERS_H_

#include <cstdio>
#include <vector>

#include "mace/arch/cpu_features.h"
#include "mace/kernels/kernels.h"

namespace mace {
namespace testing {

inline std::vector<Tier> RunnableTiers() {
  std::vector<Tier> tiers;
  const CpuFeatures features = DetectCpuFeatures();
  for (Tier tier : {Tier::kScalar, Tier::kAvx2, Tier::kAvx512Vnni, Tier::kNeon, Tier::kDotprod}) {
    if (kernels::GetKernelSet(tier) == nullptr) continue;
    if (Supports(features, tier)) {
      tiers.push_back(tier);
    } else {
      std::printf("not covered on this processor: %s\n", NameOf(tier));
    }
  }
  return tiers;
}

// Whether float results are promised to equal the reference's: all tiers but those of 32-bit ARM.
constexpr bool kExactFloat =
#if defined(__arm__)
    false;
#else
    true;
#endif

}  // namespace testing
}  // namespace mace

#endif  // MACE_TESTING_TIERS_H_
