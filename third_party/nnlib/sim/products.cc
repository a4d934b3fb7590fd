// Convolutions and matrix products: 8-bit codes into 32-bit sums, a 32-bit bias, 8-bit codes out.
#include <algorithm>
#include <cmath>
#include <vector>

#include "third_party/nnlib/sim/arithmetic.h"
#include "third_party/nnlib/sim/ops.h"

namespace nnlib_sim {

namespace {

// More could leave int32.
constexpr uint64_t kMostTerms = 33025;

// From sums to codes.
struct Scaling {
  Grid in, filter;
  float out_min, out_max;
  Multiplier multiplier;
  // Per output channel: bias and the output's least value, in steps of the product.
  std::vector<int64_t> offset;
};

bool Scale(const Call& call, size_t bias_input, size_t channels, Scaling* s) {
  float in_min, in_max, filter_min, filter_max, bias_min, bias_max;
  if (!call.Range(2, 3, &in_min, &in_max) || !call.Range(4, 5, &filter_min, &filter_max) ||
      !call.Float(bias_input + 1, &bias_min) || !call.Float(bias_input + 2, &bias_max) ||
      !call.Range(bias_input + 3, bias_input + 4, &s->out_min, &s->out_max)) {
    return false;
  }
  std::vector<int32_t> bias;
  if (!call.Ints(bias_input, &bias)) return false;
  if (bias.size() != channels) {
    return call.Fail("%zu biases for %zu channels", bias.size(), channels);
  }
  s->in = GridOf(in_min, in_max);
  s->filter = GridOf(filter_min, filter_max);
  const float product = s->in.step * s->filter.step;
  if (!(product >= 1e-37f) || !MakeZeroExact(&s->out_min, &s->out_max, Fixed::kBoth)) {
    return call.Fail("the ranges of the operands or of the output are too small");
  }
  const float step = (s->out_max - s->out_min) / 255.0f;
  const float scale = product / step;
  if (!(scale > 0.0f) || !(scale < 16777216.0f)) {
    return call.Fail("steps of the product are %g steps of the output", static_cast<double>(scale));
  }
  s->multiplier.shift = scale <= 1.0f ? 0 : Exponent(scale);
  s->multiplier.mantissa = std::min<int64_t>(
      static_cast<int64_t>(scale * PowerOfTwo(31 - s->multiplier.shift) + 0.5f), 0x7fffffff);
  const float bias_step = (bias_max - bias_min) / 4294967296.0f;
  const float ratio = bias_step / product;
  const float least = -s->out_min / product;
  for (size_t c = 0; c < channels; ++c) {
    const float value = static_cast<float>(bias[c]) * ratio + least;
    if (!(std::fabs(value) < 2147483648.0f)) {
      return call.Fail("the bias of channel %zu leaves int32", c);
    }
    s->offset.push_back(std::llround(static_cast<double>(value)));
  }
  return true;
}

// Codes less the zero code.
std::vector<int16_t> Centred(const uint8_t* codes, size_t count, int32_t zero) {
  std::vector<int16_t> centred(count);
  for (size_t i = 0; i < count; ++i) centred[i] = static_cast<int16_t>(codes[i] - zero);
  return centred;
}

void Store(const Scaling& s, const int32_t* sums, size_t channels, uint8_t* out) {
  for (size_t c = 0; c < channels; ++c) {
    out[c] = s.multiplier.Apply(int64_t{sums[c]} + s.offset[c]);
  }
}

bool Strides(const Call& call, size_t input, int64_t* rows, int64_t* columns) {
  const Shape& s = call.in(input).shape;
  if (s.d[0] != 1 || s.d[3] != 1 || s.d[1] == 0 || s.d[2] == 0) {
    return call.Fail("strides of the shape %ux%ux%ux%u", s.d[0], s.d[1], s.d[2], s.d[3]);
  }
  *rows = s.d[1];
  *columns = s.d[2];
  return true;
}

}  // namespace

Window WindowOf(int64_t size, int64_t window, int64_t stride, unsigned padding) {
  Window result;
  if (stride < 1) return result;
  const int64_t spare = size - window;
  if (padding == NN_PAD_VALID) {
    if (spare >= 0) result.positions = spare / stride + 1;
    return result;
  }
  if (padding != NN_PAD_NA && padding != NN_PAD_SAME && padding != NN_PAD_SAME_CAFFE) {
    return result;
  }
  result.positions = (padding == NN_PAD_NA ? size : size + stride - 1) / stride;
  if (result.positions < 1) {
    result.positions = 0;
    return result;
  }
  const int64_t pad = (result.positions - 1) * stride - spare;
  // An odd cell is behind the image, with Caffe's rule before it.
  if (pad > 0) result.before = (padding == NN_PAD_SAME_CAFFE ? pad + 1 : pad) / 2;
  return result;
}

// Inputs: data, filter [H, W, I, O], ranges of both, strides, bias with its range, range of the
// output.
bool RunSupernode(const Call& call) {
  const uint8_t *in, *filter;
  int64_t stride_h = 1, stride_w = 1;
  if (!call.Codes(0, &in) || !call.Codes(1, &filter) || !Strides(call, 6, &stride_h, &stride_w)) {
    return false;
  }
  const Shape& is = call.in(0).shape;
  const Shape& fs = call.in(1).shape;
  const int64_t height = is.d[1], width = is.d[2], depth = is.d[3];
  const int64_t kh = fs.d[0], kw = fs.d[1], channels = fs.d[3];
  if (fs.d[2] != is.d[3])
    return call.Fail("depth %u of the filter, %u of the data", fs.d[2], is.d[3]);
  if (uint64_t{fs.d[0]} * fs.d[1] * fs.d[2] > kMostTerms)
    return call.Fail("the filter is too large");
  const Window rows = WindowOf(height, kh, stride_h, call.padding());
  const Window columns = WindowOf(width, kw, stride_w, call.padding());
  if (rows.positions < 1 || columns.positions < 1) return call.Fail("the filter does not fit");
  Scaling s;
  if (!Scale(call, 7, static_cast<size_t>(channels), &s)) return false;
  Shape os;
  os.d[0] = is.d[0];
  os.d[1] = static_cast<uint32_t>(rows.positions);
  os.d[2] = static_cast<uint32_t>(columns.positions);
  os.d[3] = fs.d[3];
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out) || !call.Affordable(os, fs.elements() / os.d[3])) return false;
  const std::vector<int16_t> weights = Centred(filter, fs.elements(), s.filter.zero);
  std::vector<int32_t> sums(static_cast<size_t>(channels));
  for (int64_t n = 0; n < is.d[0]; ++n) {
    for (int64_t y = 0; y < rows.positions; ++y) {
      for (int64_t x = 0; x < columns.positions; ++x) {
        std::fill(sums.begin(), sums.end(), 0);
        for (int64_t ky = 0; ky < kh; ++ky) {
          const int64_t row = y * stride_h - rows.before + ky;
          if (row < 0 || row >= height) continue;
          for (int64_t kx = 0; kx < kw; ++kx) {
            const int64_t column = x * stride_w - columns.before + kx;
            if (column < 0 || column >= width) continue;
            const uint8_t* cell = in + ((n * height + row) * width + column) * depth;
            const int16_t* w = weights.data() + (ky * kw + kx) * depth * channels;
            for (int64_t i = 0; i < depth; ++i, w += channels) {
              const int32_t value = cell[i] - s.in.zero;
              if (value == 0) continue;
              int32_t* sum = sums.data();
              for (int64_t c = 0; c < channels; ++c) sum[c] += value * w[c];
            }
          }
        }
        Store(s, sums.data(), sums.size(), out);
        out += channels;
      }
    }
  }
  return call.SetRange(s.out_min, s.out_max);
}

