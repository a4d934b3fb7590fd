#include "mace/delegates/apu/apu_executor.h"

#include <dlfcn.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "mace/runtime/file.h"
#include "mace/testing/random.h"
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
// Libraries of versions 1, and of 2 and 3.
constexpr char kSimulator1[] = "third_party/apu/sim/libapu_frontend_v1_sim.so";
constexpr char kSimulator3[] = "third_party/apu/sim/libapu_frontend_v2_sim.so";
constexpr char kFake3[] = "mace/delegates/apu/libfake_frontend.so";
constexpr char kHalf[] = "mace/delegates/apu/libhalf_frontend.so";

struct Net {
  NetDef def;
  std::vector<uint8_t> data;

  // The name of a constant behind those that are there.
  template <typename T>
  std::string Constant(int64_t type, const std::vector<int64_t>& dims,
                       const std::vector<T>& values) {
    runtime::ConstDef constant;
    constant.name = "constant " + std::to_string(def.tensors.size());
    constant.type = type;
    constant.dims = dims;
    constant.has_size = true;
    constant.size = static_cast<int64_t>(values.size());
    constant.offset = static_cast<int64_t>(data.size());
    data.resize(data.size() + values.size() * sizeof(T));
    std::memcpy(data.data() + constant.offset, values.data(), values.size() * sizeof(T));
    def.tensors.push_back(constant);
    return constant.name;
  }
  std::string Ints(const std::vector<int32_t>& values) {
    return Constant(kInt32, {static_cast<int64_t>(values.size())}, values);
  }
  std::string Codes(const std::vector<int64_t>& dims) {
    int64_t count = 1;
    for (const int64_t d : dims) count *= d;
    std::vector<uint8_t> codes;
    for (int64_t i = 0; i < count; ++i) codes.push_back(static_cast<uint8_t>(i * 37));
    const std::string name = Constant(kUint8, dims, codes);
    def.tensors.back().scale = 0.25f;
    def.tensors.back().zero_point = 128;
    return name;
  }

  static constexpr int64_t kFloat = 1, kUint8 = 2, kInt32 = 4;
};

// x and y in steps of 0.5 from −50, with one operator between them, whose operands besides x are
// `inputs`.
void Finish(const std::string& type, const std::vector<int64_t>& x, const std::vector<int64_t>& y,
            const std::vector<std::string>& inputs, Net* net) {
  runtime::PortDef port;
  port.name = "x";
  port.dims = x;
  port.scale = 0.5f;
  port.zero_point = 100;
  net->def.inputs.push_back(port);
  port.name = "y";
  port.dims = y;
  net->def.outputs.push_back(port);
  runtime::OperatorDef op;
  op.name = "node";
  op.type = type;
  op.inputs = {"x"};
  op.inputs.insert(op.inputs.end(), inputs.begin(), inputs.end());
  op.outputs = {"y"};
  op.shapes = {y};
  op.types = {Net::kUint8};
  runtime::QuantizeInfo info;
  info.scale = 0.5f;
  info.zero_point = 100;
  op.quantize_info = {info};
  net->def.ops.push_back(op);
}

runtime::Attribute Argument(const std::string& name, int64_t i) {
  runtime::Attribute argument;
  argument.name = name;
  argument.has_i = true;
  argument.i = i;
  return argument;
}

// The greater of each two neighbours among four.
Net Maxima() {
  Net net;
  const std::vector<std::string> operands = {net.Ints({1, 2}), net.Ints({0, 0, 0, 0}),
                                             net.Ints({1, 2})};
  Finish("Pooling", {1, 1, 4, 1}, {1, 1, 2, 1}, operands, &net);
  net.def.ops[0].name = "pool";
  net.def.ops[0].arguments = {Argument("pooling_type", 2)};
  return net;
}

