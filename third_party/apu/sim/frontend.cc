#include "third_party/apu/sim/frontend.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace {

constexpr char kMagic[8] = {'A', 'P', 'U', 'F', 'S', 'I', 'M', '1'};
constexpr size_t kMostBytes = size_t{1} << 30;

size_t Count(const std::vector<uint32_t>& dims) {
  size_t count = 1;
  for (const uint32_t d : dims) count *= d;
  return count;
}

// Dimensions that products of four of them do not overflow.
bool Dims(const apu_tensor& tensor, std::vector<uint32_t>* dims) {
  if (tensor.dim_size < 1 || tensor.dim_size > APU_TENSOR_MAX_DIMS) return false;
  size_t count = 1;
  for (int i = 0; i < tensor.dim_size; ++i) {
    if (tensor.dims[i] < 1 || tensor.dims[i] > 1 << 28) return false;
    count *= static_cast<size_t>(tensor.dims[i]);
    if (count > size_t{1} << 28) return false;
    dims->push_back(static_cast<uint32_t>(tensor.dims[i]));
  }
  return true;
}

// A file's bytes; false where there are none, or too many.
bool ReadFile(const char* path, std::vector<char>* bytes) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path, "rb"), std::fclose);
  if (file == nullptr) return false;
  char block[1 << 16];
  for (size_t got; (got = std::fread(block, 1, sizeof block, file.get())) > 0;) {
    if (bytes->size() + got > kMostBytes) return false;
    bytes->insert(bytes->end(), block, block + got);
  }
  return std::ferror(file.get()) == 0;
}

}  // namespace

const FrontendGraph::Kind FrontendGraph::kKinds[] = {
    {"Conv2D", 1, 6, &FrontendGraph::Convolution},
    {"DepthwiseConv2d", 1, 7, &FrontendGraph::Depthwise},
    {"Deconv2D", 2, 7, &FrontendGraph::Transposed},
    {"FullyConnected", 2, 3, &FrontendGraph::FullyConnected},
    {"Pooling", 1, 4, &FrontendGraph::Pooling},
    {"Eltwise", 1, 2, &FrontendGraph::Eltwise},
    {"Activation", 2, 1, &FrontendGraph::Activation},
    {"PRelu", 2, 2, &FrontendGraph::Slopes},
    {"Softmax", 1, 2, &FrontendGraph::Softmax},
    {"Concat", 1, 0, &FrontendGraph::Concat},
    {"Reduce", 1, 3, &FrontendGraph::Mean},
    {"Reshape", 1, 0, &FrontendGraph::Reshape},
    {"Pad", 2, 2, &FrontendGraph::Pad},
    {"ResizeBilinear", 1, 2, &FrontendGraph::Resize},
};

FrontendGraph::~FrontendGraph() {
  NeuronCompilation_free(compilation_);
  NeuronModel_free(model_);
}

bool FrontendGraph::AddOperand(int32_t type, const std::vector<uint32_t>& dims, float scale,
                               int32_t zero, uint32_t* index) {
  NeuronOperandType operand = {};
  operand.type = type;
  operand.dimensionCount = static_cast<uint32_t>(dims.size());
  operand.dimensions = dims.data();
  operand.scale = scale;
  operand.zeroPoint = zero;
  *index = count_++;
  return NeuronModel_addOperand(model_, &operand) == NEURON_NO_ERROR;
}

bool FrontendGraph::Value(uint32_t index, const void* bytes, size_t size) {
  return NeuronModel_setOperandValue(model_, static_cast<int32_t>(index), bytes, size) ==
         NEURON_NO_ERROR;
}

// A tensor of codes that is computed.
bool FrontendGraph::Codes(const apu_tensor& tensor, Known* known) {
  known->added = true;
  return tensor.data_type == APU_DATA_TYPE_UINT8 && Dims(tensor, &known->dims) &&
         AddOperand(NEURON_TENSOR_QUANT8_ASYMM, known->dims, tensor.scale, tensor.zero_point,
                    &known->index);
}

