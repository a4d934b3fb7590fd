// What the kernels for ARM do with a row of eight sums.
#ifndef MACE_KERNELS_GEMM_NEON_EPILOGUE_H_
#define MACE_KERNELS_GEMM_NEON_EPILOGUE_H_

#include <arm_neon.h>

#include <cstring>

#include "mace/kernels/gemm/gemm.h"
#include "mace/kernels/target.h"

namespace mace {
namespace kernels {
namespace neon {

static MACE_ALWAYS_INLINE void StoreF32(float32x4_t v0, float32x4_t v1, int r,
                                        const GemmArgs& args) {
  const float* bias = static_cast<const float*>(args.bias);
  const float32x4_t lo = vdupq_n_f32(args.lo), hi = vdupq_n_f32(args.hi);
  float32x4_t y0 = vaddq_f32(v0, vld1q_f32(bias)), y1 = vaddq_f32(v1, vld1q_f32(bias + 4));
  // Selections rather than minimum and maximum: NaN and -0 pass, as on x86.
  y0 = vbslq_f32(vcltq_f32(y0, lo), lo, y0);
  y1 = vbslq_f32(vcltq_f32(y1, lo), lo, y1);
  y0 = vbslq_f32(vcgtq_f32(y0, hi), hi, y0);
  y1 = vbslq_f32(vcgtq_f32(y1, hi), hi, y1);
  float* c = static_cast<float*>(args.c) + r * args.ldc;
  if (args.cols == 8) {
    vst1q_f32(c, y0);
    vst1q_f32(c + 4, y1);
  } else {
    float rest[8];
    vst1q_f32(rest, y0);
    vst1q_f32(rest + 4, y1);
    std::memcpy(c, rest, static_cast<size_t>(args.cols) * sizeof(float));
  }
}

// Section 12 of mace/quant/README.md, four at once.
static MACE_ALWAYS_INLINE int32x4_t FixedProduct(int32x4_t x, int32x4_t mantissa,
                                                 int32x4_t exponent) {
  const int32x4_t left = vmaxq_s32(exponent, vdupq_n_s32(0));
  const int32x4_t limit = vshlq_s32(vdupq_n_s32(0x7fffffff), vnegq_s32(left));
  x = vshlq_s32(vminq_s32(vmaxq_s32(x, vmvnq_s32(limit)), limit), left);
  const int32x4_t high = vqrdmulhq_s32(x, mantissa);
  // The shift rounds halves up: one less makes those of negative numbers go down. The sign bit of
  // `right` is set where there is a shift.
  const int32x4_t right = vsubq_s32(exponent, left);
  const int32x4_t down = vshrq_n_s32(vandq_s32(high, right), 31);
  return vrshlq_s32(vqaddq_s32(high, down), right);
}

// The same with one rounding, half up.
static MACE_ALWAYS_INLINE int32x4_t FixedProductOnce(int32x4_t x, int32x4_t mantissa,
                                                     int32x4_t exponent) {
  const int32x4_t left = vmaxq_s32(exponent, vdupq_n_s32(0));
  const int32x4_t limit = vshlq_s32(vdupq_n_s32(0x7fffffff), vnegq_s32(left));
  x = vminq_s32(vmaxq_s32(x, vmvnq_s32(limit)), limit);
  const int32x4_t shift = vsubq_s32(exponent, vdupq_n_s32(31));
  const int64x2_t low = vrshlq_s64(vmull_s32(vget_low_s32(x), vget_low_s32(mantissa)),
                                   vmovl_s32(vget_low_s32(shift)));
  const int64x2_t high = vrshlq_s64(vmull_s32(vget_high_s32(x), vget_high_s32(mantissa)),
                                    vmovl_s32(vget_high_s32(shift)));
  return vcombine_s32(vmovn_s64(low), vmovn_s64(high));
}

static MACE_ALWAYS_INLINE int32x4_t Requantized(int32x4_t acc, int column, int32x4_t correction,
                                                const GemmArgs& args) {
  const int32_t* bias = static_cast<const int32_t*>(args.bias) + column;
  const int32x4_t sum = vsubq_s32(vaddq_s32(acc, vld1q_s32(bias)), correction);
  if (args.mantissa != nullptr) {
    const int32x4_t mantissa = vld1q_s32(args.mantissa + column);
    const int32x4_t exponent = vld1q_s32(args.exponent + column);
    int32x4_t fixed = args.once ? FixedProductOnce(sum, mantissa, exponent)
                                : FixedProduct(sum, mantissa, exponent);
    fixed = vmaxq_s32(fixed, vdupq_n_s32(args.q_lo - args.zero));
    fixed = vminq_s32(fixed, vdupq_n_s32(args.q_hi - args.zero));
    return vaddq_s32(fixed, vdupq_n_s32(args.zero));
  }
  float32x4_t y = vmulq_f32(vcvtq_f32_s32(sum), vld1q_f32(args.scale + column));
  y = vminq_f32(vmaxq_f32(y, vdupq_n_f32(-1048576.0f)), vdupq_n_f32(1048576.0f));
#if defined(__aarch64__)
  int32x4_t q = vcvtnq_s32_f32(y);
#else
  // To even by a sum without fraction bits.
  int32x4_t q = vsubq_s32(vreinterpretq_s32_f32(vaddq_f32(y, vdupq_n_f32(12582912.0f))),
                          vdupq_n_s32(0x4B400000));
#endif
  q = vaddq_s32(q, vdupq_n_s32(args.zero));
  return vminq_s32(vmaxq_s32(q, vdupq_n_s32(args.q_lo)), vdupq_n_s32(args.q_hi));
}

static MACE_ALWAYS_INLINE void StoreCodes(int32x4_t v0, int32x4_t v1, int r, const GemmArgs& args) {
  int32x4_t correction = vdupq_n_s32(0);
  if (args.row_sums != nullptr)
    correction = vmulq_s32(vdupq_n_s32(args.row_sums[r]), vdupq_n_s32(args.b_zero));
  const int32x4_t q0 = Requantized(v0, 0, correction, args);
  const int32x4_t q1 = Requantized(v1, 4, correction, args);
  const int8x8_t bytes = vmovn_s16(vcombine_s16(vmovn_s32(q0), vmovn_s32(q1)));
  int8_t* c = static_cast<int8_t*>(args.c) + r * args.ldc;
  if (args.cols == 8) {
    vst1_s8(c, bytes);
  } else {
    int8_t rest[8];
    vst1_s8(rest, bytes);
    std::memcpy(c, rest, static_cast<size_t>(args.cols));
  }
}

}  // namespace neon
}  // namespace kernels
}  // namespace mace

#endif  // MACE_KERNELS_GEMM_NEON_EPILOGUE_H_
