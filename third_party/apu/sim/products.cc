// Convolutions and fully connected layers.
#include <cstring>
#include <vector>

#include "third_party/apu/sim/arithmetic.h"

namespace {

struct Product {
  Axis rows, columns;
  int64_t activation = 0, groups = 1;
};

// Bias: int32 per channel, in steps of input times filter.
bool CheckBias(const Call& call, int64_t channels) {
  const Operand& bias = call.in(2);
  const float step = call.in(0).scale * call.in(1).scale;
  return bias.type == NEURON_TENSOR_INT32 && bias.dims.size() == 1 && bias.dims[0] == channels &&
         bias.zero == 0 && std::fabs(bias.scale - step) <= 1e-6f * std::min(bias.scale, step);
}

// The caller's memory need not be aligned.
std::vector<int32_t> Biases(const Call& call) {
  std::vector<int32_t> biases(static_cast<size_t>(call.in(2).dims[0]));
  std::memcpy(biases.data(), call.codes(2), biases.size() * sizeof(int32_t));
  return biases;
}

// Pads, strides and what follows them, from operand 3 on.
bool Window(const Call& call, size_t further, Product* p, int64_t* multiplier) {
  int64_t v[6];
  for (size_t i = 0; i < 6; ++i) {
    if (!call.Int(3 + i, &v[i])) return false;
  }
  p->columns.before = v[0];
  p->columns.after = v[1];
  p->rows.before = v[2];
  p->rows.after = v[3];
  p->columns.stride = v[4];
  p->rows.stride = v[5];
  if (multiplier != nullptr && !call.Int(9, multiplier)) return false;
  if (!call.Int(9 + further, &p->activation) || !IsActivation(p->activation)) return false;
  const size_t rest = 10 + further;
  bool nchw = false;
  if (call.input_count() > rest && (!call.Bool(rest, &nchw) || nchw)) return false;
  if (call.input_count() <= rest + 1) return true;
  return call.input_count() == rest + 3 && call.Int(rest + 1, &p->columns.dilation) &&
         call.Int(rest + 2, &p->rows.dilation);
}

void SetSizes(const Call& call, int64_t window_rows, int64_t window_columns, Product* p) {
  p->rows.in = call.in(0).dims[1];
  p->columns.in = call.in(0).dims[2];
  p->rows.out = call.out().dims[1];
  p->columns.out = call.out().dims[2];
  p->rows.window = window_rows;
  p->columns.window = window_columns;
}

Multiplier MultiplierOf(const Call& call) {
  const float product = call.in(0).scale * call.in(1).scale;
  return Multiplier(static_cast<double>(product / call.out().scale));
}

std::vector<int16_t> Centred(const uint8_t* codes, int64_t count, int32_t zero) {
  std::vector<int16_t> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) values[i] = static_cast<int16_t>(codes[i] - zero);
  return values;
}

int64_t Dot(const int16_t* a, const int16_t* b, int64_t count) {
  int64_t sum = 0;
  // Partial sums stay within 32 bits.
  constexpr int64_t kBlock = 16384;
  for (int64_t start = 0; start < count; start += kBlock) {
    const int64_t end = std::min(count, start + kBlock);
    int32_t part = 0;
    for (int64_t i = start; i < end; ++i) part += int32_t{a[i]} * int32_t{b[i]};
    sum += part;
  }
  return sum;
}

// Rows of k numbers times a filter [channels, k].
int FullyConnected(const Call& call) {
  int64_t activation;
  if (call.input_count() != 4 || !call.Codes(0) || !call.Codes(1) || !call.IsCodes(call.out()) ||
      !call.Int(3, &activation) || !IsActivation(activation))
    return NEURON_BAD_DATA;
  const Operand &filter = call.in(1), &out = call.out();
  if (filter.dims.size() != 2 || out.dims.size() != 2 || !CheckBias(call, filter.dims[0]))
    return NEURON_BAD_DATA;
  const int64_t channels = filter.dims[0], k = filter.dims[1], rows = out.dims[0];
  if (out.dims[1] != channels || call.in(0).elements() != rows * k) return NEURON_BAD_DATA;
  if (TooMuch(out.elements(), k)) return NEURON_RESOURCE_EXHAUSTED_PERSISTENT;
  if (call.checking()) return NEURON_NO_ERROR;
  const auto x = Centred(call.codes(0), rows * k, call.in(0).zero);
  const auto w = Centred(call.codes(1), channels * k, filter.zero);
  const auto bias = Biases(call);
  const Multiplier m = MultiplierOf(call);
  const Bounds bounds(activation, out);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t sum = Dot(&x[r * k], &w[c * k], k) + bias[c];
      call.result()[r * channels + c] = bounds(m * sum + out.zero);
    }
  }
  return NEURON_NO_ERROR;
}

