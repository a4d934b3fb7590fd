#include "mace/runtime/model.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <utility>

#include "mace/base/diagnostics.h"
#include "mace/runtime/sha256.h"
#include "mace/runtime/wire.h"

namespace mace {
namespace runtime {
namespace {

using std::string;
using std::vector;

// Elements of one tensor; keeps every byte count and index product far from overflow.
constexpr int64_t kMaxElements = int64_t{1} << 31;

struct ConstDef {
  vector<int64_t> dims;
  int64_t type = 1;
  vector<float> float_data;
  vector<int64_t> int32_data;
  string name;
  int64_t offset = 0;
  bool has_size = false;
  int64_t size = 0;
  bool has_scale = false;
  float scale = 0;
  int64_t zero_point = 0;
  vector<float> channel_scale;
  int64_t channel_axis = 0;
};

struct QuantizeInfo {
  float scale = 0;
  int64_t zero_point = 0;
};

struct OperatorDef {
  vector<string> inputs, outputs;
  string name, type;
  vector<Attribute> arguments;
  vector<vector<int64_t>> shapes;
  vector<int64_t> types;
  vector<QuantizeInfo> quantize_info;
};

struct PortDef {
  string name, alias;
  vector<int64_t> dims;
  int64_t type = 1;
  int64_t format = 1;
};

struct NetDef {
  vector<OperatorDef> ops;
  vector<ConstDef> tensors;
  string name, sha256, graph_digest;
  int64_t data_offset = 0, data_size = 0;
  vector<PortDef> inputs, outputs;
  bool has_version = false;
  uint64_t version = 0;
};

bool Parse(WireReader r, ConstDef* t) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        r.Ints(&t->dims);
        break;
      case 2:
        t->type = r.Int();
        break;
      case 3:
        r.Floats(&t->float_data);
        break;
      case 4:
        r.Ints(&t->int32_data);
        break;
      case 5:
        t->name = r.Bytes();
        break;
      case 6:
        t->offset = r.Int();
        break;  // absent: 0, as writers leave defaults out
      case 7:
        t->size = r.Int();
        t->has_size = true;
        break;
      case 8:
        t->scale = r.Float();
        t->has_scale = true;
        break;
      case 9:
        t->zero_point = r.Int();
        break;
      case 1000:
        r.Floats(&t->channel_scale);
        break;
      case 1001:
        t->channel_axis = r.Int();
        break;
      default:
        break;
    }
  }
  return r.ok();
}

bool Parse(WireReader r, Attribute* a) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        a->name = r.Bytes();
        break;
      case 2:
        a->f = r.Float();
        a->has_f = true;
        break;
      case 3:
        a->i = r.Int();
        a->has_i = true;
        break;
      case 4:
        a->s = r.Bytes();
        a->has_s = true;
        break;
      case 5:
        r.Floats(&a->floats);
        break;
      case 6:
        r.Ints(&a->ints);
        break;
      default:
        break;
    }
  }
  return r.ok();
}

bool Parse(WireReader r, QuantizeInfo* q) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        q->scale = r.Float();
        break;
      case 2:
        q->zero_point = r.Int();
        break;
      default:
        break;
    }
  }
  return r.ok();
}

bool ParseDims(WireReader r, vector<int64_t>* dims) {
  while (r.Next()) {
    if (r.field() == 1) r.Ints(dims);
  }
  return r.ok();
}

// Appends a parsed sub-message; false when it is malformed.
template <typename T>
bool Append(WireReader* r, vector<T>* list) {
  list->emplace_back();
  return Parse(r->Message(), &list->back()) || r->Fail();
}

bool Parse(WireReader r, OperatorDef* op) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        op->inputs.push_back(r.Bytes());
        break;
      case 2:
        op->outputs.push_back(r.Bytes());
        break;
      case 3:
        op->name = r.Bytes();
        break;
      case 4:
        op->type = r.Bytes();
        break;
      case 6:
        Append(&r, &op->arguments);
        break;
      case 7:
        op->shapes.emplace_back();
        if (!ParseDims(r.Message(), &op->shapes.back())) r.Fail();
        break;
      case 8:
        r.Ints(&op->types);
        break;
      case 9:
        Append(&r, &op->quantize_info);
        break;
      default:
        break;
    }
  }
  return r.ok();
}

bool Parse(WireReader r, PortDef* p) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        p->name = r.Bytes();
        break;
      case 3:
        r.Ints(&p->dims);
        break;
      case 5:
        p->type = r.Int();
        break;
      case 6:
        p->format = r.Int();
        break;
      case 100:
        p->alias = r.Bytes();
        break;
      default:
        break;
    }
  }
  return r.ok();
}