FrontendGraph::Known* FrontendGraph::Find(const apu_operator& op, int i) {
  if (i >= op.input_size) return nullptr;
  const auto found = known_.find(op.input_ids[i]);
  return found == known_.end() ? nullptr : &found->second;
}

// Codes, computed or constant.
bool FrontendGraph::Tensor(const apu_operator& op, int i) {
  Known* known = Find(op, i);
  if (known == nullptr) return false;
  if (known->constant != nullptr) {
    return Constant(op, i, APU_TENSOR_CONST_DATA, APU_DATA_TYPE_UINT8);
  }
  operands_.push_back(known->index);
  return true;
}

bool FrontendGraph::Constant(const apu_operator& op, int i, apu_tensor_type type,
                             apu_data_type data) {
  Known* known = Find(op, i);
  if (known == nullptr || known->constant == nullptr) return false;
  const apu_tensor& tensor = *known->constant;
  if (tensor.tensor_type != type || tensor.data_type != data) return false;
  if (!known->added) {
    const bool codes = data == APU_DATA_TYPE_UINT8;
    if (!AddOperand(codes ? NEURON_TENSOR_QUANT8_ASYMM : NEURON_TENSOR_INT32, known->dims,
                    tensor.scale, tensor.zero_point, &known->index) ||
        !Value(known->index, tensor.data_buf, Count(known->dims) * (codes ? 1 : 4)))
      return false;
    known->added = true;
  }
  operands_.push_back(known->index);
  return true;
}

bool FrontendGraph::Numbers(const apu_operator& op, int i, size_t count, int32_t* values) {
  const Known* known = Find(op, i);
  if (known == nullptr || known->constant == nullptr ||
      known->constant->tensor_type != APU_TENSOR_CONST_ARGUMENT ||
      known->constant->data_type != APU_DATA_TYPE_INT32 || Count(known->dims) != count)
    return false;
  std::memcpy(values, known->constant->data_buf, count * sizeof *values);
  return true;
}

bool FrontendGraph::Scalar(int32_t value) {
  operands_.push_back(0);
  return AddOperand(NEURON_INT32, {}, 0, 0, &operands_.back()) &&
         Value(operands_.back(), &value, sizeof value);
}

bool FrontendGraph::Flag(bool value) {
  const uint8_t byte = value ? 1 : 0;
  operands_.push_back(0);
  return AddOperand(NEURON_BOOL, {}, 0, 0, &operands_.back()) &&
         Value(operands_.back(), &byte, sizeof byte);
}

bool FrontendGraph::Fused(const apu_operator& op) {
  switch (op.act_mode) {
    case APU_ACT_NONE:
      return Scalar(NEURON_FUSED_NONE);
    case APU_ACT_RELU:
      return Scalar(NEURON_FUSED_RELU);
    case APU_ACT_RELU6:
      return Scalar(NEURON_FUSED_RELU6);
    default:
      return false;
  }
}

// Strides are rows, columns; paddings top, right, bottom, left.
bool FrontendGraph::Window(const apu_operator& op, int strides, int paddings) {
  int32_t s[2], p[4];
  if (!Numbers(op, strides, 2, s) || !Numbers(op, paddings, 4, p)) return false;
  for (const int32_t v : {p[3], p[1], p[0], p[2], s[1], s[0]}) {
    if (!Scalar(v)) return false;
  }
  return true;
}

bool FrontendGraph::Dilations(const apu_operator& op, int i) {
  int32_t d[2];
  return Numbers(op, i, 2, d) && Flag(false) && Scalar(d[1]) && Scalar(d[0]);
}

bool FrontendGraph::End(const apu_operator& op, NeuronOperationType type) {
  Known made;
  if (op.output.tensor_type != APU_TENSOR_OP_OUTPUT || !Codes(op.output, &made)) return false;
  const std::vector<uint32_t> operands = std::move(operands_);
  operands_.clear();
  return NeuronModel_addOperation(model_, type, static_cast<uint32_t>(operands.size()),
                                  operands.data(), 1, &made.index) == NEURON_NO_ERROR &&
         known_.emplace(op.output.tensor_id, made).second;
}

