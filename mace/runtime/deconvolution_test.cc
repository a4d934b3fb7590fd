// Deconv2D against its definition by index, in float and in both quantization schemes.
#include <cmath>

#include "gtest/gtest.h"
#include "mace/quant/requantize.h"
#include "mace/testing/operator_harness.h"
#include "mace/testing/random.h"

namespace mace {
namespace runtime {
namespace {

using namespace mace::testing;  // NOLINT: the harness is the language of this file

struct Case {
  int64_t batch, in[2], channels, filters, group, kernel[2], stride[2], dilation[2], pads[4],
      extra[2];

  Shape input() const { return {batch, in[0], in[1], channels}; }
  Shape filter() const { return {filters, kernel[0], kernel[1], channels / group}; }
  Shape output() const {
    Shape y = {batch, 0, 0, filters};
    for (size_t i = 0; i < 2; ++i) {
      y[1 + i] = (in[i] - 1) * stride[i] - pads[i] - pads[i + 2] + (kernel[i] - 1) * dilation[i] +
                 1 + extra[i];
    }
    return y;
  }
  std::vector<Arg> args() const {
    return {{"strides", std::vector<int64_t>{stride[0], stride[1]}},
            {"dilations", std::vector<int64_t>{dilation[0], dilation[1]}},
            {"pads", std::vector<int64_t>(pads, pads + 4)},
            {"group", group}};
  }

