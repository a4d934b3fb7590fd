// The kernels for the instruction set every processor of the architecture has: x86-64 without FMA,
// ARMv8-A with NEON, ARMv7-A.
#include "mace/kernels/kernels.h"
#include "mace/kernels/target.h"

#if defined(__aarch64__)
#define MACE_TIER_HAS_FMA 1
#endif
#define MACE_TIER_NAMESPACE tier_baseline
#define MACE_TIER_NAME "baseline"
#include "mace/kernels/tiers/tier-inl.h"
