// Operators that move codes.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "third_party/nnlib/sim/arithmetic.h"
#include "third_party/nnlib/sim/ops.h"

namespace nnlib_sim {

namespace {

// An axis counted from either end.
bool Axis(const Call& call, size_t input, int* axis) {
  int32_t given;
  if (!call.Int(input, &given)) return false;
  if (given < -4 || given > 3) return call.Fail("there is no axis %d", given);
  *axis = given < 0 ? given + 4 : given;
  return true;
}

// Products of the dimensions before and behind an axis.
void Around(const Shape& s, int axis, size_t* outer, size_t* inner) {
  *outer = *inner = 1;
  for (int i = 0; i < axis; ++i) *outer *= s.d[i];
  for (int i = axis + 1; i < 4; ++i) *inner *= s.d[i];
}

// Output cell to input cell, or to `fill`; `from` gives input coordinates and whether they are
// inside.
template <typename From>
void Gather(const Shape& is, const Shape& os, const uint8_t* in, uint8_t* out, uint8_t fill,
            const From& from) {
  std::array<int64_t, 4> at;
  for (at[0] = 0; at[0] < os.d[0]; ++at[0]) {
    for (at[1] = 0; at[1] < os.d[1]; ++at[1]) {
      for (at[2] = 0; at[2] < os.d[2]; ++at[2]) {
        for (at[3] = 0; at[3] < os.d[3]; ++at[3]) {
          const std::array<int64_t, 4> source = from(at);
          bool inside = true;
          for (size_t i = 0; i < 4; ++i) {
            inside = inside && source[i] >= 0 && source[i] < int64_t{is.d[i]};
          }
          *out++ = inside ? in[((source[0] * is.d[1] + source[1]) * is.d[2] + source[2]) * is.d[3] +
                               source[3]]
                          : fill;
        }
      }
    }
  }
}

}  // namespace

// Inputs: axis, data …, least values …, greatest values …. The output's range is the union.
bool RunConcat(const Call& call) {
  int axis = 0;
  const size_t count = (call.input_count() - 1) / 3;
  if (count * 3 + 1 != call.input_count()) return call.Fail("inputs are not data and ranges");
  if (!Axis(call, 0, &axis)) return false;
  Shape os = call.in(1).shape;
  uint64_t total = 0;
  float out_min = 0.0f, out_max = 0.0f;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* in;
    float min, max;
    if (!call.Codes(1 + i, &in) || !call.Range(1 + count + i, 1 + 2 * count + i, &min, &max)) {
      return false;
    }
    for (int k = 0; k < 4; ++k) {
      if (k != axis && call.in(1 + i).shape.d[k] != os.d[k]) {
        return call.Fail("input %zu has another size on axis %d", i, k);
      }
    }
    total += call.in(1 + i).shape.d[axis];
    out_min = i == 0 ? min : std::fmin(out_min, min);
    out_max = i == 0 ? max : std::fmax(out_max, max);
  }
  if (total > UINT32_MAX) return call.Fail("the output is too large");
  MakeZeroExact(&out_min, &out_max, Fixed::kNone);
  os.d[axis] = static_cast<uint32_t>(total);
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out)) return false;
  const float per_step = 255.0f / (out_max - out_min);
  size_t outer, inner;
  Around(os, axis, &outer, &inner);
  size_t before = 0;
  for (size_t i = 0; i < count; ++i) {
    float min, max;
    call.Range(1 + count + i, 1 + 2 * count + i, &min, &max);
    const float step = (max - min) / 255.0f;
    const int64_t offset = std::max(0, RoundToInt((min - out_min) / step));
    const int32_t wanted = RoundToInt(per_step * step * 32768.0f);
    const int64_t gain = std::min(wanted, 32767);
    const bool same = offset == 0 && wanted >= 0x7fc0;
    uint8_t table[256];
    for (int q = 0; q < 256; ++q) {
      table[q] = same ? static_cast<uint8_t>(q) : ToU8(((q + offset) * gain + (1 << 14)) >> 15);
    }
    const Tensor& tensor = call.in(1 + i);
    const size_t run = tensor.shape.d[axis] * inner;
    for (size_t o = 0; o < outer; ++o) {
      const uint8_t* from = tensor.data.data() + o * run;
      uint8_t* to = out + o * total * inner + before;
      for (size_t k = 0; k < run; ++k) to[k] = table[from[k]];
    }
    before += run;
  }
  return call.SetRange(out_min, out_max);
}