// As RunSupernode with a filter [H, W, C, M]; output channel c * M + m.
bool RunDepthwiseSupernode(const Call& call) {
  const uint8_t *in, *filter;
  int64_t stride_h = 1, stride_w = 1;
  if (!call.Codes(0, &in) || !call.Codes(1, &filter) || !Strides(call, 6, &stride_h, &stride_w)) {
    return false;
  }
  if (stride_w > 2) return call.Fail("depthwise strides along rows are 1 or 2");
  const Shape& is = call.in(0).shape;
  const Shape& fs = call.in(1).shape;
  const int64_t height = is.d[1], width = is.d[2], depth = is.d[3];
  const int64_t kh = fs.d[0], kw = fs.d[1], multiple = fs.d[3];
  if (fs.d[2] != is.d[3])
    return call.Fail("depth %u of the filter, %u of the data", fs.d[2], is.d[3]);
  if (uint64_t{fs.d[0]} * fs.d[1] > kMostTerms) return call.Fail("the filter is too large");
  const Window rows = WindowOf(height, kh, stride_h, call.padding());
  const Window columns = WindowOf(width, kw, stride_w, call.padding());
  if (rows.positions < 1 || columns.positions < 1) return call.Fail("the filter does not fit");
  const int64_t channels = depth * multiple;
  if (channels > INT32_MAX) return call.Fail("too many channels");
  Scaling s;
  if (!Scale(call, 7, static_cast<size_t>(channels), &s)) return false;
  Shape os;
  os.d[0] = is.d[0];
  os.d[1] = static_cast<uint32_t>(rows.positions);
  os.d[2] = static_cast<uint32_t>(columns.positions);
  os.d[3] = static_cast<uint32_t>(channels);
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out) || !call.Affordable(os, fs.elements() / os.d[3])) return false;
  const std::vector<int16_t> weights = Centred(filter, fs.elements(), s.filter.zero);
  std::vector<int32_t> sums(static_cast<size_t>(channels));
  for (int64_t n = 0; n < is.d[0]; ++n) {
    for (int64_t y = 0; y < rows.positions; ++y) {
      for (int64_t x = 0; x < columns.positions; ++x) {
        std::fill(sums.begin(), sums.end(), 0);
        for (int64_t ky = 0; ky < kh; ++ky) {
          const int64_t row = y * stride_h - rows.before + ky;
          if (row < 0 || row >= height) continue;
          for (int64_t kx = 0; kx < kw; ++kx) {
            const int64_t column = x * stride_w - columns.before + kx;
            if (column < 0 || column >= width) continue;
            const uint8_t* cell = in + ((n * height + row) * width + column) * depth;
            const int16_t* w = weights.data() + (ky * kw + kx) * channels;
            int32_t* sum = sums.data();
            if (multiple == 1) {
              for (int64_t c = 0; c < depth; ++c) sum[c] += (cell[c] - s.in.zero) * w[c];
            } else {
              for (int64_t c = 0; c < channels; ++c) {
                sum[c] += (cell[c / multiple] - s.in.zero) * w[c];
              }
            }
          }
        }
        Store(s, sums.data(), sums.size(), out);
        out += channels;
      }
    }
  }
  return call.SetRange(s.out_min, s.out_max);
}

