// Matrix product kernels for AVX-512 with VNNI. A tile of 14 x 32 uses 28 of the 32 registers for
// sums; each step loads two vectors of the panel and broadcasts one element (or four codes) of each
// row.
#include "mace/kernels/gemm/micro_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

#if !defined(__clang__)
// GCC 12 takes the deliberately undefined operands inside its own intrinsics for mistakes.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

MACE_TARGET_BEGIN("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

namespace mace {
namespace kernels {
namespace {

constexpr int kColumns = 32;

// Row r of the left operand as a base every third row and a multiple of the stride: fits the
// addressing modes, and few pointers move.
template <typename T, int kRows>
struct RowPointers {
  static constexpr int kGroups = (kRows + 2) / 3;
  MACE_ALWAYS_INLINE RowPointers(const void* a, int64_t lda) : stride(lda) {
    MACE_UNROLL
    for (int g = 0; g < kGroups; ++g) base[g] = static_cast<const T*>(a) + 3 * g * lda;
  }
  MACE_ALWAYS_INLINE const T* Row(int r) const { return base[r / 3] + (r % 3) * stride; }
  MACE_ALWAYS_INLINE void Advance(int64_t n) {
    MACE_UNROLL
    for (int g = 0; g < kGroups; ++g) base[g] += n;
  }
  const T* base[kGroups];
  int64_t stride;
};

template <int kRows, int kVectors>
MACE_ALWAYS_INLINE void StepF32(__m512 (&acc)[kRows][kVectors], const RowPointers<float, kRows>& a,
                                const float* b, int k) {
  __m512 panel[kVectors];
  MACE_UNROLL
  for (int v = 0; v < kVectors; ++v) panel[v] = _mm512_loadu_ps(b + k * kColumns + 16 * v);
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    const __m512 x = _mm512_set1_ps(a.Row(r)[k]);
    MACE_UNROLL
    for (int v = 0; v < kVectors; ++v) acc[r][v] = _mm512_fmadd_ps(x, panel[v], acc[r][v]);
  }
}

MACE_ALWAYS_INLINE __mmask16 MaskOf(int cols, int vector) {
  const int left = cols - 16 * vector;
  return left >= 16 ? static_cast<__mmask16>(0xffff) : static_cast<__mmask16>((1u << left) - 1);
}

template <int kRows, int kVectors>
void TileF32(const GemmArgs& args) {
  __m512 acc[kRows][kVectors];
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    MACE_UNROLL
    for (int v = 0; v < kVectors; ++v) acc[r][v] = _mm512_setzero_ps();
  }
  RowPointers<float, kRows> a(args.a, args.lda);
  const float* b = static_cast<const float*>(args.b);
  int64_t k = args.k_groups;
  for (; k >= 4; k -= 4) {
    StepF32(acc, a, b, 0);
    StepF32(acc, a, b, 1);
    StepF32(acc, a, b, 2);
    StepF32(acc, a, b, 3);
    a.Advance(4);
    b += 4 * kColumns;
  }
  for (; k > 0; --k) {
    StepF32(acc, a, b, 0);
    a.Advance(1);
    b += kColumns;
  }
  const __m512 lo = _mm512_set1_ps(args.lo), hi = _mm512_set1_ps(args.hi);
  MACE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const __m512 bias = _mm512_loadu_ps(static_cast<const float*>(args.bias) + 16 * v);
    const __mmask16 mask = MaskOf(args.cols, v);
    float* c = static_cast<float*>(args.c) + 16 * v;
    MACE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      // Operands in this order: NaN and -0 pass through both.
      const __m512 y = _mm512_min_ps(hi, _mm512_max_ps(lo, _mm512_add_ps(acc[r][v], bias)));
      _mm512_mask_storeu_ps(c + r * args.ldc, mask, y);
    }
  }
}

template <int kRows, int kVectors>
MACE_ALWAYS_INLINE void StepCodes(__m512i (&acc)[kRows][kVectors],
                                  const RowPointers<uint8_t, kRows>& a, const int8_t* b, int k) {
  __m512i panel[kVectors];
  MACE_UNROLL
  for (int v = 0; v < kVectors; ++v) panel[v] = _mm512_loadu_si512(b + k * 4 * kColumns + 64 * v);
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    int32_t four;
    __builtin_memcpy(&four, a.Row(r) + 4 * k, sizeof four);
    const __m512i x = _mm512_set1_epi32(four);
    MACE_UNROLL
    for (int v = 0; v < kVectors; ++v) acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], x, panel[v]);
  }
}

