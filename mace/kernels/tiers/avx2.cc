// The kernels for AVX2 and FMA.
#include "mace/kernels/kernels.h"
#include "mace/kernels/target.h"

#if defined(__x86_64__)

#define MACE_TIER_HAS_FMA 1
#define MACE_TIER_NAMESPACE tier_avx2
#define MACE_TIER_NAME "avx2"
MACE_TARGET_BEGIN("avx2,fma")
#include "mace/kernels/tiers/tier-inl.h"
MACE_TARGET_END

#endif
