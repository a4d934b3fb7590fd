// Operations that put codes elsewhere, means and resizing.
#include <cstring>
#include <utility>
#include <vector>

#include "third_party/apu/sim/arithmetic.h"

namespace {

using Dims = std::vector<int64_t>;

bool Axes(const Call& call, size_t operand, Dims* axes) {
  const int64_t rank = static_cast<int64_t>(call.in(0).dims.size());
  if (!call.Ints(operand, axes)) return false;
  for (int64_t& axis : *axes) {
    if (axis < -rank || axis >= rank) return false;
    if (axis < 0) axis += rank;
  }
  return true;
}

int64_t Product(const Dims& dims, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t i = begin; i < end; ++i) product *= dims[i];
  return product;
}

// Fills the output in order: `source(coordinates)` is the index of the code to take, or −1 for the
// zero code.
template <typename F>
void Gather(const Call& call, F source) {
  const Operand& out = call.out();
  Dims at(out.dims.size(), 0);
  const int64_t count = out.elements();
  for (int64_t k = 0; k < count; ++k) {
    const int64_t from = source(at);
    call.result()[k] = from < 0 ? static_cast<uint8_t>(out.zero) : call.codes(0)[from];
    for (size_t axis = at.size(); axis-- > 0;) {
      if (++at[axis] < out.dims[axis]) break;
      at[axis] = 0;
    }
  }
}

int64_t IndexOf(const Dims& at, const Dims& dims) {
  int64_t index = 0;
  for (size_t i = 0; i < dims.size(); ++i) index = index * dims[i] + at[i];
  return index;
}

int Concatenation(const Call& call) {
  const size_t parts = call.input_count() - 1;
  int64_t axis;
  if (call.input_count() < 2 || !call.Int(parts, &axis) || !call.IsCodes(call.out()))
    return NEURON_BAD_DATA;
  const Operand& out = call.out();
  const int64_t rank = static_cast<int64_t>(out.dims.size());
  if (axis < -rank || axis >= rank) return NEURON_BAD_DATA;
  const size_t along = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  int64_t total = 0;
  for (size_t i = 0; i < parts; ++i) {
    if (!call.Codes(i) || call.in(i).dims.size() != out.dims.size()) return NEURON_BAD_DATA;
    Dims dims = call.in(i).dims;
    total += dims[along];
    dims[along] = out.dims[along];
    if (dims != out.dims) return NEURON_BAD_DATA;
    // Steps so far apart that binary32 has no factor between them.
    if (!std::isfinite(255.0f * (call.in(i).scale * (1.0f / out.scale)))) return NEURON_BAD_DATA;
  }
  if (total != out.dims[along]) return NEURON_BAD_DATA;
  if (call.checking()) return NEURON_NO_ERROR;
  const int64_t outer = Product(out.dims, 0, along);
  const int64_t row = Product(out.dims, along, out.dims.size());
  int64_t start = 0;
  for (size_t i = 0; i < parts; ++i) {
    const Operand& in = call.in(i);
    const int64_t length = Product(in.dims, along, in.dims.size());
    uint8_t table[256];
    const float inverse = 1.0f / out.scale;
    const float scale = in.scale * inverse;
    const float bias = -static_cast<float>(in.zero) * scale;
    for (int q = 0; q < 256; ++q) {
      const float scaled = static_cast<float>(q) * scale;
      table[q] = call.SameGrid(in, out) ? static_cast<uint8_t>(q)
                                        : ToCode(static_cast<double>(scaled + bias), out.zero);
    }
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t k = 0; k < length; ++k) {
        call.result()[o * row + start + k] = table[call.codes(i)[o * length + k]];
      }
    }
    start += length;
  }
  return NEURON_NO_ERROR;
}

