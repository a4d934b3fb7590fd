// Normalizations: by the moments of the data, and by factors and offsets of channels.
#include <algorithm>
#include <cmath>
#include <vector>

#include "third_party/nnlib/sim/arithmetic.h"
#include "third_party/nnlib/sim/ops.h"

namespace nnlib_sim {

namespace {

// Of one channel of one image.
struct Moments {
  uint64_t sum = 0, squares = 0;
  uint8_t least = 255, greatest = 0;
};
struct Normal {
  float mean = 0.0f, per_deviation = 0.0f;
};

// Images beyond have sums of squares that leave 64 bits.
constexpr uint64_t kMostCells = 1 << 24;

// Halves upwards.
int64_t ShiftRounded(int64_t v, int shift) {
  return shift == 0 ? v : (v + (int64_t{1} << (shift - 1))) >> shift;
}
int64_t ToI32(int64_t v) { return Clamp(v, INT32_MIN, INT32_MAX); }

}  // namespace

// Each channel of each image by its mean and deviation. Inputs: data with its range, which codes
// need not know.
bool RunInstanceNorm(const Call& call) {
  const uint8_t* in;
  uint8_t* out;
  float unused_min, unused_max;
  if (!call.Codes(0, &in) || !call.Ends(1, 2, &unused_min, &unused_max) ||
      !call.Shaped(0, call.in(0).shape, 1, &out)) {
    return false;
  }
  const Shape& shape = call.in(0).shape;
  const uint64_t cells = uint64_t{shape.d[1]} * shape.d[2];
  if (cells > kMostCells) {
    return call.Fail("the moments of %llu cells", static_cast<unsigned long long>(cells));
  }
  const size_t depth = shape.d[3];
  std::vector<Moments> moments(shape.d[0] * depth);
  const auto each = [&](const auto& visit) {
    size_t i = 0;
    for (size_t n = 0; n < shape.d[0]; ++n) {
      for (uint64_t cell = 0; cell < cells; ++cell) {
        for (size_t d = 0; d < depth; ++d) visit(i++, n * depth + d);
      }
    }
  };
  each([&](size_t i, size_t channel) {
    Moments& m = moments[channel];
    m.sum += in[i];
    m.squares += uint64_t{in[i]} * in[i];
    m.least = std::min(m.least, in[i]);
    m.greatest = std::max(m.greatest, in[i]);
  });
  std::vector<Normal> normals(moments.size());
  float min = 0.0f, max = 0.0f;
  const float count = static_cast<float>(cells);
  for (size_t i = 0; i < moments.size(); ++i) {
    const Moments& m = moments[i];
    if (m.greatest == m.least) continue;
    Normal& normal = normals[i];
    const uint64_t variance = m.squares * cells - m.sum * m.sum;
    normal.mean = static_cast<float>(m.sum) / count;
    normal.per_deviation = count / (std::sqrt(static_cast<float>(variance)) + 0.00001f * count);
    const auto of = [&](uint8_t q) {
      return (static_cast<float>(q) - normal.mean) * normal.per_deviation;
    };
    min = std::fmin(min, of(m.least));
    max = std::fmax(max, of(m.greatest));
  }
  max = std::fmax(max, min + 1e-5f);
  MakeZeroExact(&min, &max, Fixed::kNone);
  const float per_step = 255.0f / (max - min);
  struct Factor {
    int64_t k, offset;
  };
  std::vector<Factor> factors(normals.size());
  for (size_t i = 0; i < normals.size(); ++i) {
    const Normal& normal = normals[i];
    factors[i] = {RoundToInt(1024.0f * normal.per_deviation * per_step),
                  RoundToInt(1024.0f * (normal.mean * normal.per_deviation + min) * per_step)};
  }
  each([&](size_t i, size_t channel) {
    out[i] = ToU8((in[i] * factors[channel].k - factors[channel].offset + 512) >> 10);
  });
  return call.SetRange(min, max);
}

// Inputs: data, factors, range of each, offsets with their range, range of the output. Factors and
// offsets are codes, one or one a channel.
bool RunBatchNorm(const Call& call) {
  const uint8_t *in, *scale, *offset;
  uint8_t* out;
  Bounds x, s, b, y;
  if (!call.Codes(0, &in) || !call.Codes(1, &scale) || !call.Range(2, 3, &x.min, &x.max) ||
      !call.Range(4, 5, &s.min, &s.max) || !call.Codes(6, &offset) ||
      !call.Range(7, 8, &b.min, &b.max) || !call.Ends(9, 10, &y.min, &y.max)) {
    return false;
  }
  const Shape& shape = call.in(0).shape;
  const size_t depth = shape.d[3];
  for (size_t i : {size_t{1}, size_t{6}}) {
    const Shape& given = call.in(i).shape;
    if (given.elements() != given.d[3] || (given.d[3] != 1 && given.d[3] != depth)) {
      return call.Fail("factors or offsets of shape %ux%ux%ux%u for %zu channels", given.d[0],
                       given.d[1], given.d[2], given.d[3], depth);
    }
  }
  if (!call.Shaped(0, shape, 1, &out)) return false;
  const Grid x_grid = GridOf(x.min, x.max), s_grid = GridOf(s.min, s.max);
  const Grid b_grid = GridOf(b.min, b.max);
  // Products are counted in 128ths of their steps.
  const float product = x_grid.step * s_grid.step * static_cast<float>(1. / 128.);
  const float offset_ratio = b_grid.step / product;
  if (!(product > 0.0f) || !(offset_ratio >= 0.0f) || !std::isfinite(offset_ratio)) {
    return call.Fail("the ranges have no scale");
  }
  constexpr float kMargin = 1.00001831f;
  const int offset_exponent = std::max(Exponent(offset_ratio * kMargin) - 15, -31);
  if (offset_exponent > 6) return call.Fail("the offsets' range is too large for the products'");
  const int64_t offset_scale = ToI16(RoundToInt(offset_ratio * PowerOfTwo(-offset_exponent)));
  y = {std::fmin(y.min, 0.0f), std::fmax(y.max, 0.0f)};
  y.max = std::fmax(y.max, y.min + 1e-6f);
  if (!MakeZeroExact(&y.min, &y.max, Fixed::kBoth)) return call.Fail("the output has no range");
  const float ratio = 255.0f / (y.max - y.min) * product;
  const int exponent = -Exponent(ratio * kMargin);
  if (!(ratio > 0.0f) || exponent < 1 || exponent > 29) {
    return call.Fail("the output's range does not suit the products'");
  }
  const int shift = std::min(exponent, 22);
  const int64_t k = ToI16(RoundToInt(ratio * PowerOfTwo(15 + shift)));
  const int64_t at_min = y.min == 0.0f ? 0 : RoundToInt(-y.min / product);
  const int last = std::max(1, shift - 15);
  struct Factor {
    int64_t k, offset;
  };
  std::vector<Factor> factors(depth);
  for (size_t d = 0; d < depth; ++d) {
    const int64_t steps = (scale[call.in(1).shape.d[3] == 1 ? 0 : d] - s_grid.zero) * 128;
    const int64_t moved = (offset[call.in(6).shape.d[3] == 1 ? 0 : d] - b_grid.zero) *
                          (int64_t{1} << std::max(offset_exponent, 0)) * offset_scale;
    const int64_t real = ShiftRounded(moved, std::max(-offset_exponent, 0));
    const int64_t sum = ToI32(ToI32(real - steps * x_grid.zero) + at_min);
    factors[d] = {ToI16(ShiftRounded(steps * k, 15)), ToI32(ShiftRounded(sum * k, 15))};
  }
  const size_t count = shape.elements();
  for (size_t i = 0; i < count; ++i) {
    const Factor& factor = factors[i % depth];
    const int64_t sum = ToI32(in[i] * factor.k + factor.offset) >> (shift - last);
    out[i] = ToU8(ShiftRounded(ToI16(sum), last));
  }
  return call.SetRange(y.min, y.max);
}

}  // namespace nnlib_sim
