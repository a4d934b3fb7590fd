#include "third_party/nnlib/sim/arithmetic.h"

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

}  // namespace nnlib_sim
