// Conv2D, DepthwiseConv2d, FullyConnected and MatMul.
#include <cmath>
#include <cstring>
#include <limits>

#include "mace/kernels/conv.h"
#include "mace/runtime/operator.h"

namespace mace {
namespace runtime {

std::unique_ptr<Operator> MakeConv2D();
std::unique_ptr<Operator> MakeDepthwiseConv2d();
std::unique_ptr<Operator> MakeFullyConnected();
std::unique_ptr<Operator> MakeMatMul();

namespace {

using kernels::Window;

constexpr int64_t kMaxWindow = 65536;

// Reads strides, dilations and pads, and checks the declared output size against them.
Window ReadWindow(PrepareContext* c, const Tensor& x, const Tensor& y, int64_t kernel_h,
                  int64_t kernel_w) {
  Window w = {};
  const auto strides = c->Ints("strides", {1, 1}, 2, 1, kMaxWindow);
  const auto dilations = c->Ints("dilations", {1, 1}, 2, 1, kMaxWindow);
  const auto pads = c->Ints("pads", {0, 0, 0, 0}, 4, 0, kMaxWindow);
  w.batch = x.shape[0];
  w.in_h = x.shape[1];
  w.in_w = x.shape[2];
  w.out_h = y.shape[1];
  w.out_w = y.shape[2];
  w.kernel_h = kernel_h;
  w.kernel_w = kernel_w;
  w.stride_h = strides[0];
  w.stride_w = strides[1];
  w.dilation_h = dilations[0];
  w.dilation_w = dilations[1];
  w.pad_top = pads[0];
  w.pad_left = pads[1];
  w.pad_bottom = pads[2];
  w.pad_right = pads[3];
  const int64_t room_h = w.in_h + w.pad_top + w.pad_bottom - (w.dilation_h * (kernel_h - 1) + 1);
  const int64_t room_w = w.in_w + w.pad_left + w.pad_right - (w.dilation_w * (kernel_w - 1) + 1);
  if (room_h < 0 || room_w < 0) {
    c->Fail(diagnostics::BadOperandShape(x.name, ToString(x.shape), "one as large as the window"));
    return w;
  }
  c->RequireShape(y, {w.batch, room_h / w.stride_h + 1, room_w / w.stride_w + 1, y.shape[3]});
  return w;
}

// Scales of the output channels of quantized weights, one each; and the checks of their types.
std::vector<float> WeightScales(PrepareContext* c, const Tensor& weights, size_t channels,
                                size_t per_scale) {
  std::vector<float> scales(channels, 1.0f);
  if (!IsQuantized(weights.type)) {
    c->Fail(diagnostics::BadOperandType(weights.name, NameOf(weights.type), "uint8 or int8"));
  } else if (!weights.channel_scale.empty()) {
    const size_t count = weights.channel_scale.size();
    if (count == channels) {
      scales = weights.channel_scale;
    } else if (count * per_scale == channels) {
      for (size_t i = 0; i < channels; ++i) scales[i] = weights.channel_scale[i / per_scale];
    } else {
      c->Fail(diagnostics::BadQuantization(weights.name,
                                           "has " + std::to_string(count) + " channel scales for " +
                                               std::to_string(channels) + " output channels"));
    }
    if (weights.zero_point != 0) {
      c->Fail(diagnostics::BadQuantization(weights.name,
                                           "has channel scales and a zero point that is not 0"));
    }
  } else if (weights.has_scale) {
    scales.assign(channels, weights.scale);
  } else {
    c->Fail(diagnostics::BadQuantization(weights.name, "has no scale"));
  }
  if (weights.zero_point < QMin(weights.type) || weights.zero_point > QMax(weights.type)) {
    c->Fail(diagnostics::BadQuantization(weights.name, "has a zero point outside its codes"));
  }
  return scales;
}

// The parts that the three operators with constant weights share: operand types, bias, multipliers.
struct Weighted {
  const void* bias = nullptr;
  float lo = 0, hi = 0;
  quant::CodeRange codes{0, 0};
  std::vector<float> multiplier;

