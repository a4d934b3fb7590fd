// Fixed-point arithmetic of quantized operations.
#ifndef THIRD_PARTY_APU_SIM_ARITHMETIC_H_
#define THIRD_PARTY_APU_SIM_ARITHMETIC_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "third_party/apu/sim/model.h"

inline int64_t Saturate(int64_t x) { return std::clamp<int64_t>(x, INT32_MIN, INT32_MAX); }

// m ≈ mantissa · 2^(exponent − 31).
struct Multiplier {
  int64_t mantissa = 0;
  int exponent = 0;

  explicit Multiplier(double m) {
    if (!(m > 0)) return;
    // What leaves binary64 is as good as the greatest.
    m = std::min(m, 0x1p60);
    mantissa = static_cast<int64_t>(std::floor(std::frexp(m, &exponent) * 2147483648.0 + 0.5));
    if (mantissa == int64_t{1} << 31) {
      mantissa /= 2;
      ++exponent;
    }
    if (exponent < -31) mantissa = exponent = 0;
    if (exponent > 30) {
      mantissa = INT32_MAX;
      exponent = 30;
    }
  }

  // The product with a number of 32 bits: to the high half, halves up; then shifted, halves away
  // from zero.
  int64_t operator*(int64_t x) const {
    const int left = std::max(exponent, 0), right = std::max(-exponent, 0);
    const int64_t shifted = Saturate(Saturate(x) * (int64_t{1} << left));
    const int64_t high = (shifted * mantissa + (int64_t{1} << 30)) >> 31;
    if (right == 0) return Saturate(high);
    const int64_t mask = (int64_t{1} << right) - 1;
    const int64_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
    return (high >> right) + ((high & mask) > threshold ? 1 : 0);
  }
};

// The codes that a fused activation lets through.
struct Bounds {
  int64_t low = 0, high = 255;

  Bounds(int64_t activation, const Operand& out) {
    const auto code = [&](float real) {
      return static_cast<int64_t>(
          std::clamp(std::round(static_cast<double>(real / out.scale)), -1e6, 1e6) + out.zero);
    };
    if (activation == NEURON_FUSED_RELU || activation == NEURON_FUSED_RELU6) low = code(0);
    if (activation == NEURON_FUSED_RELU1) low = code(-1);
    if (activation == NEURON_FUSED_RELU1) high = code(1);
    if (activation == NEURON_FUSED_RELU6) high = code(6);
    low = std::clamp<int64_t>(low, 0, 255);
    high = std::clamp<int64_t>(high, 0, 255);
  }
  uint8_t operator()(int64_t code) const {
    return static_cast<uint8_t>(std::min(std::max(code, low), high));
  }
};

// More than any network has in one operation: what a damaged model asks for, and what would not
// end.
inline bool TooMuch(int64_t outputs, int64_t steps_each) {
  return static_cast<double>(outputs) * static_cast<double>(steps_each) > 0x1p40;
}

inline bool IsActivation(int64_t activation) { return activation >= 0 && activation <= 3; }

inline uint8_t ToCode(double real_in_steps, int32_t zero) {
  const double code = std::round(std::clamp(real_in_steps, -1e6, 1e6)) + zero;
  return static_cast<uint8_t>(std::clamp(code, 0.0, 255.0));
}

// Where windows are along one axis.
struct Axis {
  int64_t in = 1, out = 1, before = 0, after = 0, stride = 1, window = 1, dilation = 1;

  bool Sane() const {
    constexpr int64_t kMost = 1 << 16;
    return stride >= 1 && stride <= kMost && window >= 1 && window <= kMost && dilation >= 1 &&
           dilation <= kMost && before >= 0 && before <= kMost && after >= 0 && after <= kMost;
  }
  bool Fits() const {
    const int64_t room = in + before + after - ((window - 1) * dilation + 1);
    return Sane() && room >= 0 && out == room / stride + 1;
  }
};

#endif  // THIRD_PARTY_APU_SIM_ARITHMETIC_H_
