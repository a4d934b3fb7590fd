#include "mace/delegates/apu/apu_graph.h"

#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "mace/base/diagnostics.h"

namespace mace {
namespace delegates {

namespace {

using runtime::Attribute;
using runtime::ConstDef;
using runtime::NetDef;
using runtime::OperatorDef;
using runtime::PortDef;

constexpr size_t kRank = 4;

bool GoodGrid(float scale, int64_t zero) {
  return std::isfinite(scale) && scale > 0 && zero >= 0 && zero <= 255;
}

Status Dims(const std::string& name, const std::vector<int64_t>& dims, ApuTensor* tensor) {
  int64_t count;
  MACE_RETURN_IF_ERROR(runtime::CheckShape(name, dims, &count));
  if (dims.size() > kRank) {
    return diagnostics::ApuNet("the tensor '" + name + "' has rank " + std::to_string(dims.size()));
  }
  for (const int64_t d : dims) tensor->dims.push_back(static_cast<uint32_t>(d));
  if (tensor->dims.empty()) tensor->dims.push_back(1);
  tensor->elements = static_cast<size_t>(count);
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

// Functions that are operators of their own, and the values of MACE's attributes `type` and
// `pooling_type`.
struct Function {
  const char* name;
  ApuOp op;
};
constexpr Function kFunctions[] = {
    {"RELU", ApuOp::kRelu}, {"RELU6", ApuOp::kRelu6},         {"SIGMOID", ApuOp::kSigmoid},
    {"TANH", ApuOp::kTanh}, {"HARDSWISH", ApuOp::kHardSwish}, {"PRELU", ApuOp::kPrelu},
};
struct Number {
  int64_t value;
  ApuOp op;
};
constexpr Number kArithmetic[] = {
    {0, ApuOp::kSum},     {1, ApuOp::kDifference}, {2, ApuOp::kProduct},
    {4, ApuOp::kMinimum}, {5, ApuOp::kMaximum},
};
constexpr Number kPools[] = {{1, ApuOp::kAveragePool}, {2, ApuOp::kMaxPool}};
// Operators whose operands are all tensors, and how many there are.
struct Simple {
  const char* type;
  ApuOp op;
  size_t operands;
};
constexpr Simple kSimple[] = {
    {"FullyConnected", ApuOp::kFullyConnected, 3}, {"Reshape", ApuOp::kReshape, 2},
    {"Transpose", ApuOp::kTranspose, 2},           {"Pad", ApuOp::kPad, 2},
    {"StridedSlice", ApuOp::kStridedSlice, 4},
};

template <size_t N>
bool Find(const Number (&numbers)[N], int64_t value, ApuOp* op) {
  for (const Number& number : numbers) {
    if (number.value != value) continue;
    *op = number.op;
    return true;
  }
  return false;
}

class Reader {
 public:
  Reader(const NetDef& net, const uint8_t* data, size_t data_size, ApuGraph* graph)
      : net_(net), data_(data), data_size_(data_size), graph_(graph) {}

  Status Read() {
    MACE_RETURN_IF_ERROR(ReadVersion());
    MACE_RETURN_IF_ERROR(ReadInputs());
    MACE_RETURN_IF_ERROR(ReadConstants());
    for (const OperatorDef& op : net_.ops) MACE_RETURN_IF_ERROR(ReadOperator(op));
    return ReadOutputs();
  }

 private:
  Status ReadVersion();
  Status ReadInputs();
  Status ReadConstants();
  Status ReadOperator(const OperatorDef& op);
  Status ReadOutputs();
  bool Add(const std::string& name, ApuTensor tensor) {
    graph_->tensors.push_back(std::move(tensor));
    return indexes_.emplace(name, graph_->tensors.size() - 1).second;
  }

  const NetDef& net_;
  const uint8_t* data_;
  size_t data_size_;
  ApuGraph* graph_;
  std::map<std::string, size_t> indexes_;
};

Status Reader::ReadVersion() {
  for (const Attribute& argument : net_.arguments) {
    if (argument.name == "apu_version") graph_->version = argument.i;
  }
  if (graph_->version >= 1 && graph_->version <= kNewestApu) return Status();
  return diagnostics::ApuNet("it is for version " + std::to_string(graph_->version));
}

Status Reader::ReadInputs() {
  for (const PortDef& port : net_.inputs) {
    ApuTensor tensor;
    tensor.scale = port.scale;
    tensor.zero = static_cast<int32_t>(port.zero_point);
    MACE_RETURN_IF_ERROR(Dims(port.name, port.dims, &tensor));
    graph_->inputs.push_back(graph_->tensors.size());
    if (!Add(port.name, std::move(tensor))) {
      return diagnostics::ApuNet("two tensors are called '" + port.name + "'");
    }
  }
  return Status();
}

Status Reader::ReadConstants() {
  for (const ConstDef& constant : net_.tensors) {
    ApuTensor tensor;
    MACE_RETURN_IF_ERROR(Dims(constant.name, constant.dims, &tensor));
    MACE_RETURN_IF_ERROR(runtime::CheckElementType(constant.name, constant.type, &tensor.type));
    if (constant.size != static_cast<int64_t>(tensor.elements)) {
      return diagnostics::ConstantBounds(constant.name, "has " + std::to_string(constant.size) +
                                                            " elements, its shape " +
                                                            std::to_string(tensor.elements));
    }
    const bool codes = tensor.type == ElementType::kUint8;
    const bool bad =
        codes ? !GoodGrid(constant.scale, constant.zero_point)
              : !std::isfinite(constant.scale) || constant.scale < 0 || constant.zero_point != 0;
    if (bad || tensor.type == ElementType::kInt8) {
      return diagnostics::ApuNet("the constant '" + constant.name + "' has no usable grid or type");
    }
    tensor.scale = constant.scale;
    tensor.zero = static_cast<int32_t>(constant.zero_point);
    MACE_RETURN_IF_ERROR(runtime::LocateConstant(
        net_, constant, tensor.elements * SizeOf(tensor.type), data_, data_size_, &tensor.value));
    if (!Add(constant.name, std::move(tensor))) {
      return diagnostics::ApuNet("two tensors are called '" + constant.name + "'");
    }
  }
  return Status();
}

Status Reader::ReadOperator(const OperatorDef& op) {
  const auto bad = [&](const std::string& what) {
    return diagnostics::ApuNet("the operator '" + op.name + "' (" + op.type + ") " + what);
  };
  std::vector<size_t> all;
  for (const std::string& name : op.inputs) {
    const auto found = indexes_.find(name);
    if (found == indexes_.end()) return bad("reads '" + name + "', which is not before it");
    all.push_back(found->second);
  }
  if (op.outputs.empty() || op.outputs.size() != op.shapes.size() ||
      op.outputs.size() != op.quantize_info.size() ||
      (op.outputs.size() > 1 && op.type != "Split")) {
    return bad("does not have one output with shape and grid");
  }
  ApuNode node;
  node.name = op.name;
  node.type = op.type;
  // Operands: first tensors, then numbers.
  const auto tensors = [&](size_t count) -> Status {
    if (count > all.size()) return bad("has too few operands");
    node.operands.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
    return Status();
  };
  size_t used = 0;
  const auto constant = [&](size_t i, ElementType type, size_t count, void* values) -> Status {
    const ApuTensor* tensor = i < all.size() ? &graph_->tensors[all[i]] : nullptr;
    if (tensor == nullptr || tensor->type != type || tensor->value == nullptr ||
        tensor->elements != count) {
      return bad("has no " + std::to_string(count) + " numbers at operand " + std::to_string(i));
    }
    std::memcpy(values, tensor->value, count * SizeOf(type));
    return Status();
  };
  const auto numbers = [&](size_t i, size_t count, int32_t* values) {
    return constant(i, ElementType::kInt32, count, values);
  };
  const std::string activation = Text(op, "activation");
  node.fused = activation == "RELU"    ? ApuFused::kRelu
               : activation == "RELU6" ? ApuFused::kRelu6
                                       : ApuFused::kNone;
  if (op.type != "Activation" && !activation.empty() && activation != "NOOP" &&
      node.fused == ApuFused::kNone) {
    return bad("has the activation '" + activation + "'");
  }
  const Simple* simple = nullptr;
  for (const Simple& row : kSimple) {
    if (op.type == row.type) simple = &row;
  }
  if (simple != nullptr) {
    node.op = simple->op;
    used = simple->operands;
    MACE_RETURN_IF_ERROR(tensors(used));
  } else if (op.type == "Conv2D" || op.type == "DepthwiseConv2d" || op.type == "Deconv2D") {
    const bool depthwise = op.type == "DepthwiseConv2d", transposed = op.type == "Deconv2D";
    node.op = depthwise ? ApuOp::kDepthwiseConv : transposed ? ApuOp::kDeconv : ApuOp::kConv;
    used = transposed ? 5 : 6;
    MACE_RETURN_IF_ERROR(tensors(3));
    MACE_RETURN_IF_ERROR(numbers(3, 2, node.strides));
    MACE_RETURN_IF_ERROR(numbers(4, 4, node.pads));
    if (!transposed) MACE_RETURN_IF_ERROR(numbers(5, 2, node.dilations));
    if (depthwise) {
      const auto &x = graph_->tensors[all[0]].dims, &filter = graph_->tensors[all[1]].dims;
      if (x.size() != 4 || filter.size() != 4) return bad("has operands of another rank than 4");
      node.multiplier = static_cast<int32_t>(filter[3] / x[3]);
    }
  } else if (op.type == "Pooling") {
    if (!Find(kPools, Int(op, "pooling_type", 0), &node.op)) {
      return bad("is no pooling of a known type");
    }
    used = 4;
    MACE_RETURN_IF_ERROR(tensors(1));
    MACE_RETURN_IF_ERROR(numbers(1, 2, node.strides));
    MACE_RETURN_IF_ERROR(numbers(2, 4, node.pads));
    MACE_RETURN_IF_ERROR(numbers(3, 2, node.kernels));
  } else if (op.type == "Eltwise") {
    if (!Find(kArithmetic, Int(op, "type", -1), &node.op)) {
      return bad("is no arithmetic of a known type");
    }
    used = 2;
    MACE_RETURN_IF_ERROR(tensors(2));
    const bool extreme = node.op == ApuOp::kMinimum || node.op == ApuOp::kMaximum;
    if (extreme && node.fused != ApuFused::kNone) return bad("cannot have an activation");
  } else if (op.type == "Activation") {
    const Function* known = nullptr;
    for (const Function& function : kFunctions) {
      if (activation == function.name) known = &function;
    }
    if (known == nullptr) return bad("has the activation '" + activation + "'");
    node.op = known->op;
    node.fused = ApuFused::kNone;
    used = node.op == ApuOp::kPrelu ? 2 : 1;
    MACE_RETURN_IF_ERROR(tensors(used));
  } else if (op.type == "Concat") {
    node.op = ApuOp::kConcat;
    used = all.size();
    if (used < 2) return bad("has too few operands");
    MACE_RETURN_IF_ERROR(tensors(used - 1));
    MACE_RETURN_IF_ERROR(numbers(used - 1, 1, &node.axis));
  } else if (op.type == "Split") {
    node.op = ApuOp::kSplit;
    used = 2;
    MACE_RETURN_IF_ERROR(tensors(1));
    MACE_RETURN_IF_ERROR(numbers(1, 1, &node.axis));
  } else if (op.type == "Reduce") {
    if (Int(op, "reduce_type", 0) != 0) return bad("is no mean");
    node.op = ApuOp::kMean;
    node.keep_dims = Int(op, "keepdims", 1) != 0;
    used = 2;
    MACE_RETURN_IF_ERROR(tensors(2));
  } else if (op.type == "ResizeBilinear" || op.type == "ResizeNearestNeighbor") {
    node.op = op.type == "ResizeBilinear" ? ApuOp::kResizeBilinear : ApuOp::kResizeNearest;
    node.align_corners = Int(op, "align_corners", 0) != 0;
    node.half_pixels = Int(op, "half_pixel_centers", 0) != 0;
    used = 2;
    MACE_RETURN_IF_ERROR(tensors(1));
    MACE_RETURN_IF_ERROR(numbers(1, 2, node.size));
  } else if (op.type == "DepthToSpace" || op.type == "SpaceToDepth") {
    node.op = op.type == "DepthToSpace" ? ApuOp::kDepthToSpace : ApuOp::kSpaceToDepth;
    used = 2;
    MACE_RETURN_IF_ERROR(tensors(1));
    MACE_RETURN_IF_ERROR(numbers(1, 1, &node.block));
  } else if (op.type == "Softmax") {
    node.op = ApuOp::kSoftmax;
    used = 2;
    MACE_RETURN_IF_ERROR(tensors(1));
    MACE_RETURN_IF_ERROR(constant(1, ElementType::kFloat32, 1, &node.beta));
  } else {
    return bad("is not an operator of the APU");
  }
  if (all.size() != used) return bad("has too many operands");
  for (size_t i = 0; i < op.outputs.size(); ++i) {
    ApuTensor made;
    made.scale = op.quantize_info[i].scale;
    made.zero = static_cast<int32_t>(op.quantize_info[i].zero_point);
    if (!GoodGrid(made.scale, op.quantize_info[i].zero_point)) return bad("has no grid");
    MACE_RETURN_IF_ERROR(Dims(op.outputs[i], op.shapes[i], &made));
    node.outputs.push_back(graph_->tensors.size());
    if (!Add(op.outputs[i], std::move(made))) {
      return bad("gives '" + op.outputs[i] + "' a second time");
    }
  }
  graph_->nodes.push_back(std::move(node));
  return Status();
}

Status Reader::ReadOutputs() {
  for (const PortDef& port : net_.outputs) {
    const auto found = indexes_.find(port.name);
    ApuTensor wanted;
    MACE_RETURN_IF_ERROR(Dims(port.name, port.dims, &wanted));
    const ApuTensor* given = found == indexes_.end() ? nullptr : &graph_->tensors[found->second];
    if (given == nullptr || given->value != nullptr || given->dims != wanted.dims ||
        given->scale != port.scale || given->zero != port.zero_point) {
      return diagnostics::ApuNet("no operator gives the output '" + port.name +
                                 "' in its shape and on its grid");
    }
    graph_->outputs.push_back(found->second);
  }
  return Status();
}

}  // namespace

Status ReadApuGraph(const NetDef& net, const uint8_t* data, size_t data_size, ApuGraph* graph) {
  return Reader(net, data, data_size, graph).Read();
}

}  // namespace delegates
}  // namespace mace
