// Pooling and Reduce.
#include <algorithm>
#include <vector>

#include "mace/runtime/operator.h"
#include "mace/runtime/ops/window.h"

namespace mace {
namespace runtime {

std::unique_ptr<Operator> MakePooling();
std::unique_ptr<Operator> MakeReduce();

namespace {

// Outputs along one axis. When rounding up, the last window must start inside the image or the
// padding before it.
int64_t PooledSize(int64_t in, int64_t before, int64_t after, int64_t extent, int64_t stride,
                   bool ceil) {
  const int64_t room = in + before + after - extent;
  if (room < 0) return ceil && room > -stride ? 1 : 0;
  int64_t size = (ceil ? room + stride - 1 : room) / stride + 1;
  if (ceil && (size - 1) * stride >= in + before) --size;
  return size;
}

class PoolingOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireRank(x, 4, 4) || !c->RequireRank(y, 4, 4) || !c->RequireComputeType(x) ||
        !c->RequireType(y, x.type))
      return;
    const int64_t type = c->RequiredInt("pooling_type", 1, 2);
    const auto kernel = c->RequiredInts("kernels", 2, 1, kMaxWindow);
    const auto strides = c->Ints("strides", {1, 1}, 2, 1, kMaxWindow);
    const auto dilations = c->Ints("dilations", {1, 1}, 2, 1, kMaxWindow);
    const auto pads = c->Ints("pads", {0, 0, 0, 0}, 4, 0, kMaxWindow);
    const bool ceil = c->Int("round_mode", 0, 0, 1) != 0;
    args_.count_include_pad = c->Int("count_include_pad", 0, 0, 1) != 0;
    if (!c->ok()) return;
    kernels::Window& w = args_.window;
    w = {x.shape[0],   x.shape[1], x.shape[2], y.shape[1], y.shape[2],
         kernel[0],    kernel[1],  strides[0], strides[1], dilations[0],
         dilations[1], pads[0],    pads[1],    pads[2],    pads[3]};
    const int64_t out_h =
        PooledSize(w.in_h, pads[0], pads[2], dilations[0] * (kernel[0] - 1) + 1, strides[0], ceil);
    const int64_t out_w =
        PooledSize(w.in_w, pads[1], pads[3], dilations[1] * (kernel[1] - 1) + 1, strides[1], ceil);
    if (!c->RequireShape(y, {w.batch, out_h, out_w, x.shape[3]})) return;
    args_.channels = x.shape[3];
    args_.input_scale = x.scale;
    args_.output_scale = y.scale;
    args_.input_zero = IsQuantized(x.type) ? x.zero_point : 0;
    args_.output_zero = y.zero_point;
    args_.q_min = QMin(y.type);
    args_.q_max = QMax(y.type);
    const bool maximum = type == 2;
    args_.fixed = !maximum && IsQuantized(x.type) && c->FixedPoint();
    if ((maximum || args_.fixed) && !c->RequireSameCodes(x, y)) return;
    const kernels::KernelSet& set = c->kernels();
    if (!IsQuantized(x.type)) {
      run_ = maximum ? set.max_pool_f32 : set.average_pool_f32;
    } else {
      const auto& codes = maximum ? set.max_pool : set.average_pool;
      run_ = x.type == ElementType::kInt8 ? codes.s8 : codes.u8;
    }
  }

  void Run(const RunContext& context) const override {
    kernels::PoolArgs args = args_;
    args.input = context.input(0);
    args.output = context.output();
    context.pool().ForRange(args.window.batch * args.window.out_h, 1,
                            [&](int64_t begin, int64_t end, int) { run_(args, begin, end); });
  }

 private:
  kernels::PoolArgs args_ = {};
  kernels::PoolFn run_ = nullptr;
};

class ReduceOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireAnyType(x) || !c->RequireType(y, x.type)) return;
    const int64_t type = c->RequiredInt("reduce_type", 0, 4);
    const bool keep = c->Int("keepdims", 1, 0, 1) != 0;
    const size_t rank = x.shape.size();
    const std::vector<bool> reduced = c->RequiredAxes(rank);
    if (!c->ok()) return;
    Shape expected;
    for (size_t i = 0; i < rank; ++i) {
      if (!reduced[i]) {
        expected.push_back(x.shape[i]);
      } else if (keep) {
        expected.push_back(1);
      }
    }
    if (!c->RequireShape(y, expected)) return;
    args_.kind = static_cast<kernels::ReduceKind>(type);
    const bool quantized = IsQuantized(x.type), whole = x.type == ElementType::kInt32;
    if ((quantized && args_.kind == kernels::ReduceKind::kProd) ||
        (whole && args_.kind == kernels::ReduceKind::kMean)) {
      c->Fail(diagnostics::NoKernel("Reduce of type " + std::to_string(type) + " on " +
                                    NameOf(x.type)));
      return;
    }
    const bool extreme =
        args_.kind == kernels::ReduceKind::kMin || args_.kind == kernels::ReduceKind::kMax;
    args_.fixed = quantized && args_.kind == kernels::ReduceKind::kMean && c->FixedPoint();
    if ((extreme || args_.fixed) && !c->RequireSameCodes(x, y)) return;
    Merge(x.shape, reduced);
    const int64_t count = x.elements / y.elements;
    args_.multiplier = quant::MeanMultiplier(
        x.scale, args_.kind == kernels::ReduceKind::kSum ? 1 : count, y.scale);
    args_.input_zero = x.zero_point;
    args_.output_zero = y.zero_point;
    args_.q_min = QMin(y.type);
    args_.q_max = QMax(y.type);
    outer_ = y.elements / args_.inner;
    work_ = args_.inner * count;
    const kernels::KernelSet& set = c->kernels();
    run_ = whole                          ? set.reduce_i32
           : !quantized                   ? set.reduce_f32
           : x.type == ElementType::kInt8 ? set.reduce.s8
                                          : set.reduce.u8;
  }

  void Run(const RunContext& context) const override {
    kernels::ReduceArgs args = args_;
    args.input = context.input(0);
    args.output = context.output();
    context.pool().ForRange(outer_, std::max<int64_t>(1, (1 << 14) / work_),
                            [&](int64_t begin, int64_t end, int) { run_(args, begin, end); });
  }

 private:
  // Joins neighbouring axes of one kind; the innermost kept run becomes `inner`.
  void Merge(const Shape& shape, const std::vector<bool>& reduced) {
    struct Run {
      bool reduced;
      int64_t size, stride;
    };
    std::vector<Run> runs;  // innermost first
    int64_t stride = 1;
    for (size_t i = shape.size(); i-- > 0;) {
      if (shape[i] == 1) continue;
      if (!runs.empty() && runs.back().reduced == reduced[i]) {
        runs.back().size *= shape[i];
      } else {
        runs.push_back({static_cast<bool>(reduced[i]), shape[i], stride});
      }
      stride *= shape[i];
    }
    args_.inner = 1;
    int kept = 3, cut = 3;
    for (int i = 0; i < 3; ++i) {
      args_.kept_size[i] = args_.reduced_size[i] = 1;
      args_.kept_stride[i] = args_.reduced_stride[i] = 0;
    }
    for (size_t i = 0; i < runs.size(); ++i) {
      if (i == 0 && !runs[i].reduced) {
        args_.inner = runs[i].size;
      } else if (runs[i].reduced) {
        --cut;
        args_.reduced_size[cut] = runs[i].size;
        args_.reduced_stride[cut] = runs[i].stride;
      } else {
        --kept;
        args_.kept_size[kept] = runs[i].size;
        args_.kept_stride[kept] = runs[i].stride;
      }
    }
  }

  kernels::ReduceArgs args_ = {};
  kernels::ReduceFn run_ = nullptr;
  int64_t outer_ = 0, work_ = 1;
};

}  // namespace

std::unique_ptr<Operator> MakePooling() { return std::make_unique<PoolingOperator>(); }
std::unique_ptr<Operator> MakeReduce() { return std::make_unique<ReduceOperator>(); }

}  // namespace runtime
}  // namespace mace
