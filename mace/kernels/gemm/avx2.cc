// Matrix product kernels for AVX2 and FMA. A tile of 6 x 16 uses 12 of the 16 registers for sums.
#include "mace/kernels/gemm/micro_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

MACE_TARGET_BEGIN("avx2,fma")

namespace mace {
namespace kernels {
namespace {

constexpr int kColumns = 16;

template <int kRows>
MACE_ALWAYS_INLINE void StepF32(__m256 (&acc)[kRows][2], const float* a0, const float* a3,
                                int64_t lda, const float* b, int k) {
  const __m256 b0 = _mm256_loadu_ps(b + k * kColumns), b1 = _mm256_loadu_ps(b + k * kColumns + 8);
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    const __m256 x = _mm256_broadcast_ss((r < 3 ? a0 : a3) + (r % 3) * lda + k);
    acc[r][0] = _mm256_fmadd_ps(x, b0, acc[r][0]);
    acc[r][1] = _mm256_fmadd_ps(x, b1, acc[r][1]);
  }
}

template <int kRows>
void TileF32(const GemmArgs& args) {
  __m256 acc[kRows][2];
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm256_setzero_ps();
  // Rows as two bases and a multiple of the stride, which the addressing modes take.
  const float* a0 = static_cast<const float*>(args.a);
  const float* a3 = a0 + 3 * args.lda;
  const float* b = static_cast<const float*>(args.b);
  const int64_t lda = args.lda;
  int64_t k = args.k_groups;
  for (; k >= 4; k -= 4, a0 += 4, a3 += 4, b += 4 * kColumns) {
    StepF32<kRows>(acc, a0, a3, lda, b, 0);
    StepF32<kRows>(acc, a0, a3, lda, b, 1);
    StepF32<kRows>(acc, a0, a3, lda, b, 2);
    StepF32<kRows>(acc, a0, a3, lda, b, 3);
  }
  for (; k > 0; --k, ++a0, ++a3, b += kColumns) StepF32<kRows>(acc, a0, a3, lda, b, 0);
  const float* bias = static_cast<const float*>(args.bias);
  const __m256 lo = _mm256_set1_ps(args.lo), hi = _mm256_set1_ps(args.hi);
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    float* c = static_cast<float*>(args.c) + r * args.ldc;
    // Operands in this order: NaN and -0 pass through both.
    const __m256 y0 =
        _mm256_min_ps(hi, _mm256_max_ps(lo, _mm256_add_ps(acc[r][0], _mm256_loadu_ps(bias))));
    const __m256 y1 =
        _mm256_min_ps(hi, _mm256_max_ps(lo, _mm256_add_ps(acc[r][1], _mm256_loadu_ps(bias + 8))));
    if (args.cols == kColumns) {
      _mm256_storeu_ps(c, y0);
      _mm256_storeu_ps(c + 8, y1);
    } else {
      float rest[kColumns];
      _mm256_storeu_ps(rest, y0);
      _mm256_storeu_ps(rest + 8, y1);
      std::memcpy(c, rest, static_cast<size_t>(args.cols) * sizeof(float));
    }
  }
}

// Section 12 of mace/quant/README.md, eight at once.
MACE_ALWAYS_INLINE __m256i FixedProduct(__m256i x, __m256i mantissa, __m256i exponent) {
  const __m256i zero = _mm256_setzero_si256(), ones = _mm256_set1_epi32(-1);
  const __m256i left = _mm256_max_epi32(exponent, zero);
  const __m256i right = _mm256_sub_epi32(left, exponent);
  const __m256i limit = _mm256_srlv_epi32(_mm256_set1_epi32(0x7fffffff), left);
  // ~limit is -limit - 1.
  x = _mm256_min_epi32(_mm256_max_epi32(x, _mm256_xor_si256(limit, ones)), limit);
  x = _mm256_sllv_epi32(x, left);
  // Products of even and of odd lanes in 64 bits; of the quotient only the low half matters.
  const __m256i nudge = _mm256_set1_epi64x(int64_t{1} << 30);
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, mantissa), nudge);
  const __m256i odd = _mm256_add_epi64(
      _mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(mantissa, 32)), nudge);
  const __m256i high =
      _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xaa);
  const __m256i mask = _mm256_xor_si256(_mm256_sllv_epi32(ones, right), ones);
  const __m256i half = _mm256_sub_epi32(_mm256_srli_epi32(mask, 1), _mm256_srai_epi32(high, 31));
  const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(high, mask), half);
  return _mm256_sub_epi32(_mm256_srav_epi32(high, right), up);
}

// v / 2^shift, rounded half up. AVX2 has no arithmetic shift of 64 bits: a multiple of 2^shift
// makes v positive and is taken off the quotient.
MACE_ALWAYS_INLINE __m256i RoundingShift(__m256i v, __m256i shift) {
  const __m256i one = _mm256_set1_epi64x(1), top = _mm256_slli_epi64(one, 63);
  v = _mm256_add_epi64(v, _mm256_srli_epi64(_mm256_sllv_epi64(one, shift), 1));
  return _mm256_sub_epi64(_mm256_srlv_epi64(_mm256_add_epi64(v, top), shift),
                          _mm256_srlv_epi64(top, shift));
}

