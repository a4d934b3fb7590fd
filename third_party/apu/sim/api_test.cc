// The library through its interface: every operation as it is meant, and models that are not.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "third_party/apu/include/NeuronAdapter.h"
#include "third_party/apu/sim/model.h"

namespace {

// A model before the library has seen it.
struct Described {
  struct Value {
    int32_t type = 0;
    std::vector<uint32_t> dims;
    float scale = 0;
    int32_t zero = 0;
    bool constant = false;
    std::vector<uint8_t> bytes;
  };
  struct Step {
    int type = 0;
    std::vector<uint32_t> inputs, outputs;
  };
  std::vector<Value> values;
  std::vector<Step> steps;
  std::vector<uint32_t> inputs, outputs;

  uint32_t Add(Value value) {
    values.push_back(std::move(value));
    return static_cast<uint32_t>(values.size() - 1);
  }
  template <typename T>
  uint32_t Constant(int32_t type, const std::vector<uint32_t>& dims, const std::vector<T>& numbers,
                    float scale = 0) {
    Value value = {type, dims, scale, 0, true, {}};
    value.bytes.resize(numbers.size() * sizeof(T));
    std::memcpy(value.bytes.data(), numbers.data(), value.bytes.size());
    return Add(std::move(value));
  }
  uint32_t Int(int32_t number) { return Constant<int32_t>(NEURON_INT32, {}, {number}); }
  uint32_t Bool(bool flag) { return Constant<uint8_t>(NEURON_BOOL, {}, {flag}); }
  uint32_t Ints(const std::vector<int32_t>& numbers) {
    return Constant(NEURON_TENSOR_INT32, {static_cast<uint32_t>(numbers.size())}, numbers);
  }
  // Codes in steps of 0.5 from −50.
  uint32_t Codes(const std::vector<uint32_t>& dims) {
    return Add({NEURON_TENSOR_QUANT8_ASYMM, dims, 0.5f, 100, false, {}});
  }
  uint32_t Weights(const std::vector<uint32_t>& dims) {
    size_t count = 1;
    for (const uint32_t d : dims) count *= d;
    std::vector<uint8_t> codes(count);
    for (size_t i = 0; i < count; ++i) codes[i] = static_cast<uint8_t>(i * 37);
    Value value = {NEURON_TENSOR_QUANT8_ASYMM, dims, 0.25f, 128, true, std::move(codes)};
    return Add(std::move(value));
  }
  uint32_t Bias(uint32_t channels) {
    return Constant<int32_t>(NEURON_TENSOR_INT32, {channels}, std::vector<int32_t>(channels, 5),
                             0.125f);
  }