bool Parse(WireReader r, NetDef* net) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        Append(&r, &net->ops);
        break;
      case 3:
        Append(&r, &net->tensors);
        break;
      case 5:
        net->name = r.Bytes();
        break;
      case 6:
        net->data_offset = r.Int();
        break;
      case 7:
        net->data_size = r.Int();
        break;
      case 100:
        Append(&r, &net->inputs);
        break;
      case 101:
        Append(&r, &net->outputs);
        break;
      case 1000:
        net->version = static_cast<uint64_t>(r.Int());
        net->has_version = true;
        break;
      case 1001:
        net->sha256 = r.Bytes();
        break;
      case 1002:
        net->graph_digest = r.Bytes();
        break;
      default:
        break;
    }
  }
  return r.ok();
}

struct MultiNetDef {
  string name;
  vector<NetDef> nets;
};

bool Parse(WireReader r, MultiNetDef* multi) {
  while (r.Next()) {
    switch (r.field()) {
      case 2:
        multi->name = r.Bytes();
        break;
      case 3:
        Append(&r, &multi->nets);
        break;
      default:
        break;
    }
  }
  return r.ok();
}

class Builder {
 public:
  Builder(NetDef net, const uint8_t* data, size_t data_size, Model* model)
      : net_(std::move(net)), data_(data), data_size_(data_size), model_(model) {}

  Status Build() {
    if (!net_.has_version) return diagnostics::ForeignModel();
    if (net_.version > kFormatVersion) {
      return diagnostics::NewerModel(static_cast<uint32_t>(net_.version & 0xffffffffu),
                                     kFormatVersion);
    }
    MACE_RETURN_IF_ERROR(CheckData());
    model_->graph_digest = net_.graph_digest;
    for (const OperatorDef& op : net_.ops) {
      for (const string& output : op.outputs) ++later_[output];
    }
    MACE_RETURN_IF_ERROR(AddInputs());
    for (const ConstDef& def : net_.tensors) MACE_RETURN_IF_ERROR(AddConstant(def));
    for (const OperatorDef& op : net_.ops) {
      Status status = AddNode(op);
      if (!status.ok()) return status.At("node '" + op.name + "' (" + op.type + ")");
    }
    return AddOutputs();
  }

 private:
  Status CheckData() {
    if (net_.data_offset < 0 || static_cast<uint64_t>(net_.data_offset) > data_size_) {
      return diagnostics::ConstantBounds("data_offset", "is outside the data file");
    }
    if (net_.data_size < 0 || static_cast<uint64_t>(net_.data_size) >
                                  data_size_ - static_cast<size_t>(net_.data_offset)) {
      return diagnostics::ConstantBounds("data_size", "is " + std::to_string(net_.data_size) +
                                                          ", the data file has " +
                                                          std::to_string(data_size_) + " bytes");
    }
    if (!net_.sha256.empty() && Sha256(data_, data_size_) != net_.sha256)
      return diagnostics::DataDigest();
    return Status();
  }

  static Status CheckType(const string& name, int64_t type, ElementType* out) {
    switch (type) {
      case 1:
      case 2:
      case 4:
      case 8:
        *out = static_cast<ElementType>(type);
        return Status();
      default:
        return diagnostics::BadElementType(name, type);
    }
  }

  static Status CheckShape(const string& name, const vector<int64_t>& dims, int64_t* elements) {
    if (dims.size() > static_cast<size_t>(kMaxRank)) {
      return diagnostics::BadShape(
          name, "rank " + std::to_string(dims.size()) + " is above " + std::to_string(kMaxRank));
    }
    int64_t count = 1;
    for (int64_t d : dims) {
      if (d < 1)
        return diagnostics::BadShape(name, "dimension " + std::to_string(d) + " is not positive");
      if (d >= kMaxElements || count * d >= kMaxElements)
        return diagnostics::BadShape(name, "too many elements");
      count *= d;
    }
    *elements = count;
    return Status();
  }

  Status AddTensor(const string& name, const vector<int64_t>& dims, int64_t type, int* index) {
    Tensor tensor;
    tensor.name = name;
    tensor.shape = dims;
    MACE_RETURN_IF_ERROR(CheckShape(name, dims, &tensor.elements));
    MACE_RETURN_IF_ERROR(CheckType(name, type, &tensor.type));
    *index = static_cast<int>(model_->tensors.size());
    if (!index_.emplace(name, *index).second) return diagnostics::DuplicateTensor(name);
    model_->tensors.push_back(std::move(tensor));
    return Status();
  }

