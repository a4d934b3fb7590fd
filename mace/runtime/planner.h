// Places buffers with known lifetimes in one arena.
#ifndef MACE_RUNTIME_PLANNER_H_
#define MACE_RUNTIME_PLANNER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mace {
namespace runtime {

struct PlannedBuffer {
  size_t bytes = 0;
  // First and last step at which it holds data, inclusive.
  int first = 0;
  int last = 0;
  // Result; a multiple of 64.
  size_t offset = 0;
};

// Sets every offset so that buffers alive at the same step do not overlap; returns the arena's
// size. Greedy by size: the largest buffers are placed first, each in the smallest gap that fits.
uint64_t PlanArena(std::vector<PlannedBuffer>* buffers);

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_PLANNER_H_
