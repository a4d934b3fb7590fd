// Matrix product kernels for NEON, 64 and 32 bit. Elements of the left operand are loaded four a
// row and used by lane.
#include "mace/kernels/gemm/micro_kernels.h"

#if defined(__aarch64__) || (defined(__arm__) && defined(__ARM_NEON))

#include <arm_neon.h>

#include "mace/kernels/gemm/neon_epilogue.h"

namespace mace {
namespace kernels {
namespace {

constexpr int kColumns = 8;

#if defined(__aarch64__)
#define MACE_FMA_LANE(acc, b, a, lane) vfmaq_laneq_f32(acc, b, a, lane)
MACE_ALWAYS_INLINE float32x4_t FmaOne(float32x4_t acc, float32x4_t b, float a) {
  return vfmaq_n_f32(acc, b, a);
}
#else
// 32-bit ARM: multiply and add with two roundings; its float results are outside the promise of
// equal bits.
#define MACE_FMA_LANE(acc, b, a, lane) \
  vmlaq_lane_f32(acc, b, (lane) < 2 ? vget_low_f32(a) : vget_high_f32(a), (lane)&1)
MACE_ALWAYS_INLINE float32x4_t FmaOne(float32x4_t acc, float32x4_t b, float a) {
  return vmlaq_n_f32(acc, b, a);
}
#endif

template <int kRows>
void TileF32(const GemmArgs& args) {
  float32x4_t acc[kRows][2];
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = vdupq_n_f32(0.0f);
  const float* a = static_cast<const float*>(args.a);
  const float* b = static_cast<const float*>(args.b);
  const int64_t lda = args.lda;
  int64_t k = args.k_groups;
#define MACE_STEP(lane)                                        \
  {                                                            \
    const float32x4_t b0 = vld1q_f32(b + lane * kColumns);     \
    const float32x4_t b1 = vld1q_f32(b + lane * kColumns + 4); \
    MACE_UNROLL                                                \
    for (int r = 0; r < kRows; ++r) {                          \
      acc[r][0] = MACE_FMA_LANE(acc[r][0], b0, x[r], lane);    \
      acc[r][1] = MACE_FMA_LANE(acc[r][1], b1, x[r], lane);    \
    }                                                          \
  }
  for (; k >= 4; k -= 4, a += 4, b += 4 * kColumns) {
    float32x4_t x[kRows];
    MACE_UNROLL
    for (int r = 0; r < kRows; ++r) x[r] = vld1q_f32(a + r * lda);
    MACE_STEP(0)
    MACE_STEP(1)
    MACE_STEP(2)
    MACE_STEP(3)
  }
#undef MACE_STEP
  for (; k > 0; --k, ++a, b += kColumns) {
    const float32x4_t b0 = vld1q_f32(b), b1 = vld1q_f32(b + 4);
    MACE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      acc[r][0] = FmaOne(acc[r][0], b0, a[r * lda]);
      acc[r][1] = FmaOne(acc[r][1], b1, a[r * lda]);
    }
  }
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) neon::StoreF32(acc[r][0], acc[r][1], r, args);
}

template <int kRows>
void TileCodes(const GemmArgs& args) {
  int32x4_t acc[kRows][2];
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = vdupq_n_s32(0);
  const int16_t* a = static_cast<const int16_t*>(args.a);
  const int16_t* b = static_cast<const int16_t*>(args.b);
  const int64_t lda = args.lda;
  int64_t k = args.k_groups;
#define MACE_STEP(lane)                                                        \
  {                                                                            \
    const int16x8_t panel = vld1q_s16(b + lane * kColumns);                    \
    MACE_UNROLL                                                                \
    for (int r = 0; r < kRows; ++r) {                                          \
      acc[r][0] = vmlal_lane_s16(acc[r][0], vget_low_s16(panel), x[r], lane);  \
      acc[r][1] = vmlal_lane_s16(acc[r][1], vget_high_s16(panel), x[r], lane); \
    }                                                                          \
  }
  for (; k >= 4; k -= 4, a += 4, b += 4 * kColumns) {
    int16x4_t x[kRows];
    MACE_UNROLL
    for (int r = 0; r < kRows; ++r) x[r] = vld1_s16(a + r * lda);
    MACE_STEP(0)
    MACE_STEP(1)
    MACE_STEP(2)
    MACE_STEP(3)
  }
#undef MACE_STEP
  for (; k > 0; --k, ++a, b += kColumns) {
    const int16x8_t panel = vld1q_s16(b);
    MACE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      acc[r][0] = vmlal_n_s16(acc[r][0], vget_low_s16(panel), a[r * lda]);
      acc[r][1] = vmlal_n_s16(acc[r][1], vget_high_s16(panel), a[r * lda]);
    }
  }
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) neon::StoreCodes(acc[r][0], acc[r][1], r, args);
}

}  // namespace

#if defined(__aarch64__)

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
    case 6:                 \
      return tile<6>(args); \
    case 7:                 \
      return tile<7>(args); \
    default:                \
      return tile<8>(args); \
  }

void gemm_f32_8x8__neon(const GemmArgs& args) { MACE_ROWS(TileF32) }
void gemm_s16_8x8__neon(const GemmArgs& args) { MACE_ROWS(TileCodes) }

#else

#define MACE_ROWS(tile)     \
  switch (args.rows) {      \
    case 1:                 \
      return tile<1>(args); \
    case 2:                 \
      return tile<2>(args); \
    case 3:                 \
      return tile<3>(args); \
    default:                \
      return tile<4>(args); \
  }

void gemm_f32_4x8__neon(const GemmArgs& args) { MACE_ROWS(TileF32) }
void gemm_s16_4x8__neon(const GemmArgs& args) { MACE_ROWS(TileCodes) }

#endif

#undef MACE_ROWS
#undef MACE_FMA_LANE

}  // namespace kernels
}  // namespace mace

#endif
