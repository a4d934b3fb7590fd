// The other kernels of every tier: conformance tables, the definition, or agreement of all tiers
// bit by bit.
#include <cfloat>
#include <cmath>
#include <cstring>

#include "gtest/gtest.h"
#include "mace/kernels/kernels.h"
#include "mace/quant/requantize.h"
#include "mace/testing/guard_buffer.h"
#include "mace/testing/random.h"
#include "mace/testing/tiers.h"
#include "mace/testing/tsv.h"

namespace mace {
namespace kernels {
namespace {

#include "mace/kernels/math.h"

using mace::testing::GuardBuffer;
using mace::testing::kExactFloat;
using mace::testing::Random;
using mace::testing::ReadTsv;
using mace::testing::RunnableTiers;
using mace::testing::TsvRow;

const char kFolder[] = "test/conformance/";
const ElementType kCodeTypes[] = {ElementType::kUint8, ElementType::kInt8};

template <typename Fn>
Fn Pick(ElementType type, const ByType<Fn>& by_type) {
  return type == ElementType::kInt8 ? by_type.s8 : by_type.u8;
}

int32_t CodeOf(uint8_t byte, ElementType type) {
  return type == ElementType::kInt8 ? static_cast<int8_t>(byte) : byte;
}

uint32_t Bits(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  return bits;
}

// ---- Conformance tables ---------------------------------------------------

TEST(Conformance, Elementwise) {
  const auto rows = ReadTsv(std::string(kFolder) + "elementwise.tsv");
  ASSERT_FALSE(rows.empty());
  for (Tier tier : RunnableTiers()) {
    for (const TsvRow& row : rows) {
      EltwiseArgs args = {};
      const std::string op = row.Text("op");
      args.kind = op == "SUM"    ? EltwiseKind::kSum
                  : op == "SUB"  ? EltwiseKind::kSub
                  : op == "PROD" ? EltwiseKind::kProd
                  : op == "MIN"  ? EltwiseKind::kMin
                                 : EltwiseKind::kMax;
      const double sa = row.Float("scale_a"), sb = row.Float("scale_b"), sy = row.Float("scale_y");
      args.k_a = quant::ToMultiplier(sa / sy);
      args.k_b = quant::ToMultiplier(sb / sy);
      args.k = quant::ToMultiplier(sa * sb / sy);
      args.zero_a = static_cast<int32_t>(row.Int("zero_a"));
      args.zero_b = static_cast<int32_t>(row.Int("zero_b"));
      args.zero_y = static_cast<int32_t>(row.Int("zero_y"));
      args.q_lo = static_cast<int32_t>(row.Int("low"));
      args.q_hi = static_cast<int32_t>(row.Int("high"));
      const bool is_signed = row.Int("qa") < 0 || row.Int("qb") < 0 || args.q_lo < 0;
      const ElementType type = is_signed ? ElementType::kInt8 : ElementType::kUint8;
      const uint8_t a = static_cast<uint8_t>(row.Int("qa")),
                    b = static_cast<uint8_t>(row.Int("qb"));
      uint8_t y = 0;
      Pick(type, GetKernelSet(tier)->eltwise)(args, &a, 1, &b, 1, &y, 1);
      EXPECT_EQ(CodeOf(y, type), row.Int("q"))
          << op << " " << row.Text("qa") << " " << row.Text("qb") << " " << NameOf(tier);
    }
  }
}

TEST(Conformance, Rescale) {
  const auto rows = ReadTsv(std::string(kFolder) + "rescale.tsv");
  ASSERT_FALSE(rows.empty());
  for (Tier tier : RunnableTiers()) {
    for (const TsvRow& row : rows) {
      const ElementType type = row.Int("low") < 0 ? ElementType::kInt8 : ElementType::kUint8;
      const uint8_t x = static_cast<uint8_t>(row.Int("qx"));
      const float m = quant::ToMultiplier(static_cast<double>(row.Float("scale_x")) /
                                          static_cast<double>(row.Float("scale_y")));
      uint8_t y = 0;
      Pick(type, GetKernelSet(tier)->requantize)(&x, m, static_cast<int32_t>(row.Int("zero_x")),
                                                 static_cast<int32_t>(row.Int("zero_y")), &y, 1);
      EXPECT_EQ(CodeOf(y, type), row.Int("q")) << row.Text("qx") << " " << NameOf(tier);
    }
  }
}

TEST(Conformance, Quantize) {
  const auto rows = ReadTsv(std::string(kFolder) + "quantize.tsv");
  ASSERT_FALSE(rows.empty());
  for (Tier tier : RunnableTiers()) {
    for (const TsvRow& row : rows) {
      const ElementType type =
          row.Text("type") == "int8" ? ElementType::kInt8 : ElementType::kUint8;
      const float x = row.Float("x"), scale = row.Float("scale");
      const int32_t zero = static_cast<int32_t>(row.Int("zero"));
      uint8_t y = 0;
      float back = 0;
      Pick(type, GetKernelSet(tier)->quantize)(&x, scale, zero, &y, 1);
      Pick(type, GetKernelSet(tier)->dequantize)(&y, scale, zero, &back, 1);
      EXPECT_EQ(CodeOf(y, type), row.Int("q")) << row.Text("x") << " " << NameOf(tier);
      EXPECT_EQ(back, row.Float("back")) << NameOf(tier);
    }
  }
}

TEST(Conformance, Softmax) {
  const auto rows = ReadTsv(std::string(kFolder) + "softmax.tsv");
  ASSERT_FALSE(rows.empty());
  for (Tier tier : RunnableTiers()) {
    for (const TsvRow& row : rows) {
      const ElementType type =
          row.Text("type") == "int8" ? ElementType::kInt8 : ElementType::kUint8;
      std::vector<int32_t> table(256);
      for (int d = 0; d < 256; ++d) {
        table[static_cast<size_t>(d)] = static_cast<int32_t>(
            std::nearbyint(std::exp(-static_cast<double>(row.Float("scale_x")) * d) * 8388608.0));
      }
      std::vector<uint8_t> x;
      for (int64_t c : row.Ints("codes")) x.push_back(static_cast<uint8_t>(c));
      const GuardBuffer<uint8_t> in(x), out(x.size());
      Pick(type, GetKernelSet(tier)->softmax)(in.data(), out.data(), table.data(),
                                              static_cast<int64_t>(x.size()), QMin(type), 0, 1);
      const std::vector<int64_t> wanted = row.Ints("softmax");
      ASSERT_EQ(wanted.size(), x.size());
      for (size_t i = 0; i < x.size(); ++i)
        EXPECT_EQ(CodeOf(out[i], type), wanted[i]) << i << " " << NameOf(tier);
    }
  }
}

// ---- Elementary functions -------------------------------------------------

TEST(Math, FusedMultiplyAdd) {
  if (!kExactFloat) GTEST_SKIP() << "32-bit ARM has none";
  Random random;
  for (int i = 0; i < 200000; ++i) {
    float a = random.AnyFloat(), b = random.AnyFloat(), c = random.AnyFloat();
    if (i % 2) {
      // Near cancellation, where one rounding differs from two.
      a = random.Float(-2.0f, 2.0f);
      b = random.Float(-2.0f, 2.0f);
      c = -a * b * (1.0f + static_cast<float>(random.Int(-2, 2)) * 5.9604645e-8f);
    }
    ASSERT_EQ(Bits(Fma(a, b, c)), Bits(std::fma(a, b, c)))
        << a << " * " << b << " + " << c << " " << random.Replay();
  }
  EXPECT_EQ(Fma(FLT_MAX, 2.0f, 0.0f), INFINITY);
  EXPECT_TRUE(std::isnan(Fma(INFINITY, 0.0f, 1.0f)));
  EXPECT_EQ(Bits(Fma(0.0f, -1.0f, 0.0f)), 0u);
  EXPECT_EQ(Fma(FLT_MIN, 0.5f, 0.0f), FLT_MIN * 0.5f);
}

// Largest error in units of the last place of binary32, which is at most one half plus what
// binary64 loses.
template <typename Own, typename Library>
void ExpectAccurate(const char* name, float least, float greatest, const Own& own,
                    const Library& library) {
  Random random;
  for (int i = 0; i < 100000; ++i) {
    const float x = random.Float(least, greatest);
    const float got = static_cast<float>(own(static_cast<double>(x)));
    const float wanted = static_cast<float>(library(static_cast<double>(x)));
    const float next = std::nextafter(wanted, got);
    ASSERT_TRUE(got == wanted || got == next)
        << name << "(" << x << ") = " << got << ", not " << wanted;
  }
}

TEST(Math, ElementaryFunctions) {
  ExpectAccurate("exp", -110.0f, 90.0f, Exp, [](double x) { return std::exp(x); });
  ExpectAccurate("tanh", -10.0f, 10.0f, Tanh, [](double x) { return std::tanh(x); });
  ExpectAccurate("tanh", -0.02f, 0.02f, Tanh, [](double x) { return std::tanh(x); });
  ExpectAccurate("sigmoid", -100.0f, 30.0f, Sigmoid,
                 [](double x) { return 1.0 / (1.0 + std::exp(-x)); });
  ExpectAccurate("expm1", -20.0f, 0.0f, ExpMinusOne, [](double x) { return std::expm1(x); });
  ExpectAccurate("expm1", -0.02f, 0.02f, ExpMinusOne, [](double x) { return std::expm1(x); });
  ExpectAccurate("log", 1e-30f, 100.0f, Log, [](double x) { return std::log(x); });
  ExpectAccurate("log", 0.9f, 1.1f, Log, [](double x) { return std::log(x); });
  for (float y : {2.0f, -1.5f, 0.75f, 3.0f, -0.5f}) {
    ExpectAccurate(
        "pow", 1e-6f, 50.0f, [y](double x) { return Pow(x, y); },
        [y](double x) { return std::pow(x, static_cast<double>(y)); });
  }
}

TEST(Math, ErrorFunctionAndItsKin) {
  const double root = std::sqrt(2.0);
  ExpectAccurate("erf", -5.0f, 5.0f, Erf, [](double x) { return std::erf(x); });
  ExpectAccurate("erf", -0.3f, 0.3f, Erf, [](double x) { return std::erf(x); });
  ExpectAccurate("erfc", 0.0f, 10.0f, ErfcPositive, [](double x) { return std::erfc(x); });
  ExpectAccurate("gelu", -15.0f, 8.0f, Gelu,
                 [root](double x) { return 0.5 * x * std::erfc(-x / root); });
  ExpectAccurate("tanh gelu", -8.0f, 8.0f, GeluTanh, [](double x) {
    const double u = std::sqrt(2.0 / std::acos(-1.0)) * (x + 0.044715 * x * x * x);
    return x / (1.0 + std::exp(-2.0 * u));
  });
  ExpectAccurate("silu", -110.0f, 30.0f, Silu, [](double x) { return x / (1.0 + std::exp(-x)); });
  ExpectAccurate("softplus", -110.0f, 30.0f, Softplus, [](double x) {
    return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
  });
  ExpectAccurate("mish", -100.0f, 30.0f, Mish, [](double x) {
    return x * std::tanh(x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)));
  });
  for (const auto& f : {Gelu, GeluTanh, Silu, Mish}) {
    EXPECT_EQ(static_cast<float>(f(-INFINITY)), 0.0f);
    EXPECT_EQ(static_cast<float>(f(-3e38)), 0.0f);
    EXPECT_EQ(static_cast<float>(f(INFINITY)), INFINITY);
    EXPECT_EQ(f(0.0), 0.0);
    EXPECT_TRUE(std::isnan(f(NAN)));
  }
  EXPECT_EQ(Erf(INFINITY), 1.0);
  EXPECT_EQ(Erf(-INFINITY), -1.0);
  EXPECT_TRUE(std::isnan(Erf(NAN)));
  EXPECT_EQ(Softplus(INFINITY), INFINITY);
  EXPECT_EQ(static_cast<float>(Softplus(-INFINITY)), 0.0f);
}

TEST(Math, WholeNumbers) {
  Random random;
  std::vector<float> values = {0.0f,     -0.0f,      0.5f,        -0.5f,      1.5f,  2.5f,
                               -2.5f,    8388607.5f, -8388607.5f, 8388608.0f, 3e38f, -3e38f,
                               INFINITY, -INFINITY,  -1e-30f,     4194304.5f};
  for (int i = 0; i < 20000; ++i) values.push_back(random.Float(-100.0f, 100.0f));
  for (float x : values) {
    EXPECT_EQ(Floor(x), std::floor(x)) << x;
    EXPECT_EQ(Ceil(x), std::ceil(x)) << x;
    EXPECT_EQ(RoundToEven(x), std::nearbyint(x)) << x;
  }
  EXPECT_TRUE(std::isnan(Floor(NAN)) && std::isnan(Ceil(NAN)) && std::isnan(RoundToEven(NAN)));
}

TEST(Math, SpecialValues) {
  EXPECT_TRUE(std::isnan(Exp(NAN)));
  EXPECT_EQ(static_cast<float>(Exp(INFINITY)), INFINITY);
  EXPECT_EQ(static_cast<float>(Exp(-INFINITY)), 0.0f);
  EXPECT_EQ(Log(0.0), -INFINITY);
  EXPECT_EQ(Log(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(Log(-1.0)));
  EXPECT_EQ(Tanh(INFINITY), 1.0);
  EXPECT_EQ(Tanh(-INFINITY), -1.0);
  EXPECT_TRUE(std::isnan(Tanh(NAN)));
  const double values[] = {0.0, -0.0, 1.0,      -1.0,      2.0, -2.0, 0.5,  -0.5,
                           3.0, -3.0, INFINITY, -INFINITY, NAN, 1e20, 1e-20};
  for (double x : values) {
    for (double y : values) {
      const float got = static_cast<float>(Pow(x, y)), wanted = static_cast<float>(std::pow(x, y));
      EXPECT_TRUE(Bits(got) == Bits(wanted) || (std::isnan(got) && std::isnan(wanted)))
          << x << " ^ " << y << " = " << got << ", not " << wanted;
    }
  }
}

// ---- Agreement of the tiers -----------------------------------------------

// Values with everything that is awkward among them.
std::vector<float> Awkward(Random* random, int64_t n) {
  std::vector<float> v = random->Floats(n, -8.0f, 8.0f);
  const float specials[] = {0.0f,         -0.0f,   INFINITY, -INFINITY, NAN,  FLT_MIN, FLT_MIN / 4,
                            -FLT_MIN / 4, FLT_MAX, -FLT_MAX, 0.5f,      1.0f, -1.0f};
  for (size_t i = 0; i < v.size(); i += 3) v[i] = specials[static_cast<size_t>(random->Int(0, 12))];
  return v;
}

void ExpectSame(const GuardBuffer<float>& got, const GuardBuffer<float>& wanted) {
  for (size_t i = 0; i < got.size(); ++i) {
    // The sign and payload of a NaN are the processor's.
    ASSERT_TRUE(Bits(got[i]) == Bits(wanted[i]) || (std::isnan(got[i]) && std::isnan(wanted[i])))
        << i << ": " << got[i] << ", not " << wanted[i];
  }
}

TEST(Tiers, AgreeOnFloatFunctions) {
  if (!kExactFloat) GTEST_SKIP() << "32-bit ARM has one tier of these";
  Random random;
  const KernelSet& base = *GetKernelSet(Tier::kScalar);
  for (Tier tier : RunnableTiers()) {
    const KernelSet& set = *GetKernelSet(tier);
    for (int64_t n : {1, 7, 16, 33, 100}) {
      SCOPED_TRACE(std::string(NameOf(tier)) + " n " + std::to_string(n) + " " + random.Replay());
      const GuardBuffer<float> a(Awkward(&random, n)), b(Awkward(&random, n)),
          y(static_cast<size_t>(n)), z(static_cast<size_t>(n));
      for (int kind : {0, 1, 2, 3, 4, 5, 8, 9, 12}) {
        EltwiseArgs args = {};
        args.kind = static_cast<EltwiseKind>(kind);
        args.lo = -5.0f;
        args.hi = 6.0f;
        for (int strides = 0; strides < 4; ++strides) {
          SCOPED_TRACE("eltwise " + std::to_string(kind));
          set.eltwise_f32(args, a.data(), strides & 1, b.data(), strides >> 1, y.data(), n);
          base.eltwise_f32(args, a.data(), strides & 1, b.data(), strides >> 1, z.data(), n);
          ExpectSame(y, z);
        }
      }
      for (int kind = 0; kind <= static_cast<int>(ActivationKind::kMish); ++kind) {
        SCOPED_TRACE("activation " + std::to_string(kind));
        const GuardBuffer<float> slope(random.Floats(n));
        const ActivationArgs args = {
            static_cast<ActivationKind>(kind), 6.0f, -1.0f, 0.3f, 0.2f, 0.5f, slope.data(), n};
        set.activation_f32(args, a.data(), y.data(), n);
        base.activation_f32(args, a.data(), z.data(), n);
        ExpectSame(y, z);
      }
      const GuardBuffer<float> x(random.Floats(3 * n, -4.0f, 4.0f)), u(static_cast<size_t>(3 * n)),
          v(static_cast<size_t>(3 * n));
      for (bool log : {false, true}) {
        set.softmax_f32(x.data(), u.data(), n, log, 0, 3);
        base.softmax_f32(x.data(), v.data(), n, log, 0, 3);
        ExpectSame(u, v);
      }
      const LrnArgs lrn = {n, 2, 2, 1e-2f, 0.75f, 1.0f};
      set.lrn_f32(lrn, x.data(), u.data(), 0, 3);
      base.lrn_f32(lrn, x.data(), v.data(), 0, 3);
      ExpectSame(u, v);
      set.batch_norm_f32(x.data(), a.data(), b.data(), n, 0.0f, INFINITY, u.data(), 3 * n);
      base.batch_norm_f32(x.data(), a.data(), b.data(), n, 0.0f, INFINITY, v.data(), 3 * n);
      ExpectSame(u, v);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Tiers, AgreeOnCodes) {
  Random random;
  const KernelSet& base = *GetKernelSet(Tier::kScalar);
  for (Tier tier : RunnableTiers()) {
    const KernelSet& set = *GetKernelSet(tier);
    for (ElementType type : kCodeTypes) {
      for (int64_t n : {1, 15, 16, 64, 77}) {
        SCOPED_TRACE(std::string(NameOf(tier)) + " " + NameOf(type) + " n " + std::to_string(n) +
                     " " + random.Replay());
        const GuardBuffer<uint8_t> a(random.Bytes(n)), b(random.Bytes(n)),
            y(static_cast<size_t>(n)), z(static_cast<size_t>(n));
        const auto same = [&] { return std::memcmp(y.data(), z.data(), y.size()) == 0; };
        const int32_t zero = CodeOf(random.Bytes(1)[0], type);
        for (int kind : {0, 1, 2, 4, 5}) {
          EltwiseArgs args = {};
          args.kind = static_cast<EltwiseKind>(kind);
          args.k_a = random.Float(0.1f, 2.0f);
          args.k_b = random.Float(0.1f, 2.0f);
          args.k = random.Float(0.001f, 0.02f);
          args.zero_a = args.zero_y = zero;
          args.zero_b = CodeOf(7, type);
          args.q_lo = QMin(type);
          args.q_hi = QMax(type);
          for (int strides = 0; strides < 4; ++strides) {
            Pick(type, set.eltwise)(args, a.data(), strides & 1, b.data(), strides >> 1, y.data(),
                                    n);
            Pick(type, base.eltwise)(args, a.data(), strides & 1, b.data(), strides >> 1, z.data(),
                                     n);
            ASSERT_TRUE(same()) << "eltwise " << kind << " strides " << strides;
          }
        }
        Pick(type, set.requantize)(a.data(), 0.77f, zero, 3, y.data(), n);
        for (int64_t i = 0; i < n; ++i) {
          const size_t at = static_cast<size_t>(i);
          ASSERT_EQ(CodeOf(y[at], type), quant::Requantize(CodeOf(a[at], type) - zero, 0.77f, 3,
                                                           QMin(type), QMax(type)));
        }
        const GuardBuffer<float> floats(Awkward(&random, n));
        Pick(type, set.quantize)(floats.data(), 0.03f, zero, y.data(), n);
        for (int64_t i = 0; i < n; ++i) {
          const size_t at = static_cast<size_t>(i);
          ASSERT_EQ(CodeOf(y[at], type),
                    quant::Quantize(floats[at], {0.03f, zero}, QMin(type), QMax(type)))
              << floats[at];
        }
        const std::vector<uint8_t> table = random.Bytes(256);
        const uint8_t flip = type == ElementType::kInt8 ? 0x80 : 0;
        set.table(a.data(), table.data(), flip, y.data(), n);
        for (int64_t i = 0; i < n; ++i) {
          const size_t at = static_cast<size_t>(i);
          ASSERT_EQ(y[at], table[static_cast<size_t>(CodeOf(a[at], type) - QMin(type))]);
        }
        int32_t sum = 0, wanted = 0;
        Pick(type, set.row_sums)(a.data(), n, n, 1, &sum);
        for (size_t i = 0; i < a.size(); ++i) wanted += CodeOf(a[i], type);
        ASSERT_EQ(sum, wanted);
        const GuardBuffer<int16_t> centered(static_cast<size_t>(n));
        Pick(type, set.center)(a.data(), zero, centered.data(), n);
        for (size_t i = 0; i < a.size(); ++i) ASSERT_EQ(centered[i], CodeOf(a[i], type) - zero);
      }
    }
  }
}

TEST(Statistics, ExtremesAndBuckets) {
  Random random;
  for (Tier tier : RunnableTiers()) {
    const KernelSet& set = *GetKernelSet(tier);
    for (int64_t n : {1, 63, 64, 65, 500}) {
      const GuardBuffer<float> x(Awkward(&random, n));
      FloatExtremes got;
      set.extremes(x.data(), n, &got);
      FloatExtremes wanted = {FLT_MAX, -FLT_MAX, 0, 0};
      for (size_t i = 0; i < x.size(); ++i) {
        if (std::isnan(x[i])) {
          ++wanted.nan_count;
        } else if (std::isinf(x[i])) {
          ++wanted.inf_count;
        } else {
          wanted.min = std::min(wanted.min, x[i]);
          wanted.max = std::max(wanted.max, x[i]);
        }
      }
      EXPECT_EQ(got.min, wanted.min) << NameOf(tier) << " " << random.Replay();
      EXPECT_EQ(got.max, wanted.max) << NameOf(tier);
      EXPECT_EQ(got.nan_count, wanted.nan_count);
      EXPECT_EQ(got.inf_count, wanted.inf_count);
      const GuardBuffer<uint16_t> buckets(static_cast<size_t>(n));
      set.buckets(x.data(), n, buckets.data());
      for (size_t i = 0; i < x.size(); ++i) {
        EXPECT_EQ(buckets[i], x[i] == 0.0f ? 0 : Bits(x[i]) >> 19) << x[i];
      }
    }
  }
  // Nothing finite.
  const float nan = NAN;
  FloatExtremes none;
  GetKernelSet(Tier::kScalar)->extremes(&nan, 1, &none);
  EXPECT_EQ(none.min, FLT_MAX);
  EXPECT_EQ(none.max, -FLT_MAX);
}

TEST(Statistics, Channels) {
  Random random;
  constexpr int64_t kRows = 7;
  for (Tier tier : RunnableTiers()) {
    // Blocks of 32 and 16 channels and what is left, and a part of wider rows.
    for (int64_t channels : {1, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 200, 1031}) {
      const int64_t stride = channels + 3;
      const GuardBuffer<float> x(Awkward(&random, (kRows - 1) * stride + channels));
      const size_t n = static_cast<size_t>(channels);
      std::vector<float> least(n, FLT_MAX), greatest(n, -FLT_MAX);
      // What earlier samples left stays where it is more.
      least[n / 2] = -FLT_MAX;
      std::vector<float> wanted_least = least, wanted_greatest = greatest;
      std::vector<double> sums(n, NAN), wanted_sums(n, 0.0);
      for (int64_t r = 0; r < kRows; ++r) {
        for (size_t c = 0; c < n; ++c) {
          const float v = x[static_cast<size_t>(r * stride) + c];
          if (!std::isfinite(v)) continue;
          wanted_least[c] = std::min(wanted_least[c], v);
          wanted_greatest[c] = std::max(wanted_greatest[c], v);
          wanted_sums[c] += static_cast<double>(v);
        }
      }
      GetKernelSet(tier)->channels(x.data(), kRows, stride, channels, least.data(), greatest.data(),
                                   sums.data());
      for (size_t c = 0; c < n; ++c) {
        EXPECT_EQ(least[c], wanted_least[c]) << c << " of " << channels << " " << NameOf(tier);
        EXPECT_EQ(greatest[c], wanted_greatest[c]) << c << " " << random.Replay();
        EXPECT_EQ(sums[c], wanted_sums[c]) << c << " of " << channels << " " << NameOf(tier);
      }
    }
  }
}

}  // namespace
}  // namespace kernels
}  // namespace mace
