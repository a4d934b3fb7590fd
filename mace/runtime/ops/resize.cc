// ResizeBilinear, ResizeNearestNeighbor and ResizeBicubic: rows and columns of an NHWC image.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "mace/runtime/operator.h"
#include "mace/runtime/ops/strided_copy.h"

namespace mace {
namespace runtime {

std::unique_ptr<Operator> MakeResizeBilinear();
std::unique_ptr<Operator> MakeResizeNearestNeighbor();
std::unique_ptr<Operator> MakeResizeBicubic();

namespace {

constexpr int64_t kGrain = 1 << 13;

enum class CoordinateMode {
  kAsymmetric,
  kHalfPixel,
  kAlignCorners,
  kPytorchHalfPixel,
  kHalfPixelUncentred
};

// Position of output index i in the input, section 11 of mace/quant/README.md: a quotient of whole
// numbers, rounded once, or with a scale of the model's.
double Position(CoordinateMode mode, int64_t i, int64_t in, int64_t out, double scale) {
  if (mode == CoordinateMode::kPytorchHalfPixel) {
    if (out == 1) return 0.0;
    mode = CoordinateMode::kHalfPixel;
  }
  if (mode == CoordinateMode::kAlignCorners)
    return out == 1 ? 0.0 : static_cast<double>(i * (in - 1)) / static_cast<double>(out - 1);
  if (scale != 0.0) {
    const double at = static_cast<double>(i);
    if (mode == CoordinateMode::kAsymmetric) return at / scale;
    const double centre = (at + 0.5) / scale;
    return mode == CoordinateMode::kHalfPixel ? centre - 0.5 : centre;
  }
  if (mode == CoordinateMode::kAsymmetric)
    return static_cast<double>(i * in) / static_cast<double>(out);
  const int64_t twice = (2 * i + 1) * in - (mode == CoordinateMode::kHalfPixel ? out : 0);
  return static_cast<double>(twice) / static_cast<double>(2 * out);
}

class ResizeOperator : public Operator {
 protected:
  // Checks the operands and the attributes that all three have.
  bool PrepareImage(PrepareContext* c) {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return false;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireRank(x, 4, 4) || !c->RequireRank(y, 4, 4) ||
        !c->RequireShape(y, {x.shape[0], y.shape[1], y.shape[2], x.shape[3]}))
      return false;
    for (const Tensor* t : {&x, &y}) {
      if (t->shape[1] > kMaxSide || t->shape[2] > kMaxSide) {
        c->Fail(diagnostics::BadOperandShape(
            t->name, ToString(t->shape), "one of at most " + std::to_string(kMaxSide) + " rows"));
        return false;
      }
    }
    static const char* const kModes[] = {"asymmetric", "half_pixel", "align_corners",
                                         "pytorch_half_pixel", "half_pixel_uncentred"};
    const std::string mode = c->String("coordinate_mode", kModes[0]);
    const auto* found = std::find(std::begin(kModes), std::end(kModes), mode);
    if (found == std::end(kModes)) {
      c->Fail(diagnostics::BadAttribute("coordinate_mode", "is '" + mode + "', which is no mode"));
      return false;
    }
    mode_ = static_cast<CoordinateMode>(found - std::begin(kModes));
    const std::vector<float> scales = c->Floats("scales", 2);
    for (size_t i = 0; i < scales.size(); ++i) {
      if (!(scales[i] > 0.0f) || std::isinf(scales[i]))
        c->Fail(
            diagnostics::BadAttribute("scales", "holds a number that is not positive and finite"));
      scales_[i] = static_cast<double>(scales[i]);
    }
    batch_ = x.shape[0];
    channels_ = x.shape[3];
    for (size_t i = 0; i < 2; ++i) {
      in_[i] = x.shape[1 + i];
      out_[i] = y.shape[1 + i];
    }
    return c->ok();
  }

