#include "mace/delegates/apu/model_builder.h"

#include <cmath>
#include <cstring>
#include <memory>

#include "mace/base/diagnostics.h"

namespace mace {
namespace delegates {

namespace {

using runtime::Attribute;
using runtime::ConstDef;
using runtime::OperatorDef;
using runtime::PortDef;

constexpr size_t kRank = 4;

// Values of MACE's attributes.
enum : int64_t { kSum = 0, kSub = 1, kProd = 2, kMin = 4, kMax = 5 };
enum : int64_t { kAverage = 1, kMaximum = 2 };

bool GoodGrid(float scale, int64_t zero) {
  return std::isfinite(scale) && scale > 0 && zero >= 0 && zero <= 255;
}

Status Dims(const std::string& name, const std::vector<int64_t>& dims, std::vector<uint32_t>* to,
            size_t* elements) {
  int64_t count;
  MACE_RETURN_IF_ERROR(runtime::CheckShape(name, dims, &count));
  if (dims.size() > kRank) {
    return diagnostics::ApuNet("the tensor '" + name + "' has rank " + std::to_string(dims.size()));
  }
  for (const int64_t d : dims) to->push_back(static_cast<uint32_t>(d));
  if (to->empty()) to->push_back(1);
  *elements = static_cast<size_t>(count);
  return Status();
}

int64_t Int(const OperatorDef& op, const char* name, int64_t otherwise) {
  const Attribute* found = op.Argument(name);
  return found == nullptr ? otherwise : found->i;
}

std::string Text(const OperatorDef& op, const char* name) {
  const Attribute* found = op.Argument(name);
  return found == nullptr ? "" : found->s;
}

}  // namespace

Status ModelBuilder::Operand(Tensor* tensor) {
  NeuronOperandType type = {};
  type.type = tensor->type;
  type.dimensionCount = static_cast<uint32_t>(tensor->dims.size());
  type.dimensions = tensor->dims.data();
  type.scale = tensor->scale;
  type.zeroPoint = tensor->zero;
  const int result = library_.add_operand(model_, &type);
  if (result != NEURON_NO_ERROR) return NeuronFailed("NeuronModel_addOperand", result);
  tensor->index = count_++;
  tensor->added = true;
  return Status();
}

Status ModelBuilder::Value(const Tensor& tensor, const void* bytes, size_t size) {
  const int result =
      library_.set_operand_value(model_, static_cast<int32_t>(tensor.index), bytes, size);
  return result == NEURON_NO_ERROR ? Status() : NeuronFailed("NeuronModel_setOperandValue", result);
}

template <typename T>
Status ModelBuilder::Scalar(int32_t type, T value, uint32_t* index) {
  Tensor tensor;
  tensor.type = type;
  MACE_RETURN_IF_ERROR(Operand(&tensor));
  *index = tensor.index;
  // The library copies what is this small.
  return Value(tensor, &value, sizeof value);
}

Status ModelBuilder::AddPorts() {
  for (const PortDef& port : net_.inputs) {
    Tensor tensor;
    tensor.type = NEURON_TENSOR_QUANT8_ASYMM;
    tensor.scale = port.scale;
    tensor.zero = static_cast<int32_t>(port.zero_point);
    MACE_RETURN_IF_ERROR(Dims(port.name, port.dims, &tensor.dims, &tensor.elements));
    MACE_RETURN_IF_ERROR(Operand(&tensor));
    if (!tensors_.emplace(port.name, tensor).second) {
      return diagnostics::ApuNet("two tensors are called '" + port.name + "'");
    }
  }
  return Status();
}

// Constants become operands when something reads them as such.
Status ModelBuilder::AddConstants() {
  for (const ConstDef& constant : net_.tensors) {
    Tensor tensor;
    MACE_RETURN_IF_ERROR(Dims(constant.name, constant.dims, &tensor.dims, &tensor.elements));
    ElementType type;
    MACE_RETURN_IF_ERROR(runtime::CheckElementType(constant.name, constant.type, &type));
    if (constant.size != static_cast<int64_t>(tensor.elements)) {
      return diagnostics::ConstantBounds(constant.name, "has " + std::to_string(constant.size) +
                                                            " elements, its shape " +
                                                            std::to_string(tensor.elements));
    }
    tensor.type = type == ElementType::kInt32     ? NEURON_TENSOR_INT32
                  : type == ElementType::kFloat32 ? NEURON_TENSOR_FLOAT32
                                                  : NEURON_TENSOR_QUANT8_ASYMM;
    const bool codes = type == ElementType::kUint8;
    const bool bad =
        codes ? !GoodGrid(constant.scale, constant.zero_point)
              : !std::isfinite(constant.scale) || constant.scale < 0 || constant.zero_point != 0;
    if (bad || (!codes && type != ElementType::kInt32 && type != ElementType::kFloat32)) {
      return diagnostics::ApuNet("the constant '" + constant.name + "' has no usable grid or type");
    }
    tensor.scale = constant.scale;
    tensor.zero = static_cast<int32_t>(constant.zero_point);
    const size_t bytes = tensor.elements * SizeOf(type);
    MACE_RETURN_IF_ERROR(
        runtime::LocateConstant(net_, constant, bytes, data_, data_size_, &tensor.value));
    if (!tensors_.emplace(constant.name, tensor).second) {
      return diagnostics::ApuNet("two tensors are called '" + constant.name + "'");
    }
  }
  return Status();
}

Status ModelBuilder::AddOperator(const OperatorDef& op) {
  const auto bad = [&](const std::string& what) {
    return diagnostics::ApuNet("the operator '" + op.name + "' (" + op.type + ") " + what);
  };
  std::vector<uint32_t> inputs, outputs;
  std::vector<Tensor*> operands;
  for (const std::string& name : op.inputs) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return bad("reads '" + name + "', which is not before it");
    operands.push_back(&found->second);
  }
  if (op.outputs.empty() || op.outputs.size() != op.shapes.size() ||
      op.outputs.size() != op.quantize_info.size() ||
      (op.outputs.size() > 1 && op.type != "Split")) {
    return bad("does not have one output with shape and grid");
  }
  const auto tensor = [&](size_t i) -> Status {
    if (i >= operands.size()) return bad("has too few operands");
    Tensor* operand = operands[i];
    if (!operand->added) {
      MACE_RETURN_IF_ERROR(Operand(operand));
      const size_t size = operand->type == NEURON_TENSOR_QUANT8_ASYMM ? 1 : 4;
      MACE_RETURN_IF_ERROR(Value(*operand, operand->value, operand->elements * size));
    }
    inputs.push_back(operand->index);
    return Status();
  };
  const auto scalar = [&](int64_t value) -> Status {
    uint32_t index = 0;
    MACE_RETURN_IF_ERROR(Scalar(NEURON_INT32, static_cast<int32_t>(value), &index));
    inputs.push_back(index);
    return Status();
  };
  const auto flag = [&](bool value) -> Status {
    uint32_t index = 0;
    MACE_RETURN_IF_ERROR(Scalar(NEURON_BOOL, static_cast<uint8_t>(value), &index));
    inputs.push_back(index);
    return Status();
  };
  // The numbers of operand i, a constant.
  const auto numbers = [&](size_t i, size_t count, int32_t* values) -> Status {
    if (i >= operands.size() || operands[i]->type != NEURON_TENSOR_INT32 ||
        operands[i]->value == nullptr || operands[i]->elements != count) {
      return bad("has no " + std::to_string(count) + " numbers at operand " + std::to_string(i));
    }
    std::memcpy(values, operands[i]->value, count * sizeof(int32_t));
    return Status();
  };
  const std::string activation = Text(op, "activation");
  const int64_t fuse = activation == "RELU"    ? NEURON_FUSED_RELU
                       : activation == "RELU6" ? NEURON_FUSED_RELU6
                                               : NEURON_FUSED_NONE;
  if (op.type != "Activation" && !activation.empty() && activation != "NOOP" &&
      fuse == NEURON_FUSED_NONE) {
    return bad("has the activation '" + activation + "'");
  }
  // Paddings are top, bottom, left, right; strides and the like rows, columns.
  const auto window = [&](size_t strides_at, size_t paddings_at) -> Status {
    int32_t strides[2], pads[4];
    MACE_RETURN_IF_ERROR(numbers(strides_at, 2, strides));
    MACE_RETURN_IF_ERROR(numbers(paddings_at, 4, pads));
    for (const int32_t v : {pads[2], pads[3], pads[0], pads[1], strides[1], strides[0]}) {
      MACE_RETURN_IF_ERROR(scalar(v));
    }
    return Status();
  };
  const auto take = [&](size_t count) -> Status {
    for (size_t i = 0; i < count; ++i) MACE_RETURN_IF_ERROR(tensor(i));
    return Status();
  };
  NeuronOperationType type;
  size_t used = 0;
  if (op.type == "Conv2D" || op.type == "DepthwiseConv2d" || op.type == "Deconv2D") {
    const bool depthwise = op.type == "DepthwiseConv2d", transposed = op.type == "Deconv2D";
    type = depthwise    ? NEURON_DEPTHWISE_CONV_2D
           : transposed ? NEURON_TRANSPOSE_CONV_2D
                        : NEURON_CONV_2D;
    used = transposed ? 5 : 6;
    MACE_RETURN_IF_ERROR(take(3));
    MACE_RETURN_IF_ERROR(window(3, 4));
    if (depthwise) {
      const auto &x = operands[0]->dims, &filter = operands[1]->dims;
      if (x.size() != 4 || filter.size() != 4) return bad("has operands of another rank than 4");
      MACE_RETURN_IF_ERROR(scalar(filter[3] / x[3]));
    }
    MACE_RETURN_IF_ERROR(scalar(fuse));
    if (transposed) {
      MACE_RETURN_IF_ERROR(flag(false));
    } else {
      int32_t dilations[2];
      MACE_RETURN_IF_ERROR(numbers(5, 2, dilations));
      // Older libraries have no operands for dilations.
      if (dilations[0] != 1 || dilations[1] != 1) {
        MACE_RETURN_IF_ERROR(flag(false));
        MACE_RETURN_IF_ERROR(scalar(dilations[1]));
        MACE_RETURN_IF_ERROR(scalar(dilations[0]));
      }
    }
  } else if (op.type == "FullyConnected") {
    type = NEURON_FULLY_CONNECTED;
    used = 3;
    MACE_RETURN_IF_ERROR(take(3));
    MACE_RETURN_IF_ERROR(scalar(fuse));
  } else if (op.type == "Pooling") {
    const int64_t kind = Int(op, "pooling_type", 0);
    if (kind != kAverage && kind != kMaximum) return bad("is no pooling of a known type");
    type = kind == kAverage ? NEURON_AVERAGE_POOL_2D : NEURON_MAX_POOL_2D;
    used = 4;
    MACE_RETURN_IF_ERROR(take(1));
    MACE_RETURN_IF_ERROR(window(1, 2));
    int32_t kernels[2];
    MACE_RETURN_IF_ERROR(numbers(3, 2, kernels));
    MACE_RETURN_IF_ERROR(scalar(kernels[1]));
    MACE_RETURN_IF_ERROR(scalar(kernels[0]));
    MACE_RETURN_IF_ERROR(scalar(fuse));
  } else if (op.type == "Eltwise") {
    used = 2;
    MACE_RETURN_IF_ERROR(take(2));
    switch (Int(op, "type", -1)) {
      case kSum:
        type = NEURON_ADD;
        break;
      case kSub:
        type = NEURON_SUB;
        break;
      case kProd:
        type = NEURON_MUL;
        break;
      case kMin:
        type = NEURON_MINIMUM;
        break;
      case kMax:
        type = NEURON_MAXIMUM;
        break;
      default:
        return bad("is no arithmetic of a known type");
    }
    if (type == NEURON_ADD || type == NEURON_SUB || type == NEURON_MUL) {
      MACE_RETURN_IF_ERROR(scalar(fuse));
    } else if (fuse != NEURON_FUSED_NONE) {
      return bad("cannot have an activation");
    }
  } else if (op.type == "Activation") {
    used = activation == "PRELU" ? 2 : 1;
    MACE_RETURN_IF_ERROR(take(used));
    if (activation == "PRELU") {
      type = NEURON_PRELU;
    } else if (activation == "RELU") {
      type = NEURON_RELU;
    } else if (activation == "RELU6") {
      type = NEURON_RELU6;
    } else if (activation == "SIGMOID") {
      type = NEURON_LOGISTIC;
    } else if (activation == "TANH") {
      type = NEURON_TANH;
    } else if (activation == "HARDSWISH") {
      type = NEURON_HARD_SWISH;
    } else {
      return bad("has the activation '" + activation + "'");
    }
  } else if (op.type == "Concat") {
    type = NEURON_CONCATENATION;
    used = operands.size();
    if (used < 2) return bad("has too few operands");
    MACE_RETURN_IF_ERROR(take(used - 1));
    int32_t axis;
    MACE_RETURN_IF_ERROR(numbers(used - 1, 1, &axis));
    MACE_RETURN_IF_ERROR(scalar(axis));
  } else if (op.type == "Split") {
    type = NEURON_SPLIT;
    used = 2;
    MACE_RETURN_IF_ERROR(take(1));
    int32_t axis;
    MACE_RETURN_IF_ERROR(numbers(1, 1, &axis));
    MACE_RETURN_IF_ERROR(scalar(axis));
    MACE_RETURN_IF_ERROR(scalar(static_cast<int64_t>(op.outputs.size())));
  } else if (op.type == "Reduce") {
    if (Int(op, "reduce_type", 0) != 0) return bad("is no mean");
    type = NEURON_MEAN;
    used = 2;
    MACE_RETURN_IF_ERROR(take(2));
    MACE_RETURN_IF_ERROR(scalar(Int(op, "keepdims", 1) != 0 ? 1 : 0));
  } else if (op.type == "Reshape" || op.type == "Transpose" || op.type == "Pad") {
    type = op.type == "Reshape" ? NEURON_RESHAPE : op.type == "Pad" ? NEURON_PAD : NEURON_TRANSPOSE;
    used = 2;
    MACE_RETURN_IF_ERROR(take(2));
  } else if (op.type == "StridedSlice") {
    type = NEURON_STRIDED_SLICE;
    used = 4;
    MACE_RETURN_IF_ERROR(take(4));
    for (int i = 0; i < 3; ++i) MACE_RETURN_IF_ERROR(scalar(0));
  } else if (op.type == "ResizeBilinear" || op.type == "ResizeNearestNeighbor") {
    type = op.type == "ResizeBilinear" ? NEURON_RESIZE_BILINEAR : NEURON_RESIZE_NEAREST_NEIGHBOR;
    used = 2;
    MACE_RETURN_IF_ERROR(take(1));
    int32_t size[2];
    MACE_RETURN_IF_ERROR(numbers(1, 2, size));
    MACE_RETURN_IF_ERROR(scalar(size[1]));
    MACE_RETURN_IF_ERROR(scalar(size[0]));
    MACE_RETURN_IF_ERROR(flag(false));
    MACE_RETURN_IF_ERROR(flag(Int(op, "align_corners", 0) != 0));
    MACE_RETURN_IF_ERROR(flag(Int(op, "half_pixel_centers", 0) != 0));
  } else if (op.type == "DepthToSpace" || op.type == "SpaceToDepth") {
    type = op.type == "DepthToSpace" ? NEURON_DEPTH_TO_SPACE : NEURON_SPACE_TO_DEPTH;
    used = 2;
    MACE_RETURN_IF_ERROR(take(1));
    int32_t block;
    MACE_RETURN_IF_ERROR(numbers(1, 1, &block));
    MACE_RETURN_IF_ERROR(scalar(block));
  } else if (op.type == "Softmax") {
    type = NEURON_SOFTMAX;
    used = 2;
    MACE_RETURN_IF_ERROR(take(1));
    if (operands.size() != 2 || operands[1]->type != NEURON_TENSOR_FLOAT32 ||
        operands[1]->value == nullptr || operands[1]->elements != 1) {
      return bad("has no factor");
    }
    float beta;
    std::memcpy(&beta, operands[1]->value, sizeof beta);
    uint32_t index = 0;
    MACE_RETURN_IF_ERROR(Scalar(NEURON_FLOAT32, beta, &index));
    inputs.push_back(index);
  } else {
    return bad("is not an operator of the APU");
  }
  if (operands.size() != used) return bad("has too many operands");
  for (size_t i = 0; i < op.outputs.size(); ++i) {
    Tensor made;
    made.type = NEURON_TENSOR_QUANT8_ASYMM;
    made.scale = op.quantize_info[i].scale;
    made.zero = static_cast<int32_t>(op.quantize_info[i].zero_point);
    if (!GoodGrid(made.scale, op.quantize_info[i].zero_point)) return bad("has no grid");
    MACE_RETURN_IF_ERROR(Dims(op.outputs[i], op.shapes[i], &made.dims, &made.elements));
    MACE_RETURN_IF_ERROR(Operand(&made));
    outputs.push_back(made.index);
    if (!tensors_.emplace(op.outputs[i], made).second) {
      return bad("gives '" + op.outputs[i] + "' a second time");
    }
  }
  const int result =
      library_.add_operation(model_, type, static_cast<uint32_t>(inputs.size()), inputs.data(),
                             static_cast<uint32_t>(outputs.size()), outputs.data());
  return result == NEURON_NO_ERROR
             ? Status()
             : NeuronFailed("NeuronModel_addOperation for '" + op.name + "'", result);
}

Status ModelBuilder::CheckSupport() {
  if (library_.supported_operations == nullptr) return Status();
  const size_t count = net_.ops.size();
  const std::unique_ptr<bool[]> supported(new bool[count]());
  const int result =
      library_.supported_operations(model_, supported.get(), static_cast<uint32_t>(count));
  if (result != NEURON_NO_ERROR) {
    return NeuronFailed("NeuronModel_getSupportedOperations", result);
  }
  for (size_t i = 0; i < count; ++i) {
    if (!supported[i]) return diagnostics::ApuOperator(net_.ops[i].name, net_.ops[i].type);
  }
  return Status();
}

Status ModelBuilder::Build() {
  MACE_RETURN_IF_ERROR(AddPorts());
  MACE_RETURN_IF_ERROR(AddConstants());
  for (const OperatorDef& op : net_.ops) MACE_RETURN_IF_ERROR(AddOperator(op));
  std::vector<uint32_t> inputs, outputs;
  for (const PortDef& port : net_.inputs) inputs.push_back(tensors_.at(port.name).index);
  for (const PortDef& port : net_.outputs) {
    const auto found = tensors_.find(port.name);
    size_t elements = 0;
    std::vector<uint32_t> dims;
    MACE_RETURN_IF_ERROR(Dims(port.name, port.dims, &dims, &elements));
    if (found == tensors_.end() || found->second.value != nullptr || found->second.dims != dims ||
        found->second.scale != port.scale || found->second.zero != port.zero_point) {
      return diagnostics::ApuNet("no operator gives the output '" + port.name +
                                 "' in its shape and on its grid");
    }
    outputs.push_back(found->second.index);
  }
  int result = library_.identify(model_, static_cast<uint32_t>(inputs.size()), inputs.data(),
                                 static_cast<uint32_t>(outputs.size()), outputs.data());
  if (result != NEURON_NO_ERROR) {
    return NeuronFailed("NeuronModel_identifyInputsAndOutputs", result);
  }
  result = library_.model_finish(model_);
  if (result != NEURON_NO_ERROR) return NeuronFailed("NeuronModel_finish", result);
  return CheckSupport();
}

}  // namespace delegates
}  // namespace mace
