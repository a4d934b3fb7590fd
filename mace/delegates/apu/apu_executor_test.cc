#include "mace/delegates/apu/apu_executor.h"

#include <dlfcn.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "mace/runtime/file.h"
#include "third_party/apu/include/NeuronAdapter.h"

namespace mace {
namespace delegates {
namespace {

using runtime::AcceleratorOptions;
using runtime::Executor;
using runtime::NetDef;

constexpr char kSimulator[] = "third_party/apu/sim/libneuron_adapter_sim.so";
constexpr char kFake[] = "mace/delegates/apu/libfake_neuron.so";
constexpr char kOther[] = "mace/delegates/libanswer.so";

struct Net {
  NetDef def;
  std::vector<uint8_t> data;
};

// y = the greater of each two neighbours among [1, 1, 4, 1], in steps of 0.5 from −50.
Net Maxima() {
  Net net;
  runtime::PortDef port;
  port.name = "x";
  port.dims = {1, 1, 4, 1};
  port.scale = 0.5f;
  port.zero_point = 100;
  net.def.inputs.push_back(port);
  port.name = "y";
  port.dims = {1, 1, 2, 1};
  net.def.outputs.push_back(port);
  runtime::OperatorDef op;
  op.name = "pool";
  op.type = "Pooling";
  op.inputs = {"x"};
  const auto constant = [&](const std::string& name, const std::vector<int32_t>& values) {
    runtime::ConstDef def;
    def.name = name;
    def.type = 4;
    def.dims = {static_cast<int64_t>(values.size())};
    def.has_size = true;
    def.size = static_cast<int64_t>(values.size());
    def.offset = static_cast<int64_t>(net.data.size());
    net.data.resize(net.data.size() + 4 * values.size());
    std::memcpy(net.data.data() + def.offset, values.data(), 4 * values.size());
    net.def.tensors.push_back(def);
    op.inputs.push_back(name);
  };
  constant("strides", {1, 2});
  constant("paddings", {0, 0, 0, 0});
  constant("kernels", {1, 2});
  runtime::Attribute type;
  type.name = "pooling_type";
  type.has_i = true;
  type.i = 2;
  op.arguments.push_back(type);
  op.outputs = {"y"};
  op.shapes = {{1, 1, 2, 1}};
  op.types = {2};
  runtime::QuantizeInfo info;
  info.scale = 0.5f;
  info.zero_point = 100;
  op.quantize_info = {info};
  net.def.ops.push_back(op);
  return net;
}

AcceleratorOptions Using(const std::string& library) {
  AcceleratorOptions options;
  options.library = library;
  return options;
}

Status CreateAndRun(const Net& net, const AcceleratorOptions& options,
                    std::vector<float>* y = nullptr) {
  std::unique_ptr<Executor> executor;
  MACE_RETURN_IF_ERROR(
      CreateApuExecutor(net.def, net.data.data(), net.data.size(), options, &executor));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x = {-3, 1.1f, 1000, nan};
  const void* inputs[] = {x.data()};
  // Twice: executions are not kept.
  MACE_RETURN_IF_ERROR(executor->Run(inputs, nullptr));
  MACE_RETURN_IF_ERROR(executor->Run(inputs, nullptr));
  const float* values = static_cast<const float*>(executor->output(0));
  if (y != nullptr) y->assign(values, values + 2);
  return Status();
}

const std::vector<float> kMaxima = {1, 77.5f};

TEST(ApuExecutor, RoundsInputsAndRuns) {
  std::vector<float> y;
  const Status status = CreateAndRun(Maxima(), Using(kSimulator), &y);
  ASSERT_TRUE(status.ok()) << status.Render();
  EXPECT_EQ(y, kMaxima);
}

TEST(ApuExecutor, OtherLibraries) {
  EXPECT_EQ(CreateAndRun(Maxima(), Using(kOther)).code(), 503);
  EXPECT_EQ(CreateAndRun(Maxima(), Using("./nowhere.so")).ok(), false);
}

TEST(ApuExecutor, CompiledNetworks) {
  const std::string path = ::testing::TempDir() + "/compiled";
  AcceleratorOptions options = Using(kSimulator);
  options.cache_file = options.cache_storage = path;
  std::vector<float> y;
  options.cache_policy = 2;
  EXPECT_FALSE(CreateAndRun(Maxima(), options).ok()) << "there is none yet";
  for (const int policy : {1, 2, 3}) {
    options.cache_policy = policy;
    y.clear();
    const Status status = CreateAndRun(Maxima(), options, &y);
    ASSERT_TRUE(status.ok()) << policy << status.Render();
    EXPECT_EQ(y, kMaxima);
  }
  // Another net's is not taken.
  Net other = Maxima();
  other.def.ops[0].arguments[0].i = 1;
  options.cache_policy = 2;
  EXPECT_EQ(CreateAndRun(other, options).code(), 548);
  options.cache_policy = 3;
  EXPECT_TRUE(CreateAndRun(other, options).ok());
  EXPECT_EQ(CreateAndRun(Maxima(), Using(kSimulator)).code(), 0);
  // Nor one that was compiled for another preference.
  AcceleratorOptions slow = options;
  slow.cache_policy = 2;
  slow.preference = 0;
  EXPECT_EQ(CreateAndRun(other, slow).code(), 548);
  // Damage anywhere in the library's part, and every shorter file.
  runtime::MappedFile file;
  ASSERT_TRUE(file.Open(path).ok());
  const std::string good(static_cast<const char*>(file.data()), file.size());
  const std::string damaged = path + ".damaged";
  options.cache_policy = 2;
  options.cache_file = damaged;
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bytes = good;
    bytes[i] ^= 0x41;
    ASSERT_TRUE(runtime::WriteFile(damaged, bytes).ok());
    EXPECT_EQ(CreateAndRun(other, options).code(), 548) << i;
    ASSERT_TRUE(runtime::WriteFile(damaged, good.substr(0, i)).ok());
    EXPECT_FALSE(CreateAndRun(other, options).ok()) << i;
  }
}

TEST(ApuExecutor, DamagedNets) {
  const std::vector<std::function<void(Net&)>> kDamages = {
      [](Net& net) { net.def.ops.clear(); },
      [](Net& net) { net.def.inputs.clear(); },
      [](Net& net) { net.def.outputs.clear(); },
      [](Net& net) { net.def.inputs[0].scale = 0; },
      [](Net& net) { net.def.inputs[0].scale = std::numeric_limits<float>::infinity(); },
      [](Net& net) { net.def.inputs[0].zero_point = 256; },
      [](Net& net) { net.def.inputs[0].type = 4; },
      [](Net& net) {
        net.def.inputs[0].dims = {1, 1, 1, 2, 2};
      },
      [](Net& net) { net.def.inputs.push_back(net.def.inputs[0]); },
      [](Net& net) { net.def.outputs[0].name = "z"; },
      [](Net& net) { net.def.outputs[0].name = "strides"; },
      [](Net& net) {
        net.def.outputs[0].dims = {1, 2, 1, 1};
      },
      [](Net& net) { net.def.outputs[0].scale = 0.25f; },
      [](Net& net) { net.def.ops[0].type = "Unheard"; },
      [](Net& net) { net.def.ops[0].arguments[0].i = 7; },
      [](Net& net) { net.def.ops[0].inputs[0] = "y"; },
      [](Net& net) { net.def.ops[0].inputs[1] = "x"; },
      [](Net& net) { net.def.ops[0].inputs[1] = "paddings"; },
      [](Net& net) { net.def.ops[0].inputs.resize(1); },
      [](Net& net) { net.def.ops[0].inputs.push_back("x"); },
      [](Net& net) { net.def.ops[0].outputs = {"x"}; },
      [](Net& net) { net.def.ops[0].outputs.push_back("z"); },
      [](Net& net) { net.def.ops[0].quantize_info.clear(); },
      [](Net& net) { net.def.ops[0].quantize_info[0].scale = -1; },
      [](Net& net) { net.def.ops[0].shapes.clear(); },
      [](Net& net) { net.def.tensors[0].zero_point = 1; },
      [](Net& net) { net.def.tensors.push_back(net.def.tensors[0]); },
  };
  for (size_t i = 0; i < kDamages.size(); ++i) {
    Net net = Maxima();
    kDamages[i](net);
    EXPECT_EQ(CreateAndRun(net, Using(kSimulator)).code(), 541) << i;
  }
  // What only the library sees.
  Net net = Maxima();
  net.data[4] = 0;
  EXPECT_EQ(CreateAndRun(net, Using(kSimulator)).code(), 542);
}

// The fake library's variables.
template <typename T>
T& Variable(const char* name) {
  static void* const handle = dlopen(kFake, RTLD_NOW | RTLD_LOCAL);
  EXPECT_NE(handle, nullptr);
  return *static_cast<T*>(dlsym(handle, name));
}

class Faults : public ::testing::Test {
 protected:
  void TearDown() override {
    Variable<const char*>("fake_neuron_fails") = nullptr;
    Variable<int>("fake_neuron_result") = kFailed;
    Variable<bool>("fake_neuron_supports") = true;
    EXPECT_EQ(Variable<int>("fake_neuron_objects"), 0) << "something is left";
  }
  static constexpr int kFailed = 5;
};

TEST_F(Faults, EveryCallThatFailsIsNamed) {
  AcceleratorOptions options = Using(kFake);
  options.cache_policy = 1;
  options.cache_storage = ::testing::TempDir() + "/fake";
  ASSERT_TRUE(CreateAndRun(Maxima(), options).ok());
  const char* const kFunctions[] = {
      "NeuronModel_create",
      "NeuronModel_finish",
      "NeuronModel_addOperand",
      "NeuronModel_setOperandValue",
      "NeuronModel_addOperation",
      "NeuronModel_identifyInputsAndOutputs",
      "NeuronModel_getSupportedOperations",
      "NeuronCompilation_create",
      "NeuronCompilation_setPreference",
      "NeuronCompilation_finish",
      "NeuronCompilation_getCompiledNetworkSize",
      "NeuronCompilation_storeCompiledNetwork",
      "NeuronExecution_create",
      "NeuronExecution_setInputFromMemory",
      "NeuronExecution_setOutputFromMemory",
      "NeuronExecution_setBoostHint",
      "NeuronExecution_compute",
  };
  for (const char* function : kFunctions) {
    Variable<const char*>("fake_neuron_fails") = function;
    const Status status = CreateAndRun(Maxima(), options);
    EXPECT_EQ(status.code(), 542) << function;
    EXPECT_EQ(status.message().rfind(function, 0), 0u) << status.message();
  }
  struct Result {
    int value;
    const char* words;
    bool resources;
  };
  const Result kResults[] = {
      {NEURON_OUT_OF_MEMORY, "out of memory", true},
      {NEURON_UNMAPPABLE, "mapped", false},
      {NEURON_BAD_STATE, "bad state", false},
      {NEURON_BAD_VERSION, "bad version", false},
      {NEURON_OUTPUT_INSUFFICIENT_SIZE, "larger than its buffer", false},
      {NEURON_UNAVAILABLE_DEVICE, "not available", false},
      {NEURON_RESOURCE_EXHAUSTED_TRANSIENT, "for now", true},
      {NEURON_RESOURCE_EXHAUSTED_PERSISTENT, "exhausted", true},
      {NEURON_DEAD_OBJECT, "driver", false},
      {-77, "does not say more", false},
  };
  for (const Result& result : kResults) {
    Variable<int>("fake_neuron_result") = result.value;
    const Status status = CreateAndRun(Maxima(), options);
    EXPECT_EQ(status.code(), 542) << result.value;
    EXPECT_EQ(status.kind() == StatusKind::kOutOfResources, result.resources) << result.value;
    EXPECT_NE(status.Render().find(result.words), std::string::npos) << status.Render();
  }
}

// Where the driver does not take the kernel's anonymous files, memory of the process serves.
TEST_F(Faults, SharedMemory) {
  Variable<int>("fake_neuron_shared") = 0;
  ASSERT_TRUE(CreateAndRun(Maxima(), Using(kFake)).ok());
  EXPECT_EQ(Variable<int>("fake_neuron_shared"), 4) << "an input and an output of two runs";
  Variable<const char*>("fake_neuron_fails") = "NeuronMemory_createFromFd";
  ASSERT_TRUE(CreateAndRun(Maxima(), Using(kFake)).ok());
  EXPECT_EQ(Variable<int>("fake_neuron_shared"), 4);
}

TEST_F(Faults, OperationsThatTheDeviceDoesNotHave) {
  Variable<bool>("fake_neuron_supports") = false;
  const Status status = CreateAndRun(Maxima(), Using(kFake));
  EXPECT_EQ(status.code(), 544);
  EXPECT_NE(status.message().find("pool"), std::string::npos);
}

TEST_F(Faults, WhatFailsToLoadIsCompiled) {
  AcceleratorOptions options = Using(kFake);
  options.cache_file = options.cache_storage = ::testing::TempDir() + "/loaded";
  options.cache_policy = 1;
  ASSERT_TRUE(CreateAndRun(Maxima(), options).ok());
  const int before = Variable<int>("fake_neuron_restored");
  options.cache_policy = 3;
  ASSERT_TRUE(CreateAndRun(Maxima(), options).ok());
  EXPECT_EQ(Variable<int>("fake_neuron_restored"), before + 1);
  Variable<const char*>("fake_neuron_fails") = "NeuronModel_restoreFromCompiledNetwork";
  EXPECT_TRUE(CreateAndRun(Maxima(), options).ok());
  options.cache_policy = 2;
  EXPECT_EQ(CreateAndRun(Maxima(), options).code(), 548);
}

TEST_F(Faults, HintsAndPolicies) {
  AcceleratorOptions options = Using(kFake);
  options.boost_hint = 40;
  options.preference = 2;
  ASSERT_TRUE(CreateAndRun(Maxima(), options).ok());
  EXPECT_EQ(Variable<int>("fake_neuron_boost"), 40);
  EXPECT_EQ(Variable<int>("fake_neuron_preference"), 2);
  options.boost_hint = 101;
  EXPECT_EQ(CreateAndRun(Maxima(), options).code(), 545);
  options.boost_hint = 100;
  options.preference = -1;
  EXPECT_EQ(CreateAndRun(Maxima(), options).code(), 545);
  options.preference = 1;
  for (const int policy : {-1, 1, 2, 3, 4}) {
    options.cache_policy = policy;
    EXPECT_EQ(CreateAndRun(Maxima(), options).code(), 546) << policy;
  }
}

}  // namespace
}  // namespace delegates
}  // namespace mace
