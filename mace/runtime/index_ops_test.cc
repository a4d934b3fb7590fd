// Operators with int32 operands or results, and those that go along axes.
#include <algorithm>
#include <cmath>

#include "gtest/gtest.h"
#include "mace/quant/requantize.h"
#include "mace/testing/operator_harness.h"
#include "mace/testing/random.h"

namespace mace {
namespace runtime {
namespace {

using namespace mace::testing;  // NOLINT: the harness is the language of this file

const ElementType kInt = ElementType::kInt32;

// The one output of a node whose inputs and output have these types.
std::vector<float> RunNode(const std::string& type, const std::vector<TensorSpec>& in,
                           const TensorSpec& out, const std::vector<Arg>& args,
                           const std::vector<std::vector<float>>& values) {
  ModelBuilder m;
  std::vector<std::string> names;
  for (const TensorSpec& t : in) {
    m.Input(t.name, t.shape, t.type);
    names.push_back(t.name);
  }
  m.Node(type, names, {out}, args);
  m.Output(out.name, out.shape, out.type);
  const auto got = RunModel(m, values);
  return got.empty() ? std::vector<float>() : got[0];
}

TEST(ArgMax, OfEveryTypeAndAxis) {
  Random random;
  for (ElementType type :
       {ElementType::kFloat32, ElementType::kInt32, ElementType::kUint8, ElementType::kInt8}) {
    for (int flags = 0; flags < 8; ++flags) {
      for (size_t axis = 0; axis < 3; ++axis) {
        const Shape in = {3, 7, 70};
        const bool keep = flags & 1, least = flags & 2, last = flags & 4;
        Shape out = in;
        out[axis] = 1;
        const Shape kept = out;
        if (!keep) out.erase(out.begin() + static_cast<std::ptrdiff_t>(axis));
        std::vector<float> x(static_cast<size_t>(ElementCount(in)));
        for (float& v : x) v = static_cast<float>(random.Int(0, 5));  // many are equal
        ModelBuilder m;
        m.Input("x", in, type == kInt ? kInt : ElementType::kFloat32);
        const std::vector<Arg> args = {{"axis", static_cast<int64_t>(axis)},
                                       {"keepdims", keep ? 1 : 0},
                                       {"argmin", least ? 1 : 0},
                                       {"select_last", last ? 1 : 0}};
        if (IsQuantized(type))
          m.Node("Quantize", {"x"}, {{"q", in, type, 1.0f, QMin(type), {}, 0}});
        m.Node("ArgMax", {IsQuantized(type) ? "q" : "x"}, {I32("y", out)}, args);
        m.Output("y", out, kInt);
        const auto got = RunModel(m, {x});
        ASSERT_EQ(got.size(), 1u);
        size_t at = 0;
        ForEach(kept, [&](const Index& o) {
          int64_t best = 0;
          Index i = o;
          const auto value = [&](int64_t k) {
            i[axis] = k;
            const float v = x[static_cast<size_t>(Flat(in, i))];
            return least ? -v : v;
          };
          for (int64_t k = 1; k < in[axis]; ++k) {
            if (value(k) > value(best) || (last && value(k) == value(best))) best = k;
          }
          EXPECT_EQ(got[0][at++], static_cast<float>(best)) << NameOf(type) << " " << axis;
        });
      }
    }
  }
}

TEST(ArgMax, NanIsChosenOnlyWhereItComesFirst) {
  const std::vector<float> x = {1, NAN, 3, NAN, 5, 9};
  EXPECT_EQ(RunNode("ArgMax", {F32("x", {2, 3})}, I32("y", {2}), {{"axis", 1}}, {x}),
            (std::vector<float>{2, 0}));
}

TEST(Cast, RoundsTowardsZeroAndSaturates) {
  const std::vector<float> x = {1.9f,     -1.9f,     0.0f, 3e9f,      -3e9f,
                                INFINITY, -INFINITY, NAN,  8388609.0f};
  ModelBuilder m;
  m.Input("x", {9});
  m.Node("Cast", {"x"}, {I32("i", {9})});
  m.Node("Cast", {"i"}, {F32("y", {9})});
  m.Output("i", {9}, kInt);
  m.Output("y", {9});
  const auto got = RunModel(m, {x});
  ASSERT_EQ(got.size(), 2u);
  const std::vector<float> wanted = {
      1, -1, 0, 2147483648.f, -2147483648.f, 2147483648.f, -2147483648.f, 0, 8388609.0f};
  EXPECT_EQ(got[0], wanted);
  EXPECT_EQ(got[1], wanted);
}

TEST(Gather, ClampsAndCountsFromTheEnd) {
  for (ElementType type : {ElementType::kFloat32, ElementType::kUint8}) {
    const Shape in = {2, 4, 3}, out = {2, 2, 3, 3};
    const std::vector<int32_t> index = {0, 3, -1, -4, 77, INT32_MIN};
    const int64_t resolved[] = {0, 3, 3, 0, 3, 0};
    ModelBuilder m;
    m.Input("x", in);
    m.Constant(I32("i", {2, 3}), index);
    if (type == ElementType::kFloat32) {
      m.Node("Gather", {"x", "i"}, {F32("y", out)}, {{"axis", 1}});
    } else {
      m.Node("Quantize", {"x"}, {{"q", in, type, 1.0f, 3, {}, 0}});
      m.Node("Gather", {"q", "i"}, {{"r", out, type, 1.0f, 3, {}, 0}}, {{"axis", 1}});
      m.Node("Dequantize", {"r"}, {F32("y", out)});
    }
    m.Output("y", out);
    const auto got = RunModel(m, {Iota(in)});
    ASSERT_EQ(got.size(), 1u);
    size_t at = 0;
    ForEach(out, [&](const Index& o) {
      const Index from = {o[0], resolved[o[1] * 3 + o[2]], o[3]};
      EXPECT_EQ(got[0][at++], static_cast<float>(Flat(in, from)));
    });
  }
}

TEST(OneHot, OutsideIsOff) {
  const std::vector<float> on =
      RunNode("OneHot", {{"x", {3}, kInt, 0, 0, {}, 0}}, F32("y", {4, 3}),
              {{"depth", 4}, {"axis", 0}, {"on_value", 5.0f}, {"off_value", -1.0f}}, {{2, -1, 4}});
  EXPECT_EQ(on, (std::vector<float>{-1, -1, -1, -1, -1, -1, 5, -1, -1, -1, -1, -1}));
  EXPECT_EQ(RunNode("OneHot", {{"x", {2}, kInt, 0, 0, {}, 0}}, F32("y", {2, 3}),
                    {{"depth", 3}, {"axis", 1}}, {{1, 0}}),
            (std::vector<float>{0, 1, 0, 1, 0, 0}));
}

TEST(Select, Broadcasts) {
  const TensorSpec condition{"c", {2, 1}, kInt, 0, 0, {}, 0};
  EXPECT_EQ(RunNode("Select", {condition, F32("a", {3}), F32("b", {1, 1})}, F32("y", {2, 3}), {},
                    {{0, -7}, {1, 2, 3}, {9}}),
            (std::vector<float>{9, 9, 9, 1, 2, 3}));
}

TEST(Cumsum, EveryWay) {
  Random random;
  const Shape shape = {2, 5, 67};
  const std::vector<float> x = random.Floats(ElementCount(shape));
  for (int64_t axis = 0; axis < 3; ++axis) {
    for (int flags = 0; flags < 4; ++flags) {
      const bool exclusive = flags & 1, reverse = flags & 2;
      const auto got = RunNode(
          "Cumsum", {F32("x", shape)}, F32("y", shape),
          {{"axis", axis}, {"exclusive", exclusive ? 1 : 0}, {"reverse", reverse ? 1 : 0}}, {x});
      ASSERT_EQ(got.size(), x.size());
      size_t at = 0;
      ForEach(shape, [&](const Index& o) {
        float sum = 0.0f;
        Index i = o;
        const size_t a = static_cast<size_t>(axis);
        const int64_t step = reverse ? -1 : 1, end = o[a] + (exclusive ? 0 : step);
        for (i[a] = reverse ? shape[a] - 1 : 0; i[a] != end; i[a] += step)
          sum += x[static_cast<size_t>(Flat(shape, i))];
        ASSERT_EQ(got[at++], sum);
      });
    }
  }
}

TEST(Movement, ReverseAndTile) {
  Random random;
  for (int round = 0; round < 20; ++round) {
    const size_t rank = static_cast<size_t>(random.Int(1, 5));
    Shape in(rank), out(rank);
    std::vector<int64_t> axes, multiples(rank);
    for (size_t i = 0; i < rank; ++i) {
      in[i] = random.Int(1, 5);
      multiples[i] = random.Int(1, 3);
      out[i] = in[i] * multiples[i];
      if (random.Int(0, 1)) axes.push_back(static_cast<int64_t>(i));
    }
    CheckMovement("Reverse", in, in, {{"axis", axes}}, [&](const Index& o, Index* from) {
      *from = o;
      for (int64_t a : axes) {
        const size_t i = static_cast<size_t>(a);
        (*from)[i] = in[i] - 1 - o[i];
      }
      return true;
    });
    CheckMovement("Tile", in, out, {{"multiples", multiples}}, [&](const Index& o, Index* from) {
      for (size_t i = 0; i < rank; ++i) (*from)[i] = o[i] % in[i];
      return true;
    });
  }
}

TEST(Movement, OfIndices) {
  // int32 through operators that copy.
  ModelBuilder m;
  m.Input("x", {2, 2}, kInt);
  m.Node("Transpose", {"x"}, {I32("t", {2, 2})}, {{"dims", std::vector<int64_t>{1, 0}}});
  m.Node("Concat", {"t", "x"}, {I32("c", {4, 2})}, {{"axis", 0}});
  m.Node("Pad", {"c"}, {I32("p", {4, 3})},
         {{"paddings", std::vector<int64_t>{0, 0, 0, 1}}, {"constant_value", -7.0f}});
  m.Node("Reshape", {"p"}, {I32("y", {12})});
  m.Output("y", {12}, kInt);
  const auto got = RunModel(m, {{1, 2, 3, 4}});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], (std::vector<float>{1, 3, -7, 2, 4, -7, 1, 2, -7, 3, 4, -7}));
}

TEST(Eltwise, Int32) {
  const std::vector<float> a = {7, -7, 7, -7, 5, -2147483648.f}, b = {2, 2, -2, -2, 0, -1};
  const auto run = [&](int type) {
    const TensorSpec x{"a", {6}, kInt, 0, 0, {}, 0}, z{"b", {6}, kInt, 0, 0, {}, 0};
    return RunNode("Eltwise", {x, z}, I32("y", {6}), {{"type", type}}, {a, b});
  };
  const float least = -2147483648.f;
  EXPECT_EQ(run(0), (std::vector<float>{9, -5, 5, -9, 5, 2147483648.f}));
  EXPECT_EQ(run(1), (std::vector<float>{5, -9, 9, -5, 5, -2147483648.f + 1}));
  EXPECT_EQ(run(2), (std::vector<float>{14, -14, -14, 14, 0, least}));
  EXPECT_EQ(run(3), (std::vector<float>{3, -3, -3, 3, 0, least}));
  EXPECT_EQ(run(4), (std::vector<float>{2, -7, -2, -7, 0, least}));
  EXPECT_EQ(run(5), (std::vector<float>{7, 2, 7, -2, 5, -1}));
  EXPECT_EQ(run(8), (std::vector<float>{25, 81, 81, 25, 25, 1}));
  EXPECT_EQ(run(9), (std::vector<float>{49, 49, 0, 0, 1, 0}));
  EXPECT_EQ(run(12), (std::vector<float>{3, -4, -4, 3, 0, least}));
  EXPECT_EQ(run(10), (std::vector<float>{0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(run(15), (std::vector<float>{0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(run(18), (std::vector<float>{1, 0, 1, 0, 1, 0}));
}

TEST(Eltwise, ComparesFloats) {
  const std::vector<float> a = {1, 2, 3, NAN, 0.0f}, b = {2, 2, 2, NAN, -0.0f};
  const auto run = [&](int type, bool scalar) {
    return RunNode("Eltwise", {F32("a", {5}), F32("b", scalar ? Shape{} : Shape{5})}, I32("y", {5}),
                   {{"type", type}}, {a, scalar ? std::vector<float>{2} : b});
  };
  EXPECT_EQ(run(10, false), (std::vector<float>{0, 1, 0, 0, 1}));
  EXPECT_EQ(run(11, false), (std::vector<float>{1, 0, 1, 1, 0}));
  EXPECT_EQ(run(15, false), (std::vector<float>{1, 0, 0, 0, 0}));
  EXPECT_EQ(run(16, false), (std::vector<float>{1, 1, 0, 0, 1}));
  EXPECT_EQ(run(17, true), (std::vector<float>{0, 0, 1, 0, 0}));
  EXPECT_EQ(run(18, true), (std::vector<float>{0, 1, 1, 0, 0}));
  EXPECT_EQ(RunNode("Eltwise", {F32("a", {4}), F32("b", {4})}, F32("y", {4}), {{"type", 12}},
                    {{7, -7, 7.5f, -1}, {2, 2, -2, 4}}),
            (std::vector<float>{3, -4, -4, -1}));
}

TEST(Activation, FurtherFunctions) {
  const std::vector<float> x = {-2.5f, -1.0f, -0.0f, 0.5f, 1.5f, 4.0f};
  const auto expect = [&](const char* name, const std::function<double(double)>& f) {
    const auto got =
        RunNode("Activation", {F32("x", {6})}, F32("y", {6}), {{"activation", name}}, {x});
    ASSERT_EQ(got.size(), x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const double wanted = f(static_cast<double>(x[i]));
      if (std::isnan(wanted) || std::isinf(wanted)) {
        EXPECT_TRUE(std::isnan(wanted) ? std::isnan(got[i]) : got[i] == wanted) << name;
      } else {
        EXPECT_NEAR(got[i], wanted, 1e-6 * std::fabs(wanted)) << name << " of " << x[i];
      }
    }
  };
  const auto softplus = [](double v) { return std::log1p(std::exp(v)); };
  expect("LOG", [](double v) { return std::log(v); });
  expect("RECIPROCAL", [](double v) { return 1.0 / v; });
  expect("SQUARE", [](double v) { return v * v; });
  expect("FLOOR", [](double v) { return std::floor(v); });
  expect("CEIL", [](double v) { return std::ceil(v); });
  expect("ROUND", [](double v) { return std::nearbyint(v); });
  expect("SIGN", [](double v) { return v > 0 ? 1.0 : v < 0 ? -1.0 : 0.0; });
  expect("ERF", [](double v) { return std::erf(v); });
  expect("GELU", [](double v) { return 0.5 * v * std::erfc(-v * std::sqrt(0.5)); });
  expect("GELU_TANH", [](double v) {
    return 0.5 * v * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (v + 0.044715 * v * v * v)));
  });
  expect("SILU", [](double v) { return v / (1 + std::exp(-v)); });
  expect("SOFTPLUS", softplus);
  expect("MISH", [&](double v) { return v * std::tanh(softplus(v)); });
}

TEST(Activation, PreluHasATableForEachChannel) {
  Random random;
  for (ElementType type : {ElementType::kUint8, ElementType::kInt8}) {
    const int64_t channels = 5;
    const Shape shape = {2, 3, 3, channels};
    std::vector<uint8_t> tables = random.Bytes(channels * 256);
    std::vector<float> x(static_cast<size_t>(ElementCount(shape)));
    for (float& v : x) v = static_cast<float>(random.Int(QMin(type), QMax(type)));
    ModelBuilder m;
    m.Input("x", shape);
    m.Constant({"t", {channels, 256}, type, 1.0f, 0, {}, 0}, tables);
    m.Node("Quantize", {"x"}, {{"q", shape, type, 1.0f, 0, {}, 0}});
    m.Node("Activation", {"q", "", "t"}, {{"r", shape, type, 1.0f, 0, {}, 0}},
           {{"activation", "PRELU"}});
    m.Node("Dequantize", {"r"}, {F32("y", shape)});
    m.Output("y", shape);
    const auto got = RunModel(m, {x});
    ASSERT_EQ(got.size(), 1u);
    for (size_t i = 0; i < x.size(); ++i) {
      const uint8_t entry =
          tables[i % channels * 256 + static_cast<size_t>(static_cast<int>(x[i]) - QMin(type))];
      EXPECT_EQ(got[0][i], type == ElementType::kInt8
                               ? static_cast<float>(static_cast<int8_t>(entry))
                               : static_cast<float>(entry));
    }
  }
}

TEST(MatMul, OfCodes) {
  Random random;
  for (int round = 0; round < 24; ++round) {
    const ElementType type = round % 2 ? ElementType::kInt8 : ElementType::kUint8;
    const int64_t mm = random.Int(1, 40), n = random.Int(1, 150), k = random.Int(1, 40);
    const bool ta = round & 2, tb = round & 4, one = round & 8;
    const Shape a = {2, 3, ta ? k : mm, ta ? mm : k};
    const Shape b = one ? Shape{tb ? n : k, tb ? k : n} : Shape{3, tb ? n : k, tb ? k : n};
    const Shape y = {2, 3, mm, n};
    const quant::Affine pa{0.02f, QMin(type) + 100}, pb{0.03f, QMin(type) + 131},
        py{0.05f, QMin(type) + 120};
    ModelBuilder m;
    m.Input("a", a);
    m.Input("b", b);
    m.Node("Quantize", {"a"}, {{"qa", a, type, pa.scale, pa.zero_point, {}, 0}});
    m.Node("Quantize", {"b"}, {{"qb", b, type, pb.scale, pb.zero_point, {}, 0}});
    m.Node("MatMul", {"qa", "qb"}, {{"qy", y, type, py.scale, py.zero_point, {}, 0}},
           {{"transpose_a", ta ? 1 : 0}, {"transpose_b", tb ? 1 : 0}});
    m.Node("Dequantize", {"qy"}, {F32("y", y)});
    m.Output("y", y);
    const std::vector<float> va = random.Floats(ElementCount(a), -2, 3),
                             vb = random.Floats(ElementCount(b), -3, 3);
    const auto got = RunModel(m, {va, vb});
    ASSERT_EQ(got.size(), 1u);
    std::vector<int32_t> qa, qb;
    for (float v : va) qa.push_back(quant::Quantize(v, pa, QMin(type), QMax(type)) - pa.zero_point);
    for (float v : vb) qb.push_back(quant::Quantize(v, pb, QMin(type), QMax(type)) - pb.zero_point);
    size_t at = 0;
    ForEach(y, [&](const Index& o) {
      int32_t acc = 0;
      for (int64_t i = 0; i < k; ++i) {
        const int64_t r = tb ? o[3] : i, c = tb ? i : o[3];
        acc += qa[static_cast<size_t>(Flat(a, {o[0], o[1], ta ? i : o[2], ta ? o[2] : i}))] *
               qb[static_cast<size_t>(one ? Flat(b, {r, c}) : Flat(b, {o[1], r, c}))];
      }
      const float multiplier = quant::ProductMultiplier(pa.scale, pb.scale, py.scale);
      const int32_t code =
          quant::Requantize(acc, multiplier, py.zero_point, QMin(type), QMax(type));
      ASSERT_EQ(got[0][at++], quant::Dequantize(code, py)) << random.Replay();
    });
  }
}

TEST(IndexOperators, RefuseWhatDoesNotFit) {
  const auto refusal = [](const std::string& type, const std::vector<TensorSpec>& in,
                          const TensorSpec& out, const std::vector<Arg>& args) {
    ModelBuilder m;
    std::vector<std::string> names;
    for (const TensorSpec& t : in) {
      m.Input(t.name, t.shape, t.type);
      names.push_back(t.name);
    }
    m.Node(type, names, {out}, args);
    m.Output(out.name, out.shape, out.type);
    return RefusalOf(m);
  };
  const TensorSpec x = F32("x", {2, 3}), i = I32("i", {4});
  EXPECT_EQ(refusal("ArgMax", {x}, I32("y", {2}), {{"axis", 1}}), 0);
  EXPECT_EQ(refusal("ArgMax", {x}, I32("y", {2}), {}), 212);
  EXPECT_EQ(refusal("ArgMax", {x}, I32("y", {2}), {{"axis", 2}}), 212);
  EXPECT_EQ(refusal("ArgMax", {x}, F32("y", {2}), {{"axis", 1}}), 215);
  EXPECT_EQ(refusal("ArgMax", {x}, I32("y", {3}), {{"axis", 1}}), 216);
  EXPECT_EQ(refusal("Gather", {x, i}, F32("y", {2, 4}), {{"axis", 1}}), 0);
  EXPECT_EQ(refusal("Gather", {x, i}, F32("y", {2, 5}), {{"axis", 1}}), 216);
  EXPECT_EQ(refusal("Gather", {x, F32("z", {4})}, F32("y", {2, 4}), {{"axis", 1}}), 215);
  EXPECT_EQ(refusal("Gather", {x, i}, F32("y", {2, 4}), {{"axis", -1}}), 212);
  EXPECT_EQ(refusal("OneHot", {i}, F32("y", {4, 3}), {{"axis", 1}, {"depth", 3}}), 0);
  EXPECT_EQ(refusal("OneHot", {i}, F32("y", {4, 3}), {{"axis", 1}, {"depth", 0}}), 212);
  EXPECT_EQ(refusal("OneHot", {i}, F32("y", {4, 3}), {{"axis", 2}, {"depth", 3}}), 212);
  EXPECT_EQ(refusal("OneHot", {x}, F32("y", {2, 3, 3}), {{"axis", 2}, {"depth", 3}}), 215);
  EXPECT_EQ(refusal("Select", {i, F32("a", {4}), F32("b", {3})}, F32("y", {4}), {}), 216);
  EXPECT_EQ(refusal("Select", {x, F32("a", {3}), F32("b", {3})}, F32("y", {2, 3}), {}), 215);
  EXPECT_EQ(refusal("Tile", {x}, F32("y", {2, 6}), {{"multiples", std::vector<int64_t>{1, 2}}}), 0);
  EXPECT_EQ(refusal("Tile", {x}, F32("y", {2, 6}), {{"multiples", std::vector<int64_t>{1, 0}}}),
            212);
  EXPECT_EQ(refusal("Tile", {x}, F32("y", {2, 5}), {{"multiples", std::vector<int64_t>{1, 2}}}),
            216);
  EXPECT_EQ(refusal("Reverse", {x}, F32("y", {2, 3}), {{"axis", std::vector<int64_t>{1, 1}}}), 212);
  EXPECT_EQ(refusal("Reverse", {x}, F32("y", {2, 3}), {}), 212);
  EXPECT_EQ(refusal("Cumsum", {x}, F32("y", {2, 3}), {{"axis", 5}}), 212);
  EXPECT_EQ(refusal("Cast", {x}, I32("y", {3, 2}), {}), 216);
  // Element-wise arithmetic of unlike types.
  EXPECT_EQ(refusal("Eltwise", {i, F32("f", {4})}, I32("y", {4}), {{"type", 0}}), 215);
  const TensorSpec j = I32("j", {4});
  EXPECT_EQ(refusal("Eltwise", {i, j}, F32("y", {4}), {{"type", 0}}), 215);
  EXPECT_EQ(refusal("Eltwise", {i, j}, I32("y", {4}), {{"type", 13}}), 212);
  EXPECT_EQ(refusal("Eltwise", {i, j}, I32("y", {4}), {{"type", 0}, {"activation", "RELU"}}), 212);
  EXPECT_EQ(refusal("Eltwise", {x, F32("z", {3})}, F32("y", {2, 3}), {{"type", 15}}), 215);
  EXPECT_EQ(refusal("Softmax", {i}, I32("y", {4}), {}), 215);
}

}  // namespace
}  // namespace runtime
}  // namespace mace
