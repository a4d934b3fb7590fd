// Memory for tensors: 64-byte aligned, with room for one vector beyond the end, null when there is
// none left.
#ifndef MACE_BASE_ALIGNED_BUFFER_H_
#define MACE_BASE_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>

namespace mace {

constexpr size_t kAlignment = 64;

inline size_t AlignUp(size_t value, size_t alignment = kAlignment) {
  return (value + alignment - 1) / alignment * alignment;
}

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept { *this = std::move(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer() { std::free(data_); }

  // False when there is not enough memory; the buffer is empty then. Contents are undefined.
  bool Allocate(size_t bytes) {
    std::free(data_);
    data_ = nullptr;
    size_ = 0;
    if (bytes > kLimit) return false;
    if (posix_memalign(&data_, kAlignment, AlignUp(bytes == 0 ? 1 : bytes) + kAlignment) != 0) {
      data_ = nullptr;
      return false;
    }
    size_ = bytes;
    return true;
  }

  size_t size() const { return size_; }
  void* data() const { return data_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  // A request above this is a damaged model rather than a need.
  static constexpr size_t kLimit = sizeof(size_t) > 4 ? size_t{1} << 36 : size_t{1} << 30;
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace mace

#endif  // MACE_BASE_ALIGNED_BUFFER_H_
