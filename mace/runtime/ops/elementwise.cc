// Eltwise, Activation, BatchNorm, Quantize, Dequantize, Softmax and LocalResponseNorm.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "mace/runtime/operator.h"
#include "mace/runtime/ops/broadcast.h"

namespace mace {
namespace runtime {

std::unique_ptr<Operator> MakeEltwise();
std::unique_ptr<Operator> MakeActivation();
std::unique_ptr<Operator> MakeBatchNorm();
std::unique_ptr<Operator> MakeQuantize();
std::unique_ptr<Operator> MakeDequantize();
std::unique_ptr<Operator> MakeSoftmax();
std::unique_ptr<Operator> MakeLocalResponseNorm();

namespace {

// Elements per task: enough to be worth waking a thread.
constexpr int64_t kGrain = 1 << 14;

template <typename Fn>
Fn Pick(ElementType type, const kernels::ByType<Fn>& by_type) {
  return type == ElementType::kInt8 ? by_type.s8 : by_type.u8;
}

class EltwiseOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(2, 2) || !c->RequireOutputs(1)) return;
    const Tensor &a = c->input(0), &b = c->input(1), &y = c->output();
    if (!c->RequireAnyType(a) || !c->RequireAnyType(b) || !c->RequireType(b, a.type)) return;
    const int64_t type = c->RequiredInt("type", 0, 18);
    if (!c->ok()) return;
    if (type == 6 || type == 7) {
      c->Fail(diagnostics::BadAttribute("type", "is a function of one operand; use Activation"));
      return;
    }
    if (type == 13 || type == 14) {
      c->Fail(diagnostics::BadAttribute("type", "is no type of Eltwise"));
      return;
    }
    args_.kind = static_cast<kernels::EltwiseKind>(type);
    const bool comparison = type >= 10 && type != 12;
    if (!c->RequireType(y, comparison ? ElementType::kInt32 : a.type)) return;
    const bool quantized = IsQuantized(a.type), whole = a.type == ElementType::kInt32;
    if (quantized && (type == 3 || type > 5)) {
      c->Fail(diagnostics::NoKernel("Eltwise of type " + std::to_string(type) + " on " +
                                    NameOf(a.type)));
      return;
    }
    if (!broadcast_.Init(c, {&a, &b}, y)) return;
    c->FusedLimits(&args_.lo, &args_.hi);
    if ((comparison || whole) && c->String("activation", "NOOP") != "NOOP") {
      c->Fail(diagnostics::BadAttribute("activation", "is not for int32 results"));
      return;
    }
    if (quantized) {
      const quant::CodeRange codes = c->FusedCodes(y);
      const double sa = a.scale, sb = b.scale, sy = y.scale;
      args_.k_a = quant::ToMultiplier(sa / sy);
      args_.k_b = quant::ToMultiplier(sb / sy);
      args_.k = quant::ToMultiplier(sa * sb / sy);
      args_.fixed = c->FixedPoint();
      if (args_.fixed && type > 2) {
        c->Fail(diagnostics::BadAttribute("requantize", "is for sums, differences and products"));
        return;
      }
      const quant::FixedSum sum = quant::FixedSumMultipliers(a.scale, b.scale, y.scale);
      args_.fixed_a = sum.a;
      args_.fixed_b = sum.b;
      args_.fixed_y = type == 2 ? quant::FixedProdMultiplier(a.scale, b.scale, y.scale) : sum.y;
      args_.zero_a = a.zero_point;
      args_.zero_b = b.zero_point;
      args_.zero_y = y.zero_point;
      args_.q_lo = codes.lo;
      args_.q_hi = codes.hi;
      run_ = Pick(a.type, c->kernels().eltwise);
    } else {
      run_ = whole        ? c->kernels().eltwise_i32
             : comparison ? c->kernels().compare_f32
                          : c->kernels().eltwise_f32;
    }
    size_ = static_cast<int64_t>(SizeOf(a.type));
    out_size_ = static_cast<int64_t>(SizeOf(y.type));
  }