  Status AddInputs() {
    if (net_.inputs.empty()) return diagnostics::MissingPort("input");
    for (const PortDef& def : net_.inputs) {
      Port port;
      MACE_RETURN_IF_ERROR(AddTensor(def.name, def.dims, def.type, &port.tensor));
      const ElementType type = model_->tensors[port.tensor].type;
      if (IsQuantized(type)) {
        return diagnostics::BadOperandType(def.name, NameOf(type),
                                           "float32 or int32 (a graph input)");
      }
      port.name = def.alias.empty() ? def.name : def.alias;
      port.data_format = static_cast<int>(def.format);
      model_->inputs.push_back(port);
    }
    return Status();
  }

  Status AddConstant(const ConstDef& def) {
    int index;
    MACE_RETURN_IF_ERROR(AddTensor(def.name, def.dims, def.type, &index));
    Tensor& tensor = model_->tensors[index];
    if (def.has_size && def.size != tensor.elements) {
      return diagnostics::ConstantBounds(def.name, "has data_size " + std::to_string(def.size) +
                                                       " but shape " + ToString(def.dims));
    }
    if (def.has_scale) {
      if (!(def.scale > 0) || std::isinf(def.scale))
        return diagnostics::BadQuantization(def.name,
                                            "has a scale that is not positive and finite");
      tensor.has_scale = true;
      tensor.scale = def.scale;
    }
    if (def.zero_point < -128 || def.zero_point > 255) {
      return diagnostics::BadQuantization(def.name, "has a zero point outside its codes");
    }
    tensor.zero_point = static_cast<int32_t>(def.zero_point);
    if (!def.channel_scale.empty()) {
      // One a channel of the axis, or of all axes from there on (depthwise filters: C * M output
      // channels).
      const int64_t axis = def.channel_axis;
      const int64_t count = static_cast<int64_t>(def.channel_scale.size());
      bool fits = axis >= 0 && axis < static_cast<int64_t>(def.dims.size());
      if (fits && def.dims[static_cast<size_t>(axis)] != count) {
        int64_t rest = 1;
        for (size_t i = static_cast<size_t>(axis); i < def.dims.size(); ++i) rest *= def.dims[i];
        fits = rest == count;
      }
      if (!fits) {
        return diagnostics::BadQuantization(def.name,
                                            "has channel scales that do not fit its channel axis");
      }
      for (float s : def.channel_scale) {
        if (!(s > 0) || std::isinf(s))
          return diagnostics::BadQuantization(
              def.name, "has a channel scale that is not positive and finite");
      }
      tensor.channel_scale = def.channel_scale;
      tensor.channel_axis = axis;
    }
    const size_t bytes = tensor.bytes();
    model_->constant_bytes += bytes;
    if (!def.float_data.empty() || !def.int32_data.empty()) return CopyInline(def, &tensor);
    const size_t available = data_size_ - static_cast<size_t>(net_.data_offset);
    if (def.offset < 0 || static_cast<uint64_t>(def.offset) > available ||
        bytes > available - static_cast<size_t>(def.offset)) {
      return diagnostics::ConstantBounds(def.name, "lies outside the data file");
    }
    const uint8_t* at = data_ + net_.data_offset + def.offset;
    if (reinterpret_cast<uintptr_t>(at) % SizeOf(tensor.type) == 0) {
      tensor.data = at;
      return Status();
    }
    return Copy(at, bytes, &tensor);
  }

  Status Copy(const void* from, size_t bytes, Tensor* tensor) {
    auto buffer = std::make_unique<AlignedBuffer>();
    if (!buffer->Allocate(bytes))
      return diagnostics::OutOfMemory("constant '" + tensor->name + "'", bytes);
    std::memcpy(buffer->data(), from, bytes);
    tensor->data = buffer->data();
    model_->owned.push_back(std::move(buffer));
    return Status();
  }

  Status CopyInline(const ConstDef& def, Tensor* tensor) {
    const bool is_float = tensor->type == ElementType::kFloat32;
    const size_t count = is_float ? def.float_data.size() : def.int32_data.size();
    if (static_cast<int64_t>(count) != tensor->elements) {
      return diagnostics::ConstantBounds(
          def.name, "has " + std::to_string(count) + " values but shape " + ToString(def.dims));
    }
    if (is_float) return Copy(def.float_data.data(), tensor->bytes(), tensor);
    vector<uint8_t> packed(tensor->bytes());
    for (size_t i = 0; i < count; ++i) {
      const int32_t v = static_cast<int32_t>(def.int32_data[i]);
      if (SizeOf(tensor->type) == 4) {
        std::memcpy(&packed[4 * i], &v, 4);
      } else {
        packed[i] = static_cast<uint8_t>(v);
      }
    }
    return Copy(packed.data(), packed.size(), tensor);
  }

