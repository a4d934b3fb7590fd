// Operators as nodes of models: shapes, attributes and broadcasting against definitions by index,
// on every tier and with several threads.
#include <cmath>
#include <functional>
#include <numeric>

#include "gtest/gtest.h"
#include "mace/quant/requantize.h"
#include "mace/testing/operator_harness.h"
#include "mace/testing/random.h"

namespace mace {
namespace runtime {
namespace {

using namespace mace::testing;  // NOLINT: the harness is the language of this file

TEST(Operators, Transpose) {
  Random random;
  for (size_t rank = 1; rank <= 6; ++rank) {
    for (int round = 0; round < 8; ++round) {
      Shape in(rank), out(rank);
      std::vector<int64_t> dims(rank);
      std::iota(dims.begin(), dims.end(), 0);
      for (size_t i = rank; i > 1; --i)
        std::swap(dims[i - 1],
                  dims[static_cast<size_t>(random.Int(0, static_cast<int64_t>(i) - 1))]);
      for (int64_t& d : in) d = random.Int(1, rank < 4 ? 40 : 4);
      for (size_t i = 0; i < rank; ++i) out[i] = in[static_cast<size_t>(dims[i])];
      CheckMovement("Transpose", in, out, {{"dims", dims}}, [&](const Index& o, Index* from) {
        for (size_t i = 0; i < rank; ++i) (*from)[static_cast<size_t>(dims[i])] = o[i];
        return true;
      });
    }
  }
}

TEST(Operators, StridedSlice) {
  Random random;
  for (int round = 0; round < 40; ++round) {
    const size_t rank = static_cast<size_t>(random.Int(1, 5));
    Shape in(rank), out(rank);
    std::vector<int64_t> begin(rank), end(rank), strides(rank);
    for (size_t i = 0; i < rank; ++i) {
      in[i] = random.Int(1, 9);
      strides[i] = random.Int(1, 3) * (random.Int(0, 1) ? 1 : -1);
      int64_t a = random.Int(0, in[i] - 1), b = random.Int(0, in[i] - 1);
      if (a > b) std::swap(a, b);
      begin[i] = strides[i] > 0 ? a : b;
      end[i] = strides[i] > 0 ? b + 1 : a - 1;
      const int64_t step = std::abs(strides[i]);
      out[i] = (b - a + 1 + step - 1) / step;
    }
    CheckMovement("StridedSlice", in, out, {{"begin", begin}, {"end", end}, {"strides", strides}},
                  [&](const Index& o, Index* from) {
                    for (size_t i = 0; i < rank; ++i) (*from)[i] = begin[i] + o[i] * strides[i];
                    return true;
                  });
  }
}

TEST(Operators, Pad) {
  Random random;
  for (int type = 0; type < 4; ++type) {
    for (int round = 0; round < 12; ++round) {
      const size_t rank = static_cast<size_t>(random.Int(1, 4));
      Shape in(rank), out(rank);
      std::vector<int64_t> paddings;
      for (size_t i = 0; i < rank; ++i) {
        in[i] = random.Int(1, 6);
        const int64_t most = type == 1 ? in[i] - 1 : type == 2 ? in[i] : 4;
        for (int side = 0; side < 2; ++side)
          paddings.push_back(random.Int(0, 2) ? random.Int(0, most) : 0);
        out[i] = in[i] + paddings[2 * i] + paddings[2 * i + 1];
      }
      CheckMovement(
          "Pad", in, out, {{"paddings", paddings}, {"pad_type", type}, {"constant_value", 9.0f}},
          [&](const Index& o, Index* from) {
            for (size_t i = 0; i < rank; ++i) {
              int64_t at = o[i] - paddings[2 * i];
              const int64_t n = in[i];
              if (at < 0 || at >= n) {
                if (type == 0) return false;
                if (type == 1) at = at < 0 ? -at : 2 * (n - 1) - at;
                if (type == 2) at = at < 0 ? -1 - at : 2 * n - 1 - at;
                if (type == 3) at = at < 0 ? 0 : n - 1;
              }
              (*from)[i] = at;
            }
            return true;
          },
          9.0f);
    }
  }
}

TEST(Operators, ReshapeOfEveryRank) {
  const auto same = [](const Shape& in, const Shape& out) {
    CheckMovement("Reshape", in, out, {}, [&](const Index& o, Index* from) {
      int64_t at = Flat(out, o);
      for (size_t i = in.size(); i-- > 0;) {
        (*from)[i] = at % in[i];
        at /= in[i];
      }
      return true;
    });
  };
  same({2, 3, 4}, {4, 6});
  same({}, {1, 1});
  same({1}, {});
  same({2, 1, 3, 1, 2, 1}, {12});
}

TEST(Operators, ConcatAndSplit) {
  Random random;
  for (int round = 0; round < 20; ++round) {
    const size_t rank = static_cast<size_t>(random.Int(1, 4)),
                 axis = static_cast<size_t>(random.Int(0, static_cast<int64_t>(rank) - 1));
    Shape base(rank);
    for (int64_t& d : base) d = random.Int(1, 5);
    const int parts = static_cast<int>(random.Int(1, 4));
    ModelBuilder m;
    std::vector<std::vector<float>> inputs;
    std::vector<std::string> names, split_names;
    std::vector<TensorSpec> splits;
    Shape total = base;
    total[axis] = 0;
    for (int p = 0; p < parts; ++p) {
      Shape shape = base;
      shape[axis] = random.Int(1, 4);
      total[axis] += shape[axis];
      names.push_back("x" + std::to_string(p));
      m.Input(names.back(), shape);
      inputs.push_back(random.Floats(ElementCount(shape)));
      splits.push_back(F32("s" + std::to_string(p), shape));
    }
    m.Node("Concat", names, {F32("y", total)}, {{"axis", static_cast<int64_t>(axis)}});
    m.Node("Split", {"y"}, splits, {{"axis", static_cast<int64_t>(axis)}});
    for (const TensorSpec& s : splits) m.Output(s.name, s.shape);
    // Concat then Split is the identity; the order along the axis is the inputs'.
    EXPECT_EQ(RunModel(m, inputs), inputs) << random.Replay();
  }
}

TEST(Operators, ConcatRequantizes) {
  Random random;
  for (ElementType type : {ElementType::kUint8, ElementType::kInt8}) {
    ModelBuilder m;
    m.Input("a", {2, 40});
    m.Input("b", {2, 40});
    const int32_t z = QMin(type);
    const quant::Affine pa{0.02f, z + 30}, pb{0.013f, z + 130}, py{0.025f, z + 90};
    m.Node("Quantize", {"a"}, {{"qa", {2, 40}, type, pa.scale, pa.zero_point, {}, 0}});
    m.Node("Quantize", {"b"}, {{"qb", {2, 40}, type, pb.scale, pb.zero_point, {}, 0}});
    m.Node("Concat", {"qa", "qb"}, {{"qy", {2, 80}, type, py.scale, py.zero_point, {}, 0}},
           {{"axis", 1}});
    m.Node("Dequantize", {"qy"}, {F32("y", {2, 80})});
    m.Output("y", {2, 80});
    const std::vector<float> a = random.Floats(80, -4, 4), b = random.Floats(80, -4, 4);
    const auto got = RunModel(m, {a, b});
    ASSERT_EQ(got.size(), 1u);
    for (int row = 0; row < 2; ++row) {
      for (int i = 0; i < 80; ++i) {
        const quant::Affine& p = i < 40 ? pa : pb;
        const float x = i < 40 ? a[static_cast<size_t>(row * 40 + i)]
                               : b[static_cast<size_t>(row * 40 + i - 40)];
        const int32_t q = quant::Quantize(x, p, QMin(type), QMax(type));
        const float m32 =
            quant::ToMultiplier(static_cast<double>(p.scale) / static_cast<double>(py.scale));
        const int32_t wanted =
            quant::Requantize(q - p.zero_point, m32, py.zero_point, QMin(type), QMax(type));
        EXPECT_EQ(got[0][static_cast<size_t>(row * 80 + i)], quant::Dequantize(wanted, py));
      }
    }
  }
}

TEST(Operators, EltwiseBroadcasts) {
  Random random;
  for (int round = 0; round < 60; ++round) {
    const size_t ra = static_cast<size_t>(random.Int(0, 5)),
                 rb = static_cast<size_t>(random.Int(0, 5)), rank = std::max(ra, rb);
    Shape y(rank), a(ra), b(rb);
    for (int64_t& d : y) d = random.Int(1, 5);
    for (size_t i = 0; i < ra; ++i) a[i] = random.Int(0, 2) ? y[i + rank - ra] : 1;
    for (size_t i = 0; i < rb; ++i) b[i] = random.Int(0, 2) ? y[i + rank - rb] : 1;
    for (size_t i = 0; i < rank; ++i) {
      const int64_t da = i + ra >= rank ? a[i + ra - rank] : 1,
                    db = i + rb >= rank ? b[i + rb - rank] : 1;
      y[i] = std::max(da, db);
    }
    ModelBuilder m;
    m.Input("a", a);
    m.Input("b", b);
    m.Node("Eltwise", {"a", "b"}, {F32("y", y)}, {{"type", 1}});
    m.Output("y", y);
    const std::vector<float> va = random.Floats(ElementCount(a)),
                             vb = random.Floats(ElementCount(b));
    std::vector<float> wanted;
    ForEach(y, [&](const Index& o) {
      Index ia(ra), ib(rb);
      for (size_t i = 0; i < ra; ++i) ia[i] = a[i] == 1 ? 0 : o[i + rank - ra];
      for (size_t i = 0; i < rb; ++i) ib[i] = b[i] == 1 ? 0 : o[i + rank - rb];
      wanted.push_back(va[static_cast<size_t>(Flat(a, ia))] - vb[static_cast<size_t>(Flat(b, ib))]);
    });
    const auto got = RunModel(m, {va, vb});
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0], wanted) << ToString(a) << " - " << ToString(b) << " " << random.Replay();
  }
}

TEST(Operators, Reduce) {
  Random random;
  for (int round = 0; round < 80; ++round) {
    const size_t rank = static_cast<size_t>(random.Int(1, 6));
    Shape in(rank);
    std::vector<bool> reduced(rank);
    std::vector<int64_t> axes;
    for (size_t i = 0; i < rank; ++i) {
      in[i] = random.Int(1, i + 1 == rank ? 70 : 4);
      reduced[i] = random.Int(0, 1) != 0;
      if (reduced[i]) axes.push_back(static_cast<int64_t>(i));
    }
    const int type = round % 5;
    const bool keep = random.Int(0, 1) != 0;
    Shape kept, out;
    for (size_t i = 0; i < rank; ++i) {
      kept.push_back(reduced[i] ? 1 : in[i]);
      if (!reduced[i] || keep) out.push_back(kept.back());
    }
    ModelBuilder m;
    m.Input("x", in);
    m.Node("Reduce", {"x"}, {F32("y", out)},
           {{"reduce_type", type}, {"axis", axes}, {"keepdims", keep ? 1 : 0}});
    m.Output("y", out);
    const std::vector<float> x = random.Floats(ElementCount(in));
    std::vector<float> wanted(static_cast<size_t>(ElementCount(kept)), type == 3 ? 1.0f : 0.0f);
    std::vector<int64_t> seen(wanted.size(), 0);
    ForEach(in, [&](const Index& i) {
      Index o = i;
      for (size_t d = 0; d < rank; ++d) {
        if (reduced[d]) o[d] = 0;
      }
      const size_t at = static_cast<size_t>(Flat(kept, o));
      const float v = x[static_cast<size_t>(Flat(in, i))];
      float& w = wanted[at];
      if (type == 0 || type == 4) w += v;
      if (type == 3) w *= v;
      if (type == 1) w = seen[at] == 0 || v < w ? v : w;
      if (type == 2) w = seen[at] == 0 || v > w ? v : w;
      ++seen[at];
    });
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (type == 0) wanted[i] /= static_cast<float>(seen[i]);
    }
    const auto got = RunModel(m, {x});
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0], wanted) << ToString(in) << " type " << type << " " << random.Replay();
  }
}

