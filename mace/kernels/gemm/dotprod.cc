// Matrix product kernels for ARMv8.2's dot product instructions: sixteen codes of each row at a
// time, four by four.
#include "mace/kernels/gemm/micro_kernels.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include "mace/kernels/gemm/neon_epilogue.h"

MACE_TARGET_BEGIN("arch=armv8.2-a+dotprod")

namespace mace {
namespace kernels {
namespace {

constexpr int kColumns = 8;

template <int kRows>
void TileCodes(const GemmArgs& args) {
  int32x4_t acc[kRows][2];
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = vdupq_n_s32(0);
  const int8_t* a = static_cast<const int8_t*>(args.a);
  const int8_t* b = static_cast<const int8_t*>(args.b);
  const int64_t lda = args.lda;
  int64_t k = args.k_groups;
#define MACE_STEP(lane)                                          \
  {                                                              \
    const int8x16_t b0 = vld1q_s8(b + lane * 4 * kColumns);      \
    const int8x16_t b1 = vld1q_s8(b + lane * 4 * kColumns + 16); \
    MACE_UNROLL                                                  \
    for (int r = 0; r < kRows; ++r) {                            \
      acc[r][0] = vdotq_laneq_s32(acc[r][0], b0, x[r], lane);    \
      acc[r][1] = vdotq_laneq_s32(acc[r][1], b1, x[r], lane);    \
    }                                                            \
  }
  for (; k >= 4; k -= 4, a += 16, b += 16 * kColumns) {
    int8x16_t x[kRows];
    MACE_UNROLL
    for (int r = 0; r < kRows; ++r) x[r] = vld1q_s8(a + r * lda);
    MACE_STEP(0)
    MACE_STEP(1)
    MACE_STEP(2)
    MACE_STEP(3)
  }
#undef MACE_STEP
  for (; k > 0; --k, a += 4, b += 4 * kColumns) {
    const int8x16_t b0 = vld1q_s8(b), b1 = vld1q_s8(b + 16);
    MACE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      int32_t four;
      __builtin_memcpy(&four, a + r * lda, sizeof four);
      const int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(four));
      acc[r][0] = vdotq_s32(acc[r][0], b0, x);
      acc[r][1] = vdotq_s32(acc[r][1], b1, x);
    }
  }
  MACE_UNROLL
  for (int r = 0; r < kRows; ++r) neon::StoreCodes(acc[r][0], acc[r][1], r, args);
}

}  // namespace

void gemm_s8s8_8x8c4__dotprod(const GemmArgs& args) {
  switch (args.rows) {
    case 1:
      return TileCodes<1>(args);
    case 2:
      return TileCodes<2>(args);
    case 3:
      return TileCodes<3>(args);
    case 4:
      return TileCodes<4>(args);
    case 5:
      return TileCodes<5>(args);
    case 6:
      return TileCodes<6>(args);
    case 7:
      return TileCodes<7>(args);
    default:
      return TileCodes<8>(args);
  }
}

}  // namespace kernels
}  // namespace mace

MACE_TARGET_END

#endif  // defined(__aarch64__)