int Split(const Call& call) {
  Dims axes;
  int64_t axis, parts;
  if (call.input_count() != 3 || !call.Codes(0) || !call.Int(1, &axis) || !call.Int(2, &parts))
    return NEURON_BAD_DATA;
  const Operand& in = call.in(0);
  const int64_t rank = static_cast<int64_t>(in.dims.size());
  if (axis < -rank || axis >= rank || parts != static_cast<int64_t>(call.output_count()))
    return NEURON_BAD_DATA;
  const size_t along = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  Dims dims = in.dims;
  if (dims[along] % parts != 0) return NEURON_BAD_DATA;
  dims[along] /= parts;
  for (size_t i = 0; i < call.output_count(); ++i) {
    if (!call.IsCodes(call.out(i)) || call.out(i).dims != dims || !call.SameGrid(in, call.out(i)))
      return NEURON_BAD_DATA;
  }
  if (call.checking()) return NEURON_NO_ERROR;
  const int64_t outer = Product(dims, 0, along), length = Product(dims, along, dims.size());
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < parts; ++i) {
      std::memcpy(call.result(static_cast<size_t>(i)) + o * length,
                  call.codes(0) + (o * parts + i) * length, static_cast<size_t>(length));
    }
  }
  return NEURON_NO_ERROR;
}

int Mean(const Call& call) {
  Dims axes;
  int64_t keep;
  if (call.input_count() != 3 || !Axes(call, 1, &axes) || !call.Int(2, &keep))
    return NEURON_BAD_DATA;
  const Operand &in = call.in(0), &out = call.out();
  std::vector<bool> gone(in.dims.size(), false);
  for (const int64_t axis : axes) gone[axis] = true;
  Dims dims;
  int64_t cells = 1;
  for (size_t i = 0; i < in.dims.size(); ++i) {
    if (gone[i]) cells *= in.dims[i];
    if (!gone[i]) dims.push_back(in.dims[i]);
    if (gone[i] && keep > 0) dims.push_back(1);
  }
  if (dims.empty()) dims.push_back(1);
  if (dims != out.dims) return NEURON_BAD_DATA;
  if (call.checking()) return NEURON_NO_ERROR;
  // Steps from cell to cell of the input, of the axes that stay and of those that go.
  std::vector<std::pair<int64_t, int64_t>> kept, summed;
  int64_t step = in.elements();
  for (size_t i = 0; i < in.dims.size(); ++i) {
    step /= in.dims[i];
    (gone[i] ? summed : kept).emplace_back(in.dims[i], step);
  }
  const auto offset = [](const auto& axes, int64_t index) {
    int64_t at = 0;
    for (size_t i = axes.size(); i-- > 0; index /= axes[i].first) {
      at += index % axes[i].first * axes[i].second;
    }
    return at;
  };
  for (int64_t k = 0; k < out.elements(); ++k) {
    const uint8_t* x = call.codes(0) + offset(kept, k);
    int64_t sum = 0;
    for (int64_t c = 0; c < cells; ++c) sum += x[offset(summed, c)];
    call.result()[k] = static_cast<uint8_t>(sum / cells);
  }
  return NEURON_NO_ERROR;
}

int Transpose(const Call& call) {
  Dims order;
  const Operand &in = call.in(0), &out = call.out();
  if (call.input_count() != 2 || !Axes(call, 1, &order) || order.size() != in.dims.size() ||
      out.dims.size() != in.dims.size())
    return NEURON_BAD_DATA;
  std::vector<bool> used(order.size(), false);
  for (size_t i = 0; i < order.size(); ++i) {
    if (used[order[i]] || out.dims[i] != in.dims[order[i]]) return NEURON_BAD_DATA;
    used[order[i]] = true;
  }
  if (call.checking()) return NEURON_NO_ERROR;
  Dims from(order.size());
  Gather(call, [&](const Dims& at) {
    for (size_t i = 0; i < order.size(); ++i) from[order[i]] = at[i];
    return IndexOf(from, in.dims);
  });
  return NEURON_NO_ERROR;
}

int Pad(const Call& call) {
  Dims pads;
  const Operand &in = call.in(0), &out = call.out();
  if (call.input_count() != 2 || !call.Ints(1, &pads) || pads.size() != 2 * in.dims.size() ||
      out.dims.size() != in.dims.size())
    return NEURON_BAD_DATA;
  for (size_t i = 0; i < in.dims.size(); ++i) {
    if (pads[2 * i] < 0 || pads[2 * i + 1] < 0 ||
        out.dims[i] != in.dims[i] + pads[2 * i] + pads[2 * i + 1])
      return NEURON_BAD_DATA;
  }
  if (call.checking()) return NEURON_NO_ERROR;
  Dims from(in.dims.size());
  Gather(call, [&](const Dims& at) -> int64_t {
    for (size_t i = 0; i < at.size(); ++i) {
      from[i] = at[i] - pads[2 * i];
      if (from[i] < 0 || from[i] >= in.dims[i]) return -1;
    }
    return IndexOf(from, in.dims);
  });
  return NEURON_NO_ERROR;
}

