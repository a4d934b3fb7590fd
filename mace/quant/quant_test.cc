#include <cfloat>
#include <cmath>

#include "gtest/gtest.h"
#include "mace/quant/affine.h"
#include "mace/quant/requantize.h"
#include "mace/testing/random.h"
#include "mace/testing/tsv.h"

namespace mace {
namespace quant {
namespace {

using mace::testing::Random;
using mace::testing::ReadTsv;
using mace::testing::TsvRow;

const char kFolder[] = "test/conformance/";

ElementType TypeOf(const TsvRow& row) {
  return row.Text("type") == "int8" ? ElementType::kInt8 : ElementType::kUint8;
}

TEST(RoundToEven, AgreesWithTheLibrary) {
  Random random;
  for (int i = 0; i < 20000; ++i) {
    const float v =
        i < 4000 ? static_cast<float>(i - 2000) * 0.5f : random.Float(-1048576.0f, 1048576.0f);
    EXPECT_EQ(RoundToEven(v), static_cast<int32_t>(std::nearbyint(v)))
        << v << " " << random.Replay();
    EXPECT_EQ(RoundToEven(static_cast<double>(v)), std::nearbyint(static_cast<double>(v))) << v;
  }
}

TEST(Conformance, Parameters) {
  const auto rows = ReadTsv(std::string(kFolder) + "parameters.tsv");
  ASSERT_FALSE(rows.empty());
  for (const TsvRow& row : rows) {
    // The table's extremes are binary64; the runtime's function takes binary32 ones.
    const double min = row.Double("min"), max = row.Double("max");
    const float low = static_cast<float>(min), high = static_cast<float>(max);
    if (!std::isnan(min) && !std::isnan(max) &&
        (static_cast<double>(low) != min || static_cast<double>(high) != max)) {
      continue;
    }
    const Affine affine = ChooseAffine(low, high, TypeOf(row));
    EXPECT_EQ(affine.scale, row.Float("scale")) << min << " " << max;
    EXPECT_EQ(affine.zero_point, row.Int("zero")) << min << " " << max;
  }
}

TEST(Conformance, Quantize) {
  const auto rows = ReadTsv(std::string(kFolder) + "quantize.tsv");
  ASSERT_FALSE(rows.empty());
  for (const TsvRow& row : rows) {
    const ElementType type = TypeOf(row);
    const Affine affine{row.Float("scale"), static_cast<int32_t>(row.Int("zero"))};
    const int32_t q = Quantize(row.Float("x"), affine, QMin(type), QMax(type));
    EXPECT_EQ(q, row.Int("q")) << row.Text("x") << " / " << row.Text("scale");
    EXPECT_EQ(Dequantize(q, affine), row.Float("back"));
  }
}

TEST(Conformance, Requantize) {
  const auto rows = ReadTsv(std::string(kFolder) + "requantize.tsv");
  ASSERT_FALSE(rows.empty());
  for (const TsvRow& row : rows) {
    const float m =
        ProductMultiplier(row.Float("scale_x"), row.Float("scale_w"), row.Float("scale_y"));
    EXPECT_EQ(
        Requantize(static_cast<int32_t>(row.Int("acc")), m, static_cast<int32_t>(row.Int("zero_y")),
                   static_cast<int32_t>(row.Int("low")), static_cast<int32_t>(row.Int("high"))),
        row.Int("q"))
        << row.Text("acc") << " * " << m;
  }
}

TEST(Conformance, Average) {
  const auto rows = ReadTsv(std::string(kFolder) + "average.tsv");
  ASSERT_FALSE(rows.empty());
  for (const TsvRow& row : rows) {
    const float m = MeanMultiplier(row.Float("scale_x"), row.Int("n"), row.Float("scale_y"));
    EXPECT_EQ(
        Requantize(static_cast<int32_t>(row.Int("sum")), m, static_cast<int32_t>(row.Int("zero_y")),
                   static_cast<int32_t>(row.Int("low")), static_cast<int32_t>(row.Int("high"))),
        row.Int("q"))
        << row.Text("sum") << " of " << row.Text("n");
  }
}

TEST(Conformance, FixedPoint) {
  const auto rows = ReadTsv(std::string(kFolder) + "fixed-point.tsv");
  ASSERT_FALSE(rows.empty());
  for (const TsvRow& row : rows) {
    const FixedMultiplier m = ToFixed(row.Double("multiplier"));
    EXPECT_EQ(m.mantissa, row.Int("mantissa")) << row.Text("multiplier");
    EXPECT_EQ(m.exponent, row.Int("exponent")) << row.Text("multiplier");
    const int32_t x = static_cast<int32_t>(row.Int("x"));
    EXPECT_EQ(FixedProduct(x, m), row.Int("twice")) << x << " * " << row.Text("multiplier");
    EXPECT_EQ(FixedProductOnce(x, m), row.Int("once")) << x << " * " << row.Text("multiplier");
  }
}

TEST(Conformance, FixedPointElementwise) {
  const auto rows = ReadTsv(std::string(kFolder) + "fixed-point-elementwise.tsv");
  ASSERT_FALSE(rows.empty());
  for (const TsvRow& row : rows) {
    const int32_t a = static_cast<int32_t>(row.Int("qa") - row.Int("zero_a"));
    const int32_t b = static_cast<int32_t>(row.Int("qb") - row.Int("zero_b"));
    const int32_t z = static_cast<int32_t>(row.Int("zero_y"));
    const float sa = row.Float("scale_a"), sb = row.Float("scale_b"), sy = row.Float("scale_y");
    const std::string op = row.Text("op");
    const int32_t v = op == "PROD"
                          ? FixedProduct(a * b, FixedProdMultiplier(sa, sb, sy))
                          : FixedSumOf(a, b, op == "SUB" ? -1 : 1, FixedSumMultipliers(sa, sb, sy));
    const int32_t lo = static_cast<int32_t>(row.Int("low")),
                  hi = static_cast<int32_t>(row.Int("high"));
    EXPECT_EQ(Clamp(v, lo - z, hi - z) + z, row.Int("q")) << op << " " << a << " " << b;
  }
}

TEST(FixedPoint, Extremes) {
  const FixedMultiplier half = ToFixed(0.5), quarter = ToFixed(0.25);
  EXPECT_EQ(half.mantissa, 1 << 30);
  EXPECT_EQ(half.exponent, 0);
  // The first rounding takes halves up, the second away from zero.
  EXPECT_EQ(FixedProduct(-1, half), 0);
  EXPECT_EQ(FixedProduct(1, half), 1);
  EXPECT_EQ(FixedProduct(-2, quarter), -1);
  EXPECT_EQ(FixedProductOnce(-2, quarter), 0);
  // 0.75 is 1 after one rounding; of 1.5 after the first rounding, 2 and then 1 remain.
  EXPECT_EQ(FixedProduct(5, quarter), 2);
  EXPECT_EQ(FixedProductOnce(5, quarter), 1);
  const FixedMultiplier greatest = ToFixed(1e30);
  EXPECT_EQ(greatest.mantissa, 2147483647);
  EXPECT_EQ(greatest.exponent, 30);
  for (int32_t x : {2147483647, -2147483647 - 1, 1000, -1000}) {
    EXPECT_EQ(RequantizeFixed(x, greatest, 3, 0, 255), x > 0 ? 255 : 0);
    EXPECT_EQ(RequantizeFixed(x, greatest, 3, 0, 255, true), x > 0 ? 255 : 0);
  }
  EXPECT_EQ(ToFixed(std::exp2(-33)).mantissa, 0);
  EXPECT_EQ(ToFixed(0.0).mantissa, 0);
  EXPECT_EQ(ToFixed(NAN).mantissa, 0);
  EXPECT_EQ(FixedProduct(2147483647, ToFixed(std::exp2(-32))), 1);
  EXPECT_EQ(FixedAverage(5, 2), 3);
  EXPECT_EQ(FixedAverage(-5, 2), -3);
  EXPECT_EQ(FixedAverage(-4, 3), -1);
}

TEST(Affine, ZeroIsExact) {
  Random random;
  for (int i = 0; i < 2000; ++i) {
    const float a = random.Float(-100.0f, 100.0f), b = random.Float(-100.0f, 100.0f);
    for (ElementType type : {ElementType::kUint8, ElementType::kInt8}) {
      const Affine affine = ChooseAffine(a < b ? a : b, a < b ? b : a, type);
      EXPECT_EQ(Dequantize(affine.zero_point, affine), 0.0f);
      EXPECT_EQ(Quantize(0.0f, affine, QMin(type), QMax(type)), affine.zero_point);
    }
  }
}

TEST(Affine, DeadTensors) {
  for (float bad : {0.0f, NAN, INFINITY}) {
    const Affine affine = ChooseAffine(0.0f, bad, ElementType::kInt8);
    EXPECT_EQ(affine.scale, 1.0f);
    EXPECT_EQ(affine.zero_point, -128);
  }
  EXPECT_EQ(ChooseAffine(0.0f, FLT_MIN, ElementType::kUint8).scale, std::ldexp(1.0f, -100));
}

TEST(Bias, ClampsAndRounds) {
  EXPECT_EQ(QuantizeBias(1e30f, 1.0f, 1.0f), 2147483647);
  EXPECT_EQ(QuantizeBias(-1e30f, 1.0f, 1.0f), -2147483647);
  EXPECT_EQ(QuantizeBias(2.5f, 1.0f, 1.0f), 2);
  EXPECT_EQ(QuantizeBias(3.5f, 1.0f, 1.0f), 4);
  EXPECT_EQ(QuantizeBias(NAN, 1.0f, 1.0f), 0);
}

}  // namespace
}  // namespace quant
}  // namespace mace