  bool Read(PrepareContext* c, int64_t channels, size_t per_scale) {
    const Tensor &x = c->input(0), &w = c->input(1), &y = c->output();
    if (!c->RequireComputeType(x) || !c->RequireConstant(w) || !c->RequireType(y, x.type))
      return false;
    const bool quantized = IsQuantized(x.type);
    if (c->has_input(2)) {
      const Tensor& b = c->input(2);
      if (!c->RequireConstant(b) ||
          !c->RequireType(b, quantized ? ElementType::kInt32 : ElementType::kFloat32))
        return false;
      if (b.elements != channels) {
        c->Fail(diagnostics::BadOperandShape(b.name, ToString(b.shape), std::to_string(channels)));
        return false;
      }
      bias = b.data;
    }
    if (!quantized) {
      c->RequireType(w, ElementType::kFloat32);
      c->FusedLimits(&lo, &hi);
      return c->ok();
    }
    const std::vector<float> scales = WeightScales(c, w, static_cast<size_t>(channels), per_scale);
    codes = c->FusedCodes(y);
    for (float s : scales) multiplier.push_back(quant::ProductMultiplier(x.scale, s, y.scale));
    return c->ok();
  }
};

class ConvBase : public Operator {
 public:
  void Run(const RunContext& context) const override {
    const void* input = context.input(0);
    void* output = context.output();
    context.pool().For(conv_.tasks(), [&](int64_t task, int thread) {
      conv_.Run(task, input, output, context.thread_scratch(thread));
    });
  }
  int64_t macs() const override { return conv_.macs(); }
  std::string kernel() const override { return conv_.kernel_name(); }

 protected:
  void Init(PrepareContext* c, const kernels::ConvShape& shape, const Weighted& weighted) {
    const Tensor &x = c->input(0), &w = c->input(1), &y = c->output();
    bool done;
    if (IsQuantized(x.type)) {
      kernels::ConvQuantization q;
      q.input_type = x.type;
      q.weight_type = w.type;
      q.input_zero = x.zero_point;
      q.weight_zero = w.zero_point;
      q.output_zero = y.zero_point;
      q.q_lo = weighted.codes.lo;
      q.q_hi = weighted.codes.hi;
      q.scale = weighted.multiplier;
      done =
          conv_.InitCodes(shape, c->tier(), w.data, static_cast<const int32_t*>(weighted.bias), q);
    } else {
      done = conv_.InitFloat(shape, c->tier(), static_cast<const float*>(w.data),
                             static_cast<const float*>(weighted.bias), weighted.lo, weighted.hi);
    }
    if (!done) {
      c->Fail(diagnostics::OutOfMemory("packed weights", w.bytes()));
      return;
    }
    conv_.Plan(c->threads());
    c->RequestThreadScratch(conv_.scratch_bytes());
  }

