// Element types and shapes, shared by every layer of the runtime.
#ifndef MACE_BASE_TYPES_H_
#define MACE_BASE_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mace/base/limits.h"

namespace mace {

// Numbers of DataType in mace/proto/mace.proto; the runtime computes with these four.
enum class ElementType : int { kFloat32 = 1, kUint8 = 2, kInt32 = 4, kInt8 = 8 };

inline size_t SizeOf(ElementType type) {
  return type == ElementType::kFloat32 || type == ElementType::kInt32 ? 4 : 1;
}

inline bool IsQuantized(ElementType type) {
  return type == ElementType::kUint8 || type == ElementType::kInt8;
}

inline const char* NameOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "float32";
    case ElementType::kUint8:
      return "uint8";
    case ElementType::kInt32:
      return "int32";
    case ElementType::kInt8:
      return "int8";
  }
  return "unknown";
}

// Least and greatest code of a quantized type.
inline int32_t QMin(ElementType type) { return type == ElementType::kInt8 ? -128 : 0; }
inline int32_t QMax(ElementType type) { return type == ElementType::kInt8 ? 127 : 255; }

using Shape = std::vector<int64_t>;

// Number of elements; the caller knows that it does not overflow (the model reader checks every
// shape).
inline int64_t ElementCount(const Shape& shape) {
  int64_t count = 1;
  for (int64_t d : shape) count *= d;
  return count;
}

// "1x299x299x3"; a scalar prints as "scalar".
inline std::string ToString(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += 'x';
    text += std::to_string(shape[i]);
  }
  return text;
}

}  // namespace mace

#endif  // MACE_BASE_TYPES_H_