// The same with one rounding.
MACE_ALWAYS_INLINE __m256i FixedProductOnce(__m256i x, __m256i mantissa, __m256i exponent) {
  const __m256i zero = _mm256_setzero_si256(), ones = _mm256_set1_epi32(-1);
  const __m256i left = _mm256_max_epi32(exponent, zero);
  const __m256i limit = _mm256_srlv_epi32(_mm256_set1_epi32(0x7fffffff), left);
  x = _mm256_min_epi32(_mm256_max_epi32(x, _mm256_xor_si256(limit, ones)), limit);
  const __m256i shift = _mm256_sub_epi32(_mm256_set1_epi32(31), exponent);
  const __m256i even = RoundingShift(_mm256_mul_epi32(x, mantissa),
                                     _mm256_and_si256(shift, _mm256_set1_epi64x(0xffffffff)));
  const __m256i odd =
      RoundingShift(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(mantissa, 32)),
                    _mm256_srli_epi64(shift, 32));
  return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}

MACE_ALWAYS_INLINE __m256i RequantizedFixed(__m256i acc, int column, const GemmArgs& args) {
  const auto load = [column](const void* from) {
    return _mm256_loadu_si256(
        reinterpret_cast<const __m256i*>(static_cast<const int32_t*>(from) + column));
  };
  const __m256i sum = _mm256_add_epi32(acc, load(args.bias));
  const __m256i mantissa = load(args.mantissa), exponent = load(args.exponent);
  __m256i q =
      args.once ? FixedProductOnce(sum, mantissa, exponent) : FixedProduct(sum, mantissa, exponent);
  q = _mm256_max_epi32(q, _mm256_set1_epi32(args.q_lo - args.zero));
  q = _mm256_min_epi32(q, _mm256_set1_epi32(args.q_hi - args.zero));
  return _mm256_add_epi32(q, _mm256_set1_epi32(args.zero));
}

MACE_ALWAYS_INLINE __m256i Requantized(__m256i acc, int column, const GemmArgs& args) {
  if (args.mantissa != nullptr) return RequantizedFixed(acc, column, args);
  const int32_t* bias = static_cast<const int32_t*>(args.bias) + column;
  const float* scale = args.scale + column;
  const __m256i sum =
      _mm256_add_epi32(acc, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bias)));
  __m256 y = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(scale));
  y = _mm256_min_ps(_mm256_max_ps(y, _mm256_set1_ps(-1048576.0f)), _mm256_set1_ps(1048576.0f));
  y = _mm256_round_ps(y, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256i q = _mm256_add_epi32(_mm256_cvtps_epi32(y), _mm256_set1_epi32(args.zero));
  return _mm256_min_epi32(_mm256_max_epi32(q, _mm256_set1_epi32(args.q_lo)),
                          _mm256_set1_epi32(args.q_hi));
}

template <int kRows>
void TileCodes(const GemmArgs& args) {
  __m256i acc[kRows][2];
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm256_setzero_si256();
  const int16_t* a = static_cast<const int16_t*>(args.a);
  const int16_t* b = static_cast<const int16_t*>(args.b);
  const int64_t lda = args.lda;
  for (int64_t k = 0; k < args.k_groups; ++k, a += 2, b += 2 * kColumns) {
    const __m256i b0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b));
    const __m256i b1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b + 16));
    MACE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      int32_t two;
      __builtin_memcpy(&two, a + r * lda, sizeof two);
      const __m256i x = _mm256_set1_epi32(two);
      acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(x, b0));
      acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(x, b1));
    }
  }
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    uint8_t* c = static_cast<uint8_t*>(args.c) + r * args.ldc;
    const __m256i q0 = Requantized(acc[r][0], 0, args);
    const __m256i q1 = Requantized(acc[r][1], 8, args);
    // The low bytes, in order.
    const __m256i low = _mm256_set1_epi32(0xff);
    __m256i packed = _mm256_packs_epi32(_mm256_and_si256(q0, low), _mm256_and_si256(q1, low));
    packed = _mm256_permute4x64_epi64(packed, 0xd8);
    const __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(packed), _mm256_extracti128_si256(packed, 1));
    if (args.cols == kColumns) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(c), bytes);
    } else {
      uint8_t rest[kColumns];
      _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), bytes);
      std::memcpy(c, rest, static_cast<size_t>(args.cols));
    }
  }
}

}  // namespace

#define MACE_ROWS(tile)     \
  switch (args.rows) {      \
    case 1:                 \
      return tile<1>(args); \
    case 2:                 \
      return tile<2>(args); \
    case 3:                 \
      return tile<3>(args); \
    case 4:                 \
      return tile<4>(args); \
    case 5:                 \
      return tile<5>(args); \
    default:                \
      return tile<6>(args); \
  }

void gemm_f32_6x16__avx2(const GemmArgs& args) { MACE_ROWS(TileF32) }

void gemm_s16_6x16c2__avx2(const GemmArgs& args) { MACE_ROWS(TileCodes) }

#undef MACE_ROWS

}  // namespace kernels
}  // namespace mace

MACE_TARGET_END

#endif  // defined(__x86_64__)