bool FrontendGraph::Convolution(const apu_operator& op) {
  return Tensor(op, 0) && Constant(op, 1, APU_TENSOR_CONST_DATA, APU_DATA_TYPE_UINT8) &&
         Constant(op, 2, APU_TENSOR_CONST_DATA, APU_DATA_TYPE_INT32) && Window(op, 3, 4) &&
         Fused(op) && Dilations(op, 5) && End(op, NEURON_CONV_2D);
}

// A filter [M, H, W, C] gives the channels c · M + m.
bool FrontendGraph::Depthwise(const apu_operator& op) {
  int32_t multiplier;
  const Known* filter = Find(op, 1);
  if (!Tensor(op, 0) || filter == nullptr || filter->constant == nullptr ||
      filter->constant->tensor_type != APU_TENSOR_CONST_DATA ||
      filter->constant->data_type != APU_DATA_TYPE_UINT8 || filter->dims.size() != 4 ||
      !Numbers(op, 6, 1, &multiplier) || multiplier < 1 ||
      filter->dims[0] != static_cast<uint32_t>(multiplier))
    return false;
  const size_t m = filter->dims[0], size = Count(filter->dims);
  std::unique_ptr<uint8_t[]> codes(new uint8_t[size]);
  const uint8_t* from = static_cast<const uint8_t*>(filter->constant->data_buf);
  for (size_t i = 0; i < m; ++i) {
    for (size_t k = 0; k < size / m; ++k) codes[k * m + i] = *from++;
  }
  operands_.push_back(0);
  const std::vector<uint32_t> dims = {1, filter->dims[1], filter->dims[2],
                                      static_cast<uint32_t>(filter->dims[3] * m)};
  if (!AddOperand(NEURON_TENSOR_QUANT8_ASYMM, dims, filter->constant->scale,
                  filter->constant->zero_point, &operands_.back()) ||
      !Value(operands_.back(), codes.get(), size))
    return false;
  filters_.push_back(std::move(codes));
  return Constant(op, 2, APU_TENSOR_CONST_DATA, APU_DATA_TYPE_INT32) && Window(op, 3, 4) &&
         Scalar(multiplier) && Fused(op) && Dilations(op, 5) && End(op, NEURON_DEPTHWISE_CONV_2D);
}

// Its operand 2 is the shape of the output.
bool FrontendGraph::Transposed(const apu_operator& op) {
  int32_t dilations[2], shape[4];
  const Known* wanted = Find(op, 2);
  if (wanted == nullptr || wanted->constant == nullptr ||
      wanted->constant->data_type != APU_DATA_TYPE_INT32 || Count(wanted->dims) != 4 ||
      op.output.dim_size != 4 || !Numbers(op, 6, 2, dilations) || dilations[0] != 1 ||
      dilations[1] != 1)
    return false;
  std::memcpy(shape, wanted->constant->data_buf, sizeof shape);
  return std::equal(shape, shape + 4, op.output.dims) && Tensor(op, 0) &&
         Constant(op, 1, APU_TENSOR_CONST_DATA, APU_DATA_TYPE_UINT8) &&
         Constant(op, 3, APU_TENSOR_CONST_DATA, APU_DATA_TYPE_INT32) && Window(op, 4, 5) &&
         Fused(op) && Flag(false) && End(op, NEURON_TRANSPOSE_CONV_2D);
}

bool FrontendGraph::FullyConnected(const apu_operator& op) {
  return Tensor(op, 0) && Constant(op, 1, APU_TENSOR_CONST_DATA, APU_DATA_TYPE_UINT8) &&
         Constant(op, 2, APU_TENSOR_CONST_DATA, APU_DATA_TYPE_INT32) && Fused(op) &&
         End(op, NEURON_FULLY_CONNECTED);
}

// Paddings come first, then strides and the window.
bool FrontendGraph::Pooling(const apu_operator& op) {
  int32_t kernel[2];
  const bool average = op.op_mode == APU_POOLING_AVG;
  return (average || op.op_mode == APU_POOLING_MAX) && Tensor(op, 0) && Window(op, 2, 1) &&
         Numbers(op, 3, 2, kernel) && Scalar(kernel[1]) && Scalar(kernel[0]) && Fused(op) &&
         End(op, average ? NEURON_AVERAGE_POOL_2D : NEURON_MAX_POOL_2D);
}