TEST(Operators, ReduceCodes) {
  Random random;
  for (ElementType type : {ElementType::kUint8, ElementType::kInt8}) {
    for (int kind : {0, 1, 2, 4}) {
      const bool extreme = kind == 1 || kind == 2;
      const quant::Affine px{0.02f, QMin(type) + 100},
          py = extreme ? px : quant::Affine{0.03f, QMin(type) + 77};
      ModelBuilder m;
      m.Input("x", {2, 3, 3, 70});
      m.Node("Quantize", {"x"}, {{"q", {2, 3, 3, 70}, type, px.scale, px.zero_point, {}, 0}});
      m.Node("Reduce", {"q"}, {{"r", {2, 70}, type, py.scale, py.zero_point, {}, 0}},
             {{"reduce_type", kind}, {"axis", std::vector<int64_t>{1, 2}}, {"keepdims", 0}});
      m.Node("Dequantize", {"r"}, {F32("y", {2, 70})});
      m.Output("y", {2, 70});
      const std::vector<float> x = random.Floats(2 * 9 * 70, -2, 3);
      const auto got = RunModel(m, {x});
      ASSERT_EQ(got.size(), 1u);
      for (int n = 0; n < 2; ++n) {
        for (int c = 0; c < 70; ++c) {
          int32_t sum = 0, least = 999, greatest = -999;
          for (int i = 0; i < 9; ++i) {
            const int32_t q = quant::Quantize(x[static_cast<size_t>((n * 9 + i) * 70 + c)], px,
                                              QMin(type), QMax(type));
            sum += q - px.zero_point;
            least = std::min(least, q);
            greatest = std::max(greatest, q);
          }
          const float mean = quant::MeanMultiplier(px.scale, kind == 4 ? 1 : 9, py.scale);
          const int32_t wanted =
              kind == 1   ? least
              : kind == 2 ? greatest
                          : quant::Requantize(sum, mean, py.zero_point, QMin(type), QMax(type));
          EXPECT_EQ(got[0][static_cast<size_t>(n * 70 + c)], quant::Dequantize(wanted, py)) << kind;
        }
      }
    }
  }
}