int StridedSlice(const Call& call) {
  Dims begin, end, strides;
  const Operand &in = call.in(0), &out = call.out();
  int64_t masks[3];
  if (call.input_count() != 7 || !call.Ints(1, &begin) || !call.Ints(2, &end) ||
      !call.Ints(3, &strides) || !call.Int(4, &masks[0]) || !call.Int(5, &masks[1]) ||
      !call.Int(6, &masks[2]))
    return NEURON_BAD_DATA;
  const size_t rank = in.dims.size();
  // Axes that disappear are not among what is computed here.
  if (begin.size() != rank || end.size() != rank || strides.size() != rank || masks[2] != 0 ||
      out.dims.size() != rank)
    return NEURON_BAD_DATA;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t n = in.dims[i], s = strides[i];
    if (s == 0) return NEURON_BAD_DATA;
    const bool up = s > 0;
    const auto place = [&](int64_t v, bool masked, int64_t whole) {
      if (masked) return whole;
      return std::clamp(v < 0 ? v + n : v, up ? int64_t{0} : int64_t{-1}, up ? n : n - 1);
    };
    begin[i] = place(begin[i], masks[0] >> i & 1, up ? 0 : n - 1);
    end[i] = place(end[i], masks[1] >> i & 1, up ? n : -1);
    const int64_t span = up ? end[i] - begin[i] : begin[i] - end[i];
    const int64_t step = up ? s : -s;
    if (span <= 0 || out.dims[i] != (span - 1) / step + 1) return NEURON_BAD_DATA;
  }
  if (call.checking()) return NEURON_NO_ERROR;
  Dims from(rank);
  Gather(call, [&](const Dims& at) {
    for (size_t i = 0; i < rank; ++i) from[i] = begin[i] + at[i] * strides[i];
    return IndexOf(from, in.dims);
  });
  return NEURON_NO_ERROR;
}

int Blocks(const Call& call) {
  int64_t b;
  const Operand &in = call.in(0), &out = call.out();
  if (call.input_count() != 2 || !call.Int(1, &b) || b < 1 || b > 1 << 12 || in.dims.size() != 4 ||
      out.dims.size() != 4)
    return NEURON_BAD_DATA;
  const bool to_depth = call.type() == NEURON_SPACE_TO_DEPTH;
  const Dims &wide = to_depth ? in.dims : out.dims, &deep = to_depth ? out.dims : in.dims;
  if (wide[0] != deep[0] || wide[1] != deep[1] * b || wide[2] != deep[2] * b ||
      deep[3] != wide[3] * b * b)
    return NEURON_BAD_DATA;
  if (call.checking()) return NEURON_NO_ERROR;
  const int64_t c = wide[3];
  Gather(call, [&](const Dims& at) {
    if (to_depth) {
      const int64_t cell = at[3] / c;
      return IndexOf({at[0], at[1] * b + cell / b, at[2] * b + cell % b, at[3] % c}, in.dims);
    }
    const int64_t cell = at[1] % b * b + at[2] % b;
    return IndexOf({at[0], at[1] / b, at[2] / b, cell * c + at[3]}, in.dims);
  });
  return NEURON_NO_ERROR;
}

