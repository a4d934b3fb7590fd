// Memory whose end is the end of a page before one that may not be touched: reading or writing past
// it is a crash.
#ifndef MACE_TESTING_GUARD_BUFFER_H_
#define MACE_TESTING_GUARD_BUFFER_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace mace {
namespace testing {

template <typename T>
class GuardBuffer {
 public:
  explicit GuardBuffer(size_t count) : count_(count) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = count * sizeof(T);
    const size_t body = (bytes + page - 1) / page * page;
    mapped_ = body + page;
    base_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(static_cast<char*>(base_) + body, page, PROT_NONE);
    data_ = reinterpret_cast<T*>(static_cast<char*>(base_) + body - bytes);
  }
  // `slack` elements that may be read follow the values.
  explicit GuardBuffer(const std::vector<T>& values, size_t slack = 0)
      : GuardBuffer(values.size() + slack) {
    count_ = values.size();
    if (!values.empty()) std::memcpy(data_, values.data(), values.size() * sizeof(T));
  }
  ~GuardBuffer() { munmap(base_, mapped_); }
  GuardBuffer(const GuardBuffer&) = delete;
  GuardBuffer& operator=(const GuardBuffer&) = delete;

  T* data() const { return data_; }
  size_t size() const { return count_; }
  T& operator[](size_t i) const { return data_[i]; }

 private:
  size_t count_, mapped_ = 0;
  void* base_ = nullptr;
  T* data_ = nullptr;
};

}  // namespace testing
}  // namespace mace

#endif  // MACE_TESTING_GUARD_BUFFER_H_
