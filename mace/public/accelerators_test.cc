// What applications ask of accelerators reaches the vendor's library. Libraries that count stand
// for them.
#include <dlfcn.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "mace/public/mace.h"
#include "mace/testing/model_builder.h"
#include "third_party/nnlib/include/hexagon_nn.h"

namespace mace {
namespace {

constexpr char kFakeNnlib[] = "mace/delegates/hexagon/libfake_nnlib.so";
constexpr char kFakeNeuron[] = "mace/delegates/apu/libfake_neuron.so";

// Loaded here as well, so that its variables outlive the engine.
void* Hold(const char* library) {
  void* const handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  EXPECT_NE(handle, nullptr) << library;
  return handle;
}

template <typename T>
T& Variable(const char* library, const char* name) {
  return *static_cast<T*>(dlsym(Hold(library), name));
}

void Port(uint32_t field, const char* name, runtime::WireWriter* net) {
  runtime::WireWriter port;
  port.Bytes(1, name);
  for (int64_t d : {1, 1, 2, 3}) port.Int(3, d);
  port.Float(7, 0.5f);
  port.Int(8, 100);
  net->Message(field, port);
}

// A net of the device with the given operator; the libraries do not look at it.
std::string ModelFor(RuntimeType device, const char* type) {
  runtime::WireWriter net, argument, op;
  op.Bytes(3, "node");
  op.Bytes(4, type);
  if (device == RT_APU) {
    op.Bytes(1, "x");
    op.Bytes(2, "y");
    runtime::WireWriter shape, info;
    for (int64_t d : {1, 1, 2, 3}) shape.Int(1, d);
    op.Message(7, shape);
    op.Int(8, static_cast<int>(ElementType::kUint8));
    info.Float(1, 0.5f);
    info.Int(2, 100);
    op.Message(9, info);
    runtime::WireWriter activation;
    activation.Bytes(1, "activation");
    activation.Bytes(4, "RELU");
    op.Message(6, activation);
  }
  net.Message(1, op);
  argument.Bytes(1, "runtime_type");
  argument.Int(3, device);
  net.Message(2, argument);
  Port(100, "x", &net);
  Port(101, "y", &net);
  net.Int(1000, 1);
  net.Bytes(1001, runtime::Sha256(nullptr, 0));
  runtime::WireWriter multi;
  multi.Message(3, net);
  return multi.bytes();
}

MaceStatus CreateAndRun(const std::string& pb, const MaceEngineConfig& config,
                        RunMetadata* metadata = nullptr) {
  std::shared_ptr<MaceEngine> engine;
  const MaceStatus created =
      CreateMaceEngineFromProto(reinterpret_cast<const unsigned char*>(pb.data()), pb.size(),
                                nullptr, 0, {"x"}, {"y"}, config, &engine);
  if (created != MaceStatus::MACE_SUCCESS) return created;
  const auto tensor = [] {
    return MaceTensor({1, 1, 2, 3},
                      std::shared_ptr<float>(new float[6](), std::default_delete<float[]>()));
  };
  std::map<std::string, MaceTensor> outputs = {{"y", tensor()}};
  return engine->Run({{"x", tensor()}}, &outputs, metadata);
}

TEST(Accelerators, HexagonGetsWhatWasAskedFor) {
  Hold(kFakeNnlib);
  MaceEngineConfig config;
  ASSERT_EQ(config.SetAcceleratorLibrary(kFakeNnlib), MaceStatus::MACE_SUCCESS);
  ASSERT_EQ(config.SetHexagonToUnsignedPD(), MaceStatus::MACE_SUCCESS);
  ASSERT_EQ(config.SetHexagonPower(HEXAGON_NN_CORNER_TURBO, false, 40), MaceStatus::MACE_SUCCESS);
  RunMetadata metadata;
  const MaceStatus ran = CreateAndRun(ModelFor(RT_HEXAGON, "QuantizedRelu_8"), config, &metadata);
  ASSERT_EQ(ran, MaceStatus::MACE_SUCCESS) << ran.information();
  const auto number = [](const char* name) { return Variable<int>(kFakeNnlib, name); };
  EXPECT_EQ(number("fake_nnlib_requests"), 1);
  EXPECT_EQ(number("fake_nnlib_before_request"), 0) << "the DSP was used before";
  EXPECT_EQ(number("fake_nnlib_corner"), NN_CORNER_TURBO);
  EXPECT_EQ(number("fake_nnlib_dcvs"), NN_DCVS_DISABLE);
  EXPECT_EQ(Variable<unsigned>(kFakeNnlib, "fake_nnlib_latency"), 40u);
  EXPECT_EQ(number("fake_nnlib_graphs"), 0);
  EXPECT_EQ(number("fake_nnlib_clocks"), 0);
  ASSERT_EQ(metadata.op_stats.size(), 1u);
  EXPECT_EQ(metadata.op_stats[0].type, "Graph");
}

TEST(Accelerators, ApuGetsWhatWasAskedFor) {
  Hold(kFakeNeuron);
  const std::string path = ::testing::TempDir() + "/compiled";
  MaceEngineConfig config;
  ASSERT_EQ(config.SetAcceleratorLibrary(kFakeNeuron), MaceStatus::MACE_SUCCESS);
  ASSERT_EQ(config.SetAPUHints(55, APUPreferenceHint::NEURON_PREFER_SUSTAINED_SPEED),
            MaceStatus::MACE_SUCCESS);
  ASSERT_EQ(config.SetAcceleratorCache(ACCELERATOR_CACHE_STORE, "", path),
            MaceStatus::MACE_SUCCESS);
  const std::string pb = ModelFor(RT_APU, "Activation");
  const MaceStatus ran = CreateAndRun(pb, config);
  ASSERT_EQ(ran, MaceStatus::MACE_SUCCESS) << ran.information();
  const auto number = [](const char* name) { return Variable<int>(kFakeNeuron, name); };
  EXPECT_EQ(number("fake_neuron_boost"), 55);
  EXPECT_EQ(number("fake_neuron_preference"), 2);
  const int restored = number("fake_neuron_restored");
  ASSERT_EQ(config.SetAcceleratorCache(ACCELERATOR_CACHE_LOAD, path, ""), MaceStatus::MACE_SUCCESS);
  EXPECT_EQ(CreateAndRun(pb, config), MaceStatus::MACE_SUCCESS);
  EXPECT_EQ(number("fake_neuron_restored"), restored + 1);
  EXPECT_EQ(number("fake_neuron_objects"), 0);
}

TEST(Accelerators, WhatCannotBeIsRefused) {
  MaceEngineConfig config;
  EXPECT_EQ(config.SetHexagonPower(static_cast<HexagonNNCornerType>(7), true, 1),
            MaceStatus::MACE_INVALID_ARGS);
  EXPECT_EQ(config.SetHexagonPower(HEXAGON_NN_CORNER_TURBO, true, -1),
            MaceStatus::MACE_INVALID_ARGS);
  EXPECT_EQ(config.SetAPUHints(101, APUPreferenceHint::NEURON_PREFER_LOW_POWER),
            MaceStatus::MACE_INVALID_ARGS);
  ASSERT_EQ(config.SetAcceleratorLibrary("./absent.so"), MaceStatus::MACE_SUCCESS);
  for (const RuntimeType device : {RT_HEXAGON, RT_APU}) {
    const MaceStatus status = CreateAndRun(ModelFor(device, "Activation"), config);
    EXPECT_NE(status, MaceStatus::MACE_SUCCESS);
    EXPECT_NE(status.information().find("absent.so"), std::string::npos) << status.information();
  }
}

}  // namespace
}  // namespace mace