  // Of output index i of axis 0 (rows) or 1 (columns), held in [least, greatest].
  double PositionOf(size_t axis, int64_t i, double least, double greatest) const {
    const double p = Position(mode_, i, in_[axis], out_[axis], scales_[axis]);
    return p < least ? least : p > greatest ? greatest : p;
  }

  template <typename Body>
  void ForRows(const RunContext& context, const Body& body) const {
    context.pool().ForRange(batch_ * out_[0], std::max<int64_t>(1, kGrain / (out_[1] * channels_)),
                            [&](int64_t begin, int64_t end, int) { body(begin, end); });
  }

  template <typename Tap>
  kernels::ResizeArgs<Tap> Args(const std::vector<Tap> (&taps)[2]) const {
    return {in_[0], in_[1], out_[0], out_[1], channels_, taps[0].data(), taps[1].data()};
  }

  CoordinateMode mode_ = CoordinateMode::kAsymmetric;
  double scales_[2] = {0.0, 0.0};
  int64_t batch_ = 0, channels_ = 0;
  int64_t in_[2] = {}, out_[2] = {};
};

class ResizeBilinearOperator : public ResizeOperator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!PrepareImage(c)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireComputeType(x) || !c->RequireSameCodes(x, y)) return;
    for (size_t axis = 0; axis < 2; ++axis) {
      for (int64_t i = 0; i < out_[axis]; ++i) {
        const double p = PositionOf(axis, i, 0.0, static_cast<double>(in_[axis] - 1));
        kernels::LinearTap tap;
        tap.first = static_cast<int32_t>(p);
        tap.second = std::min(tap.first + 1, static_cast<int32_t>(in_[axis] - 1));
        const double share = p - static_cast<double>(tap.first);
        tap.share = static_cast<float>(share);
        tap.units = static_cast<int32_t>(quant::RoundToEven(share * 2048.0));
        taps_[axis].push_back(tap);
      }
    }
    const kernels::KernelSet& set = c->kernels();
    run_ = x.type == ElementType::kInt8    ? set.resize_linear.s8
           : x.type == ElementType::kUint8 ? set.resize_linear.u8
                                           : set.resize_linear_f32;
  }
  void Run(const RunContext& context) const override {
    const auto args = Args(taps_);
    ForRows(context, [&](int64_t begin, int64_t end) {
      run_(args, context.input(0), context.output(), begin, end);
    });
  }

 private:
  std::vector<kernels::LinearTap> taps_[2];
  kernels::ResizeLinearFn run_ = nullptr;
};

class ResizeNearestNeighborOperator : public ResizeOperator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!PrepareImage(c)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireAnyType(x) || !c->RequireSameCodes(x, y)) return;
    static const char* const kModes[] = {"floor", "ceil", "round_prefer_floor",
                                         "round_prefer_ceil"};
    const std::string name = c->String("nearest_mode", kModes[0]);
    const auto* found = std::find(std::begin(kModes), std::end(kModes), name);
    if (found == std::end(kModes)) {
      c->Fail(diagnostics::BadAttribute("nearest_mode", "is '" + name + "', which is no mode"));
      return;
    }
    const auto mode = found - std::begin(kModes);
    for (size_t axis = 0; axis < 2; ++axis) {
      const double last = static_cast<double>(in_[axis] - 1);
      for (int64_t i = 0; i < out_[axis]; ++i) {
        // Room for the halves; the index is held inside below.
        const double p = PositionOf(axis, i, -1.0, last + 1.0);
        const double whole = mode == 0   ? std::floor(p)
                             : mode == 1 ? std::ceil(p)
                             : mode == 2 ? std::ceil(p - 0.5)
                                         : std::floor(p + 0.5);
        index_[axis].push_back(static_cast<int32_t>(whole < 0.0    ? 0.0
                                                    : whole > last ? last
                                                                   : whole));
      }
    }
    pixel_ = channels_ * static_cast<int64_t>(SizeOf(x.type));
  }

  void Run(const RunContext& context) const override {
    const char* in = context.input<char>(0);
    char* out = context.output<char>();
    ForRows(context, [&](int64_t begin, int64_t end) {
      const int64_t bytes = out_[1] * pixel_;
      for (int64_t row = begin; row < end; ++row) {
        const int64_t oy = row % out_[0];
        const int32_t y = index_[0][static_cast<size_t>(oy)];
        char* to = out + row * bytes;
        if (row > begin && oy > 0 && index_[0][static_cast<size_t>(oy - 1)] == y) {
          std::memcpy(to, to - bytes, static_cast<size_t>(bytes));
          continue;
        }
        const char* from = in + (row / out_[0] * in_[0] + y) * in_[1] * pixel_;
        if (pixel_ == 1) {
          for (int32_t x : index_[1]) *to++ = from[x];
        } else if (pixel_ == 4) {
          for (int32_t x : index_[1]) {
            std::memcpy(to, from + int64_t{4} * x, 4);
            to += 4;
          }
        } else {
          for (int32_t x : index_[1]) {
            std::memcpy(to, from + x * pixel_, static_cast<size_t>(pixel_));
            to += pixel_;
          }
        }
      }
    });
  }

 private:
  std::vector<int32_t> index_[2];
  int64_t pixel_ = 4;
};

