// A pointer and a length (std::span is C++20).
#ifndef MACE_BASE_SPAN_H_
#define MACE_BASE_SPAN_H_

#include <cstddef>
#include <vector>

namespace mace {

template <typename T>
class Span {
 public:
  constexpr Span() = default;
  constexpr Span(T* data, size_t size) : data_(data), size_(size) {}
  template <typename U>
  Span(const std::vector<U>& v)
      : data_(v.data()), size_(v.size()) {}  // NOLINT: implicit on purpose

  constexpr T* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr T& operator[](size_t i) const { return data_[i]; }
  constexpr T* begin() const { return data_; }
  constexpr T* end() const { return data_ + size_; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace mace

#endif  // MACE_BASE_SPAN_H_
