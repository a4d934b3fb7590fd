// Resizing and blocks of pixels against their definitions by index.
#include <cmath>

#include "gtest/gtest.h"
#include "mace/quant/requantize.h"
#include "mace/testing/operator_harness.h"
#include "mace/testing/random.h"

namespace mace {
namespace runtime {
namespace {

using namespace mace::testing;  // NOLINT: the harness is the language of this file

const char* const kModes[] = {"asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel",
                              "half_pixel_uncentred"};

double PositionOf(int mode, int64_t i, int64_t in, int64_t out) {
  const double s = static_cast<double>(in) / static_cast<double>(out);
  switch (mode) {
    case 0:
      return static_cast<double>(i * in) / static_cast<double>(out);
    case 2:
      return out == 1 ? 0.0 : static_cast<double>(i * (in - 1)) / static_cast<double>(out - 1);
    case 3:
      if (out == 1) return 0.0;
      [[fallthrough]];
    case 1:
      return (static_cast<double>(i) + 0.5) * s - 0.5;
    default:
      return (static_cast<double>(i) + 0.5) * s;
  }
}

struct Sizes {
  int64_t in_h, in_w, out_h, out_w;
};
const Sizes kSizes[] = {{3, 5, 7, 10}, {7, 6, 3, 1}, {4, 4, 4, 4}, {1, 1, 3, 2}, {5, 8, 1, 16}};

std::vector<float> Resize(const std::string& type, ElementType element, const Shape& in,
                          const Shape& out, const std::vector<Arg>& args,
                          const std::vector<float>& x) {
  ModelBuilder m;
  m.Input("x", in);
  if (element == ElementType::kFloat32) {
    m.Node(type, {"x"}, {F32("y", out)}, args);
  } else {
    const int32_t zero = QMin(element) + 11;
    m.Node("Quantize", {"x"}, {{"q", in, element, 1.0f, zero, {}, 0}});
    m.Node(type, {"q"}, {{"r", out, element, 1.0f, zero, {}, 0}}, args);
    m.Node("Dequantize", {"r"}, {F32("y", out)});
  }
  m.Output("y", out);
  const auto got = RunModel(m, {x});
  return got.empty() ? std::vector<float>() : got[0];
}

TEST(Resize, Bilinear) {
  Random random;
  for (int mode = 0; mode < 5; ++mode) {
    for (const Sizes& s : kSizes) {
      for (int64_t channels : {1, 3, 17}) {
        const Shape in = {2, s.in_h, s.in_w, channels}, out = {2, s.out_h, s.out_w, channels};
        SCOPED_TRACE(std::string(kModes[mode]) + " " + ToString(in) + " -> " + ToString(out));
        std::vector<float> x = random.Floats(ElementCount(in), 0.0f, 200.0f);
        for (float& v : x) v = std::floor(v);  // codes of scale 1
        std::vector<double> wanted;
        ForEach(out, [&](const Index& o) {
          double sum = 0.0;
          const int64_t size[] = {s.in_h, s.in_w}, to[] = {s.out_h, s.out_w};
          double p[2];
          for (size_t i = 0; i < 2; ++i) {
            p[i] = std::min(std::max(PositionOf(mode, o[1 + i], size[i], to[i]), 0.0),
                            static_cast<double>(size[i] - 1));
          }
          for (int64_t y = 0; y < s.in_h; ++y) {
            for (int64_t c = 0; c < s.in_w; ++c) {
              const double w = std::max(0.0, 1.0 - std::fabs(static_cast<double>(y) - p[0])) *
                               std::max(0.0, 1.0 - std::fabs(static_cast<double>(c) - p[1]));
              sum += w * static_cast<double>(x[static_cast<size_t>(Flat(in, {o[0], y, c, o[3]}))]);
            }
          }
          wanted.push_back(sum);
        });
        for (ElementType element :
             {ElementType::kFloat32, ElementType::kUint8, ElementType::kInt8}) {
          const auto got =
              Resize("ResizeBilinear", element, in, out, {{"coordinate_mode", kModes[mode]}}, x);
          ASSERT_EQ(got.size(), wanted.size());
          // The weights of codes are within 2^-12, so that sums are within a half and little more.
          const double bound = element == ElementType::kFloat32 ? 1e-3 : 0.6;
          for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(got[i], wanted[i], bound) << i;
        }
      }
    }
  }
}

TEST(Resize, BilinearCodesByHand) {
  // 2 columns to 4, asymmetric: positions 0, 0.5, 1 and 1.5, which is the edge. 10.5 rounds up.
  const std::vector<float> x = {7.0f, 14.0f};
  for (ElementType element : {ElementType::kUint8, ElementType::kInt8}) {
    EXPECT_EQ(Resize("ResizeBilinear", element, {1, 1, 2, 1}, {1, 1, 4, 1}, {}, x),
              (std::vector<float>{7.0f, 11.0f, 14.0f, 14.0f}));
  }
}

TEST(Resize, NearestNeighbor) {
  const char* const rules[] = {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"};
  for (int mode = 0; mode < 5; ++mode) {
    for (int rule = 0; rule < 4; ++rule) {
      for (const Sizes& s : kSizes) {
        for (int64_t channels : {1, 3}) {
          // Exact in rational numbers: the position is top / bottom.
          const auto source = [&](int64_t i, int64_t in, int64_t out) {
            int64_t top = (2 * i + 1) * in, bottom = 2 * out;
            if (mode == 0) top = 2 * i * in;
            if (mode == 1 || (mode == 3 && out > 1)) top -= out;
            if (mode == 2) {
              top = 2 * i * (in - 1);
              bottom = out > 1 ? 2 * (out - 1) : 1;
            }
            if ((mode == 2 || mode == 3) && out == 1) top = 0;
            const auto floor_of = [](int64_t a, int64_t b) {
              return a >= 0 ? a / b : -((-a + b - 1) / b);
            };
            int64_t at = floor_of(top, bottom);
            if (rule == 1) at = -floor_of(-top, bottom);
            if (rule == 2) at = -floor_of(bottom - 2 * top, 2 * bottom);
            if (rule == 3) at = floor_of(2 * top + bottom, 2 * bottom);
            return std::min(std::max<int64_t>(at, 0), in - 1);
          };
          CheckMovement(
              "ResizeNearestNeighbor", {2, s.in_h, s.in_w, channels},
              {2, s.out_h, s.out_w, channels},
              {{"coordinate_mode", kModes[mode]}, {"nearest_mode", rules[rule]}},
              [&](const Index& o, Index* from) {
                *from = {o[0], source(o[1], s.in_h, s.out_h), source(o[2], s.in_w, s.out_w), o[3]};
                return true;
              });
        }
      }
    }
  }
}

TEST(Resize, PositionsThatAreWholeStayWhole) {
  // 49 * (1 / 49) is below 1 in binary64.
  CheckMovement("ResizeNearestNeighbor", {1, 1, 2, 1}, {1, 1, 98, 1}, {},
                [](const Index& o, Index* from) {
                  (*from)[2] = o[2] / 49;
                  return true;
                });
}

TEST(Resize, GivenScales) {
  // 5 columns by 2.3 make 11; the ratio of the sizes is 2.2.
  CheckMovement(
      "ResizeNearestNeighbor", {1, 2, 5, 1}, {1, 2, 11, 1},
      {{"scales", std::vector<float>{1.0f, 2.3f}}}, [](const Index& o, Index* from) {
        *from = {0, o[1],
                 static_cast<int64_t>(static_cast<double>(o[2]) / static_cast<double>(2.3f)), 0};
        return true;
      });
}

TEST(Resize, Bicubic) {
  Random random;
  for (int mode = 0; mode < 4; ++mode) {
    for (int exclude = 0; exclude < 2; ++exclude) {
      for (const Sizes& s : kSizes) {
        const float a = exclude ? -0.5f : -0.75f;
        const Shape in = {2, s.in_h, s.in_w, 3}, out = {2, s.out_h, s.out_w, 3};
        SCOPED_TRACE(std::string(kModes[mode]) + " " + ToString(in) + " -> " + ToString(out));
        const std::vector<float> x = random.Floats(ElementCount(in));
        const auto got = Resize(
            "ResizeBicubic", ElementType::kFloat32, in, out,
            {{"coordinate_mode", kModes[mode]}, {"cubic_coeff", a}, {"exclude_outside", exclude}},
            x);
        const auto weight = [a](double t) {
          t = std::fabs(t);
          const double k = static_cast<double>(a);
          if (t <= 1.0) return (k + 2.0) * t * t * t - (k + 3.0) * t * t + 1.0;
          return t < 2.0 ? k * (t * t * t - 5.0 * t * t + 8.0 * t - 4.0) : 0.0;
        };
        // Weight of every input index for an output index.
        const auto weights = [&](int64_t i, int64_t size, int64_t to) {
          std::vector<double> w(static_cast<size_t>(size), 0.0);
          const double p = PositionOf(mode, i, size, to);
          double sum = 0.0;
          for (int64_t k = -4; k < size + 4; ++k) {
            const bool inside = k >= 0 && k < size;
            if (exclude && !inside) continue;
            const double v = weight(static_cast<double>(k) - p);
            w[static_cast<size_t>(std::min(std::max<int64_t>(k, 0), size - 1))] += v;
            sum += v;
          }
          for (double& v : w) v = exclude ? v / sum : v;
          return w;
        };
        ASSERT_EQ(got.size(), static_cast<size_t>(ElementCount(out)));
        size_t at = 0;
        ForEach(out, [&](const Index& o) {
          const auto rows = weights(o[1], s.in_h, s.out_h),
                     columns = weights(o[2], s.in_w, s.out_w);
          double sum = 0.0;
          for (size_t r = 0; r < rows.size(); ++r) {
            for (size_t c = 0; c < columns.size(); ++c) {
              const Index i = {o[0], static_cast<int64_t>(r), static_cast<int64_t>(c), o[3]};
              sum +=
                  rows[r] * columns[c] * static_cast<double>(x[static_cast<size_t>(Flat(in, i))]);
            }
          }
          EXPECT_NEAR(got[at++], sum, 1e-5);
        });
      }
    }
  }
}

TEST(Resize, RefusesWhatDoesNotFit) {
  const Shape in = {1, 2, 2, 1}, out = {1, 4, 4, 1};
  const std::vector<float> one = {2.0f};
  EXPECT_EQ(RefusalOf("ResizeBilinear", {in}, {out}, {}), 0);
  EXPECT_EQ(RefusalOf("ResizeBilinear", {in}, {{1, 4, 4, 2}}, {}), 216);
  EXPECT_EQ(RefusalOf("ResizeBilinear", {in}, {{4, 4, 1}}, {}), 216);
  EXPECT_EQ(RefusalOf("ResizeBilinear", {in}, {{1, 70000, 4, 1}}, {}), 216);
  EXPECT_EQ(RefusalOf("ResizeBilinear", {in}, {out}, {{"coordinate_mode", "sideways"}}), 212);
  EXPECT_EQ(RefusalOf("ResizeBilinear", {in}, {out}, {{"scales", one}}), 212);
  for (float bad : {0.0f, -1.0f, INFINITY, NAN}) {
    EXPECT_EQ(RefusalOf("ResizeBicubic", {in}, {out}, {{"scales", std::vector<float>{bad, bad}}}),
              212);
  }
  EXPECT_EQ(RefusalOf("ResizeBicubic", {in}, {out}, {{"cubic_coeff", NAN}}), 212);
  EXPECT_EQ(RefusalOf("ResizeNearestNeighbor", {in}, {out}, {{"nearest_mode", "far"}}), 212);
}

TEST(Blocks, DepthToSpaceAndBack) {
  for (const char* mode : {"DCR", "CRD"}) {
    for (int64_t b : {1, 2, 3}) {
      for (int64_t channels : {1, 5}) {
        const Shape deep = {2, 3, 2, b * b * channels}, wide = {2, 3 * b, 2 * b, channels};
        const auto depth_of = [&](int64_t row, int64_t column, int64_t c) {
          return mode[0] == 'D' ? (row * b + column) * channels + c : (c * b + row) * b + column;
        };
        CheckMovement("DepthToSpace", deep, wide, {{"block_size", b}, {"mode", mode}},
                      [&](const Index& o, Index* from) {
                        *from = {o[0], o[1] / b, o[2] / b, depth_of(o[1] % b, o[2] % b, o[3])};
                        return true;
                      });
        CheckMovement("SpaceToDepth", wide, deep, {{"block_size", b}, {"mode", mode}},
                      [&](const Index& o, Index* from) {
                        for (int64_t r = 0; r < b; ++r) {
                          for (int64_t s = 0; s < b; ++s) {
                            for (int64_t c = 0; c < channels; ++c) {
                              if (depth_of(r, s, c) == o[3])
                                *from = {o[0], o[1] * b + r, o[2] * b + s, c};
                            }
                          }
                        }
                        return true;
                      });
      }
    }
  }
}

TEST(Blocks, SpaceToBatchAndBack) {
  const std::vector<int64_t> block = {2, 3};
  const Shape image = {2, 5, 7, 3}, parts = {12, 4, 3, 3};
  const std::vector<int64_t> edges = {1, 2, 0, 2};
  CheckMovement("SpaceToBatchND", image, parts, {{"block_shape", block}, {"paddings", edges}},
                [&](const Index& o, Index* from) {
                  const int64_t cell = o[0] / 2;
                  *from = {o[0] % 2, o[1] * 2 + cell / 3 - 1, o[2] * 3 + cell % 3, o[3]};
                  return (*from)[1] >= 0 && (*from)[1] < 5 && (*from)[2] < 7;
                });
  CheckMovement("BatchToSpaceND", parts, image, {{"block_shape", block}, {"crops", edges}},
                [&](const Index& o, Index* from) {
                  const int64_t y = o[1] + 1, x = o[2];
                  *from = {(y % 2 * 3 + x % 3) * 2 + o[0], y / 2, x / 3, o[3]};
                  return true;
                });
}

TEST(Blocks, ExtractImagePatches) {
  const Shape in = {2, 5, 6, 3}, out = {2, 3, 2, 18};
  ModelBuilder m;
  m.Input("x", in);
  m.Node("ExtractImagePatches", {"x"}, {F32("y", out)},
         {{"kernels", std::vector<int64_t>{2, 3}},
          {"strides", std::vector<int64_t>{2, 3}},
          {"dilations", std::vector<int64_t>{2, 1}},
          {"pads", std::vector<int64_t>{1, 1, 1, 0}}});
  m.Output("y", out);
  const std::vector<float> x = Iota(in);
  const auto got = RunModel(m, {x});
  ASSERT_EQ(got.size(), 1u);
  size_t at = 0;
  ForEach(out, [&](const Index& o) {
    const int64_t y = o[1] * 2 - 1 + o[3] / 9 * 2, c = o[2] * 3 - 1 + o[3] / 3 % 3;
    const bool inside = y >= 0 && y < 5 && c >= 0 && c < 6;
    const float wanted = inside ? x[static_cast<size_t>(Flat(in, {o[0], y, c, o[3] % 3}))] : 0.0f;
    EXPECT_EQ(got[0][at++], wanted);
  });
}

TEST(Blocks, RefuseWhatDoesNotFit) {
  const Shape in = {1, 4, 4, 4};
  EXPECT_EQ(RefusalOf("DepthToSpace", {in}, {{1, 8, 8, 1}}, {{"block_size", 2}}), 0);
  EXPECT_EQ(RefusalOf("DepthToSpace", {in}, {{1, 8, 8, 1}}, {}), 212);
  EXPECT_EQ(RefusalOf("DepthToSpace", {in}, {{1, 8, 8, 1}}, {{"block_size", 0}}), 212);
  EXPECT_EQ(RefusalOf("DepthToSpace", {in}, {{1, 8, 8, 2}}, {{"block_size", 2}}), 216);
  EXPECT_EQ(RefusalOf("DepthToSpace", {in}, {{1, 8, 8, 1}}, {{"block_size", 2}, {"mode", "ABC"}}),
            212);
  EXPECT_EQ(RefusalOf("SpaceToDepth", {in}, {{1, 1, 1, 64}}, {{"block_size", 3}}), 216);
  const std::vector<int64_t> two = {2, 2}, zero = {0, 2}, odd = {1, 0, 0, 0};
  EXPECT_EQ(RefusalOf("SpaceToBatchND", {in}, {{4, 2, 2, 4}}, {{"block_shape", two}}), 0);
  EXPECT_EQ(RefusalOf("SpaceToBatchND", {in}, {{4, 2, 2, 4}}, {{"block_shape", zero}}), 212);
  EXPECT_EQ(
      RefusalOf("SpaceToBatchND", {in}, {{4, 2, 2, 4}}, {{"block_shape", two}, {"paddings", odd}}),
      216);
  EXPECT_EQ(RefusalOf("BatchToSpaceND", {in}, {{1, 8, 8, 4}}, {{"block_shape", two}}), 216);
  EXPECT_EQ(RefusalOf("ExtractImagePatches", {in}, {{1, 3, 3, 16}}, {{"kernels", two}}), 0);
  EXPECT_EQ(RefusalOf("ExtractImagePatches", {in}, {{1, 3, 3, 15}}, {{"kernels", two}}), 216);
  EXPECT_EQ(RefusalOf("ExtractImagePatches", {in}, {{1, 3, 3, 16}}, {{"kernels", zero}}), 212);
}

}  // namespace
}  // namespace runtime
}  // namespace mace