int Convolution(const Call& call) {
  Product p;
  if (call.input_count() < 10 || !call.Codes(0) || !call.Codes(1) || !call.IsCodes(call.out()) ||
      !Window(call, 0, &p, nullptr))
    return NEURON_BAD_DATA;
  const Operand &in = call.in(0), &filter = call.in(1), &out = call.out();
  if (in.dims.size() != 4 || filter.dims.size() != 4 || out.dims.size() != 4)
    return NEURON_BAD_DATA;
  SetSizes(call, filter.dims[1], filter.dims[2], &p);
  const int64_t depth = in.dims[3], channels = filter.dims[0];
  if (!p.rows.Fits() || !p.columns.Fits() || filter.dims[3] != depth || out.dims[3] != channels ||
      out.dims[0] != in.dims[0] || !CheckBias(call, channels))
    return NEURON_BAD_DATA;
  if (TooMuch(out.elements(), filter.elements() / channels))
    return NEURON_RESOURCE_EXHAUSTED_PERSISTENT;
  if (call.checking()) return NEURON_NO_ERROR;
  const auto x = Centred(call.codes(0), in.elements(), in.zero);
  const auto w = Centred(call.codes(1), filter.elements(), filter.zero);
  const auto bias = Biases(call);
  const Multiplier m = MultiplierOf(call);
  const Bounds bounds(p.activation, out);
  const int64_t k = p.rows.window * p.columns.window * depth;
  std::vector<int16_t> patch(static_cast<size_t>(k));
  uint8_t* y = call.result();
  for (int64_t n = 0; n < in.dims[0]; ++n) {
    for (int64_t r = 0; r < p.rows.out; ++r) {
      for (int64_t c = 0; c < p.columns.out; ++c) {
        int16_t* to = patch.data();
        for (int64_t i = 0; i < p.rows.window; ++i) {
          const int64_t row = r * p.rows.stride + i * p.rows.dilation - p.rows.before;
          for (int64_t j = 0; j < p.columns.window; ++j, to += depth) {
            const int64_t column = c * p.columns.stride + j * p.columns.dilation - p.columns.before;
            if (row < 0 || row >= p.rows.in || column < 0 || column >= p.columns.in) {
              std::fill(to, to + depth, int16_t{0});
            } else {
              const int16_t* from = &x[((n * p.rows.in + row) * p.columns.in + column) * depth];
              std::copy(from, from + depth, to);
            }
          }
        }
        for (int64_t o = 0; o < channels; ++o) {
          *y++ = bounds(m * (Dot(patch.data(), &w[o * k], k) + bias[o]) + out.zero);
        }
      }
    }
  }
  return NEURON_NO_ERROR;
}

