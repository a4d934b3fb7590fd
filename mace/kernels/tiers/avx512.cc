// The kernels for AVX-512 (F, BW, DQ, VL) with VNNI.
#include "mace/kernels/kernels.h"
#include "mace/kernels/target.h"

#if defined(__x86_64__)

#define MACE_TIER_HAS_FMA 1
#define MACE_TIER_NAMESPACE tier_avx512
#define MACE_TIER_NAME "avx512vnni"
MACE_TARGET_BEGIN("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include "mace/kernels/tiers/tier-inl.h"
MACE_TARGET_END

#endif
