// Conv2D, DepthwiseConv2d, FullyConnected and MatMul.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "mace/kernels/conv.h"
#include "mace/runtime/operator.h"
#include "mace/runtime/ops/weights.h"
#include "mace/runtime/ops/window.h"

namespace mace {
namespace runtime {

std::unique_ptr<Operator> MakeConv2D();
std::unique_ptr<Operator> MakeDepthwiseConv2d();
std::unique_ptr<Operator> MakeFullyConnected();
std::unique_ptr<Operator> MakeMatMul();

namespace {

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
      done = conv_.InitCodes(shape, c->tier(), w.data, static_cast<const int32_t*>(weighted.bias),
                             weighted.Quantization(x, w, y));
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
    const int64_t groups = c->Int("group", 1, 1, kMaxCount);
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
    weighted.fixed.once = true;
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
    if (!weighted_.fixed.empty()) {
      args_.mantissa = weighted_.fixed.mantissa.data();
      args_.exponent = weighted_.fixed.exponent.data();
    }
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
      if (!c->RequireComputeType(*t) || !c->RequireType(*t, a.type) ||
          !c->RequireRank(*t, 2, kMaxRank))
        return;
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
    if (IsQuantized(a.type)) {
      PrepareCodes(c, a, b, y);
      return;
    }
    kernel_ = kernels::SelectGemm(c->tier(), false);
    packed_bytes_ = AlignUp(kernels::PackedMatrix::FloatBytes(*kernel_, n_, k_));
    const size_t rows = transpose_a_ ? static_cast<size_t>(m_ * k_) * sizeof(float) : 0;
    c->RequestSharedScratch(packed_bytes_ + rows);
  }

  void Run(const RunContext& context) const override {
    if (product_ != nullptr) {
      RunCodes(context);
      return;
    }
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
  std::string kernel() const override { return kernel_ == nullptr ? "" : kernel_->name; }

 private:
  void PrepareCodes(PrepareContext* c, const Tensor& a, const Tensor& b, const Tensor& y) {
    constexpr int64_t kMostTerms = 2147483647 / (255 * 255);
    if (k_ > kMostTerms) {
      c->Fail(diagnostics::NoKernel("MatMul of codes over more than " + std::to_string(kMostTerms) +
                                    " terms"));
      return;
    }
    const kernels::KernelSet& set = c->kernels();
    const bool is_signed = a.type == ElementType::kInt8;
    center_ = is_signed ? set.center.s8 : set.center.u8;
    product_ = is_signed ? set.product.s8 : set.product.u8;
    zero_a_ = a.zero_point;
    zero_b_ = b.zero_point;
    zero_y_ = y.zero_point;
    q_lo_ = QMin(y.type);
    q_hi_ = QMax(y.type);
    multiplier_ = quant::ProductMultiplier(a.scale, b.scale, y.scale);
    // Both matrices of a product as int16, the right one with its columns as rows.
    packed_bytes_ = AlignUp(static_cast<size_t>(n_ * k_) * sizeof(int16_t));
    c->RequestSharedScratch(packed_bytes_ + static_cast<size_t>(m_ * k_) * sizeof(int16_t));
  }

  // Rows of `k_` codes as int16 with the zero point subtracted; of a matrix stored the other way
  // round if `turned`.
  void Center(ThreadPool* pool, const char* from, int32_t zero, int64_t rows, bool turned,
              int16_t* to) const {
    pool->ForRange(rows, std::max<int64_t>(1, 16384 / k_), [&](int64_t begin, int64_t end, int) {
      if (!turned) {
        center_(from + begin * k_, zero, to + begin * k_, (end - begin) * k_);
        return;
      }
      int16_t line[256];
      for (int64_t first = begin; first < end; first += 256) {
        const int64_t count = std::min<int64_t>(256, end - first);
        for (int64_t k = 0; k < k_; ++k) {
          center_(from + k * rows + first, zero, line, count);
          for (int64_t r = 0; r < count; ++r) to[(first + r) * k_ + k] = line[r];
        }
      }
    });
  }

  void RunCodes(const RunContext& context) const {
    int16_t* right = static_cast<int16_t*>(context.shared_scratch());
    int16_t* left =
        reinterpret_cast<int16_t*>(static_cast<char*>(context.shared_scratch()) + packed_bytes_);
    int64_t centered_a = -1, centered_b = -1;
    for (int64_t i = 0; i < batch_; ++i) {
      const int64_t ia = Offset(i, a_one_), ib = Offset(i, b_one_);
      if (ib != centered_b) {
        Center(&context.pool(), context.input<char>(1) + ib * k_ * n_, zero_b_, n_, !transpose_b_,
               right);
      }
      if (ia != centered_a) {
        Center(&context.pool(), context.input<char>(0) + ia * m_ * k_, zero_a_, m_, transpose_a_,
               left);
      }
      centered_a = ia;
      centered_b = ib;
      char* out = context.output<char>() + i * m_ * n_;
      // Blocks of columns, which stay in the cache while all rows go by.
      constexpr int64_t kBlock = 64;
      const int64_t blocks = (n_ + kBlock - 1) / kBlock;
      const int64_t tiles = (m_ + 31) / 32;
      context.pool().For(blocks * tiles, [&](int64_t task, int) {
        const int64_t first = task % blocks * kBlock, tile = task / blocks;
        const int64_t columns = std::min(kBlock, n_ - first);
        for (int64_t r = m_ * tile / tiles; r < m_ * (tile + 1) / tiles; ++r) {
          product_(left + r * k_, right + first * k_, k_, columns, multiplier_, zero_y_, q_lo_,
                   q_hi_, out + r * n_ + first);
        }
      });
    }
  }

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
  // Codes.
  kernels::CenterFn center_ = nullptr;
  kernels::ProductFn product_ = nullptr;
  int32_t zero_a_ = 0, zero_b_ = 0, zero_y_ = 0, q_lo_ = 0, q_hi_ = 0;
  float multiplier_ = 0;
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
