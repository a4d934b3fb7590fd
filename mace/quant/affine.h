// Affine parameters and scalar quantization: sections 1 and 2 of mace/quant/README.md.
#ifndef MACE_QUANT_AFFINE_H_
#define MACE_QUANT_AFFINE_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "mace/base/types.h"

namespace mace {
namespace quant {

// x = scale * (q - zero_point)
struct Affine {
  float scale = 1.0f;
  int32_t zero_point = 0;
};

// Round to the nearest integer, ties to even, whatever the rounding mode of the library functions:
// the sum with 1.5 * 2^23 has no fraction bits. Exact for |v| <= 2^22.
inline int32_t RoundToEven(float v) {
  const float shifted = v + 12582912.0f;
  int32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  return bits - 0x4B400000;
}

// The same for binary64, |v| <= 2^51.
inline double RoundToEven(double v) { return (v + 6755399441055744.0) - 6755399441055744.0; }

inline int32_t Clamp(int32_t v, int32_t lo, int32_t hi) { return v < lo ? lo : v > hi ? hi : v; }

// Parameters of an activation, or of uint8 weights, from the extremes of its values.
inline Affine ChooseAffine(float min, float max, ElementType type) {
  const double lo = min < 0 ? static_cast<double>(min) : 0.0;
  const double hi = max > 0 ? static_cast<double>(max) : 0.0;
  const double width = hi - lo;
  const int32_t shift = type == ElementType::kInt8 ? -128 : 0;
  Affine affine;
  if (std::isnan(min) || std::isnan(max) || !(width > 0) || std::isinf(width)) {
    affine.zero_point = shift;
    return affine;
  }
  constexpr float kLeast = 7.888609052210118e-31f;  // 2^-100
  affine.scale = static_cast<float>(width / 255.0);
  if (affine.scale < kLeast) affine.scale = kLeast;
  const double z = RoundToEven(0.0 - lo / static_cast<double>(affine.scale));
  affine.zero_point = static_cast<int32_t>(z < 0 ? 0 : z > 255 ? 255 : z) + shift;
  return affine;
}

// Scale of one channel of symmetric int8 weights from the greatest magnitude.
inline float ChooseSymmetricScale(float magnitude) {
  if (!(magnitude > 0) || std::isinf(magnitude)) return 1.0f;
  constexpr float kLeast = 7.888609052210118e-31f;
  const float scale = static_cast<float>(static_cast<double>(magnitude) / 127.0);
  return scale < kLeast ? kLeast : scale;
}

// The bias code: rne(bias / (s_x * s_w)) in binary64, clamped to +-(2^31 - 1).
inline int32_t QuantizeBias(float bias, float input_scale, float weight_scale) {
  const double v = static_cast<double>(bias) /
                   (static_cast<double>(input_scale) * static_cast<double>(weight_scale));
  constexpr double kLimit = 2147483647.0;
  if (std::isnan(v)) return 0;
  if (v >= kLimit) return 2147483647;
  if (v <= -kLimit) return -2147483647;
  return static_cast<int32_t>(RoundToEven(v));
}

inline int32_t Quantize(float x, Affine affine, int32_t qmin, int32_t qmax) {
  float v = x / affine.scale;
  v = v != v ? 0.0f : v;
  v = v < -512.0f ? -512.0f : v;
  v = v > 512.0f ? 512.0f : v;
  return Clamp(RoundToEven(v) + affine.zero_point, qmin, qmax);
}

inline float Dequantize(int32_t q, Affine affine) {
  return affine.scale * static_cast<float>(q - affine.zero_point);
}

}  // namespace quant
}  // namespace mace

#endif  // MACE_QUANT_AFFINE_H_