  // One step from the input to a new tensor, which is an output.
  void End(int type, uint32_t x, const std::vector<uint32_t>& further,
           const std::vector<uint32_t>& dims) {
    Step step = {type, {x}, {Codes(dims)}};
    step.inputs.insert(step.inputs.end(), further.begin(), further.end());
    outputs = step.outputs;
    steps.push_back(step);
  }
};

constexpr uint32_t kN = 1, kSide = 4, kDepth = 4;

// The operation from x, codes [1, 4, 4, 4]; null where nothing is known about it.
using Write = std::function<void(Described*, int type, uint32_t x)>;
const Write* Example(int type) {
  static const std::vector<uint32_t> kImage = {kN, kSide, kSide, kDepth};
  const auto window = [](Described* d, const std::vector<int32_t>& numbers) {
    std::vector<uint32_t> indices;
    for (const int32_t n : numbers) indices.push_back(d->Int(n));
    return indices;
  };
  const Write pair = [](Described* d, int t, uint32_t x) {
    d->End(t, x, {d->Weights({kSide, 1, kDepth}), d->Int(1)}, kImage);
  };
  const Write extreme = [](Described* d, int t, uint32_t x) {
    d->End(t, x, {d->Weights({kDepth})}, kImage);
  };
  const Write function = [](Described* d, int t, uint32_t x) { d->End(t, x, {}, kImage); };
  const Write fraction = [](Described* d, int t, uint32_t x) {
    d->End(t, x, {}, kImage);
    d->values.back().scale = t == NEURON_TANH ? 1.0f / 128 : 1.0f / 256;
    d->values.back().zero = t == NEURON_TANH ? 128 : 0;
  };
  const Write pool = [=](Described* d, int t, uint32_t x) {
    d->End(t, x, window(d, {0, 1, 1, 0, 2, 1, 3, 2, 1}), {kN, 4, 2, kDepth});
  };
  const Write resize = [](Described* d, int t, uint32_t x) {
    d->End(t, x, {d->Int(7), d->Int(3), d->Bool(false), d->Bool(false), d->Bool(true)},
           {kN, 3, 7, kDepth});
  };
  static const std::map<int, Write> kExamples = {
      {NEURON_ADD, pair},
      {NEURON_SUB, pair},
      {NEURON_MUL, pair},
      {NEURON_MINIMUM, extreme},
      {NEURON_MAXIMUM, extreme},
      {NEURON_PRELU, extreme},
      {NEURON_RELU, function},
      {NEURON_RELU1, function},
      {NEURON_RELU6, function},
      {NEURON_HARD_SWISH, function},
      {NEURON_LOGISTIC, fraction},
      {NEURON_TANH, fraction},
      {NEURON_AVERAGE_POOL_2D, pool},
      {NEURON_MAX_POOL_2D, pool},
      {NEURON_RESIZE_BILINEAR, resize},
      {NEURON_RESIZE_NEAREST_NEIGHBOR, resize},
      {NEURON_CONV_2D,
       [=](Described* d, int t, uint32_t x) {
         std::vector<uint32_t> further = {d->Weights({3, 2, 2, kDepth}), d->Bias(3)};
         for (const uint32_t i : window(d, {1, 1, 0, 2, 1, 2, 3})) further.push_back(i);
         further.push_back(d->Bool(false));
         for (const uint32_t i : window(d, {2, 1})) further.push_back(i);
         d->End(t, x, further, {kN, 3, 4, 3});
       }},
      {NEURON_DEPTHWISE_CONV_2D,
       [=](Described* d, int t, uint32_t x) {
         std::vector<uint32_t> further = {d->Weights({1, 3, 3, 2 * kDepth}), d->Bias(2 * kDepth)};
         for (const uint32_t i : window(d, {1, 1, 1, 1, 1, 1, 2, 0})) further.push_back(i);
         d->End(t, x, further, {kN, kSide, kSide, 2 * kDepth});
       }},
      {NEURON_TRANSPOSE_CONV_2D,
       [=](Described* d, int t, uint32_t x) {
         std::vector<uint32_t> further = {d->Weights({3, 3, 3, kDepth}), d->Bias(3)};
         for (const uint32_t i : window(d, {0, 1, 1, 1, 2, 2, 0})) further.push_back(i);
         further.push_back(d->Bool(false));
         d->End(t, x, further, {kN, 7, 8, 3});
       }},
      {NEURON_FULLY_CONNECTED,
       [](Described* d, int t, uint32_t x) {
         d->End(t, x, {d->Weights({5, 64}), d->Bias(5), d->Int(0)}, {1, 5});
       }},
      {NEURON_SOFTMAX,
       [](Described* d, int t, uint32_t x) {
         d->End(t, x, {d->Constant<float>(NEURON_FLOAT32, {}, {1.5f})}, kImage);
         d->values.back().scale = 1.0f / 256;
         d->values.back().zero = 0;
       }},
      {NEURON_CONCATENATION,
       [](Described* d, int t, uint32_t x) {
         d->End(t, x, {d->Weights({kN, kSide, 2, kDepth}), d->Int(-2)}, {kN, kSide, 6, kDepth});
       }},
      {NEURON_SPLIT,
       [](Described* d, int t, uint32_t x) {
         d->End(t, x, {d->Int(3), d->Int(2)}, {kN, kSide, kSide, 2});
         d->outputs.push_back(d->Codes({kN, kSide, kSide, 2}));
         d->steps.back().outputs = d->outputs;
       }},
      {NEURON_MEAN,
       [](Described* d, int t, uint32_t x) {
         d->End(t, x, {d->Ints({1, -1}), d->Int(0)}, {kN, kSide});
       }},
      {NEURON_PAD,
       [](Described* d, int t, uint32_t x) {
         const uint32_t pads =
             d->Constant<int32_t>(NEURON_TENSOR_INT32, {4, 2}, {0, 0, 1, 2, 0, 3, 0, 0});
         d->End(t, x, {pads}, {kN, 7, 7, kDepth});
       }},
      {NEURON_TRANSPOSE,
       [](Described* d, int t, uint32_t x) {
         d->End(t, x, {d->Ints({0, 3, 1, 2})}, kImage);
       }},
      {NEURON_STRIDED_SLICE,
       [](Described* d, int t, uint32_t x) {
         d->End(t, x,
                {d->Ints({0, 3, 0, 1}), d->Ints({1, -9, 3, 4}), d->Ints({1, -2, 1, 1}), d->Int(0),
                 d->Int(0), d->Int(0)},
                {kN, 2, 3, 3});
       }},
      {NEURON_RESHAPE,
       [](Described* d, int t, uint32_t x) {
         d->End(t, x, {d->Ints({8, -1})}, {8, 8});
       }},
      {NEURON_SPACE_TO_DEPTH,
       [](Described* d, int t, uint32_t x) {
         d->End(t, x, {d->Int(2)}, {kN, 2, 2, 16});
       }},
      {NEURON_DEPTH_TO_SPACE,
       [](Described* d, int t, uint32_t x) {
         d->End(t, x, {d->Int(2)}, {kN, 8, 8, 1});
       }},
  };
  const auto found = kExamples.find(type);
  return found == kExamples.end() ? nullptr : &found->second;
}

std::vector<int> SupportedTypes() {
  std::vector<int> types;
  for (int type = -1; type < 1000; ++type) {
    if (Supported(type)) types.push_back(type);
  }
  return types;
}

Described ModelOf(int type) {
  Described d;
  d.inputs = {d.Codes({kN, kSide, kSide, kDepth})};
  const Write* write = Example(type);
  if (write == nullptr) {
    ADD_FAILURE() << "no example of operation " << type;
  } else {
    (*write)(&d, type, d.inputs[0]);
  }
  return d;
}

struct Free {
  void operator()(NeuronModel* model) const { NeuronModel_free(model); }
  void operator()(NeuronCompilation* compilation) const { NeuronCompilation_free(compilation); }
  void operator()(NeuronExecution* execution) const { NeuronExecution_free(execution); }
  void operator()(NeuronMemory* memory) const { NeuronMemory_free(memory); }
  void operator()(void* memory) const { std::free(memory); }
};

#define RETURN_IF_ERROR(expression)                               \
  do {                                                            \
    const int result_of_call = (expression);                      \
    if (result_of_call != NEURON_NO_ERROR) return result_of_call; \
  } while (false)

int Fill(const Described& d, NeuronModel* model) {
  for (const Described::Value& value : d.values) {
    const NeuronOperandType type = {value.type, static_cast<uint32_t>(value.dims.size()),
                                    value.dims.data(), value.scale, value.zero};
    RETURN_IF_ERROR(NeuronModel_addOperand(model, &type));
  }
  for (size_t i = 0; i < d.values.size(); ++i) {
    if (!d.values[i].constant) continue;
    RETURN_IF_ERROR(NeuronModel_setOperandValue(
        model, static_cast<int32_t>(i), d.values[i].bytes.data(), d.values[i].bytes.size()));
  }
  for (const Described::Step& step : d.steps) {
    RETURN_IF_ERROR(NeuronModel_addOperation(
        model, step.type, static_cast<uint32_t>(step.inputs.size()), step.inputs.data(),
        static_cast<uint32_t>(step.outputs.size()), step.outputs.data()));
  }
  RETURN_IF_ERROR(NeuronModel_identifyInputsAndOutputs(
      model, static_cast<uint32_t>(d.inputs.size()), d.inputs.data(),
      static_cast<uint32_t>(d.outputs.size()), d.outputs.data()));
  return NeuronModel_finish(model);
}

// Memory that is there when it is touched.
std::unique_ptr<uint8_t, Free> Room(const Described::Value& value, size_t* size) {
  *size = value.type == NEURON_TENSOR_QUANT8_ASYMM ? 1 : 4;
  for (const uint32_t dim : value.dims) *size *= dim;
  return std::unique_ptr<uint8_t, Free>(static_cast<uint8_t*>(std::calloc(*size, 1)));
}

int Execute(const Described& d, NeuronCompilation* compilation,
            std::vector<std::vector<uint8_t>>* results) {
  NeuronExecution* made = nullptr;
  RETURN_IF_ERROR(NeuronExecution_create(compilation, &made));
  const std::unique_ptr<NeuronExecution, Free> execution(made);
  std::vector<std::unique_ptr<uint8_t, Free>> rooms;
  size_t size;
  for (size_t i = 0; i < d.inputs.size(); ++i) {
    rooms.push_back(Room(d.values[d.inputs[i]], &size));
    for (size_t k = 0; k < size && k < 256; ++k) rooms.back().get()[k] = static_cast<uint8_t>(k);
    RETURN_IF_ERROR(NeuronExecution_setInput(execution.get(), static_cast<int32_t>(i), nullptr,
                                             rooms.back().get(), size));
  }
  const size_t inputs = rooms.size();
  for (size_t i = 0; i < d.outputs.size(); ++i) {
    rooms.push_back(Room(d.values[d.outputs[i]], &size));
    RETURN_IF_ERROR(NeuronExecution_setOutput(execution.get(), static_cast<int32_t>(i), nullptr,
                                              rooms.back().get(), size));
  }
  RETURN_IF_ERROR(NeuronExecution_compute(execution.get()));
  for (size_t i = inputs; i < rooms.size(); ++i) {
    Room(d.values[d.outputs[i - inputs]], &size);
    results->emplace_back(rooms[i].get(), rooms[i].get() + std::min<size_t>(size, 1 << 16));
  }
  return NEURON_NO_ERROR;
}

using Results = std::vector<std::vector<uint8_t>>;

// Builds and runs a model, then what the library stored of it: the same codes.
int BuildAndRun(const Described& d) {
  NeuronModel* made = nullptr;
  RETURN_IF_ERROR(NeuronModel_create(&made));
  const std::unique_ptr<NeuronModel, Free> model(made);
  RETURN_IF_ERROR(Fill(d, model.get()));
  NeuronCompilation* compiled = nullptr;
  RETURN_IF_ERROR(NeuronCompilation_create(model.get(), &compiled));
  const std::unique_ptr<NeuronCompilation, Free> compilation(compiled);
  RETURN_IF_ERROR(NeuronCompilation_finish(compilation.get()));
  Results results, again;
  RETURN_IF_ERROR(Execute(d, compilation.get(), &results));
  size_t size = 0;
  RETURN_IF_ERROR(NeuronCompilation_getCompiledNetworkSize(compilation.get(), &size));
  std::vector<uint8_t> stored(size);
  RETURN_IF_ERROR(NeuronCompilation_storeCompiledNetwork(compilation.get(), stored.data(), size));
  NeuronModel* other = nullptr;
  NeuronCompilation* others = nullptr;
  EXPECT_EQ(NeuronModel_restoreFromCompiledNetwork(&other, &others, stored.data(), size), 0);
  if (other == nullptr) return NEURON_OP_FAILED;
  const std::unique_ptr<NeuronModel, Free> restored(other);
  const std::unique_ptr<NeuronCompilation, Free> restored_compilation(others);
  EXPECT_EQ(Execute(d, restored_compilation.get(), &again), 0);
  EXPECT_EQ(results, again);
  return NEURON_NO_ERROR;
}

TEST(Neuron, EveryOperationRuns) {
  const std::vector<int> types = SupportedTypes();
  EXPECT_GE(types.size(), 30u);
  for (const int type : types) EXPECT_EQ(BuildAndRun(ModelOf(type)), NEURON_NO_ERROR) << type;
}

// Whatever a caller describes, the library gives a result code or codes.
class Damage {
 public:
  explicit Damage(uint64_t seed) : engine_(seed) {}