// Inputs: data, filter [1, 1, K, O] (or [H, W, D, O] with H·W·D = K), ranges of both, bias with its
// range, range of the output. The data are rows of K codes; the output is [1, 1, rows, O].
bool RunSuperFc(const Call& call) {
  const uint8_t *in, *filter;
  if (!call.Codes(0, &in) || !call.Codes(1, &filter)) return false;
  const Shape& fs = call.in(1).shape;
  const uint64_t terms = uint64_t{fs.d[0]} * fs.d[1] * fs.d[2];
  const size_t channels = fs.d[3];
  if (terms > kMostTerms) return call.Fail("the filter is too large");
  const uint64_t codes = call.in(0).shape.elements();
  const uint64_t rows = codes / terms;
  if (rows * terms != codes) {
    return call.Fail("%llu codes are not rows of %llu", static_cast<unsigned long long>(codes),
                     static_cast<unsigned long long>(terms));
  }
  Scaling s;
  if (!Scale(call, 6, channels, &s)) return false;
  Shape os;
  os.d[2] = static_cast<uint32_t>(rows);
  os.d[3] = fs.d[3];
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out) || !call.Affordable(os, fs.elements() / os.d[3])) return false;
  const std::vector<int16_t> weights = Centred(filter, fs.elements(), s.filter.zero);
  std::vector<int32_t> sums(channels);
  for (uint64_t row = 0; row < rows; ++row, in += terms, out += channels) {
    std::fill(sums.begin(), sums.end(), 0);
    const int16_t* w = weights.data();
    for (uint64_t k = 0; k < terms; ++k, w += channels) {
      const int32_t value = in[k] - s.in.zero;
      if (value == 0) continue;
      for (size_t c = 0; c < channels; ++c) sums[c] += value * w[c];
    }
    Store(s, sums.data(), channels, out);
  }
  return call.SetRange(s.out_min, s.out_max);
}