int Resize(const Call& call) {
  int64_t width, height;
  bool nchw, align, half;
  const Operand &in = call.in(0), &out = call.out();
  if (call.input_count() != 6 || !call.Int(1, &width) || !call.Int(2, &height) ||
      !call.Bool(3, &nchw) || !call.Bool(4, &align) || !call.Bool(5, &half) || nchw ||
      (align && half) || in.dims.size() != 4 ||
      out.dims != Dims{in.dims[0], height, width, in.dims[3]})
    return NEURON_BAD_DATA;
  if (call.checking()) return NEURON_NO_ERROR;
  const auto position = [&](int64_t i, int64_t from, int64_t to, bool nearest) -> float {
    const float scale = align && to > 1 ? static_cast<float>(from - 1) / static_cast<float>(to - 1)
                                        : static_cast<float>(from) / static_cast<float>(to);
    if (!half) return static_cast<float>(i) * scale;
    const float centre = (static_cast<float>(i) + 0.5f) * scale;
    return nearest ? centre : centre - 0.5f;
  };
  const int64_t rows = in.dims[1], columns = in.dims[2], depth = in.dims[3];
  const bool nearest = call.type() == NEURON_RESIZE_NEAREST_NEIGHBOR;
  uint8_t* y = call.result();
  for (int64_t n = 0; n < in.dims[0]; ++n) {
    for (int64_t r = 0; r < height; ++r) {
      for (int64_t c = 0; c < width; ++c) {
        const float v = position(r, rows, height, nearest),
                    u = position(c, columns, width, nearest);
        const auto cell = [&](int64_t row, int64_t column) {
          return call.codes(0) + ((n * rows + row) * columns + column) * depth;
        };
        if (nearest) {
          const auto pick = [&](float p, int64_t size) {
            const int64_t at = static_cast<int64_t>(std::floor(align ? p + 0.5f : p));
            return std::clamp<int64_t>(at, 0, size - 1);
          };
          std::memcpy(y, cell(pick(v, rows), pick(u, columns)), static_cast<size_t>(depth));
          y += depth;
          continue;
        }
        const auto low = [](float p, int64_t size) {
          return std::clamp<int64_t>(static_cast<int64_t>(std::floor(p)), 0, size - 1);
        };
        const int64_t r0 = low(v, rows), c0 = low(u, columns);
        const int64_t r1 = low(std::floor(v) + 1, rows), c1 = low(std::floor(u) + 1, columns);
        const float a = std::max(v, 0.0f) - static_cast<float>(r0);
        const float b = std::max(u, 0.0f) - static_cast<float>(c0);
        for (int64_t d = 0; d < depth; ++d) {
          const float q00 = cell(r0, c0)[d], q01 = cell(r0, c1)[d];
          const float q10 = cell(r1, c0)[d], q11 = cell(r1, c1)[d];
          const float top = q00 + (q01 - q00) * b, bottom = q10 + (q11 - q10) * b;
          const float value = top + (bottom - top) * a;
          *y++ = static_cast<uint8_t>(std::clamp(std::floor(value + 0.5f), 0.0f, 255.0f));
        }
      }
    }
  }
  return NEURON_NO_ERROR;
}

int Reshape(const Call& call) {
  Dims shape;
  if (call.input_count() != 2 || !call.Ints(1, &shape) || shape.size() != call.out().dims.size() ||
      call.in(0).elements() != call.out().elements())
    return NEURON_BAD_DATA;
  int free = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      ++free;
    } else if (shape[i] != call.out().dims[i]) {
      return NEURON_BAD_DATA;
    }
  }
  if (free > 1) return NEURON_BAD_DATA;
  if (call.checking()) return NEURON_NO_ERROR;
  std::memcpy(call.result(), call.codes(0), call.out().bytes());
  return NEURON_NO_ERROR;
}

}  // namespace

int PerformMove(const Call& call) {
  if (call.type() == NEURON_CONCATENATION) return Concatenation(call);
  if (call.type() == NEURON_SPLIT) return Split(call);
  if (!call.Codes(0) || !call.IsCodes(call.out()) || !call.SameGrid(call.in(0), call.out()))
    return NEURON_BAD_DATA;
  switch (call.type()) {
    case NEURON_MEAN:
      return Mean(call);
    case NEURON_TRANSPOSE:
      return Transpose(call);
    case NEURON_PAD:
      return Pad(call);
    case NEURON_STRIDED_SLICE:
      return StridedSlice(call);
    case NEURON_DEPTH_TO_SPACE:
    case NEURON_SPACE_TO_DEPTH:
      return Blocks(call);
    case NEURON_RESIZE_BILINEAR:
    case NEURON_RESIZE_NEAREST_NEIGHBOR:
      return Resize(call);
    case NEURON_RESHAPE:
      return Reshape(call);
    default:
      return NEURON_BAD_DATA;
  }
}
