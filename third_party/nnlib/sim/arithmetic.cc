#include "third_party/nnlib/sim/arithmetic.h"

#include <algorithm>

namespace nnlib_sim {

bool MakeZeroExact(float* min, float* max, Fixed fixed) {
  const float span = *max - *min;
  if (fixed == Fixed::kNone ? !(span >= 1e-6f) : !(span > 0.0f)) return false;
  if (!std::isfinite(span)) return false;
  if (*min == 0.0f) return true;
  const float z = -255.0f * *min / span;
  const float whole = std::floor(z);
  const float part = z - whole;
  // 2^-14 from a whole number is close enough.
  if (part <= 6.1035156e-05f || part >= 0.999938965f) return true;
  const float nearest = part >= 0.5f ? whole + 1.0f : whole;
  const auto move_max = [&](float zero) { *max = *min - 255.0f * *min / zero; };
  const auto move_min = [&](float zero) { *min = *max * zero / (zero - 255.0f); };
  if (fixed == Fixed::kNone) {
    // The end that moves less, outwards.
    const bool top = whole > 0.0f && (whole > 253.0f || (part - 1.0f) * *min >= part * *max);
    if (top) {
      move_max(whole);
    } else {
      move_min(whole + 1.0f);
    }
  } else if (z <= 63.75f) {
    // A range that is mostly on one side of zero: its short end moves.
    move_min(nearest);
  } else if (z >= 192.25f) {
    move_max(nearest);
  } else {
    const float shift = (z - nearest) * span * static_cast<float>(1. / 255.);
    *min = *min + shift;
    *max = *max + shift;
  }
  return true;
}

const char* SumScalingOf(Bounds a_range, Bounds b_range, Bounds out, bool subtract,
                         SumScaling* scaling) {
  const Grid a = GridOf(a_range.min, a_range.max), b = GridOf(b_range.min, b_range.max);
  const float per_step = 255.0f / (out.max - out.min);
  const float zero = -out.min * per_step;
  const float a_scale = per_step * a.step, b_scale = per_step * b.step;
  const float largest = subtract ? std::fmax(a_scale, b_scale) : a_scale + b_scale;
  if (!(largest > 0.0f) || !std::isfinite(largest)) return "the ranges have no scale";
  const int exponent = Exponent(largest * static_cast<float>(16384. / 16380.));
  if (exponent > 12) return "the output's range is too small for the inputs'";
  const int shift = std::min(6 - exponent, 7);
  // A narrow output leaves no bits to drop; one more is kept for rounding.
  const int more = shift <= 0 ? 1 - shift : 0;
  const float power = PowerOfTwo(shift);
  scaling->ka = RoundToInt(a_scale * (power * 256.0f));
  scaling->kb = (subtract ? -1 : 1) * int64_t{RoundToInt(b_scale * (power * 256.0f))};
  scaling->drop = 8 - more;
  scaling->last = more > 0 ? 1 : shift;
  const int64_t at_zero = scaling->Dropped(a.zero * scaling->ka + b.zero * scaling->kb);
  scaling->offset = RoundToInt(zero * (more > 0 ? 2.0f : power)) - at_zero;
  if (more == 0) scaling->offset = ToI16(scaling->offset);
  return nullptr;
}

bool RegridOf(Bounds from, Bounds to, Regrid* regrid) {
  const Grid a = GridOf(from.min, from.max), b = GridOf(to.min, to.max);
  regrid->k = RoundToInt(4096.0f * (a.step / b.step));
  regrid->from = a.zero;
  regrid->to = b.zero;
  regrid->same = from.min == to.min && from.max == to.max;
  return regrid->k <= 65535;
}

}  // namespace nnlib_sim