  kernels::Conv conv_;
};

class Conv2DOperator : public ConvBase {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(2, 3) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &w = c->input(1), &y = c->output();
    if (!c->RequireRank(x, 4, 4) || !c->RequireRank(w, 4, 4) || !c->RequireRank(y, 4, 4)) return;
    const int64_t groups = c->Int("group", 1, 1, 1 << 24);
    const int64_t channels = x.shape[3], filters = w.shape[0];
    if (channels % groups != 0 || filters % groups != 0) {
      c->Fail(diagnostics::BadAttribute("group", "does not divide the channels"));
      return;
    }
    if (!c->RequireShape(w, {y.shape[3], w.shape[1], w.shape[2], channels / groups})) return;
    kernels::ConvShape shape;
    shape.window = ReadWindow(c, x, y, w.shape[1], w.shape[2]);
    shape.in_channels = channels;
    shape.out_channels = filters;
    shape.groups = groups;
    Weighted weighted;
    if (!c->ok() || !weighted.Read(c, filters, 1)) return;
    Init(c, shape, weighted);
  }
};

class FullyConnectedOperator : public ConvBase {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(2, 3) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &w = c->input(1), &y = c->output();
    if (!c->RequireRank(x, 1, kMaxRank) || !c->RequireRank(w, 2, 2)) return;
    const int64_t depth = x.shape.back(), filters = w.shape[0];
    if (!c->RequireShape(w, {filters, depth})) return;
    Shape expected = x.shape;
    expected.back() = filters;
    if (!c->RequireShape(y, expected)) return;
    kernels::ConvShape shape = {};
    shape.window = {x.elements / depth, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    shape.in_channels = depth;
    shape.out_channels = filters;
    shape.groups = 1;
    Weighted weighted;
    if (!weighted.Read(c, filters, 1)) return;
    Init(c, shape, weighted);
  }
};

class DepthwiseConv2dOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(2, 3) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &w = c->input(1), &y = c->output();
    if (!c->RequireRank(x, 4, 4) || !c->RequireRank(w, 4, 4) || !c->RequireRank(y, 4, 4)) return;
    const int64_t channels = x.shape[3], multiplier = w.shape[3];
    if (!c->RequireShape(w, {w.shape[0], w.shape[1], channels, multiplier})) return;
    const int64_t out_channels = channels * multiplier;
    if (y.shape[3] != out_channels) {
      c->RequireShape(y, {y.shape[0], y.shape[1], y.shape[2], out_channels});
      return;
    }
    args_.window = ReadWindow(c, x, y, w.shape[0], w.shape[1]);
    if (!c->ok() || !weighted_.Read(c, out_channels, static_cast<size_t>(multiplier))) return;
    args_.channels = channels;
    args_.multiplier = multiplier;
    const size_t outs = static_cast<size_t>(out_channels);
    const bool quantized = IsQuantized(x.type);
    if (!bias_.Allocate(outs * 4) ||
        !padding_.Allocate(static_cast<size_t>(channels) * SizeOf(x.type)) ||
        (quantized && !weights_.Allocate(static_cast<size_t>(w.elements) * 2))) {
      c->Fail(diagnostics::OutOfMemory("packed weights", w.bytes()));
      return;
    }
    if (weighted_.bias != nullptr) {
      std::memcpy(bias_.data(), weighted_.bias, outs * 4);
    } else {
      std::memset(bias_.data(), 0, outs * 4);
    }
    std::memset(padding_.data(), quantized ? x.zero_point & 0xff : 0, padding_.size());
    args_.weights = w.data;
    if (quantized) {
      int16_t* packed = weights_.as<int16_t>();
      const kernels::KernelSet& set = c->kernels();
      (w.type == ElementType::kInt8 ? set.center.s8 : set.center.u8)(w.data, w.zero_point, packed,
                                                                     w.elements);
      args_.weights = packed;
    }
    args_.bias = bias_.data();
    args_.padding = padding_.data();
    args_.lo = weighted_.lo;
    args_.hi = weighted_.hi;
    args_.scale = weighted_.multiplier.data();
    args_.input_zero = x.zero_point;
    args_.output_zero = y.zero_point;
    args_.q_lo = weighted_.codes.lo;
    args_.q_hi = weighted_.codes.hi;
    const kernels::KernelSet& set = c->kernels();
    run_ = !quantized                     ? set.depthwise_f32
           : x.type == ElementType::kInt8 ? set.depthwise.s8
                                          : set.depthwise.u8;
    macs_ = y.elements * w.shape[0] * w.shape[1];
    c->RequestThreadScratch(static_cast<size_t>(w.shape[0] * w.shape[1]) * sizeof(void*));
  }

  void Run(const RunContext& context) const override {
    kernels::DepthwiseArgs args = args_;
    args.input = context.input(0);
    args.output = context.output();
    context.pool().ForRange(
        args.window.batch * args.window.out_h, 1, [&](int64_t begin, int64_t end, int thread) {
          run_(args, begin, end, static_cast<const void**>(context.thread_scratch(thread)));
        });
  }
  int64_t macs() const override { return macs_; }

 private:
  kernels::DepthwiseArgs args_ = {};
  kernels::DepthwiseFn run_ = nullptr;
  Weighted weighted_;
  AlignedBuffer weights_, bias_, padding_;
  int64_t macs_ = 0;
};

class MatMulOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(2, 2) || !c->RequireOutputs(1)) return;
    const Tensor &a = c->input(0), &b = c->input(1), &y = c->output();
    for (const Tensor* t : {&a, &b, &y}) {
      if (!c->RequireType(*t, ElementType::kFloat32) || !c->RequireRank(*t, 2, kMaxRank)) return;
    }
    transpose_a_ = c->Int("transpose_a", 0, 0, 1) != 0;
    transpose_b_ = c->Int("transpose_b", 0, 0, 1) != 0;
    const size_t ra = a.shape.size(), rb = b.shape.size(), rank = ra > rb ? ra : rb;
    m_ = a.shape[ra - (transpose_a_ ? 1 : 2)];
    k_ = a.shape[ra - (transpose_a_ ? 2 : 1)];
    n_ = b.shape[rb - (transpose_b_ ? 2 : 1)];
    if (b.shape[rb - (transpose_b_ ? 1 : 2)] != k_) {
      c->Fail(diagnostics::BadOperandShape(b.name, ToString(b.shape),
                                           "one with " + std::to_string(k_) + " rows"));
      return;
    }
    Shape expected(rank);
    expected[rank - 2] = m_;
    expected[rank - 1] = n_;
    batch_ = 1;
    for (size_t i = 0; i + 2 < rank; ++i) {
      // Axis i of the result, counted from the front; operands of lower rank have 1 there.
      const int64_t da = i + ra >= rank ? a.shape[i + ra - rank] : 1;
      const int64_t db = i + rb >= rank ? b.shape[i + rb - rank] : 1;
      if (da != db && da != 1 && db != 1) {
        c->Fail(diagnostics::BadOperandShape(b.name, ToString(b.shape),
                                             "one that broadcasts with " + ToString(a.shape)));
        return;
      }
      expected[i] = da > db ? da : db;
      size_.push_back(expected[i]);
      a_one_.push_back(da == 1);
      b_one_.push_back(db == 1);
      batch_ *= expected[i];
    }
    if (!c->RequireShape(y, expected)) return;
    kernel_ = kernels::SelectGemm(c->tier(), false);
    packed_bytes_ = AlignUp(kernels::PackedMatrix::FloatBytes(*kernel_, n_, k_));
    const size_t rows = transpose_a_ ? static_cast<size_t>(m_ * k_) * sizeof(float) : 0;
    c->RequestSharedScratch(packed_bytes_ + rows);
  }

  void Run(const RunContext& context) const override {
    const float* a = context.input<float>(0);
    const float* b = context.input<float>(1);
    float* y = context.output<float>();
    int64_t packed_from = -1;
    kernels::PackedMatrix matrix;
    float* turned =
        reinterpret_cast<float*>(static_cast<char*>(context.shared_scratch()) + packed_bytes_);
    for (int64_t i = 0; i < batch_; ++i) {
      const int64_t ia = Offset(i, a_one_), ib = Offset(i, b_one_);
      if (ib != packed_from) {
        matrix.PackFloatInto(*kernel_, b + ib * k_ * n_, !transpose_b_, n_, k_,
                             context.shared_scratch());
        packed_from = ib;
      }
      const float* rows = a + ia * m_ * k_;
      if (transpose_a_) {
        for (int64_t r = 0; r < m_; ++r) {
          for (int64_t k = 0; k < k_; ++k) turned[r * k_ + k] = rows[k * m_ + r];
        }
        rows = turned;
      }
      const int64_t tiles = (m_ + kernel_->rows - 1) / kernel_->rows;
      float* out = y + i * m_ * n_;
      context.pool().For(tiles * matrix.panels(), [&](int64_t task, int) {
        const int64_t tile = task % tiles, panel = task / tiles;
        kernels::GemmArgs args = {};
        matrix.SetPanel(panel, &args);
        const int64_t r0 = m_ * tile / tiles, r1 = m_ * (tile + 1) / tiles;
        args.rows = static_cast<int>(r1 - r0);
        args.a = rows + r0 * k_;
        args.lda = k_;
        args.c = out + r0 * n_ + panel * kernel_->columns;
        args.ldc = n_;
        args.lo = -std::numeric_limits<float>::infinity();
        args.hi = std::numeric_limits<float>::infinity();
        kernel_->run(args);
      });
    }
  }
  int64_t macs() const override { return batch_ * m_ * n_ * k_; }
  std::string kernel() const override { return kernel_->name; }

 private:
  // Number of the operand's matrix for result matrix i; `one` tells the axes along which the
  // operand is repeated.
  int64_t Offset(int64_t i, const std::vector<bool>& one) const {
    int64_t offset = 0, stride = 1;
    for (size_t axis = size_.size(); axis-- > 0;) {
      const int64_t at = i % size_[axis];
      i /= size_[axis];
      if (one[axis]) continue;
      offset += at * stride;
      stride *= size_[axis];
    }
    return offset;
  }

  bool transpose_a_ = false, transpose_b_ = false;
  int64_t m_ = 0, k_ = 0, n_ = 0, batch_ = 1;
  std::vector<int64_t> size_;
  std::vector<bool> a_one_, b_one_;
  const kernels::GemmKernel* kernel_ = nullptr;
  size_t packed_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Operator> MakeConv2D() { return std::make_unique<Conv2DOperator>(); }
std::unique_ptr<Operator> MakeDepthwiseConv2d() {
  return std::make_unique<DepthwiseConv2dOperator>();
}
std::unique_ptr<Operator> MakeFullyConnected() {
  return std::make_unique<FullyConnectedOperator>();
}
std::unique_ptr<Operator> MakeMatMul() { return std::make_unique<MatMulOperator>(); }

}  // namespace runtime
}  // namespace mace
