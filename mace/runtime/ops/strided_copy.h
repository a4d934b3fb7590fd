// Copies of a view of a tensor with a stride per axis: transposes, slices, reversals, repetitions
// and rearrangements of blocks are all of this kind.
#ifndef MACE_RUNTIME_OPS_STRIDED_COPY_H_
#define MACE_RUNTIME_OPS_STRIDED_COPY_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "mace/base/types.h"
#include "mace/runtime/thread_pool.h"

namespace mace {
namespace runtime {

// Bytes per task: enough to be worth waking a thread.
constexpr int64_t kGrainBytes = 1 << 15;

// Product of the sizes before an axis.
inline int64_t Outer(const Shape& shape, size_t axis) {
  int64_t n = 1;
  for (size_t i = 0; i < axis; ++i) n *= shape[i];
  return n;
}

// Copies a view of the input with a stride per axis (which may be negative) to a dense output.
class StridedCopy {
 public:
  // `origin` and `strides` in elements; at most kMaxAxes sizes.
  static constexpr size_t kMaxAxes = 2 * kMaxRank;
  void Init(const Shape& size, const std::vector<int64_t>& strides, int64_t origin,
            size_t element) {
    element_ = element;
    origin_ = origin;
    axes_.clear();
    for (size_t i = 0; i < size.size(); ++i) {
      if (size[i] == 1) continue;
      if (!axes_.empty() && axes_.back().stride == strides[i] * size[i]) {
        axes_.back().size *= size[i];
        axes_.back().stride = strides[i];
      } else {
        axes_.push_back({size[i], strides[i]});
      }
    }
    if (axes_.empty()) axes_.push_back({1, 1});
    rows_ = 1;
    for (size_t i = 0; i + 1 < axes_.size(); ++i) rows_ *= axes_[i].size;
  }

  void Run(const char* in, char* out, ThreadPool* pool) const {
    const Axis inner = axes_.back();
    const int64_t row_bytes = inner.size * static_cast<int64_t>(element_);
    if (rows_ == 1 && inner.stride == 1) {
      pool->ForRange(row_bytes, kGrainBytes, [&](int64_t begin, int64_t end, int) {
        std::memcpy(out + begin, in + origin_ * static_cast<int64_t>(element_) + begin,
                    static_cast<size_t>(end - begin));
      });
      return;
    }
    // Where the input is contiguous along another axis, go through both in tiles, so that lines are
    // used whole.
    size_t other = axes_.size();
    for (size_t i = 0; i + 1 < axes_.size(); ++i) {
      if (axes_[i].stride == 1) other = i;
    }
    if (inner.stride != 1 && other + 2 == axes_.size()) {
      RunTiled(in, out, pool);
      return;
    }
    pool->ForRange(rows_, std::max<int64_t>(1, kGrainBytes / row_bytes),
                   [&](int64_t begin, int64_t end, int) {
                     // Counts through the outer axes without a division a row.
                     int64_t index[kMaxAxes] = {};
                     const size_t outer = axes_.size() - 1;
                     for (int64_t i = static_cast<int64_t>(outer) - 1, rest = begin; i >= 0; --i) {
                       const int64_t size = axes_[static_cast<size_t>(i)].size;
                       index[i] = rest % size;
                       rest /= size;
                     }
                     int64_t offset = RowOffset(begin, outer);
                     for (int64_t row = begin; row < end; ++row) {
                       CopyRow(in + offset * static_cast<int64_t>(element_), inner.size,
                               inner.stride, out + row * row_bytes);
                       for (size_t i = outer; i-- > 0;) {
                         offset += axes_[i].stride;
                         if (++index[i] < axes_[i].size) break;
                         offset -= axes_[i].size * axes_[i].stride;
                         index[i] = 0;
                       }
                     }
                   });
  }

 private:
  struct Axis {
    int64_t size, stride;
  };

  int64_t RowOffset(int64_t row, size_t axes) const {
    int64_t offset = origin_;
    for (size_t i = axes; i-- > 0;) {
      offset += row % axes_[i].size * axes_[i].stride;
      row /= axes_[i].size;
    }
    return offset;
  }

  void CopyRow(const char* in, int64_t count, int64_t stride, char* out) const {
    if (stride == 1) {
      std::memcpy(out, in, static_cast<size_t>(count) * element_);
    } else if (element_ == 1) {
      for (int64_t i = 0; i < count; ++i) out[i] = in[i * stride];
    } else {
      for (int64_t i = 0; i < count; ++i) std::memcpy(out + 4 * i, in + 4 * i * stride, 4);
    }
  }

  // The last two axes in tiles; the input is contiguous along the one before the last.
  void RunTiled(const char* in, char* out, ThreadPool* pool) const {
    constexpr int64_t kTile = 32;
    const Axis across = axes_[axes_.size() - 2], along = axes_.back();
    const int64_t planes = rows_ / across.size;
    const int64_t strips = (across.size + kTile - 1) / kTile;
    const int64_t size = static_cast<int64_t>(element_);
    pool->ForRange(planes * strips, std::max<int64_t>(1, kGrainBytes / (kTile * along.size * size)),
                   [&](int64_t begin, int64_t end, int) {
                     for (int64_t task = begin; task < end; ++task) {
                       const int64_t plane = task / strips, i0 = task % strips * kTile;
                       const int64_t i1 = std::min(i0 + kTile, across.size);
                       const char* from = in + RowOffset(plane, axes_.size() - 2) * size;
                       char* to = out + plane * across.size * along.size * size;
                       for (int64_t j0 = 0; j0 < along.size; j0 += kTile) {
                         const int64_t j1 = std::min(j0 + kTile, along.size);
                         for (int64_t i = i0; i < i1; ++i) {
                           CopyRow(from + (i + j0 * along.stride) * size, j1 - j0, along.stride,
                                   to + (i * along.size + j0) * size);
                         }
                       }
                     }
                   });
  }

  size_t element_ = 4;
  int64_t origin_ = 0, rows_ = 1;
  std::vector<Axis> axes_;
};

inline std::vector<int64_t> DenseStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_OPS_STRIDED_COPY_H_
