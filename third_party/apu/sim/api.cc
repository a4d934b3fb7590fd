// The interface: models, compilations, executions.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <new>

#include "third_party/apu/sim/model.h"

namespace {

constexpr size_t kMostOperands = 1 << 20;
constexpr int64_t kMostElements = int64_t{1} << 28;
constexpr size_t kMostBytes = size_t{1} << 29;
constexpr uint8_t kMagic[8] = {'N', 'E', 'U', 'R', 'S', 'I', 'M', '1'};

bool IsTensor(int32_t type) {
  return type == NEURON_TENSOR_FLOAT32 || type == NEURON_TENSOR_INT32 ||
         type == NEURON_TENSOR_QUANT8_ASYMM;
}
bool IsScalar(int32_t type) {
  return type == NEURON_FLOAT32 || type == NEURON_INT32 || type == NEURON_BOOL;
}

// The operands that are known at some point: constants, inputs, results.
int Check(const NeuronModel& model) {
  std::vector<bool> known(model.operands.size(), false);
  size_t bytes = 0;
  for (size_t i = 0; i < known.size(); ++i) {
    known[i] = model.operands[i].value != nullptr;
    if (!known[i]) bytes += model.operands[i].bytes();
    if (bytes > kMostBytes) return NEURON_OUT_OF_MEMORY;
  }
  for (const uint32_t i : model.inputs) {
    if (known[i] || !IsTensor(model.operands[i].type)) return NEURON_BAD_DATA;
    known[i] = true;
  }
  for (const Operation& operation : model.operations) {
    for (const uint32_t i : operation.inputs) {
      if (!known[i]) return NEURON_BAD_DATA;
    }
    for (const uint32_t i : operation.outputs) {
      if (known[i]) return NEURON_BAD_DATA;
      known[i] = true;
    }
    const int result = Perform(Call(model, operation, nullptr));
    if (result != NEURON_NO_ERROR) return result;
  }
  for (const uint32_t i : model.outputs) {
    if (!known[i] || model.operands[i].value != nullptr) return NEURON_BAD_DATA;
  }
  return NEURON_NO_ERROR;
}

uint64_t Digest(const uint8_t* bytes, size_t size) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 1099511628211u;
  return hash;
}

class Writer {
 public:
  void Bytes(const void* from, size_t size) {
    const uint8_t* at = static_cast<const uint8_t*>(from);
    bytes.insert(bytes.end(), at, at + size);
  }
  void Number(uint64_t value) { Bytes(&value, sizeof value); }
  void List(const std::vector<uint32_t>& list) {
    Number(list.size());
    Bytes(list.data(), list.size() * 4);
  }
  std::vector<uint8_t> bytes;
};

class Reader {
 public:
  Reader(const uint8_t* at, size_t size) : at_(at), left_(size) {}
  const uint8_t* Bytes(uint64_t size) {
    if (size > left_) {
      good = false;
      return nullptr;
    }
    const uint8_t* from = at_;
    at_ += size;
    left_ -= size;
    return from;
  }
  uint64_t Number() {
    uint64_t value = 0;
    const uint8_t* from = Bytes(sizeof value);
    if (from != nullptr) std::memcpy(&value, from, sizeof value);
    return value;
  }
  std::vector<uint32_t> List() {
    const uint64_t count = Number();
    const uint8_t* from = count > left_ / 4 ? Bytes(left_ + 1) : Bytes(count * 4);
    std::vector<uint32_t> list(from == nullptr ? 0 : count);
    if (!list.empty()) std::memcpy(list.data(), from, list.size() * 4);
    return list;
  }
  bool good = true;

 private:
  const uint8_t* at_;
  size_t left_;
};

