#include "mace/arch/cpu_features.h"

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__linux__)
#include <sys/auxv.h>
#endif

namespace mace {

const char* NameOf(Tier tier) {
  switch (tier) {
    case Tier::kScalar:
      return "scalar";
    case Tier::kAvx2:
      return "avx2";
    case Tier::kAvx512Vnni:
      return "avx512vnni";
    case Tier::kNeon:
      return "neon";
    case Tier::kDotprod:
      return "dotprod";
  }
  return "unknown";
}

bool ParseTier(const std::string& name, Tier* tier) {
  for (Tier t : {Tier::kScalar, Tier::kAvx2, Tier::kAvx512Vnni, Tier::kNeon, Tier::kDotprod}) {
    if (name == NameOf(t)) {
      *tier = t;
      return true;
    }
  }
  return false;
}

#if defined(__x86_64__)

namespace {

// The register sets that the operating system saves on a context switch.
uint64_t Xcr0() {
  uint32_t eax, edx;
  __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return (static_cast<uint64_t>(edx) << 32) | eax;
}

}  // namespace

CpuFeatures DetectCpuFeatures() {
  CpuFeatures features;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return features;
  const bool fma = (c >> 12) & 1;
  const bool osxsave = (c >> 27) & 1;
  const bool avx = (c >> 28) & 1;
  if (!osxsave || !avx || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
  const uint64_t saved = Xcr0();
  const bool ymm = (saved & 0x6) == 0x6;
  const bool zmm = (saved & 0xe6) == 0xe6;
  features.avx2_fma = ymm && fma && ((b >> 5) & 1);
  features.avx512 = zmm && features.avx2_fma && ((b >> 16) & 1) && ((b >> 17) & 1) &&
                    ((b >> 30) & 1) && ((b >> 31) & 1);
  features.avx512_vnni = features.avx512 && ((c >> 11) & 1);
  return features;
}

#elif defined(__aarch64__)

CpuFeatures DetectCpuFeatures() {
  CpuFeatures features;
  features.neon = true;
#if defined(__linux__)
  constexpr unsigned long kAsimdDp = 1UL << 20;  // HWCAP_ASIMDDP
  features.dotprod = (getauxval(AT_HWCAP) & kAsimdDp) != 0;
#endif
  return features;
}

#elif defined(__arm__)

CpuFeatures DetectCpuFeatures() {
  CpuFeatures features;
#if defined(__linux__)
  constexpr unsigned long kNeon = 1UL << 12;  // HWCAP_NEON
  features.neon = (getauxval(AT_HWCAP) & kNeon) != 0;
#endif
  return features;
}

#else

CpuFeatures DetectCpuFeatures() { return CpuFeatures(); }

#endif

Tier BestTier(const CpuFeatures& features) {
  if (features.avx512 && features.avx512_vnni) return Tier::kAvx512Vnni;
  if (features.avx2_fma) return Tier::kAvx2;
  if (features.neon && features.dotprod) return Tier::kDotprod;
  if (features.neon) return Tier::kNeon;
  return Tier::kScalar;
}

bool Supports(const CpuFeatures& features, Tier tier) {
  switch (tier) {
    case Tier::kScalar:
      return true;
    case Tier::kAvx2:
      return features.avx2_fma;
    case Tier::kAvx512Vnni:
      return features.avx512 && features.avx512_vnni;
    case Tier::kNeon:
      return features.neon;
    case Tier::kDotprod:
      return features.neon && features.dotprod;
  }
  return false;
}

}  // namespace mace
