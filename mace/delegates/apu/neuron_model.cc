#include "mace/delegates/apu/neuron_model.h"

#include <memory>
#include <string>

#include "mace/base/diagnostics.h"

namespace mace {
namespace delegates {

namespace {

NeuronOperationType TypeOf(ApuOp op) {
  switch (op) {
    case ApuOp::kConv:
      return NEURON_CONV_2D;
    case ApuOp::kDepthwiseConv:
      return NEURON_DEPTHWISE_CONV_2D;
    case ApuOp::kDeconv:
      return NEURON_TRANSPOSE_CONV_2D;
    case ApuOp::kFullyConnected:
      return NEURON_FULLY_CONNECTED;
    case ApuOp::kAveragePool:
      return NEURON_AVERAGE_POOL_2D;
    case ApuOp::kMaxPool:
      return NEURON_MAX_POOL_2D;
    case ApuOp::kSum:
      return NEURON_ADD;
    case ApuOp::kDifference:
      return NEURON_SUB;
    case ApuOp::kProduct:
      return NEURON_MUL;
    case ApuOp::kMinimum:
      return NEURON_MINIMUM;
    case ApuOp::kMaximum:
      return NEURON_MAXIMUM;
    case ApuOp::kRelu:
      return NEURON_RELU;
    case ApuOp::kRelu6:
      return NEURON_RELU6;
    case ApuOp::kSigmoid:
      return NEURON_LOGISTIC;
    case ApuOp::kTanh:
      return NEURON_TANH;
    case ApuOp::kHardSwish:
      return NEURON_HARD_SWISH;
    case ApuOp::kPrelu:
      return NEURON_PRELU;
    case ApuOp::kSoftmax:
      return NEURON_SOFTMAX;
    case ApuOp::kConcat:
      return NEURON_CONCATENATION;
    case ApuOp::kSplit:
      return NEURON_SPLIT;
    case ApuOp::kMean:
      return NEURON_MEAN;
    case ApuOp::kReshape:
      return NEURON_RESHAPE;
    case ApuOp::kTranspose:
      return NEURON_TRANSPOSE;
    case ApuOp::kPad:
      return NEURON_PAD;
    case ApuOp::kStridedSlice:
      return NEURON_STRIDED_SLICE;
    case ApuOp::kResizeBilinear:
      return NEURON_RESIZE_BILINEAR;
    case ApuOp::kResizeNearest:
      return NEURON_RESIZE_NEAREST_NEIGHBOR;
    case ApuOp::kDepthToSpace:
      return NEURON_DEPTH_TO_SPACE;
    case ApuOp::kSpaceToDepth:
      return NEURON_SPACE_TO_DEPTH;
  }
  return -1;
}

int64_t FusedOf(ApuFused fused) {
  return fused == ApuFused::kRelu    ? NEURON_FUSED_RELU
         : fused == ApuFused::kRelu6 ? NEURON_FUSED_RELU6
                                     : NEURON_FUSED_NONE;
}

}  // namespace

Status NeuronModelBuilder::Operand(int32_t type, const std::vector<uint32_t>& dims, float scale,
                                   int32_t zero, uint32_t* index) {
  NeuronOperandType operand = {};
  operand.type = type;
  operand.dimensionCount = static_cast<uint32_t>(dims.size());
  operand.dimensions = dims.data();
  operand.scale = scale;
  operand.zeroPoint = zero;
  const int result = library_.add_operand(model_, &operand);
  if (result != NEURON_NO_ERROR) return NeuronFailed("NeuronModel_addOperand", result);
  *index = count_++;
  return Status();
}

Status NeuronModelBuilder::Value(uint32_t index, const void* bytes, size_t size) {
  const int result = library_.set_operand_value(model_, static_cast<int32_t>(index), bytes, size);
  return result == NEURON_NO_ERROR ? Status() : NeuronFailed("NeuronModel_setOperandValue", result);
}

template <typename T>
Status NeuronModelBuilder::Scalar(int32_t type, T value) {
  operands_.push_back(kNone);
  MACE_RETURN_IF_ERROR(Operand(type, {}, 0, 0, &operands_.back()));
  // The library copies what is this small.
  return Value(operands_.back(), &value, sizeof value);
}

Status NeuronModelBuilder::Ints(std::initializer_list<int64_t> values) {
  for (const int64_t value : values) MACE_RETURN_IF_ERROR(Int(value));
  return Status();
}

Status NeuronModelBuilder::Tensor(size_t i) {
  if (indexes_[i] != kNone) return Status();
  const ApuTensor& tensor = graph_.tensors[i];
  const int32_t type = tensor.type == ElementType::kInt32     ? NEURON_TENSOR_INT32
                       : tensor.type == ElementType::kFloat32 ? NEURON_TENSOR_FLOAT32
                                                              : NEURON_TENSOR_QUANT8_ASYMM;
  MACE_RETURN_IF_ERROR(Operand(type, tensor.dims, tensor.scale, tensor.zero, &indexes_[i]));
  return tensor.value == nullptr
             ? Status()
             : Value(indexes_[i], tensor.value, tensor.elements * SizeOf(tensor.type));
}

// The operands behind the tensors.
Status NeuronModelBuilder::AddNumbers(const ApuNode& node) {
  const auto window = [&] {
    return Ints(
        {node.pads[2], node.pads[3], node.pads[0], node.pads[1], node.strides[1], node.strides[0]});
  };
  switch (node.op) {
    case ApuOp::kConv:
    case ApuOp::kDepthwiseConv:
    case ApuOp::kDeconv:
      MACE_RETURN_IF_ERROR(window());
      if (node.op == ApuOp::kDepthwiseConv) MACE_RETURN_IF_ERROR(Int(node.multiplier));
      MACE_RETURN_IF_ERROR(Int(FusedOf(node.fused)));
      if (node.op == ApuOp::kDeconv) return Flag(false);
      // Older libraries have no operands for dilations.
      if (node.dilations[0] == 1 && node.dilations[1] == 1) return Status();
      MACE_RETURN_IF_ERROR(Flag(false));
      return Ints({node.dilations[1], node.dilations[0]});
    case ApuOp::kAveragePool:
    case ApuOp::kMaxPool:
      MACE_RETURN_IF_ERROR(window());
      return Ints({node.kernels[1], node.kernels[0], FusedOf(node.fused)});
    case ApuOp::kFullyConnected:
    case ApuOp::kSum:
    case ApuOp::kDifference:
    case ApuOp::kProduct:
      return Int(FusedOf(node.fused));
    case ApuOp::kSoftmax:
      return Scalar(NEURON_FLOAT32, node.beta);
    case ApuOp::kConcat:
      return Int(node.axis);
    case ApuOp::kSplit:
      return Ints({node.axis, static_cast<int64_t>(node.outputs.size())});
    case ApuOp::kMean:
      return Int(node.keep_dims ? 1 : 0);
    case ApuOp::kStridedSlice:
      return Ints({0, 0, 0});
    case ApuOp::kResizeBilinear:
    case ApuOp::kResizeNearest:
      MACE_RETURN_IF_ERROR(Ints({node.size[1], node.size[0]}));
      MACE_RETURN_IF_ERROR(Flag(false));
      MACE_RETURN_IF_ERROR(Flag(node.align_corners));
      return Flag(node.half_pixels);
    case ApuOp::kDepthToSpace:
    case ApuOp::kSpaceToDepth:
      return Int(node.block);
    case ApuOp::kMinimum:
    case ApuOp::kMaximum:
    case ApuOp::kRelu:
    case ApuOp::kRelu6:
    case ApuOp::kSigmoid:
    case ApuOp::kTanh:
    case ApuOp::kHardSwish:
    case ApuOp::kPrelu:
    case ApuOp::kReshape:
    case ApuOp::kTranspose:
    case ApuOp::kPad:
      return Status();
  }
  return Status();
}

Status NeuronModelBuilder::AddNode(const ApuNode& node) {
  operands_.clear();
  for (const size_t i : node.operands) {
    MACE_RETURN_IF_ERROR(Tensor(i));
    operands_.push_back(indexes_[i]);
  }
  MACE_RETURN_IF_ERROR(AddNumbers(node));
  std::vector<uint32_t> outputs;
  for (const size_t i : node.outputs) {
    MACE_RETURN_IF_ERROR(Tensor(i));
    outputs.push_back(indexes_[i]);
  }
  const int result = library_.add_operation(
      model_, TypeOf(node.op), static_cast<uint32_t>(operands_.size()), operands_.data(),
      static_cast<uint32_t>(outputs.size()), outputs.data());
  return result == NEURON_NO_ERROR
             ? Status()
             : NeuronFailed("NeuronModel_addOperation for '" + node.name + "'", result);
}

Status NeuronModelBuilder::CheckSupport() {
  if (library_.supported_operations == nullptr) return Status();
  const size_t count = graph_.nodes.size();
  const std::unique_ptr<bool[]> supported(new bool[count]());
  const int result =
      library_.supported_operations(model_, supported.get(), static_cast<uint32_t>(count));
  if (result != NEURON_NO_ERROR) {
    return NeuronFailed("NeuronModel_getSupportedOperations", result);
  }
  for (size_t i = 0; i < count; ++i) {
    if (!supported[i]) return diagnostics::ApuOperator(graph_.nodes[i].name, graph_.nodes[i].type);
  }
  return Status();
}

Status NeuronModelBuilder::Build() {
  for (const size_t i : graph_.inputs) MACE_RETURN_IF_ERROR(Tensor(i));
  for (const ApuNode& node : graph_.nodes) MACE_RETURN_IF_ERROR(AddNode(node));
  std::vector<uint32_t> inputs, outputs;
  for (const size_t i : graph_.inputs) inputs.push_back(indexes_[i]);
  for (const size_t i : graph_.outputs) outputs.push_back(indexes_[i]);
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
