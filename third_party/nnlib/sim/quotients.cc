// Quotients and reciprocals of codes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "third_party/nnlib/sim/arithmetic.h"
#include "third_party/nnlib/sim/ops.h"

namespace nnlib_sim {

namespace {

constexpr float kInfinite = std::numeric_limits<float>::infinity();

// With zero in it.
Bounds WithZero(Bounds b) { return {b.min > 0.0f ? 0.0f : b.min, b.max < 0.0f ? 0.0f : b.max}; }

// Reciprocals of codes as far as nnlib computes them; it reads others from memory nobody wrote.
struct Reciprocals {
  float real[256];
  bool known[256] = {};
  Bounds range = {kInfinite, -kInfinite};

  void Add(int code, Bounds in, float step) {
    const float x = in.min + static_cast<float>(code) * step;
    if (x == 0.0f) return;
    real[code] = 1.0f / x;
    known[code] = true;
    range = {std::fmin(range.min, real[code]), std::fmax(range.max, real[code])};
  }
  void AddAll(int first, int last, Bounds in, float step) {
    for (int q = first; q <= last; ++q) Add(q, in, step);
  }
};

// Tensors so small are computed element by element, larger ones by a table of all codes.
constexpr size_t kTable = 256;

}  // namespace

// Inputs: a, b (one number, or one a channel), range of a, range of b, range of the output.
bool RunDiv(const Call& call) {
  const uint8_t *a, *b;
  Bounds a_range, b_range, out = {kInfinite, -kInfinite};
  if (!call.Codes(0, &a) || !call.Codes(1, &b) || !call.Ends(2, 3, &a_range.min, &a_range.max) ||
      !call.Ends(4, 5, &b_range.min, &b_range.max)) {
    return false;
  }
  if (call.input_count() == 7) return call.Fail("the output's least value without its greatest");
  const bool given = call.input_count() == 8;
  if (given && !call.Ends(6, 7, &out.min, &out.max)) return false;
  const Shape& shape = call.in(0).shape;
  const Shape& divisor = call.in(1).shape;
  const size_t depth = divisor.d[3];
  if (divisor.elements() != depth || (depth != 1 && depth != shape.d[3])) {
    return call.Fail(
        "the divisor %ux%ux%ux%zu is neither one number nor one for each of %u channels",
        divisor.d[0], divisor.d[1], divisor.d[2], depth, shape.d[3]);
  }
  const float a_step = (a_range.max - a_range.min) / 255.0f;
  const float b_step = (b_range.max - b_range.min) / 255.0f;
  std::vector<float> divisors(depth);
  for (size_t d = 0; d < depth; ++d) {
    divisors[d] = b_range.min + static_cast<float>(b[d]) * b_step;
    if (divisors[d] == 0.0f) return call.Fail("division by zero");
    const float low = a_range.min / divisors[d], high = a_range.max / divisors[d];
    if (given) continue;
    out = {std::fmin(out.min, std::fmin(low, high)), std::fmax(out.max, std::fmax(low, high))};
  }
  uint8_t* codes;
  if (!call.Shaped(0, shape, 1, &codes)) return false;
  const size_t count = shape.elements();
  if (!given && depth == 1) {
    // By one number: codes stay, or mirror, and the range is scaled.
    const bool mirrored = divisors[0] < 0.0f;
    for (size_t i = 0; i < count; ++i) {
      codes[i] = mirrored ? static_cast<uint8_t>(255 - a[i]) : a[i];
    }
    return call.SetRange(out.min, out.max);
  }
  if (!given) out = WithZero(out);
  for (size_t i = 0; i < count; ++i) {
    const float numerator = a_range.min + static_cast<float>(a[i]) * a_step;
    codes[i] = CodeOf(numerator / divisors[i % depth], out.min, out.max);
  }
  return call.SetRange(out.min, out.max);
}

// Inputs: data with its range. The output's range is that of these very data.
bool RunRecip(const Call& call) {
  const uint8_t* in;
  uint8_t* out;
  Bounds range;
  if (!call.Codes(0, &in) || !call.Ends(1, 2, &range.min, &range.max) ||
      !call.Shaped(0, call.in(0).shape, 1, &out)) {
    return false;
  }
  const size_t count = call.in(0).shape.elements();
  const float step = (range.max - range.min) / 255.0f;
  if (!(step > 0.0f)) return call.Fail("the input has no scale");
  bool present[256] = {};
  for (size_t i = 0; i < count; ++i) present[in[i]] = true;
  Reciprocals reciprocals;
  if (count < kTable) {
    for (int q = 0; q < 256; ++q) {
      if (present[q]) reciprocals.Add(q, range, step);
    }
  } else if (range.min < 0.0f && range.max > 0.0f) {
    // All codes but those between the nearest to zero on either side.
    const int zero = static_cast<int>(ToU8(std::llround(-range.min / step)));
    int below = 0, above = 255;
    for (int q = 0; q < zero; ++q) below = present[q] ? q : below;
    for (int q = 255; q > zero; --q) above = present[q] ? q : above;
    reciprocals.AddAll(0, below, range, step);
    reciprocals.AddAll(above, 255, range, step);
  } else if (range.min == 0.0f && range.max > 0.0f) {
    const int least = static_cast<int>(std::find(present, present + 256, true) - present);
    reciprocals.AddAll(least, 255, range, step);
  } else if (range.min < 0.0f && range.max == 0.0f) {
    int greatest = 0;
    for (int q = 0; q < 256; ++q) greatest = present[q] ? q : greatest;
    reciprocals.AddAll(0, greatest, range, step);
  } else {
    return call.Fail("the reciprocal of a range without zero, %g to %g, of %zu numbers",
                     static_cast<double>(range.min), static_cast<double>(range.max), count);
  }
  for (int q = 0; q < 256; ++q) {
    if (present[q] && !reciprocals.known[q]) return call.Fail("the reciprocal of zero");
  }
  const Bounds result = WithZero(reciprocals.range);
  const float out_step = (result.max - result.min) / 255.0f;
  if (!(out_step > 0.0f) || !std::isfinite(out_step)) {
    return call.Fail("the reciprocals have no range");
  }
  uint8_t table[256] = {};
  for (int q = 0; q < 256; ++q) {
    if (present[q]) table[q] = ToU8(std::llround((reciprocals.real[q] - result.min) / out_step));
  }
  for (size_t i = 0; i < count; ++i) out[i] = table[in[i]];
  return call.SetRange(result.min, result.max);
}

}  // namespace nnlib_sim
