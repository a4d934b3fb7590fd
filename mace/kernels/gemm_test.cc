// Every kernel of kernels.inc against the definition of a product, with operands that end at
// unmapped pages.
#include "mace/kernels/gemm/gemm.h"

#include <cmath>
#include <limits>
#include <regex>
#include <string>

#include "gtest/gtest.h"
#include "mace/kernels/kernels.h"
#include "mace/quant/requantize.h"
#include "mace/testing/guard_buffer.h"
#include "mace/testing/random.h"
#include "mace/testing/tiers.h"

namespace mace {
namespace kernels {
namespace {

using mace::testing::GuardBuffer;
using mace::testing::Random;

std::vector<GemmKernel> RunnableKernels(bool integer) {
  std::vector<GemmKernel> kernels;
  const CpuFeatures features = DetectCpuFeatures();
  for (const GemmKernel& kernel : GemmKernels()) {
    if ((kernel.operands != Operands::kF32) != integer) continue;
    if (Supports(features, kernel.tier)) {
      kernels.push_back(kernel);
    } else {
      std::printf("not covered on this processor: %s\n", kernel.name);
    }
  }
  return kernels;
}

TEST(Gemm, NamesFollowTheGrammar) {
  const std::regex grammar("gemm_(f32|s16|u8s8|s8s8)_([0-9]+)x([0-9]+)(c([0-9]+))?__([a-z0-9]+)");
  for (const GemmKernel& kernel : GemmKernels()) {
    std::smatch match;
    const std::string name = kernel.name;
    ASSERT_TRUE(std::regex_match(name, match, grammar)) << name;
    const char* const operands[] = {"f32", "s16", "u8s8", "s8s8"};
    EXPECT_EQ(match[1], operands[static_cast<int>(kernel.operands)]) << name;
    EXPECT_EQ(std::stoi(match[2]), kernel.rows) << name;
    EXPECT_EQ(std::stoi(match[3]), kernel.columns) << name;
    EXPECT_EQ(match[4].matched ? std::stoi(match[5]) : 1, kernel.k_group) << name;
    EXPECT_EQ(match[6], NameOf(kernel.tier)) << name;
  }
}

TEST(Gemm, EveryTierHasBothProducts) {
  for (Tier tier : {Tier::kScalar, Tier::kAvx2, Tier::kAvx512Vnni, Tier::kNeon, Tier::kDotprod}) {
    if (GetKernelSet(tier) == nullptr) continue;
    EXPECT_EQ(SelectGemm(tier, false)->operands, Operands::kF32);
    EXPECT_NE(SelectGemm(tier, true)->operands, Operands::kF32);
    EXPECT_EQ(SelectGemm(tier, true)->tier, tier);
  }
#if defined(__x86_64__)
  EXPECT_STREQ(SelectGemm(Tier::kAvx512Vnni, true)->name, "gemm_u8s8_14x32c4__avx512vnni");
  EXPECT_STREQ(SelectGemm(Tier::kAvx2, false)->name, "gemm_f32_6x16__avx2");
#endif
#if defined(__aarch64__)
  EXPECT_STREQ(SelectGemm(Tier::kDotprod, false)->name, "gemm_f32_8x8__neon");
#endif
}

// Sizes around a tile of `n`, and 1.
std::vector<int64_t> Around(int64_t n) {
  std::vector<int64_t> sizes = {1};
  for (int64_t v : {n - 1, n, n + 1}) {
    if (v > 1) sizes.push_back(v);
  }
  return sizes;
}

TEST(Gemm, FloatEqualsTheChain) {
  Random random;
  for (const GemmKernel& kernel : RunnableKernels(false)) {
    for (int rows = 1; rows <= kernel.rows; ++rows) {
      for (int64_t n : Around(kernel.columns)) {
        for (int64_t k : {1, 2, 3, 4, 5, 7, 8, 31}) {
          SCOPED_TRACE(std::string(kernel.name) + " rows " + std::to_string(rows) + " n " +
                       std::to_string(n) + " k " + std::to_string(k) + " " + random.Replay());
          const int64_t lda = k + random.Int(0, 3), ldc = n + random.Int(0, 3);
          const GuardBuffer<float> a(random.Floats((rows - 1) * lda + k));
          const std::vector<float> b = random.Floats(n * k), bias = random.Floats(n);
          PackedMatrix matrix;
          ASSERT_TRUE(matrix.PackFloat(kernel, b.data(), false, n, k, bias.data()));
          const GuardBuffer<float> c(static_cast<size_t>((rows - 1) * ldc + n));
          for (int64_t p = 0; p < matrix.panels(); ++p) {
            GemmArgs args = {};
            matrix.SetPanel(p, &args);
            args.rows = rows;
            args.a = a.data();
            args.lda = lda;
            args.c = c.data() + p * kernel.columns;
            args.ldc = ldc;
            args.lo = -0.5f;
            args.hi = std::numeric_limits<float>::infinity();
            kernel.run(args);
          }
          for (int r = 0; r < rows; ++r) {
            for (int64_t j = 0; j < n; ++j) {
              float acc = 0.0f;
              for (int64_t i = 0; i < k; ++i)
                acc = std::fma(a[static_cast<size_t>(r * lda + i)],
                               b[static_cast<size_t>(j * k + i)], acc);
              float wanted = acc + bias[static_cast<size_t>(j)];
              wanted = wanted < -0.5f ? -0.5f : wanted;
              const float got = c[static_cast<size_t>(r * ldc + j)];
              if (mace::testing::kExactFloat) {
                ASSERT_EQ(got, wanted) << r << " " << j;
              } else {
                ASSERT_NEAR(got, wanted, 1e-4f) << r << " " << j;
              }
            }
          }
        }
      }
    }
  }
}

TEST(Gemm, FloatKeepsNanAndNegativeZero) {
  if (!mace::testing::kExactFloat) GTEST_SKIP() << "32-bit ARM promises neither";
  for (const GemmKernel& kernel : RunnableKernels(false)) {
    const std::vector<float> b(static_cast<size_t>(kernel.columns), 1.0f);
    PackedMatrix matrix;
    ASSERT_TRUE(matrix.PackFloat(kernel, b.data(), false, kernel.columns, 1, nullptr));
    std::vector<float> a(static_cast<size_t>(kernel.rows), std::numeric_limits<float>::quiet_NaN());
    std::vector<float> c(static_cast<size_t>(kernel.rows * kernel.columns), 1.0f);
    GemmArgs args = {};
    matrix.SetPanel(0, &args);
    args.rows = kernel.rows;
    args.a = a.data();
    args.lda = 1;
    args.c = c.data();
    args.ldc = kernel.columns;
    args.lo = 0.0f;
    args.hi = 6.0f;
    kernel.run(args);
    for (float v : c) EXPECT_TRUE(std::isnan(v)) << kernel.name;
  }
}

struct CodesCase {
  ElementType left, right;
  int32_t left_zero, right_zero;
  // All operands at this extreme, or random.
  int fill;
};

enum class Rounding { kFloat, kFixed, kFixedOnce };

void CheckCodes(const GemmKernel& kernel, int rows, int64_t n, int64_t k, const CodesCase& test,
                Rounding rounding, Random* random) {
  const int64_t padded = (k + kernel.k_group - 1) / kernel.k_group * kernel.k_group;
  const auto draw = [&](ElementType type, int64_t count) {
    std::vector<int32_t> codes(static_cast<size_t>(count));
    for (int32_t& v : codes) {
      v = test.fill == 0  ? static_cast<int32_t>(random->Int(QMin(type), QMax(type)))
          : test.fill < 0 ? QMin(type)
                          : QMax(type);
    }
    return codes;
  };
  const std::vector<int32_t> left = draw(test.left, rows * k), right = draw(test.right, n * k);
  std::vector<uint8_t> stored(right.begin(), right.end());
  std::vector<int32_t> bias(static_cast<size_t>(n));
  std::vector<float> scale(static_cast<size_t>(n));
  quant::FixedMultipliers fixed;
  fixed.once = rounding == Rounding::kFixedOnce;
  std::vector<int64_t> sums(static_cast<size_t>(rows * n));
  for (int64_t j = 0; j < n; ++j) {
    bias[static_cast<size_t>(j)] = static_cast<int32_t>(random->Int(-100000, 100000));
    int64_t greatest = 1;
    for (int r = 0; r < rows; ++r) {
      int64_t acc = bias[static_cast<size_t>(j)];
      for (int64_t i = 0; i < k; ++i) {
        acc += static_cast<int64_t>(left[static_cast<size_t>(r * k + i)] - test.left_zero) *
               (right[static_cast<size_t>(j * k + i)] - test.right_zero);
      }
      sums[static_cast<size_t>(r * n + j)] = acc;
      greatest = std::max<int64_t>(greatest, std::abs(acc));
    }
    // From the sums, so that the codes are spread over their range.
    scale[static_cast<size_t>(j)] = random->Float(60.0f, 140.0f) / static_cast<float>(greatest);
    // Some powers of two, which make ties, and some that shift left or leave nothing.
    double m = scale[static_cast<size_t>(j)];
    if (j % 5 == 1) m = std::exp2(std::floor(std::log2(m)));
    if (j % 5 == 3) m = std::exp2(random->Float(-34.0f, 32.0f));
    if (rounding != Rounding::kFloat) fixed.Add(quant::ToFixed(m));
  }
  PackedMatrix matrix;
  PackedMatrix::Codes codes = {test.right,
                               test.right_zero,
                               test.left_zero,
                               test.left,
                               scale.data(),
                               fixed.empty() ? nullptr : fixed.mantissa.data(),
                               fixed.empty() ? nullptr : fixed.exponent.data(),
                               fixed.once};
  ASSERT_TRUE(matrix.PackCodes(kernel, stored.data(), n, k, bias.data(), codes));
  // The left operand as the kernel wants it; whole groups of k, nothing behind the last.
  const size_t size = LeftSize(kernel.operands);
  GuardBuffer<uint8_t> a(static_cast<size_t>(rows * padded) * size);
  std::vector<int32_t> row_sums(static_cast<size_t>(rows));
  for (int r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < padded; ++i) {
      const int32_t code = i < k ? left[static_cast<size_t>(r * k + i)] : 0;
      int32_t v = i < k ? code - test.left_zero : 0;
      if (kernel.operands != Operands::kS16) {
        const bool is_signed = test.left == ElementType::kInt8,
                   wanted = kernel.operands == Operands::kS8S8;
        v = is_signed == wanted ? code : is_signed ? code + 128 : code - 128;
        if (i < k) row_sums[static_cast<size_t>(r)] += v;
      }
      std::memcpy(a.data() + static_cast<size_t>(r * padded + i) * size, &v, size);
    }
  }
  const ElementType out_type = test.left;
  GuardBuffer<uint8_t> c(static_cast<size_t>(rows * n));
  const int32_t zero = static_cast<int32_t>(random->Int(QMin(out_type), QMax(out_type)));
  for (int64_t p = 0; p < matrix.panels(); ++p) {
    GemmArgs args = {};
    matrix.SetPanel(p, &args);
    args.rows = rows;
    args.a = a.data();
    args.lda = padded;
    args.c = c.data() + p * kernel.columns;
    args.ldc = n;
    args.row_sums = matrix.needs_row_sums() ? row_sums.data() : nullptr;
    args.zero = zero;
    args.q_lo = QMin(out_type) + 3;
    args.q_hi = QMax(out_type) - 2;
    kernel.run(args);
  }
  for (int r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < n; ++j) {
      const size_t at = static_cast<size_t>(r * n + j);
      const int32_t sum = static_cast<int32_t>(sums[at]);
      const int32_t lo = QMin(out_type) + 3, hi = QMax(out_type) - 2;
      const size_t column = static_cast<size_t>(j);
      const int32_t wanted =
          fixed.empty()
              ? quant::Requantize(sum, scale[column], zero, lo, hi)
              : quant::RequantizeFixed(sum, {fixed.mantissa[column], fixed.exponent[column]}, zero,
                                       lo, hi, fixed.once);
      const int32_t got = out_type == ElementType::kInt8 ? static_cast<int8_t>(c[at]) : c[at];
      ASSERT_EQ(got, wanted) << "row " << r << " column " << j << " sum " << sums[at] << " scale "
                             << scale[static_cast<size_t>(j)] << " zero " << zero;
    }
  }
}

TEST(Gemm, CodesEqualTheSum) {
  Random random;
  const CodesCase cases[] = {
      {ElementType::kUint8, ElementType::kUint8, 128, 128, 0},
      {ElementType::kUint8, ElementType::kUint8, 3, 200, 0},
      {ElementType::kInt8, ElementType::kInt8, -128, 0, 0},
      {ElementType::kInt8, ElementType::kInt8, 5, -7, 0},
      {ElementType::kUint8, ElementType::kInt8, 255, 0, 0},
      {ElementType::kInt8, ElementType::kUint8, 127, 0, 0},
      {ElementType::kUint8, ElementType::kUint8, 0, 0, 1},
      {ElementType::kUint8, ElementType::kUint8, 255, 255, -1},
      {ElementType::kInt8, ElementType::kInt8, 127, 0, -1},
      {ElementType::kInt8, ElementType::kInt8, -128, 0, 1},
  };
  for (const GemmKernel& kernel : RunnableKernels(true)) {
    for (int rows = 1; rows <= kernel.rows; ++rows) {
      for (int64_t n : Around(kernel.columns)) {
        for (int64_t k : {1, 3, 4, 5, 16, 19, 64, 67}) {
          for (const CodesCase& test : cases) {
            SCOPED_TRACE(std::string(kernel.name) + " rows " + std::to_string(rows) + " n " +
                         std::to_string(n) + " k " + std::to_string(k) + " case " +
                         std::to_string(&test - cases) + " " + random.Replay());
            for (Rounding rounding : {Rounding::kFloat, Rounding::kFixed, Rounding::kFixedOnce}) {
              CheckCodes(kernel, rows, n, k, test, rounding, &random);
              if (HasFatalFailure()) return;
            }
          }
        }
      }
    }
  }
}

// Sums near the limits of int32: 33025 * 255 * 255 < 2^31.
TEST(Gemm, LongSumsOfExtremes) {
  Random random;
  for (const GemmKernel& kernel : RunnableKernels(true)) {
    for (int fill : {-1, 1}) {
      const CodesCase unsigned_case = {ElementType::kUint8, ElementType::kUint8, fill < 0 ? 255 : 0,
                                       fill < 0 ? 255 : 0, fill};
      const CodesCase signed_case = {ElementType::kInt8, ElementType::kInt8, fill < 0 ? 127 : -128,
                                     fill < 0 ? 127 : -128, fill};
      SCOPED_TRACE(kernel.name);
      for (Rounding rounding : {Rounding::kFloat, Rounding::kFixed, Rounding::kFixedOnce}) {
        CheckCodes(kernel, 1, 3, 33000, unsigned_case, rounding, &random);
        CheckCodes(kernel, 2, 3, 33000, signed_case, rounding, &random);
      }
    }
  }
}

}  // namespace
}  // namespace kernels
}  // namespace mace