// Inputs: data, new shape (one of its sizes may be −1), range.
bool RunReshape(const Call& call) {
  const uint8_t* in;
  std::vector<int32_t> wanted;
  float min, max;
  if (!call.Codes(0, &in) || !call.Ints(1, &wanted) || !call.Range(2, 3, &min, &max)) return false;
  if (wanted.empty() || wanted.size() > 4) return call.Fail("a shape of %zu sizes", wanted.size());
  const uint64_t elements = call.in(0).shape.elements();
  Shape os;
  int open = -1;
  uint64_t known = 1;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const int at = static_cast<int>(4 - wanted.size() + i);
    if (wanted[i] < 0) {
      if (open >= 0) return call.Fail("two sizes are open");
      open = at;
      continue;
    }
    os.d[at] = static_cast<uint32_t>(wanted[i]);
    known *= os.d[at];
    if (known == 0 || known > elements) return call.Fail("the new shape has another size");
  }
  if (open >= 0) {
    os.d[open] = static_cast<uint32_t>(elements / known);
    known *= os.d[open];
  }
  if (known != elements) return call.Fail("the new shape has another size");
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out)) return false;
  std::copy(in, in + elements, out);
  return call.SetRange(min, max);
}

// Inputs: data with its range, paddings [1, 1, n, 2] of the last n axes, real value.
bool RunPad(const Call& call) {
  const uint8_t* in;
  float min, max, value = 0.0f;
  std::vector<int32_t> pads;
  if (!call.Codes(0, &in) || !call.Range(1, 2, &min, &max) || !call.Ints(3, &pads) ||
      (call.input_count() > 4 && !call.Float(4, &value))) {
    return false;
  }
  if (pads.empty() || pads.size() % 2 != 0 || pads.size() > 8) {
    return call.Fail("%zu paddings", pads.size());
  }
  uint8_t fill;
  if (std::isinf(value)) {
    fill = value < 0.0f ? 0 : 255;
  } else {
    const int32_t code = RoundToInt(255.0f * (value - min) / (max - min));
    if (code < -2 || code > 257) return call.Fail("the value is outside the range of the data");
    fill = ToU8(code);
  }
  const Shape& is = call.in(0).shape;
  Shape os = is;
  std::array<int64_t, 4> before = {};
  const size_t axes = pads.size() / 2;
  for (size_t i = 0; i < axes; ++i) {
    const size_t at = 4 - axes + i;
    if (pads[2 * i] < 0 || pads[2 * i + 1] < 0) return call.Fail("a negative padding");
    before[at] = pads[2 * i];
    const uint64_t size = uint64_t{is.d[at]} + static_cast<uint64_t>(pads[2 * i]) +
                          static_cast<uint64_t>(pads[2 * i + 1]);
    if (size > UINT32_MAX) return call.Fail("the output is too large");
    os.d[at] = static_cast<uint32_t>(size);
  }
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out)) return false;
  Gather(is, os, in, out, fill, [&](std::array<int64_t, 4> at) {
    for (size_t i = 0; i < 4; ++i) at[i] -= before[i];
    return at;
  });
  return call.SetRange(min, max);
}

// Inputs: axis, data with its range. Outputs: equal parts, then one range.
bool RunSplit(const Call& call) {
  int axis = 0;
  const uint8_t* in;
  float min, max;
  if (!Axis(call, 0, &axis) || !call.Codes(1, &in) || !call.Range(2, 3, &min, &max)) return false;
  const size_t parts = call.output_count() - 2;
  Shape os = call.in(1).shape;
  if (os.d[axis] % parts != 0) return call.Fail("%u into %zu parts", os.d[axis], parts);
  os.d[axis] = static_cast<uint32_t>(os.d[axis] / parts);
  size_t outer, inner;
  Around(os, axis, &outer, &inner);
  const size_t run = os.d[axis] * inner;
  for (size_t part = 0; part < parts; ++part) {
    uint8_t* out;
    if (!call.Shaped(part, os, 1, &out)) return false;
    for (size_t o = 0; o < outer; ++o) {
      const uint8_t* from = in + (o * parts + part) * run;
      std::copy(from, from + run, out + o * run);
    }
  }
  return call.SetFloat(parts, min) && call.SetFloat(parts + 1, max);
}

