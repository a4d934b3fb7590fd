// Model files that are damaged or hostile: every one ends in a status with a text, none in a crash.
#include "mace/runtime/model.h"

#include <cmath>
#include <functional>

#include "gtest/gtest.h"
#include "mace/runtime/session.h"
#include "mace/testing/model_builder.h"
#include "mace/testing/random.h"

namespace mace {
namespace runtime {
namespace {

using mace::testing::Arg;
using mace::testing::ModelBuilder;
using mace::testing::Random;
using mace::testing::TensorSpec;

const ElementType kU8 = ElementType::kUint8;
const ElementType kS8 = ElementType::kInt8;
const ElementType kI32 = ElementType::kInt32;

// Reads and prepares; runs once on zeros when that succeeds.
Status Load(const std::string& pb, const std::string& data) {
  Model model;
  const Status read = ReadModel(pb.data(), pb.size(), data.data(), data.size(), &model);
  if (!read.ok()) return read;
  std::unique_ptr<Session> session;
  const Status prepared = Session::Create(std::move(model), SessionOptions(), &session);
  if (!prepared.ok()) return prepared;
  std::vector<std::vector<float>> zeros;
  std::vector<const void*> inputs;
  for (const Port& port : session->model().inputs) {
    zeros.emplace_back(
        static_cast<size_t>(session->model().tensors[static_cast<size_t>(port.tensor)].elements),
        0.0f);
  }
  for (const auto& z : zeros) inputs.push_back(z.data());
  session->Run(inputs.data());
  return Status();
}

// A sound model with a bit of everything, in float or in codes.
ModelBuilder Sound(ElementType type) {
  ModelBuilder m;
  m.Input("in", {1, 6, 6, 3});
  const bool codes = type != ElementType::kFloat32;
  const auto spec = [&](const std::string& name, const Shape& shape) {
    return TensorSpec{name, shape, type, 0.05f, codes ? 3 : 0, {}, 0};
  };
  std::string x = "in";
  if (codes) {
    m.Node("Quantize", {"in"}, {spec("q", {1, 6, 6, 3})});
    x = "q";
  }
  if (codes) {
    m.Constant({"w", {4, 3, 3, 3}, type, 0.01f, type == kU8 ? 120 : 0, {}, 0},
               std::vector<uint8_t>(108, 7));
    m.Constant({"b", {4}, kI32, 0, 0, {}, 0}, std::vector<int32_t>(4, 100));
    m.Constant({"dw", {3, 3, 4, 1}, type, 0, 0, std::vector<float>(4, 0.1f), 2},
               std::vector<uint8_t>(36, 9));
  } else {
    m.Constant({"w", {4, 3, 3, 3}, type, 0, 0, {}, 0}, std::vector<float>(108, 0.1f));
    m.Constant({"b", {4}, type, 0, 0, {}, 0}, std::vector<float>(4, 0.5f));
    m.Constant({"dw", {3, 3, 4, 1}, type, 0, 0, {}, 0}, std::vector<float>(36, 0.2f));
  }
  m.Node("Conv2D", {x, "w", "b"}, {spec("conv", {1, 6, 6, 4})},
         {{"pads", std::vector<int64_t>{1, 1, 1, 1}}, {"activation", "RELU"}});
  m.Node("DepthwiseConv2d", {"conv", "dw"}, {spec("deep", {1, 3, 3, 4})},
         {{"strides", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{0, 0, 1, 1}}});
  m.Node("Pooling", {"deep"}, {spec("pool", {1, 2, 2, 4})},
         {{"pooling_type", 2},
          {"kernels", std::vector<int64_t>{2, 2}},
          {"strides", std::vector<int64_t>{2, 2}},
          {"round_mode", 1}});
  m.Node("Concat", {"pool", "pool"}, {spec("cat", {1, 2, 2, 8})}, {{"axis", 3}});
  m.Node("Reduce", {"cat"}, {spec("mean", {1, 8})},
         {{"reduce_type", 0}, {"axis", std::vector<int64_t>{1, 2}}, {"keepdims", 0}});
  std::string y = "mean";
  if (codes) {
    m.Node("Dequantize", {"mean"}, {{"out", {1, 8}, ElementType::kFloat32, 1.0f, 0, {}, 0}});
    y = "out";
  }
  m.Output(y, {1, 8});
  return m;
}

// The operators on blocks, sizes, indices and boxes; those that have codes in codes.
ModelBuilder Further(ElementType type) {
  ModelBuilder m;
  const ElementType f = ElementType::kFloat32;
  const bool codes = type != f;
  const auto spec = [&](const std::string& name, const Shape& shape) {
    return TensorSpec{name, shape, type, 0.05f, codes ? 3 : 0, {}, 0};
  };
  const auto real = [&](const std::string& name, const Shape& shape) {
    return TensorSpec{name, shape, f, 1.0f, 0, {}, 0};
  };
  const std::vector<int64_t> two = {2, 2};
  m.Input("in", {1, 4, 6, 4});
  m.Node(codes ? "Quantize" : "Reshape", {"in"}, {spec("x", {1, 4, 6, 4})});
  if (codes) {
    m.Constant({"w", {4, 3, 2, 4}, type, 0.01f, 0, {}, 0}, std::vector<uint8_t>(96, 7));
  } else {
    m.Constant({"w", {4, 3, 2, 4}, f, 0, 0, {}, 0}, std::vector<float>(96, 0.5f));
  }
  m.Node("Deconv2D", {"x", "w"}, {spec("d", {1, 9, 12, 4})}, {{"strides", two}});
  m.Node("ResizeBilinear", {"d"}, {spec("r", {1, 5, 7, 4})}, {{"coordinate_mode", "half_pixel"}});
  m.Node("ResizeNearestNeighbor", {"r"}, {spec("n", {1, 4, 4, 4})},
         {{"scales", std::vector<float>{0.8f, 0.6f}}, {"nearest_mode", "ceil"}});
  m.Node("DepthToSpace", {"n"}, {spec("ds", {1, 8, 8, 1})}, {{"block_size", 2}, {"mode", "CRD"}});
  m.Node("SpaceToDepth", {"ds"}, {spec("sd", {1, 4, 4, 4})}, {{"block_size", 2}});
  m.Node("SpaceToBatchND", {"sd"}, {spec("sb", {4, 3, 2, 4})},
         {{"block_shape", two}, {"paddings", std::vector<int64_t>{1, 1, 0, 0}}});
  m.Node("BatchToSpaceND", {"sb"}, {spec("bs", {1, 4, 4, 4})},
         {{"block_shape", two}, {"crops", std::vector<int64_t>{1, 1, 0, 0}}});
  m.Node("Tile", {"bs"}, {spec("t", {2, 4, 4, 4})},
         {{"multiples", std::vector<int64_t>{2, 1, 1, 1}}});
  m.Node("Reverse", {"t"}, {spec("rev", {2, 4, 4, 4})}, {{"axis", std::vector<int64_t>{1, 2}}});
  m.Node("MatMul", {"t", "bs"}, {spec("mm", {2, 4, 4, 4})}, {{"transpose_b", 1}});
  m.Node("ArgMax", {"mm"}, {{"am", {2, 4, 4}, kI32, 1.0f, 0, {}, 0}}, {{"axis", 3}});
  m.Node("Gather", {"rev", "am"}, {spec("g", {2, 4, 4, 4, 4, 4})}, {{"axis", 0}});
  const auto finish = [&](const std::string& name, const Shape& shape) {
    m.Node(codes ? "Dequantize" : "Reshape", {name}, {real("f" + name, shape)});
    m.Output("f" + name, shape);
  };
  finish("bs", {1, 4, 4, 4});
  m.Output("am", {2, 4, 4}, kI32);
  m.Node("OneHot", {"am"}, {real("oh", {2, 4, 4, 4})}, {{"depth", 4}, {"axis", 3}});
  m.Node("Cast", {"oh"}, {{"c", {2, 4, 4, 4}, kI32, 1.0f, 0, {}, 0}});
  m.Node("Select", {"c", "oh", "fbs"}, {real("se", {2, 4, 4, 4})});
  m.Node("Cumsum", {"se"}, {real("cu", {2, 4, 4, 4})}, {{"axis", 1}, {"exclusive", 1}});
  m.Node("MVN", {"cu"}, {real("mv", {2, 4, 4, 4})}, {{"axis", std::vector<int64_t>{1, 2}}});
  return m;
}

// Boxes of both kinds.
ModelBuilder Boxes() {
  ModelBuilder m;
  const auto real = [&](const std::string& name, const Shape& shape) {
    return TensorSpec{name, shape, ElementType::kFloat32, 1.0f, 0, {}, 0};
  };
  m.Input("in", {1, 4, 4, 8});
  m.Node("LpNorm", {"in"}, {real("x", {1, 4, 4, 8})}, {{"axis", std::vector<int64_t>{3}}});
  m.Node("ResizeBicubic", {"x"}, {real("r", {1, 2, 2, 8})}, {{"exclude_outside", 1}});
  m.Node("ExtractImagePatches", {"r"}, {real("p", {1, 1, 1, 32})},
         {{"kernels", std::vector<int64_t>{2, 2}}});
  m.Node("Reshape", {"p"}, {real("b", {1, 8, 4})});
  m.Node("Reshape", {"p"}, {real("s", {1, 16, 2})});
  m.Node("StridedSlice", {"s"}, {real("s8", {1, 8, 2})},
         {{"begin", std::vector<int64_t>{0, 0, 0}},
          {"end", std::vector<int64_t>{1, 8, 2}},
          {"strides", std::vector<int64_t>{1, 1, 1}}});
  m.Constant(real("a", {8, 4}), std::vector<float>(32, 1.0f));
  for (int regular : {0, 1}) {
    const std::string k = std::to_string(regular);
    m.Node("DetectionPostProcess", {"b", "s8", "a"},
           {real("boxes" + k, {1, 3, 4}), real("classes" + k, {1, 3}), real("scores" + k, {1, 3}),
            real("count" + k, {1})},
           {{"max_detections", 3},
            {"num_classes", 2 - regular},
            {"use_regular_nms", regular},
            {"nms_score_threshold", -1.0f},
            {"nms_iou_threshold", 0.5f},
            {"scale", std::vector<float>{10, 10, 5, 5}}});
    m.Output("boxes" + k, {1, 3, 4});
  }
  m.Constant(real("priors", {1, 2, 32}), std::vector<float>(64, 0.5f));
  m.Node("Reshape", {"p"}, {real("l", {1, 32})});
  m.Node("Reshape", {"s8"}, {real("c", {1, 16})});
  m.Node("DetectionOutput", {"l", "c", "priors"}, {real("y", {1, 1, 5, 7})},
         {{"num_classes", 2}, {"keep_top_k", 5}, {"confidence_threshold", -1.0f}});
  m.Output("y", {1, 1, 5, 7});
  return m;
}

TEST(Model, SoundOnesLoad) {
  for (ElementType type : {ElementType::kFloat32, kU8, kS8}) {
    const ModelBuilder m = Sound(type);
    const Status status = Load(m.Model(), m.data());
    EXPECT_TRUE(status.ok()) << status.Render();
  }
}

TEST(Model, FurtherSoundOnesLoad) {
  std::vector<ModelBuilder> models = {Further(ElementType::kFloat32), Further(kU8), Further(kS8),
                                      Boxes()};
  for (const ModelBuilder& m : models) {
    const Status status = Load(m.Model(), m.data());
    EXPECT_TRUE(status.ok()) << status.Render();
  }
}

TEST(Model, CodesThatStandForValuesAreDequantized) {
  const TensorSpec specs[] = {{"u", {2, 3}, kU8, 0.5f, 128, {}, 0, true},
                              {"s", {2, 3}, kS8, 0.25f, -3, {}, 0, true},
                              {"rows", {2, 3}, kS8, 0, 0, {0.5f, 2.0f}, 0, true},
                              {"columns", {2, 3}, kS8, 0, 0, {1.0f, 2.0f, 4.0f}, 1, true},
                              {"middle", {1, 2, 3}, kS8, 0, 0, {0.5f, 2.0f}, 1, true}};
  const std::vector<uint8_t> codes = {0, 1, 2, 127, 128, 255};
  const std::vector<float> expected[] = {{-64, -63.5f, -63, -0.5f, 0, 63.5f},
                                         {0.75f, 1, 1.25f, 32.5f, -31.25f, 0.5f},
                                         {0, 0.5f, 1, 254, -256, -2},
                                         {0, 2, 8, 127, -256, -4},
                                         {0, 0.5f, 1, 254, -256, -2}};
  ModelBuilder m;
  m.Input("x", {1});
  for (const TensorSpec& spec : specs) m.Constant(spec, codes);
  m.Node("Reshape", {"x"}, {{"y", {1}, ElementType::kFloat32, 0, 0, {}, 0}});
  m.Output("y", {1});
  Model model;
  const std::string pb = m.Model(), data = m.data();
  const Status status = ReadModel(pb.data(), pb.size(), data.data(), data.size(), &model);
  ASSERT_TRUE(status.ok()) << status.Render();
  for (size_t i = 0; i < 5; ++i) {
    const Tensor& tensor = model.tensors[1 + i];
    EXPECT_EQ(tensor.name, specs[i].name);
    EXPECT_EQ(tensor.type, ElementType::kFloat32);
    EXPECT_FALSE(tensor.has_scale);
    const float* values = static_cast<const float*>(tensor.data);
    EXPECT_EQ(std::vector<float>(values, values + 6), expected[i]) << tensor.name;
  }
}

TEST(Model, EveryTruncationIsRefused) {
  const ModelBuilder m = Sound(kS8);
  const std::string pb = m.Model();
  for (size_t n = 0; n < pb.size(); ++n)
    EXPECT_FALSE(Load(pb.substr(0, n), m.data()).ok()) << n << " bytes";
  for (size_t n = 0; n < m.data().size(); n += 7)
    EXPECT_FALSE(Load(pb, m.data().substr(0, n)).ok()) << n << " bytes of data";
}

TEST(Model, AnyDamageEndsInAStatus) {
  Random random;
  std::vector<ModelBuilder> models;
  for (ElementType type : {ElementType::kFloat32, kU8, kS8}) {
    models.push_back(Sound(type));
    models.push_back(Further(type));
  }
  models.push_back(Boxes());
  for (ModelBuilder& m : models) {
    m.with_digest = false;
    const std::string pb = m.Model();
    int refused = 0;
    for (int i = 0; i < 2000; ++i) {
      std::string damaged = pb;
      for (int64_t n = random.Int(1, 3); n > 0; --n) {
        damaged[static_cast<size_t>(random.Int(0, static_cast<int64_t>(damaged.size()) - 1))] =
            static_cast<char>(random.Int(0, 255));
      }
      if (random.Int(0, 3) == 0)
        damaged.erase(static_cast<size_t>(random.Int(0, static_cast<int64_t>(damaged.size()) - 1)),
                      1);
      const Status status = Load(damaged, m.data());
      if (!status.ok()) {
        ++refused;
        EXPECT_FALSE(status.message().empty());
      }
    }
    EXPECT_GT(refused, 600) << random.Replay();
  }
}

// A model of one node with float inputs and constants that the case adds.
struct Mutation {
  const char* what;
  int code;
  std::function<void(ModelBuilder*)> make;
};

const std::vector<int64_t> kOnes = {1, 1};

std::vector<Mutation> Mutations() {
  const auto floats = [](size_t n) { return std::vector<float>(n, 1.0f); };
  const auto input = [](ModelBuilder* m) {
    m->Input("x", {1, 4, 4, 2});
    m->Output("y", {});
  };
  const auto conv = [=](ModelBuilder* m, const std::vector<Arg>& args,
                        const Shape& out = {1, 4, 4, 3}, const Shape& filter = {3, 1, 1, 2}) {
    input(m);
    m->Constant({"w", filter, ElementType::kFloat32, 0, 0, {}, 0},
                std::vector<float>(static_cast<size_t>(ElementCount(filter)), 1.0f));
    m->Node("Conv2D", {"x", "w"}, {{"y", out, ElementType::kFloat32, 0, 0, {}, 0}}, args);
  };
  const auto node = [=](ModelBuilder* m, const std::string& type,
                        const std::vector<std::string>& inputs, const Shape& out,
                        const std::vector<Arg>& args = {}) {
    input(m);
    m->Node(type, inputs, {{"y", out, ElementType::kFloat32, 0, 0, {}, 0}}, args);
  };
  const auto quantized = [=](ModelBuilder* m, float scale, int32_t zero) {
    input(m);
    m->Node("Quantize", {"x"}, {{"q", {1, 4, 4, 2}, kU8, scale, zero, {}, 0}});
    m->Node("Dequantize", {"q"}, {{"y", {1, 4, 4, 2}, ElementType::kFloat32, 1.0f, 0, {}, 0}});
  };
  const Shape same = {1, 4, 4, 2};
  const int64_t huge = int64_t{1} << 40;
  const auto f32 = [](const std::string& name, const Shape& shape) {
    return TensorSpec{name, shape, ElementType::kFloat32, 0, 0, {}, 0};
  };
  const std::vector<int64_t> two = {2, 2};
  return {
      {"no version", 202,
       [=](ModelBuilder* m) {
         node(m, "Reshape", {"x"}, same);
         m->with_version = false;
       }},
      {"a newer version", 203,
       [=](ModelBuilder* m) {
         node(m, "Reshape", {"x"}, same);
         m->with_version = false;
         m->net()->Int(1000, 99);
       }},
      {"the digest of other data", 210,
       [=](ModelBuilder* m) {
         node(m, "Reshape", {"x"}, same);
         m->with_digest = false;
         m->net()->Bytes(1001, std::string(32, 'x'));
       }},
      {"no input", 220, [=](ModelBuilder* m) { m->Output("y", {}); }},
      {"no output", 220, [=](ModelBuilder* m) { m->Input("x", same); }},
      {"an unknown output", 220,
       [=](ModelBuilder* m) {
         m->Input("x", same);
         m->Output("z", {});
       }},
      {"an output of another shape", 216,
       [=](ModelBuilder* m) {
         m->Input("x", same);
         m->Output("x", {1, 2});
       }},
      {"a negative dimension", 205,
       [=](ModelBuilder* m) {
         m->Input("x", {1, -4});
         m->Output("x", {});
       }},
      {"a dimension of zero", 205,
       [=](ModelBuilder* m) {
         m->Input("x", {1, 0});
         m->Output("x", {});
       }},
      {"a giant dimension", 205,
       [=](ModelBuilder* m) {
         m->Input("x", {huge});
         m->Output("x", {});
       }},
      {"a product of dimensions that overflows", 205,
       [=](ModelBuilder* m) {
         m->Input("x", {1 << 30, 1 << 30, 1 << 30});
         m->Output("x", {});
       }},
      {"a product that wraps to a small number", 205,
       [=](ModelBuilder* m) {
         m->Input("x", {int64_t{1} << 32, int64_t{1} << 32, 4});
         m->Output("x", {});
       }},
      {"rank seven", 205,
       [=](ModelBuilder* m) {
         m->Input("x", {1, 1, 1, 1, 1, 1, 1});
         m->Output("x", {});
       }},
      {"two inputs of one name", 207,
       [=](ModelBuilder* m) {
         m->Input("x", same);
         m->Input("x", same);
         m->Output("x", {});
       }},
      {"a constant named as an input", 207,
       [=](ModelBuilder* m) {
         input(m);
         m->Constant(f32("x", {2}), floats(2));
       }},
      {"a node's output named as its input", 207,
       [=](ModelBuilder* m) {
         m->Input("x", same);
         m->Output("x", {});
         m->Node("Reshape", {"x"}, {f32("x", same)});
       }},
      {"an input that nothing makes", 208,
       [=](ModelBuilder* m) { node(m, "Reshape", {"nothing"}, same); }},
      {"a cycle", 208,
       [=](ModelBuilder* m) {
         node(m, "Eltwise", {"x", "z"}, same, {{"type", 0}});
         m->Node("Reshape", {"y"}, {f32("z", same)});
       }},
      {"a node that reads itself", 208,
       [=](ModelBuilder* m) {
         node(m, "Eltwise", {"x", "y"}, same, {{"type", 0}});
       }},
      {"an unknown operator", 211, [=](ModelBuilder* m) { node(m, "Magic", {"x"}, same); }},
      {"an operator without name", 211, [=](ModelBuilder* m) { node(m, "", {"x"}, same); }},
      {"no inputs", 213, [=](ModelBuilder* m) { node(m, "Reshape", {}, same); }},
      {"an absent input", 213, [=](ModelBuilder* m) { node(m, "Reshape", {""}, same); }},
      {"too many inputs", 213,
       [=](ModelBuilder* m) {
         node(m, "Reshape", {"x", "x"}, same);
       }},
      {"a gap in Concat", 213,
       [=](ModelBuilder* m) {
         node(m, "Concat", {"x", ""}, {1, 4, 4, 4}, {{"axis", 3}});
       }},
      {"two outputs", 214,
       [=](ModelBuilder* m) {
         input(m);
         m->Node("Reshape", {"x"}, {f32("y", same), f32("z", same)});
       }},
      {"no outputs", 214,
       [=](ModelBuilder* m) {
         m->Input("x", same);
         m->Output("x", {});
         m->Node("Reshape", {"x"}, {});
       }},
      {"a reshape to more", 216,
       [=](ModelBuilder* m) {
         node(m, "Reshape", {"x"}, {1, 4, 4, 3});
       }},
      {"an output type of none", 206,
       [=](ModelBuilder* m) {
         input(m);
         m->Node("Reshape", {"x"}, {{"y", same, static_cast<ElementType>(0), 0, 0, {}, 0}});
       }},
      {"half floats", 206,
       [=](ModelBuilder* m) {
         input(m);
         m->Node("Reshape", {"x"}, {{"y", same, static_cast<ElementType>(3), 0, 0, {}, 0}});
       }},
      {"an int32 activation", 215,
       [=](ModelBuilder* m) {
         input(m);
         m->Node("Reshape", {"x"}, {{"y", same, kI32, 0, 0, {}, 0}});
       }},
      {"codes as graph output", 215,
       [=](ModelBuilder* m) {
         m->Input("x", same);
         m->Output("q", {});
         m->Node("Quantize", {"x"}, {{"q", same, kU8, 1.0f, 0, {}, 0}});
       }},
      {"a filter that is computed", 217,
       [=](ModelBuilder* m) {
         input(m);
         m->Node("Conv2D", {"x", "x"}, {f32("y", {1, 1, 1, 1})});
       }},
      {"a filter of another depth", 216,
       [=](ModelBuilder* m) {
         conv(m, {}, {1, 4, 4, 3}, {3, 1, 1, 5});
       }},
      {"a filter larger than the image", 216,
       [=](ModelBuilder* m) {
         conv(m, {}, {1, 1, 1, 3}, {3, 5, 5, 2});
       }},
      {"an output of the wrong size", 216,
       [=](ModelBuilder* m) {
         conv(m, {}, {1, 5, 4, 3});
       }},
      {"an output of the wrong batch", 216,
       [=](ModelBuilder* m) {
         conv(m, {}, {2, 4, 4, 3});
       }},
      {"a stride of zero", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"strides", std::vector<int64_t>{0, 1}}});
       }},
      {"a negative stride", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"strides", std::vector<int64_t>{-1, 1}}});
       }},
      {"a giant stride", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"strides", std::vector<int64_t>{huge, 1}}});
       }},
      {"one stride", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"strides", std::vector<int64_t>{1}}});
       }},
      {"strides as a number", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"strides", 1}});
       }},
      {"a dilation of zero", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"dilations", std::vector<int64_t>{0, 0}}});
       }},
      {"negative pads", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"pads", std::vector<int64_t>{-1, 0, 0, 0}}});
       }},
      {"an attribute twice", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"group", 1}, {"group", 1}});
       }},
      {"groups that do not divide", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"group", 3}});
       }},
      {"no groups", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"group", 0}});
       }},
      {"an unknown fused activation", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"activation", "GELU"}});
       }},
      {"a fused activation as a number", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"activation", 3}});
       }},
      {"a limit that is no number", 212,
       [=](ModelBuilder* m) {
         conv(m, {{"activation", "RELUX"}, {"max_limit", NAN}});
       }},
      {"a constant outside the data", 209,
       [=](ModelBuilder* m) {
         input(m);
         WireWriter t;
         t.Int(1, 1000);
         t.Bytes(5, "w");
         t.Int(6, 64);
         m->net()->Message(3, t);
       }},
      {"a constant at a negative offset", 209,
       [=](ModelBuilder* m) {
         input(m);
         WireWriter t;
         t.Int(1, 1);
         t.Bytes(5, "w");
         t.Int(6, -64);
         m->net()->Message(3, t);
       }},
      {"a constant whose offset plus size overflows", 209,
       [=](ModelBuilder* m) {
         input(m);
         WireWriter t;
         t.Int(1, 4);
         t.Bytes(5, "w");
         t.Int(6, INT64_MAX - 3);
         m->net()->Message(3, t);
       }},
      {"a constant of another size than its shape", 209,
       [=](ModelBuilder* m) {
         input(m);
         WireWriter t;
         t.Int(1, 2);
         t.Bytes(5, "w");
         t.Int(7, 3);
         m->net()->Message(3, t);
       }},
      {"values that do not fill the shape", 209,
       [=](ModelBuilder* m) {
         input(m);
         WireWriter t;
         t.Int(1, 2);
         t.Bytes(5, "w");
         t.Floats(3, {1.0f});
         m->net()->Message(3, t);
       }},
      {"a data offset outside the data", 209,
       [=](ModelBuilder* m) {
         node(m, "Reshape", {"x"}, same);
         m->net()->Int(6, 1 << 20);
       }},
      {"a data size beyond the data", 209,
       [=](ModelBuilder* m) {
         node(m, "Reshape", {"x"}, same);
         m->net()->Int(7, 1 << 20);
       }},
      {"a negative data size", 209,
       [=](ModelBuilder* m) {
         node(m, "Reshape", {"x"}, same);
         m->net()->Int(7, -5);
       }},
      {"a scale of zero", 218, [=](ModelBuilder* m) { quantized(m, 0.0f, 0); }},
      {"a negative scale", 218, [=](ModelBuilder* m) { quantized(m, -1.0f, 0); }},
      {"an infinite scale", 218, [=](ModelBuilder* m) { quantized(m, INFINITY, 0); }},
      {"a scale that is no number", 218, [=](ModelBuilder* m) { quantized(m, NAN, 0); }},
      {"a zero point above the codes", 218, [=](ModelBuilder* m) { quantized(m, 1.0f, 256); }},
      {"a zero point below the codes", 218, [=](ModelBuilder* m) { quantized(m, 1.0f, -1); }},
      {"channel scales that do not fit", 218,
       [=](ModelBuilder* m) {
         input(m);
         m->Constant({"w", {4}, kS8, 0, 0, {1.0f, 2.0f}, 0}, std::vector<int8_t>(4));
       }},
      {"a channel axis beyond the rank", 218,
       [=](ModelBuilder* m) {
         input(m);
         m->Constant({"w", {4}, kS8, 0, 0, {1, 1, 1, 1}, 9}, std::vector<int8_t>(4));
       }},
      {"a channel scale of zero", 218,
       [=](ModelBuilder* m) {
         input(m);
         m->Constant({"w", {2}, kS8, 0, 0, {1, 0}, 0}, std::vector<int8_t>(2));
       }},
      {"values for a float operator that are no codes", 218,
       [=](ModelBuilder* m) {
         input(m);
         m->Constant({"w", {4}, kI32, 1.0f, 0, {}, 0, true}, std::vector<int32_t>(4));
       }},
      {"codes without a scale that are to be values", 218,
       [=](ModelBuilder* m) {
         input(m);
         m->Constant({"w", {4}, kU8, 0, 0, {}, 0, true}, std::vector<uint8_t>(4));
       }},
      {"codes that are to be values, with scales for more than a channel", 218,
       [=](ModelBuilder* m) {
         input(m);
         m->Constant({"w", {2, 2}, kS8, 0, 0, {1, 1, 1, 1}, 0, true}, std::vector<int8_t>(4));
       }},
      {"a pooling without type", 212,
       [=](ModelBuilder* m) {
         node(m, "Pooling", {"x"}, same, {{"kernels", kOnes}});
       }},
      {"a pooling of type three", 212,
       [=](ModelBuilder* m) {
         node(m, "Pooling", {"x"}, same, {{"pooling_type", 3}, {"kernels", kOnes}});
       }},
      {"a giant pooling window", 212,
       [=](ModelBuilder* m) {
         node(m, "Pooling", {"x"}, same,
              {{"pooling_type", 1}, {"kernels", std::vector<int64_t>{huge, huge}}});
       }},
      {"a pooling larger than the image", 216,
       [=](ModelBuilder* m) {
         node(m, "Pooling", {"x"}, same,
              {{"pooling_type", 1}, {"kernels", std::vector<int64_t>{9, 9}}});
       }},
      {"a pooling of rank two", 216,
       [=](ModelBuilder* m) {
         m->Input("x", {4, 4});
         m->Output("y", {});
         m->Node("Pooling", {"x"}, {f32("y", {4, 4})}, {{"pooling_type", 1}, {"kernels", kOnes}});
       }},
      {"an axis beyond the rank", 212,
       [=](ModelBuilder* m) {
         node(m, "Concat", {"x", "x"}, {1, 4, 4, 4}, {{"axis", 4}});
       }},
      {"a negative axis", 212,
       [=](ModelBuilder* m) {
         node(m, "Concat", {"x", "x"}, {1, 4, 4, 4}, {{"axis", -1}});
       }},
      {"a concat that does not add up", 216,
       [=](ModelBuilder* m) {
         node(m, "Concat", {"x", "x"}, {1, 4, 4, 5}, {{"axis", 3}});
       }},
      {"a split that does not add up", 216,
       [=](ModelBuilder* m) {
         node(m, "Split", {"x"}, {1, 4, 4, 1}, {{"axis", 3}});
       }},
      {"a reduction without axis", 212,
       [=](ModelBuilder* m) {
         node(m, "Reduce", {"x"}, {1, 1, 1, 2}, {{"reduce_type", 0}});
       }},
      {"a reduction over an axis twice", 212,
       [=](ModelBuilder* m) {
         node(m, "Reduce", {"x"}, {1, 1, 4, 2},
              {{"reduce_type", 0}, {"axis", std::vector<int64_t>{1, 1}}});
       }},
      {"a reduction over too many axes", 212,
       [=](ModelBuilder* m) {
         node(m, "Reduce", {"x"}, {1},
              {{"reduce_type", 0}, {"axis", std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6}}});
       }},
      {"a transpose that is no permutation", 212,
       [=](ModelBuilder* m) {
         node(m, "Transpose", {"x"}, same, {{"dims", std::vector<int64_t>{0, 1, 1, 3}}});
       }},
      {"a transpose of another rank", 212,
       [=](ModelBuilder* m) {
         node(m, "Transpose", {"x"}, same, {{"dims", two}});
       }},
      {"a slice that begins outside", 212,
       [=](ModelBuilder* m) {
         node(m, "StridedSlice", {"x"}, same,
              {{"begin", std::vector<int64_t>{0, 9, 0, 0}},
               {"end", std::vector<int64_t>{1, 10, 4, 2}},
               {"strides", std::vector<int64_t>{1, 1, 1, 1}}});
       }},
      {"a slice that ends outside", 212,
       [=](ModelBuilder* m) {
         node(m, "StridedSlice", {"x"}, same,
              {{"begin", std::vector<int64_t>{0, 0, 0, 0}},
               {"end", std::vector<int64_t>{1, 10, 4, 2}},
               {"strides", std::vector<int64_t>{1, 1, 1, 1}}});
       }},
      {"a slice with a stride of zero", 212,
       [=](ModelBuilder* m) {
         node(m, "StridedSlice", {"x"}, same,
              {{"begin", std::vector<int64_t>{0, 0, 0, 0}},
               {"end", std::vector<int64_t>{1, 4, 4, 2}},
               {"strides", std::vector<int64_t>{1, 0, 1, 1}}});
       }},
      {"an empty slice", 212,
       [=](ModelBuilder* m) {
         node(m, "StridedSlice", {"x"}, same,
              {{"begin", std::vector<int64_t>{0, 2, 0, 0}},
               {"end", std::vector<int64_t>{1, 2, 4, 2}},
               {"strides", std::vector<int64_t>{1, 1, 1, 1}}});
       }},
      {"negative paddings", 212,
       [=](ModelBuilder* m) {
         node(m, "Pad", {"x"}, same, {{"paddings", std::vector<int64_t>{0, 0, -1, 1, 0, 0, 0, 0}}});
       }},
      {"a reflection of more than there is", 212,
       [=](ModelBuilder* m) {
         node(m, "Pad", {"x"}, {1, 8, 4, 2},
              {{"paddings", std::vector<int64_t>{0, 0, 4, 0, 0, 0, 0, 0}}, {"pad_type", 1}});
       }},
      {"operands that do not broadcast", 216,
       [=](ModelBuilder* m) {
         input(m);
         m->Constant(f32("k", {3}), floats(3));
         m->Node("Eltwise", {"x", "k"}, {f32("y", same)}, {{"type", 0}});
       }},
      {"an element-wise operator of type 77", 212,
       [=](ModelBuilder* m) {
         node(m, "Eltwise", {"x", "x"}, same, {{"type", 77}});
       }},
      {"a quotient of codes", 219,
       [=](ModelBuilder* m) {
         quantized(m, 1.0f, 0);
         m->Node("Eltwise", {"q", "q"}, {{"z", {1, 4, 4, 2}, kU8, 1.0f, 0, {}, 0}}, {{"type", 3}});
       }},
      {"an activation without table", 213,
       [=](ModelBuilder* m) {
         quantized(m, 1.0f, 0);
         m->Node("Activation", {"q"}, {{"z", {1, 4, 4, 2}, kU8, 1.0f, 0, {}, 0}},
                 {{"activation", "TANH"}});
       }},
      {"a table of 255 entries", 216,
       [=](ModelBuilder* m) {
         quantized(m, 1.0f, 0);
         m->Constant({"t", {255}, kU8, 1.0f, 0, {}, 0}, std::vector<uint8_t>(255));
         m->Node("Activation", {"q", "", "t"}, {{"z", {1, 4, 4, 2}, kU8, 1.0f, 0, {}, 0}},
                 {{"activation", "TANH"}});
       }},
      {"a softmax table of zeros", 218,
       [=](ModelBuilder* m) {
         quantized(m, 1.0f, 0);
         m->Constant({"t", {256}, kI32, 0, 0, {}, 0}, std::vector<int32_t>(256, 0));
         m->Node("Softmax", {"q", "t"}, {{"z", {1, 4, 4, 2}, kU8, 1.0f / 256, 0, {}, 0}});
       }},
      {"a maximum into other parameters", 218,
       [=](ModelBuilder* m) {
         quantized(m, 1.0f, 0);
         m->Node("Pooling", {"q"}, {{"z", {1, 4, 4, 2}, kU8, 2.0f, 0, {}, 0}},
                 {{"pooling_type", 2}, {"kernels", kOnes}});
       }},
      {"an unknown activation", 212,
       [=](ModelBuilder* m) {
         node(m, "Activation", {"x"}, same, {{"activation", "SWISHY"}});
       }},
      {"PRELU without slope", 213,
       [=](ModelBuilder* m) {
         node(m, "Activation", {"x"}, same, {{"activation", "PRELU"}});
       }},
      {"a product of unlike matrices", 216,
       [=](ModelBuilder* m) {
         node(m, "MatMul", {"x", "x"}, {1, 4, 4, 2});
       }},
      {"a normalization over no channels", 212,
       [=](ModelBuilder* m) {
         node(m, "LocalResponseNorm", {"x"}, same, {{"size", 0}, {"alpha", 1.0f}, {"beta", 1.0f}});
       }},
  };
}

TEST(Model, HostileOnesAreRefused) {
  const std::vector<Mutation> mutations = Mutations();
  EXPECT_GE(mutations.size(), 40u);
  for (const Mutation& mutation : mutations) {
    ModelBuilder m;
    mutation.make(&m);
    const Status status = Load(m.Model(), m.data());
    EXPECT_FALSE(status.ok()) << mutation.what;
    EXPECT_EQ(status.code(), mutation.code) << mutation.what << ": " << status.Render();
  }
}

TEST(Model, EmptyAndForeignBytes) {
  EXPECT_FALSE(Load("", "").ok());
  EXPECT_FALSE(Load("hello, this is text", "").ok());
  EXPECT_FALSE(Load(std::string(1000, '\0'), "").ok());
}

}  // namespace
}  // namespace runtime
}  // namespace mace
