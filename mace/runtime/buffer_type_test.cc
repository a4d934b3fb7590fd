// Conversions at the borders of a model, against the definition of binary16 and at the ends of
// integers.
#include "mace/runtime/buffer_type.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace mace {
namespace runtime {
namespace {

// The value of a finite half, by its definition.
double Value(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

TEST(Half, EveryOneIsItsValueAndComesBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float value = HalfToFloat(half);
    if ((bits & 0x7c00) == 0x7c00) {
      EXPECT_EQ((bits & 0x3ff) != 0, std::isnan(value)) << bits;
      if ((bits & 0x3ff) == 0) {
        EXPECT_TRUE(std::isinf(value));
        EXPECT_EQ(FloatToHalf(value), half);
      }
      continue;
    }
    EXPECT_EQ(value, Value(half)) << bits;
    EXPECT_EQ(std::signbit(value), (bits & 0x8000) != 0) << bits;
    EXPECT_EQ(FloatToHalf(value), half) << bits;
  }
}

TEST(Half, BetweenTwoTheNearestAndOfTwoTheEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits), next = static_cast<uint16_t>(bits + 1);
    const double low = Value(half), high = Value(next);
    // Eleven bits and one more: exact.
    const float middle = static_cast<float>((low + high) / 2);
    ASSERT_EQ(middle, (low + high) / 2);
    EXPECT_EQ(FloatToHalf(middle), bits % 2 == 0 ? half : next) << bits;
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, 0.0f)), half) << bits;
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, 1e9f)), next) << bits;
    EXPECT_EQ(FloatToHalf(-middle), 0x8000 | (bits % 2 == 0 ? half : next)) << bits;
  }
  // What rounds above the greatest is infinite.
  EXPECT_EQ(FloatToHalf(65519.996f), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(3e38f), 0x7c00);
  EXPECT_EQ(FloatToHalf(-3e38f), 0xfc00);
  EXPECT_EQ(FloatToHalf(1e-30f), 0);
  EXPECT_TRUE(std::isnan(HalfToFloat(FloatToHalf(std::nanf("")))));
}

template <typename T>
std::vector<T> Written(int64_t code, const std::vector<float>& values) {
  const BufferType* type = FindBufferType(code);
  std::vector<T> written(values.size());
  EXPECT_EQ(type->bytes, sizeof(T));
  type->write(values.data(), ElementType::kFloat32, static_cast<int64_t>(values.size()),
              written.data());
  return written;
}

TEST(BufferType, RealNumbersAreCutToIntegers) {
  const std::vector<float> values = {
      0.0f,     0.9f,      -0.9f, 1.5f,  254.99f,       255.0f,        256.0f,   -1.0f,    32767.9f,
      32768.0f, -32768.5f, 3e9f,  -3e9f, 2147483520.0f, std::nanf(""), INFINITY, -INFINITY};
  EXPECT_EQ(Written<uint8_t>(2, values), (std::vector<uint8_t>{0, 0, 0, 1, 254, 255, 255, 0, 255,
                                                               255, 0, 255, 0, 255, 0, 255, 0}));
  EXPECT_EQ(Written<int16_t>(7, values),
            (std::vector<int16_t>{0, 0, 0, 1, 254, 255, 256, -1, 32767, 32767, -32768, 32767,
                                  -32768, 32767, 0, 32767, -32768}));
  const int32_t least = std::numeric_limits<int32_t>::min(),
                most = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(Written<int32_t>(4, values),
            (std::vector<int32_t>{0, 0, 0, 1, 254, 255, 256, -1, 32767, 32768, -32768, most, least,
                                  2147483520, 0, most, least}));
}

TEST(BufferType, IntegersStandForThemselves) {
  const uint8_t bytes[] = {0, 1, 255};
  float real[3];
  FindBufferType(2)->read(bytes, 3, ElementType::kFloat32, real);
  EXPECT_EQ(std::vector<float>(real, real + 3), (std::vector<float>{0, 1, 255}));
  const int16_t words[] = {-32768, 5, 32767};
  int32_t whole[3];
  FindBufferType(7)->read(words, 3, ElementType::kInt32, whole);
  EXPECT_EQ(std::vector<int32_t>(whole, whole + 3), (std::vector<int32_t>{-32768, 5, 32767}));
  const int32_t wide[] = {-1, 300, 70000};
  uint8_t cut[3];
  FindBufferType(2)->write(wide, ElementType::kInt32, 3, cut);
  EXPECT_EQ(std::vector<uint8_t>(cut, cut + 3), (std::vector<uint8_t>{0, 255, 255}));
  uint16_t halves[3];
  FindBufferType(5)->write(wide, ElementType::kInt32, 3, halves);
  EXPECT_EQ(HalfToFloat(halves[0]), -1.0f);
  EXPECT_EQ(HalfToFloat(halves[1]), 300.0f);
  EXPECT_TRUE(std::isinf(HalfToFloat(halves[2])));
}

TEST(BufferType, BuffersNeedNotBeAligned) {
  alignas(4) char bytes[9] = {};
  const uint16_t half = 0x3e00;  // 1.5
  std::memcpy(bytes + 1, &half, 2);
  float value = 0;
  FindBufferType(5)->read(bytes + 1, 1, ElementType::kFloat32, &value);
  EXPECT_EQ(value, 1.5f);
  FindBufferType(7)->write(&value, ElementType::kFloat32, 1, bytes + 3);
  EXPECT_EQ(bytes[3], 1);
}

TEST(BufferType, OnlyThese) {
  EXPECT_EQ(FindBufferType(3), FindBufferType(5));
  for (int64_t code : {-1, 0, 6, 8, 9, 10, 11, 12, 1 << 20})
    EXPECT_EQ(FindBufferType(code), nullptr);
  EXPECT_EQ(BufferTypeNames(), "float32, int32, float16, int16, uint8");
}

}  // namespace
}  // namespace runtime
}  // namespace mace
