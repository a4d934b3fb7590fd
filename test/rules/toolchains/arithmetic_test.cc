// Every toolchain must give the arithmetic that mace/quant/README.md builds on: IEEE binary32, no
// contraction of a multiplication and an addition into one rounding, no flushing of denormals.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace {

// Keeps the compiler from computing at compile time.
float Opaque(float value) {
  volatile float copy = value;
  return copy;
}

TEST(Arithmetic, MultiplyAddIsTwoRoundings) {
  const float a = Opaque(1.0f + std::ldexp(1.0f, -12));
  const float product = a * a;  // 1 + 2^-11 + 2^-24 rounds to 1 + 2^-11
  EXPECT_EQ(a * a + Opaque(-product), 0.0f);
}

TEST(Arithmetic, FusedMultiplyAddIsOneRounding) {
  const float a = Opaque(1.0f + std::ldexp(1.0f, -12));
  EXPECT_EQ(std::fma(a, a, Opaque(-(1.0f + std::ldexp(1.0f, -11)))), std::ldexp(1.0f, -24));
}

TEST(Arithmetic, DenormalsAreKept) {
  const float smallest = std::numeric_limits<float>::min();
  EXPECT_EQ(Opaque(smallest) / 2 * 2, smallest);
}

TEST(Arithmetic, NearbyintRoundsHalfToEven) {
  EXPECT_EQ(std::nearbyint(Opaque(0.5f)), 0.0f);
  EXPECT_EQ(std::nearbyint(Opaque(1.5f)), 2.0f);
  EXPECT_EQ(std::nearbyint(Opaque(-2.5f)), -2.0f);
}

TEST(Arithmetic, Int32ToFloatRoundsToNearestEven) {
  volatile std::int32_t value = (1 << 24) + 1;
  EXPECT_EQ(static_cast<float>(value), 16777216.0f);
  value = (1 << 24) + 3;
  EXPECT_EQ(static_cast<float>(value), 16777220.0f);
}

}  // namespace