// Section 12 of mace/quant/README.md, sixteen at once.
MACE_ALWAYS_INLINE __m512i FixedProduct(__m512i x, __m512i mantissa, __m512i exponent) {
  const __m512i zero = _mm512_setzero_si512(), ones = _mm512_set1_epi32(-1);
  const __m512i left = _mm512_max_epi32(exponent, zero);
  const __m512i right = _mm512_sub_epi32(left, exponent);
  const __m512i limit = _mm512_srlv_epi32(_mm512_set1_epi32(0x7fffffff), left);
  // ~limit is -limit - 1.
  x = _mm512_min_epi32(_mm512_max_epi32(x, _mm512_xor_si512(limit, ones)), limit);
  x = _mm512_sllv_epi32(x, left);
  // Products of even and of odd lanes in 64 bits; of the quotient only the low half matters.
  const __m512i nudge = _mm512_set1_epi64(int64_t{1} << 30);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, mantissa), nudge);
  const __m512i odd = _mm512_add_epi64(
      _mm512_mul_epi32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(mantissa, 32)), nudge);
  const __m512i high =
      _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
  const __m512i mask = _mm512_xor_si512(_mm512_sllv_epi32(ones, right), ones);
  const __m512i half = _mm512_sub_epi32(_mm512_srli_epi32(mask, 1), _mm512_srai_epi32(high, 31));
  const __mmask16 up = _mm512_cmpgt_epi32_mask(_mm512_and_si512(high, mask), half);
  const __m512i q = _mm512_srav_epi32(high, right);
  return _mm512_mask_sub_epi32(q, up, q, ones);
}

// v / 2^shift, rounded half up.
MACE_ALWAYS_INLINE __m512i RoundingShift(__m512i v, __m512i shift) {
  const __m512i half = _mm512_srli_epi64(_mm512_sllv_epi64(_mm512_set1_epi64(1), shift), 1);
  return _mm512_srav_epi64(_mm512_add_epi64(v, half), shift);
}

// The same with one rounding.
MACE_ALWAYS_INLINE __m512i FixedProductOnce(__m512i x, __m512i mantissa, __m512i exponent) {
  const __m512i zero = _mm512_setzero_si512(), ones = _mm512_set1_epi32(-1);
  const __m512i left = _mm512_max_epi32(exponent, zero);
  const __m512i limit = _mm512_srlv_epi32(_mm512_set1_epi32(0x7fffffff), left);
  x = _mm512_min_epi32(_mm512_max_epi32(x, _mm512_xor_si512(limit, ones)), limit);
  const __m512i shift = _mm512_sub_epi32(_mm512_set1_epi32(31), exponent);
  const __m512i even = RoundingShift(_mm512_mul_epi32(x, mantissa),
                                     _mm512_and_si512(shift, _mm512_set1_epi64(0xffffffff)));
  const __m512i odd =
      RoundingShift(_mm512_mul_epi32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(mantissa, 32)),
                    _mm512_srli_epi64(shift, 32));
  return _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}