  // Calls body(input index, filter index) for every product of an output, by ascending input row,
  // column and channel.
  template <typename Body>
  void ForEachProduct(const Index& o, const Body& body) const {
    const int64_t part = channels / group, g = o[3] / (filters / group);
    for (int64_t iy = 0; iy < in[0]; ++iy) {
      for (int64_t ix = 0; ix < in[1]; ++ix) {
        const int64_t dy = o[1] + pads[0] - iy * stride[0], dx = o[2] + pads[1] - ix * stride[1];
        if (dy < 0 || dx < 0 || dy % dilation[0] != 0 || dx % dilation[1] != 0) continue;
        const int64_t ky = dy / dilation[0], kx = dx / dilation[1];
        if (ky >= kernel[0] || kx >= kernel[1]) continue;
        for (int64_t c = 0; c < part; ++c) {
          body(static_cast<size_t>(Flat(input(), {o[0], iy, ix, g * part + c})),
               static_cast<size_t>(Flat(filter(), {o[3], ky, kx, c})));
        }
      }
    }
  }
};

// Strides below, equal to and above the kernel, common factors of stride and dilation, padding
// beyond the kernel, groups, a filter a channel, odd sizes.
const Case kCases[] = {
    {1, {3, 4}, 2, 3, 1, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, {0, 0}},
    {2, {3, 5}, 5, 7, 1, {4, 4}, {2, 2}, {1, 1}, {1, 1, 1, 1}, {1, 0}},
    {1, {5, 3}, 3, 4, 1, {3, 2}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {0, 0}},
    {1, {3, 3}, 3, 2, 1, {1, 2}, {3, 4}, {1, 1}, {0, 0, 0, 0}, {2, 3}},
    {2, {4, 3}, 4, 6, 2, {3, 3}, {2, 3}, {2, 3}, {2, 1, 1, 0}, {1, 1}},
    {1, {4, 4}, 2, 2, 1, {3, 3}, {4, 6}, {2, 4}, {0, 1, 0, 0}, {3, 2}},
    {1, {6, 5}, 1, 1, 1, {4, 4}, {2, 2}, {1, 1}, {3, 3, 4, 4}, {0, 1}},
    {1, {3, 3}, 18, 18, 18, {4, 4}, {2, 2}, {1, 1}, {1, 1, 1, 1}, {0, 0}},
    {2, {3, 2}, 3, 6, 3, {2, 2}, {3, 3}, {1, 1}, {0, 0, 0, 0}, {1, 0}},
    {1, {4, 4}, 3, 40, 1, {5, 5}, {1, 2}, {1, 1}, {4, 3, 3, 3}, {0, 0}},
    {1, {1, 1}, 4, 3, 1, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {0, 0}},
};

TEST(Deconv2D, IsTheChainOverItsProducts) {
  Random random;
  for (const Case& d : kCases) {
    SCOPED_TRACE(ToString(d.filter()) + " " + random.Replay());
    for (bool with_bias : {true, false}) {
      const Shape y = d.output();
      const std::vector<float> x = random.Floats(ElementCount(d.input())),
                               w = random.Floats(ElementCount(d.filter())),
                               b = random.Floats(d.filters);
      ModelBuilder m;
      m.Input("x", d.input());
      m.Constant(F32("w", d.filter()), w);
      m.Constant(F32("b", {d.filters}), b);
      std::vector<Arg> args = d.args();
      if (with_bias) {
        args.push_back({"activation", "RELUX"});
        args.push_back({"max_limit", 1.5f});
      }
      std::vector<std::string> names = {"x", "w"};
      if (with_bias) names.push_back("b");
      m.Node("Deconv2D", names, {F32("y", y)}, args);
      m.Output("y", y);
      const auto got = RunModel(m, {x});
      ASSERT_EQ(got.size(), 1u);
      size_t at = 0;
      ForEach(y, [&](const Index& o) {
        float acc = 0.0f;
        d.ForEachProduct(o, [&](size_t i, size_t k) { acc = std::fma(x[i], w[k], acc); });
        float wanted = acc + (with_bias ? b[static_cast<size_t>(o[3])] : 0.0f);
        if (with_bias) wanted = wanted < 0.0f ? 0.0f : wanted > 1.5f ? 1.5f : wanted;
        EXPECT_NEAR(got[0][at], wanted, kExactFloat ? 0.0 : 1e-4) << at;
        ++at;
      });
    }
  }
}

TEST(Deconv2D, IsExactInCodes) {
  Random random;
  for (const Case& d : kCases) {
    for (ElementType type : {ElementType::kUint8, ElementType::kInt8}) {
      SCOPED_TRACE(ToString(d.filter()) + " " + NameOf(type) + " " + random.Replay());
      const bool per_channel = type == ElementType::kInt8;
      const quant::Affine px{0.02f, QMin(type) + 90}, py{0.05f, QMin(type) + 60};
      const int32_t weight_zero = per_channel ? 0 : 117;
      const Shape y = d.output();
      const std::vector<float> x = random.Floats(ElementCount(d.input()), -1.7f, 3.2f);
      std::vector<uint8_t> w = random.Bytes(ElementCount(d.filter()));
      std::vector<int32_t> b;
      std::vector<float> scales;
      for (int64_t o = 0; o < d.filters; ++o) {
        b.push_back(static_cast<int32_t>(random.Int(-3000, 3000)));
        scales.push_back(per_channel ? random.Float(0.001f, 0.01f) : 0.004f);
      }
      ModelBuilder m;
      m.Input("x", d.input());
      m.Node("Quantize", {"x"}, {{"q", d.input(), type, px.scale, px.zero_point, {}, 0}});
      if (per_channel) {
        m.Constant({"w", d.filter(), type, 0, 0, scales, 0}, w);
      } else {
        m.Constant({"w", d.filter(), type, scales[0], weight_zero, {}, 0}, w);
      }
      m.Constant(I32("b", {d.filters}), b);
      std::vector<Arg> args = d.args();
      args.push_back({"activation", "RELU"});
      m.Node("Deconv2D", {"q", "w", "b"}, {{"r", y, type, py.scale, py.zero_point, {}, 0}}, args);
      m.Node("Dequantize", {"r"}, {F32("y", y)});
      m.Output("y", y);
      const auto got = RunModel(m, {x});
      ASSERT_EQ(got.size(), 1u);
      size_t at = 0;
      ForEach(y, [&](const Index& o) {
        const size_t filter = static_cast<size_t>(o[3]);
        int64_t acc = b[filter];
        d.ForEachProduct(o, [&](size_t i, size_t k) {
          const int32_t q = quant::Quantize(x[i], px, QMin(type), QMax(type));
          const int32_t weight = per_channel ? static_cast<int8_t>(w[k]) : w[k];
          acc += int64_t{q - px.zero_point} * (weight - weight_zero);
        });
        const int32_t wanted = quant::Requantize(
            static_cast<int32_t>(acc), quant::ProductMultiplier(px.scale, scales[filter], py.scale),
            py.zero_point, py.zero_point, QMax(type));
        EXPECT_EQ(got[0][at], quant::Dequantize(wanted, py)) << at;
        ++at;
      });
    }
  }
}

TEST(Deconv2D, RefusesWhatDoesNotFit) {
  const auto refusal = [](const Shape& out, const std::vector<Arg>& args) {
    ModelBuilder m;
    m.Input("x", {1, 3, 3, 2});
    m.Constant(F32("w", {4, 3, 3, 2}), std::vector<float>(72));
    m.Node("Deconv2D", {"x", "w"}, {F32("y", out)}, args);
    m.Output("y", out);
    return RefusalOf(m);
  };
  const std::vector<int64_t> two = {2, 2};
  EXPECT_EQ(refusal({1, 7, 8, 4}, {{"strides", two}}), 0);
  EXPECT_EQ(refusal({1, 6, 7, 4}, {{"strides", two}}), 216);  // less than the products need
  EXPECT_EQ(refusal({1, 7, 9, 4}, {{"strides", two}}), 216);  // as much as one more input column
  EXPECT_EQ(refusal({2, 7, 7, 4}, {{"strides", two}}), 216);
  EXPECT_EQ(refusal({1, 7, 7, 5}, {{"strides", two}}), 216);
  EXPECT_EQ(refusal({1, 7, 7, 4}, {{"strides", std::vector<int64_t>{0, 2}}}), 212);
  EXPECT_EQ(refusal({1, 7, 7, 4}, {{"strides", two}, {"group", 3}}), 212);
  EXPECT_EQ(refusal({1, 7, 7, 4}, {{"strides", two}, {"pads", two}}), 212);
  EXPECT_EQ(refusal({1, 1, 1, 4}, {{"pads", std::vector<int64_t>{9, 9, 9, 9}}}), 216);
}

}  // namespace
}  // namespace runtime
}  // namespace mace