std::vector<uint8_t> Pack(const NeuronModel& model) {
  Writer w;
  w.Number(model.operands.size());
  for (const Operand& operand : model.operands) {
    uint32_t scale;
    std::memcpy(&scale, &operand.scale, 4);
    std::vector<uint32_t> dims(operand.dims.begin(), operand.dims.end());
    w.Number(static_cast<uint32_t>(operand.type));
    w.List(dims);
    w.Number(scale);
    w.Number(static_cast<uint32_t>(operand.zero));
    w.Number(operand.value != nullptr ? 1 : 0);
    if (operand.value != nullptr) {
      w.Number(operand.length);
      w.Bytes(operand.value, operand.length);
    }
  }
  w.Number(model.operations.size());
  for (const Operation& operation : model.operations) {
    w.Number(static_cast<uint32_t>(operation.type));
    w.List(operation.inputs);
    w.List(operation.outputs);
  }
  w.List(model.inputs);
  w.List(model.outputs);
  Writer file;
  file.Bytes(kMagic, sizeof kMagic);
  file.Number(Digest(w.bytes.data(), w.bytes.size()));
  file.Bytes(w.bytes.data(), w.bytes.size());
  return file.bytes;
}

int SetValue(NeuronModel* model, size_t index, const void* buffer, size_t length, bool copy) {
  if (index >= model->operands.size()) return NEURON_BAD_DATA;
  Operand& operand = model->operands[index];
  if (length != operand.bytes()) return NEURON_BAD_DATA;
  operand.length = length;
  operand.value = buffer;
  if (copy || length <= NEURON_MAX_SIZE_OF_IMMEDIATELY_COPIED_VALUES) {
    const uint8_t* at = static_cast<const uint8_t*>(buffer);
    operand.copy.assign(at, at + length);
    operand.value = operand.copy.data();
  }
  return NEURON_NO_ERROR;
}

int Unpack(Reader* r, NeuronModel* model) {
  const uint64_t operands = r->Number();
  if (operands > kMostOperands) return NEURON_BAD_DATA;
  // Values go to operands that are all there.
  std::vector<std::pair<const uint8_t*, uint64_t>> values;
  for (uint64_t i = 0; i < operands && r->good; ++i) {
    NeuronOperandType type = {};
    type.type = static_cast<int32_t>(r->Number());
    const std::vector<uint32_t> dims = r->List();
    type.dimensionCount = static_cast<uint32_t>(dims.size());
    type.dimensions = dims.data();
    const uint32_t scale = static_cast<uint32_t>(r->Number());
    std::memcpy(&type.scale, &scale, 4);
    type.zeroPoint = static_cast<int32_t>(r->Number());
    const int result = NeuronModel_addOperand(model, &type);
    if (result != NEURON_NO_ERROR) return result;
    const uint64_t length = r->Number() == 1 ? r->Number() : 0;
    values.emplace_back(length > 0 ? r->Bytes(length) : nullptr, length);
  }
  for (size_t i = 0; i < values.size() && r->good; ++i) {
    if (values[i].first == nullptr) continue;
    const int result = SetValue(model, i, values[i].first, values[i].second, true);
    if (result != NEURON_NO_ERROR) return result;
  }
  const uint64_t operations = r->Number();
  if (operations > kMostOperands) return NEURON_BAD_DATA;
  for (uint64_t i = 0; i < operations && r->good; ++i) {
    const int type = static_cast<int>(r->Number());
    const auto inputs = r->List(), outputs = r->List();
    const int result =
        NeuronModel_addOperation(model, type, static_cast<uint32_t>(inputs.size()), inputs.data(),
                                 static_cast<uint32_t>(outputs.size()), outputs.data());
    if (result != NEURON_NO_ERROR) return result;
  }
  const auto inputs = r->List(), outputs = r->List();
  if (!r->good) return NEURON_BAD_DATA;
  const int result = NeuronModel_identifyInputsAndOutputs(
      model, static_cast<uint32_t>(inputs.size()), inputs.data(),
      static_cast<uint32_t>(outputs.size()), outputs.data());
  return result != NEURON_NO_ERROR ? result : NeuronModel_finish(model);
}

// No exception leaves the library.
template <typename F>
int Guarded(F f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return NEURON_OUT_OF_MEMORY;
  } catch (...) {
    return NEURON_OP_FAILED;
  }
}

bool Within(const NeuronMemory& memory, size_t offset, size_t length, int access) {
  return offset <= memory.size && length <= memory.size - offset && (memory.protect & access) != 0;
}

