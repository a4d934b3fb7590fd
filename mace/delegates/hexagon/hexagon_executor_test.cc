#include "mace/delegates/hexagon/hexagon_executor.h"

#include <dlfcn.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "mace/testing/random.h"
#include "third_party/nnlib/include/hexagon_nn.h"

namespace mace {
namespace delegates {
namespace {

using runtime::AcceleratorOptions;
using runtime::ConstDef;
using runtime::Executor;
using runtime::NetDef;
using runtime::OperatorDef;
using runtime::PortDef;

constexpr char kSimulator[] = "third_party/nnlib/sim/libhexagon_nn_sim.so";
constexpr char kFake[] = "mace/delegates/hexagon/libfake_nnlib.so";
constexpr char kOther[] = "mace/delegates/libanswer.so";

constexpr int64_t kFloat = 1, kUint8 = 2, kInt32 = 4;

// A net while it grows, with its data file.
struct Net {
  NetDef def;
  std::vector<uint8_t> data;

  int64_t next_id() const { return static_cast<int64_t>(def.tensors.size() + def.ops.size()); }

  template <typename T>
  int64_t Constant(int64_t type, const std::vector<int64_t>& dims, const std::vector<T>& values) {
    ConstDef constant;
    constant.node_id = next_id();
    constant.name = "constant " + std::to_string(constant.node_id);
    constant.dims = dims;
    constant.type = type;
    constant.offset = static_cast<int64_t>(data.size());
    constant.has_size = true;
    constant.size = static_cast<int64_t>(values.size());
    data.resize(data.size() + values.size() * sizeof(T));
    if (!values.empty()) {
      std::memcpy(data.data() + constant.offset, values.data(), values.size() * sizeof(T));
    }
    def.tensors.push_back(constant);
    return constant.node_id;
  }
  int64_t Float(float value) { return Constant<float>(kFloat, {1}, {value}); }

  // A node that gives codes of `shape` and their range; or, without a shape, nothing.
  int64_t Node(const std::string& type, const std::vector<runtime::NodeInput>& inputs,
               const std::vector<int64_t>& shape, int64_t padding = 0) {
    OperatorDef op;
    op.node_id = next_id();
    op.name = type + " " + std::to_string(op.node_id);
    op.type = type;
    op.padding = padding;
    op.node_inputs = inputs;
    if (!shape.empty()) {
      op.shapes = {shape, {1}, {1}};
      op.types = {kUint8, kFloat, kFloat};
    }
    def.ops.push_back(op);
    return op.node_id;
  }

