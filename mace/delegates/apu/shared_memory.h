// Memory that this process and a device see alike: the device reads inputs and writes outputs in
// place.
#ifndef MACE_DELEGATES_APU_SHARED_MEMORY_H_
#define MACE_DELEGATES_APU_SHARED_MEMORY_H_

#include <cstddef>
#include <cstdint>

namespace mace {
namespace delegates {

class SharedMemory {
 public:
  SharedMemory() = default;
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // Zeroed memory of `size` bytes in an anonymous file. False where the kernel has none, or too
  // little memory: callers then use memory of their own.
  bool Allocate(size_t size);

  int descriptor() const { return descriptor_; }
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  int descriptor_ = -1;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_APU_SHARED_MEMORY_H_
