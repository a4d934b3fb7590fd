// The libraries of APUs of versions 1 to 3 through their interface, found as callers find it: what
// graphs compute, what each version takes, and graphs and files that are not right.
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "third_party/apu/include/ApuFrontend.h"

namespace {

// A library of one of the interface's two forms.
class Library {
 public:
  explicit Library(int form) {
    const std::string name =
        "third_party/apu/sim/libapu_frontend_v" + std::to_string(form) + "_sim.so";
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(handle_, nullptr) << dlerror();
    Find(APU_FRONTEND_CONSTRUCT, &construct);
    Find(APU_FRONTEND_DESTROY, &destroy);
    Find(APU_FRONTEND_RUN_GRAPH, &run);
    Find(APU_FRONTEND_UNINIT_GRAPH, &uninit);
    if (form == 1) Find(APU_FRONTEND_INIT_GRAPH_V1, &init_v1);
    if (form == 2) Find(APU_FRONTEND_INIT_GRAPH_V2, &init_v2);
    // One form only, and nothing of the other interface.
    const char* other = form == 1 ? APU_FRONTEND_INIT_GRAPH_V2 : APU_FRONTEND_INIT_GRAPH_V1;
    EXPECT_EQ(dlsym(handle_, other), nullptr);
    EXPECT_EQ(dlsym(handle_, "NeuronModel_create"), nullptr);
  }
  ~Library() { dlclose(handle_); }

  ApuFrontend_Construct* construct = nullptr;
  ApuFrontend_Destroy* destroy = nullptr;
  ApuFrontend_RunGraph* run = nullptr;
  ApuFrontend_UninitGraph* uninit = nullptr;
  ApuFrontend_InitGraphV1* init_v1 = nullptr;
  ApuFrontend_InitGraphV2* init_v2 = nullptr;

 private:
  template <typename F>
  void Find(const char* symbol, F** function) {
    *function = reinterpret_cast<F*>(dlsym(handle_, symbol));
    EXPECT_NE(*function, nullptr) << symbol;
  }
  void* handle_;
};

// A graph before a library has seen it: x, one operator, y.
struct Graph {
  std::vector<apu_tensor> consts, inputs, outputs;
  std::vector<apu_operator> operators;
  std::vector<int> ids = {kX};
  std::deque<std::vector<uint8_t>> bytes;
  std::vector<uint8_t> x, y;

  static constexpr int kX = 1000, kY = 2000;

  static apu_tensor Tensor(int id, apu_tensor_type type, const std::vector<int>& dims) {
    apu_tensor tensor = {};
    tensor.tensor_id = id;
    tensor.tensor_type = type;
    tensor.data_type = APU_DATA_TYPE_UINT8;
    tensor.scale = 0.5f;
    tensor.zero_point = 100;
    tensor.dim_size = static_cast<int>(dims.size());
    for (size_t i = 0; i < dims.size(); ++i) tensor.dims[i] = dims[i];
    return tensor;
  }

  Graph(const char* type, const std::vector<int>& from, const std::vector<int>& to) {
    const auto room = [](const std::vector<int>& dims) {
      size_t count = 1;
      for (const int d : dims) count *= static_cast<size_t>(d);
      return count;
    };
    x.resize(room(from));
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(100 + i);
    y.resize(room(to));
    inputs = {Tensor(kX, APU_TENSOR_MODEL_INPUT, from)};
    outputs = {Tensor(kY, APU_TENSOR_MODEL_OUTPUT, to)};
    apu_operator op = {};
    std::strncpy(op.type, type, sizeof op.type - 1);
    op.output = Tensor(kY, APU_TENSOR_OP_OUTPUT, to);
    operators = {op};
  }
  apu_operator& op() { return operators[0]; }

