// Functions of one number, arithmetic of two, softmax.
#include <vector>

#include "third_party/apu/sim/arithmetic.h"

namespace {

// Index into an operand of each cell of the output, dimensions of 1 standing for all.
bool Broadcast(const Operand& from, const Operand& out, std::vector<int64_t>* steps) {
  const size_t rank = out.dims.size();
  if (from.dims.size() > rank) return false;
  steps->assign(rank, 0);
  int64_t step = 1;
  for (size_t i = 0; i < from.dims.size(); ++i) {
    const int64_t d = from.dims[from.dims.size() - 1 - i];
    if (d != 1 && d != out.dims[rank - 1 - i]) return false;
    if (d != 1) (*steps)[rank - 1 - i] = step;
    step *= d;
  }
  return true;
}

// The output's dimensions are those that the operands' give together.
bool Exact(const Operand& a, const Operand& b, const Operand& out) {
  for (size_t i = 0; i < out.dims.size(); ++i) {
    const auto dim = [&](const Operand& from) {
      return i < from.dims.size() ? from.dims[from.dims.size() - 1 - i] : 1;
    };
    if (std::max(dim(a), dim(b)) != out.dims[out.dims.size() - 1 - i]) return false;
  }
  return true;
}

template <typename F>
void ForPairs(const Call& call, const std::vector<int64_t>& a, const std::vector<int64_t>& b, F f) {
  const Operand& out = call.out();
  const uint8_t *x = call.codes(0), *w = call.codes(1);
  std::vector<int64_t> at(out.dims.size(), 0);
  int64_t i = 0, j = 0;
  const int64_t count = out.elements();
  for (int64_t k = 0; k < count; ++k) {
    call.result()[k] = f(int64_t{x[i]} - call.in(0).zero, int64_t{w[j]} - call.in(1).zero);
    for (size_t axis = out.dims.size(); axis-- > 0;) {
      i += a[axis];
      j += b[axis];
      if (++at[axis] < out.dims[axis]) break;
      i -= a[axis] * at[axis];
      j -= b[axis] * at[axis];
      at[axis] = 0;
    }
  }
}

int Pairwise(const Call& call) {
  const int type = call.type();
  const bool fused = type == NEURON_ADD || type == NEURON_SUB || type == NEURON_MUL;
  int64_t activation = 0;
  if (call.input_count() != (fused ? 3u : 2u) || !call.Codes(0) || !call.Codes(1) ||
      !call.IsCodes(call.out()))
    return NEURON_BAD_DATA;
  if (fused && (!call.Int(2, &activation) || !IsActivation(activation))) return NEURON_BAD_DATA;
  const Operand &a = call.in(0), &b = call.in(1), &out = call.out();
  std::vector<int64_t> steps_a, steps_b;
  if (!Broadcast(a, out, &steps_a) || !Broadcast(b, out, &steps_b) || !Exact(a, b, out))
    return NEURON_BAD_DATA;
  if (call.checking()) return NEURON_NO_ERROR;
  const Bounds bounds(activation, out);
  const auto run = [&](auto f) { ForPairs(call, steps_a, steps_b, f); };
  const double twice = 2.0 * std::max(a.scale, b.scale);
  switch (type) {
    case NEURON_ADD:
    case NEURON_SUB: {
      const Multiplier ma(a.scale / twice), mb(b.scale / twice);
      constexpr int64_t kFraction = 1 << 20;
      const Multiplier m(twice / (static_cast<double>(kFraction) * out.scale));
      const int64_t sign = type == NEURON_ADD ? 1 : -1;
      run([&](int64_t x, int64_t y) {
        return bounds(m * (ma * (x * kFraction) + sign * (mb * (y * kFraction))) + out.zero);
      });
      break;
    }
    case NEURON_MUL: {
      const float product = a.scale * b.scale;
      const Multiplier m(static_cast<double>(product / out.scale));
      run([&](int64_t x, int64_t y) { return bounds(m * (x * y) + out.zero); });
      break;
    }
    case NEURON_PRELU: {
      const Multiplier above(static_cast<double>(a.scale) / out.scale);
      const float product = a.scale * b.scale;
      const Multiplier below(static_cast<double>(product) / out.scale);
      run([&](int64_t x, int64_t y) {
        return bounds((x >= 0 ? above * x : below * (x * y)) + out.zero);
      });
      break;
    }
    default: {
      const auto code = [&](int64_t x, float scale) {
        return ToCode(static_cast<double>(x) * scale / out.scale, out.zero);
      };
      run([&](int64_t x, int64_t y) {
        const uint8_t p = code(x, a.scale), q = code(y, b.scale);
        return type == NEURON_MAXIMUM ? std::max(p, q) : std::min(p, q);
      });
    }
  }
  return NEURON_NO_ERROR;
}

int Function(const Call& call) {
  const int type = call.type();
  if (call.input_count() != 1 || !call.Codes(0) || !call.IsCodes(call.out()) ||
      call.in(0).dims != call.out().dims)
    return NEURON_BAD_DATA;
  const Operand &in = call.in(0), &out = call.out();
  const bool relu = type == NEURON_RELU || type == NEURON_RELU1 || type == NEURON_RELU6;
  if (relu && !call.SameGrid(in, out)) return NEURON_BAD_DATA;
  if (type == NEURON_LOGISTIC && (out.scale != 1.0f / 256 || out.zero != 0)) return NEURON_BAD_DATA;
  if (type == NEURON_TANH && (out.scale != 1.0f / 128 || out.zero != 128)) return NEURON_BAD_DATA;
  if (call.checking()) return NEURON_NO_ERROR;
  const Bounds bounds(type == NEURON_RELU    ? NEURON_FUSED_RELU
                      : type == NEURON_RELU1 ? NEURON_FUSED_RELU1
                                             : NEURON_FUSED_RELU6,
                      out);
  uint8_t table[256];
  for (int q = 0; q < 256; ++q) {
    const double x = static_cast<double>(in.scale) * (q - in.zero);
    if (relu) {
      table[q] = bounds(q);
    } else {
      const double y = type == NEURON_LOGISTIC ? 1 / (1 + std::exp(-x))
                       : type == NEURON_TANH   ? std::tanh(x)
                                               : x * std::min(std::max(x + 3, 0.0), 6.0) / 6;
      table[q] = ToCode(y / out.scale, out.zero);
    }
  }
  const int64_t count = in.elements();
  for (int64_t i = 0; i < count; ++i) call.result()[i] = table[call.codes(0)[i]];
  return NEURON_NO_ERROR;
}

int Softmax(const Call& call) {
  float beta;
  if (call.input_count() != 2 || !call.Codes(0) || !call.IsCodes(call.out()) ||
      call.in(0).dims != call.out().dims || !call.Float(1, &beta) || !(beta > 0) ||
      !std::isfinite(beta) || call.out().scale != 1.0f / 256 || call.out().zero != 0)
    return NEURON_BAD_DATA;
  if (call.checking()) return NEURON_NO_ERROR;
  double powers[256];
  for (int d = 0; d < 256; ++d) {
    powers[d] = std::exp(-static_cast<double>(call.in(0).scale) * beta * d);
  }
  const int64_t depth = call.in(0).dims.back(), count = call.in(0).elements();
  for (int64_t start = 0; start < count; start += depth) {
    const uint8_t* x = call.codes(0) + start;
    const uint8_t greatest = *std::max_element(x, x + depth);
    double sum = 0;
    for (int64_t i = 0; i < depth; ++i) sum += powers[greatest - x[i]];
    for (int64_t i = 0; i < depth; ++i) {
      call.result()[start + i] = ToCode(256 * powers[greatest - x[i]] / sum, 0);
    }
  }
  return NEURON_NO_ERROR;
}

}  // namespace

int PerformElementwise(const Call& call) {
  switch (call.type()) {
    case NEURON_SOFTMAX:
      return Softmax(call);
    case NEURON_LOGISTIC:
    case NEURON_TANH:
    case NEURON_RELU:
    case NEURON_RELU1:
    case NEURON_RELU6:
    case NEURON_HARD_SWISH:
      return Function(call);
    default:
      return Pairwise(call);
  }
}
