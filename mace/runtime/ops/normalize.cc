// MVN and LpNorm: sums over axes in binary64 and in index order, then one rounding of every result.
// LpNorm takes codes, too.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "mace/runtime/operator.h"

namespace mace {
namespace runtime {

std::unique_ptr<Operator> MakeMVN();
std::unique_ptr<Operator> MakeLpNorm();

namespace {

constexpr int64_t kGrain = 1 << 14;
// Neighbouring groups that are computed together.
constexpr int64_t kLanes = 64;

// The elements of a tensor as groups: those that differ only along the chosen axes. Neighbouring
// axes of one kind are one.
class Groups {
 public:
  void Init(const Shape& shape, const std::vector<bool>& chosen) {
    int64_t stride = 1;
    bool innermost = true;
    for (size_t i = shape.size(); i-- > 0;) {
      if (shape[i] == 1) continue;
      if (innermost && !chosen[i]) {
        inner_ *= shape[i];
      } else {
        innermost = false;
        std::vector<Axis>& axes = chosen[i] ? inside_ : between_;
        if (!axes.empty() && axes.back().stride * axes.back().size == stride) {
          axes.back().size *= shape[i];
        } else {
          axes.push_back({shape[i], stride});
        }
        (chosen[i] ? size_ : outer_) *= shape[i];
      }
      stride *= shape[i];
    }
    strips_ = (inner_ + kLanes - 1) / kLanes;
  }

  // Elements of a group.
  int64_t size() const { return size_; }

  // Calls body(origin, lanes) for every set of up to kLanes groups next to each other.
  template <typename Body>
  void ForEach(ThreadPool* pool, const Body& body) const {
    pool->ForRange(
        outer_ * strips_, std::max<int64_t>(1, kGrain / (size_ * std::min(inner_, kLanes))),
        [&](int64_t begin, int64_t end, int) {
          for (int64_t task = begin; task < end; ++task) {
            const int64_t first = task % strips_ * kLanes;
            body(Offset(between_, task / strips_) + first, std::min(kLanes, inner_ - first));
          }
        });
  }

  // Calls body(offset) for every element of a group, in index order.
  template <typename Body>
  void ForEachInside(const Body& body) const {
    const int64_t run = inside_.empty() ? 1 : inside_[0].size;
    const int64_t step = inside_.empty() ? 0 : inside_[0].stride;
    for (int64_t i = 0; i < size_; i += run) {
      const int64_t origin = Offset(inside_, i);
      for (int64_t j = 0; j < run; ++j) body(origin + j * step);
    }
  }

 private:
  struct Axis {
    int64_t size, stride;
  };
  // Innermost axis first.
  static int64_t Offset(const std::vector<Axis>& axes, int64_t index) {
    int64_t offset = 0;
    for (const Axis& axis : axes) {
      offset += index % axis.size * axis.stride;
      index /= axis.size;
    }
    return offset;
  }

  std::vector<Axis> between_, inside_;
  int64_t inner_ = 1, outer_ = 1, size_ = 1, strips_ = 1;
};

class NormOperator : public Operator {
 protected:
  bool PrepareGroups(PrepareContext* c, float epsilon) {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return false;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireType(y, x.type) || !c->RequireShape(y, x.shape)) return false;
    const std::vector<bool> chosen = c->RequiredAxes(x.shape.size());
    const float given = c->Float("epsilon", epsilon);
    if (!(given >= 0.0f) || std::isinf(given))
      c->Fail(diagnostics::BadAttribute("epsilon", "is negative or not finite"));
    if (!c->ok()) return false;
    epsilon_ = static_cast<double>(given);
    groups_.Init(x.shape, chosen);
    return true;
  }

