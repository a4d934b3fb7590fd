// Pooling, means and resizes.
#include <algorithm>
#include <cmath>
#include <vector>

#include "third_party/nnlib/sim/arithmetic.h"
#include "third_party/nnlib/sim/ops.h"

namespace nnlib_sim {

namespace {

// Inputs: data with its range, window and strides as shapes. `reduce` gets the cells that are in
// the image: the first one, how many rows and columns.
template <typename Reduce>
bool Pool(const Call& call, const Reduce& reduce) {
  const uint8_t* in;
  float min, max;
  if (!call.Codes(0, &in) || !call.Range(1, 2, &min, &max)) return false;
  const Shape& is = call.in(0).shape;
  const Shape& window = call.in(3).shape;
  const Shape& strides = call.in(4).shape;
  if (window.d[0] != 1 || window.d[3] != 1 || window.d[1] == 0 || window.d[2] == 0 ||
      strides.d[0] != 1 || strides.d[3] != 1 || strides.d[1] == 0 || strides.d[2] == 0) {
    return call.Fail("bad window or strides");
  }
  const Window rows = WindowOf(is.d[1], window.d[1], strides.d[1], call.padding());
  const Window columns = WindowOf(is.d[2], window.d[2], strides.d[2], call.padding());
  if (rows.positions < 1 || columns.positions < 1) return call.Fail("the window does not fit");
  Shape os = is;
  os.d[1] = static_cast<uint32_t>(rows.positions);
  os.d[2] = static_cast<uint32_t>(columns.positions);
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out) ||
      !call.Affordable(os,
                       uint64_t{std::min(window.d[1], is.d[1])} * std::min(window.d[2], is.d[2]))) {
    return false;
  }
  const int64_t height = is.d[1], width = is.d[2], depth = is.d[3];
  for (int64_t n = 0; n < is.d[0]; ++n) {
    for (int64_t y = 0; y < rows.positions; ++y) {
      const int64_t top = y * strides.d[1] - rows.before;
      const int64_t r0 = std::max<int64_t>(top, 0), r1 = std::min(top + window.d[1], height);
      for (int64_t x = 0; x < columns.positions; ++x, out += depth) {
        const int64_t left = x * strides.d[2] - columns.before;
        const int64_t c0 = std::max<int64_t>(left, 0), c1 = std::min(left + window.d[2], width);
        if (r0 >= r1 || c0 >= c1) return call.Fail("a window lies outside the image");
        reduce(in + ((n * height + r0) * width + c0) * depth, r1 - r0, c1 - c0, width, depth, out);
      }
    }
  }
  return call.SetRange(min, max);
}

}  // namespace

bool RunAvgPool(const Call& call) {
  std::vector<uint32_t> sums;
  return Pool(call, [&](const uint8_t* cells, int64_t rows, int64_t columns, int64_t width,
                        int64_t depth, uint8_t* out) {
    sums.assign(static_cast<size_t>(depth), 0);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        const uint8_t* cell = cells + (r * width + c) * depth;
        for (int64_t i = 0; i < depth; ++i) sums[static_cast<size_t>(i)] += cell[i];
      }
    }
    const int64_t reciprocal = std::min<int64_t>(0x8000 / (rows * columns), 32767);
    for (int64_t i = 0; i < depth; ++i) {
      out[i] = ToU8((sums[static_cast<size_t>(i)] * reciprocal + 0x4000) >> 15);
    }
  });
}

bool RunMaxPool(const Call& call) {
  return Pool(call, [](const uint8_t* cells, int64_t rows, int64_t columns, int64_t width,
                       int64_t depth, uint8_t* out) {
    std::fill(out, out + depth, uint8_t{0});
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        const uint8_t* cell = cells + (r * width + c) * depth;
        for (int64_t i = 0; i < depth; ++i) out[i] = std::max(out[i], cell[i]);
      }
    }
  });
}

// Inputs: data with its range, axes, range of the output (else the input's).
bool RunMean(const Call& call) {
  const uint8_t* in;
  float in_min, in_max;
  std::vector<int32_t> axes;
  if (!call.Codes(0, &in) || !call.Range(1, 2, &in_min, &in_max) || !call.Ints(3, &axes)) {
    return false;
  }
  if (!MakeZeroExact(&in_min, &in_max, Fixed::kNone)) return call.Fail("the input has no range");
  float out_min = in_min, out_max = in_max;
  if (call.input_count() == 6 && !call.Range(4, 5, &out_min, &out_max)) return false;
  if (call.input_count() == 5) return call.Fail("the output's least value without its greatest");
  const Shape& is = call.in(0).shape;
  bool reduced[4] = {};
  for (int32_t axis : axes) {
    if (axis < -4 || axis > 3) return call.Fail("there is no axis %d", axis);
    reduced[axis < 0 ? axis + 4 : axis] = true;
  }
  Shape os = is;
  int64_t count = 1;
  for (int i = 0; i < 4; ++i) {
    if (!reduced[i]) continue;
    count *= is.d[i];
    os.d[i] = 1;
  }
  if (count > (1 << 23)) return call.Fail("the mean of %lld codes", static_cast<long long>(count));
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out)) return false;
  std::vector<int64_t> sums(os.elements());
  for (uint32_t b = 0; b < is.d[0]; ++b) {
    for (uint32_t h = 0; h < is.d[1]; ++h) {
      for (uint32_t w = 0; w < is.d[2]; ++w) {
        for (uint32_t d = 0; d < is.d[3]; ++d) {
          const size_t at =
              ((size_t{reduced[0] ? 0 : b} * os.d[1] + (reduced[1] ? 0 : h)) * os.d[2] +
               (reduced[2] ? 0 : w)) *
                  os.d[3] +
              (reduced[3] ? 0 : d);
          sums[at] += *in++;
        }
      }
    }
  }
  const Grid from = GridOf(in_min, in_max), to = GridOf(out_min, out_max);
  const float real = std::min(0.99999f, from.step / (to.step * static_cast<float>(count)));
  if (!(real > 0.0f) || Exponent(real) < -31) return call.Fail("the scale is too small");
  const int shift = -Exponent(real);
  const int64_t mantissa = static_cast<int64_t>(real * PowerOfTwo(shift) * 2147483648.0f);
  for (size_t i = 0; i < sums.size(); ++i) {
    const int64_t product = ((sums[i] - from.zero * count) * mantissa + (int64_t{1} << 30)) >> 31;
    // The nearest, halves away from zero.
    const int64_t mask = (int64_t{1} << shift) - 1;
    const int64_t rest = product & mask;
    const int64_t threshold = (mask >> 1) + (product < 0 ? 1 : 0);
    out[i] = ToU8((product >> shift) + (rest > threshold ? 1 : 0) + to.zero);
  }
  return call.SetRange(out_min, out_max);
}