TEST(Operators, MatMul) {
  Random random;
  for (int round = 0; round < 30; ++round) {
    const int64_t mm = random.Int(1, 20), n = random.Int(1, 40), k = random.Int(1, 20),
                  batch = random.Int(1, 3);
    const bool ta = round & 1, tb = round & 2, one = round & 4;
    const Shape a = {2, batch, ta ? k : mm, ta ? mm : k};
    const Shape b = one ? Shape{tb ? n : k, tb ? k : n} : Shape{batch, tb ? n : k, tb ? k : n};
    const Shape y = {2, batch, mm, n};
    ModelBuilder m;
    m.Input("a", a);
    m.Input("b", b);
    m.Node("MatMul", {"a", "b"}, {F32("y", y)},
           {{"transpose_a", ta ? 1 : 0}, {"transpose_b", tb ? 1 : 0}});
    m.Output("y", y);
    const std::vector<float> va = random.Floats(ElementCount(a)),
                             vb = random.Floats(ElementCount(b));
    const auto got = RunModel(m, {va, vb});
    ASSERT_EQ(got.size(), 1u);
    ForEach(y, [&](const Index& o) {
      float acc = 0.0f;
      for (int64_t i = 0; i < k; ++i) {
        const float x =
            va[static_cast<size_t>(Flat(a, {o[0], o[1], ta ? i : o[2], ta ? o[2] : i}))];
        const int64_t r = tb ? o[3] : i, c = tb ? i : o[3];
        const float z = vb[static_cast<size_t>(one ? Flat(b, {r, c}) : Flat(b, {o[1], r, c}))];
        acc = std::fma(x, z, acc);
      }
      const float v = got[0][static_cast<size_t>(Flat(y, o))];
      if (kExactFloat) {
        ASSERT_EQ(v, acc + 0.0f) << random.Replay();
      } else {
        ASSERT_NEAR(v, acc, 1e-4f);
      }
    });
  }
}

