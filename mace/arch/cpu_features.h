// What the processor can do, and the kernel tier that follows from it.
//
// Asked of cpuid and getauxval, never of /proc/cpuinfo: under user-mode emulation that file
// describes another machine.
#ifndef MACE_ARCH_CPU_FEATURES_H_
#define MACE_ARCH_CPU_FEATURES_H_

#include <string>

namespace mace {

struct CpuFeatures {
  // x86
  bool avx2_fma = false;
  bool avx512 = false;  // F, BW, DQ and VL, with the operating system's support of the registers
  bool avx512_vnni = false;
  // arm
  bool neon = false;
  bool dotprod = false;
};

// A set of kernels that is chosen as a whole. Each contains those before it on its architecture.
enum class Tier { kScalar, kAvx2, kAvx512Vnni, kNeon, kDotprod };

// The name that MACE_CPU_TIER takes.
const char* NameOf(Tier tier);
// False when there is no such tier.
bool ParseTier(const std::string& name, Tier* tier);

// Asks the processor; no cache, no environment.
CpuFeatures DetectCpuFeatures();

// Pure functions of their arguments.
Tier BestTier(const CpuFeatures& features);
bool Supports(const CpuFeatures& features, Tier tier);

}  // namespace mace

#endif  // MACE_ARCH_CPU_FEATURES_H_