  size_t Any(size_t count) { return static_cast<size_t>(engine_() % count); }
  void operator()(Described* d) {
    Described::Step& step = d->steps[Any(d->steps.size())];
    Described::Value& value = d->values[Any(d->values.size())];
    std::vector<uint32_t>& operands = Any(4) == 0 ? step.outputs : step.inputs;
    switch (Any(14)) {
      case 0:
        Index(&operands);
        break;
      case 1:
        Index(Any(2) == 0 ? &d->inputs : &d->outputs);
        break;
      case 2:
        operands.resize(Any(operands.size() + 1));
        break;
      case 3:
        operands.insert(operands.begin() + static_cast<std::ptrdiff_t>(Any(operands.size() + 1)),
                        static_cast<uint32_t>(Any(d->values.size())));
        break;
      case 4: {
        constexpr int32_t kTypes[] = {0, 1, 2, 3, 4, 5, 6, 7, 13, 14, -1, INT32_MAX};
        value.type = kTypes[Any(sizeof kTypes / sizeof kTypes[0])];
        break;
      }
      case 5: {
        constexpr float kInfinite = std::numeric_limits<float>::infinity();
        constexpr float kScales[] = {0,         -1,         1e-45f,     1e-38f,     3e38f, 1e20f,
                                     kInfinite, -kInfinite, 1.0f / 256, 1.0f / 128, 0.25f};
        value.scale = Any(12) == 0 ? std::numeric_limits<float>::quiet_NaN()
                                   : kScales[Any(sizeof kScales / sizeof kScales[0])];
        break;
      }
      case 6:
        value.zero = Number();
        break;
      case 7:
        if (value.dims.empty()) {
          value.dims = {1};
        } else {
          value.dims[Any(value.dims.size())] = static_cast<uint32_t>(Number());
        }
        break;
      case 8:
        if (Any(2) == 0) {
          value.dims.push_back(static_cast<uint32_t>(1 + Any(3)));
        } else if (!value.dims.empty()) {
          value.dims.pop_back();
        }
        break;
      case 9:
        value.bytes.resize(Any(2 * value.bytes.size() + 2));
        break;
      case 10:
        value.constant = !value.constant;
        break;
      case 11: {
        static const std::vector<int> types = SupportedTypes();
        step.type = Any(10) == 0 ? Number() : types[Any(types.size())];
        break;
      }
      default:
        // Numbers inside of constants.
        if (value.bytes.size() % 4 == 0 && !value.bytes.empty()) {
          const int32_t number = Number();
          std::memcpy(value.bytes.data() + 4 * Any(value.bytes.size() / 4), &number, 4);
        } else if (!value.bytes.empty()) {
          value.bytes[Any(value.bytes.size())] = static_cast<uint8_t>(engine_());
        }
    }
  }

