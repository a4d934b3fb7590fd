#include "mace/delegates/apu/frontend_model.h"

#include <cstring>

#include "mace/base/diagnostics.h"

namespace mace {
namespace delegates {

namespace {

apu_tensor Describe(const ApuTensor& tensor, apu_tensor_type type, void* data) {
  apu_tensor made = {};
  made.tensor_type = type;
  made.data_type = tensor.type == ElementType::kInt32     ? APU_DATA_TYPE_INT32
                   : tensor.type == ElementType::kFloat32 ? APU_DATA_TYPE_FLOAT
                                                          : APU_DATA_TYPE_UINT8;
  made.scale = tensor.scale;
  made.zero_point = tensor.zero;
  made.dim_size = static_cast<int>(tensor.dims.size());
  for (size_t i = 0; i < tensor.dims.size(); ++i) made.dims[i] = static_cast<int>(tensor.dims[i]);
  made.data_buf = data;
  return made;
}

apu_act_mode FusedOf(ApuFused fused) {
  return fused == ApuFused::kRelu    ? APU_ACT_RELU
         : fused == ApuFused::kRelu6 ? APU_ACT_RELU6
                                     : APU_ACT_NONE;
}

}  // namespace

FrontendModel::Operand FrontendModel::Constant(const ApuTensor& tensor, const void* value,
                                               Group group) {
  std::vector<apu_tensor>& list = group == Group::kData ? data_ : arguments_;
  // Libraries read it only.
  list.push_back(Describe(tensor,
                          group == Group::kData ? APU_TENSOR_CONST_DATA : APU_TENSOR_CONST_ARGUMENT,
                          const_cast<void*>(value)));
  return {group, list.size() - 1};
}

FrontendModel::Operand FrontendModel::Tensor(const ApuNode& node, size_t i, Group group) {
  const size_t index = node.operands[i];
  const ApuTensor& tensor = graph_->tensors[index];
  if (tensor.value == nullptr) return {Group::kComputed, order_[index]};
  return Constant(tensor, tensor.value, group);
}

FrontendModel::Operand FrontendModel::Ints(const std::vector<int32_t>& numbers, Group group) {
  numbers_.push_back(numbers);
  ApuTensor tensor;
  tensor.type = ElementType::kInt32;
  tensor.dims = {static_cast<uint32_t>(numbers.size())};
  return Constant(tensor, numbers_.back().data(), group);
}

FrontendModel::Operand FrontendModel::Factor(float value) {
  factors_.push_back(value);
  ApuTensor tensor;
  tensor.type = ElementType::kFloat32;
  tensor.dims = {1};
  return Constant(tensor, &factors_.back(), Group::kArgument);
}

// [1, H, W, C · M] as [M, H, W, C].
FrontendModel::Operand FrontendModel::DepthwiseFilter(const ApuNode& node) {
  ApuTensor filter = graph_->tensors[node.operands[1]];
  const size_t m = static_cast<size_t>(node.multiplier);
  if (m <= 1 || filter.value == nullptr || filter.type != ElementType::kUint8 ||
      filter.dims.size() != 4 || filter.dims[0] != 1 || filter.dims[3] % m != 0)
    return Tensor(node, 1);
  filters_.emplace_back(filter.elements);
  uint8_t* to = filters_.back().data();
  for (size_t i = 0; i < m; ++i) {
    for (size_t k = i; k < filter.elements; k += m) *to++ = filter.value[k];
  }
  filter.dims = {static_cast<uint32_t>(m), filter.dims[1], filter.dims[2],
                 static_cast<uint32_t>(filter.dims[3] / m)};
  return Constant(filter, filters_.back().data(), Group::kData);
}

FrontendModel::Node FrontendModel::Say(const ApuNode& node) {
  Node said;
  const auto strides = [&] { return Ints({node.strides[0], node.strides[1]}); };
  // Top, right, bottom, left.
  const auto pads = [&] { return Ints({node.pads[0], node.pads[3], node.pads[1], node.pads[2]}); };
  const auto dilations = [&] { return Ints({node.dilations[0], node.dilations[1]}); };
  const auto say = [&](const char* type, std::initializer_list<Operand> operands) {
    said.type = type;
    said.operands = operands;
  };
  said.activation = FusedOf(node.fused);
  switch (node.op) {
    case ApuOp::kConv:
      say("Conv2D",
          {Tensor(node, 0), Tensor(node, 1), Tensor(node, 2), strides(), pads(), dilations()});
      break;
    case ApuOp::kDepthwiseConv:
      say("DepthwiseConv2d", {Tensor(node, 0), DepthwiseFilter(node), Tensor(node, 2), strides(),
                              pads(), dilations(), Ints({node.multiplier})});
      break;
    case ApuOp::kDeconv: {
      const std::vector<uint32_t>& dims = graph_->tensors[node.outputs[0]].dims;
      const Operand shape = Ints({dims.begin(), dims.end()}, Group::kData);
      say("Deconv2D", {Tensor(node, 0), Tensor(node, 1), shape, Tensor(node, 2), strides(), pads(),
                       dilations()});
      break;
    }
    case ApuOp::kFullyConnected:
      say("FullyConnected", {Tensor(node, 0), Tensor(node, 1), Tensor(node, 2)});
      break;
    case ApuOp::kAveragePool:
    case ApuOp::kMaxPool:
      said.mode = node.op == ApuOp::kMaxPool ? APU_POOLING_MAX : APU_POOLING_AVG;
      say("Pooling",
          {Tensor(node, 0), pads(), strides(), Ints({node.kernels[0], node.kernels[1]})});
      break;
    case ApuOp::kSum:
    case ApuOp::kProduct:
      said.mode = node.op == ApuOp::kSum ? APU_ELTWISE_ADD : APU_ELTWISE_MUL;
      say("Eltwise", {Tensor(node, 0), Tensor(node, 1)});
      break;
    case ApuOp::kRelu:
    case ApuOp::kRelu6:
    case ApuOp::kSigmoid:
    case ApuOp::kTanh:
      said.activation = node.op == ApuOp::kRelu      ? APU_ACT_RELU
                        : node.op == ApuOp::kRelu6   ? APU_ACT_RELU6
                        : node.op == ApuOp::kSigmoid ? APU_ACT_SIGMOID
                                                     : APU_ACT_TANH;
      say("Activation", {Tensor(node, 0)});
      break;
    case ApuOp::kPrelu:
      say("PRelu", {Tensor(node, 0), Tensor(node, 1)});
      break;
    case ApuOp::kSoftmax:
      say("Softmax", {Tensor(node, 0), Factor(node.beta)});
      break;
    case ApuOp::kConcat:
      said.type = "Concat";
      for (size_t i = 0; i < node.operands.size(); ++i) said.operands.push_back(Tensor(node, i));
      said.operands.push_back(Ints({node.axis}));
      break;
    case ApuOp::kMean:
      say("Reduce",
          {Tensor(node, 0), Tensor(node, 1, Group::kArgument), Ints({node.keep_dims ? 1 : 0})});
      break;
    case ApuOp::kReshape:
      say("Reshape", {Tensor(node, 0)});
      break;
    case ApuOp::kPad:
      say("Pad", {Tensor(node, 0), Tensor(node, 1, Group::kArgument)});
      break;
    case ApuOp::kResizeBilinear:
      if (node.half_pixels) break;
      say("ResizeBilinear", {Tensor(node, 0), Ints({node.align_corners ? 1 : 0})});
      break;
    case ApuOp::kDifference:
    case ApuOp::kMinimum:
    case ApuOp::kMaximum:
    case ApuOp::kHardSwish:
    case ApuOp::kSplit:
    case ApuOp::kTranspose:
    case ApuOp::kStridedSlice:
    case ApuOp::kResizeNearest:
    case ApuOp::kDepthToSpace:
    case ApuOp::kSpaceToDepth:
      break;
  }
  return said;
}

int FrontendModel::Id(const Operand& operand) const {
  const size_t before = operand.group == Group::kData       ? 0
                        : operand.group == Group::kArgument ? data_.size()
                                                            : data_.size() + arguments_.size();
  return static_cast<int>(before + operand.index);
}

Status FrontendModel::Translate(const ApuNetwork::Request& request, uint8_t* codes) {
  graph_ = &request.graph;
  order_.assign(graph_->tensors.size(), 0);
  size_t count = 0;
  for (const size_t i : graph_->inputs) order_[i] = count++;
  std::vector<Node> nodes;
  for (const ApuNode& node : graph_->nodes) {
    nodes.push_back(Say(node));
    if (nodes.back().operands.empty() || node.outputs.size() != 1) {
      return diagnostics::ApuOperator(node.name, node.type);
    }
    order_[node.outputs[0]] = count++;
  }
  constants = data_;
  constants.insert(constants.end(), arguments_.begin(), arguments_.end());
  for (size_t i = 0; i < constants.size(); ++i) constants[i].tensor_id = static_cast<int>(i);
  const auto computed = [&](size_t index, apu_tensor_type type, void* data) {
    apu_tensor made = Describe(graph_->tensors[index], type, data);
    made.tensor_id = Id({Group::kComputed, order_[index]});
    return made;
  };
  for (size_t i = 0; i < graph_->inputs.size(); ++i) {
    inputs.push_back(
        computed(graph_->inputs[i], APU_TENSOR_MODEL_INPUT, codes + request.inputs[i].offset));
  }
  for (size_t i = 0; i < graph_->outputs.size(); ++i) {
    outputs.push_back(
        computed(graph_->outputs[i], APU_TENSOR_MODEL_OUTPUT, codes + request.outputs[i].offset));
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    ids_.emplace_back();
    for (const Operand& operand : node.operands) ids_.back().push_back(Id(operand));
    apu_operator made = {};
    std::strncpy(made.type, node.type, sizeof made.type - 1);
    made.input_ids = ids_.back().data();
    made.input_size = static_cast<int>(ids_.back().size());
    made.output = computed(graph_->nodes[i].outputs[0], APU_TENSOR_OP_OUTPUT, nullptr);
    made.op_mode = node.mode;
    made.act_mode = node.activation;
    operators.push_back(made);
  }
  return Status();
}

}  // namespace delegates
}  // namespace mace