  template <typename T>
  Graph& Constant(apu_tensor_type type, apu_data_type data, const std::vector<int>& dims,
                  const std::vector<T>& values) {
    apu_tensor tensor = Tensor(static_cast<int>(consts.size()), type, dims);
    tensor.data_type = data;
    if (data != APU_DATA_TYPE_UINT8) {
      tensor.scale = 0;
      tensor.zero_point = 0;
    }
    bytes.emplace_back(values.size() * sizeof(T));
    std::memcpy(bytes.back().data(), values.data(), bytes.back().size());
    tensor.data_buf = bytes.back().data();
    consts.push_back(tensor);
    ids.push_back(tensor.tensor_id);
    return *this;
  }
  Graph& Ints(const std::vector<int32_t>& numbers) {
    return Constant(APU_TENSOR_CONST_ARGUMENT, APU_DATA_TYPE_INT32,
                    {static_cast<int>(numbers.size())}, numbers);
  }
  // In steps of 1 from 0, which keep the input's grid.
  Graph& Codes(const std::vector<int>& dims, const std::vector<uint8_t>& codes) {
    Constant(APU_TENSOR_CONST_DATA, APU_DATA_TYPE_UINT8, dims, codes);
    consts.back().scale = 1;
    consts.back().zero_point = 0;
    return *this;
  }
  Graph& Bias(const std::vector<int32_t>& values) {
    Constant(APU_TENSOR_CONST_DATA, APU_DATA_TYPE_INT32, {static_cast<int>(values.size())}, values);
    consts.back().scale = 0.5f;
    return *this;
  }
};

struct File {
  const char* name = nullptr;
  bool load = false, store = false;
};

// An object of a library.
class Frontend {
 public:
  explicit Frontend(const Library& library) : l_(library) { l_.construct(&object_); }
  ~Frontend() { l_.destroy(&object_); }

  bool Init(Graph* g, const File& file = {}) {
    // Copies of graphs have bytes of their own.
    for (size_t i = 0; i < g->consts.size(); ++i) {
      if (g->consts[i].data_buf != nullptr) g->consts[i].data_buf = g->bytes[i].data();
    }
    if (!g->inputs.empty()) g->inputs[0].data_buf = g->x.data();
    if (!g->outputs.empty()) g->outputs[0].data_buf = g->y.data();
    for (apu_operator& op : g->operators) {
      op.input_ids = g->ids.data();
      op.input_size = static_cast<int>(g->ids.size());
    }
    const auto count = [](const auto& list) { return static_cast<int>(list.size()); };
    if (l_.init_v1 != nullptr) {
      std::vector<int> ids;
      std::vector<void*> buffers;
      for (const apu_tensor& output : g->outputs) {
        ids.push_back(output.tensor_id);
        buffers.push_back(output.data_buf);
      }
      return l_.init_v1(&object_, count(g->consts), g->consts.data(), count(g->inputs),
                        g->inputs.data(), count(ids), ids.data(), buffers.data(),
                        count(g->operators), g->operators.data(), true);
    }
    return l_.init_v2(&object_, file.load ? 0 : count(g->consts), g->consts.data(),
                      count(g->inputs), g->inputs.data(), count(g->outputs), g->outputs.data(),
                      file.load ? 0 : count(g->operators), g->operators.data(), true, file.name,
                      file.load, file.store);
  }
  bool Run() { return l_.run(&object_); }
  bool Uninit() { return l_.uninit(&object_); }

