// From an int32 accumulator to a code: sections 3 to 6 and 8 of mace/quant/README.md.
#ifndef MACE_QUANT_REQUANTIZE_H_
#define MACE_QUANT_REQUANTIZE_H_

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "mace/quant/affine.h"

namespace mace {
namespace quant {

// binary64 to binary32, clamped to the greatest finite value.
inline float ToMultiplier(double m) {
  constexpr double kMax = static_cast<double>(std::numeric_limits<float>::max());
  return m > kMax ? std::numeric_limits<float>::max() : static_cast<float>(m);
}

// The multiplier of a matrix product (section 3).
inline float ProductMultiplier(float input_scale, float weight_scale, float output_scale) {
  return ToMultiplier(static_cast<double>(input_scale) * static_cast<double>(weight_scale) /
                      static_cast<double>(output_scale));
}

// The multiplier of a mean over `count` cells (section 5).
inline float MeanMultiplier(float input_scale, int64_t count, float output_scale) {
  return ToMultiplier(static_cast<double>(input_scale) /
                      (static_cast<double>(count) * static_cast<double>(output_scale)));
}

// rne of a scaled value; the clamp changes no code.
inline int32_t RoundClamped(float v) {
  constexpr float kLimit = 1048576.0f;
  v = v < -kLimit ? -kLimit : v;
  v = v > kLimit ? kLimit : v;
  return RoundToEven(v);
}

inline int32_t Requantize(int32_t acc, float multiplier, int32_t zero_point, int32_t lo,
                          int32_t hi) {
  return Clamp(RoundClamped(static_cast<float>(acc) * multiplier) + zero_point, lo, hi);
}

// ---- Fixed-point requantization (section 12) ------------------------------

// The multiplier mantissa * 2^(exponent - 31): mantissa is 0 or in [2^30, 2^31 - 1], exponent in
// [-31, 30].
struct FixedMultiplier {
  int32_t mantissa = 0;
  int32_t exponent = 0;
};

// One per output channel, as vectors want them; both are empty where requantization is that of
// section 3.
struct FixedMultipliers {
  std::vector<int32_t> mantissa, exponent;
  // Products round once: fully connected layers.
  bool once = false;

  void Add(FixedMultiplier m) {
    mantissa.push_back(m.mantissa);
    exponent.push_back(m.exponent);
  }
  bool empty() const { return mantissa.empty(); }
};

inline FixedMultiplier ToFixed(double m) {
  FixedMultiplier fixed;
  if (!(m > 0)) return fixed;
  if (m >= 1073741824.0) return {2147483647, 30};  // 2^30
  int exponent = 0;
  const double fraction = std::frexp(m, &exponent);
  // The fraction is in [0.5, 1): half away from zero is up.
  double mantissa = std::floor(fraction * 2147483648.0 + 0.5);
  if (mantissa == 2147483648.0) {
    mantissa = 1073741824.0;
    ++exponent;
  }
  if (exponent > 30) return {2147483647, 30};
  if (exponent < -31) return fixed;
  fixed.mantissa = static_cast<int32_t>(mantissa);
  fixed.exponent = exponent;
  return fixed;
}

// x times the multiplier: the product's upper half rounded half up, then shifted right and rounded
// half away from zero.
inline int32_t FixedProduct(int32_t x, FixedMultiplier m) {
  const int left = m.exponent > 0 ? m.exponent : 0, right = left - m.exponent;
  const int32_t limit = 2147483647 >> left;
  const int64_t shifted = static_cast<int64_t>(Clamp(x, -limit - 1, limit)) * (int64_t{1} << left);
  const int64_t high = (shifted * m.mantissa + (int64_t{1} << 30)) >> 31;
  const int64_t mask = (int64_t{1} << right) - 1;
  const int64_t rest = high & mask;
  return static_cast<int32_t>((high >> right) + (rest > (mask >> 1) + (high < 0 ? 1 : 0) ? 1 : 0));
}

// The same with one rounding, half up.
inline int32_t FixedProductOnce(int32_t x, FixedMultiplier m) {
  const int32_t limit = 2147483647 >> (m.exponent > 0 ? m.exponent : 0);
  const int64_t product = static_cast<int64_t>(Clamp(x, -limit - 1, limit)) * m.mantissa;
  const int shift = 31 - m.exponent;
  return static_cast<int32_t>((product + (int64_t{1} << (shift - 1))) >> shift);
}

inline int32_t RequantizeFixed(int32_t acc, FixedMultiplier m, int32_t zero_point, int32_t lo,
                               int32_t hi, bool once = false) {
  const int32_t v = once ? FixedProductOnce(acc, m) : FixedProduct(acc, m);
  return Clamp(v, lo - zero_point, hi - zero_point) + zero_point;
}

// The fixed-point multiplier of a matrix product. One that all channels share takes the product of
// the scales in binary32.
inline FixedMultiplier FixedProductMultiplier(float input_scale, float weight_scale,
                                              float output_scale, bool shared) {
  const double product = shared
                             ? static_cast<double>(input_scale * weight_scale)
                             : static_cast<double>(input_scale) * static_cast<double>(weight_scale);
  return ToFixed(product / static_cast<double>(output_scale));
}

// Sums and differences are taken in units of 2^-20 of twice the greater scale.
constexpr int kFixedSumShift = 20;
struct FixedSum {
  FixedMultiplier a, b, y;
};
inline FixedSum FixedSumMultipliers(float scale_a, float scale_b, float scale_y) {
  const double twice = 2.0 * static_cast<double>(scale_a > scale_b ? scale_a : scale_b);
  return {ToFixed(static_cast<double>(scale_a) / twice),
          ToFixed(static_cast<double>(scale_b) / twice),
          ToFixed(twice / (1048576.0 * static_cast<double>(scale_y)))};
}
// a and b less their zero points; `sign` is -1 for a difference.
inline int32_t FixedSumOf(int32_t a, int32_t b, int32_t sign, const FixedSum& m) {
  const int32_t unit = 1 << kFixedSumShift;
  return FixedProduct(FixedProduct(a * unit, m.a) + sign * FixedProduct(b * unit, m.b), m.y);
}
inline FixedMultiplier FixedProdMultiplier(float scale_a, float scale_b, float scale_y) {
  return ToFixed(static_cast<double>(scale_a * scale_b / scale_y));
}

// An average of codes, zero point and all: half away from zero.
inline int32_t FixedAverage(int64_t sum, int64_t count) {
  return static_cast<int32_t>((sum + (sum > 0 ? count / 2 : -(count / 2))) / count);
}

// Softmax of one code (section 8), before the zero point is added.
inline int32_t SoftmaxCode(int32_t t, int64_t sum) {
  const int64_t v = (int64_t{512} * t + sum) / (2 * sum);
  return v > 255 ? 255 : static_cast<int32_t>(v);
}

// Limits of a fused activation in the codes of the output.
struct CodeRange {
  int32_t lo;
  int32_t hi;
};

}  // namespace quant
}  // namespace mace

#endif  // MACE_QUANT_REQUANTIZE_H_