 private:
  int32_t Number() {
    constexpr int32_t kOdd[] = {0,  1,  2,   3,   4,       5,       7,         16,        64,
                                -1, -2, 255, 256, 1 << 16, 1 << 20, INT32_MAX, INT32_MIN, 1 << 28};
    return kOdd[Any(sizeof kOdd / sizeof kOdd[0])];
  }
  void Index(std::vector<uint32_t>* list) {
    if (list->empty()) return;
    (*list)[Any(list->size())] = static_cast<uint32_t>(Number());
  }

  std::mt19937_64 engine_;
};

TEST(Neuron, DamagedModels) {
  const char* given = std::getenv("MACE_TEST_SEED");
  const uint64_t seed = given == nullptr ? 20240229 : std::strtoull(given, nullptr, 10);
  SCOPED_TRACE("MACE_TEST_SEED=" + std::to_string(seed));
  Damage damage(seed);
  std::map<int, int> results;
  for (const int type : SupportedTypes()) {
    const Described good = ModelOf(type);
    ASSERT_FALSE(good.steps.empty());
    for (int i = 0; i < 2000; ++i) {
      Described d = good;
      const size_t count = 1 + damage.Any(3);
      for (size_t k = 0; k < count; ++k) damage(&d);
      const int result = BuildAndRun(d);
      EXPECT_GE(result, NEURON_NO_ERROR);
      EXPECT_LE(result, NEURON_DEAD_OBJECT);
      ++results[result];
    }
  }
  EXPECT_GT(results[NEURON_NO_ERROR], 6000) << "hardly any was a model";
  EXPECT_GT(results[NEURON_BAD_DATA], 20000);
}

// The sizes fit each other, but there is neither memory nor time for them.
TEST(Neuron, ModelsThatAreTooLarge) {
  Described memory;
  memory.inputs = {memory.Codes({1 << 28})};
  for (int i = 0; i < 2; ++i) {
    memory.End(NEURON_RELU, memory.inputs[0], {}, {1 << 28});
  }
  EXPECT_EQ(BuildAndRun(memory), NEURON_OUT_OF_MEMORY);
  // A filter that is as large as half the image.
  const auto run = [](uint32_t side) {
    Described time;
    time.inputs = {time.Codes({1, side, side, 4}), time.Codes({1, side / 2, side / 2, 4})};
    std::vector<uint32_t> further = {time.inputs[1], time.Bias(1)};
    time.values[further[1]].scale = 0.25f;
    for (const int32_t n : {0, 0, 0, 0, 1, 1, 0}) further.push_back(time.Int(n));
    const uint32_t out = side / 2 + 1;
    time.End(NEURON_CONV_2D, time.inputs[0], further, {1, out, out, 1});
    return BuildAndRun(time);
  };
  EXPECT_EQ(run(1 << 5), NEURON_NO_ERROR);
  EXPECT_EQ(run(1 << 12), NEURON_RESOURCE_EXHAUSTED_PERSISTENT);
}

TEST(Neuron, NothingIsNotFollowed) {
  const NeuronOperandType type = {NEURON_INT32, 0, nullptr, 0, 0};
  const uint32_t index = 0;
  bool flag;
  size_t size;
  uint8_t byte = 0;
  NeuronModel* model = nullptr;
  NeuronCompilation* compilation = nullptr;
  NeuronExecution* execution = nullptr;
  NeuronMemory* memory = nullptr;
  for (const int result : {
           Neuron_getVersion(nullptr),
           NeuronModel_create(nullptr),
           NeuronModel_finish(nullptr),
           NeuronModel_addOperand(nullptr, &type),
           NeuronModel_setOperandValue(nullptr, 0, &byte, 1),
           NeuronModel_addOperation(nullptr, 0, 1, &index, 1, &index),
           NeuronModel_identifyInputsAndOutputs(nullptr, 1, &index, 1, &index),
           NeuronModel_relaxComputationFloat32toFloat16(nullptr, true),
           NeuronModel_getSupportedOperations(nullptr, &flag, 1),
           NeuronModel_restoreFromCompiledNetwork(&model, &compilation, nullptr, 1),
           NeuronCompilation_create(nullptr, &compilation),
           NeuronCompilation_setPreference(nullptr, 0),
           NeuronCompilation_setCaching(nullptr, "", &byte),
           NeuronCompilation_finish(nullptr),
           NeuronCompilation_getCompiledNetworkSize(nullptr, &size),
           NeuronCompilation_storeCompiledNetwork(nullptr, &byte, 1),
           NeuronExecution_create(nullptr, &execution),
           NeuronExecution_setInput(nullptr, 0, nullptr, &byte, 1),
           NeuronExecution_setOutput(nullptr, 0, nullptr, &byte, 1),
           NeuronExecution_setInputFromMemory(nullptr, 0, nullptr, memory, 0, 1),
           NeuronExecution_setOutputFromMemory(nullptr, 0, nullptr, memory, 0, 1),
           NeuronExecution_setBoostHint(nullptr, 1),
           NeuronExecution_compute(nullptr),
           NeuronMemory_createFromFd(1, PROT_READ, 0, 0, nullptr),
       }) {
    EXPECT_EQ(result, NEURON_UNEXPECTED_NULL);
  }
  NeuronModel_free(nullptr);
  NeuronCompilation_free(nullptr);
  NeuronExecution_free(nullptr);
  NeuronMemory_free(nullptr);
}

TEST(Neuron, MemoryOfAFile) {
  const int file = memfd_create("test", 0);
  ASSERT_GE(file, 0);
  ASSERT_EQ(ftruncate(file, 100), 0);
  NeuronMemory* made = nullptr;
  EXPECT_EQ(NeuronMemory_createFromFd(1, PROT_READ, -1, 0, &made), NEURON_UNMAPPABLE);
  for (const auto& [size, offset] : std::vector<std::pair<size_t, size_t>>{
           {0, 0}, {101, 0}, {100, 1}, {1, 101}, {SIZE_MAX, 1}, {1, SIZE_MAX}, {1, 1 << 20}}) {
    EXPECT_EQ(NeuronMemory_createFromFd(size, PROT_READ, file, offset, &made), NEURON_BAD_DATA)
        << size << " from " << offset;
  }
  ASSERT_EQ(NeuronMemory_createFromFd(90, PROT_READ, file, 10, &made), NEURON_NO_ERROR);
  const std::unique_ptr<NeuronMemory, Free> memory(made);

  const Described d = ModelOf(NEURON_RELU);
  NeuronModel* model_made = nullptr;
  ASSERT_EQ(NeuronModel_create(&model_made), NEURON_NO_ERROR);
  const std::unique_ptr<NeuronModel, Free> model(model_made);
  ASSERT_EQ(Fill(d, model.get()), NEURON_NO_ERROR);
  NeuronCompilation* compiled = nullptr;
  ASSERT_EQ(NeuronCompilation_create(model.get(), &compiled), NEURON_NO_ERROR);
  const std::unique_ptr<NeuronCompilation, Free> compilation(compiled);
  NeuronExecution* executed = nullptr;
  EXPECT_EQ(NeuronExecution_create(compiled, &executed), NEURON_BAD_STATE) << "not finished";
  ASSERT_EQ(NeuronCompilation_finish(compiled), NEURON_NO_ERROR);
  ASSERT_EQ(NeuronExecution_create(compiled, &executed), NEURON_NO_ERROR);
  const std::unique_ptr<NeuronExecution, Free> execution(executed);
  const auto input = [&](uint32_t index, size_t offset, size_t length) {
    return NeuronExecution_setInputFromMemory(executed, index, nullptr, memory.get(), offset,
                                              length);
  };
  EXPECT_EQ(input(0, 26, 64), NEURON_NO_ERROR);
  EXPECT_EQ(input(0, 27, 64), NEURON_BAD_DATA);
  EXPECT_EQ(input(0, 0, 63), NEURON_BAD_DATA);
  EXPECT_EQ(input(0, SIZE_MAX, 64), NEURON_BAD_DATA);
  EXPECT_EQ(input(1, 0, 64), NEURON_BAD_DATA);
  EXPECT_EQ(input(UINT32_MAX, 0, 64), NEURON_BAD_DATA);
  EXPECT_EQ(NeuronExecution_setOutputFromMemory(executed, 0, nullptr, memory.get(), 0, 64),
            NEURON_BAD_DATA)
      << "it is for reading";
  EXPECT_EQ(NeuronExecution_compute(executed), NEURON_BAD_DATA) << "there is no output";
  close(file);
}

}  // namespace
