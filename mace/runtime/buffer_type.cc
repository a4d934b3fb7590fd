#include "mace/runtime/buffer_type.h"

#include <cstring>
#include <limits>

namespace mace {
namespace runtime {
namespace {

// A value of float16 in memory.
struct Half {
  uint16_t bits;
};

template <typename T>
T FromFloat(float value) {
  // The ends as floats: 2^31 is one above int32's greatest value, and what is not below it is cut.
  const float least = static_cast<float>(std::numeric_limits<T>::min());
  const float above = static_cast<float>(static_cast<double>(std::numeric_limits<T>::max()) + 1);
  if (value != value) return 0;
  if (value <= least) return std::numeric_limits<T>::min();
  if (value >= above) return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}
template <>
float FromFloat<float>(float value) {
  return value;
}
template <>
Half FromFloat<Half>(float value) {
  return {FloatToHalf(value)};
}

template <typename T>
T FromInt(int32_t value) {
  if (value < static_cast<int32_t>(std::numeric_limits<T>::min()))
    return std::numeric_limits<T>::min();
  if (value > static_cast<int32_t>(std::numeric_limits<T>::max()))
    return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}
template <>
float FromInt<float>(int32_t value) {
  return static_cast<float>(value);
}
template <>
Half FromInt<Half>(int32_t value) {
  return {FloatToHalf(static_cast<float>(value))};
}

template <typename T>
float AsFloat(T value) {
  return static_cast<float>(value);
}
float AsFloat(Half value) { return HalfToFloat(value.bits); }

template <typename T>
int32_t AsInt(T value) {
  return static_cast<int32_t>(value);
}
int32_t AsInt(float value) { return FromFloat<int32_t>(value); }
int32_t AsInt(Half value) { return FromFloat<int32_t>(HalfToFloat(value.bits)); }

// Buffers are the caller's and need not be aligned.
template <typename To, typename From, typename Convert>
void Each(const void* from, int64_t count, void* to, Convert convert) {
  for (int64_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, static_cast<const char*>(from) + i * sizeof value, sizeof value);
    const To converted = convert(value);
    std::memcpy(static_cast<char*>(to) + i * sizeof converted, &converted, sizeof converted);
  }
}

template <typename T>
void Read(const void* from, int64_t count, ElementType type, void* to) {
  if (type == ElementType::kInt32) {
    Each<int32_t, T>(from, count, to, [](T value) { return AsInt(value); });
  } else {
    Each<float, T>(from, count, to, [](T value) { return AsFloat(value); });
  }
}

template <typename T>
void Write(const void* from, ElementType type, int64_t count, void* to) {
  if (type == ElementType::kInt32) {
    Each<T, int32_t>(from, count, to, [](int32_t value) { return FromInt<T>(value); });
  } else {
    Each<T, float>(from, count, to, [](float value) { return FromFloat<T>(value); });
  }
}

template <typename T>
constexpr BufferType Entry(int64_t code, const char* name) {
  return {code, name, sizeof(T), Read<T>, Write<T>};
}

const BufferType kTypes[] = {
    Entry<float>(1, "float32"), Entry<int32_t>(4, "int32"), Entry<Half>(5, "float16"),
    Entry<int16_t>(7, "int16"), Entry<uint8_t>(2, "uint8"),
};
// MACE's other number for float16.
constexpr int64_t kHalf = 3, kFloat16 = 5;

}  // namespace

const BufferType* FindBufferType(int64_t code) {
  for (const BufferType& type : kTypes) {
    if (type.code == (code == kHalf ? kFloat16 : code)) return &type;
  }
  return nullptr;
}

std::string BufferTypeNames() {
  std::string names;
  for (const BufferType& type : kTypes)
    names += (names.empty() ? "" : ", ") + std::string(type.name);
  return names;
}

float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 31, fraction = half & 1023;
  float value;
  if (exponent == 0) {
    // Zero, or a multiple of 2^-24.
    value = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  const uint32_t bits = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | fraction << 13;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

uint16_t FloatToHalf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);  // NaN
  if (magnitude >= 0x47800000) return static_cast<uint16_t>(sign | 0x7c00);
  const int exponent = static_cast<int>(magnitude >> 23) - 112;
  // Below 2^-25 all is zero, and so is that itself, a tie.
  if (exponent < -10) return static_cast<uint16_t>(sign);
  // Bits that are lost: 13 of a normal number, more of a subnormal one.
  const int lost = exponent > 0 ? 13 : 14 - exponent;
  const uint32_t fraction = (magnitude & 0x7fffff) | 0x800000;
  uint32_t half = fraction >> lost;
  const uint32_t rest = fraction & ((1u << lost) - 1), tie = 1u << (lost - 1);
  if (rest > tie || (rest == tie && (half & 1) != 0)) ++half;
  // The leading bit adds one to the exponent; a carry does so once more.
  if (exponent > 0) half += static_cast<uint32_t>(exponent - 1) << 10;
  return static_cast<uint16_t>(sign | half);
}

}  // namespace runtime
}  // namespace mace