 private:
  const Library& l_;
  void* object_ = nullptr;
};

std::vector<uint8_t> Result(const Library& library, Graph graph) {
  Frontend frontend(library);
  if (!frontend.Init(&graph)) return {};
  EXPECT_TRUE(frontend.Run());
  const std::vector<uint8_t> first = graph.y;
  // Runs read the buffers again.
  for (uint8_t& code : graph.x) code = 100;
  EXPECT_TRUE(frontend.Run());
  EXPECT_TRUE(frontend.Uninit());
  EXPECT_FALSE(frontend.Run());
  return first;
}

// The greatest of what is there, around which paddings are top 1, right 2, bottom 0, left 0.
Graph Pool() {
  Graph graph("Pooling", {1, 2, 2, 1}, {1, 2, 2, 1});
  graph.Ints({1, 2, 0, 0}).Ints({1, 1}).Ints({2, 3});
  graph.op().op_mode = APU_POOLING_MAX;
  return graph;
}
// Two channels of x, each of which gives two, once and twice itself, plus a bias.
Graph Depthwise() {
  Graph graph("DepthwiseConv2d", {1, 1, 1, 2}, {1, 1, 1, 4});
  graph.Codes({2, 1, 1, 2}, {1, 1, 2, 3}).Bias({10, 20, 30, 40});
  graph.Ints({1, 1}).Ints({0, 0, 0, 0}).Ints({1, 1}).Ints({2});
  graph.x = {101, 104};
  return graph;
}
Graph Conv() {
  Graph graph("Conv2D", {1, 1, 2, 1}, {1, 1, 2, 1});
  // Left of the image a cell of padding: of two weights the second meets x first.
  graph.Codes({1, 1, 2, 1}, {1, 10}).Bias({0});
  graph.Ints({1, 1}).Ints({0, 0, 0, 1}).Ints({1, 1});
  graph.x = {101, 102};
  return graph;
}
Graph Eltwise(apu_eltwise_mode mode) {
  Graph graph("Eltwise", {1, 3}, {1, 3});
  graph.Codes({1, 3}, {0, 1, 2});
  graph.op().op_mode = mode;
  graph.x = {100, 102, 104};
  return graph;
}
Graph Activation(apu_act_mode mode) {
  Graph graph("Activation", {1, 3}, {1, 3});
  graph.x = {90, 105, 140};
  graph.op().act_mode = mode;
  return graph;
}
Graph Deconv() {
  Graph graph("Deconv2D", {1, 1, 2, 1}, {1, 1, 3, 1});
  graph.Codes({1, 1, 2, 1}, {1, 2});
  graph.Constant<int32_t>(APU_TENSOR_CONST_DATA, APU_DATA_TYPE_INT32, {4}, {1, 1, 3, 1}).Bias({0});
  graph.Ints({1, 1}).Ints({0, 0, 0, 0}).Ints({1, 1});
  graph.x = {101, 103};
  return graph;
}
Graph FullyConnected() {
  Graph graph("FullyConnected", {1, 2}, {1, 1});
  graph.Codes({1, 2}, {3, 4}).Bias({5});
  graph.x = {101, 102};
  return graph;
}
Graph Pad() {
  Graph graph("Pad", {1, 1, 1, 2}, {1, 2, 1, 2});
  graph.Constant<int32_t>(APU_TENSOR_CONST_ARGUMENT, APU_DATA_TYPE_INT32, {4, 2},
                          {0, 0, 1, 0, 0, 0, 0, 0});
  return graph;
}
Graph Mean() {
  Graph graph("Reduce", {1, 2, 1, 2}, {1, 2});
  graph.Ints({1, 2}).Ints({0});
  return graph;
}
Graph Resize() {
  Graph graph("ResizeBilinear", {1, 1, 2, 1}, {1, 1, 3, 1});
  graph.Ints({1});
  graph.x = {100, 110};
  return graph;
}
Graph Concat() {
  Graph graph("Concat", {1, 1}, {1, 2});
  graph.Codes({1, 1}, {1}).Ints({1});
  return graph;
}
Graph Slopes() {
  Graph graph("PRelu", {1, 2}, {1, 2});
  graph.Codes({2}, {2, 2});
  graph.x = {97, 103};
  return graph;
}
Graph Softmax() {
  Graph graph("Softmax", {1, 2}, {1, 2});
  graph.Constant<float>(APU_TENSOR_CONST_ARGUMENT, APU_DATA_TYPE_FLOAT, {1}, {1});
  graph.x = {100, 100};
  graph.op().output.scale = 1.0f / 256;
  graph.op().output.zero_point = 0;
  return graph;
}
Graph Reshape() { return Graph("Reshape", {1, 2}, {2, 1}); }

struct Case {
  const char* name;
  Graph graph;
  // The first form that takes it.
  int since;
  std::vector<uint8_t> y;
};
std::vector<Case> Cases() {
  return {
      {"Pool", Pool(), 1, {101, 101, 103, 103}},
      {"Depthwise", Depthwise(), 1, {111, 122, 134, 152}},
      {"Conv", Conv(), 1, {110, 121}},
      {"Sum", Eltwise(APU_ELTWISE_ADD), 1, {100, 104, 108}},
      {"Product", Eltwise(APU_ELTWISE_MUL), 1, {100, 102, 108}},
      {"Difference", Eltwise(APU_ELTWISE_SUB), 3, {}},
      {"Maximum", Eltwise(APU_ELTWISE_MAX), 3, {}},
      {"Relu", Activation(APU_ACT_RELU), 2, {100, 105, 140}},
      {"Relu6", Activation(APU_ACT_RELU6), 2, {100, 105, 112}},
      {"NoFunction", Activation(APU_ACT_NONE), 3, {}},
      {"Deconv", Deconv(), 2, {101, 105, 106}},
      {"FullyConnected", FullyConnected(), 2, {116}},
      {"Pad", Pad(), 2, {100, 100, 100, 101}},
      {"Mean", Mean(), 1, {101, 102}},
      {"Resize", Resize(), 1, {100, 105, 110}},
      {"Concat", Concat(), 1, {100, 102}},
      {"Slopes", Slopes(), 2, {94, 103}},
      {"Softmax", Softmax(), 1, {128, 128}},
      {"Reshape", Reshape(), 1, {100, 101}},
      {"Unheard", Graph("Transpose", {1, 2}, {2, 1}), 3, {}},
  };
}

TEST(Frontend, WhatEachFormComputes) {
  for (const int form : {1, 2}) {
    const Library library(form);
    for (Case& c : Cases()) {
      const std::vector<uint8_t> expected = c.since <= form ? c.y : std::vector<uint8_t>();
      EXPECT_EQ(Result(library, c.graph), expected) << c.name << " in form " << form;
    }
  }
}

TEST(Frontend, FusedActivations) {
  const Library library(1);
  Graph sum = Eltwise(APU_ELTWISE_ADD);
  sum.x = {90, 98, 130};
  sum.op().act_mode = APU_ACT_RELU6;
  EXPECT_EQ(Result(library, sum), (std::vector<uint8_t>{100, 100, 112}));
  sum.op().act_mode = APU_ACT_TANH;
  EXPECT_TRUE(Result(library, sum).empty());
}

TEST(Frontend, OneGraphAtATime) {
  for (const int form : {1, 2}) {
    const Library library(form);
    Frontend frontend(library);
    Graph graph = Pool();
    EXPECT_FALSE(frontend.Run());
    EXPECT_FALSE(frontend.Uninit());
    ASSERT_TRUE(frontend.Init(&graph));
    EXPECT_FALSE(frontend.Init(&graph)) << "it has one";
    EXPECT_TRUE(frontend.Uninit());
    EXPECT_FALSE(frontend.Uninit());
    ASSERT_TRUE(frontend.Init(&graph));
    EXPECT_TRUE(frontend.Run());
  }
}

TEST(Frontend, BadGraphs) {
  const std::vector<std::function<void(Graph&)>> kDamages = {
      [](Graph& g) { g.inputs.clear(); },
      [](Graph& g) { g.outputs.clear(); },
      [](Graph& g) { g.operators.clear(); },
      [](Graph& g) { g.consts.pop_back(); },
      [](Graph& g) { g.ids.pop_back(); },
      [](Graph& g) { g.ids.push_back(Graph::kX); },
      [](Graph& g) { g.ids[0] = 77; },
      [](Graph& g) { g.ids[0] = Graph::kY; },
      [](Graph& g) { g.ids[1] = Graph::kX; },
      [](Graph& g) { g.ids[0] = g.ids[1]; },
      [](Graph& g) { g.consts[0].tensor_id = Graph::kX; },
      [](Graph& g) { g.consts[0].data_buf = nullptr; },
      [](Graph& g) { g.consts[0].dim_size = 5; },
      [](Graph& g) { g.consts[0].dim_size = 0; },
      [](Graph& g) { g.consts[0].dims[0] = -4; },
      [](Graph& g) { g.consts[0].dims[0] = 3; },
      [](Graph& g) { g.consts[0].data_type = APU_DATA_TYPE_FLOAT; },
      [](Graph& g) { g.consts[0].tensor_type = APU_TENSOR_CONST_DATA; },
      [](Graph& g) { g.consts[0].tensor_type = APU_TENSOR_UNDEFINED; },
      [](Graph& g) { g.inputs[0].tensor_type = APU_TENSOR_OP_OUTPUT; },
      [](Graph& g) { g.inputs[0].data_type = APU_DATA_TYPE_HALF; },
      [](Graph& g) { g.inputs[0].scale = 0; },
      [](Graph& g) { g.inputs[0].zero_point = 256; },
      [](Graph& g) { g.inputs[0].dims[1] = INT32_MAX; },
      [](Graph& g) { g.outputs[0].tensor_id = 3000; },
      [](Graph& g) { g.outputs[0].tensor_id = g.consts[0].tensor_id; },
      [](Graph& g) { g.op().output.dims[2] = 9; },
      [](Graph& g) { g.op().output.scale = 0.25f; },
      [](Graph& g) { g.op().output.tensor_id = Graph::kX; },
      [](Graph& g) { g.op().output.tensor_type = APU_TENSOR_MODEL_OUTPUT; },
      [](Graph& g) { g.op().op_mode = APU_POOLING_UNDEFINED; },
      [](Graph& g) { g.op().act_mode = APU_ACT_SIGMOID; },
      [](Graph& g) { std::memset(g.op().type, 'P', sizeof g.op().type); },
      [](Graph& g) { g.bytes[1][0] = 0; },
      [](Graph& g) { g.operators.push_back(g.operators[0]); },
  };
  for (const int form : {1, 2}) {
    const Library library(form);
    for (size_t i = 0; i < kDamages.size(); ++i) {
      Graph graph = Pool();
      kDamages[i](graph);
      Frontend frontend(library);
      EXPECT_FALSE(frontend.Init(&graph)) << i << " in form " << form;
      EXPECT_FALSE(frontend.Run()) << i;
    }
  }
  // What only the second form is told.
  const Library library(2);
  for (const auto& damage : std::vector<std::function<void(apu_tensor&)>>{
           [](apu_tensor& t) { t.dims[1] = 1; },
           [](apu_tensor& t) { t.dim_size = 3; },
           [](apu_tensor& t) { t.data_type = APU_DATA_TYPE_INT16; },
           [](apu_tensor& t) { t.tensor_type = APU_TENSOR_OP_OUTPUT; },
       }) {
    Graph graph = Pool();
    damage(graph.outputs[0]);
    EXPECT_FALSE(Frontend(library).Init(&graph));
  }
  // Numbers of things that cannot be, and lists that are not there.
  void* object = nullptr;
  library.construct(&object);
  EXPECT_FALSE(library.init_v2(&object, -1, nullptr, 0, nullptr, 0, nullptr, 0, nullptr, false,
                               nullptr, false, false));
  EXPECT_FALSE(library.init_v2(&object, 0, nullptr, 1, nullptr, 1, nullptr, 1, nullptr, false,
                               nullptr, false, false));
  library.destroy(&object);
}

std::string Read(const std::string& path) {
  std::string bytes;
  FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return bytes;
  for (int c; (c = std::fgetc(file)) != EOF;) bytes += static_cast<char>(c);
  std::fclose(file);
  return bytes;
}
void Write(const std::string& path, const std::string& bytes) {
  FILE* file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
  std::fclose(file);
}

TEST(Frontend, StoredGraphs) {
  const Library library(2);
  const std::string path = ::testing::TempDir() + "/stored";
  const auto init = [&](Graph graph, const File& file) {
    return Frontend(library).Init(&graph, file);
  };
  const File load = {path.c_str(), true, false}, store = {path.c_str(), false, true};
  EXPECT_FALSE(init(Depthwise(), load)) << "there is none yet";
  EXPECT_FALSE(init(Depthwise(), {path.c_str(), true, true}));
  EXPECT_FALSE(init(Depthwise(), {nullptr, false, true}));
  EXPECT_FALSE(init(Depthwise(), {nullptr, true, false}));
  EXPECT_FALSE(init(Depthwise(), {"/nowhere/at/all", false, true}));
  EXPECT_FALSE(init(Depthwise(), {"/", true, false}));
  ASSERT_TRUE(init(Depthwise(), store));
  Graph graph = Depthwise();
  Frontend frontend(library);
  ASSERT_TRUE(frontend.Init(&graph, load));
  ASSERT_TRUE(frontend.Run());
  EXPECT_EQ(graph.y, (std::vector<uint8_t>{111, 122, 134, 152}));
  // Of other inputs and outputs.
  EXPECT_FALSE(init(Conv(), load));
  Graph other = Depthwise();
  other.inputs[0].zero_point = 99;
  EXPECT_FALSE(init(other, load));
  // Foreign, damaged, cut short.
  const std::string good = Read(path);
  ASSERT_GT(good.size(), 100u);
  for (size_t i = 0; i < good.size(); i += i < 16 ? 1 : 11) {
    std::string bytes = good;
    bytes[i] ^= 0x41;
    Write(path, bytes);
    EXPECT_FALSE(init(Depthwise(), load)) << i;
    Write(path, good.substr(0, i));
    EXPECT_FALSE(init(Depthwise(), load)) << i;
  }
}

}  // namespace
