// Deconv2D: transposed convolution as ordinary convolutions.
//
// The output pixels whose row and column leave the same remainders when divided by the strides
// (a phase) gather the input through the same taps of the filter, always one input row or column
// further: a convolution of stride 1 by a part of the filter, turned round. Every tap belongs to
// one phase; phases without taps hold the bias.
#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "mace/kernels/conv.h"
#include "mace/runtime/operator.h"
#include "mace/runtime/ops/strided_copy.h"
#include "mace/runtime/ops/weights.h"
#include "mace/runtime/ops/window.h"

namespace mace {
namespace runtime {

std::unique_ptr<Operator> MakeDeconv2D();

namespace {

// One remainder along one axis.
struct AxisPhase {
  // First output index and number of outputs.
  int64_t first, count;
  // Filter indices in order of ascending input index.
  std::vector<int64_t> taps;
  // Input index of the first tap for the first output; distance between taps.
  int64_t origin, dilation;
};

// The phases that have taps. Output index o takes filter index k from input index
// (o + pad - k * dilation) / stride where that is whole.
std::vector<AxisPhase> PhasesOf(int64_t out, int64_t kernel, int64_t stride, int64_t dilation,
                                int64_t pad) {
  std::vector<AxisPhase> phases;
  // At most one phase a tap; found by the taps, as there may be many more remainders.
  std::map<int64_t, std::vector<int64_t>> by_first;
  for (int64_t k = kernel; k-- > 0;)
    by_first[((k * dilation - pad) % stride + stride) % stride].push_back(k);
  for (const auto& [first, taps] : by_first) {
    if (first >= out) continue;
    AxisPhase phase;
    phase.first = first;
    phase.count = (out - first + stride - 1) / stride;
    phase.taps = taps;
    phase.origin = (first + pad - taps[0] * dilation) / stride;
    phase.dilation = taps.size() < 2 ? 1 : (taps[0] - taps[1]) * dilation / stride;
    phases.push_back(std::move(phase));
  }
  return phases;
}

class Deconv2DOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(2, 3) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &w = c->input(1), &y = c->output();
    if (!c->RequireRank(x, 4, 4) || !c->RequireRank(w, 4, 4) || !c->RequireRank(y, 4, 4)) return;
    const int64_t groups = c->Int("group", 1, 1, kMaxCount);
    const auto strides = c->Ints("strides", {1, 1}, 2, 1, kMaxWindow);
    const auto dilations = c->Ints("dilations", {1, 1}, 2, 1, kMaxWindow);
    const auto pads = c->Ints("pads", {0, 0, 0, 0}, 4, 0, kMaxWindow);
    if (!c->ok()) return;
    const int64_t channels = x.shape[3];
    filters_ = w.shape[0];
    if (channels % groups != 0 || filters_ % groups != 0) {
      c->Fail(diagnostics::BadAttribute("group", "does not divide the channels"));
      return;
    }
    if (!c->RequireShape(w, {y.shape[3], w.shape[1], w.shape[2], channels / groups}) ||
        !c->RequireShape(y, {x.shape[0], y.shape[1], y.shape[2], filters_}))
      return;
    for (size_t axis = 0; axis < 2; ++axis) {
      const int64_t kernel = w.shape[1 + axis], out = y.shape[1 + axis];
      if (kernel > kMaxWindow) {
        c->Fail(diagnostics::BadOperandShape(w.name, ToString(w.shape), "one with fewer taps"));
        return;
      }
      const int64_t least = (x.shape[1 + axis] - 1) * strides[axis] - pads[axis] - pads[axis + 2] +
                            (kernel - 1) * dilations[axis] + 1;
      const int64_t room = std::max(strides[axis], dilations[axis]);
      if (out < least || out >= least + room) {
        c->Fail(diagnostics::BadOperandShape(y.name, ToString(y.shape),
                                             "one with " + std::to_string(least) + " to " +
                                                 std::to_string(least + room - 1) +
                                                 (axis == 0 ? " rows" : " columns")));
        return;
      }
    }
    if (!weighted_.Read(c, filters_, 1)) return;
    if (!weighted_.fixed.empty()) {
      c->Fail(diagnostics::BadAttribute("requantize", "is not for Deconv2D"));
      return;
    }
    out_h_ = y.shape[1];
    out_w_ = y.shape[2];
    batch_ = y.shape[0];
    stride_h_ = strides[0];
    stride_w_ = strides[1];
    size_ = static_cast<int64_t>(SizeOf(y.type));
    const bool by_channel = groups == channels && channels > 1;
    if (by_channel && !PrepareDepthwise(c)) return;

