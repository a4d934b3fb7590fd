// Operators that make or follow indices and conditions: ArgMax, Cast, Gather, OneHot, Select; and
// those that go along axes: Cumsum, Reverse, Tile.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "mace/runtime/operator.h"
#include "mace/runtime/ops/broadcast.h"
#include "mace/runtime/ops/strided_copy.h"

namespace mace {
namespace runtime {

std::unique_ptr<Operator> MakeArgMax();
std::unique_ptr<Operator> MakeCast();
std::unique_ptr<Operator> MakeCumsum();
std::unique_ptr<Operator> MakeGather();
std::unique_ptr<Operator> MakeOneHot();
std::unique_ptr<Operator> MakeReverse();
std::unique_ptr<Operator> MakeSelect();
std::unique_ptr<Operator> MakeTile();

namespace {

constexpr int64_t kGrain = 1 << 14;

// A tensor as [outer, size, inner] around an axis.
struct AxisView {
  int64_t outer = 1, size = 1, inner = 1;
  void Init(const Shape& shape, size_t axis) {
    outer = Outer(shape, axis);
    size = shape[axis];
    inner = ElementCount(shape) / outer / size;
  }
};

class ArgMaxOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireRank(x, 1, kMaxRank) || !c->RequireAnyType(x) ||
        !c->RequireType(y, ElementType::kInt32))
      return;
    const size_t axis = c->RequiredAxis(x.shape.size());
    const bool keep = c->Int("keepdims", 0, 0, 1) != 0;
    const bool least = c->Int("argmin", 0, 0, 1) != 0;
    const bool last = c->Int("select_last", 0, 0, 1) != 0;
    if (!c->ok()) return;
    Shape expected = x.shape;
    if (keep) {
      expected[axis] = 1;
    } else {
      expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(axis));
    }
    if (!c->RequireShape(y, expected)) return;
    view_.Init(x.shape, axis);
    switch (x.type) {
      case ElementType::kFloat32:
        run_ = Choose<float>(least, last);
        break;
      case ElementType::kInt32:
        run_ = Choose<int32_t>(least, last);
        break;
      case ElementType::kUint8:
        run_ = Choose<uint8_t>(least, last);
        break;
      case ElementType::kInt8:
        run_ = Choose<int8_t>(least, last);
        break;
    }
  }

  void Run(const RunContext& context) const override {
    const int64_t outputs = view_.outer * view_.inner;
    context.pool().ForRange(outputs, std::max<int64_t>(1, kGrain / view_.size),
                            [&](int64_t begin, int64_t end, int) {
                              run_(view_, context.input(0), begin, end, context.output<int32_t>());
                            });
  }

 private:
  using Function = void (*)(const AxisView&, const void* x, int64_t begin, int64_t end, int32_t* y);

  // Every comparison with NaN is false, so that it is chosen only where it comes first.
  template <typename T, bool kLeast, bool kLast>
  static bool Better(T v, T best) {
    if (kLeast) return kLast ? v <= best : v < best;
    return kLast ? v >= best : v > best;
  }

  template <typename T, bool kLeast, bool kLast>
  static void Scan(const AxisView& view, const void* x, int64_t begin, int64_t end, int32_t* y) {
    constexpr int64_t kLanes = 64;
    int64_t at = begin;
    while (at < end) {
      const int64_t column = at % view.inner;
      const int64_t count = std::min({kLanes, end - at, view.inner - column});
      const T* from = static_cast<const T*>(x) + at / view.inner * view.size * view.inner + column;
      if (count == 1) {
        T best = from[0];
        int32_t index = 0;
        for (int64_t i = 1; i < view.size; ++i) {
          const T v = from[i * view.inner];
          if (Better<T, kLeast, kLast>(v, best)) {
            best = v;
            index = static_cast<int32_t>(i);
          }
        }
        y[at++] = index;
        continue;
      }
      T best[kLanes];
      int32_t index[kLanes];
      for (int64_t j = 0; j < count; ++j) {
        best[j] = from[j];
        index[j] = 0;
      }
      for (int64_t i = 1; i < view.size; ++i) {
        const T* row = from + i * view.inner;
        for (int64_t j = 0; j < count; ++j) {
          const bool better = Better<T, kLeast, kLast>(row[j], best[j]);
          best[j] = better ? row[j] : best[j];
          index[j] = better ? static_cast<int32_t>(i) : index[j];
        }
      }
      std::copy_n(index, count, y + at);
      at += count;
    }
  }

  template <typename T>
  static Function Choose(bool least, bool last) {
    if (least) return last ? Scan<T, true, true> : Scan<T, true, false>;
    return last ? Scan<T, false, true> : Scan<T, false, false>;
  }

  AxisView view_;
  Function run_ = nullptr;
};

class CastOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    for (const Tensor* t : {&x, &y}) {
      if (IsQuantized(t->type))
        c->Fail(diagnostics::BadOperandType(t->name, NameOf(t->type), "float32 or int32"));
    }
    if (!c->RequireShape(y, x.shape)) return;
    from_ = x.type;
    to_ = y.type;
    elements_ = x.elements;
  }
  void Run(const RunContext& context) const override {
    context.pool().ForRange(elements_, kGrain, [&](int64_t begin, int64_t end, int) {
      if (from_ == to_) {
        std::memcpy(context.output<char>() + 4 * begin, context.input<char>(0) + 4 * begin,
                    static_cast<size_t>(end - begin) * 4);
      } else if (to_ == ElementType::kInt32) {
        const float* x = context.input<float>(0);
        int32_t* y = context.output<int32_t>();
        for (int64_t i = begin; i < end; ++i) {
          // 2^31 is the first float above; NaN fails every comparison.
          const bool inside = x[i] > -2147483648.0f && x[i] < 2147483648.0f;
          const int32_t beyond = x[i] >= 2147483648.0f    ? INT32_MAX
                                 : x[i] <= -2147483648.0f ? INT32_MIN
                                                          : 0;
          y[i] = inside ? static_cast<int32_t>(x[i]) : beyond;
        }
      } else {
        const int32_t* x = context.input<int32_t>(0);
        float* y = context.output<float>();
        for (int64_t i = begin; i < end; ++i) y[i] = static_cast<float>(x[i]);
      }
    });
  }

 private:
  ElementType from_ = ElementType::kFloat32, to_ = ElementType::kFloat32;
  int64_t elements_ = 0;
};

class GatherOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(2, 2) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &index = c->input(1), &y = c->output();
    if (!c->RequireRank(x, 1, kMaxRank) || !c->RequireAnyType(x) || !c->RequireSameCodes(x, y) ||
        !c->RequireType(index, ElementType::kInt32))
      return;
    const size_t axis = c->RequiredAxis(x.shape.size());
    if (!c->ok()) return;
    const auto at = x.shape.begin() + static_cast<std::ptrdiff_t>(axis);
    Shape expected(x.shape.begin(), at);
    expected.insert(expected.end(), index.shape.begin(), index.shape.end());
    expected.insert(expected.end(), at + 1, x.shape.end());
    if (!c->RequireShape(y, expected)) return;
    view_.Init(x.shape, axis);
    indices_ = index.elements;
    bytes_ = view_.inner * static_cast<int64_t>(SizeOf(x.type));
  }
  void Run(const RunContext& context) const override {
    const char* x = context.input<char>(0);
    const int32_t* index = context.input<int32_t>(1);
    char* y = context.output<char>();
    context.pool().ForRange(view_.outer * indices_, std::max<int64_t>(1, kGrainBytes / bytes_),
                            [&](int64_t begin, int64_t end, int) {
                              for (int64_t row = begin; row < end; ++row) {
                                int64_t i = index[row % indices_];
                                if (i < 0) i += view_.size;
                                i = std::clamp<int64_t>(i, 0, view_.size - 1);
                                std::memcpy(y + row * bytes_,
                                            x + (row / indices_ * view_.size + i) * bytes_,
                                            static_cast<size_t>(bytes_));
                              }
                            });
  }

 private:
  AxisView view_;
  int64_t indices_ = 0, bytes_ = 4;
};

class OneHotOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireType(x, ElementType::kInt32) || !c->RequireType(y, ElementType::kFloat32) ||
        !c->RequireRank(x, 0, kMaxRank - 1))
      return;
    depth_ = c->RequiredInt("depth", 1, int64_t{1} << 31);
    const size_t axis = c->RequiredAxis(x.shape.size() + 1);
    on_ = c->Float("on_value", 1.0f);
    off_ = c->Float("off_value", 0.0f);
    if (!c->ok()) return;
    Shape expected = x.shape;
    expected.insert(expected.begin() + static_cast<std::ptrdiff_t>(axis), depth_);
    if (!c->RequireShape(y, expected)) return;
    outer_ = Outer(x.shape, axis);
    inner_ = x.elements / outer_;
  }
  void Run(const RunContext& context) const override {
    const int32_t* x = context.input<int32_t>(0);
    float* y = context.output<float>();
    context.pool().ForRange(outer_, std::max<int64_t>(1, kGrain / (depth_ * inner_)),
                            [&](int64_t begin, int64_t end, int) {
                              std::fill(y + begin * depth_ * inner_, y + end * depth_ * inner_,
                                        off_);
                              for (int64_t at = begin * inner_; at < end * inner_; ++at) {
                                if (x[at] < 0 || x[at] >= depth_) continue;
                                y[(at / inner_ * depth_ + x[at]) * inner_ + at % inner_] = on_;
                              }
                            });
  }

 private:
  int64_t depth_ = 1, outer_ = 1, inner_ = 1;
  float on_ = 1, off_ = 0;
};

class SelectOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(3, 3) || !c->RequireOutputs(1)) return;
    const Tensor &condition = c->input(0), &a = c->input(1), &b = c->input(2), &y = c->output();
    if (!c->RequireType(condition, ElementType::kInt32) || !c->RequireType(b, a.type) ||
        !c->RequireType(y, a.type))
      return;
    if (IsQuantized(a.type)) {
      c->Fail(diagnostics::NoKernel("Select on " + std::string(NameOf(a.type))));
      return;
    }
    broadcast_.Init(c, {&condition, &a, &b}, y);
  }
  // Words of four bytes, float32 or int32.
  void Run(const RunContext& context) const override {
    const int32_t* condition = context.input<int32_t>(0);
    const uint32_t* a = context.input<uint32_t>(1);
    const uint32_t* b = context.input<uint32_t>(2);
    uint32_t* y = context.output<uint32_t>();
    const int64_t inner = broadcast_.row_size();
    const auto& step = broadcast_.row_strides();
    context.pool().ForRange(broadcast_.rows(), std::max<int64_t>(1, kGrain / inner),
                            [&](int64_t begin, int64_t end, int) {
                              for (int64_t row = begin; row < end; ++row) {
                                const auto at = broadcast_.Offsets(row);
                                for (int64_t i = 0; i < inner; ++i) {
                                  y[row * inner + i] = condition[at[0] + i * step[0]] != 0
                                                           ? a[at[1] + i * step[1]]
                                                           : b[at[2] + i * step[2]];
                                }
                              }
                            });
  }

 private:
  Broadcast<3> broadcast_;
};

class CumsumOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireRank(x, 1, kMaxRank) || !c->RequireType(x, ElementType::kFloat32) ||
        !c->RequireType(y, ElementType::kFloat32) || !c->RequireShape(y, x.shape))
      return;
    const size_t axis = c->RequiredAxis(x.shape.size());
    exclusive_ = c->Int("exclusive", 0, 0, 1) != 0;
    reverse_ = c->Int("reverse", 0, 0, 1) != 0;
    if (c->ok()) view_.Init(x.shape, axis);
  }
  // One chain of additions from +0 along the axis.
  void Run(const RunContext& context) const override {
    constexpr int64_t kLanes = 64;
    const int64_t strips = (view_.inner + kLanes - 1) / kLanes;
    const float* x = context.input<float>(0);
    float* y = context.output<float>();
    context.pool().ForRange(
        view_.outer * strips,
        std::max<int64_t>(1, kGrain / (view_.size * std::min(kLanes, view_.inner))),
        [&](int64_t begin, int64_t end, int) {
          for (int64_t task = begin; task < end; ++task) {
            const int64_t first = task % strips * kLanes;
            const int64_t count = std::min(kLanes, view_.inner - first);
            float sum[kLanes] = {};
            for (int64_t k = 0; k < view_.size; ++k) {
              const int64_t i = reverse_ ? view_.size - 1 - k : k;
              const int64_t at = (task / strips * view_.size + i) * view_.inner + first;
              for (int64_t j = 0; j < count; ++j) {
                const float next = sum[j] + x[at + j];
                y[at + j] = exclusive_ ? sum[j] : next;
                sum[j] = next;
              }
            }
          }
        });
  }

 private:
  AxisView view_;
  bool exclusive_ = false, reverse_ = false;
};

class ReverseOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireAnyType(x) || !c->RequireSameCodes(x, y) || !c->RequireShape(y, x.shape)) return;
    const std::vector<bool> turned = c->RequiredAxes(x.shape.size());
    std::vector<int64_t> strides = DenseStrides(x.shape);
    int64_t origin = 0;
    for (size_t i = 0; i < strides.size(); ++i) {
      if (!turned[i]) continue;
      origin += (x.shape[i] - 1) * strides[i];
      strides[i] = -strides[i];
    }
    copy_.Init(x.shape, strides, origin, SizeOf(x.type));
  }
  void Run(const RunContext& context) const override {
    copy_.Run(context.input<char>(0), context.output<char>(), &context.pool());
  }

 private:
  StridedCopy copy_;
};

class TileOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireAnyType(x) || !c->RequireSameCodes(x, y)) return;
    const size_t rank = x.shape.size();
    const auto multiples = c->RequiredInts("multiples", rank, 1, int64_t{1} << 31);
    if (!c->ok()) return;
    const std::vector<int64_t> dense = DenseStrides(x.shape);
    Shape expected, size;
    std::vector<int64_t> strides;
    for (size_t i = 0; i < rank; ++i) {
      expected.push_back(x.shape[i] * multiples[i]);
      size.insert(size.end(), {multiples[i], x.shape[i]});
      strides.insert(strides.end(), {0, dense[i]});
    }
    if (!c->RequireShape(y, expected)) return;
    copy_.Init(size, strides, 0, SizeOf(x.type));
  }
  void Run(const RunContext& context) const override {
    copy_.Run(context.input<char>(0), context.output<char>(), &context.pool());
  }

 private:
  StridedCopy copy_;
};

}  // namespace

std::unique_ptr<Operator> MakeArgMax() { return std::make_unique<ArgMaxOperator>(); }
std::unique_ptr<Operator> MakeCast() { return std::make_unique<CastOperator>(); }
std::unique_ptr<Operator> MakeCumsum() { return std::make_unique<CumsumOperator>(); }
std::unique_ptr<Operator> MakeGather() { return std::make_unique<GatherOperator>(); }
std::unique_ptr<Operator> MakeOneHot() { return std::make_unique<OneHotOperator>(); }
std::unique_ptr<Operator> MakeReverse() { return std::make_unique<ReverseOperator>(); }
std::unique_ptr<Operator> MakeSelect() { return std::make_unique<SelectOperator>(); }
std::unique_ptr<Operator> MakeTile() { return std::make_unique<TileOperator>(); }

}  // namespace runtime
}  // namespace mace