// The type that a caller gives again at execution; dimensions must be the model's.
bool SameType(const Operand& operand, const NeuronOperandType* type) {
  if (type == nullptr) return true;
  if (type->type != operand.type || type->dimensionCount != operand.dims.size()) return false;
  for (size_t i = 0; i < operand.dims.size(); ++i) {
    if (type->dimensions == nullptr || type->dimensions[i] != operand.dims[i]) return false;
  }
  return true;
}

}  // namespace

size_t Operand::element_bytes() const {
  return type == NEURON_TENSOR_QUANT8_ASYMM || type == NEURON_BOOL ? 1 : 4;
}

bool Call::IsCodes(const Operand& operand) const {
  return operand.type == NEURON_TENSOR_QUANT8_ASYMM && !operand.dims.empty() &&
         operand.dims.size() <= 4;
}
bool Call::Int(size_t i, int64_t* value) const {
  if (i >= input_count() || in(i).type != NEURON_INT32 || in(i).value == nullptr) return false;
  int32_t number;
  std::memcpy(&number, in(i).value, 4);
  *value = number;
  return true;
}
bool Call::Bool(size_t i, bool* value) const {
  if (i >= input_count() || in(i).type != NEURON_BOOL || in(i).value == nullptr) return false;
  *value = *static_cast<const uint8_t*>(in(i).value) != 0;
  return true;
}
bool Call::Float(size_t i, float* value) const {
  if (i >= input_count() || in(i).type != NEURON_FLOAT32 || in(i).value == nullptr) return false;
  std::memcpy(value, in(i).value, 4);
  return true;
}
bool Call::Ints(size_t i, std::vector<int64_t>* values) const {
  if (i >= input_count() || in(i).type != NEURON_TENSOR_INT32 || in(i).value == nullptr ||
      in(i).elements() > 16)
    return false;
  const uint8_t* at = static_cast<const uint8_t*>(in(i).value);
  for (int64_t k = 0; k < in(i).elements(); ++k, at += 4) {
    int32_t number;
    std::memcpy(&number, at, 4);
    values->push_back(number);
  }
  return true;
}