bool FrontendGraph::Eltwise(const apu_operator& op) {
  const bool sum = op.op_mode == APU_ELTWISE_ADD;
  const bool product = op.op_mode == APU_ELTWISE_MUL;
  return (sum || product) && Tensor(op, 0) && Tensor(op, 1) && Fused(op) &&
         End(op, sum ? NEURON_ADD : NEURON_MUL);
}

bool FrontendGraph::Activation(const apu_operator& op) {
  if (!Tensor(op, 0)) return false;
  switch (op.act_mode) {
    case APU_ACT_RELU:
      return End(op, NEURON_RELU);
    case APU_ACT_RELU6:
      return End(op, NEURON_RELU6);
    case APU_ACT_SIGMOID:
      return End(op, NEURON_LOGISTIC);
    case APU_ACT_TANH:
      return End(op, NEURON_TANH);
    default:
      return false;
  }
}

bool FrontendGraph::Slopes(const apu_operator& op) {
  return Plain(op) && Tensor(op, 0) &&
         Constant(op, 1, APU_TENSOR_CONST_DATA, APU_DATA_TYPE_UINT8) && End(op, NEURON_PRELU);
}

bool FrontendGraph::Softmax(const apu_operator& op) {
  const Known* beta = Find(op, 1);
  if (!Plain(op) || !Tensor(op, 0) || beta == nullptr || beta->constant == nullptr ||
      beta->constant->tensor_type != APU_TENSOR_CONST_ARGUMENT ||
      beta->constant->data_type != APU_DATA_TYPE_FLOAT || Count(beta->dims) != 1)
    return false;
  operands_.push_back(0);
  return AddOperand(NEURON_FLOAT32, {}, 0, 0, &operands_.back()) &&
         Value(operands_.back(), beta->constant->data_buf, sizeof(float)) &&
         End(op, NEURON_SOFTMAX);
}

bool FrontendGraph::Concat(const apu_operator& op) {
  int32_t axis;
  if (!Plain(op) || op.input_size < 2 || !Numbers(op, op.input_size - 1, 1, &axis)) return false;
  for (int i = 0; i + 1 < op.input_size; ++i) {
    if (!Tensor(op, i)) return false;
  }
  return Scalar(axis) && End(op, NEURON_CONCATENATION);
}

bool FrontendGraph::Mean(const apu_operator& op) {
  int32_t keep;
  return Plain(op) && Tensor(op, 0) &&
         Constant(op, 1, APU_TENSOR_CONST_ARGUMENT, APU_DATA_TYPE_INT32) &&
         Numbers(op, 2, 1, &keep) && Scalar(keep) && End(op, NEURON_MEAN);
}

// To the shape of its output; what a second operand says does not count.
bool FrontendGraph::Reshape(const apu_operator& op) {
  std::vector<uint32_t> dims;
  if (!Plain(op) || op.input_size > 2 || (op.input_size == 2 && Find(op, 1) == nullptr) ||
      !Tensor(op, 0) || !Dims(op.output, &dims))
    return false;
  operands_.push_back(0);
  return AddOperand(NEURON_TENSOR_INT32, {static_cast<uint32_t>(dims.size())}, 0, 0,
                    &operands_.back()) &&
         Value(operands_.back(), dims.data(), dims.size() * sizeof dims[0]) &&
         End(op, NEURON_RESHAPE);
}

// Rows and columns only.
bool FrontendGraph::Pad(const apu_operator& op) {
  int32_t p[8];
  return Plain(op) && Numbers(op, 1, 8, p) && p[0] == 0 && p[1] == 0 && p[6] == 0 && p[7] == 0 &&
         Tensor(op, 0) && Constant(op, 1, APU_TENSOR_CONST_ARGUMENT, APU_DATA_TYPE_INT32) &&
         End(op, NEURON_PAD);
}

