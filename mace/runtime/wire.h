// Protocol buffer bytes. The reader is for bytes that may be hostile: every length is checked against the bytes that are
// left, in 64 bits on every ABI, and nothing throws or asserts. (protozero's reader asserts on wire types and narrows
// lengths to a signed 32-bit difference on 32-bit targets, so it is no judge of damaged files.)
#ifndef MACE_RUNTIME_WIRE_H_
#define MACE_RUNTIME_WIRE_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace mace {
namespace runtime {

class WireReader {
 public:
  WireReader() = default;
  WireReader(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

  // Moves to the next field; false at the end or when the bytes are malformed (then ok() is false).
  bool Next() {
    if (!ok_ || at_ == end_) return false;
    uint64_t key;
    if (!Varint(&key)) return false;
    field_ = static_cast<uint32_t>(key >> 3);
    wire_ = static_cast<int>(key & 7);
    if ((key >> 3) == 0 || (key >> 3) > 0x1fffffff) return Fail();
    size_ = 0;
    switch (wire_) {
      case 0: return Varint(&value_);
      case 1: return Fixed(8);
      case 2: {
        uint64_t length;
        if (!Varint(&length)) return false;
        if (length > static_cast<uint64_t>(end_ - at_)) return Fail();
        bytes_ = at_;
        size_ = static_cast<size_t>(length);
        at_ += size_;
        return true;
      }
      case 5: return Fixed(4);
      default: return Fail();
    }
  }

  bool ok() const { return ok_; }
  uint32_t field() const { return field_; }

  // The current field's value. A field of the wrong wire type makes the message malformed and yields a zero.
  int64_t Int() {
    if (wire_ != 0) Fail();
    return wire_ == 0 ? static_cast<int64_t>(value_) : 0;
  }
  float Float() {
    float f = 0;
    if (wire_ != 5) {
      Fail();
    } else {
      std::memcpy(&f, bytes_, sizeof f);
    }
    return f;
  }
  std::string Bytes() {
    if (wire_ != 2) Fail();
    return wire_ == 2 ? std::string(reinterpret_cast<const char*>(bytes_), size_) : std::string();
  }
  WireReader Message() {
    if (wire_ != 2) Fail();
    return wire_ == 2 ? WireReader(bytes_, size_) : WireReader();
  }
  // Repeated numbers, packed or one a field.
  void Ints(std::vector<int64_t>* out) {
    if (wire_ == 0) {
      out->push_back(static_cast<int64_t>(value_));
      return;
    }
    WireReader packed = Message();
    while (packed.at_ != packed.end_) {
      uint64_t v;
      if (!packed.Varint(&v)) {
        Fail();
        return;
      }
      out->push_back(static_cast<int64_t>(v));
    }
  }
  void Floats(std::vector<float>* out) {
    if (wire_ == 5) {
      out->push_back(Float());
      return;
    }
    if (wire_ != 2 || size_ % 4 != 0) {
      Fail();
      return;
    }
    const size_t old = out->size();
    out->resize(old + size_ / 4);
    if (size_ > 0) std::memcpy(out->data() + old, bytes_, size_);
  }

  // For errors found by the caller.
  bool Fail() {
    ok_ = false;
    at_ = end_;
    return false;
  }

 private:
  bool Varint(uint64_t* out) {
    uint64_t v = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ == end_) return Fail();
      const uint8_t byte = *at_++;
      if (shift == 63 && byte > 1) return Fail();
      v |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        *out = v;
        return true;
      }
    }
    return Fail();
  }
  bool Fixed(size_t n) {
    if (static_cast<size_t>(end_ - at_) < n) return Fail();
    bytes_ = at_;
    size_ = n;
    at_ += n;
    return true;
  }

  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  const uint8_t* bytes_ = nullptr;
  size_t size_ = 0;
  uint64_t value_ = 0;
  uint32_t field_ = 0;
  int wire_ = 0;
  bool ok_ = true;
};

// Appends fields to a string. Fields are written in the order of the calls, so equal calls give equal bytes.
class WireWriter {
 public:
  const std::string& bytes() const { return bytes_; }

  void Int(uint32_t field, int64_t value) {
    Key(field, 0);
    Varint(static_cast<uint64_t>(value));
  }
  void Float(uint32_t field, float value) {
    Key(field, 5);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void Bytes(uint32_t field, const std::string& value) {
    Key(field, 2);
    Varint(value.size());
    bytes_ += value;
  }
  // The fields of another message after those of this one.
  void Append(const WireWriter& other) { bytes_ += other.bytes_; }
  void Message(uint32_t field, const WireWriter& message) { Bytes(field, message.bytes_); }
  void Floats(uint32_t field, const std::vector<float>& values) {
    Bytes(field, std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)));
  }
  template <typename T>
  void Packed(uint32_t field, const std::vector<T>& values) {
    WireWriter packed;
    for (T v : values) packed.Varint(static_cast<uint64_t>(v));
    Bytes(field, packed.bytes_);
  }

 private:
  void Key(uint32_t field, int wire) { Varint(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire)); }
  void Varint(uint64_t v) {
    for (; v >= 0x80; v >>= 7) bytes_ += static_cast<char>(v | 0x80);
    bytes_ += static_cast<char>(v);
  }

  std::string bytes_;
};

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_WIRE_H_