int DepthwiseConvolution(const Call& call) {
  Product p;
  int64_t multiplier;
  if (call.input_count() < 11 || !call.Codes(0) || !call.Codes(1) || !call.IsCodes(call.out()) ||
      !Window(call, 1, &p, &multiplier))
    return NEURON_BAD_DATA;
  const Operand &in = call.in(0), &filter = call.in(1), &out = call.out();
  if (in.dims.size() != 4 || filter.dims.size() != 4 || out.dims.size() != 4)
    return NEURON_BAD_DATA;
  SetSizes(call, filter.dims[1], filter.dims[2], &p);
  const int64_t depth = in.dims[3], channels = filter.dims[3];
  if (!p.rows.Fits() || !p.columns.Fits() || filter.dims[0] != 1 || multiplier < 1 ||
      multiplier > channels || channels != depth * multiplier || out.dims[3] != channels ||
      out.dims[0] != in.dims[0] || !CheckBias(call, channels))
    return NEURON_BAD_DATA;
  if (TooMuch(out.elements(), filter.elements() / channels))
    return NEURON_RESOURCE_EXHAUSTED_PERSISTENT;
  if (call.checking()) return NEURON_NO_ERROR;
  const auto x = Centred(call.codes(0), in.elements(), in.zero);
  const auto w = Centred(call.codes(1), filter.elements(), filter.zero);
  const auto bias = Biases(call);
  const Multiplier m = MultiplierOf(call);
  const Bounds bounds(p.activation, out);
  std::vector<int64_t> sums(static_cast<size_t>(channels));
  uint8_t* y = call.result();
  for (int64_t n = 0; n < in.dims[0]; ++n) {
    for (int64_t r = 0; r < p.rows.out; ++r) {
      for (int64_t c = 0; c < p.columns.out; ++c) {
        std::copy(bias.begin(), bias.end(), sums.begin());
        for (int64_t i = 0; i < p.rows.window; ++i) {
          const int64_t row = r * p.rows.stride + i * p.rows.dilation - p.rows.before;
          if (row < 0 || row >= p.rows.in) continue;
          for (int64_t j = 0; j < p.columns.window; ++j) {
            const int64_t column = c * p.columns.stride + j * p.columns.dilation - p.columns.before;
            if (column < 0 || column >= p.columns.in) continue;
            const int16_t* from = &x[((n * p.rows.in + row) * p.columns.in + column) * depth];
            const int16_t* weights = &w[(i * p.columns.window + j) * channels];
            for (int64_t o = 0; o < channels; ++o) {
              sums[o] += int32_t{from[multiplier == 1 ? o : o / multiplier]} * int32_t{weights[o]};
            }
          }
        }
        for (int64_t o = 0; o < channels; ++o) *y++ = bounds(m * sums[o] + out.zero);
      }
    }
  }
  return NEURON_NO_ERROR;
}

int TransposeConvolution(const Call& call) {
  Product p;
  if (call.input_count() != 11 || !call.Codes(0) || !call.Codes(1) || !call.IsCodes(call.out()) ||
      !Window(call, 0, &p, nullptr))
    return NEURON_BAD_DATA;
  const Operand &in = call.in(0), &filter = call.in(1), &out = call.out();
  if (in.dims.size() != 4 || filter.dims.size() != 4 || out.dims.size() != 4)
    return NEURON_BAD_DATA;
  SetSizes(call, filter.dims[1], filter.dims[2], &p);
  const int64_t depth = in.dims[3], channels = filter.dims[0];
  const auto fits = [](const Axis& axis) {
    return axis.Sane() &&
           axis.out == (axis.in - 1) * axis.stride + axis.window - axis.before - axis.after;
  };
  if (!fits(p.rows) || !fits(p.columns) || filter.dims[3] != depth || out.dims[3] != channels ||
      out.dims[0] != in.dims[0] || !CheckBias(call, channels))
    return NEURON_BAD_DATA;
  if (TooMuch(out.elements(), filter.elements() / channels))
    return NEURON_RESOURCE_EXHAUSTED_PERSISTENT;
  if (call.checking()) return NEURON_NO_ERROR;
  const auto x = Centred(call.codes(0), in.elements(), in.zero);
  const auto w = Centred(call.codes(1), filter.elements(), filter.zero);
  const auto bias = Biases(call);
  const Multiplier m = MultiplierOf(call);
  const Bounds bounds(p.activation, out);
  uint8_t* y = call.result();
  for (int64_t n = 0; n < in.dims[0]; ++n) {
    for (int64_t r = 0; r < p.rows.out; ++r) {
      for (int64_t c = 0; c < p.columns.out; ++c) {
        for (int64_t o = 0; o < channels; ++o) {
          int64_t sum = bias[o];
          for (int64_t i = 0; i < p.rows.window; ++i) {
            const int64_t row = r + p.rows.before - i;
            if (row < 0 || row % p.rows.stride != 0 || row / p.rows.stride >= p.rows.in) continue;
            for (int64_t j = 0; j < p.columns.window; ++j) {
              const int64_t column = c + p.columns.before - j;
              if (column < 0 || column % p.columns.stride != 0 ||
                  column / p.columns.stride >= p.columns.in)
                continue;
              const int64_t at =
                  (n * p.rows.in + row / p.rows.stride) * p.columns.in + column / p.columns.stride;
              sum += Dot(&x[at * depth],
                         &w[((o * p.rows.window + i) * p.columns.window + j) * depth], depth);
            }
          }
          *y++ = bounds(m * sum + out.zero);
        }
      }
    }
  }
  return NEURON_NO_ERROR;
}

}  // namespace