bool FrontendGraph::Resize(const apu_operator& op) {
  int32_t align;
  return Plain(op) && op.output.dim_size == 4 && Numbers(op, 1, 1, &align) && Tensor(op, 0) &&
         Scalar(op.output.dims[2]) && Scalar(op.output.dims[1]) && Flag(false) &&
         Flag(align != 0) && Flag(false) && End(op, NEURON_RESIZE_BILINEAR);
}

bool FrontendGraph::AddOperator(const apu_operator& op) {
  if (std::memchr(op.type, 0, sizeof op.type) == nullptr || op.input_size < 1 ||
      op.input_size > 1 << 16 || op.input_ids == nullptr)
    return false;
  for (const Kind& kind : kKinds) {
    if (std::strcmp(kind.type, op.type) != 0) continue;
    return version_ >= kind.since && (kind.operands == 0 || kind.operands == op.input_size) &&
           (this->*kind.add)(op);
  }
  return false;
}

bool FrontendGraph::Finish(const std::vector<uint32_t>& inputs,
                           const std::vector<uint32_t>& outputs) {
  return NeuronModel_identifyInputsAndOutputs(model_, static_cast<uint32_t>(inputs.size()),
                                              inputs.data(), static_cast<uint32_t>(outputs.size()),
                                              outputs.data()) == NEURON_NO_ERROR &&
         NeuronModel_finish(model_) == NEURON_NO_ERROR &&
         NeuronCompilation_create(model_, &compilation_) == NEURON_NO_ERROR &&
         NeuronCompilation_finish(compilation_) == NEURON_NO_ERROR;
}

bool FrontendGraph::Build(const Given<apu_tensor>& consts, const Given<apu_tensor>& inputs,
                          const std::vector<WantedOutput>& outputs,
                          const Given<apu_operator>& operators) {
  if (NeuronModel_create(&model_) != NEURON_NO_ERROR) return false;
  for (const apu_tensor& tensor : consts) {
    Known known;
    known.constant = &tensor;
    if ((tensor.tensor_type != APU_TENSOR_CONST_DATA &&
         tensor.tensor_type != APU_TENSOR_CONST_ARGUMENT) ||
        tensor.data_buf == nullptr || !Dims(tensor, &known.dims) ||
        !known_.emplace(tensor.tensor_id, known).second)
      return false;
  }
  std::vector<uint32_t> ins, outs;
  for (const apu_tensor& tensor : inputs) {
    Known known;
    if (tensor.tensor_type != APU_TENSOR_MODEL_INPUT || tensor.data_buf == nullptr ||
        !Codes(tensor, &known) || !known_.emplace(tensor.tensor_id, known).second)
      return false;
    ins.push_back(known.index);
    inputs_.push_back({tensor.data_buf, Count(known.dims)});
  }
  for (const apu_operator& op : operators) {
    if (!AddOperator(op)) return false;
  }
  for (const WantedOutput& wanted : outputs) {
    const auto found = known_.find(wanted.id);
    std::vector<uint32_t> dims;
    if (found == known_.end() || found->second.constant != nullptr || wanted.buffer == nullptr)
      return false;
    // Callers leave the grid of outputs unset: the operator has it.
    if (wanted.tensor != nullptr && (wanted.tensor->tensor_type != APU_TENSOR_MODEL_OUTPUT ||
                                     wanted.tensor->data_type != APU_DATA_TYPE_UINT8 ||
                                     !Dims(*wanted.tensor, &dims) || dims != found->second.dims))
      return false;
    outs.push_back(found->second.index);
    outputs_.push_back({wanted.buffer, Count(found->second.dims)});
  }
  return Finish(ins, outs);
}

bool FrontendGraph::Store(const char* file) const {
  size_t size = 0;
  if (NeuronCompilation_getCompiledNetworkSize(compilation_, &size) != NEURON_NO_ERROR) {
    return false;
  }
  std::vector<char> bytes(kMagic, kMagic + sizeof kMagic);
  bytes.resize(sizeof kMagic + size);
  if (NeuronCompilation_storeCompiledNetwork(compilation_, bytes.data() + sizeof kMagic, size) !=
      NEURON_NO_ERROR)
    return false;
  FILE* to = std::fopen(file, "wb");
  if (to == nullptr) return false;
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), to) == bytes.size();
  return std::fclose(to) == 0 && written;
}