// The net, for a version of the APU.
Net For(int64_t version, Net net) {
  net.def.arguments.push_back(Argument("apu_version", version));
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
  const Status half = CreateAndRun(For(1, Maxima()), Using(kHalf));
  EXPECT_EQ(half.code(), 503);
  EXPECT_NE(half.Render().find("_ZN11ApuFrontendC1Ev"), std::string::npos) << half.Render();
  // The first part of a library.
  runtime::MappedFile file;
  ASSERT_TRUE(file.Open(kSimulator1).ok());
  const std::string part = ::testing::TempDir() + "/part.so";
  ASSERT_TRUE(
      runtime::WriteFile(part, std::string(static_cast<const char*>(file.data()), 3000)).ok());
  EXPECT_FALSE(CreateAndRun(For(1, Maxima()), Using(part)).ok());
}

// Without a name, what is missing is what devices of the net's version have.
TEST(ApuExecutor, UsualLibraries) {
  const auto said = [](int64_t version) {
    return CreateAndRun(For(version, Maxima()), AcceleratorOptions()).Render();
  };
  EXPECT_NE(said(4).find("libneuron_adapter.so"), std::string::npos) << said(4);
  for (const int64_t version : {1, 2, 3}) {
    EXPECT_NE(said(version).find("libapu-frontend.so"), std::string::npos) << said(version);
  }
}

TEST(ApuExecutor, VersionsOfLibraries) {
  struct Library {
    const char* name;
    int64_t newest;
  };
  for (const Library& library : {Library{kSimulator1, 1}, {kSimulator3, 3}, {kSimulator, 4}}) {
    for (const int64_t version : {1, 2, 3, 4}) {
      std::vector<float> y;
      const Status status = CreateAndRun(For(version, Maxima()), Using(library.name), &y);
      EXPECT_EQ(status.code(), version > library.newest ? 549 : 0)
          << version << ' ' << status.Render();
      if (status.ok()) {
        EXPECT_EQ(y, kMaxima);
      }
    }
    // Without a version, a net is for the newest.
    EXPECT_EQ(CreateAndRun(Maxima(), Using(library.name)).code(), library.newest < 4 ? 549 : 0);
    for (const int64_t version : {-1, 0, 5}) {
      EXPECT_EQ(CreateAndRun(For(version, Maxima()), Using(library.name)).code(), 541) << version;
    }
  }
}

// What keeps compiled networks, and the version of nets for it.
struct Keeper {
  const char* library;
  int64_t version;
  bool preferences;
};

class CompiledNetworks : public ::testing::TestWithParam<Keeper> {};

