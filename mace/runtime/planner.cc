#include "mace/runtime/planner.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "mace/base/aligned_buffer.h"

namespace mace {
namespace runtime {

uint64_t PlanArena(std::vector<PlannedBuffer>* buffers) {
  std::vector<size_t> order(buffers->size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const PlannedBuffer &x = (*buffers)[a], &y = (*buffers)[b];
    return x.bytes != y.bytes ? x.bytes > y.bytes : a < b;
  });
  uint64_t arena = 0;
  std::vector<size_t> placed;  // by offset
  for (size_t index : order) {
    PlannedBuffer& buffer = (*buffers)[index];
    const uint64_t bytes = AlignUp(buffer.bytes);
    uint64_t best = 0, best_gap = std::numeric_limits<uint64_t>::max(), end = 0;
    bool found = false;
    for (size_t other_index : placed) {
      const PlannedBuffer& other = (*buffers)[other_index];
      if (other.last < buffer.first || other.first > buffer.last) continue;
      if (other.offset > end) {
        const uint64_t gap = other.offset - end;
        if (gap >= bytes && gap < best_gap) {
          best = end;
          best_gap = gap;
          found = true;
        }
      }
      end = std::max<uint64_t>(end, other.offset + AlignUp(other.bytes));
    }
    buffer.offset = static_cast<size_t>(found ? best : end);
    arena = std::max<uint64_t>(arena, buffer.offset + bytes);
    const auto at = std::upper_bound(placed.begin(), placed.end(), index, [&](size_t a, size_t b) {
      return (*buffers)[a].offset < (*buffers)[b].offset;
    });
    placed.insert(at, index);
  }
  return arena;
}

}  // namespace runtime
}  // namespace mace