class ResizeBicubicOperator : public ResizeOperator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!PrepareImage(c)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireType(x, ElementType::kFloat32) || !c->RequireType(y, ElementType::kFloat32))
      return;
    const float coefficient = c->Float("cubic_coeff", -0.75f);
    const bool exclude = c->Int("exclude_outside", 0, 0, 1) != 0;
    if (!std::isfinite(coefficient))
      c->Fail(diagnostics::BadAttribute("cubic_coeff", "is not finite"));
    if (!c->ok()) return;
    const double a = static_cast<double>(coefficient);
    for (size_t axis = 0; axis < 2; ++axis) {
      const int32_t size = static_cast<int32_t>(in_[axis]);
      for (int64_t i = 0; i < out_[axis]; ++i) {
        const double p = PositionOf(axis, i, -1.0, static_cast<double>(size));
        const double base = std::floor(p);
        const double f = p - base;
        double weight[4] = {Far(a, 1.0 + f), Near(a, f), Near(a, 1.0 - f), Far(a, 2.0 - f)};
        kernels::CubicTap tap;
        double sum = 0.0;
        for (int k = 0; k < 4; ++k) {
          const int32_t at = static_cast<int32_t>(base) - 1 + k;
          if (exclude && (at < 0 || at >= size)) weight[k] = 0.0;
          sum += weight[k];
          tap.index[k] = std::clamp(at, 0, size - 1);
        }
        for (int k = 0; k < 4; ++k) {
          const double w = exclude && sum != 0.0 ? weight[k] / sum : weight[k];
          tap.weight[k] = static_cast<float>(w);
        }
        taps_[axis].push_back(tap);
      }
    }
    run_ = c->kernels().resize_cubic_f32;
  }
  void Run(const RunContext& context) const override {
    const auto args = Args(taps_);
    ForRows(context, [&](int64_t begin, int64_t end) {
      run_(args, context.input<float>(0), context.output<float>(), begin, end);
    });
  }

 private:
  // Keys' kernel at distance t: up to 1, and from 1 to 2.
  static double Near(double a, double t) { return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0; }
  static double Far(double a, double t) { return ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a; }

  std::vector<kernels::CubicTap> taps_[2];
  kernels::ResizeCubicFn run_ = nullptr;
};

}  // namespace

std::unique_ptr<Operator> MakeResizeBilinear() {
  return std::make_unique<ResizeBilinearOperator>();
}
std::unique_ptr<Operator> MakeResizeNearestNeighbor() {
  return std::make_unique<ResizeNearestNeighborOperator>();
}
std::unique_ptr<Operator> MakeResizeBicubic() { return std::make_unique<ResizeBicubicOperator>(); }

}  // namespace runtime
}  // namespace mace
