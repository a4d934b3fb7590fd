// Time of a clock that never goes back.
#ifndef MACE_BASE_CLOCK_H_
#define MACE_BASE_CLOCK_H_

#include <chrono>
#include <cstdint>

namespace mace {

inline int64_t NowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace mace

#endif  // MACE_BASE_CLOCK_H_