int PerformProduct(const Call& call) {
  switch (call.type()) {
    case NEURON_CONV_2D:
      return Convolution(call);
    case NEURON_DEPTHWISE_CONV_2D:
      return DepthwiseConvolution(call);
    case NEURON_FULLY_CONNECTED:
      return FullyConnected(call);
    case NEURON_TRANSPOSE_CONV_2D:
      return TransposeConvolution(call);
    default:
      return NEURON_BAD_DATA;
  }
}

int PerformPool(const Call& call) {
  int64_t v[9];
  if (call.input_count() != 10 || !call.Codes(0) || !call.IsCodes(call.out()) ||
      !call.SameGrid(call.in(0), call.out()))
    return NEURON_BAD_DATA;
  for (size_t i = 0; i < 9; ++i) {
    if (!call.Int(1 + i, &v[i])) return NEURON_BAD_DATA;
  }
  const Operand &in = call.in(0), &out = call.out();
  if (in.dims.size() != 4 || out.dims.size() != 4 || in.dims[0] != out.dims[0] ||
      in.dims[3] != out.dims[3] || !IsActivation(v[8]))
    return NEURON_BAD_DATA;
  const Axis columns = {in.dims[2], out.dims[2], v[0], v[1], v[4], v[6], 1};
  const Axis rows = {in.dims[1], out.dims[1], v[2], v[3], v[5], v[7], 1};
  // Every window has a cell of the image.
  const auto reaches = [](const Axis& a) { return a.before < a.window && a.after < a.window; };
  if (!rows.Fits() || !columns.Fits() || !reaches(rows) || !reaches(columns))
    return NEURON_BAD_DATA;
  if (TooMuch(out.elements(),
              std::min(rows.window, rows.in) * std::min(columns.window, columns.in)))
    return NEURON_RESOURCE_EXHAUSTED_PERSISTENT;
  if (call.checking()) return NEURON_NO_ERROR;
  const bool average = call.type() == NEURON_AVERAGE_POOL_2D;
  const Bounds bounds(v[8], out);
  const int64_t depth = in.dims[3];
  std::vector<int64_t> cells(static_cast<size_t>(depth));
  uint8_t* y = call.result();
  for (int64_t n = 0; n < in.dims[0]; ++n) {
    for (int64_t r = 0; r < rows.out; ++r) {
      const int64_t top = r * rows.stride - rows.before;
      for (int64_t c = 0; c < columns.out; ++c) {
        const int64_t left = c * columns.stride - columns.before;
        std::fill(cells.begin(), cells.end(), 0);
        int64_t count = 0;
        for (int64_t i = std::max<int64_t>(top, 0); i < std::min(top + rows.window, rows.in); ++i) {
          for (int64_t j = std::max<int64_t>(left, 0);
               j < std::min(left + columns.window, columns.in); ++j, ++count) {
            const uint8_t* x = call.codes(0) + ((n * rows.in + i) * columns.in + j) * depth;
            for (int64_t d = 0; d < depth; ++d) {
              cells[d] = average ? cells[d] + x[d] : std::max<int64_t>(cells[d], x[d]);
            }
          }
        }
        if (count == 0) return NEURON_OP_FAILED;
        for (int64_t d = 0; d < depth; ++d) {
          *y++ = bounds(average ? (cells[d] + count / 2) / count : cells[d]);
        }
      }
    }
  }
  return NEURON_NO_ERROR;
}
