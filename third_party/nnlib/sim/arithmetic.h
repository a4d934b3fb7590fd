// nnlib's conversions between codes and real numbers. Every operation is one binary32 operation in
// the written order (the library is compiled without contraction).
#ifndef THIRD_PARTY_NNLIB_SIM_ARITHMETIC_H_
#define THIRD_PARTY_NNLIB_SIM_ARITHMETIC_H_

#include <cmath>
#include <cstdint>
#include <cstring>

namespace nnlib_sim {

inline int32_t Clamp(int64_t v, int64_t low, int64_t high) {
  return static_cast<int32_t>(v < low ? low : v > high ? high : v);
}
inline uint8_t ToU8(int64_t v) { return static_cast<uint8_t>(Clamp(v, 0, 255)); }
inline int32_t ToI16(int64_t v) { return Clamp(v, -32768, 32767); }

// Halves away from zero, after the addition's own rounding; saturates, NaN to 0.
inline int32_t RoundToInt(float v) {
  const float moved = v + std::copysign(0.5f, v);
  if (!(moved == moved)) return 0;
  if (moved >= 2147483648.0f) return INT32_MAX;
  if (moved <= -2147483648.0f) return INT32_MIN;
  return static_cast<int32_t>(moved);
}

// Of a positive normal number: x = f * 2^e, 0.5 <= f < 1; -126 below.
inline int Exponent(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<int>((bits >> 23) & 0xff) - 126;
}

// 2^e for e within binary32's normal numbers; e + 127 saturates to 0 .. 255 as the exponent's
// field.
inline float PowerOfTwo(int e) {
  const uint32_t bits = static_cast<uint32_t>(ToU8(static_cast<int64_t>(e) + 127)) << 23;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// The grid that [min, max] stands for.
struct Grid {
  float step;
  int32_t zero;
};
inline Grid GridOf(float min, float max) {
  const float step = (max - min) / 255.0f;
  return {step, ToU8(RoundToInt(-min / step))};
}

// The code of a real value by the direct formula.
inline uint8_t CodeOf(float v, float min, float max) {
  const float range = std::fmax(1e-18f, max - min);
  return ToU8(RoundToInt((v - min) * (255.0f / range)));
}

// Which end of an output range its node was given; free ends move first.
enum class Fixed { kNone, kBoth };

// Moves ends so that zero is a code. False where the range is empty or not a number.
bool MakeZeroExact(float* min, float* max, Fixed fixed);

// A factor mantissa · 2^(shift − 31) that takes sums to codes.
struct Multiplier {
  int64_t mantissa;
  int shift;
  // The shifted sum saturates to 32 bits; the product is rounded with halves up.
  uint8_t Apply(int64_t sum) const {
    const int64_t shifted =
        Clamp(Clamp(sum, INT32_MIN, INT32_MAX) * (int64_t{1} << shift), INT32_MIN, INT32_MAX);
    return ToU8((shifted * mantissa + (int64_t{1} << 30)) >> 31);
  }
};

// A sum or difference of codes: `u8((sat16(((a ka + b kb) >> drop) + offset) + 2^(last - 1)) >>
// last)`; a negative drop shifts the other way.
struct SumScaling {
  int64_t ka, kb, offset;
  int drop, last;
  uint8_t Apply(uint8_t a, uint8_t b) const {
    const int64_t sum = Dropped(a * ka + b * kb) + offset;
    return ToU8((ToI16(sum) + (int64_t{1} << (last - 1))) >> last);
  }
  int64_t Dropped(int64_t v) const { return drop >= 0 ? v >> drop : v * (int64_t{1} << -drop); }
};

struct Bounds {
  float min, max;
};

// Null, or why there is none.
const char* SumScalingOf(Bounds a, Bounds b, Bounds out, bool subtract, SumScaling* scaling);

// Codes of one range in another with 12 bits of fraction: `u8(sat16(((q - from) k + 2048) >> 12) +
// to)`; `same` where nothing changes.
struct Regrid {
  int64_t k;
  int32_t from, to;
  bool same;
  uint8_t Apply(int q) const {
    return same ? static_cast<uint8_t>(q) : ToU8(ToI16(((q - from) * k + 2048) >> 12) + to);
  }
};

// False where a factor is too large.
bool RegridOf(Bounds from, Bounds to, Regrid* regrid);

}  // namespace nnlib_sim

#endif  // THIRD_PARTY_NNLIB_SIM_ARITHMETIC_H_