// Inputs: data, begin, end, step of the last n axes, masks, range. The masks must be 0: begins and
// ends are resolved by whoever made the graph.
bool RunStridedSlice(const Call& call) {
  const uint8_t* in;
  float min, max;
  std::vector<int32_t> begin, end, step;
  if (!call.Codes(0, &in) || !call.Ints(1, &begin) || !call.Ints(2, &end) || !call.Ints(3, &step) ||
      !call.Range(7, 8, &min, &max)) {
    return false;
  }
  for (size_t i = 4; i < 7; ++i) {
    int32_t mask;
    if (!call.Int(i, &mask)) return false;
    if (mask != 0) return call.Fail("masks are not supported");
  }
  if (begin.empty() || begin.size() > 4 || end.size() != begin.size() ||
      step.size() != begin.size()) {
    return call.Fail("begin, end and step differ in size");
  }
  const Shape& is = call.in(0).shape;
  Shape os = is;
  std::array<int64_t, 4> first = {}, stride = {1, 1, 1, 1};
  for (size_t i = 0; i < begin.size(); ++i) {
    const size_t at = 4 - begin.size() + i;
    const int64_t b = begin[i], e = end[i], s = step[i];
    if (s == 0) return call.Fail("a step of 0");
    const int64_t count = s > 0 ? (e - b + s - 1) / s : (b - e - s - 1) / -s;
    if (count < 1 || b < 0 || b >= is.d[at] || b + (count - 1) * s < 0 ||
        b + (count - 1) * s >= is.d[at]) {
      return call.Fail("the slice leaves the data");
    }
    first[at] = b;
    stride[at] = s;
    os.d[at] = static_cast<uint32_t>(count);
  }
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out)) return false;
  Gather(is, os, in, out, 0, [&](std::array<int64_t, 4> at) {
    for (size_t i = 0; i < 4; ++i) at[i] = first[i] + at[i] * stride[i];
    return at;
  });
  return call.SetRange(min, max);
}

// Inputs: data, permutation of the last n axes, range. Output axis i is input axis perm[i].
bool RunTranspose(const Call& call) {
  const uint8_t* in;
  float min, max;
  std::vector<int32_t> perm;
  if (!call.Codes(0, &in) || !call.Ints(1, &perm) || !call.Range(2, 3, &min, &max)) return false;
  if (perm.empty() || perm.size() > 4) return call.Fail("a permutation of %zu axes", perm.size());
  const size_t skipped = 4 - perm.size();
  std::array<size_t, 4> axis = {0, 1, 2, 3};
  std::array<bool, 4> seen = {};
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] < 0 || static_cast<size_t>(perm[i]) >= perm.size() ||
        seen[static_cast<size_t>(perm[i])]) {
      return call.Fail("not a permutation");
    }
    seen[static_cast<size_t>(perm[i])] = true;
    axis[skipped + i] = skipped + static_cast<size_t>(perm[i]);
  }
  const Shape& is = call.in(0).shape;
  Shape os;
  for (size_t i = 0; i < 4; ++i) os.d[i] = is.d[axis[i]];
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out)) return false;
  Gather(is, os, in, out, 0, [&](const std::array<int64_t, 4>& at) {
    std::array<int64_t, 4> source;
    for (size_t i = 0; i < 4; ++i) source[axis[i]] = at[i];
    return source;
  });
  return call.SetRange(min, max);
}

namespace {

// Inputs: data, block sizes of rows and columns, pads or crops [1, 1, n, 2], range.
struct Blocks {
  const uint8_t* in;
  float min, max;
  int64_t rows, columns, top, bottom, left, right;
};

bool BlocksOf(const Call& call, Blocks* b) {
  std::vector<int32_t> block, pads;
  if (!call.Codes(0, &b->in) || !call.Ints(1, &block) || !call.Ints(2, &pads) ||
      !call.Range(3, 4, &b->min, &b->max)) {
    return false;
  }
  if (block.empty() || block.size() > 2 || pads.size() != 2 * block.size()) {
    return call.Fail("%zu block sizes and %zu pads", block.size(), pads.size());
  }
  b->rows = block[0];
  b->columns = block.size() == 2 ? block[1] : 1;
  b->top = pads[0];
  b->bottom = pads[1];
  b->left = block.size() == 2 ? pads[2] : 0;
  b->right = block.size() == 2 ? pads[3] : 0;
  for (int32_t pad : pads) {
    if (pad < 0) return call.Fail("a negative pad");
  }
  if (b->rows < 1 || b->columns < 1) return call.Fail("a block without cells");
  return true;
}

bool Fits(int64_t size) { return size >= 1 && size <= INT32_MAX; }

}  // namespace