TEST_P(CompiledNetworks, AreOfTheirNet) {
  const auto maxima = [] { return For(GetParam().version, Maxima()); };
  const std::string path = ::testing::TempDir() + "/compiled" + std::to_string(GetParam().version);
  AcceleratorOptions options = Using(GetParam().library);
  options.cache_file = options.cache_storage = path;
  std::vector<float> y;
  options.cache_policy = 2;
  EXPECT_FALSE(CreateAndRun(maxima(), options).ok()) << "there is none yet";
  for (const int policy : {1, 2, 3}) {
    options.cache_policy = policy;
    y.clear();
    const Status status = CreateAndRun(maxima(), options, &y);
    ASSERT_TRUE(status.ok()) << policy << status.Render();
    EXPECT_EQ(y, kMaxima);
  }
  // Another net's is not taken.
  Net other = maxima();
  other.def.ops[0].arguments[0].i = 1;
  options.cache_policy = 2;
  EXPECT_EQ(CreateAndRun(other, options).code(), 548);
  options.cache_policy = 3;
  EXPECT_TRUE(CreateAndRun(other, options).ok());
  EXPECT_EQ(CreateAndRun(maxima(), Using(GetParam().library)).code(), 0);
  // Nor one that was compiled for another preference, where there are any.
  AcceleratorOptions slow = options;
  slow.cache_policy = 2;
  slow.preference = 0;
  EXPECT_EQ(CreateAndRun(other, slow).code(), GetParam().preferences ? 548 : 0);
  // Damage anywhere in the library's part, and every shorter file.
  runtime::MappedFile file;
  ASSERT_TRUE(file.Open(path).ok());
  const std::string good(static_cast<const char*>(file.data()), file.size());
  const std::string damaged = path + ".damaged";
  runtime::MappedFile key;
  if (key.Open(path + ".key").ok()) {
    const std::string bytes(static_cast<const char*>(key.data()), key.size());
    ASSERT_TRUE(runtime::WriteFile(damaged + ".key", bytes).ok());
  }
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

INSTANTIATE_TEST_SUITE_P(Libraries, CompiledNetworks,
                         ::testing::Values(Keeper{kSimulator, 4, true},
                                           Keeper{kSimulator3, 2, false}));

// Libraries of versions 2 and 3 write their files themselves: another file says what one is.
TEST(ApuExecutor, KeysOfCompiledNetworks) {
  const std::string path = ::testing::TempDir() + "/keyed";
  AcceleratorOptions options = Using(kSimulator3);
  options.cache_file = options.cache_storage = path;
  options.cache_policy = 1;
  ASSERT_TRUE(CreateAndRun(For(3, Maxima()), options).ok());
  runtime::MappedFile file;
  ASSERT_TRUE(file.Open(path + ".key").ok());
  std::string key(static_cast<const char*>(file.data()), file.size());
  options.cache_policy = 2;
  ASSERT_TRUE(CreateAndRun(For(3, Maxima()), options).ok());
  for (size_t i = 0; i < key.size(); i += 5) {
    std::string bytes = key;
    bytes[i] ^= 1;
    ASSERT_TRUE(runtime::WriteFile(path + ".key", bytes).ok());
    EXPECT_EQ(CreateAndRun(For(3, Maxima()), options).code(), 548) << i;
  }
  // A file that a library would have taken, of no net that is known.
  ASSERT_EQ(std::remove((path + ".key").c_str()), 0);
  const Status status = CreateAndRun(For(3, Maxima()), options);
  EXPECT_NE(status.Render().find("keyed.key"), std::string::npos) << status.Render();
  options.cache_policy = 3;
  EXPECT_TRUE(CreateAndRun(For(3, Maxima()), options).ok());
}

TEST(ApuExecutor, Version1KeepsNoCompiledNetworks) {
  AcceleratorOptions options = Using(kSimulator1);
  options.cache_file = options.cache_storage = ::testing::TempDir() + "/kept";
  for (const int policy : {1, 2, 3}) {
    options.cache_policy = policy;
    EXPECT_EQ(CreateAndRun(For(1, Maxima()), options).code(), 547) << policy;
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
      [](Net& net) { net.def.outputs[0].name = net.def.tensors[0].name; },
      [](Net& net) {
        net.def.outputs[0].dims = {1, 2, 1, 1};
      },
      [](Net& net) { net.def.outputs[0].scale = 0.25f; },
      [](Net& net) { net.def.ops[0].type = "Unheard"; },
      [](Net& net) { net.def.ops[0].arguments[0].i = 7; },
      [](Net& net) { net.def.ops[0].inputs[0] = "y"; },
      [](Net& net) { net.def.ops[0].inputs[1] = "x"; },
      [](Net& net) { net.def.ops[0].inputs[1] = net.def.ops[0].inputs[2]; },
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

// Every operator that nets for the APU have, from x of four by four cells with four channels.
std::vector<Net> Examples() {
  std::vector<Net> nets;
  const std::vector<int64_t> image = {1, 4, 4, 4};
  const auto add = [&](const std::string& type, const std::vector<int64_t>& y,
                       const std::function<std::vector<std::string>(Net&)>& operands) {
    Net net;
    const std::vector<std::string> names = operands(net);
    Finish(type, image, y, names, &net);
    nets.push_back(std::move(net));
    return &nets.back().def.ops[0];
  };
  const auto none = [](Net&) { return std::vector<std::string>(); };
  const auto ints = [](const std::vector<int32_t>& numbers) {
    return [=](Net& net) { return std::vector<std::string>{net.Ints(numbers)}; };
  };
  const auto grid = [&](float scale, int64_t zero) {
    runtime::QuantizeInfo& info = nets.back().def.ops[0].quantize_info[0];
    info.scale = nets.back().def.outputs[0].scale = scale;
    info.zero_point = nets.back().def.outputs[0].zero_point = zero;
  };
  const auto product = [](const std::vector<int64_t>& filter, int64_t channels, bool dilations) {
    return [=](Net& net) {
      std::vector<std::string> names = {net.Codes(filter)};
      names.push_back(net.Constant(Net::kInt32, {channels},
                                   std::vector<int32_t>(static_cast<size_t>(channels), 7)));
      net.def.tensors.back().scale = 0.125f;
      names.push_back(net.Ints({1, 1}));
      names.push_back(net.Ints({1, 1, 1, 1}));
      if (dilations) names.push_back(net.Ints({1, 1}));
      return names;
    };
  };
  const auto activation = [](runtime::OperatorDef* op, const std::string& name) {
    runtime::Attribute argument;
    argument.name = "activation";
    argument.s = name;
    op->arguments.push_back(argument);
  };
  activation(add("Conv2D", {1, 4, 4, 3}, product({3, 3, 3, 4}, 3, true)), "RELU6");
  add("Conv2D", {1, 2, 2, 3}, product({3, 3, 3, 4}, 3, true));
  // Dilations of 2.
  nets.back().data[nets.back().data.size() - 8] = nets.back().data[nets.back().data.size() - 4] = 2;
  add("DepthwiseConv2d", {1, 4, 4, 8}, product({1, 3, 3, 8}, 8, true));
  add("Deconv2D", {1, 4, 4, 3}, product({3, 3, 3, 4}, 3, false));
  add("FullyConnected", {1, 5}, [](Net& net) {
    const std::string filter = net.Codes({5, 64});
    const std::string bias = net.Constant(Net::kInt32, {5}, std::vector<int32_t>(5, 3));
    net.def.tensors.back().scale = 0.125f;
    return std::vector<std::string>{filter, bias};
  });
  for (const int64_t kind : {1, 2}) {
    add("Pooling", {1, 2, 2, 4}, [](Net& net) {
      return std::vector<std::string>{net.Ints({2, 2}), net.Ints({0, 1, 1, 0}), net.Ints({3, 2})};
    })->arguments = {Argument("pooling_type", kind)};
  }
  for (const int64_t type : {0, 1, 2, 4, 5}) {
    add("Eltwise", image, [](Net& net) {
      return std::vector<std::string>{net.Codes({4, 1, 4})};
    })->arguments = {Argument("type", type)};
  }
  for (const char* name : {"RELU", "RELU6", "HARDSWISH", "SIGMOID", "TANH"}) {
    activation(add("Activation", image, none), name);
  }
  grid(1.0f / 128, 128);
  nets[nets.size() - 2].def.ops[0].quantize_info[0].scale = 1.0f / 256;
  nets[nets.size() - 2].def.ops[0].quantize_info[0].zero_point = 0;
  nets[nets.size() - 2].def.outputs[0].scale = 1.0f / 256;
  nets[nets.size() - 2].def.outputs[0].zero_point = 0;
  activation(
      add("Activation", image, [](Net& net) { return std::vector<std::string>{net.Codes({4})}; }),
      "PRELU");
  add("Softmax", image, [](Net& net) {
    return std::vector<std::string>{net.Constant<float>(Net::kFloat, {1}, {1.5f})};
  });
  grid(1.0f / 256, 0);
  add("Concat", {1, 4, 6, 4}, [](Net& net) {
    return std::vector<std::string>{net.Codes({1, 4, 2, 4}), net.Ints({2})};
  });
  runtime::OperatorDef* split = add("Split", {1, 4, 4, 2}, ints({3}));
  split->outputs.push_back("z");
  split->shapes.push_back(split->shapes[0]);
  split->types.push_back(split->types[0]);
  split->quantize_info.push_back(split->quantize_info[0]);
  add("Reduce", {1, 1, 1, 4}, ints({1, 2}));
  add("Reshape", {8, 8}, ints({8, -1}));
  add("Transpose", image, ints({0, 3, 1, 2}));
  add("Pad", {1, 6, 4, 5}, [](Net& net) {
    return std::vector<std::string>{
        net.Constant<int32_t>(Net::kInt32, {4, 2}, {0, 0, 1, 1, 0, 0, 0, 1})};
  });
  add("StridedSlice", {1, 2, 3, 3}, [](Net& net) {
    return std::vector<std::string>{net.Ints({0, 3, 0, 1}), net.Ints({1, -9, 3, 4}),
                                    net.Ints({1, -2, 1, 1})};
  });
  add("Pad", {1, 7, 6, 4}, [](Net& net) {
    return std::vector<std::string>{
        net.Constant<int32_t>(Net::kInt32, {4, 2}, {0, 0, 1, 2, 0, 2, 0, 0})};
  });
  add("ResizeBilinear", {1, 7, 3, 4}, ints({7, 3}))->arguments = {Argument("align_corners", 1)};
  add("ResizeBilinear", {1, 7, 3, 4}, ints({7, 3}));
  for (const char* type : {"ResizeBilinear", "ResizeNearestNeighbor"}) {
    add(type, {1, 7, 3, 4}, ints({7, 3}))->arguments = {Argument("half_pixel_centers", 1)};
  }
  add("SpaceToDepth", {1, 2, 2, 16}, ints({2}));
  add("DepthToSpace", {1, 8, 8, 1}, ints({2}));
  return nets;
}

Status RunExample(const Net& net, const char* library = kSimulator,
                  std::vector<float>* y = nullptr) {
  std::unique_ptr<Executor> executor;
  MACE_RETURN_IF_ERROR(
      CreateApuExecutor(net.def, net.data.data(), net.data.size(), Using(library), &executor));
  // As many numbers as the damaged ports ask for.
  std::vector<std::vector<float>> values;
  std::vector<const void*> inputs;
  for (const runtime::PortDef& port : net.def.inputs) {
    int64_t elements;
    MACE_RETURN_IF_ERROR(runtime::CheckShape(port.name, port.dims, &elements));
    values.emplace_back(static_cast<size_t>(elements));
    for (size_t i = 0; i < values.back().size(); ++i) {
      values.back()[i] = static_cast<float>(i * 29 % 251) * 0.5f - 50;
    }
    inputs.push_back(values.back().data());
  }
  MACE_RETURN_IF_ERROR(executor->Run(inputs.data(), nullptr));
  if (y == nullptr) return Status();
  const float* numbers = static_cast<const float*>(executor->output(0));
  int64_t elements;
  MACE_RETURN_IF_ERROR(runtime::CheckShape("y", net.def.outputs[0].dims, &elements));
  y->assign(numbers, numbers + elements);
  return Status();
}

TEST(ApuExecutor, EveryOperatorRuns) {
  for (const Net& net : Examples()) {
    const Status status = RunExample(net);
    EXPECT_TRUE(status.ok()) << net.def.ops[0].type << ": " << status.Render();
  }
}

// Codes of older libraries are those of the newest, for what they have.
TEST(ApuExecutor, OlderLibrariesAgree) {
  const auto name = [](const runtime::OperatorDef& op) {
    std::string text = op.type;
    for (const runtime::Attribute& argument : op.arguments) {
      text +=
          ' ' + (argument.has_i ? argument.name + ' ' + std::to_string(argument.i) : argument.s);
    }
    return text;
  };
  // Examples that a version runs. There are two of Pad, of which it takes the one of rows and
  // columns.
  const std::vector<std::string> kOfVersion1 = {"Conv2D RELU6",
                                                "Conv2D",
                                                "DepthwiseConv2d",
                                                "Pooling pooling_type 1",
                                                "Pooling pooling_type 2",
                                                "Eltwise type 0",
                                                "Eltwise type 2",
                                                "Softmax",
                                                "Concat",
                                                "Reduce",
                                                "Reshape",
                                                "ResizeBilinear align_corners 1",
                                                "ResizeBilinear"};
  const std::vector<std::string> kOfVersion3 = {"Conv2D RELU6",
                                                "Conv2D",
                                                "DepthwiseConv2d",
                                                "Deconv2D",
                                                "FullyConnected",
                                                "Pooling pooling_type 1",
                                                "Pooling pooling_type 2",
                                                "Eltwise type 0",
                                                "Eltwise type 2",
                                                "Activation RELU",
                                                "Activation RELU6",
                                                "Activation SIGMOID",
                                                "Activation TANH",
                                                "Activation PRELU",
                                                "Softmax",
                                                "Concat",
                                                "Reduce",
                                                "Reshape",
                                                "Pad",
                                                "ResizeBilinear align_corners 1",
                                                "ResizeBilinear"};
  struct Library {
    const char* name;
    int64_t version;
    const std::vector<std::string>& runs;
  };
  for (const Library& library :
       {Library{kSimulator1, 1, kOfVersion1}, {kSimulator3, 3, kOfVersion3}}) {
    std::vector<std::string> run;
    for (const Net& net : Examples()) {
      const std::string what = name(net.def.ops[0]);
      std::vector<float> newest, older;
      ASSERT_TRUE(RunExample(net, kSimulator, &newest).ok());
      const Status status = RunExample(For(library.version, net), library.name, &older);
      if (status.ok()) {
        run.push_back(what);
        EXPECT_EQ(older, newest) << what << " on version " << library.version;
      } else {
        // No words for it, or the library says no.
        EXPECT_TRUE(status.code() == 544 || status.code() == 550) << what << status.Render();
      }
    }
    EXPECT_EQ(run, library.runs);
  }
}

// Whatever a file says, the executor and the simulators give an error or numbers.
class Damage : public ::testing::TestWithParam<Keeper> {};

TEST_P(Damage, IsAnErrorOrNumbers) {
  testing::Random random;
  SCOPED_TRACE(random.Replay());
  const auto any = [&](size_t count) {
    return static_cast<size_t>(random.Int(0, static_cast<int64_t>(count) - 1));
  };
  const auto number = [&]() -> int64_t {
    constexpr int64_t kOdd[] = {0,   1,       2,       3,         4,         5,
                                16,  255,     256,     1 << 20,   -1,        -2,
                                100, 1 << 16, 1 << 28, INT32_MAX, INT32_MIN, int64_t{1} << 40};
    return kOdd[any(sizeof kOdd / sizeof kOdd[0])];
  };
  const auto scale = [&] {
    constexpr float kInfinite = std::numeric_limits<float>::infinity();
    constexpr float kScales[] = {0, -1, 1e-45f, 3e38f, kInfinite, 0.25f, 0.5f, 1.0f / 256};
    const size_t i = any(9);
    return i == 8 ? std::nanf("") : kScales[i];
  };
  const std::vector<Net> examples = Examples();
  const auto dims = [&](std::vector<int64_t>* shape) {
    const size_t i = any(shape->size() + 2);
    if (i < shape->size()) {
      (*shape)[i] = number();
    } else if (i == shape->size()) {
      shape->push_back(1 + static_cast<int64_t>(any(3)));
    } else if (!shape->empty()) {
      shape->pop_back();
    }
  };
  const auto damage = [&](Net* net) {
    NetDef& def = net->def;
    runtime::OperatorDef& op = def.ops[0];
    runtime::PortDef& port = any(2) == 0 ? def.inputs[0] : def.outputs[0];
    runtime::ConstDef* constant =
        def.tensors.empty() ? nullptr : &def.tensors[any(def.tensors.size())];
    const auto name = [&]() -> std::string {
      return any(3) == 0 || constant == nullptr ? (any(2) == 0 ? "x" : "y") : constant->name;
    };
    switch (any(15)) {
      case 0:
        op.type = examples[any(examples.size())].def.ops[0].type;
        break;
      case 1:
        op.arguments = examples[any(examples.size())].def.ops[0].arguments;
        break;
      case 2:
        if (!op.arguments.empty()) op.arguments[0].i = number();
        break;
      case 3:
        op.inputs[any(op.inputs.size())] = name();
        break;
      case 4:
        if (any(2) == 0 && op.inputs.size() > 1) {
          op.inputs.pop_back();
        } else {
          op.inputs.push_back(name());
        }
        break;
      case 5:
        dims(&op.shapes[0]);
        if (any(2) == 0) def.outputs[0].dims = op.shapes[0];
        break;
      case 6:
        dims(&port.dims);
        break;
      case 7:
        op.quantize_info[0].scale = scale();
        if (any(2) == 0) def.outputs[0].scale = op.quantize_info[0].scale;
        break;
      case 8:
        op.quantize_info[0].zero_point = number();
        if (any(2) == 0) def.outputs[0].zero_point = op.quantize_info[0].zero_point;
        break;
      case 9:
        port.scale = scale();
        break;
      case 10:
        if (constant == nullptr) break;
        dims(&constant->dims);
        if (any(2) == 0) {
          constant->size = 1;
          for (const int64_t d : constant->dims) constant->size *= d & 0xffff;
        }
        break;
      case 11:
        if (constant != nullptr) (any(2) == 0 ? constant->size : constant->offset) = number();
        break;
      case 12:
        if (constant == nullptr) break;
        constant->scale = scale();
        constant->type = any(2) == 0 ? constant->type : static_cast<int64_t>(any(9));
        break;
      case 13:
        // The file's end is missing.
        net->data.resize(any(net->data.size() + 1));
        break;
      default:
        if (net->data.size() >= 4) {
          const int32_t value = static_cast<int32_t>(number());
          std::memcpy(net->data.data() + any(net->data.size() / 4) * 4, &value, 4);
        }
    }
  };
  // The library stays between nets.
  void* const library = dlopen(GetParam().library, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr);
  int failed = 0;
  const bool newest = GetParam().version == 4;
  const int nets = newest ? 6000 : 2000;
  for (int i = 0; i < nets; ++i) {
    Net net = For(GetParam().version, examples[any(examples.size())]);
    const size_t count = 1 + any(3);
    for (size_t k = 0; k < count; ++k) damage(&net);
    if (!RunExample(net, GetParam().library).ok()) ++failed;
  }
  dlclose(library);
  EXPECT_GT(failed, nets / 4);
  EXPECT_LT(failed, nets - nets / (newest ? 10 : 50));
}

INSTANTIATE_TEST_SUITE_P(Libraries, Damage,
                         ::testing::Values(Keeper{kSimulator, 4, true},
                                           Keeper{kSimulator1, 1, false},
                                           Keeper{kSimulator3, 3, false}));

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

// The fake library of versions 2 and 3: its variables are set by name.
template <typename T>
T& FrontendVariable(const char* name) {
  static void* const handle = dlopen(kFake3, RTLD_NOW | RTLD_LOCAL);
  EXPECT_NE(handle, nullptr);
  return *static_cast<T*>(dlsym(handle, name));
}

TEST(FrontendFaults, CallsThatFailAreNamed) {
  const Net net = For(3, Maxima());
  const char*& fails = FrontendVariable<const char*>("fake_frontend_fails");
  AcceleratorOptions options = Using(kFake3);
  ASSERT_TRUE(CreateAndRun(net, options).ok());
  for (const char* function : {"InitGraph", "RunGraph"}) {
    fails = function;
    const Status status = CreateAndRun(net, options);
    EXPECT_EQ(status.code(), 550) << function;
    EXPECT_NE(status.message().find(function), std::string::npos) << status.message();
  }
  // What does not load is compiled, by a new object; what is not written is no compiled network.
  options.cache_file = options.cache_storage = ::testing::TempDir() + "/faults";
  options.cache_policy = 1;
  fails = "store";
  EXPECT_FALSE(CreateAndRun(net, options).ok());
  fails = nullptr;
  ASSERT_TRUE(CreateAndRun(net, options).ok());
  fails = "load";
  options.cache_policy = 2;
  EXPECT_EQ(CreateAndRun(net, options).code(), 548);
  options.cache_policy = 3;
  EXPECT_TRUE(CreateAndRun(net, options).ok());
  fails = nullptr;
  EXPECT_EQ(FrontendVariable<int>("fake_frontend_objects"), 0) << "something is left";
  EXPECT_EQ(FrontendVariable<int>("fake_frontend_graphs"), 0) << "something is left";
}

}  // namespace
}  // namespace delegates
}  // namespace mace