bool FrontendGraph::Load(const char* file, const Given<apu_tensor>& inputs,
                         const std::vector<WantedOutput>& outputs) {
  std::vector<char> bytes;
  if (!ReadFile(file, &bytes) || bytes.size() < sizeof kMagic ||
      std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0 ||
      NeuronModel_restoreFromCompiledNetwork(&model_, &compilation_, bytes.data() + sizeof kMagic,
                                             bytes.size() - sizeof kMagic) != NEURON_NO_ERROR)
    return false;
  if (model_->inputs.size() != static_cast<size_t>(inputs.count) ||
      model_->outputs.size() != outputs.size())
    return false;
  // The port, when it is the operand; inputs come with their grid.
  const auto port = [](const Operand& operand, const apu_tensor& tensor, apu_tensor_type type,
                       std::vector<Port>* ports) {
    std::vector<uint32_t> dims;
    const bool grid = type != APU_TENSOR_MODEL_INPUT ||
                      (tensor.scale == operand.scale && tensor.zero_point == operand.zero);
    if (tensor.tensor_type != type || tensor.data_type != APU_DATA_TYPE_UINT8 || !grid ||
        tensor.data_buf == nullptr || !Dims(tensor, &dims) ||
        !std::equal(dims.begin(), dims.end(), operand.dims.begin(), operand.dims.end()))
      return false;
    ports->push_back({tensor.data_buf, operand.bytes()});
    return true;
  };
  for (int i = 0; i < inputs.count; ++i) {
    if (!port(model_->operands[model_->inputs[i]], inputs.items[i], APU_TENSOR_MODEL_INPUT,
              &inputs_))
      return false;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].tensor == nullptr ||
        !port(model_->operands[model_->outputs[i]], *outputs[i].tensor, APU_TENSOR_MODEL_OUTPUT,
              &outputs_))
      return false;
  }
  return true;
}

bool FrontendGraph::Run() {
  NeuronExecution* execution = nullptr;
  if (NeuronExecution_create(compilation_, &execution) != NEURON_NO_ERROR) return false;
  const std::unique_ptr<NeuronExecution, void (*)(NeuronExecution*)> owned(execution,
                                                                           NeuronExecution_free);
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (NeuronExecution_setInput(execution, static_cast<int32_t>(i), nullptr, inputs_[i].buffer,
                                 inputs_[i].size) != NEURON_NO_ERROR)
      return false;
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (NeuronExecution_setOutput(execution, static_cast<int32_t>(i), nullptr, outputs_[i].buffer,
                                  outputs_[i].size) != NEURON_NO_ERROR)
      return false;
  }
  return NeuronExecution_compute(execution) == NEURON_NO_ERROR;
}

bool InitFrontend(FrontendGraph** graph, int version, const Given<apu_tensor>& consts,
                  const Given<apu_tensor>& inputs, const std::vector<WantedOutput>& outputs,
                  const Given<apu_operator>& operators, const char* file, bool load, bool store) {
  if (*graph != nullptr || !consts.Sane() || !inputs.Sane() || !operators.Sane() ||
      (load && store) || ((load || store) && file == nullptr) ||
      (load && (consts.count > 0 || operators.count > 0)))
    return false;
  try {
    auto made = std::make_unique<FrontendGraph>(version);
    const bool good =
        load ? made->Load(file, inputs, outputs) : made->Build(consts, inputs, outputs, operators);
    if (!good || (store && !made->Store(file))) return false;
    *graph = made.release();
    return true;
  } catch (...) {
    return false;
  }
}

bool RunFrontend(FrontendGraph* graph) {
  try {
    return graph != nullptr && graph->Run();
  } catch (...) {
    return false;
  }
}

bool UninitFrontend(FrontendGraph** graph) {
  const bool there = *graph != nullptr;
  delete *graph;
  *graph = nullptr;
  return there;
}
