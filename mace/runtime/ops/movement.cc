// Operators that copy elements: Concat, Split, StridedSlice, Reshape, Transpose and Pad. They work
// on bytes of elements of any type; only Concat may change codes.
#include <algorithm>
#include <cstring>
#include <vector>

#include "mace/runtime/operator.h"
#include "mace/runtime/ops/strided_copy.h"

namespace mace {
namespace runtime {

std::unique_ptr<Operator> MakeConcat();
std::unique_ptr<Operator> MakeSplit();
std::unique_ptr<Operator> MakeStridedSlice();
std::unique_ptr<Operator> MakeReshape();
std::unique_ptr<Operator> MakeTranspose();
std::unique_ptr<Operator> MakePad();

namespace {

class ConcatOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, SIZE_MAX) || !c->RequireOutputs(1)) return;
    const Tensor& y = c->output();
    if (!c->RequireRank(y, 1, kMaxRank) || !c->RequireAnyType(y)) return;
    const size_t axis = c->RequiredAxis(y.shape.size());
    if (!c->ok()) return;
    outer_ = Outer(y.shape, axis);
    row_ = y.elements / outer_;
    size_ = SizeOf(y.type);
    zero_ = y.zero_point;
    int64_t total = 0;
    for (size_t i = 0; i < c->input_count(); ++i) {
      if (!c->has_input(i)) {
        c->Fail(diagnostics::BadInputCount(i, "one without gaps"));
        return;
      }
      const Tensor& x = c->input(i);
      if (!c->RequireType(x, y.type) || !c->RequireAnyType(x)) return;
      Shape expected = y.shape;
      if (x.shape.size() == y.shape.size()) expected[axis] = x.shape[axis];
      if (!c->RequireShape(x, expected)) return;
      total += x.shape[axis];
      Part part;
      part.row = x.elements / outer_;
      part.requantize = IsQuantized(x.type) && (x.scale != y.scale || x.zero_point != y.zero_point);
      part.zero = x.zero_point;
      part.multiplier =
          quant::ToMultiplier(static_cast<double>(x.scale) / static_cast<double>(y.scale));
      parts_.push_back(part);
    }
    if (total != y.shape[axis]) {
      c->Fail(diagnostics::BadOperandShape(y.name, ToString(y.shape),
                                           "the sum of the inputs, " + std::to_string(total)));
      return;
    }
    run_ = y.type == ElementType::kInt8 ? c->kernels().requantize.s8 : c->kernels().requantize.u8;
  }

  void Run(const RunContext& context) const override {
    char* out = context.output<char>();
    const int64_t size = static_cast<int64_t>(size_);
    context.pool().ForRange(outer_, std::max<int64_t>(1, kGrainBytes / (row_ * size)),
                            [&](int64_t begin, int64_t end, int) {
                              int64_t column = 0;
                              for (size_t i = 0; i < parts_.size(); ++i) {
                                const Part& part = parts_[i];
                                const char* in = context.input<char>(i);
                                for (int64_t o = begin; o < end; ++o) {
                                  const char* from = in + o * part.row * size;
                                  char* to = out + (o * row_ + column) * size;
                                  if (part.requantize) {
                                    run_(from, part.multiplier, part.zero, zero_, to, part.row);
                                  } else {
                                    std::memcpy(to, from, static_cast<size_t>(part.row * size));
                                  }
                                }
                                column += part.row;
                              }
                            });
  }

 private:
  struct Part {
    int64_t row;
    bool requantize;
    int32_t zero;
    float multiplier;
  };
  std::vector<Part> parts_;
  kernels::RequantizeFn run_ = nullptr;
  int64_t outer_ = 1, row_ = 1;
  size_t size_ = 4;
  int32_t zero_ = 0;
};

class SplitOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1)) return;
    const Tensor& x = c->input(0);
    if (!c->RequireRank(x, 1, kMaxRank) || !c->RequireAnyType(x)) return;
    const size_t axis = c->RequiredAxis(x.shape.size());
    if (!c->ok()) return;
    outer_ = Outer(x.shape, axis);
    row_ = x.elements / outer_;
    size_ = SizeOf(x.type);
    int64_t total = 0;
    for (size_t i = 0; i < c->output_count(); ++i) {
      const Tensor& y = c->output(i);
      if (!c->RequireSameCodes(x, y)) return;
      Shape expected = x.shape;
      if (y.shape.size() == x.shape.size()) expected[axis] = y.shape[axis];
      if (!c->RequireShape(y, expected)) return;
      total += y.shape[axis];
      rows_.push_back(y.elements / outer_);
    }
    if (total != x.shape[axis]) {
      c->Fail(diagnostics::BadOperandShape(x.name, ToString(x.shape),
                                           "the sum of the outputs, " + std::to_string(total)));
    }
  }

  void Run(const RunContext& context) const override {
    const char* in = context.input<char>(0);
    const int64_t size = static_cast<int64_t>(size_);
    context.pool().ForRange(outer_, std::max<int64_t>(1, kGrainBytes / (row_ * size)),
                            [&](int64_t begin, int64_t end, int) {
                              int64_t column = 0;
                              for (size_t i = 0; i < rows_.size(); ++i) {
                                char* out = context.output<char>(i);
                                for (int64_t o = begin; o < end; ++o) {
                                  std::memcpy(out + o * rows_[i] * size,
                                              in + (o * row_ + column) * size,
                                              static_cast<size_t>(rows_[i] * size));
                                }
                                column += rows_[i];
                              }
                            });
  }

 private:
  std::vector<int64_t> rows_;
  int64_t outer_ = 1, row_ = 1;
  size_t size_ = 4;
};

class StridedSliceOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireAnyType(x) || !c->RequireSameCodes(x, y)) return;
    const size_t rank = x.shape.size();
    constexpr int64_t kBig = int64_t{1} << 32;
    const auto begin = c->RequiredInts("begin", rank, 0, kBig);
    const auto end = c->RequiredInts("end", rank, -1, kBig);
    const auto stride = c->RequiredInts("strides", rank, -kBig, kBig);
    if (!c->ok()) return;
    Shape expected(rank);
    std::vector<int64_t> strides = DenseStrides(x.shape);
    int64_t origin = 0;
    for (size_t i = 0; i < rank; ++i) {
      if (stride[i] == 0) {
        c->Fail(diagnostics::BadAttribute("strides", "holds a 0"));
        return;
      }
      const int64_t span = stride[i] > 0 ? end[i] - begin[i] : begin[i] - end[i];
      const int64_t step = stride[i] > 0 ? stride[i] : -stride[i];
      if (begin[i] >= x.shape[i] || end[i] > x.shape[i] || span <= 0) {
        c->Fail(diagnostics::BadAttribute(
            "begin", "and 'end' leave the input or select nothing on axis " + std::to_string(i)));
        return;
      }
      expected[i] = (span + step - 1) / step;
      origin += begin[i] * strides[i];
      strides[i] *= expected[i] == 1 ? 1 : stride[i];
    }
    // Axes of size 1 may be missing from the output, as when an index took them.
    Shape dense, wanted;
    for (int64_t d : expected) {
      if (d != 1) dense.push_back(d);
    }
    for (int64_t d : y.shape) {
      if (d != 1) wanted.push_back(d);
    }
    if (dense != wanted) {
      c->RequireShape(y, expected);
      return;
    }
    copy_.Init(expected, strides, origin, SizeOf(x.type));
  }
  void Run(const RunContext& context) const override {
    copy_.Run(context.input<char>(0), context.output<char>(), &context.pool());
  }

 private:
  StridedCopy copy_;
};

class ReshapeOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireAnyType(x) || !c->RequireSameCodes(x, y)) return;
    if (x.elements != y.elements) {
      c->Fail(diagnostics::BadOperandShape(y.name, ToString(y.shape),
                                           "one of " + std::to_string(x.elements) + " elements"));
      return;
    }
    copy_.Init({x.elements}, {1}, 0, SizeOf(x.type));
  }
  void Run(const RunContext& context) const override {
    copy_.Run(context.input<char>(0), context.output<char>(), &context.pool());
  }

 private:
  StridedCopy copy_;
};

class TransposeOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireAnyType(x) || !c->RequireSameCodes(x, y)) return;
    const size_t rank = x.shape.size();
    const auto dims =
        c->RequiredInts("dims", rank, 0, rank == 0 ? 0 : static_cast<int64_t>(rank) - 1);
    if (!c->ok()) return;
    std::vector<bool> seen(rank, false);
    Shape expected(rank);
    const std::vector<int64_t> dense = DenseStrides(x.shape);
    std::vector<int64_t> strides(rank);
    for (size_t i = 0; i < rank; ++i) {
      const size_t from = static_cast<size_t>(dims[i]);
      if (seen[from]) {
        c->Fail(diagnostics::BadAttribute("dims", "is not a permutation"));
        return;
      }
      seen[from] = true;
      expected[i] = x.shape[from];
      strides[i] = dense[from];
    }
    if (!c->RequireShape(y, expected)) return;
    copy_.Init(expected, strides, 0, SizeOf(x.type));
  }
  void Run(const RunContext& context) const override {
    copy_.Run(context.input<char>(0), context.output<char>(), &context.pool());
  }

 private:
  StridedCopy copy_;
};

class PadOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireRank(x, 1, kMaxRank) || !c->RequireAnyType(x) || !c->RequireSameCodes(x, y))
      return;
    const size_t rank = x.shape.size();
    const auto paddings = c->RequiredInts("paddings", 2 * rank, 0, kMaxCount);
    const int64_t type = c->Int("pad_type", 0, 0, 3);
    const float value = c->Float("constant_value", 0.0f);
    if (!c->ok()) return;
    Shape expected(rank);
    for (size_t i = 0; i < rank; ++i) {
      expected[i] = x.shape[i] + paddings[2 * i] + paddings[2 * i + 1];
      const int64_t most = std::max(paddings[2 * i], paddings[2 * i + 1]);
      if ((type == 1 && most > x.shape[i] - 1) || (type == 2 && most > x.shape[i])) {
        c->Fail(diagnostics::BadAttribute("paddings",
                                          "reflects more than axis " + std::to_string(i) + " has"));
        return;
      }
    }
    if (!c->RequireShape(y, expected)) return;
    size_ = SizeOf(x.type);
    if (IsQuantized(x.type)) {
      const int32_t code =
          quant::Quantize(value, quant::Affine{x.scale, x.zero_point}, QMin(x.type), QMax(x.type));
      fill_[0] = static_cast<char>(code & 0xff);
    } else if (x.type == ElementType::kInt32) {
      // 2^31 is the first float above; NaN is 0.
      const int32_t whole = value >= 2147483648.0f    ? INT32_MAX
                            : value >= -2147483648.0f ? static_cast<int32_t>(value)
                            : value < 0.0f            ? INT32_MIN
                                                      : 0;
      std::memcpy(fill_, &whole, sizeof whole);
    } else {
      std::memcpy(fill_, &value, sizeof value);
    }
    // Trailing axes without padding are one run of elements.
    run_ = 1;
    size_t last = rank;
    while (last > 0 && paddings[2 * last - 2] == 0 && paddings[2 * last - 1] == 0)
      run_ *= x.shape[--last];
    std::vector<int64_t> strides = DenseStrides(x.shape);
    rows_ = 1;
    for (size_t i = 0; i < last; ++i) {
      Axis axis;
      axis.size = expected[i];
      for (int64_t o = 0; o < expected[i]; ++o)
        axis.offset.push_back(Source(o - paddings[2 * i], x.shape[i], type, strides[i]));
      rows_ *= expected[i];
      axes_.push_back(std::move(axis));
    }
  }

  void Run(const RunContext& context) const override {
    const char* in = context.input<char>(0);
    char* out = context.output<char>();
    const int64_t size = static_cast<int64_t>(size_), bytes = run_ * size;
    context.pool().ForRange(
        rows_, std::max<int64_t>(1, kGrainBytes / bytes), [&](int64_t begin, int64_t end, int) {
          for (int64_t row = begin; row < end; ++row) {
            int64_t rest = row, offset = 0;
            for (size_t i = axes_.size(); i-- > 0;) {
              const int64_t at = axes_[i].offset[static_cast<size_t>(rest % axes_[i].size)];
              rest /= axes_[i].size;
              if (at < 0 || offset < 0) {
                offset = -1;
              } else {
                offset += at;
              }
            }
            char* to = out + row * bytes;
            if (offset >= 0) {
              std::memcpy(to, in + offset * size, static_cast<size_t>(bytes));
            } else if (size == 1) {
              std::memset(to, fill_[0], static_cast<size_t>(bytes));
            } else {
              for (int64_t i = 0; i < run_; ++i) std::memcpy(to + 4 * i, fill_, 4);
            }
          }
        });
  }

 private:
  struct Axis {
    int64_t size;
    // Element offset in the input of each index; -1 for the constant.
    std::vector<int64_t> offset;
  };

  static int64_t Source(int64_t at, int64_t size, int64_t type, int64_t stride) {
    if (at < 0 || at >= size) {
      switch (type) {
        case 0:
          return -1;
        case 1:
          at = at < 0 ? -at : 2 * size - 2 - at;
          break;
        case 2:
          at = at < 0 ? -at - 1 : 2 * size - 1 - at;
          break;
        default:
          at = at < 0 ? 0 : size - 1;
          break;
      }
    }
    return at * stride;
  }

  std::vector<Axis> axes_;
  int64_t run_ = 1, rows_ = 1;
  size_t size_ = 4;
  char fill_[4] = {};
};

}  // namespace

std::unique_ptr<Operator> MakeConcat() { return std::make_unique<ConcatOperator>(); }
std::unique_ptr<Operator> MakeSplit() { return std::make_unique<SplitOperator>(); }
std::unique_ptr<Operator> MakeStridedSlice() { return std::make_unique<StridedSliceOperator>(); }
std::unique_ptr<Operator> MakeReshape() { return std::make_unique<ReshapeOperator>(); }
std::unique_ptr<Operator> MakeTranspose() { return std::make_unique<TransposeOperator>(); }
std::unique_ptr<Operator> MakePad() { return std::make_unique<PadOperator>(); }

}  // namespace runtime
}  // namespace mace
