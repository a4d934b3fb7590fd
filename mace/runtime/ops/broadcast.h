// Operands of unlike shapes, repeated along axes of size 1 as in NumPy.
#ifndef MACE_RUNTIME_OPS_BROADCAST_H_
#define MACE_RUNTIME_OPS_BROADCAST_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "mace/base/types.h"
#include "mace/runtime/operator.h"

namespace mace {
namespace runtime {

// The axes of the result of kOperands tensors, neighbours merged where all operands run through
// them alike. The innermost is a row, along which an operand's stride is 0 or 1.
template <size_t kOperands>
class Broadcast {
 public:
  using Strides = std::array<int64_t, kOperands>;

  // Checks the shapes of the operands against each other and that of the output.
  bool Init(PrepareContext* c, const std::array<const Tensor*, kOperands>& operands,
            const Tensor& y) {
    size_t rank = 0;
    for (const Tensor* t : operands) rank = std::max(rank, t->shape.size());
    Shape expected(rank, 1);
    for (const Tensor* t : operands) {
      for (size_t i = 0; i < t->shape.size(); ++i) {
        int64_t& size = expected[i + rank - t->shape.size()];
        if (size != 1 && t->shape[i] != 1 && size != t->shape[i]) {
          c->Fail(diagnostics::BadOperandShape(
              t->name, ToString(t->shape),
              "one that broadcasts with " + ToString(operands[0]->shape)));
          return false;
        }
        size = std::max(size, t->shape[i]);
      }
    }
    if (!c->RequireShape(y, expected)) return false;
    std::vector<Axis> reversed;
    Strides dense;
    dense.fill(1);
    for (size_t i = rank; i-- > 0;) {
      Axis axis{expected[i], {}};
      for (size_t k = 0; k < kOperands; ++k) {
        const Shape& shape = operands[k]->shape;
        const int64_t size = i + shape.size() >= rank ? shape[i + shape.size() - rank] : 1;
        axis.strides[k] = size == 1 ? 0 : dense[k];
        dense[k] *= size;
      }
      if (axis.size == 1) continue;
      if (reversed.empty() || !Continues(reversed.back(), axis)) {
        reversed.push_back(axis);
      } else {
        reversed.back().size *= axis.size;
      }
    }
    if (reversed.empty()) reversed.push_back({1, {}});
    axes_.assign(reversed.rbegin(), reversed.rend());
    rows_ = y.elements / axes_.back().size;
    return true;
  }

  int64_t rows() const { return rows_; }
  int64_t row_size() const { return axes_.back().size; }
  const Strides& row_strides() const { return axes_.back().strides; }
  // Element offsets of the operands at the start of a row.
  Strides Offsets(int64_t row) const {
    Strides offsets = {};
    for (size_t i = axes_.size() - 1; i-- > 0;) {
      const int64_t at = row % axes_[i].size;
      row /= axes_[i].size;
      for (size_t k = 0; k < kOperands; ++k) offsets[k] += at * axes_[i].strides[k];
    }
    return offsets;
  }

 private:
  struct Axis {
    int64_t size;
    Strides strides;
  };
  static bool Continues(const Axis& inner, const Axis& outer) {
    for (size_t k = 0; k < kOperands; ++k) {
      if (outer.strides[k] != inner.strides[k] * inner.size) return false;
    }
    return true;
  }

  std::vector<Axis> axes_;
  int64_t rows_ = 1;
};

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_OPS_BROADCAST_H_