TEST(Operators, FullyConnectedOnAnyRank) {
  Random random;
  for (const Shape& in : {Shape{5}, Shape{3, 5}, Shape{2, 3, 2, 5}}) {
    Shape out = in;
    out.back() = 37;
    ModelBuilder m;
    m.Input("x", in);
    const std::vector<float> w = random.Floats(37 * 5), b = random.Floats(37),
                             x = random.Floats(ElementCount(in));
    m.Constant(F32("w", {37, 5}), w);
    m.Constant(F32("b", {37}), b);
    m.Node("FullyConnected", {"x", "w", "b"}, {F32("y", out)}, {{"activation", "RELU"}});
    m.Output("y", out);
    const auto got = RunModel(m, {x});
    ASSERT_EQ(got.size(), 1u);
    for (size_t row = 0; row < x.size() / 5; ++row) {
      for (size_t o = 0; o < 37; ++o) {
        float acc = 0.0f;
        for (size_t i = 0; i < 5; ++i) acc = std::fma(x[row * 5 + i], w[o * 5 + i], acc);
        const float wanted = acc + b[o] < 0 ? 0 : acc + b[o];
        EXPECT_NEAR(got[0][row * 37 + o], wanted, kExactFloat ? 0.0f : 1e-5f);
      }
    }
  }
}