template <int kRows, int kVectors>
void TileCodes(const GemmArgs& args) {
  __m512i acc[kRows][kVectors];
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    MACE_UNROLL
    for (int v = 0; v < kVectors; ++v) acc[r][v] = _mm512_setzero_si512();
  }
  RowPointers<uint8_t, kRows> a(args.a, args.lda);
  const int8_t* b = static_cast<const int8_t*>(args.b);
  int64_t k = args.k_groups;
  for (; k >= 4; k -= 4) {
    StepCodes(acc, a, b, 0);
    StepCodes(acc, a, b, 1);
    StepCodes(acc, a, b, 2);
    StepCodes(acc, a, b, 3);
    a.Advance(16);
    b += 16 * kColumns;
  }
  for (; k > 0; --k) {
    StepCodes(acc, a, b, 0);
    a.Advance(4);
    b += 4 * kColumns;
  }
  const __m512i zero = _mm512_set1_epi32(args.zero);
  const __m512i lo = _mm512_set1_epi32(args.q_lo), hi = _mm512_set1_epi32(args.q_hi);
  const __m512 limit = _mm512_set1_ps(1048576.0f);
  MACE_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const __m512i bias = _mm512_loadu_si512(static_cast<const int32_t*>(args.bias) + 16 * v);
    const __m512 scale = _mm512_loadu_ps(args.scale + 16 * v);
    const __mmask16 mask = MaskOf(args.cols, v);
    uint8_t* c = static_cast<uint8_t*>(args.c) + 16 * v;
    MACE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      __m512i sum = _mm512_add_epi32(acc[r][v], bias);
      if (args.row_sums != nullptr) {
        const uint32_t correction =
            static_cast<uint32_t>(args.row_sums[r]) * static_cast<uint32_t>(args.b_zero);
        sum = _mm512_sub_epi32(sum, _mm512_set1_epi32(static_cast<int32_t>(correction)));
      }
      if (args.mantissa != nullptr) {
        const __m512i mantissa = _mm512_loadu_si512(args.mantissa + 16 * v);
        const __m512i exponent = _mm512_loadu_si512(args.exponent + 16 * v);
        __m512i q = args.once ? FixedProductOnce(sum, mantissa, exponent)
                              : FixedProduct(sum, mantissa, exponent);
        q = _mm512_max_epi32(q, _mm512_sub_epi32(lo, zero));
        q = _mm512_add_epi32(_mm512_min_epi32(q, _mm512_sub_epi32(hi, zero)), zero);
        _mm512_mask_cvtepi32_storeu_epi8(c + r * args.ldc, mask, q);
        continue;
      }
      __m512 y = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
      y = _mm512_min_ps(_mm512_max_ps(y, _mm512_sub_ps(_mm512_setzero_ps(), limit)), limit);
      __m512i q = _mm512_cvt_roundps_epi32(y, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      q = _mm512_min_epi32(_mm512_max_epi32(_mm512_add_epi32(q, zero), lo), hi);
      _mm512_mask_cvtepi32_storeu_epi8(c + r * args.ldc, mask, q);
    }
  }
}

}  // namespace

#define MACE_ROWS(tile)                                               \
  switch (args.rows) {                                                \
    case 1:                                                           \
      return args.cols <= 16 ? tile<1, 1>(args) : tile<1, 2>(args);   \
    case 2:                                                           \
      return args.cols <= 16 ? tile<2, 1>(args) : tile<2, 2>(args);   \
    case 3:                                                           \
      return args.cols <= 16 ? tile<3, 1>(args) : tile<3, 2>(args);   \
    case 4:                                                           \
      return args.cols <= 16 ? tile<4, 1>(args) : tile<4, 2>(args);   \
    case 5:                                                           \
      return args.cols <= 16 ? tile<5, 1>(args) : tile<5, 2>(args);   \
    case 6:                                                           \
      return args.cols <= 16 ? tile<6, 1>(args) : tile<6, 2>(args);   \
    case 7:                                                           \
      return args.cols <= 16 ? tile<7, 1>(args) : tile<7, 2>(args);   \
    case 8:                                                           \
      return args.cols <= 16 ? tile<8, 1>(args) : tile<8, 2>(args);   \
    case 9:                                                           \
      return args.cols <= 16 ? tile<9, 1>(args) : tile<9, 2>(args);   \
    case 10:                                                          \
      return args.cols <= 16 ? tile<10, 1>(args) : tile<10, 2>(args); \
    case 11:                                                          \
      return args.cols <= 16 ? tile<11, 1>(args) : tile<11, 2>(args); \
    case 12:                                                          \
      return args.cols <= 16 ? tile<12, 1>(args) : tile<12, 2>(args); \
    case 13:                                                          \
      return args.cols <= 16 ? tile<13, 1>(args) : tile<13, 2>(args); \
    default:                                                          \
      return args.cols <= 16 ? tile<14, 1>(args) : tile<14, 2>(args); \
  }

void gemm_f32_14x32__avx512vnni(const GemmArgs& args) { MACE_ROWS(TileF32) }

void gemm_u8s8_14x32c4__avx512vnni(const GemmArgs& args) { MACE_ROWS(TileCodes) }

#undef MACE_ROWS

}  // namespace kernels
}  // namespace mace

MACE_TARGET_END

#endif  // defined(__x86_64__)