    const auto rows = PhasesOf(out_h_, w.shape[1], stride_h_, dilations[0], pads[0]);
    const auto columns = PhasesOf(out_w_, w.shape[2], stride_w_, dilations[1], pads[1]);
    // Each has a packed filter of its own: bounds the memory for a filter of many taps.
    if (rows.size() * columns.size() > static_cast<size_t>(kMaxPhases)) {
      c->Fail(diagnostics::NoKernel("Deconv2D whose strides make more than " +
                                    std::to_string(kMaxPhases) + " phases"));
      return;
    }
    int64_t covered = 0;
    size_t shared = 0, scratch = 0;
    for (const AxisPhase& row : rows) {
      for (const AxisPhase& column : columns) {
        auto phase = std::make_unique<Phase>();
        phase->first_row = row.first;
        phase->first_column = column.first;
        kernels::Window& window = phase->window;
        window = {};
        window.batch = batch_;
        window.in_h = x.shape[1];
        window.in_w = x.shape[2];
        window.out_h = row.count;
        window.out_w = column.count;
        window.kernel_h = static_cast<int64_t>(row.taps.size());
        window.kernel_w = static_cast<int64_t>(column.taps.size());
        window.stride_h = window.stride_w = 1;
        window.dilation_h = row.dilation;
        window.dilation_w = column.dilation;
        window.pad_top = -row.origin;
        window.pad_left = -column.origin;
        const std::vector<char> part = Part(w, row.taps, column.taps, by_channel);
        bool done;
        if (by_channel) {
          done = InitDepthwise(c, part, phase.get());
          scratch = std::max(scratch, row.taps.size() * column.taps.size() * sizeof(void*));
        } else {
          done = InitConv(c, part, groups, phase.get());
          scratch = std::max(scratch, phase->conv.scratch_bytes());
        }
        if (!done) {
          c->Fail(diagnostics::OutOfMemory("packed weights", w.bytes()));
          return;
        }
        const int64_t pixels = batch_ * row.count * column.count;
        covered += pixels;
        shared = std::max(shared, static_cast<size_t>(pixels * filters_ * size_));
        macs_ += pixels * filters_ * window.kernel_h * window.kernel_w * (channels / groups);
        phases_.push_back(std::move(phase));
      }
    }
    direct_ = phases_.size() == 1 && stride_h_ == 1 && stride_w_ == 1;
    if (!direct_) c->RequestSharedScratch(shared);
    c->RequestThreadScratch(scratch);
    if (covered < batch_ * out_h_ * out_w_) FillPixel(y);
  }

  void Run(const RunContext& context) const override {
    char* out = context.output<char>();
    if (!pixel_.empty()) {
      const int64_t bytes = static_cast<int64_t>(pixel_.size());
      context.pool().ForRange(batch_ * out_h_ * out_w_, std::max<int64_t>(1, kGrainBytes / bytes),
                              [&](int64_t begin, int64_t end, int) {
                                for (int64_t i = begin; i < end; ++i)
                                  std::memcpy(out + i * bytes, pixel_.data(), pixel_.size());
                              });
    }
    for (const auto& phase : phases_) {
      void* image = direct_ ? static_cast<void*>(out) : context.shared_scratch();
      const kernels::Window& w = phase->window;
      if (phase->run != nullptr) {
        kernels::DepthwiseArgs args = phase->depthwise;
        args.input = context.input(0);
        args.output = image;
        context.pool().ForRange(w.batch * w.out_h, 1, [&](int64_t begin, int64_t end, int thread) {
          phase->run(args, begin, end, static_cast<const void**>(context.thread_scratch(thread)));
        });
      } else {
        context.pool().For(phase->conv.tasks(), [&](int64_t task, int thread) {
          phase->conv.Run(task, context.input(0), image, context.thread_scratch(thread));
        });
      }
      if (!direct_) Scatter(*phase, static_cast<const char*>(image), out, &context.pool());
    }
  }
  int64_t macs() const override { return macs_; }
  std::string kernel() const override {
    return phases_.empty() || phases_[0]->run != nullptr ? "" : phases_[0]->conv.kernel_name();
  }

