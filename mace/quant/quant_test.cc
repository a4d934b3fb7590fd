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

ElementType TypeOf(const TsvRow& row) { return row.Text("type") == "int8" ? ElementType::kInt8 : ElementType::kUint8; }

TEST(RoundToEven, AgreesWithTheLibrary) {
  Random random;
  for (int i = 0; i < 20000; ++i) {
    const float v = i < 4000 ? static_cast<float>(i - 2000) * 0.5f : random.Float(-1048576.0f, 1048576.0f);
    EXPECT_EQ(RoundToEven(v), static_cast<int32_t>(std::nearbyint(v))) << v << " " << random.Replay();
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
    const float m = ProductMultiplier(row.Float("scale_x"), row.Float("scale_w"), row.Float("scale_y"));
    EXPECT_EQ(Requantize(static_cast<int32_t>(row.Int("acc")), m, static_cast<int32_t>(row.Int("zero_y")),
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
    EXPECT_EQ(Requantize(static_cast<int32_t>(row.Int("sum")), m, static_cast<int32_t>(row.Int("zero_y")),
                         static_cast<int32_t>(row.Int("low")), static_cast<int32_t>(row.Int("high"))),
              row.Int("q"))
        << row.Text("sum") << " of " << row.Text("n");
  }
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
