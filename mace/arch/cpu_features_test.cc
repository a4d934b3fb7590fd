#include "mace/arch/cpu_features.h"

#include "gtest/gtest.h"

namespace mace {
namespace {

TEST(CpuFeatures, BestTierOfInventedProcessors) {
  CpuFeatures f;
  EXPECT_EQ(BestTier(f), Tier::kScalar);
  f.avx2_fma = true;
  EXPECT_EQ(BestTier(f), Tier::kAvx2);
  f.avx512 = true;  // without VNNI the registers alone change nothing
  EXPECT_EQ(BestTier(f), Tier::kAvx2);
  f.avx512_vnni = true;
  EXPECT_EQ(BestTier(f), Tier::kAvx512Vnni);
  CpuFeatures arm;
  arm.neon = true;
  EXPECT_EQ(BestTier(arm), Tier::kNeon);
  arm.dotprod = true;
  EXPECT_EQ(BestTier(arm), Tier::kDotprod);
}

TEST(CpuFeatures, SupportsLowerTiers) {
  CpuFeatures f;
  f.avx2_fma = f.avx512 = f.avx512_vnni = true;
  EXPECT_TRUE(Supports(f, Tier::kScalar));
  EXPECT_TRUE(Supports(f, Tier::kAvx2));
  EXPECT_TRUE(Supports(f, Tier::kAvx512Vnni));
  EXPECT_FALSE(Supports(f, Tier::kNeon));
  EXPECT_FALSE(Supports(f, Tier::kDotprod));
}

TEST(CpuFeatures, NamesRoundTrip) {
  for (Tier tier : {Tier::kScalar, Tier::kAvx2, Tier::kAvx512Vnni, Tier::kNeon, Tier::kDotprod}) {
    Tier parsed;
    ASSERT_TRUE(ParseTier(NameOf(tier), &parsed));
    EXPECT_EQ(parsed, tier);
  }
  Tier parsed;
  EXPECT_FALSE(ParseTier("avx", &parsed));
}

TEST(CpuFeatures, DetectionIsConsistent) {
  const CpuFeatures f = DetectCpuFeatures();
  EXPECT_TRUE(Supports(f, BestTier(f)));
  std::printf("best tier here: %s\n", NameOf(BestTier(f)));
#if defined(__aarch64__)
  EXPECT_TRUE(f.neon);
#endif
}

}  // namespace
}  // namespace mace