// Output batch (r · columns + c) · N + n holds rows r and columns c of the blocks of batch n.
bool RunSpaceToBatch(const Call& call) {
  Blocks b;
  if (!BlocksOf(call, &b)) return false;
  const Shape& is = call.in(0).shape;
  const int64_t height = is.d[1] + b.top + b.bottom, width = is.d[2] + b.left + b.right;
  if (height % b.rows != 0 || width % b.columns != 0)
    return call.Fail("blocks do not fill the data");
  if (b.rows > height || b.columns > width || !Fits(b.rows * b.columns) ||
      !Fits(is.d[0] * b.rows * b.columns)) {
    return call.Fail("the blocks are too large");
  }
  Shape os = is;
  os.d[0] = static_cast<uint32_t>(is.d[0] * b.rows * b.columns);
  os.d[1] = static_cast<uint32_t>(height / b.rows);
  os.d[2] = static_cast<uint32_t>(width / b.columns);
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out)) return false;
  Gather(is, os, b.in, out, CodeOf(0.0f, b.min, b.max), [&](const std::array<int64_t, 4>& at) {
    const int64_t cell = at[0] / is.d[0];
    return std::array<int64_t, 4>{at[0] % is.d[0], at[1] * b.rows + cell / b.columns - b.top,
                                  at[2] * b.columns + cell % b.columns - b.left, at[3]};
  });
  return call.SetRange(b.min, b.max);
}

bool RunBatchToSpace(const Call& call) {
  Blocks b;
  if (!BlocksOf(call, &b)) return false;
  const Shape& is = call.in(0).shape;
  if (b.rows > is.d[0] || b.columns > is.d[0] || is.d[0] % (b.rows * b.columns) != 0) {
    return call.Fail("batches are not blocks");
  }
  const int64_t batches = is.d[0] / (b.rows * b.columns);
  const int64_t height = is.d[1] * b.rows - b.top - b.bottom;
  const int64_t width = is.d[2] * b.columns - b.left - b.right;
  if (!Fits(height) || !Fits(width)) return call.Fail("nothing is left");
  Shape os = is;
  os.d[0] = static_cast<uint32_t>(batches);
  os.d[1] = static_cast<uint32_t>(height);
  os.d[2] = static_cast<uint32_t>(width);
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out)) return false;
  Gather(is, os, b.in, out, 0, [&](const std::array<int64_t, 4>& at) {
    const int64_t row = at[1] + b.top, column = at[2] + b.left;
    const int64_t cell = (row % b.rows) * b.columns + column % b.columns;
    return std::array<int64_t, 4>{cell * batches + at[0], row / b.rows, column / b.columns, at[3]};
  });
  return call.SetRange(b.min, b.max);
}

// Inputs: data, side of a block, range. Channel (row · side + column) · C + c of a pixel is channel
// c of the block's pixel.
bool RunDepthToSpace(const Call& call) {
  const uint8_t* in;
  int32_t side;
  float min, max;
  if (!call.Codes(0, &in) || !call.Int(1, &side) || !call.Range(2, 3, &min, &max)) return false;
  const Shape& is = call.in(0).shape;
  if (side < 1 || side > 1 << 12 || is.d[3] % (int64_t{side} * side) != 0 ||
      !Fits(is.d[1] * int64_t{side}) || !Fits(is.d[2] * int64_t{side})) {
    return call.Fail("blocks of %d by %d", side, side);
  }
  Shape os = is;
  os.d[1] = is.d[1] * static_cast<uint32_t>(side);
  os.d[2] = is.d[2] * static_cast<uint32_t>(side);
  os.d[3] = static_cast<uint32_t>(is.d[3] / (int64_t{side} * side));
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out)) return false;
  Gather(is, os, in, out, 0, [&](const std::array<int64_t, 4>& at) {
    return std::array<int64_t, 4>{at[0], at[1] / side, at[2] / side,
                                  (at[1] % side * side + at[2] % side) * int64_t{os.d[3]} + at[3]};
  });
  return call.SetRange(min, max);
}

bool RunSpaceToDepth(const Call& call) {
  const uint8_t* in;
  int32_t side;
  float min, max;
  if (!call.Codes(0, &in) || !call.Int(1, &side) || !call.Range(2, 3, &min, &max)) return false;
  const Shape& is = call.in(0).shape;
  if (side < 1 || side > 1 << 12 || is.d[1] % static_cast<uint32_t>(side) != 0 ||
      is.d[2] % static_cast<uint32_t>(side) != 0 || !Fits(is.d[3] * int64_t{side} * side)) {
    return call.Fail("blocks of %d by %d", side, side);
  }
  Shape os = is;
  os.d[1] = is.d[1] / static_cast<uint32_t>(side);
  os.d[2] = is.d[2] / static_cast<uint32_t>(side);
  os.d[3] = static_cast<uint32_t>(is.d[3] * int64_t{side} * side);
  uint8_t* out;
  if (!call.Shaped(0, os, 1, &out)) return false;
  Gather(is, os, in, out, 0, [&](const std::array<int64_t, 4>& at) {
    const int64_t cell = at[3] / is.d[3];
    return std::array<int64_t, 4>{at[0], at[1] * side + cell / side, at[2] * side + cell % side,
                                  at[3] % is.d[3]};
  });
  return call.SetRange(min, max);
}

}  // namespace nnlib_sim