  Status AddNode(const OperatorDef& op) {
    Node node;
    node.name = op.name;
    node.type = op.type;
    node.attributes = op.arguments;
    for (size_t i = 0; i < node.attributes.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (node.attributes[i].name == node.attributes[j].name) {
          return diagnostics::BadAttribute(node.attributes[i].name, "is given twice");
        }
      }
    }
    for (const string& input : op.inputs) {
      if (input.empty()) {
        node.inputs.push_back(-1);
        continue;
      }
      const auto found = index_.find(input);
      if (found == index_.end())
        return diagnostics::UndefinedTensor(input, later_.count(input) > 0);
      node.inputs.push_back(found->second);
    }
    const size_t count = op.outputs.size();
    if (count == 0) return diagnostics::BadOutputCount(0, "at least 1");
    if (op.shapes.size() != count || op.types.size() != count) {
      return diagnostics::MalformedModel(
          "a node's output_shape and output_type do not match its outputs");
    }
    if (!op.quantize_info.empty() && op.quantize_info.size() != count) {
      return diagnostics::MalformedModel("a node's quantize_info does not match its outputs");
    }
    for (size_t i = 0; i < count; ++i) {
      if (op.outputs[i].empty()) return diagnostics::MalformedModel("a node's output has no name");
      int index;
      MACE_RETURN_IF_ERROR(AddTensor(op.outputs[i], op.shapes[i], op.types[i], &index));
      Tensor& tensor = model_->tensors[index];
      tensor.producer = static_cast<int>(model_->nodes.size());
      if (IsQuantized(tensor.type)) {
        if (op.quantize_info.empty())
          return diagnostics::BadQuantization(tensor.name, "has no quantize_info");
        const QuantizeInfo& info = op.quantize_info[i];
        if (!(info.scale > 0) || std::isinf(info.scale)) {
          return diagnostics::BadQuantization(tensor.name,
                                              "has a scale that is not positive and finite");
        }
        if (info.zero_point < QMin(tensor.type) || info.zero_point > QMax(tensor.type)) {
          return diagnostics::BadQuantization(tensor.name, "has a zero point outside its codes");
        }
        tensor.has_scale = true;
        tensor.scale = info.scale;
        tensor.zero_point = static_cast<int32_t>(info.zero_point);
      }
      node.outputs.push_back(index);
    }
    model_->nodes.push_back(std::move(node));
    return Status();
  }

  Status AddOutputs() {
    if (net_.outputs.empty()) return diagnostics::MissingPort("output");
    for (const PortDef& def : net_.outputs) {
      const auto found = index_.find(def.name);
      if (found == index_.end())
        return diagnostics::MissingPort("tensor '" + def.name + "', which is listed as an output");
      const Tensor& tensor = model_->tensors[found->second];
      if (!def.dims.empty() && def.dims != tensor.shape) {
        return diagnostics::BadOperandShape(def.name, ToString(tensor.shape),
                                            ToString(def.dims) + " as the output list says");
      }
      if (IsQuantized(tensor.type)) {
        return diagnostics::BadOperandType(def.name, NameOf(tensor.type),
                                           "float32 or int32 (a graph output)");
      }
      Port port;
      port.tensor = found->second;
      port.name = def.alias.empty() ? def.name : def.alias;
      port.data_format = static_cast<int>(def.format);
      model_->outputs.push_back(port);
    }
    return Status();
  }

  NetDef net_;
  const uint8_t* data_;
  size_t data_size_;
  Model* model_;
  std::unordered_map<string, int> index_;
  std::unordered_map<string, int> later_;
};

}  // namespace

Status ReadModel(const void* pb, size_t pb_size, const void* data, size_t data_size, Model* model) {
  *model = Model();
  MultiNetDef multi;
  if (!Parse(WireReader(static_cast<const uint8_t*>(pb), pb_size), &multi)) {
    return diagnostics::MalformedModel("a length or a field is wrong");
  }
  if (multi.nets.size() != 1) return diagnostics::NetCount(multi.nets.size());
  model->name = multi.name.empty() ? multi.nets[0].name : multi.name;
  return Builder(std::move(multi.nets[0]), static_cast<const uint8_t*>(data), data_size, model)
      .Build();
}

}  // namespace runtime
}  // namespace mace