TEST(Operators, PoolingThatRoundsUp) {
  // 6 cells, windows of 3 every 2: two when rounding down, three when rounding up, the last with
  // two cells.
  ModelBuilder m;
  m.Input("x", {1, 6, 1, 1});
  m.Node("Pooling", {"x"}, {F32("y", {1, 3, 1, 1})},
         {{"pooling_type", 1},
          {"kernels", std::vector<int64_t>{3, 1}},
          {"strides", std::vector<int64_t>{2, 1}},
          {"round_mode", 1},
          {"count_include_pad", 1}});
  m.Output("y", {1, 3, 1, 1});
  const auto got = RunModel(m, {{1, 2, 3, 4, 5, 6}});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], (std::vector<float>{2.0f, 4.0f,
                                        5.5f}));  // cells beyond the declared padding never count

  // A last window that would start in the padding after the image is left out.
  ModelBuilder n;
  n.Input("x", {1, 3, 1, 1});
  n.Node("Pooling", {"x"}, {F32("y", {1, 2, 1, 1})},
         {{"pooling_type", 2},
          {"kernels", std::vector<int64_t>{2, 1}},
          {"strides", std::vector<int64_t>{2, 1}},
          {"pads", std::vector<int64_t>{0, 0, 1, 0}},
          {"round_mode", 1}});
  n.Output("y", {1, 2, 1, 1});
  EXPECT_EQ(RunModel(n, {{1, 2, 3}}), (std::vector<std::vector<float>>{{2.0f, 3.0f}}));
}

TEST(Operators, ActivationsOfAFloatModel) {
  const std::vector<float> x = {-3.0f, -1.0f, -0.25f, 0.0f, 0.5f, 1.0f, 4.0f, 8.0f};
  const auto run = [&](const std::vector<Arg>& args) {
    ModelBuilder m;
    m.Input("x", {2, 4});
    m.Constant(F32("s", {4}), std::vector<float>{0.5f, 0.25f, 2.0f, 1.0f});
    m.Node("Activation", {"x", "s"}, {F32("y", {2, 4})}, args);
    m.Output("y", {2, 4});
    return RunModel(m, {x})[0];
  };
  const auto expect = [&](const std::vector<Arg>& args,
                          const std::function<double(double, size_t)>& f) {
    const std::vector<float> got = run(args);
    for (size_t i = 0; i < x.size(); ++i) {
      const double wanted = f(static_cast<double>(x[i]), i);
      EXPECT_NEAR(got[i], wanted, 1e-6 * (1 + std::fabs(wanted))) << args[0].name << " of " << x[i];
    }
  };
  const double a = 0.16666667163372040;
  expect({{"activation", "RELU"}}, [](double v, size_t) { return v > 0 ? v : 0; });
  expect({{"activation", "RELUX"}, {"max_limit", 6.0f}}, [](double v, size_t) {
    return v < 0 ? 0 : v > 6 ? 6 : v;
  });
  expect({{"activation", "CLIP"}, {"min_limit", -1.0f}, {"max_limit", 1.0f}}, [](double v, size_t) {
    return v < -1 ? -1 : v > 1 ? 1 : v;
  });
  expect({{"activation", "PRELU"}}, [](double v, size_t i) {
    const double s[] = {0.5, 0.25, 2, 1};
    return v < 0 ? v * s[i % 4] : v;
  });
  expect({{"activation", "LEAKYRELU"}, {"activation_coefficient", 0.1f}},
         [](double v, size_t) { return v < 0 ? v * 0.1f : v; });
  expect({{"activation", "ELU"}, {"activation_coefficient", 1.5f}},
         [](double v, size_t) { return v < 0 ? 1.5 * std::expm1(v) : v; });
  expect({{"activation", "TANH"}}, [](double v, size_t) { return std::tanh(v); });
  expect({{"activation", "SIGMOID"}}, [](double v, size_t) { return 1 / (1 + std::exp(-v)); });
  expect({{"activation", "HARDSIGMOID"}},
         [a](double v, size_t) { return std::min(1.0, std::max(0.0, a * v + 0.5)); });
  expect({{"activation", "HARDSWISH"}},
         [a](double v, size_t) { return v * std::min(1.0, std::max(0.0, a * v + 0.5)); });
  expect({{"activation", "EXP"}}, [](double v, size_t) { return std::exp(v); });
  expect({{"activation", "ABS"}}, [](double v, size_t) { return std::fabs(v); });
  expect({{"activation", "NEG"}}, [](double v, size_t) { return -v; });
}

TEST(Operators, TheTableIsSortedAndMakesEverything) {
  for (size_t i = 0; i < OperatorTable().size(); ++i) {
    const OperatorEntry& entry = OperatorTable()[i];
    if (i > 0) {
      EXPECT_LT(std::string(OperatorTable()[i - 1].type), entry.type);
    }
    EXPECT_NE(entry.make(), nullptr);
    EXPECT_EQ(FindOperator(entry.type), &entry);
  }
}

}  // namespace
}  // namespace runtime
}  // namespace mace
