#include "mace/runtime/model.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <utility>

#include "mace/base/diagnostics.h"
#include "mace/quant/affine.h"

namespace mace {
namespace runtime {
namespace {

using std::string;
using std::vector;

class Builder {
 public:
  Builder(NetDef net, const uint8_t* data, size_t data_size, Model* model)
      : net_(std::move(net)), data_(data), data_size_(data_size), model_(model) {}

  Status Build() {
    MACE_RETURN_IF_ERROR(CheckNet(net_, data_, data_size_));
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
  Status AddTensor(const string& name, const vector<int64_t>& dims, int64_t type, int* index) {
    Tensor tensor;
    tensor.name = name;
    tensor.shape = dims;
    MACE_RETURN_IF_ERROR(CheckShape(name, dims, &tensor.elements));
    MACE_RETURN_IF_ERROR(CheckElementType(name, type, &tensor.type));
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
      port.name = def.public_name();
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
    MACE_RETURN_IF_ERROR(LocateOrCopy(def, &tensor));
    if (def.dequantize) MACE_RETURN_IF_ERROR(Dequantize(&tensor));
    model_->constant_bytes += tensor.bytes();
    return Status();
  }

  Status LocateOrCopy(const ConstDef& def, Tensor* constant) {
    Tensor& tensor = *constant;
    const size_t bytes = tensor.bytes();
    if (!def.float_data.empty() || !def.int32_data.empty()) return CopyInline(def, &tensor);
    const uint8_t* at;
    MACE_RETURN_IF_ERROR(LocateConstant(net_, def, bytes, data_, data_size_, &at));
    if (reinterpret_cast<uintptr_t>(at) % SizeOf(tensor.type) == 0) {
      tensor.data = at;
      return Status();
    }
    return Copy(at, bytes, &tensor);
  }

  // The float32 values that codes of the file stand for, in a buffer of the model's own.
  Status Dequantize(Tensor* tensor) {
    if (!IsQuantized(tensor->type)) {
      return diagnostics::BadQuantization(tensor->name, "is to be dequantized and holds no codes");
    }
    const size_t count = static_cast<size_t>(tensor->elements);
    vector<float> scales = tensor->channel_scale;
    // Elements that share a scale.
    size_t run = count;
    if (!scales.empty()) {
      const size_t axis = static_cast<size_t>(tensor->channel_axis);
      if (tensor->shape[axis] != static_cast<int64_t>(scales.size())) {
        return diagnostics::BadQuantization(
            tensor->name, "is to be dequantized and has not one scale a channel of its axis");
      }
      run = 1;
      for (size_t i = axis + 1; i < tensor->shape.size(); ++i) run *= tensor->shape[i];
    } else if (tensor->has_scale) {
      scales = {tensor->scale};
    } else {
      return diagnostics::BadQuantization(tensor->name, "is to be dequantized and has no scale");
    }
    auto buffer = std::make_unique<AlignedBuffer>();
    if (!buffer->Allocate(count * sizeof(float)))
      return diagnostics::OutOfMemory("constant '" + tensor->name + "'", count * sizeof(float));
    float* values = static_cast<float*>(buffer->data());
    for (size_t i = 0; i < count; ++i) {
      const int32_t code = tensor->type == ElementType::kUint8
                               ? static_cast<const uint8_t*>(tensor->data)[i]
                               : static_cast<const int8_t*>(tensor->data)[i];
      const quant::Affine affine{scales[i / run % scales.size()], tensor->zero_point};
      values[i] = quant::Dequantize(code, affine);
    }
    tensor->type = ElementType::kFloat32;
    tensor->data = values;
    tensor->has_scale = false;
    tensor->scale = 1.0f;
    tensor->zero_point = 0;
    tensor->channel_scale.clear();
    model_->owned.push_back(std::move(buffer));
    return Status();
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
      port.name = def.public_name();
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

Status BuildModel(NetDef net, const void* data, size_t data_size, Model* model) {
  *model = Model();
  model->name = net.name;
  return Builder(std::move(net), static_cast<const uint8_t*>(data), data_size, model).Build();
}

Status ReadModel(const void* pb, size_t pb_size, const void* data, size_t data_size, Model* model) {
  *model = Model();
  MultiNetDef multi;
  MACE_RETURN_IF_ERROR(ReadMultiNetDef(pb, pb_size, &multi));
  if (multi.nets.size() != 1) return diagnostics::NetCount(multi.nets.size());
  if (multi.nets[0].runtime_type() != 0)
    return diagnostics::NetOfAnotherDevice(multi.nets[0].runtime_type());
  if (!multi.name.empty()) multi.nets[0].name = multi.name;
  return BuildModel(std::move(multi.nets[0]), data, data_size, model);
}

}  // namespace runtime
}  // namespace mace
