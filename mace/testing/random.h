// Random numbers for tests: a fixed seed unless MACE_TEST_SEED is set, printed when a test fails.
#ifndef MACE_TESTING_RANDOM_H_
#define MACE_TESTING_RANDOM_H_

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace mace {
namespace testing {

class Random {
 public:
  Random() : seed_(Seed()), engine_(seed_) {}

  // For the message of an assertion: how to see the failure again.
  std::string Replay() const { return "MACE_TEST_SEED=" + std::to_string(seed_); }

  int64_t Int(int64_t least, int64_t greatest) {
    return least + static_cast<int64_t>(engine_() % static_cast<uint64_t>(greatest - least + 1));
  }
  float Float(float least, float greatest) {
    return least + (greatest - least) * (static_cast<float>(engine_() >> 40) / 16777216.0f);
  }
  // Any finite pattern.
  float AnyFloat() {
    while (true) {
      const uint32_t bits = static_cast<uint32_t>(engine_());
      if ((bits >> 23 & 0xff) == 0xff) continue;
      float f;
      __builtin_memcpy(&f, &bits, sizeof f);
      return f;
    }
  }
  std::vector<float> Floats(int64_t n, float least = -1.0f, float greatest = 1.0f) {
    std::vector<float> v(static_cast<size_t>(n));
    for (float& x : v) x = Float(least, greatest);
    return v;
  }
  std::vector<uint8_t> Bytes(int64_t n) {
    std::vector<uint8_t> v(static_cast<size_t>(n));
    for (uint8_t& x : v) x = static_cast<uint8_t>(engine_());
    return v;
  }

 private:
  static uint64_t Seed() {
    const char* given = std::getenv("MACE_TEST_SEED");
    return given == nullptr ? 20240229 : std::strtoull(given, nullptr, 10);
  }
  uint64_t seed_;
  std::mt19937_64 engine_;
};

}  // namespace testing
}  // namespace mace

#endif  // MACE_TESTING_RANDOM_H_