namespace {

// Every operation of the library.
struct Row {
  int type;
  int (*perform)(const Call& call);
};
constexpr Row kOperations[] = {
    {NEURON_ADD, PerformElementwise},
    {NEURON_AVERAGE_POOL_2D, PerformPool},
    {NEURON_CONCATENATION, PerformMove},
    {NEURON_CONV_2D, PerformProduct},
    {NEURON_DEPTHWISE_CONV_2D, PerformProduct},
    {NEURON_DEPTH_TO_SPACE, PerformMove},
    {NEURON_FULLY_CONNECTED, PerformProduct},
    {NEURON_LOGISTIC, PerformElementwise},
    {NEURON_MAX_POOL_2D, PerformPool},
    {NEURON_MUL, PerformElementwise},
    {NEURON_RELU, PerformElementwise},
    {NEURON_RELU1, PerformElementwise},
    {NEURON_RELU6, PerformElementwise},
    {NEURON_RESHAPE, PerformMove},
    {NEURON_RESIZE_BILINEAR, PerformMove},
    {NEURON_SOFTMAX, PerformElementwise},
    {NEURON_SPACE_TO_DEPTH, PerformMove},
    {NEURON_TANH, PerformElementwise},
    {NEURON_MEAN, PerformMove},
    {NEURON_PAD, PerformMove},
    {NEURON_STRIDED_SLICE, PerformMove},
    {NEURON_SUB, PerformElementwise},
    {NEURON_TRANSPOSE, PerformMove},
    {NEURON_MAXIMUM, PerformElementwise},
    {NEURON_MINIMUM, PerformElementwise},
    {NEURON_PRELU, PerformElementwise},
    {NEURON_SPLIT, PerformMove},
    {NEURON_TRANSPOSE_CONV_2D, PerformProduct},
    {NEURON_RESIZE_NEAREST_NEIGHBOR, PerformMove},
    {NEURON_HARD_SWISH, PerformElementwise},
};

const Row* Find(int type) {
  for (const Row& row : kOperations) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

}  // namespace

bool Supported(int type) { return Find(type) != nullptr; }

int Perform(const Call& call) {
  const Row* row = Find(call.type());
  if (row == nullptr || call.input_count() == 0 || call.output_count() == 0) return NEURON_BAD_DATA;
  if (call.type() != NEURON_SPLIT && call.output_count() != 1) return NEURON_BAD_DATA;
  return row->perform(call);
}

extern "C" {

int Neuron_getVersion(NeuronRuntimeVersion* version) {
  if (version == nullptr) return NEURON_UNEXPECTED_NULL;
  *version = {5, 0, 0};
  return NEURON_NO_ERROR;
}

int NeuronModel_create(NeuronModel** model) {
  if (model == nullptr) return NEURON_UNEXPECTED_NULL;
  *model = new (std::nothrow) NeuronModel;
  return *model == nullptr ? NEURON_OUT_OF_MEMORY : NEURON_NO_ERROR;
}
void NeuronModel_free(NeuronModel* model) { delete model; }

int NeuronModel_finish(NeuronModel* model) {
  if (model == nullptr) return NEURON_UNEXPECTED_NULL;
  if (model->finished) return NEURON_BAD_STATE;
  if (model->inputs.empty() || model->outputs.empty()) return NEURON_BAD_DATA;
  return Guarded([&] {
    const int result = Check(*model);
    model->finished = result == NEURON_NO_ERROR;
    return result;
  });
}

int NeuronModel_addOperand(NeuronModel* model, const NeuronOperandType* type) {
  if (model == nullptr || type == nullptr) return NEURON_UNEXPECTED_NULL;
  if (model->finished) return NEURON_BAD_STATE;
  if (!IsTensor(type->type) && !IsScalar(type->type)) return NEURON_BAD_DATA;
  if (IsScalar(type->type) != (type->dimensionCount == 0)) return NEURON_BAD_DATA;
  if (type->dimensionCount > 8 || model->operands.size() >= kMostOperands) return NEURON_BAD_DATA;
  if (type->dimensionCount > 0 && type->dimensions == nullptr) return NEURON_UNEXPECTED_NULL;
  if (type->type == NEURON_TENSOR_QUANT8_ASYMM &&
      (!(type->scale > 0) || !std::isfinite(type->scale) || type->zeroPoint < 0 ||
       type->zeroPoint > 255))
    return NEURON_BAD_DATA;
  return Guarded([&] {
    Operand operand;
    operand.type = type->type;
    operand.scale = type->scale;
    operand.zero = type->zeroPoint;
    int64_t count = 1;
    for (uint32_t i = 0; i < type->dimensionCount; ++i) {
      // Dimensions that only the execution would know are not among what is computed here.
      if (type->dimensions[i] == 0 || type->dimensions[i] > kMostElements) {
        return static_cast<int>(NEURON_BAD_DATA);
      }
      operand.dims.push_back(type->dimensions[i]);
      count *= type->dimensions[i];
      if (count > kMostElements) return static_cast<int>(NEURON_BAD_DATA);
    }
    model->operands.push_back(std::move(operand));
    return static_cast<int>(NEURON_NO_ERROR);
  });
}

int NeuronModel_setOperandValue(NeuronModel* model, int32_t index, const void* buffer,
                                size_t length) {
  if (model == nullptr || buffer == nullptr) return NEURON_UNEXPECTED_NULL;
  if (model->finished) return NEURON_BAD_STATE;
  if (index < 0) return NEURON_BAD_DATA;
  return Guarded(
      [&] { return SetValue(model, static_cast<size_t>(index), buffer, length, false); });
}

int NeuronModel_addOperation(NeuronModel* model, NeuronOperationType type, uint32_t inputCount,
                             const uint32_t* inputs, uint32_t outputCount,
                             const uint32_t* outputs) {
  if (model == nullptr || inputs == nullptr || outputs == nullptr) return NEURON_UNEXPECTED_NULL;
  if (model->finished) return NEURON_BAD_STATE;
  return Guarded([&] {
    Operation operation;
    operation.type = type;
    operation.inputs.assign(inputs, inputs + inputCount);
    operation.outputs.assign(outputs, outputs + outputCount);
    for (const auto* list : {&operation.inputs, &operation.outputs}) {
      for (const uint32_t i : *list) {
        if (i >= model->operands.size()) return static_cast<int>(NEURON_BAD_DATA);
      }
    }
    model->operations.push_back(std::move(operation));
    return static_cast<int>(NEURON_NO_ERROR);
  });
}

int NeuronModel_identifyInputsAndOutputs(NeuronModel* model, uint32_t inputCount,
                                         const uint32_t* inputs, uint32_t outputCount,
                                         const uint32_t* outputs) {
  if (model == nullptr || inputs == nullptr || outputs == nullptr) return NEURON_UNEXPECTED_NULL;
  if (model->finished) return NEURON_BAD_STATE;
  return Guarded([&] {
    for (uint32_t i = 0; i < inputCount; ++i) {
      if (inputs[i] >= model->operands.size()) return static_cast<int>(NEURON_BAD_DATA);
    }
    for (uint32_t i = 0; i < outputCount; ++i) {
      if (outputs[i] >= model->operands.size()) return static_cast<int>(NEURON_BAD_DATA);
    }
    model->inputs.assign(inputs, inputs + inputCount);
    model->outputs.assign(outputs, outputs + outputCount);
    return static_cast<int>(NEURON_NO_ERROR);
  });
}

int NeuronModel_relaxComputationFloat32toFloat16(NeuronModel* model, bool) {
  if (model == nullptr) return NEURON_UNEXPECTED_NULL;
  return model->finished ? NEURON_BAD_STATE : NEURON_NO_ERROR;
}

int NeuronModel_getSupportedOperations(NeuronModel* model, bool* supported,
                                       uint32_t operationCount) {
  if (model == nullptr || supported == nullptr) return NEURON_UNEXPECTED_NULL;
  if (!model->finished) return NEURON_BAD_STATE;
  if (operationCount != model->operations.size()) return NEURON_BAD_DATA;
  for (uint32_t i = 0; i < operationCount; ++i) {
    supported[i] = Supported(model->operations[i].type);
  }
  return NEURON_NO_ERROR;
}

int NeuronModel_restoreFromCompiledNetwork(NeuronModel** model, NeuronCompilation** compilation,
                                           const void* buffer, const size_t size) {
  if (model == nullptr || compilation == nullptr || buffer == nullptr)
    return NEURON_UNEXPECTED_NULL;
  return Guarded([&] {
    const uint8_t* bytes = static_cast<const uint8_t*>(buffer);
    constexpr size_t kHead = sizeof kMagic + 8;
    uint64_t digest;
    if (size < kHead || std::memcmp(bytes, kMagic, sizeof kMagic) != 0) {
      return static_cast<int>(NEURON_BAD_DATA);
    }
    std::memcpy(&digest, bytes + sizeof kMagic, 8);
    if (digest != Digest(bytes + kHead, size - kHead)) return static_cast<int>(NEURON_BAD_DATA);
    auto made = std::make_unique<NeuronModel>();
    Reader reader(bytes + kHead, size - kHead);
    const int result = Unpack(&reader, made.get());
    if (result != NEURON_NO_ERROR) return result;
    auto compiled = std::make_unique<NeuronCompilation>();
    compiled->model = made.get();
    compiled->finished = true;
    *model = made.release();
    *compilation = compiled.release();
    return static_cast<int>(NEURON_NO_ERROR);
  });
}

int NeuronCompilation_create(NeuronModel* model, NeuronCompilation** compilation) {
  if (model == nullptr || compilation == nullptr) return NEURON_UNEXPECTED_NULL;
  if (!model->finished) return NEURON_BAD_STATE;
  *compilation = new (std::nothrow) NeuronCompilation;
  if (*compilation == nullptr) return NEURON_OUT_OF_MEMORY;
  (*compilation)->model = model;
  return NEURON_NO_ERROR;
}
void NeuronCompilation_free(NeuronCompilation* compilation) { delete compilation; }

int NeuronCompilation_setPreference(NeuronCompilation* compilation, int32_t preference) {
  if (compilation == nullptr) return NEURON_UNEXPECTED_NULL;
  if (compilation->finished) return NEURON_BAD_STATE;
  const bool known =
      preference >= NEURON_PREFER_LOW_POWER && preference <= NEURON_PREFER_TURBO_BOOST;
  return known ? NEURON_NO_ERROR : NEURON_BAD_DATA;
}
int NeuronCompilation_setCaching(NeuronCompilation* compilation, const char* cacheDir,
                                 const uint8_t* token) {
  if (compilation == nullptr || cacheDir == nullptr || token == nullptr)
    return NEURON_UNEXPECTED_NULL;
  return compilation->finished ? NEURON_BAD_STATE : NEURON_NO_ERROR;
}
int NeuronCompilation_finish(NeuronCompilation* compilation) {
  if (compilation == nullptr) return NEURON_UNEXPECTED_NULL;
  if (compilation->finished) return NEURON_BAD_STATE;
  compilation->finished = true;
  return NEURON_NO_ERROR;
}
int NeuronCompilation_getCompiledNetworkSize(NeuronCompilation* compilation, size_t* size) {
  if (compilation == nullptr || size == nullptr) return NEURON_UNEXPECTED_NULL;
  if (!compilation->finished) return NEURON_BAD_STATE;
  return Guarded([&] {
    *size = Pack(*compilation->model).size();
    return static_cast<int>(NEURON_NO_ERROR);
  });
}
int NeuronCompilation_storeCompiledNetwork(NeuronCompilation* compilation, void* buffer,
                                           const size_t size) {
  if (compilation == nullptr || buffer == nullptr) return NEURON_UNEXPECTED_NULL;
  if (!compilation->finished) return NEURON_BAD_STATE;
  return Guarded([&] {
    const std::vector<uint8_t> bytes = Pack(*compilation->model);
    if (size < bytes.size()) return static_cast<int>(NEURON_OUTPUT_INSUFFICIENT_SIZE);
    std::memcpy(buffer, bytes.data(), bytes.size());
    return static_cast<int>(NEURON_NO_ERROR);
  });
}

int NeuronExecution_create(NeuronCompilation* compilation, NeuronExecution** execution) {
  if (compilation == nullptr || execution == nullptr) return NEURON_UNEXPECTED_NULL;
  if (!compilation->finished) return NEURON_BAD_STATE;
  return Guarded([&] {
    auto made = std::make_unique<NeuronExecution>();
    const NeuronModel& model = *compilation->model;
    made->compilation = compilation;
    made->inputs.resize(model.inputs.size());
    made->outputs.resize(model.outputs.size());
    made->rooms.resize(model.operands.size());
    for (const Operation& operation : model.operations) {
      for (const uint32_t i : operation.outputs) made->rooms[i].resize(model.operands[i].bytes());
    }
    *execution = made.release();
    return static_cast<int>(NEURON_NO_ERROR);
  });
}
void NeuronExecution_free(NeuronExecution* execution) { delete execution; }

int NeuronExecution_setInput(NeuronExecution* execution, int32_t index,
                             const NeuronOperandType* type, const void* buffer, size_t length) {
  if (execution == nullptr || buffer == nullptr) return NEURON_UNEXPECTED_NULL;
  const NeuronModel& model = *execution->compilation->model;
  if (index < 0 || static_cast<size_t>(index) >= model.inputs.size()) return NEURON_BAD_DATA;
  const Operand& operand = model.operands[model.inputs[index]];
  if (!SameType(operand, type) || length != operand.bytes()) return NEURON_BAD_DATA;
  execution->inputs[index] = static_cast<const uint8_t*>(buffer);
  return NEURON_NO_ERROR;
}
int NeuronExecution_setOutput(NeuronExecution* execution, int32_t index,
                              const NeuronOperandType* type, void* buffer, size_t length) {
  if (execution == nullptr || buffer == nullptr) return NEURON_UNEXPECTED_NULL;
  const NeuronModel& model = *execution->compilation->model;
  if (index < 0 || static_cast<size_t>(index) >= model.outputs.size()) return NEURON_BAD_DATA;
  const Operand& operand = model.operands[model.outputs[index]];
  if (!SameType(operand, type)) return NEURON_BAD_DATA;
  if (length < operand.bytes()) return NEURON_OUTPUT_INSUFFICIENT_SIZE;
  execution->outputs[index] = static_cast<uint8_t*>(buffer);
  return NEURON_NO_ERROR;
}
int NeuronExecution_setInputFromMemory(NeuronExecution* execution, uint32_t index,
                                       const NeuronOperandType* type, const NeuronMemory* memory,
                                       size_t offset, size_t length) {
  if (execution == nullptr || memory == nullptr) return NEURON_UNEXPECTED_NULL;
  if (!Within(*memory, offset, length, PROT_READ) || index > INT32_MAX) return NEURON_BAD_DATA;
  return NeuronExecution_setInput(execution, static_cast<int32_t>(index), type,
                                  memory->data + offset, length);
}
int NeuronExecution_setOutputFromMemory(NeuronExecution* execution, uint32_t index,
                                        const NeuronOperandType* type, const NeuronMemory* memory,
                                        size_t offset, size_t length) {
  if (execution == nullptr || memory == nullptr) return NEURON_UNEXPECTED_NULL;
  if (!Within(*memory, offset, length, PROT_WRITE) || index > INT32_MAX) return NEURON_BAD_DATA;
  return NeuronExecution_setOutput(execution, static_cast<int32_t>(index), type,
                                   memory->data + offset, length);
}
int NeuronExecution_setBoostHint(NeuronExecution* execution, uint8_t boostValue) {
  if (execution == nullptr) return NEURON_UNEXPECTED_NULL;
  return boostValue <= 100 ? NEURON_NO_ERROR : NEURON_BAD_DATA;
}

int NeuronExecution_compute(NeuronExecution* execution) {
  if (execution == nullptr) return NEURON_UNEXPECTED_NULL;
  if (execution->computed) return NEURON_BAD_STATE;
  const NeuronModel& model = *execution->compilation->model;
  for (const uint8_t* input : execution->inputs) {
    if (input == nullptr) return NEURON_BAD_DATA;
  }
  for (const uint8_t* output : execution->outputs) {
    if (output == nullptr) return NEURON_BAD_DATA;
  }
  execution->computed = true;
  return Guarded([&] {
    // Operations write only to rooms.
    std::vector<uint8_t*> data(model.operands.size(), nullptr);
    for (size_t i = 0; i < data.size(); ++i) {
      data[i] = model.operands[i].value != nullptr
                    ? const_cast<uint8_t*>(static_cast<const uint8_t*>(model.operands[i].value))
                    : execution->rooms[i].data();
    }
    for (size_t i = 0; i < model.inputs.size(); ++i) {
      data[model.inputs[i]] = const_cast<uint8_t*>(execution->inputs[i]);
    }
    for (const Operation& operation : model.operations) {
      const int result = Perform(Call(model, operation, data.data()));
      if (result != NEURON_NO_ERROR) return result;
    }
    for (size_t i = 0; i < model.outputs.size(); ++i) {
      std::memcpy(execution->outputs[i], data[model.outputs[i]],
                  model.operands[model.outputs[i]].bytes());
    }
    return static_cast<int>(NEURON_NO_ERROR);
  });
}

int NeuronMemory_createFromFd(size_t size, int protect, int fd, size_t offset,
                              NeuronMemory** memory) {
  if (memory == nullptr) return NEURON_UNEXPECTED_NULL;
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t skipped = offset % page;
  struct stat file;
  if (fstat(fd, &file) != 0) return NEURON_UNMAPPABLE;
  // What a file does not have cannot be touched.
  const size_t room = static_cast<size_t>(file.st_size);
  if (size == 0 || offset > room || size > room - offset) return NEURON_BAD_DATA;
  void* at =
      mmap(nullptr, size + skipped, protect, MAP_SHARED, fd, static_cast<off_t>(offset - skipped));
  if (at == MAP_FAILED) return NEURON_UNMAPPABLE;
  *memory = new (std::nothrow) NeuronMemory;
  if (*memory == nullptr) {
    munmap(at, size + skipped);
    return NEURON_OUT_OF_MEMORY;
  }
  **memory = {static_cast<uint8_t*>(at) + skipped, size, size + skipped, skipped, protect};
  return NEURON_NO_ERROR;
}
void NeuronMemory_free(NeuronMemory* memory) {
  if (memory == nullptr) return;
  munmap(memory->data - memory->skipped, memory->mapped);
  delete memory;
}

}  // extern "C"
