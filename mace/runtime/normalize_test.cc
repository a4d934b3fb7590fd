// MVN and LpNorm against their definitions in binary64.
#include <cmath>

#include "gtest/gtest.h"
#include "mace/testing/operator_harness.h"
#include "mace/testing/random.h"
#include "mace/testing/tsv.h"

namespace mace {
namespace runtime {
namespace {

using namespace mace::testing;  // NOLINT: the harness is the language of this file

struct Case {
  Shape shape;
  std::vector<int64_t> axes;
};
const Case kCases[] = {
    {{2, 3, 4, 70}, {1, 2}},      {{2, 3, 4, 70}, {3}},
    {{2, 3, 4, 5}, {0, 1, 2}},    {{2, 3, 3, 2, 5}, {1, 2, 4}},
    {{2, 3, 1, 4}, {0, 1, 2, 3}}, {{3, 5}, {}},
    {{2, 2, 3, 2, 2, 3}, {1, 3}}, {{7}, {0}},
};

// Every output from the elements of its group in index order.
std::vector<double> ByGroup(const Case& d, const std::vector<float>& x,
                            const std::function<double(double, const std::vector<double>&)>& f) {
  std::vector<double> y;
  ForEach(d.shape, [&](const Index& o) {
    std::vector<double> group;
    ForEach(d.shape, [&](const Index& i) {
      bool same = true;
      for (size_t k = 0; k < i.size(); ++k) {
        bool chosen = false;
        for (int64_t a : d.axes) chosen = chosen || static_cast<size_t>(a) == k;
        same = same && (chosen || i[k] == o[k]);
      }
      if (same) group.push_back(static_cast<double>(x[static_cast<size_t>(Flat(d.shape, i))]));
    });
    y.push_back(f(static_cast<double>(x[static_cast<size_t>(Flat(d.shape, o))]), group));
  });
  return y;
}

void Expect(const std::string& type, const Case& d, std::vector<Arg> args,
            const std::function<double(double, const std::vector<double>&)>& f) {
  Random random;
  const std::vector<float> x = random.Floats(ElementCount(d.shape), -1.0f, 2.0f);
  args.push_back({"axis", d.axes});
  ModelBuilder m;
  m.Input("x", d.shape);
  m.Node(type, {"x"}, {F32("y", d.shape)}, args);
  m.Output("y", d.shape);
  const auto got = RunModel(m, {x});
  ASSERT_EQ(got.size(), 1u);
  const std::vector<double> wanted = ByGroup(d, x, f);
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(got[0][i], static_cast<float>(wanted[i]))
        << type << " " << ToString(d.shape) << " " << i << " " << random.Replay();
  }
}

TEST(MVN, IsTheDefinition) {
  for (const Case& d : kCases) {
    for (int flags = 0; flags < 3; ++flags) {
      const bool variance = flags != 1, outside = flags == 2;
      const float epsilon = 0.01f;
      Expect("MVN", d,
             {{"normalize_variance", variance ? 1 : 0},
              {"epsilon_outside", outside ? 1 : 0},
              {"epsilon", epsilon}},
             [=](double v, const std::vector<double>& group) {
               double mean = 0.0, squares = 0.0;
               for (double g : group) mean += g;
               mean /= static_cast<double>(group.size());
               for (double g : group) squares += (g - mean) * (g - mean);
               squares /= static_cast<double>(group.size());
               const double e = static_cast<double>(epsilon);
               const double divisor = outside ? std::sqrt(squares) + e : std::sqrt(squares + e);
               return variance ? (v - mean) / divisor : v - mean;
             });
    }
  }
}

TEST(LpNorm, IsTheDefinition) {
  for (const Case& d : kCases) {
    for (int p : {1, 2}) {
      const float epsilon = 1.5f;  // some norms are below
      Expect("LpNorm", d, {{"p", p}, {"epsilon", epsilon}},
             [=](double v, const std::vector<double>& group) {
               double norm = 0.0;
               for (double g : group) norm += p == 1 ? std::fabs(g) : g * g;
               if (p == 2) norm = std::sqrt(norm);
               return v / std::max(norm, static_cast<double>(epsilon));
             });
    }
  }
}

// test/conformance/norm.tsv, as codes between Quantize and Dequantize: [2, n, 1] along axis 1, the
// second group all zero.
TEST(LpNorm, GivesTheCodesOfTheConformanceTable) {
  const auto rows = ReadTsv("test/conformance/norm.tsv");
  ASSERT_FALSE(rows.empty());
  for (const TsvRow& row : rows) {
    const ElementType type = row.Text("type") == "uint8" ? ElementType::kUint8 : ElementType::kInt8;
    const std::vector<int64_t> codes = row.Ints("codes"), expected = row.Ints("norm");
    const float sx = row.Float("scale_x"), sy = row.Float("scale_y");
    const int32_t zx = static_cast<int32_t>(row.Int("zero_x"));
    const int32_t zy = static_cast<int32_t>(row.Int("zero_y"));
    const int64_t n = static_cast<int64_t>(codes.size());
    const Shape shape = {2, n, 1};
    ModelBuilder m;
    m.Input("x", shape);
    m.Node("Quantize", {"x"}, {{"q", shape, type, sx, zx, {}, 0}}, {});
    m.Node("LpNorm", {"q"}, {{"r", shape, type, sy, zy, {}, 0}},
           {{"p", static_cast<int>(row.Int("p"))},
            {"epsilon", row.Float("epsilon")},
            {"axis", std::vector<int64_t>{1}}});
    m.Node("Dequantize", {"r"}, {F32("y", shape)}, {});
    m.Output("y", shape);
    std::vector<float> x(static_cast<size_t>(2 * n), 0.0f);
    for (size_t i = 0; i < codes.size(); ++i) x[i] = sx * static_cast<float>(codes[i] - zx);
    const auto y = RunModel(m, {x});
    ASSERT_EQ(y.size(), 1u);
    for (size_t i = 0; i < x.size(); ++i) {
      const float want = i < codes.size() ? sy * static_cast<float>(expected[i] - zy) : 0.0f;
      EXPECT_EQ(y[0][i], want) << row.Text("codes") << " at " << i;
    }
  }
}

TEST(Normalization, RefusesWhatDoesNotFit) {
  const Shape s = {2, 3};
  const std::vector<int64_t> one = {1}, bad = {2};
  EXPECT_EQ(RefusalOf("MVN", {s}, {s}, {{"axis", one}}), 0);
  EXPECT_EQ(RefusalOf("MVN", {s}, {s}, {}), 212);
  EXPECT_EQ(RefusalOf("MVN", {s}, {s}, {{"axis", bad}}), 212);
  EXPECT_EQ(RefusalOf("MVN", {s}, {{3, 2}}, {{"axis", one}}), 216);
  EXPECT_EQ(RefusalOf("MVN", {s}, {s}, {{"axis", one}, {"epsilon", -1.0f}}), 212);
  EXPECT_EQ(RefusalOf("MVN", {s}, {s}, {{"axis", one}, {"epsilon", NAN}}), 212);
  EXPECT_EQ(RefusalOf("LpNorm", {s}, {s}, {{"axis", one}, {"p", 3}}), 212);
  EXPECT_EQ(RefusalOf("LpNorm", {s}, {s}, {{"axis", one}, {"epsilon", INFINITY}}), 212);
}

}  // namespace
}  // namespace runtime
}  // namespace mace