// Inputs: data, filter [O, H, W, I], ranges of both, paddings [top, bottom, left, right], strides,
// bias with its range, range of the output. Output row = input row · stride + filter row − top.
bool RunTransposeConv(const Call& call) {
  const uint8_t *in, *filter;
  int64_t stride_h = 1, stride_w = 1;
  std::vector<int32_t> pads;
  if (!call.Codes(0, &in) || !call.Codes(1, &filter) || !call.Ints(6, &pads) ||
      !Strides(call, 7, &stride_h, &stride_w)) {
    return false;
  }
  if (pads.size() != 4) return call.Fail("%zu paddings, not 4", pads.size());
  for (int32_t pad : pads) {
    if (pad < 0 || pad > (1 << 20)) return call.Fail("a padding of %d", pad);
  }
  if (stride_h > (1 << 16) || stride_w > (1 << 16)) return call.Fail("the strides are too large");
  const Shape& is = call.in(0).shape;
  const Shape& fs = call.in(1).shape;
  const int64_t height = is.d[1], width = is.d[2], depth = is.d[3];
  const int64_t channels = fs.d[0], kh = fs.d[1], kw = fs.d[2];
  if (fs.d[3] != is.d[3])
    return call.Fail("depth %u of the filter, %u of the data", fs.d[3], is.d[3]);
  if (uint64_t{fs.d[1]} * fs.d[2] * fs.d[3] > kMostTerms)
    return call.Fail("the filter is too large");
  const int64_t out_h = (height - 1) * stride_h + kh - pads[0] - pads[1];
  const int64_t out_w = (width - 1) * stride_w + kw - pads[2] - pads[3];
  if (out_h < 1 || out_w < 1 || out_h > INT32_MAX || out_w > INT32_MAX) {
    return call.Fail("the output has no size");
  }
  Scaling s;
  if (!Scale(call, 8, static_cast<size_t>(channels), &s)) return false;
  Shape os;
  os.d[0] = is.d[0];
  os.d[1] = static_cast<uint32_t>(out_h);
  os.d[2] = static_cast<uint32_t>(out_w);
  os.d[3] = fs.d[0];
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out) || !call.Affordable(os, fs.elements() / os.d[3])) return false;
  const std::vector<int16_t> weights = Centred(filter, fs.elements(), s.filter.zero);
  // A row of the output at a time.
  std::vector<int32_t> sums(static_cast<size_t>(out_w * channels));
  for (int64_t n = 0; n < is.d[0]; ++n) {
    for (int64_t y = 0; y < out_h; ++y) {
      std::fill(sums.begin(), sums.end(), 0);
      for (int64_t ky = 0; ky < kh; ++ky) {
        const int64_t from = y + pads[0] - ky;
        if (from < 0 || from % stride_h != 0 || from / stride_h >= height) continue;
        const uint8_t* cell = in + (n * height + from / stride_h) * width * depth;
        for (int64_t column = 0; column < width; ++column, cell += depth) {
          for (int64_t kx = 0; kx < kw; ++kx) {
            const int64_t x = column * stride_w + kx - pads[2];
            if (x < 0 || x >= out_w) continue;
            int32_t* sum = sums.data() + x * channels;
            for (int64_t c = 0; c < channels; ++c) {
              const int16_t* w = weights.data() + ((c * kh + ky) * kw + kx) * depth;
              int32_t dot = 0;
              for (int64_t i = 0; i < depth; ++i) dot += (cell[i] - s.in.zero) * w[i];
              sum[c] += dot;
            }
          }
        }
      }
      for (int64_t x = 0; x < out_w; ++x, out += channels) {
        Store(s, sums.data() + x * channels, static_cast<size_t>(channels), out);
      }
    }
  }
  return call.SetRange(s.out_min, s.out_max);
}

}  // namespace nnlib_sim