namespace {

struct Resize {
  const uint8_t* in;
  uint8_t* out;
  int64_t batches, height, width, depth, rows, columns;
  float row_scale, column_scale;
  bool align_corners;
  float min, max;
};

// Inputs: data, new height and width, range, align_corners.
bool ResizeOf(const Call& call, Resize* r) {
  std::vector<int32_t> size;
  int32_t align = 0;
  if (!call.Codes(0, &r->in) || !call.Ints(1, &size) || !call.Range(2, 3, &r->min, &r->max) ||
      (call.input_count() > 4 && !call.Int(4, &align))) {
    return false;
  }
  if (size.size() != 2 || size[0] < 1 || size[1] < 1) return call.Fail("bad new size");
  Shape os = call.in(0).shape;
  r->batches = os.d[0];
  r->height = os.d[1];
  r->width = os.d[2];
  r->depth = os.d[3];
  r->rows = size[0];
  r->columns = size[1];
  os.d[1] = static_cast<uint32_t>(size[0]);
  os.d[2] = static_cast<uint32_t>(size[1]);
  r->align_corners = align != 0;
  if (r->align_corners && r->rows > 1 && r->columns > 1) {
    r->row_scale = static_cast<float>(r->height - 1) / static_cast<float>(r->rows - 1);
    r->column_scale = static_cast<float>(r->width - 1) / static_cast<float>(r->columns - 1);
  } else {
    r->row_scale = static_cast<float>(r->height) / static_cast<float>(r->rows);
    r->column_scale = static_cast<float>(r->width) / static_cast<float>(r->columns);
  }
  return call.Shaped(0, os, 1, &r->out);
}

float Between(float a, float b, float share) { return a + (b - a) * share; }

}  // namespace

bool RunResizeBilinear(const Call& call) {
  Resize r;
  if (!ResizeOf(call, &r)) return false;
  if (r.align_corners && (r.rows < 2 || r.columns < 2)) {
    return call.Fail("align_corners needs at least two rows and columns");
  }
  for (int64_t n = 0; n < r.batches; ++n) {
    const uint8_t* image = r.in + n * r.height * r.width * r.depth;
    for (int64_t y = 0; y < r.rows; ++y) {
      const float py = static_cast<float>(y) * r.row_scale;
      const int64_t y0 = std::min(static_cast<int64_t>(py), r.height - 1);
      const int64_t y1 = std::min(static_cast<int64_t>(py) + 1, r.height - 1);
      const float v = py - std::floor(py);
      for (int64_t x = 0; x < r.columns; ++x, r.out += r.depth) {
        const float px = static_cast<float>(x) * r.column_scale;
        const int64_t x0 = std::min(static_cast<int64_t>(px), r.width - 1);
        const int64_t x1 = std::min(static_cast<int64_t>(px) + 1, r.width - 1);
        const float u = px - std::floor(px);
        for (int64_t i = 0; i < r.depth; ++i) {
          const auto code = [&](int64_t row, int64_t column) {
            return static_cast<float>(image[(row * r.width + column) * r.depth + i]);
          };
          const float top = Between(code(y0, x0), code(y0, x1), u);
          const float bottom = Between(code(y1, x0), code(y1, x1), u);
          r.out[i] = ToU8(static_cast<int64_t>(Between(top, bottom, v) + 0.5f));
        }
      }
    }
  }
  return call.SetRange(r.min, r.max);
}

bool RunResizeNearest(const Call& call) {
  Resize r;
  if (!ResizeOf(call, &r)) return false;
  const auto at = [&](int64_t i, float scale, int64_t size) {
    const float p = static_cast<float>(i) * scale;
    const int64_t nearest =
        r.align_corners ? std::llround(static_cast<double>(p)) : static_cast<int64_t>(p);
    return std::min(nearest, size - 1);
  };
  for (int64_t n = 0; n < r.batches; ++n) {
    for (int64_t y = 0; y < r.rows; ++y) {
      const int64_t row = at(y, r.row_scale, r.height);
      for (int64_t x = 0; x < r.columns; ++x, r.out += r.depth) {
        const int64_t column = at(x, r.column_scale, r.width);
        const uint8_t* cell = r.in + ((n * r.height + row) * r.width + column) * r.depth;
        std::copy(cell, cell + r.depth, r.out);
      }
    }
  }
  return call.SetRange(r.min, r.max);
}

}  // namespace nnlib_sim
