// Makes model files in memory, for tests.
#ifndef MACE_TESTING_MODEL_BUILDER_H_
#define MACE_TESTING_MODEL_BUILDER_H_

#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "mace/base/types.h"
#include "mace/runtime/sha256.h"
#include "mace/runtime/wire.h"

namespace mace {
namespace testing {

// One argument of a node.
struct Arg {
  Arg(std::string n, int64_t v) : name(std::move(n)) { value.Int(3, v); }
  Arg(std::string n, int v) : Arg(std::move(n), static_cast<int64_t>(v)) {}
  Arg(std::string n, float v) : name(std::move(n)) { value.Float(2, v); }
  Arg(std::string n, const char* v) : name(std::move(n)) { value.Bytes(4, v); }
  Arg(std::string n, const std::vector<int64_t>& v) : name(std::move(n)) {
    for (int64_t i : v) value.Int(6, i);
  }
  Arg(std::string n, const std::vector<float>& v) : name(std::move(n)) { value.Floats(5, v); }
  std::string name;
  runtime::WireWriter value;
};

struct TensorSpec {
  std::string name;
  Shape shape;
  ElementType type = ElementType::kFloat32;
  float scale = 0.0f;
  int32_t zero_point = 0;
  std::vector<float> channel_scale;
  int channel_axis = 0;
  bool dequantize = false;
};

class ModelBuilder {
 public:
  // `buffer` is a number of proto's DataType, where callers' buffers have another type.
  void Input(const std::string& name, const Shape& shape, ElementType type = ElementType::kFloat32,
             int64_t buffer = 0) {
    Port(100, name, shape, type, buffer);
  }
  void Output(const std::string& name, const Shape& shape, ElementType type = ElementType::kFloat32,
              int64_t buffer = 0) {
    Port(101, name, shape, type, buffer);
  }

  void Constant(const TensorSpec& spec, const void* bytes, size_t size) {
    data_.resize((data_.size() + 63) / 64 * 64);
    runtime::WireWriter t;
    for (int64_t d : spec.shape) t.Int(1, d);
    t.Int(2, static_cast<int>(spec.type));
    t.Bytes(5, spec.name);
    t.Int(6, static_cast<int64_t>(data_.size()));
    t.Int(7, ElementCount(spec.shape));
    if (spec.scale != 0) t.Float(8, spec.scale);
    t.Int(9, spec.zero_point);
    if (!spec.channel_scale.empty()) {
      t.Floats(1000, spec.channel_scale);
      t.Int(1001, spec.channel_axis);
    }
    if (spec.dequantize) t.Int(1004, 1);
    net_.Message(3, t);
    data_.append(static_cast<const char*>(bytes), size);
  }
  template <typename T>
  void Constant(const TensorSpec& spec, const std::vector<T>& values) {
    Constant(spec, values.data(), values.size() * sizeof(T));
  }

  void Node(const std::string& type, const std::vector<std::string>& inputs,
            const std::vector<TensorSpec>& outputs, const std::vector<Arg>& args = {}) {
    runtime::WireWriter op;
    for (const std::string& i : inputs) op.Bytes(1, i);
    for (const TensorSpec& o : outputs) op.Bytes(2, o.name);
    op.Bytes(3, type + "_" + std::to_string(nodes_++));
    op.Bytes(4, type);
    for (const Arg& a : args) {
      runtime::WireWriter arg;
      arg.Bytes(1, a.name);
      op.Message(6, Joined(arg, a.value));
    }
    for (const TensorSpec& o : outputs) {
      runtime::WireWriter shape;
      for (int64_t d : o.shape) shape.Int(1, d);
      op.Message(7, shape);
      op.Int(8, static_cast<int>(o.type));
      if (IsQuantized(outputs[0].type)) {
        runtime::WireWriter info;
        info.Float(1, o.scale);
        info.Int(2, o.zero_point);
        op.Message(9, info);
      }
    }
    net_.Message(1, op);
  }

  // Any field of NetDef, for damaged models.
  runtime::WireWriter* net() { return &net_; }
  bool with_version = true, with_digest = true;

  // The NetDef, for files of several.
  runtime::WireWriter Net() const {
    runtime::WireWriter net = net_;
    if (with_version) net.Int(1000, 1);
    if (with_digest) net.Bytes(1001, runtime::Sha256(data_.data(), data_.size()));
    return net;
  }
  std::string Model() const {
    runtime::WireWriter multi;
    multi.Bytes(2, "test");
    multi.Message(3, Net());
    return multi.bytes();
  }
  // Aligned by the allocator for any element type.
  const std::string& data() const { return data_; }

 private:
  static runtime::WireWriter Joined(runtime::WireWriter a, const runtime::WireWriter& b) {
    a.Append(b);
    return a;
  }
  void Port(uint32_t field, const std::string& name, const Shape& shape, ElementType type,
            int64_t buffer) {
    runtime::WireWriter port;
    port.Bytes(1, name);
    for (int64_t d : shape) port.Int(3, d);
    if (buffer != 0) {
      port.Int(5, buffer);
      port.Int(1003, static_cast<int>(type));
    } else if (type != ElementType::kFloat32) {
      port.Int(5, static_cast<int>(type));
    }
    net_.Message(field, port);
  }

  runtime::WireWriter net_;
  std::string data_;
  int nodes_ = 0;
};

}  // namespace testing
}  // namespace mace

#endif  // MACE_TESTING_MODEL_BUILDER_H_