  void Ports(const std::vector<int64_t>& in, const std::vector<int64_t>& out) {
    PortDef port;
    port.name = "x";
    port.dims = in;
    port.scale = 0.5f;
    port.zero_point = 100;
    def.inputs.push_back(port);
    port.name = "y";
    port.dims = out;
    def.outputs.push_back(port);
  }
};

runtime::NodeInput From(int64_t node, int64_t port = 0) {
  runtime::NodeInput input;
  input.node_id = node;
  input.output_port = port;
  return input;
}

std::vector<runtime::NodeInput> Codes(int64_t node) {
  return {From(node, 0), From(node, 1), From(node, 2)};
}

// y = max(x, 0), [1, 2, 3] real numbers.
Net Relu() {
  Net net;
  net.Ports({1, 2, 3}, {1, 2, 3});
  const int64_t input = net.Node("QuantizeINPUT_f_to_8", {}, {1, 1, 2, 3});
  const int64_t relu = net.Node("QuantizedRelu_8", Codes(input), {1, 1, 2, 3});
  net.Node("DequantizeOUTPUT_8tof", Codes(relu), {});
  return net;
}

AcceleratorOptions Using(const std::string& library) {
  AcceleratorOptions options;
  options.library = library;
  return options;
}

Status Create(const Net& net, const AcceleratorOptions& options,
              std::unique_ptr<Executor>* executor) {
  return CreateHexagonExecutor(net.def, net.data.data(), net.data.size(), options, executor);
}

Status Create(const Net& net, const AcceleratorOptions& options) {
  std::unique_ptr<Executor> executor;
  return Create(net, options, &executor);
}

std::vector<float> RunOnSimulator(const Net& net, const std::vector<float>& x, size_t count) {
  std::unique_ptr<Executor> executor;
  const Status status = Create(net, Using(kSimulator), &executor);
  EXPECT_TRUE(status.ok()) << status.Render();
  if (!status.ok()) return {};
  const void* inputs[] = {x.data()};
  const Status ran = executor->Run(inputs, nullptr);
  EXPECT_TRUE(ran.ok()) << ran.Render();
  const float* y = static_cast<const float*>(executor->output(0));
  return std::vector<float>(y, y + count);
}

TEST(HexagonExecutor, RoundsInputsToTheirGrid) {
  // Range −50 … 77.5 in steps of 0.5.
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(RunOnSimulator(Relu(), {-3, 0, 1.1f, 77.5f, 1000, nan}, 6),
            (std::vector<float>{0, 0, 1, 77.5f, 77.5f, 0}));
}

TEST(HexagonExecutor, RunsProducts) {
  Net net;
  net.Ports({1, 1, 1, 2}, {1, 1, 1, 3});
  // Weights in steps of 0.25, zero code 128; a bias of 1 in the third channel.
  const int64_t filter =
      net.Constant<uint8_t>(kUint8, {1, 1, 2, 3}, {132, 124, 128, 128, 128, 136});
  const int64_t filter_min = net.Float(-32.0f), filter_max = net.Float(31.75f);
  const int64_t bias = net.Constant<int32_t>(kInt32, {3}, {0, 0, 8});
  const int64_t bias_min = net.Float(-268435456.0f), bias_max = net.Float(268435456.0f);
  const int64_t strides = net.Constant<int32_t>(kInt32, {1, 1, 1, 1}, {});
  const int64_t out_min = net.Float(-64.0f), out_max = net.Float(63.5f);
  const int64_t input = net.Node("QuantizeINPUT_f_to_8", {}, {1, 1, 1, 2});
  const int64_t conv = net.Node("Supernode_8x8p32to8",
                                {From(input), From(filter), From(input, 1), From(input, 2),
                                 From(filter_min), From(filter_max), From(strides), From(bias),
                                 From(bias_min), From(bias_max), From(out_min), From(out_max)},
                                {1, 1, 1, 3}, 2);
  net.Node("DequantizeOUTPUT_8tof", Codes(conv), {});
  EXPECT_EQ(RunOnSimulator(net, {10, -4}, 3), (std::vector<float>{10, -10, -7}));
  EXPECT_EQ(RunOnSimulator(net, {70, 40}, 3), (std::vector<float>{63.5f, -64, 63.5f}));
}

// MACE's form for the HTA: codes in, codes out, ranges that are constants.
Net CodesAlone() {
  Net net;
  net.Ports({1, 2, 3}, {1, 2, 3});
  net.def.outputs[0].scale = 0.5f;
  net.def.outputs[0].zero_point = 100;
  const int64_t min = net.Float(-50.0f), max = net.Float(77.5f);
  const int64_t input = net.Node("INPUT", {}, {1, 1, 2, 3});
  OperatorDef& op = net.def.ops.back();
  op.shapes.resize(1);
  op.types.resize(1);
  const int64_t relu =
      net.Node("QuantizedRelu_8", {From(input), From(min), From(max)}, {1, 1, 2, 3});
  net.Node("Nop", Codes(relu), {});
  net.Node("OUTPUT", {From(relu)}, {});
  return net;
}

TEST(HexagonExecutor, NetsOfCodesAlone) {
  EXPECT_EQ(RunOnSimulator(CodesAlone(), {-3, 0, 1.1f, 77.5f, 1000, -50}, 6),
            (std::vector<float>{0, 0, 1, 77.5f, 77.5f, 0}));
  Net net = CodesAlone();
  net.def.outputs[0].scale = 0.0f;
  const Status status = Create(net, Using(kSimulator));
  EXPECT_NE(status.message().find("the output 'y' has no scale"), std::string::npos)
      << status.Render();
}

class Seen : public runtime::Observer {
 public:
  void OnAcceleratorNode(const std::string& name, const std::string& type, uint64_t) override {
    nodes.push_back(name + ": " + type);
  }
  std::vector<std::string> nodes;
};

TEST(HexagonExecutor, TellsWhatNodesCost) {
  std::unique_ptr<Executor> executor;
  ASSERT_TRUE(Create(Relu(), Using(kSimulator), &executor).ok());
  const std::vector<float> x(6, 1.0f);
  const void* inputs[] = {x.data()};
  Seen seen;
  ASSERT_TRUE(executor->Run(inputs, &seen).ok());
  EXPECT_EQ(seen.nodes,
            (std::vector<std::string>{"QuantizeINPUT_f_to_8 0: QuantizeINPUT_f_to_8",
                                      "QuantizedRelu_8 1: QuantizedRelu_8",
                                      "DequantizeOUTPUT_8tof 2: DequantizeOUTPUT_8tof"}));
}

// 300 nodes with two constants each.
Net LongChain() {
  Net net;
  net.Ports({4}, {4});
  int64_t last = net.Node("QuantizeINPUT_f_to_8", {}, {1, 1, 1, 4});
  for (int i = 0; i < 300; ++i) {
    std::vector<runtime::NodeInput> inputs = Codes(last);
    inputs.push_back(From(net.Float(-10.0f)));
    inputs.push_back(From(net.Float(static_cast<float>(300 - i) / 10.0f)));
    last = net.Node("QuantizedClamp_8", inputs, {1, 1, 1, 4});
  }
  net.Node("DequantizeOUTPUT_8tof", Codes(last), {});
  return net;
}

TEST(HexagonExecutor, LargeNetsGoInParts) {
  EXPECT_EQ(RunOnSimulator(LongChain(), {-20, 0, 20, 1}, 4), (std::vector<float>{-10, 0, 0, 0}));
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
  void SetUp() override { Reset(); }
  void TearDown() override {
    Reset();
    EXPECT_EQ(Variable<int>("fake_nnlib_graphs"), 0) << "a graph is left";
    EXPECT_EQ(Variable<int>("fake_nnlib_clocks"), 0) << "clocks are left";
  }
  void Reset() {
    Variable<const char*>("fake_nnlib_fails") = nullptr;
    Variable<int>("fake_nnlib_result") = -7;
    Variable<const char*>("fake_nnlib_log") = "";
    Variable<int>("fake_nnlib_version") = 0x00020000;
    Variable<unsigned>("fake_nnlib_height") = 1;
  }
  Status CreateAndRun(const Net& net, const AcceleratorOptions& options) {
    std::unique_ptr<Executor> executor;
    MACE_RETURN_IF_ERROR(Create(net, options, &executor));
    const std::vector<float> x(6, 1.0f);
    const void* inputs[] = {x.data()};
    Seen seen;
    return executor->Run(inputs, &seen);
  }
};

TEST_F(Faults, EveryCallThatFailsIsNamed) {
  AcceleratorOptions options = Using(kFake);
  ASSERT_TRUE(CreateAndRun(Relu(), options).ok());
  options.power_set = true;
  options.power_corner = 1;
  Net net = Relu();
  net.Float(1.0f);
  const char* const kFunctions[] = {
      "hexagon_nn_config",         "hexagon_nn_version",
      "hexagon_nn_init",           "hexagon_nn_append_const_node_list",
      "hexagon_nn_prepare",        "hexagon_nn_append_node_list",
      "hexagon_nn_execute_new",    "hexagon_nn_set_clocks",
      "hexagon_nn_reset_perfinfo", "hexagon_nn_get_perfinfo",
  };
  for (const char* function : kFunctions) {
    Variable<const char*>("fake_nnlib_fails") = function;
    const Status status = CreateAndRun(net, options);
    EXPECT_EQ(status.code(), 512) << function;
    EXPECT_EQ(status.message(), std::string(function) + " failed with -7");
  }
  // Nobody can do anything about these.
  for (const char* function : {"hexagon_nn_teardown", "hexagon_nn_remove_clocks"}) {
    Variable<const char*>("fake_nnlib_fails") = function;
    EXPECT_TRUE(CreateAndRun(net, options).ok());
  }
}

TEST_F(Faults, TheLogIsQuoted) {
  Variable<const char*>("fake_nnlib_fails") = "hexagon_nn_prepare";
  Variable<const char*>("fake_nnlib_log") = "first\nnode 2711 is\tbad\n";
  const Status status = CreateAndRun(Relu(), Using(kFake));
  EXPECT_NE(status.Render().find("the library says: first; node 2711 is bad\n"), std::string::npos)
      << status.Render();
  Variable<const char*>("fake_nnlib_log") = "Couldn't Allocate scratch";
  const Status memory = CreateAndRun(Relu(), Using(kFake));
  EXPECT_EQ(memory.code(), 513);
  EXPECT_EQ(memory.kind(), StatusKind::kOutOfResources);
  const std::string endless(100000, 'x');
  Variable<const char*>("fake_nnlib_log") = endless.c_str();
  EXPECT_LT(CreateAndRun(Relu(), Using(kFake)).Render().size(), 2000u);
  Variable<const char*>("fake_nnlib_log") = "";
}

// What keeps the DSP from running the library is told with the way out.
TEST_F(Faults, WhatFastRpcSays) {
  struct Case {
    uint32_t result;
    int code;
    const char* words;
  };
  const Case kCases[] = {
      {0x80000402, 513, "smaller model"},
      {0x80000406, 519, "libhexagon_nn_skel.so"},
      {0x80000415, 520, "ro.boot.secureboot"},
      {0x80000438, 520, "SetHexagonToUnsignedPD"},
      {0x80000481, 520, "0x80000481: no test signature"},
      {0x80000482, 520, "testsig"},
      {0x8000040e, 512, "hexagon_nn_init"},
  };
  for (const char* function : {"hexagon_nn_config", "hexagon_nn_init"}) {
    Variable<const char*>("fake_nnlib_fails") = function;
    for (const Case& c : kCases) {
      Variable<int>("fake_nnlib_result") = static_cast<int>(c.result);
      const Status status = CreateAndRun(Relu(), Using(kFake));
      EXPECT_EQ(status.code(), c.code) << function << std::hex << c.result;
      const std::string told = status.Render();
      EXPECT_NE(told.find(c.code == 512 ? function : c.words), std::string::npos) << told;
    }
  }
}

TEST_F(Faults, Versions) {
  for (int version : {0x00010400, 0x00030000, -1, 0}) {
    Variable<int>("fake_nnlib_version") = version;
    EXPECT_EQ(CreateAndRun(Relu(), Using(kFake)).code(), 515) << version;
  }
  Variable<int>("fake_nnlib_version") = 0x00021401;
  EXPECT_TRUE(CreateAndRun(Relu(), Using(kFake)).ok());
}

TEST_F(Faults, UnsignedDomainIsAskedForOnce) {
  AcceleratorOptions options = Using(kFake);
  options.unsigned_pd = true;
  Variable<int>("fake_nnlib_before_request") = 0;
  Variable<int>("fake_nnlib_requests") = 0;
  Variable<const char*>("fake_nnlib_fails") = "hexnn_controller_request_unsigned_pd";
  EXPECT_EQ(CreateAndRun(Relu(), options).code(), 516);
  Variable<const char*>("fake_nnlib_fails") = nullptr;
  EXPECT_TRUE(CreateAndRun(Relu(), options).ok());
  EXPECT_TRUE(CreateAndRun(Relu(), options).ok());
  EXPECT_EQ(Variable<int>("fake_nnlib_requests"), 2);
  EXPECT_EQ(Variable<int>("fake_nnlib_before_request"), 0) << "something was called before";
}

TEST_F(Faults, ListsAreShortEnoughToCarry) {
  for (const char* name : {"fake_nnlib_most_consts", "fake_nnlib_most_nodes", "fake_nnlib_consts",
                           "fake_nnlib_nodes"}) {
    Variable<int>(name) = 0;
  }
  ASSERT_TRUE(Create(LongChain(), Using(kFake)).ok());
  EXPECT_EQ(Variable<int>("fake_nnlib_most_consts"), 250);
  EXPECT_EQ(Variable<int>("fake_nnlib_consts"), 600);
  EXPECT_EQ(Variable<int>("fake_nnlib_most_nodes"), 125);
  EXPECT_EQ(Variable<int>("fake_nnlib_nodes"), 302);
}

TEST_F(Faults, AnOutputOfAnotherShape) {
  Variable<unsigned>("fake_nnlib_height") = 2;
  EXPECT_EQ(CreateAndRun(Relu(), Using(kFake)).code(), 518);
}

TEST_F(Faults, Power) {
  AcceleratorOptions options = Using(kFake);
  options.power_set = true;
  for (const auto& [corner, latency] :
       std::vector<std::pair<int, int>>{{7, 100}, {-1, 100}, {1, -1}}) {
    options.power_corner = corner;
    options.latency_us = latency;
    EXPECT_EQ(CreateAndRun(Relu(), options).code(), 517);
  }
  for (const bool dcvs : {true, false}) {
    options.power_corner = 3;
    options.dcvs = dcvs;
    options.latency_us = 250;
    ASSERT_TRUE(CreateAndRun(Relu(), options).ok());
    EXPECT_EQ(Variable<int>("fake_nnlib_corner"), NN_CORNER_NOMINAL);
    EXPECT_EQ(Variable<int>("fake_nnlib_dcvs"), dcvs ? NN_DCVS_ENABLE : NN_DCVS_DISABLE);
    EXPECT_EQ(Variable<unsigned>("fake_nnlib_latency"), 250u);
  }
}

TEST(HexagonExecutor, Libraries) {
  EXPECT_EQ(Create(Relu(), Using("libnobody_has_this.so")).code(), 502);
  EXPECT_FALSE(Create(Relu(), Using(std::string(kFake) + ".missing")).ok());
  EXPECT_EQ(Create(Relu(), Using(kOther)).code(), 503);
}

TEST(HexagonExecutor, OperatorsThatTheLibraryLacks) {
  Net net = Relu();
  net.def.ops[1].type = "Unheard";
  const Status status = Create(net, Using(kSimulator));
  EXPECT_EQ(status.code(), 514);
  EXPECT_NE(status.message().find("'Unheard'"), std::string::npos);
}

TEST(HexagonExecutor, DamagedNets) {
  struct Case {
    const char* what;
    std::function<void(Net*)> damage;
  };
  const std::vector<Case> cases = {
      {"no nodes", [](Net* n) { n->def.ops.clear(); }},
      {"no inputs", [](Net* n) { n->def.inputs.clear(); }},
      {"no outputs", [](Net* n) { n->def.outputs.clear(); }},
      {"rank of an input",
       [](Net* n) {
         n->def.inputs[0].dims = {1, 1, 1, 2, 3};
       }},
      {"size of an input", [](Net* n) { n->def.inputs[0].dims = {0}; }},
      {"huge input",
       [](Net* n) {
         n->def.inputs[0].dims = {1 << 20, 1 << 20};
       }},
      {"type of an input", [](Net* n) { n->def.inputs[0].type = kInt32; }},
      {"scale 0", [](Net* n) { n->def.inputs[0].scale = 0.0f; }},
      {"scale NaN", [](Net* n) { n->def.inputs[0].scale = std::nanf(""); }},
      {"infinite scale",
       [](Net* n) { n->def.inputs[0].scale = std::numeric_limits<float>::infinity(); }},
      {"zero point", [](Net* n) { n->def.inputs[0].zero_point = 256; }},
      {"number of a node", [](Net* n) { n->def.ops[0].node_id = -1; }},
      {"number beyond int32", [](Net* n) { n->def.ops[2].node_id = INT32_MAX; }},
      {"number taken", [](Net* n) { n->def.ops[1].node_id = 0; }},
      {"later node", [](Net* n) { n->def.ops[1].node_inputs[0].node_id = 2; }},
      {"itself", [](Net* n) { n->def.ops[1].node_inputs[0].node_id = 1; }},
      {"unknown node", [](Net* n) { n->def.ops[1].node_inputs[0].node_id = 77; }},
      {"port", [](Net* n) { n->def.ops[1].node_inputs[0].output_port = 3; }},
      {"negative port", [](Net* n) { n->def.ops[1].node_inputs[0].output_port = -1; }},
      {"too few inputs", [](Net* n) { n->def.ops[1].node_inputs.pop_back(); }},
      {"padding", [](Net* n) { n->def.ops[1].padding = 6; }},
      {"outputs without types", [](Net* n) { n->def.ops[1].types.pop_back(); }},
      {"type of an output", [](Net* n) { n->def.ops[1].types[0] = 99; }},
      {"shape of an output", [](Net* n) { n->def.ops[1].shapes[0] = {-1}; }},
      {"huge output",
       [](Net* n) {
         n->def.ops[1].shapes[0] = {1 << 16, 1 << 14};
       }},
      {"constant of rank 5",
       [](Net* n) {
         n->Constant<float>(kFloat, {1, 1, 1, 1, 1}, {1});
       }},
      {"constant's type", [](Net* n) { n->Constant<float>(7, {1}, {1}); }},
      {"constant's size", [](Net* n) { n->Constant<float>(kFloat, {2}, {1}); }},
      {"constant beyond the file",
       [](Net* n) {
         n->Float(1);
         n->data.resize(2);
       }},
      {"constant before the file",
       [](Net* n) {
         n->Float(1);
         n->def.tensors[0].offset = -4;
       }},
  };
  for (const Case& c : cases) {
    Net net = Relu();
    c.damage(&net);
    EXPECT_FALSE(Create(net, Using(kSimulator)).ok()) << c.what;
  }
}

// The names of all operators, as the simulator lists them.
std::vector<std::string> OperatorsOfTheSimulator() {
  void* const library = dlopen(kSimulator, RTLD_NOW | RTLD_LOCAL);
  EXPECT_NE(library, nullptr);
  auto* const name_of = reinterpret_cast<decltype(hexagon_nn_op_id_to_name)*>(
      dlsym(library, "hexagon_nn_op_id_to_name"));
  std::vector<std::string> names;
  char name[100];
  while (name_of(static_cast<unsigned>(names.size()), name, sizeof name) == 0)
    names.push_back(name);
  dlclose(library);
  return names;
}

// How nets use an operator: the words of `operands` stand for what is before it, or for constants;
// it gives codes of `shape`, `outputs` - 2 times, with their range.
struct Usage {
  const char* operands;
  std::vector<int64_t> shape;
  int outputs = 3;
  int64_t padding = NN_PAD_NA;
};
const std::map<std::string, Usage>& Usages() {
  static const std::vector<int64_t> kImage = {1, 4, 4, 4};
  static const std::map<std::string, Usage> kUsages = {
      {"Supernode_8x8p32to8",
       {"x [3,3,4,3] min max -8 8 strides:1,1 bias:3 -64 64 min max",
        {1, 4, 4, 3},
        3,
        NN_PAD_SAME}},
      {"DepthwiseSupernode_8x8p32to8",
       {"x [3,3,4,2] min max -8 8 strides:2,2 bias:8 -64 64 min max",
        {1, 1, 1, 8},
        3,
        NN_PAD_VALID}},
      {"SuperFC_8x8p32to8", {"x [1,1,64,5] min max -8 8 bias:5 -64 64 min max", {1, 1, 1, 5}}},
      {"QuantizedTransposeConv2d_8x8p32to8",
       {"x [3,3,3,4] min max -8 8 ints:1,1,1,0 strides:2,2 bias:3 -64 64 min max", {1, 7, 8, 3}}},
      {"QuantizedAvgPool_8",
       {"x min max strides:3,2 strides:2,2", {1, 2, 2, 4}, 3, NN_PAD_SAME_CAFFE}},
      {"QuantizedMaxPool_8", {"x min max strides:2,2 strides:2,2", {1, 2, 2, 4}, 3, NN_PAD_VALID}},
      {"QuantizedMean_8", {"x min max ints:1,2 -60 60", {1, 1, 1, 4}}},
      {"QuantizedConcat_8", {"int:3 x [1,4,4,2] min -8 max 8", {1, 4, 4, 6}}},
      {"QuantizedAdd_8p8to8", {"x [1,1,4,4] min max -8 8 min max", kImage}},
      {"QuantizedSub_8p8to8", {"x [1,4,1,4] min max -8 8 min max", kImage}},
      {"QuantizedMul_8x8to8", {"x [1,1,1,4] min max -8 8", kImage}},
      {"QuantizedMinimum_8", {"x [1,1,1,4] min max -8 8", kImage}},
      {"QuantizedMaximum_8", {"x [1,1,1,4] min max -8 8 min max", kImage}},
      {"QuantizedRelu_8", {"x min max", kImage}},
      {"QuantizedReluX_8", {"x min max 6", kImage}},
      {"QuantizedClamp_8", {"x min max -1 6", kImage}},
      {"QuantizedPRelu_8", {"x min max floats:0,0.25,0.5,1", kImage}},
      {"QuantizedTanh_8", {"x min max", kImage}},
      {"QuantizedSigmoid_8", {"x min max", kImage}},
      {"QuantizedSqrt_8", {"x 0 max", kImage}},
      {"QuantizedSoftmax_8", {"x min max 1.5", kImage}},
      {"QuantizedDiv_8", {"x [1,1,1,4] min max 1 8 min max", kImage}},
      {"QuantizedRecip_8", {"x 0 max", kImage}},
      {"QuantizedInstanceNorm_8", {"x min max", kImage}},
      {"QuantizedBatchNorm_8x8p8to8", {"x [1,1,1,4] min max -1 1 [1,1,1,1] -8 8 min max", kImage}},
      {"QuantizedReshape", {"x ints:8,-1 min max", {1, 1, 8, 8}}},
      {"QuantizedPad_8", {"x min max ints:1,1,0,2 -1", {1, 4, 6, 6}}},
      {"QuantizedResizeBilinear_8", {"x ints:7,3 min max", {1, 7, 3, 4}}},
      {"ResizeNearestNeighbor_8", {"x ints:7,3 min max int:1", {1, 7, 3, 4}}},
      {"QuantizedSplit_8", {"int:2 x min max", {1, 4, 2, 4}, 4}},
      {"QuantizedStridedSlice_8",
       {"x ints:3,0,1 ints:-1,3,4 ints:-2,1,1 int:0 int:0 int:0 min max", {1, 2, 3, 3}}},
      {"Transpose_8", {"x ints:2,0,1 min max", kImage}},
      {"SpaceToBatchND_8", {"x ints:2,2 ints:0,0,1,1 min max", {4, 2, 3, 4}}},
      {"BatchToSpaceND_8", {"x ints:1,1 ints:1,0,0,1 min max", {1, 3, 3, 4}}},
      {"DepthToSpace_8", {"x int:2 min max", {1, 8, 8, 1}}},
      {"SpaceToDepth_8", {"x int:2 min max", {1, 2, 2, 16}}},
      // What has no place between inputs and outputs, where only damage can come of it.
      {"Const", {"", {}}},
      {"INPUT", {"", kImage}},
      {"OUTPUT", {"x", {}}},
      {"Nop", {"x min max", kImage}},
      {"QuantizeINPUT_f_to_8", {"", kImage}},
      {"DequantizeOUTPUT_8tof", {"x min max", {}}},
  };
  return kUsages;
}

// An image through one operator.
Net Using(const std::string& type, const Usage& usage) {
  Net net;
  net.Ports({1, 4, 4, 4}, usage.shape.empty() ? std::vector<int64_t>{1, 4, 4, 4} : usage.shape);
  const auto numbers = [](const std::string& list) {
    std::vector<float> values;
    std::istringstream text(list);
    for (std::string number; std::getline(text, number, ',');) values.push_back(std::stof(number));
    return values;
  };
  const auto whole = [&](const std::string& list) {
    const std::vector<float> values = numbers(list);
    return std::vector<int32_t>(values.begin(), values.end());
  };
  std::vector<runtime::NodeInput> operands;
  std::istringstream words(usage.operands);
  // Constants have the first numbers, the input one that none of them has.
  constexpr int64_t kInput = 100;
  for (std::string word; words >> word;) {
    const size_t colon = word.find(':');
    const std::string kind = word.substr(0, colon), rest = word.substr(colon + 1);
    if (word == "x" || word == "min" || word == "max") {
      operands.push_back(From(kInput, word == "x" ? 0 : word == "min" ? 1 : 2));
    } else if (word[0] == '[') {
      const std::vector<int32_t> dims = whole(word.substr(1, word.size() - 2));
      size_t count = 1;
      for (const int32_t d : dims) count *= static_cast<size_t>(d);
      std::vector<uint8_t> codes(count);
      for (size_t i = 0; i < count; ++i) codes[i] = static_cast<uint8_t>(i * 37);
      operands.push_back(From(net.Constant(kUint8, {dims.begin(), dims.end()}, codes)));
    } else if (kind == "strides") {
      const std::vector<int32_t> steps = whole(rest);
      operands.push_back(From(net.Constant<int32_t>(kInt32, {1, steps[0], steps[1], 1}, {})));
    } else if (kind == "bias") {
      const std::vector<int32_t> bias(static_cast<size_t>(std::stoi(rest)), 1000);
      operands.push_back(From(net.Constant(kInt32, {static_cast<int64_t>(bias.size())}, bias)));
    } else if (kind == "int" || kind == "ints") {
      const std::vector<int32_t> values = whole(rest);
      operands.push_back(From(net.Constant(kInt32, {static_cast<int64_t>(values.size())}, values)));
    } else {
      const std::vector<float> values = numbers(kind == "floats" ? rest : word);
      operands.push_back(From(net.Constant(kFloat, {static_cast<int64_t>(values.size())}, values)));
    }
  }
  net.Node("QuantizeINPUT_f_to_8", {}, {1, 4, 4, 4});
  net.def.ops.back().node_id = kInput;
  const int64_t node = net.Node(type, operands, usage.shape, usage.padding);
  if (!usage.shape.empty()) {
    OperatorDef& op = net.def.ops.back();
    op.shapes.insert(op.shapes.begin(), static_cast<size_t>(usage.outputs - 3), usage.shape);
    op.types.insert(op.types.begin(), static_cast<size_t>(usage.outputs - 3), kUint8);
  }
  const int64_t range = usage.outputs - 2;
  net.Node("DequantizeOUTPUT_8tof", {From(node), From(node, range), From(node, range + 1)}, {});
  return net;
}
Net OneOperator(const std::string& type) {
  const auto found = Usages().find(type);
  if (found == Usages().end()) {
    ADD_FAILURE() << "no usage of the operator " << type;
    return Relu();
  }
  return Using(type, found->second);
}

Status CreateAndRunAny(const Net& net) {
  std::unique_ptr<Executor> executor;
  MACE_RETURN_IF_ERROR(Create(net, Using(kSimulator), &executor));
  std::vector<std::vector<float>> values;
  std::vector<const void*> inputs;
  for (const PortDef& port : net.def.inputs) {
    int64_t elements;
    MACE_RETURN_IF_ERROR(runtime::CheckShape(port.name, port.dims, &elements));
    values.emplace_back(static_cast<size_t>(elements), 1.0f);
    inputs.push_back(values.back().data());
  }
  return executor->Run(inputs.data(), nullptr);
}

TEST(HexagonExecutor, EveryOperatorRuns) {
  const std::vector<std::string> names = OperatorsOfTheSimulator();
  EXPECT_GT(names.size(), 30u);
  size_t runs = 0;
  for (const std::string& name : names) {
    const Status status = CreateAndRunAny(OneOperator(name));
    runs += status.ok();
    EXPECT_TRUE(status.ok() || Usages().at(name).operands == std::string() ||
                Usages().at(name).shape.empty() || name == "Nop")
        << name << ": " << status.Render();
  }
  EXPECT_GE(runs + 6, names.size());
}

// An image of 4 channels, 16 cells each, in steps of 0.5 from -50 to 77.5: `cells` over and over.
std::vector<float> Image(const std::vector<float>& cells) {
  std::vector<float> x(64);
  for (size_t i = 0; i < x.size(); ++i) x[i] = cells[i % cells.size()];
  return x;
}

// What an operator makes of the first cells of an image; nothing where the run fails.
std::vector<float> First(const std::string& type, const std::string& operands,
                         const std::vector<float>& cells, std::string* why = nullptr) {
  const Usage usage = {operands.c_str(), {1, 4, 4, 4}};
  std::unique_ptr<Executor> executor;
  Status status = Create(Using(type, usage), Using(kSimulator), &executor);
  const std::vector<float> x = Image(cells);
  const void* inputs[] = {x.data()};
  if (status.ok()) status = executor->Run(inputs, nullptr);
  if (why != nullptr) *why = status.ok() ? "" : status.Render();
  if (!status.ok()) return {};
  const float* y = static_cast<const float*>(executor->output(0));
  return std::vector<float>(y, y + cells.size());
}

void ExpectRefused(const std::string& type, const std::string& operands, const char* reason,
                   const std::vector<float>& cells = {1}) {
  std::string why;
  EXPECT_TRUE(First(type, operands, cells, &why).empty()) << operands;
  EXPECT_NE(why.find(reason), std::string::npos) << why;
}

using Numbers = std::vector<float>;

TEST(HexagonExecutor, Quotients) {
  const char* const kDiv = "QuantizedDiv_8";
  // By 2, and by 1, 38, 75, 112: constants have the codes 0, 37, 74, 111.
  EXPECT_EQ(First(kDiv, "x [1,1,1,1] min max 2 4 -64 63.5", {10, -4, 3, 77}),
            (Numbers{5, -2, 1.5f, 38.5f}));
  EXPECT_EQ(First(kDiv, "x [1,1,1,4] min max 1 256 -64 63.5", {10, 38, -37.5f, 56}),
            (Numbers{10, 1, -0.5f, 0.5f}));
  // Ends of the output's codes.
  EXPECT_EQ(First(kDiv, "x [1,1,1,4] min max 1 256 -8 7.9375", {70, -50, 0, 1}),
            (Numbers{7.9375f, -1.3125f, 0, 0}));
  // Without a range: by one number codes stay or mirror, else the divisors make it, with 0 in it.
  EXPECT_EQ(First(kDiv, "x [1,1,1,1] min max 2 4", {10, -4, 3, 77}), (Numbers{5, -2, 1.5f, 38.5f}));
  EXPECT_EQ(First(kDiv, "x [1,1,1,1] min max -2 0", {10, -4, 3, 77}),
            (Numbers{-5, 2, -1.5f, -38.5f}));
  EXPECT_EQ(First(kDiv, "x [1,1,1,4] min max 1 256", {10, 38, -37.5f, 56}),
            (Numbers{10, 1, -0.5f, 0.5f}));
  ExpectRefused(kDiv, "x [1,1,1,1] min max 0 8 min max", "division by zero");
  ExpectRefused(kDiv, "x [1,1,1,4] min max 0 8", "division by zero");
  ExpectRefused(kDiv, "x [1,1,4,4] min max 1 8 min max", "neither one number");
  ExpectRefused(kDiv, "x [1,1,1,2] min max 1 8 min max", "neither one number");
  ExpectRefused(kDiv, "x [1,1,1,1] min max 1 8 min", "without its greatest");
}

TEST(HexagonExecutor, Reciprocals) {
  const char* const kRecip = "QuantizedRecip_8";
  // The input's codes are 2 (x + 50): 10 and 20 are read as 1 and 2.
  EXPECT_EQ(First(kRecip, "x 0 25.5", {-45, -40}), (Numbers{1, 127 * (1.0f / 255.0f)}));
  EXPECT_EQ(First(kRecip, "x -25.5 0", {72.5f, 67.5f}), (Numbers{-1, -128 * (1.0f / 255.0f)}));
  // The range is that of the data: the same number alone is exact.
  EXPECT_EQ(First(kRecip, "x 0 25.5", {-40}), (Numbers{0.5f}));
  ExpectRefused(kRecip, "x 0 25.5", "the reciprocal of zero", {-45, -50});
  ExpectRefused(kRecip, "x -25.5 0", "the reciprocal of zero", {77.5f});
}

TEST(HexagonExecutor, ReciprocalsOfLargeImages) {
  // By a table of all codes, whose ends depend on the side that the range is on.
  const auto run = [](const char* low, const char* high, const std::vector<float>& cells) {
    Net net;
    net.Ports({1, 16, 16, 1}, {1, 16, 16, 1});
    const int64_t min = net.Float(std::stof(low)), max = net.Float(std::stof(high));
    const int64_t input = net.Node("QuantizeINPUT_f_to_8", {}, {1, 16, 16, 1});
    const int64_t recip =
        net.Node("QuantizedRecip_8", {From(input), From(min), From(max)}, {1, 16, 16, 1});
    net.Node("DequantizeOUTPUT_8tof", Codes(recip), {});
    std::vector<float> x(256);
    for (size_t i = 0; i < x.size(); ++i) x[i] = cells[i % cells.size()];
    std::unique_ptr<Executor> executor;
    Status status = Create(net, Using(kSimulator), &executor);
    const void* inputs[] = {x.data()};
    if (status.ok()) status = executor->Run(inputs, nullptr);
    if (!status.ok()) return Numbers{};
    const float* y = static_cast<const float*>(executor->output(0));
    return Numbers(y, y + cells.size());
  };
  EXPECT_EQ(run("0", "25.5", {-45, -40}), (Numbers{1, 127 * (1.0f / 255.0f)}));
  EXPECT_EQ(run("-25.5", "0", {72.5f, 67.5f}), (Numbers{-1, -128 * (1.0f / 255.0f)}));
  // Codes 0 and 255 are -1 and 1, 127 is taken for 0.
  const Numbers both = run("-1", "1", {-50, 77.5f});
  ASSERT_EQ(both.size(), 2u);
  EXPECT_NEAR(both[0], -1, 0.01);
  EXPECT_NEAR(both[1], 1, 0.01);
  EXPECT_TRUE(run("-1", "1", {13.5f}).empty()) << "the code of zero";
  EXPECT_TRUE(run("1", "26.5", {-45}).empty()) << "a range without zero";
}

TEST(HexagonExecutor, Normalizations) {
  // Channels of two values alike, of one value, of 3 to 1; and the range of the whole.
  const Numbers y = First("QuantizedInstanceNorm_8", "x min max",
                          {10, 5, 0, 30, -10, 5, 1, 30, 10, 5, 0, 30, -10, 5, 0, 31});
  ASSERT_EQ(y.size(), 16u);
  const double root3 = std::sqrt(3.0);
  const double wanted[] = {1, 0, -1 / root3, -1 / root3, -1, 0, root3,      -1 / root3,
                           1, 0, -1 / root3, -1 / root3, -1, 0, -1 / root3, root3};
  // A step of the range from -1 to 1.73 is 0.011.
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], wanted[i], 0.011) << i;
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_EQ(First("QuantizedInstanceNorm_8", "x min max", {7}), (Numbers{0}));
  // Factors -2, 1.7, 5.4, 9.1 and the offset -4.
  const std::string norm = "x [1,1,1,4] min max -2 23.5 ";
  EXPECT_EQ(
      First("QuantizedBatchNorm_8x8p8to8", norm + "[1,1,1,1] -4 6.2 -64 63.5", {10, 20, -5, 3}),
      (Numbers{-24, 30, -31, 23.5f}));
  ExpectRefused("QuantizedBatchNorm_8x8p8to8", norm + "[1,1,1,1] -1e9 1e9 min max", "offsets'");
  ExpectRefused("QuantizedBatchNorm_8x8p8to8", norm + "[1,1,1,2] -4 4 min max", "offsets of");
  ExpectRefused("QuantizedBatchNorm_8x8p8to8", norm + "[1,1,1,1] -4 4 -1e-3 1e-3", "suit");
}

// Whatever a file says, the executor and the simulator give an error or numbers.
TEST(HexagonExecutor, RandomDamage) {
  testing::Random random;
  SCOPED_TRACE(random.Replay());
  const auto any = [&](size_t count) {
    return static_cast<size_t>(random.Int(0, static_cast<int64_t>(count) - 1));
  };
  const auto number = [&]() -> int64_t {
    constexpr int64_t kOdd[] = {
        0,  1,  2,   3,       4,     255,       256,       1 << 20,
        -1, -2, 125, 1 << 16, 65537, INT32_MAX, INT32_MIN, int64_t{1} << 40};
    return kOdd[any(sizeof kOdd / sizeof kOdd[0])];
  };
  const auto real = [&]() -> float {
    constexpr float kInfinite = std::numeric_limits<float>::infinity();
    constexpr float kOdd[] = {0,     -1,     1,         -50,        0.5f, 1e-45f, -1e-30f,
                              3e38f, -3e38f, kInfinite, -kInfinite, 1e9f, 255};
    const size_t i = any(sizeof kOdd / sizeof kOdd[0] + 1);
    return i < sizeof kOdd / sizeof kOdd[0] ? kOdd[i] : std::nanf("");
  };
  const std::vector<std::string> names = OperatorsOfTheSimulator();
  const auto damage = [&](Net* net) {
    // Mostly what is between input and output.
    OperatorDef& op = net->def.ops[any(3) == 0 ? any(net->def.ops.size()) : 1];
    ConstDef* constant =
        net->def.tensors.empty() ? nullptr : &net->def.tensors[any(net->def.tensors.size())];
    const auto source = [&]() -> runtime::NodeInput {
      if (any(4) == 0) return From(number(), number());
      if (any(2) == 0 || constant == nullptr) return From(100, static_cast<int64_t>(any(4)));
      return From(constant->node_id);
    };
    switch (any(14)) {
      case 0:
        op.node_id = number();
        break;
      case 1:
        op.padding = any(2) == 0 ? number() : static_cast<int64_t>(any(6));
        break;
      case 2:
        if (!op.node_inputs.empty()) op.node_inputs[any(op.node_inputs.size())] = source();
        break;
      case 3:
        if (any(2) == 0 && !op.node_inputs.empty()) {
          op.node_inputs.pop_back();
        } else {
          op.node_inputs.push_back(source());
        }
        break;
      case 4:
        if (!op.shapes.empty()) {
          // Seldom large: such rooms take long to clear.
          const int64_t other = any(8) == 0 ? number() : static_cast<int64_t>(any(6));
          op.shapes[any(op.shapes.size())] = {number(), other};
        }
        break;
      case 5:
        if (!op.types.empty()) op.types[any(op.types.size())] = number();
        break;
      case 6: {
        // Shapes that the executor takes as they are, and sizes that do not fit them.
        if (constant == nullptr) break;
        std::vector<int64_t>& dims = constant->dims;
        if (any(3) == 0 || dims.empty()) {
          dims = {number()};
        } else {
          dims[any(dims.size())] = any(2) == 0 ? number() : static_cast<int64_t>(any(6));
        }
        if (any(2) == 0) {
          constant->size = 1;
          for (const int64_t d : dims) constant->size *= d & 0xffff;
        }
        break;
      }
      case 7:
        if (constant == nullptr) break;
        (any(2) == 0 ? constant->size : constant->offset) = number();
        break;
      case 8:
        net->data.resize(any(net->data.size() + 1));
        break;
      case 9:
        // Another operator in its place.
        op.type = names[any(names.size())];
        break;
      case 10: {
        // Another operator behind it.
        const OperatorDef& before = op;
        OperatorDef added = OneOperator(names[any(names.size())]).def.ops[1];
        added.node_id = 1000 + static_cast<int64_t>(net->def.ops.size());
        for (size_t i = 0; i < added.node_inputs.size(); ++i) {
          if (any(2) == 0)
            added.node_inputs[i] = From(before.node_id, static_cast<int64_t>(any(3)));
        }
        net->def.ops.insert(net->def.ops.end() - 1, added);
        break;
      }
      case 11: {
        PortDef& port = any(2) == 0 ? net->def.inputs[0] : net->def.outputs[0];
        port.dims[any(port.dims.size())] = any(2) == 0 ? number() : static_cast<int64_t>(any(6));
        break;
      }
      default:
        if (net->data.size() < 4) break;
        uint8_t* const at = net->data.data() + any(net->data.size() / 4) * 4;
        if (any(2) == 0) {
          const float value = real();
          std::memcpy(at, &value, sizeof value);
        } else {
          const int32_t value = static_cast<int32_t>(number());
          std::memcpy(at, &value, sizeof value);
        }
    }
  };
  // The library stays between nets.
  void* const library = dlopen(kSimulator, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr);
  int failed = 0;
  const int nets = static_cast<int>(100 * names.size());
  for (int i = 0; i < nets; ++i) {
    Net net = OneOperator(names[static_cast<size_t>(i) % names.size()]);
    const size_t count = 1 + any(3);
    for (size_t k = 0; k < count; ++k) damage(&net);
    if (!CreateAndRunAny(net).ok()) ++failed;
  }
  dlclose(library);
  EXPECT_GT(failed, nets / 3);
  EXPECT_LT(failed, nets - nets / 20);
}

}  // namespace
}  // namespace delegates
}  // namespace mace