  Groups groups_;
  double epsilon_ = 0.0;
};

class MVNOperator : public NormOperator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!PrepareGroups(c, 0.00001f) || !c->RequireType(c->input(0), ElementType::kFloat32)) return;
    variance_ = c->Int("normalize_variance", 1, 0, 1) != 0;
    outside_ = c->Int("epsilon_outside", 0, 0, 1) != 0;
  }

  void Run(const RunContext& context) const override {
    const float* x = context.input<float>(0);
    float* y = context.output<float>();
    const double count = static_cast<double>(groups_.size());
    groups_.ForEach(&context.pool(), [&](int64_t origin, int64_t lanes) {
      const float* in = x + origin;
      float* out = y + origin;
      double mean[kLanes] = {}, divisor[kLanes] = {};
      groups_.ForEachInside([&](int64_t at) {
        for (int64_t j = 0; j < lanes; ++j) mean[j] += static_cast<double>(in[at + j]);
      });
      for (int64_t j = 0; j < lanes; ++j) mean[j] /= count;
      if (variance_) {
        groups_.ForEachInside([&](int64_t at) {
          for (int64_t j = 0; j < lanes; ++j) {
            const double d = static_cast<double>(in[at + j]) - mean[j];
            divisor[j] += d * d;
          }
        });
        for (int64_t j = 0; j < lanes; ++j) {
          const double v = divisor[j] / count;
          divisor[j] = outside_ ? std::sqrt(v) + epsilon_ : std::sqrt(v + epsilon_);
        }
      } else {
        std::fill(divisor, divisor + lanes, 1.0);
      }
      groups_.ForEachInside([&](int64_t at) {
        for (int64_t j = 0; j < lanes; ++j) {
          out[at + j] =
              static_cast<float>((static_cast<double>(in[at + j]) - mean[j]) / divisor[j]);
        }
      });
    });
  }

 private:
  bool variance_ = true, outside_ = false;
};

class LpNormOperator : public NormOperator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!PrepareGroups(c, 1e-12f)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireComputeType(x) || !c->RequireComputeType(y)) return;
    absolute_ = c->Int("p", 2, 1, 2) == 1;
    type_ = x.type;
    in_ = {x.scale, x.zero_point};
    out_ = {y.scale, y.zero_point};
  }

  void Run(const RunContext& context) const override {
    switch (type_) {
      case ElementType::kUint8:
        return RunCodes<uint8_t>(context);
      case ElementType::kInt8:
        return RunCodes<int8_t>(context);
      default:
        return RunFloat(context);
    }
  }

 private:
  // Section 8 of mace/quant/README.md.
  template <typename T>
  void RunCodes(const RunContext& context) const {
    const T* x = context.input<T>(0);
    T* y = context.output<T>();
    const double scale = static_cast<double>(in_.scale), step = static_cast<double>(out_.scale);
    groups_.ForEach(&context.pool(), [&](int64_t origin, int64_t lanes) {
      const T* in = x + origin;
      T* out = y + origin;
      double norm[kLanes] = {};
      groups_.ForEachInside([&](int64_t at) {
        for (int64_t j = 0; j < lanes; ++j) {
          const double d = static_cast<double>(in[at + j] - in_.zero_point);
          norm[j] += absolute_ ? std::fabs(d) : d * d;
        }
      });
      for (int64_t j = 0; j < lanes; ++j) {
        const double v = (absolute_ ? norm[j] : std::sqrt(norm[j])) * scale;
        norm[j] = v < epsilon_ ? epsilon_ : v;
      }
      groups_.ForEachInside([&](int64_t at) {
        for (int64_t j = 0; j < lanes; ++j) {
          const int32_t d = in[at + j] - in_.zero_point;
          constexpr double kLimit = 1048576.0;
          double v = d == 0 ? 0.0 : static_cast<double>(d) * scale / norm[j] / step;
          v = v < -kLimit ? -kLimit : v > kLimit ? kLimit : v;
          const int32_t code = static_cast<int32_t>(quant::RoundToEven(v)) + out_.zero_point;
          out[at + j] = static_cast<T>(
              quant::Clamp(code, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
        }
      });
    });
  }

  void RunFloat(const RunContext& context) const {
    const float* x = context.input<float>(0);
    float* y = context.output<float>();
    groups_.ForEach(&context.pool(), [&](int64_t origin, int64_t lanes) {
      const float* in = x + origin;
      float* out = y + origin;
      double norm[kLanes] = {};
      groups_.ForEachInside([&](int64_t at) {
        for (int64_t j = 0; j < lanes; ++j) {
          const double v = static_cast<double>(in[at + j]);
          norm[j] += absolute_ ? std::fabs(v) : v * v;
        }
      });
      for (int64_t j = 0; j < lanes; ++j) {
        const double v = absolute_ ? norm[j] : std::sqrt(norm[j]);
        norm[j] = v < epsilon_ ? epsilon_ : v;
      }
      groups_.ForEachInside([&](int64_t at) {
        for (int64_t j = 0; j < lanes; ++j)
          out[at + j] = static_cast<float>(static_cast<double>(in[at + j]) / norm[j]);
      });
    });
  }

  bool absolute_ = false;
  ElementType type_ = ElementType::kFloat32;
  quant::Affine in_, out_;
};

}  // namespace

std::unique_ptr<Operator> MakeMVN() { return std::make_unique<MVNOperator>(); }
std::unique_ptr<Operator> MakeLpNorm() { return std::make_unique<LpNormOperator>(); }

}  // namespace runtime
}  // namespace mace