 private:
  struct Phase {
    int64_t first_row, first_column;
    kernels::Window window;
    kernels::Conv conv;
    // One filter a channel: no matrix product.
    kernels::DepthwiseFn run = nullptr;
    kernels::DepthwiseArgs depthwise = {};
    AlignedBuffer weights;
  };

  // The taps of a phase: [O, taps, taps, I / group], or [taps, taps, O] for a filter a channel.
  static std::vector<char> Part(const Tensor& w, const std::vector<int64_t>& rows,
                                const std::vector<int64_t>& columns, bool by_channel) {
    const size_t cell = static_cast<size_t>(w.shape[3]) * SizeOf(w.type);
    const int64_t filters = w.shape[0];
    std::vector<char> part(static_cast<size_t>(filters) * rows.size() * columns.size() * cell);
    char* to = part.data();
    const auto copy = [&](int64_t filter, int64_t row, int64_t column) {
      const int64_t at = (filter * w.shape[1] + row) * w.shape[2] + column;
      std::memcpy(to, static_cast<const char*>(w.data) + static_cast<size_t>(at) * cell, cell);
      to += cell;
    };
    if (by_channel) {
      for (int64_t row : rows) {
        for (int64_t column : columns) {
          for (int64_t o = 0; o < filters; ++o) copy(o, row, column);
        }
      }
    } else {
      for (int64_t o = 0; o < filters; ++o) {
        for (int64_t row : rows) {
          for (int64_t column : columns) copy(o, row, column);
        }
      }
    }
    return part;
  }

  bool InitConv(PrepareContext* c, const std::vector<char>& part, int64_t groups, Phase* phase) {
    const Tensor &x = c->input(0), &w = c->input(1), &y = c->output();
    kernels::ConvShape shape;
    shape.window = phase->window;
    shape.in_channels = x.shape[3];
    shape.out_channels = filters_;
    shape.groups = groups;
    bool done;
    if (IsQuantized(x.type)) {
      done = phase->conv.InitCodes(shape, c->tier(), part.data(),
                                   static_cast<const int32_t*>(weighted_.bias),
                                   weighted_.Quantization(x, w, y));
    } else {
      done = phase->conv.InitFloat(shape, c->tier(), reinterpret_cast<const float*>(part.data()),
                                   static_cast<const float*>(weighted_.bias), weighted_.lo,
                                   weighted_.hi);
    }
    if (done) phase->conv.Plan(c->threads());
    return done;
  }

  bool PrepareDepthwise(PrepareContext* c) {
    const Tensor& x = c->input(0);
    const size_t outs = static_cast<size_t>(filters_);
    if (!bias_.Allocate(outs * 4) ||
        !padding_.Allocate(static_cast<size_t>(x.shape[3]) * SizeOf(x.type))) {
      c->Fail(diagnostics::OutOfMemory("packed weights", outs * 4));
      return false;
    }
    std::memset(bias_.data(), 0, outs * 4);
    if (weighted_.bias != nullptr) std::memcpy(bias_.data(), weighted_.bias, outs * 4);
    std::memset(padding_.data(), IsQuantized(x.type) ? x.zero_point & 0xff : 0, padding_.size());
    return true;
  }

