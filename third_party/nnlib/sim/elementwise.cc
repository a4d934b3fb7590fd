// Functions of codes, one or two at a time, and softmax.
#include <algorithm>
#include <cmath>
#include <vector>

#include "third_party/nnlib/sim/arithmetic.h"
#include "third_party/nnlib/sim/ops.h"

namespace nnlib_sim {

namespace {

// Two operands, broadcast axis by axis, in the order of the output's cells.
struct Pair {
  const uint8_t *a, *b;
  float a_min, a_max, b_min, b_max;
  Shape shape;
  uint8_t* out;
  // From cell to cell along the axes of the output; 0 where the operand has one for all.
  uint32_t a_step[4], b_step[4];

  // Calls `visit` with every output cell's place and its two codes.
  template <typename Visit>
  void Each(const Visit& visit) const {
    size_t i = 0;
    for (uint32_t n = 0; n < shape.d[0]; ++n) {
      for (uint32_t h = 0; h < shape.d[1]; ++h) {
        for (uint32_t w = 0; w < shape.d[2]; ++w) {
          const uint8_t* p = a + n * a_step[0] + h * a_step[1] + w * a_step[2];
          const uint8_t* q = b + n * b_step[0] + h * b_step[1] + w * b_step[2];
          for (uint32_t d = 0; d < shape.d[3]; ++d, p += a_step[3], q += b_step[3]) {
            visit(i++, *p, *q);
          }
        }
      }
    }
  }
};

// Inputs: a, b, range of a, range of b.
bool PairOf(const Call& call, Pair* p) {
  if (!call.Codes(0, &p->a) || !call.Codes(1, &p->b) || !call.Range(2, 3, &p->a_min, &p->a_max) ||
      !call.Range(4, 5, &p->b_min, &p->b_max)) {
    return false;
  }
  const Shape& a = call.in(0).shape;
  const Shape& b = call.in(1).shape;
  for (int i = 0; i < 4; ++i) {
    if (a.d[i] != b.d[i] && a.d[i] != 1 && b.d[i] != 1) {
      return call.Fail("the shapes %ux%ux%ux%u and %ux%ux%ux%u do not broadcast", a.d[0], a.d[1],
                       a.d[2], a.d[3], b.d[0], b.d[1], b.d[2], b.d[3]);
    }
    p->shape.d[i] = std::max(a.d[i], b.d[i]);
  }
  if (!call.Shaped(0, p->shape, 1, &p->out)) return false;
  const auto steps = [](const Shape& s, uint32_t* step) {
    uint32_t stride = 1;
    for (int i = 3; i >= 0; --i) {
      step[i] = s.d[i] == 1 ? 0 : stride;
      stride *= s.d[i];
    }
  };
  steps(a, p->a_step);
  steps(b, p->b_step);
  return true;
}

// Fixed-point sum with 16-bit scales.
bool AddOrSub(const Call& call, bool subtract) {
  Pair p;
  Bounds out;
  if (!PairOf(call, &p) || !call.Range(6, 7, &out.min, &out.max)) return false;
  SumScaling scaling;
  const char* wrong = SumScalingOf({p.a_min, p.a_max}, {p.b_min, p.b_max}, out, subtract, &scaling);
  if (wrong != nullptr) return call.Fail("%s", wrong);
  p.Each([&](size_t i, uint8_t x, uint8_t y) { p.out[i] = scaling.Apply(x, y); });
  return call.SetRange(out.min, out.max);
}

bool MinimumOrMaximum(const Call& call, bool maximum) {
  Pair p;
  if (!PairOf(call, &p)) return false;
  Bounds out = {std::fmin(p.a_min, p.b_min), std::fmax(p.a_max, p.b_max)};
  if (call.input_count() == 8 && !call.Range(6, 7, &out.min, &out.max)) return false;
  if (call.input_count() == 7) return call.Fail("the output's least value without its greatest");
  // Codes of an operand in the output's grid.
  const auto table = [&](Bounds from, uint8_t* codes) {
    Regrid regrid;
    if (!RegridOf(from, out, &regrid))
      return call.Fail("the output's range is too small for the inputs'");
    for (int q = 0; q < 256; ++q) codes[q] = regrid.Apply(q);
    return true;
  };
  uint8_t a_codes[256], b_codes[256];
  if (!table({p.a_min, p.a_max}, a_codes) || !table({p.b_min, p.b_max}, b_codes)) return false;
  p.Each([&](size_t i, uint8_t x, uint8_t y) {
    const uint8_t a = a_codes[x], b = b_codes[y];
    p.out[i] = maximum ? std::max(a, b) : std::min(a, b);
  });
  return call.SetRange(out.min, out.max);
}

// Each code to the one that `of` gives; inputs: data, range.
template <typename F>
bool Map(const Call& call, const F& of) {
  const uint8_t* in;
  uint8_t* out;
  if (!call.Codes(0, &in) || !call.Shaped(0, call.in(0).shape, 1, &out)) return false;
  uint8_t table[256];
  for (int q = 0; q < 256; ++q) table[q] = of(q);
  const size_t count = call.in(0).shape.elements();
  for (size_t i = 0; i < count; ++i) out[i] = table[in[i]];
  return true;
}

bool ClampCodes(const Call& call, float min, float max, uint8_t low, uint8_t high) {
  return Map(call,
             [&](int q) {
               return static_cast<uint8_t>(std::max<int>(std::min<int>(q, high), low));
             }) &&
         call.SetRange(min, max);
}

// 2^(x / ln 2) by a polynomial of the third degree, 14 bits of fraction in the exponent.
float Exp(float x) {
  const int32_t scaled = RoundToInt(x * static_cast<float>(16384.0 / 0.69314718056));
  const float f = static_cast<float>(scaled & 0x3fff) * static_cast<float>(1. / 16384.);
  const float e = 1.0f + f * (0.69051585f + f * (0.23793659f + f * 0.07154756f));
  return PowerOfTwo(scaled >> 14) * e;
}

bool TanhOrSigmoid(const Call& call, bool sigmoid) {
  float min, max;
  if (!call.Range(1, 2, &min, &max)) return false;
  float gain = (max - min) / 255.0f, least = min;
  if (sigmoid) {
    gain *= 0.5f;
    least *= 0.5f;
  }
  const float levels = sigmoid ? 127.5f : 127.0f;
  return Map(call,
             [&](int q) {
               const float x = least + gain * static_cast<float>(q);
               const float t = static_cast<float>(std::tanh(static_cast<double>(x)));
               return ToU8(RoundToInt((t + 1.0f) * levels));
             }) &&
         (sigmoid ? call.SetRange(0.0f, 1.0f)
                  : call.SetRange(-1.0f, static_cast<float>(128.0 / 127.0)));
}

}  // namespace

bool RunAdd(const Call& call) { return AddOrSub(call, false); }
bool RunSub(const Call& call) { return AddOrSub(call, true); }
bool RunMinimum(const Call& call) { return MinimumOrMaximum(call, false); }
bool RunMaximum(const Call& call) { return MinimumOrMaximum(call, true); }
bool RunTanh(const Call& call) { return TanhOrSigmoid(call, false); }
bool RunSigmoid(const Call& call) { return TanhOrSigmoid(call, true); }

// The output's range is that of these very products.
bool RunMul(const Call& call) {
  Pair p;
  if (!PairOf(call, &p)) return false;
  const Grid a = GridOf(p.a_min, p.a_max), b = GridOf(p.b_min, p.b_max);
  float out_min, out_max;
  const bool a_one = call.in(0).shape.elements() == 1, b_one = call.in(1).shape.elements() == 1;
  if (a_one || b_one) {
    // By one number: codes stay, or mirror, and the range is scaled.
    const int32_t factor = b_one ? p.b[0] - b.zero : p.a[0] - a.zero;
    const float real = static_cast<float>(factor) * (b_one ? b.step : a.step);
    const float min = b_one ? p.a_min : p.b_min, max = b_one ? p.a_max : p.b_max;
    p.Each([&](size_t i, uint8_t x, uint8_t y) {
      const uint8_t q = b_one ? x : y;
      p.out[i] = factor > 0 ? q : factor == 0 ? uint8_t{0} : static_cast<uint8_t>(255 - q);
    });
    out_min = factor > 0 ? min * real : factor == 0 ? 0.0f : max * real;
    out_max = factor > 0 ? max * real : factor == 0 ? 1.0f : min * real;
    return call.SetRange(out_min, out_max);
  }
  const auto times = [&](uint8_t x, uint8_t y) { return (x - a.zero) * (y - b.zero); };
  int32_t least = 0, most = 0;
  p.Each([&](size_t, uint8_t x, uint8_t y) {
    least = std::min(least, times(x, y));
    most = std::max(most, times(x, y));
  });
  if (least == most) most += 4;
  const float product = a.step * b.step;
  out_min = static_cast<float>(least) * product;
  out_max = static_cast<float>(most) * product;
  // A range that is too small to move stays as it is.
  MakeZeroExact(&out_min, &out_max, Fixed::kNone);
  Grid out = GridOf(out_min, out_max);
  if (!(product > 0.0f) || !(out.step > 0.0f)) return call.Fail("the ranges have no scale");
  float scale = product / out.step;
  if (!(product * 0.0625f < out.step)) {
    scale = 16.0f;
    out.step = product * 0.0625f;
    out_min = static_cast<float>(-out.zero) * out.step;
    out_max = static_cast<float>(255 - out.zero) * out.step;
  }
  const int shift = std::min(14 - Exponent(scale), 23);
  const int64_t k = RoundToInt(scale * PowerOfTwo(shift));
  const int64_t offset = (int64_t{2} * out.zero + 1) << (shift - 1);
  p.Each([&](size_t i, uint8_t x, uint8_t y) {
    p.out[i] = ToU8((times(x, y) * k + offset) >> shift);
  });
  return call.SetRange(out_min, out_max);
}

bool RunRelu(const Call& call) {
  float min, max;
  return call.Range(1, 2, &min, &max) && ClampCodes(call, min, max, CodeOf(0.0f, min, max), 255);
}

bool RunReluX(const Call& call) {
  float min, max, limit;
  return call.Range(1, 2, &min, &max) && call.Float(3, &limit) &&
         ClampCodes(call, min, max, CodeOf(0.0f, min, max), CodeOf(limit, min, max));
}

bool RunClamp(const Call& call) {
  float min, max, low, high;
  return call.Range(1, 2, &min, &max) && call.Float(3, &low) && call.Float(4, &high) &&
         ClampCodes(call, min, max, CodeOf(low, min, max), CodeOf(high, min, max));
}

// Inputs: data with its range, slopes (one, or one a channel) from 0 to 1.
bool RunPRelu(const Call& call) {
  const uint8_t* in;
  uint8_t* out;
  float min, max;
  std::vector<float> slopes;
  if (!call.Codes(0, &in) || !call.Range(1, 2, &min, &max) || !call.Floats(3, &slopes))
    return false;
  const Shape& shape = call.in(0).shape;
  if (slopes.size() != 1 && slopes.size() != shape.d[3]) {
    return call.Fail("%zu slopes for %u channels", slopes.size(), shape.d[3]);
  }
  for (float slope : slopes) {
    if (!(slope >= 0.0f && slope <= 1.0f)) {
      return call.Fail("the slope %g is not between 0 and 1", static_cast<double>(slope));
    }
  }
  if (!call.Shaped(0, shape, 1, &out)) return false;
  const int32_t zero = CodeOf(0.0f, min, max);
  const size_t count = shape.elements();
  for (size_t i = 0; i < count; ++i) {
    const int32_t k = static_cast<int32_t>(65536.0f * slopes[i % slopes.size()]);
    const int32_t offset = zero - ((zero * k + 0x8000) >> 16);
    out[i] = in[i] < zero ? ToU8(((in[i] * k + 0x8000) >> 16) + offset) : in[i];
  }
  return call.SetRange(min, max);
}

// Inputs: data with its range, which starts at 0.
bool RunSqrt(const Call& call) {
  float min, max;
  if (!call.Range(1, 2, &min, &max)) return false;
  if (min < 0.0f) return call.Fail("the root of a range from %g", static_cast<double>(min));
  return Map(call, [](int q) { return ToU8(static_cast<int64_t>(std::sqrt(255.0 * q) + 0.5)); }) &&
         call.SetRange(0.0f, std::sqrt(max));
}

// Over the last axis. Inputs: data with its range, factor of the exponent.
bool RunSoftmax(const Call& call) {
  const uint8_t* in;
  uint8_t* out;
  float min, max, beta = 1.0f;
  if (!call.Codes(0, &in) || !call.Range(1, 2, &min, &max) ||
      (call.input_count() > 3 && !call.Float(3, &beta)) ||
      !call.Shaped(0, call.in(0).shape, 1, &out)) {
    return false;
  }
  const float step = beta * (max - min) / 255.0f;
  if (!std::isfinite(step) || !(step > 0.0f)) return call.Fail("the input has no scale");
  const size_t depth = call.in(0).shape.d[3];
  const size_t rows = call.in(0).shape.elements() / depth;
  std::vector<float> powers(depth);
  for (size_t row = 0; row < rows; ++row, in += depth, out += depth) {
    const int32_t most = *std::max_element(in, in + depth);
    float sum = 0.0f;
    for (size_t i = 0; i < depth; ++i) {
      // Narrow ranges fit binary32 without looking for the greatest code.
      const float x = step < 0.63529f ? step * static_cast<float>(in[i]) - 83.0f
                                      : step * static_cast<float>(in[i] - most);
      powers[i] = Exp(x);
      sum += powers[i];
    }
    const float reciprocal = 255.0f / sum;
    for (size_t i = 0; i < depth; ++i) out[i] = ToU8(RoundToInt(reciprocal * powers[i]));
  }
  return call.SetRange(0.0f, 1.0f);
}

}  // namespace nnlib_sim