  void Run(const RunContext& context) const override {
    const char* a = context.input<char>(0);
    const char* b = context.input<char>(1);
    char* y = context.output<char>();
    const int64_t inner = broadcast_.row_size();
    const int64_t sa = broadcast_.row_strides()[0], sb = broadcast_.row_strides()[1];
    if (broadcast_.rows() == 1) {
      context.pool().ForRange(inner, kGrain, [&](int64_t begin, int64_t end, int) {
        run_(args_, a + begin * sa * size_, sa, b + begin * sb * size_, sb, y + begin * out_size_,
             end - begin);
      });
      return;
    }
    context.pool().ForRange(broadcast_.rows(), std::max<int64_t>(1, kGrain / inner),
                            [&](int64_t begin, int64_t end, int) {
                              for (int64_t row = begin; row < end; ++row) {
                                const auto offsets = broadcast_.Offsets(row);
                                run_(args_, a + offsets[0] * size_, sa, b + offsets[1] * size_, sb,
                                     y + row * inner * out_size_, inner);
                              }
                            });
  }

 private:
  kernels::EltwiseArgs args_ = {};
  kernels::EltwiseFn run_ = nullptr;
  Broadcast<2> broadcast_;
  int64_t size_ = 4, out_size_ = 4;
};

class ActivationOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 3) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireComputeType(x) || !c->RequireType(y, x.type) || !c->RequireShape(y, x.shape))
      return;
    static const char* const kNames[] = {
        "RELU",        "RELUX",     "PRELU",      "TANH",      "SIGMOID", "LEAKYRELU", "ELU",
        "HARDSIGMOID", "HARDSWISH", "CLIP",       "EXP",       "SQRT",    "RSQRT",     "ABS",
        "NEG",         "LOG",       "RECIPROCAL", "SQUARE",    "FLOOR",   "CEIL",      "ROUND",
        "SIGN",        "ERF",       "GELU",       "GELU_TANH", "SILU",    "SOFTPLUS",  "MISH"};
    const std::string name = c->RequiredString("activation");
    const auto* found = std::find(std::begin(kNames), std::end(kNames), name);
    if (found == std::end(kNames)) {
      c->Fail(diagnostics::BadAttribute(
          "activation", "is '" + name + "', which is not a function of Activation"));
      return;
    }
    args_.kind = static_cast<kernels::ActivationKind>(found - std::begin(kNames));
    args_.max_limit = c->Float("max_limit", 0.0f);
    args_.min_limit = c->Float("min_limit", 0.0f);
    args_.coefficient = c->Float("activation_coefficient", 0.0f);
    args_.alpha = c->Float("hardsigmoid_alpha", 0.16666667163372040f);
    args_.beta = c->Float("hardsigmoid_beta", 0.5f);
    elements_ = x.elements;
    if (IsQuantized(x.type)) {
      if (!c->has_input(2)) {
        c->Fail(
            diagnostics::BadInputCount(c->input_count(), "3 (a quantized Activation has a table)"));
        return;
      }
      const Tensor& table = c->input(2);
      if (!c->RequireConstant(table) || !c->RequireType(table, y.type)) return;
      table_ = static_cast<const uint8_t*>(table.data);
      flip_ = x.type == ElementType::kInt8 ? 0x80 : 0;
      const bool by_channel =
          args_.kind == kernels::ActivationKind::kPrelu && table.elements != 256;
      if (by_channel) {
        if (!c->RequireRank(x, 1, kMaxRank) || !c->RequireShape(table, {x.shape.back(), 256}))
          return;
        channels_ = x.shape.back();
        lookup_by_channel_ = c->kernels().channel_table;
      } else if (table.elements != 256) {
        c->Fail(diagnostics::BadOperandShape(table.name, ToString(table.shape), "256"));
      }
      lookup_ = c->kernels().table;
      return;
    }
    args_.slope_count = 1;
    if (args_.kind == kernels::ActivationKind::kPrelu) {
      if (!c->has_input(1)) {
        c->Fail(diagnostics::BadInputCount(c->input_count(), "2 (PRELU has a slope)"));
        return;
      }
      const Tensor& slope = c->input(1);
      const int64_t channels = x.shape.empty() ? 1 : x.shape.back();
      if (!c->RequireConstant(slope) || !c->RequireType(slope, ElementType::kFloat32)) return;
      if (slope.elements != 1 && slope.elements != channels) {
        c->Fail(diagnostics::BadOperandShape(slope.name, ToString(slope.shape),
                                             std::to_string(channels)));
        return;
      }
      args_.slope = static_cast<const float*>(slope.data);
      args_.slope_count = slope.elements;
    }
    run_ = c->kernels().activation_f32;
  }

  void Run(const RunContext& context) const override {
    if (table_ != nullptr) {
      const char* x = context.input<char>(0);
      char* y = context.output<char>();
      if (lookup_by_channel_ != nullptr) {
        context.pool().ForRange(elements_ / channels_, std::max<int64_t>(1, kGrain / channels_),
                                [&](int64_t begin, int64_t end, int) {
                                  lookup_by_channel_(x + begin * channels_, table_, channels_,
                                                     flip_, y + begin * channels_,
                                                     (end - begin) * channels_);
                                });
        return;
      }
      context.pool().ForRange(elements_, kGrain, [&](int64_t begin, int64_t end, int) {
        lookup_(x + begin, table_, flip_, y + begin, end - begin);
      });
      return;
    }
    const float* x = context.input<float>(0);
    float* y = context.output<float>();
    const int64_t unit = args_.slope_count;
    context.pool().ForRange(elements_ / unit, std::max<int64_t>(1, kGrain / 4 / unit),
                            [&](int64_t begin, int64_t end, int) {
                              run_(args_, x + begin * unit, y + begin * unit, (end - begin) * unit);
                            });
  }

 private:
  kernels::ActivationArgs args_ = {};
  kernels::ActivationFn run_ = nullptr;
  kernels::TableFn lookup_ = nullptr;
  kernels::ChannelTableFn lookup_by_channel_ = nullptr;
  const uint8_t* table_ = nullptr;
  int64_t channels_ = 1;
  uint8_t flip_ = 0;
  int64_t elements_ = 0;
};

class BatchNormOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(3, 3) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireRank(x, 1, kMaxRank) || !c->RequireType(x, ElementType::kFloat32) ||
        !c->RequireType(y, ElementType::kFloat32) || !c->RequireShape(y, x.shape)) {
      return;
    }
    channels_ = x.shape.back();
    for (size_t i = 1; i < 3; ++i) {
      const Tensor& t = c->input(i);
      if (!c->RequireType(t, ElementType::kFloat32)) return;
      if (t.elements != channels_)
        c->Fail(diagnostics::BadOperandShape(t.name, ToString(t.shape), std::to_string(channels_)));
    }
    c->FusedLimits(&lo_, &hi_);
    rows_ = x.elements / channels_;
    run_ = c->kernels().batch_norm_f32;
  }

  void Run(const RunContext& context) const override {
    const float* x = context.input<float>(0);
    const float* scale = context.input<float>(1);
    const float* offset = context.input<float>(2);
    float* y = context.output<float>();
    context.pool().ForRange(rows_, std::max<int64_t>(1, kGrain / channels_),
                            [&](int64_t begin, int64_t end, int) {
                              run_(x + begin * channels_, scale, offset, channels_, lo_, hi_,
                                   y + begin * channels_, (end - begin) * channels_);
                            });
  }

 private:
  kernels::BatchNormFn run_ = nullptr;
  int64_t channels_ = 1, rows_ = 0;
  float lo_ = 0, hi_ = 0;
};

class QuantizeOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireType(x, ElementType::kFloat32) || !c->RequireComputeType(y) ||
        !c->RequireShape(y, x.shape))
      return;
    if (!IsQuantized(y.type)) {
      c->Fail(diagnostics::BadOperandType(y.name, NameOf(y.type), "uint8 or int8"));
      return;
    }
    scale_ = y.scale;
    zero_ = y.zero_point;
    elements_ = x.elements;
    run_ = Pick(y.type, c->kernels().quantize);
  }
  void Run(const RunContext& context) const override {
    const float* x = context.input<float>(0);
    char* y = context.output<char>();
    context.pool().ForRange(elements_, kGrain, [&](int64_t begin, int64_t end, int) {
      run_(x + begin, scale_, zero_, y + begin, end - begin);
    });
  }

 private:
  kernels::QuantizeFn run_ = nullptr;
  float scale_ = 1;
  int32_t zero_ = 0;
  int64_t elements_ = 0;
};

class DequantizeOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireComputeType(x) || !c->RequireType(y, ElementType::kFloat32) ||
        !c->RequireShape(y, x.shape))
      return;
    if (!IsQuantized(x.type)) {
      c->Fail(diagnostics::BadOperandType(x.name, NameOf(x.type), "uint8 or int8"));
      return;
    }
    scale_ = x.scale;
    zero_ = x.zero_point;
    elements_ = x.elements;
    run_ = Pick(x.type, c->kernels().dequantize);
  }
  void Run(const RunContext& context) const override {
    const char* x = context.input<char>(0);
    float* y = context.output<float>();
    context.pool().ForRange(elements_, kGrain, [&](int64_t begin, int64_t end, int) {
      run_(x + begin, scale_, zero_, y + begin, end - begin);
    });
  }

 private:
  kernels::DequantizeFn run_ = nullptr;
  float scale_ = 1;
  int32_t zero_ = 0;
  int64_t elements_ = 0;
};

class SoftmaxOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 2) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireRank(x, 1, kMaxRank) || !c->RequireComputeType(x) ||
        !c->RequireType(y, x.type) || !c->RequireShape(y, x.shape))
      return;
    log_ = c->Int("log", 0, 0, 1) != 0;
    depth_ = x.shape.back();
    rows_ = x.elements / depth_;
    if (!IsQuantized(x.type)) {
      run_ = c->kernels().softmax_f32;
      return;
    }
    if (log_) {
      c->Fail(diagnostics::NoKernel("Softmax with log on " + std::string(NameOf(x.type))));
      return;
    }
    if (!c->has_input(1)) {
      c->Fail(diagnostics::BadInputCount(c->input_count(), "2 (a quantized Softmax has a table)"));
      return;
    }
    const Tensor& table = c->input(1);
    if (!c->RequireConstant(table) || !c->RequireType(table, ElementType::kInt32)) return;
    if (table.elements != 256) {
      c->Fail(diagnostics::BadOperandShape(table.name, ToString(table.shape), "256"));
      return;
    }
    table_ = static_cast<const int32_t*>(table.data);
    for (int i = 0; i < 256; ++i) {
      if (table_[i] < 0 || table_[0] < 1) {
        c->Fail(diagnostics::BadQuantization(table.name, "is not a table of exponentials"));
        return;
      }
    }
    zero_ = QMin(y.type);
    if (y.zero_point != zero_ || y.scale != 1.0f / 256.0f) {
      c->Fail(diagnostics::BadQuantization(
          y.name, "must have the scale 1/256 and the least code as zero point"));
      return;
    }
    codes_ = Pick(x.type, c->kernels().softmax);
  }

  void Run(const RunContext& context) const override {
    context.pool().ForRange(
        rows_, std::max<int64_t>(1, kGrain / 8 / depth_), [&](int64_t begin, int64_t end, int) {
          if (codes_ != nullptr) {
            codes_(context.input(0), context.output(), table_, depth_, zero_, begin, end);
          } else {
            run_(context.input<float>(0), context.output<float>(), depth_, log_, begin, end);
          }
        });
  }

 private:
  kernels::SoftmaxFn run_ = nullptr;
  kernels::SoftmaxCodesFn codes_ = nullptr;
  const int32_t* table_ = nullptr;
  bool log_ = false;
  int32_t zero_ = 0;
  int64_t depth_ = 1, rows_ = 0;
};

class LocalResponseNormOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireRank(x, 1, kMaxRank) || !c->RequireType(x, ElementType::kFloat32) ||
        !c->RequireType(y, ElementType::kFloat32) || !c->RequireShape(y, x.shape)) {
      return;
    }
    const int64_t size = c->RequiredInt("size", 1, kMaxCount);
    args_.channels = x.shape.back();
    args_.before = (size - 1) / 2;
    args_.after = size / 2;
    args_.alpha = c->RequiredFloat("alpha");
    args_.beta = c->RequiredFloat("beta");
    args_.bias = c->Float("bias", 1.0f);
    rows_ = x.elements / args_.channels;
    run_ = c->kernels().lrn_f32;
  }
  void Run(const RunContext& context) const override {
    context.pool().ForRange(rows_, std::max<int64_t>(1, kGrain / 16 / args_.channels),
                            [&](int64_t begin, int64_t end, int) {
                              run_(args_, context.input<float>(0), context.output<float>(), begin,
                                   end);
                            });
  }

 private:
  kernels::LrnArgs args_ = {};
  kernels::LrnFn run_ = nullptr;
  int64_t rows_ = 0;
};

}  // namespace

std::unique_ptr<Operator> MakeEltwise() { return std::make_unique<EltwiseOperator>(); }
std::unique_ptr<Operator> MakeActivation() { return std::make_unique<ActivationOperator>(); }
std::unique_ptr<Operator> MakeBatchNorm() { return std::make_unique<BatchNormOperator>(); }
std::unique_ptr<Operator> MakeQuantize() { return std::make_unique<QuantizeOperator>(); }
std::unique_ptr<Operator> MakeDequantize() { return std::make_unique<DequantizeOperator>(); }
std::unique_ptr<Operator> MakeSoftmax() { return std::make_unique<SoftmaxOperator>(); }
std::unique_ptr<Operator> MakeLocalResponseNorm() {
  return std::make_unique<LocalResponseNormOperator>();
}

}  // namespace runtime
}  // namespace mace