  bool InitDepthwise(PrepareContext* c, const std::vector<char>& part, Phase* phase) {
    const Tensor &x = c->input(0), &w = c->input(1), &y = c->output();
    const bool quantized = IsQuantized(x.type);
    const kernels::KernelSet& set = c->kernels();
    const int64_t count = static_cast<int64_t>(part.size() / SizeOf(w.type));
    if (!phase->weights.Allocate(static_cast<size_t>(count) * (quantized ? 2 : 4))) return false;
    if (quantized) {
      (w.type == ElementType::kInt8 ? set.center.s8 : set.center.u8)(
          part.data(), w.zero_point, phase->weights.as<int16_t>(), count);
    } else {
      std::memcpy(phase->weights.data(), part.data(), part.size());
    }
    kernels::DepthwiseArgs& args = phase->depthwise;
    args.window = phase->window;
    args.channels = x.shape[3];
    args.multiplier = filters_ / x.shape[3];
    args.weights = phase->weights.data();
    args.bias = bias_.data();
    args.padding = padding_.data();
    args.lo = weighted_.lo;
    args.hi = weighted_.hi;
    args.scale = weighted_.multiplier.data();
    args.input_zero = x.zero_point;
    args.output_zero = y.zero_point;
    args.q_lo = weighted_.codes.lo;
    args.q_hi = weighted_.codes.hi;
    phase->run = !quantized                     ? set.depthwise_f32
                 : x.type == ElementType::kInt8 ? set.depthwise.s8
                                                : set.depthwise.u8;
    return true;
  }

  // The output pixel that no tap reaches: the bias.
  void FillPixel(const Tensor& y) {
    pixel_.resize(static_cast<size_t>(filters_ * size_));
    for (int64_t o = 0; o < filters_; ++o) {
      if (IsQuantized(y.type)) {
        const int32_t acc =
            weighted_.bias == nullptr ? 0 : static_cast<const int32_t*>(weighted_.bias)[o];
        pixel_[static_cast<size_t>(o)] = static_cast<char>(
            quant::Requantize(acc, weighted_.multiplier[static_cast<size_t>(o)], y.zero_point,
                              weighted_.codes.lo, weighted_.codes.hi) &
            0xff);
        continue;
      }
      float v = weighted_.bias == nullptr ? 0.0f : static_cast<const float*>(weighted_.bias)[o];
      v = v < weighted_.lo ? weighted_.lo : v;
      v = v > weighted_.hi ? weighted_.hi : v;
      std::memcpy(&pixel_[static_cast<size_t>(o * 4)], &v, sizeof v);
    }
  }

  void Scatter(const Phase& phase, const char* image, char* out, ThreadPool* pool) const {
    const kernels::Window& w = phase.window;
    const int64_t cell = filters_ * size_;
    pool->ForRange(
        w.batch * w.out_h, std::max<int64_t>(1, kGrainBytes / (w.out_w * cell)),
        [&](int64_t begin, int64_t end, int) {
          for (int64_t row = begin; row < end; ++row) {
            const int64_t oy = phase.first_row + row % w.out_h * stride_h_;
            const char* from = image + row * w.out_w * cell;
            char* to = out + ((row / w.out_h * out_h_ + oy) * out_w_ + phase.first_column) * cell;
            if (cell == 1) {
              for (int64_t i = 0; i < w.out_w; ++i) to[i * stride_w_] = from[i];
              continue;
            }
            for (int64_t i = 0; i < w.out_w; ++i) {
              std::memcpy(to + i * stride_w_ * cell, from + i * cell, static_cast<size_t>(cell));
            }
          }
        });
  }

  int64_t batch_ = 0, out_h_ = 0, out_w_ = 0, filters_ = 0, stride_h_ = 1, stride_w_ = 1;
  int64_t size_ = 4, macs_ = 0;
  bool direct_ = false;
  Weighted weighted_;
  AlignedBuffer bias_, padding_;
  std::vector<char> pixel_;
  std::vector<std::unique_ptr<Phase>> phases_;
};

}  // namespace

std::unique_ptr<Operator> MakeDeconv2D() { return std::make_unique<Deconv2DOperator>(); }

}  // namespace runtime
}  // namespace mace
