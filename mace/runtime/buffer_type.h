// Element types of callers' buffers, where they are others than a graph's own: values are converted
// where they enter and leave.
#ifndef MACE_RUNTIME_BUFFER_TYPE_H_
#define MACE_RUNTIME_BUFFER_TYPE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "mace/base/types.h"

namespace mace {
namespace runtime {

struct BufferType {
  // Of proto's DataType, and of the API's IDataType.
  int64_t code;
  const char* name;
  size_t bytes;
  // `count` values of a buffer as float32 or int32, and back. Integers stand for themselves; what
  // does not fit is cut: fractions towards zero, values outside the type to its ends, NaN to 0.
  // float16 is IEEE binary16, to the nearest, ties to even.
  void (*read)(const void* from, int64_t count, ElementType type, void* to);
  void (*write)(const void* from, ElementType type, int64_t count, void* to);
};

// Null when buffers cannot have the type. DT_HALF and DT_FLOAT16 are one.
const BufferType* FindBufferType(int64_t code);
// "float32, int32, …"
std::string BufferTypeNames();

// IEEE binary16 in an integer.
float HalfToFloat(uint16_t half);
uint16_t FloatToHalf(float value);

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_BUFFER_TYPE_H_
