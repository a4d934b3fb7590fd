// From an int32 accumulator to a code: sections 3 to 6 and 8 of mace/quant/README.md.
#ifndef MACE_QUANT_REQUANTIZE_H_
#define MACE_QUANT_REQUANTIZE_H_

#include <cstdint>
#include <limits>

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
