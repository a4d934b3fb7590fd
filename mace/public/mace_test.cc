#include "mace/public/mace.h"

#include <cmath>
#include <cstring>

#include "gtest/gtest.h"
#include "mace/testing/model_builder.h"

namespace mace {
namespace {

using mace::testing::ModelBuilder;

// y = -x of NHWC 1 x 2 x 2 x 3.
ModelBuilder Negation() {
  ModelBuilder m;
  m.Input("x", {1, 2, 2, 3});
  m.Node("Activation", {"x"}, {{"y", {1, 2, 2, 3}, ElementType::kFloat32, 0, 0, {}, 0}},
         {{"activation", "NEG"}});
  m.Output("y", {1, 2, 2, 3});
  return m;
}

const unsigned char* Bytes(const std::string& s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}

std::shared_ptr<float> Floats(size_t n) {
  return std::shared_ptr<float>(new float[n](), std::default_delete<float[]>());
}

MaceStatus Create(const ModelBuilder& m, std::shared_ptr<MaceEngine>* engine,
                  const MaceEngineConfig& config = MaceEngineConfig()) {
  const std::string pb = m.Model();
  return CreateMaceEngineFromProto(Bytes(pb), pb.size(), Bytes(m.data()), m.data().size(), {"x"},
                                   {"y"}, config, engine);
}

TEST(Engine, Runs) {
  const ModelBuilder m = Negation();
  MaceEngineConfig config;
  EXPECT_EQ(config.SetCPUThreadPolicy(2, AFFINITY_NONE), MaceStatus::MACE_SUCCESS);
  std::shared_ptr<MaceEngine> engine;
  const MaceStatus created = Create(m, &engine, config);
  ASSERT_EQ(created, MaceStatus::MACE_SUCCESS) << created.information();
  auto in = Floats(12), out = Floats(12);
  for (int i = 0; i < 12; ++i) in.get()[i] = static_cast<float>(i + 1);
  std::map<std::string, MaceTensor> inputs = {{"x", MaceTensor({1, 2, 2, 3}, in)}};
  std::map<std::string, MaceTensor> outputs = {{"y", MaceTensor({1, 2, 2, 30}, Floats(120))}};
  RunMetadata metadata;
  const MaceStatus ran = engine->Run(inputs, &outputs, &metadata);
  ASSERT_EQ(ran, MaceStatus::MACE_SUCCESS) << ran.information();
  EXPECT_EQ(outputs.at("y").shape(), (std::vector<int64_t>{1, 2, 2, 3}));  // the true shape
  for (int i = 0; i < 12; ++i)
    EXPECT_EQ(outputs.at("y").data().get()[i], -static_cast<float>(i + 1));
  ASSERT_EQ(metadata.op_stats.size(), 1u);
  EXPECT_EQ(metadata.op_stats[0].type, "Activation");
  EXPECT_GE(metadata.op_stats[0].stats.end_micros, metadata.op_stats[0].stats.start_micros);
  EXPECT_EQ(engine->GetRuntimeTypes(), std::vector<RuntimeType>{RT_CPU});
  EXPECT_EQ(engine->ReleaseIntermediateBuffer(), MaceStatus::MACE_SUCCESS);
}

TEST(Engine, TurnsNchw) {
  std::shared_ptr<MaceEngine> engine;
  const ModelBuilder m = Negation();
  ASSERT_EQ(Create(m, &engine), MaceStatus::MACE_SUCCESS);
  auto in = Floats(12);
  for (int i = 0; i < 12; ++i) in.get()[i] = static_cast<float>(i);
  std::map<std::string, MaceTensor> inputs = {
      {"x", MaceTensor({1, 3, 2, 2}, in, DataFormat::NCHW)}};
  std::map<std::string, MaceTensor> outputs = {{"y", MaceTensor({1, 2, 2, 3}, Floats(12))}};
  ASSERT_EQ(engine->Run(inputs, &outputs), MaceStatus::MACE_SUCCESS);
  for (int pixel = 0; pixel < 4; ++pixel) {
    for (int c = 0; c < 3; ++c)
      EXPECT_EQ(outputs.at("y").data().get()[pixel * 3 + c], -static_cast<float>(c * 4 + pixel));
  }
  outputs = {{"y", MaceTensor({1, 3, 2, 2}, Floats(12), DataFormat::NCHW)}};
  ASSERT_EQ(engine->Run(inputs, &outputs), MaceStatus::MACE_SUCCESS);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(outputs.at("y").data().get()[i], -static_cast<float>(i));
  EXPECT_EQ(outputs.at("y").shape(), (std::vector<int64_t>{1, 3, 2, 2}));
}

TEST(Engine, TakesAndGivesInt32) {
  ModelBuilder m;
  m.Input("x", {1, 1, 2, 3}, ElementType::kInt32);
  m.Node("Eltwise", {"x", "x"}, {{"y", {1, 1, 2, 3}, ElementType::kInt32, 0, 0, {}, 0}},
         {{"type", 0}});
  m.Output("y", {1, 1, 2, 3}, ElementType::kInt32);
  std::shared_ptr<MaceEngine> engine;
  const MaceStatus created = Create(m, &engine);
  ASSERT_EQ(created, MaceStatus::MACE_SUCCESS) << created.information();
  const auto whole = [](const std::vector<int64_t>& shape, DataFormat format) {
    return MaceTensor(shape,
                      std::shared_ptr<int32_t>(new int32_t[6]{1, 2, 3, 4, 5, 1 << 29},
                                               std::default_delete<int32_t[]>()),
                      format, IDataType::IDT_INT32);
  };
  std::map<std::string, MaceTensor> inputs = {{"x", whole({1, 3, 1, 2}, DataFormat::NCHW)}};
  std::map<std::string, MaceTensor> outputs = {{"y", whole({1, 1, 2, 3}, DataFormat::NHWC)}};
  const MaceStatus ran = engine->Run(inputs, &outputs);
  ASSERT_EQ(ran, MaceStatus::MACE_SUCCESS) << ran.information();
  const int32_t wanted[] = {2, 6, 10, 4, 8, 1 << 30};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(outputs.at("y").data<int32_t>().get()[i], wanted[i]);
  inputs = {{"x", MaceTensor({1, 1, 2, 3}, Floats(6))}};
  EXPECT_EQ(engine->Run(inputs, &outputs), MaceStatus::MACE_INVALID_ARGS);
}

TEST(Engine, ConvertsBuffersOfDeclaredTypes) {
  // y = -x, of bytes; as float16.
  ModelBuilder m;
  const ElementType f = ElementType::kFloat32;
  m.Input("x", {1, 1, 2, 3}, f, static_cast<int64_t>(IDataType::IDT_UINT8));
  m.Node("Activation", {"x"}, {{"y", {1, 1, 2, 3}, f, 0, 0, {}, 0}}, {{"activation", "NEG"}});
  m.Output("y", {1, 1, 2, 3}, f, static_cast<int64_t>(IDataType::IDT_FLOAT16));
  std::shared_ptr<MaceEngine> engine;
  const MaceStatus created = Create(m, &engine);
  ASSERT_EQ(created, MaceStatus::MACE_SUCCESS) << created.information();
  const std::shared_ptr<uint8_t> bytes(new uint8_t[6]{0, 1, 2, 3, 4, 255},
                                       std::default_delete<uint8_t[]>());
  const std::shared_ptr<uint16_t> halves(new uint16_t[6], std::default_delete<uint16_t[]>());
  for (const bool turned : {false, true}) {
    const DataFormat format = turned ? DataFormat::NCHW : DataFormat::NHWC;
    const std::vector<int64_t> shape =
        turned ? std::vector<int64_t>{1, 3, 1, 2} : std::vector<int64_t>{1, 1, 2, 3};
    std::map<std::string, MaceTensor> outputs = {
        {"y", MaceTensor(shape, halves, format, IDataType::IDT_FLOAT16)}};
    const MaceStatus ran =
        engine->Run({{"x", MaceTensor(shape, bytes, format, IDataType::IDT_UINT8)}}, &outputs);
    ASSERT_EQ(ran, MaceStatus::MACE_SUCCESS) << ran.information();
    // -0, -1, -2, -3, -4 and -255 in binary16.
    const uint16_t wanted[] = {0x8000, 0xbc00, 0xc000, 0xc200, 0xc400, 0xdbf8};
    for (int i = 0; i < 6; ++i) EXPECT_EQ(halves.get()[i], wanted[i]) << turned << i;
    EXPECT_EQ(outputs.at("y").shape(), shape);
    // Rows of pixels of one side are columns of the other.
    outputs = {{"y", MaceTensor({1, 1, 2, 3}, Floats(6))}};
    ASSERT_EQ(
        engine->Run({{"x", MaceTensor(shape, bytes, format, IDataType::IDT_UINT8)}}, &outputs),
        MaceStatus::MACE_SUCCESS);
    EXPECT_EQ(outputs.at("y").data().get()[1], turned ? -2.0f : -1.0f);
  }
  // What the graph has is taken too, and nothing else.
  std::map<std::string, MaceTensor> outputs = {{"y", MaceTensor({1, 1, 2, 3}, Floats(6))}};
  EXPECT_EQ(engine->Run({{"x", MaceTensor({1, 1, 2, 3}, Floats(6))}}, &outputs),
            MaceStatus::MACE_SUCCESS);
  for (IDataType other : {IDataType::IDT_INT16, IDataType::IDT_INT8, IDataType::IDT_BFLOAT16}) {
    const MaceStatus refused = engine->Run(
        {{"x", MaceTensor({1, 1, 2, 3}, Floats(6), DataFormat::NHWC, other)}}, &outputs);
    EXPECT_EQ(refused, MaceStatus::MACE_INVALID_ARGS);
    EXPECT_NE(refused.information().find("float32 or uint8"), std::string::npos)
        << refused.information();
  }
}

TEST(Engine, RefusesWhatDoesNotFit) {
  std::shared_ptr<MaceEngine> engine;
  const ModelBuilder m = Negation();
  ASSERT_EQ(Create(m, &engine), MaceStatus::MACE_SUCCESS);
  const MaceTensor good({1, 2, 2, 3}, Floats(12));
  std::map<std::string, MaceTensor> outputs = {{"y", good}};
  EXPECT_EQ(engine->Run({}, &outputs), MaceStatus::MACE_INVALID_ARGS);
  EXPECT_EQ(engine->Run({{"z", good}}, &outputs), MaceStatus::MACE_INVALID_ARGS);
  EXPECT_EQ(engine->Run({{"x", MaceTensor({1, 2, 2, 4}, Floats(16))}}, &outputs),
            MaceStatus::MACE_INVALID_ARGS);
  EXPECT_EQ(engine->Run({{"x", MaceTensor({1, 2, 2, 3}, nullptr)}}, &outputs),
            MaceStatus::MACE_INVALID_ARGS);
  EXPECT_EQ(
      engine->Run(
          {{"x", MaceTensor({1, 2, 2, 3}, Floats(12), DataFormat::NHWC, IDataType::IDT_UINT8)}},
          &outputs),
      MaceStatus::MACE_INVALID_ARGS);
  std::map<std::string, MaceTensor> small = {{"y", MaceTensor({1, 2}, Floats(2))}};
  EXPECT_EQ(engine->Run({{"x", good}}, &small), MaceStatus::MACE_INVALID_ARGS);
  std::map<std::string, MaceTensor> giant = {
      {"y", MaceTensor({int64_t{1} << 40, int64_t{1} << 40}, Floats(2))}};
  EXPECT_EQ(engine->Run({{"x", good}}, &giant), MaceStatus::MACE_INVALID_ARGS);
  EXPECT_EQ(engine->Run({{"x", good}}, nullptr), MaceStatus::MACE_INVALID_ARGS);
  MaceEngine uninitialized{MaceEngineConfig()};
  EXPECT_EQ(uninitialized.Run({{"x", good}}, &outputs), MaceStatus::MACE_INVALID_ARGS);
}

TEST(Engine, FillsAnInputFromPixels) {
  ModelBuilder m;
  m.Input("x", {1, 1, 2, 3});
  mace::testing::TensorSpec y;
  y.name = "y";
  y.shape = {1, 1, 2, 3};
  m.Node("Activation", {"x"}, {y}, {mace::testing::Arg("activation", "ABS")});
  m.Output("y", {1, 1, 2, 3});
  runtime::WireWriter argument;
  argument.Bytes(1, "preprocess:x");
  argument.Bytes(4, R"({"color":"BGR","mean":[100,0,0],"scale":[1,2,0.5]})");
  m.net()->Message(2, argument);
  std::shared_ptr<MaceEngine> engine;
  ASSERT_EQ(Create(m, &engine), MaceStatus::MACE_SUCCESS);
  const std::vector<uint8_t> pixels = {1, 2, 3, 4, 5, 6};
  MaceTensor x;
  ASSERT_EQ(engine->FillFromPixels("x", pixels.data(), pixels.size(), &x),
            MaceStatus::MACE_SUCCESS);
  const std::vector<float> values(x.data().get(), x.data().get() + 6);
  EXPECT_EQ(values, (std::vector<float>{-97, 4, 0.5f, -94, 10, 2}));
  std::shared_ptr<float> out(new float[6], std::default_delete<float[]>());
  std::map<std::string, MaceTensor> outputs = {{"y", MaceTensor({1, 1, 2, 3}, out)}};
  ASSERT_EQ(engine->Run({{"x", x}}, &outputs), MaceStatus::MACE_SUCCESS);
  EXPECT_EQ(out.get()[0], 97);
  EXPECT_EQ(engine->FillFromPixels("x", pixels.data(), 5, &x).code(),
            MaceStatus::MACE_INVALID_ARGS);
  EXPECT_EQ(engine->FillFromPixels("z", pixels.data(), 6, &x).code(),
            MaceStatus::MACE_INVALID_ARGS);
  EXPECT_EQ(engine->FillFromPixels("x", nullptr, 6, &x).code(), MaceStatus::MACE_INVALID_ARGS);
}

TEST(Engine, TellsWhatIsWrongWithAModel) {
  std::shared_ptr<MaceEngine> engine;
  const MaceStatus status = CreateMaceEngineFromProto(Bytes("nonsense"), 8, nullptr, 0, {}, {},
                                                      MaceEngineConfig(), &engine);
  EXPECT_EQ(status, MaceStatus::MACE_INVALID_ARGS);
  EXPECT_NE(status.information().find("MR2"), std::string::npos) << status.information();
  EXPECT_EQ(engine, nullptr);
  const ModelBuilder m = Negation();
  const std::string pb = m.Model();
  EXPECT_NE(CreateMaceEngineFromProto(Bytes(pb), pb.size(), Bytes(m.data()), m.data().size(),
                                      {"other"}, {"y"}, MaceEngineConfig(), &engine),
            MaceStatus::MACE_SUCCESS);
  EXPECT_NE(CreateMaceEngineFromProto(std::vector<unsigned char>(pb.begin(), pb.end()),
                                      "no/such/file", {"x"}, {"y"}, MaceEngineConfig(), &engine),
            MaceStatus::MACE_SUCCESS);
}

TEST(Config, OtherBackEndsAreUnsupported) {
  MaceEngineConfig config;
  EXPECT_EQ(config.SetRuntimeType(RT_CPU), MaceStatus::MACE_SUCCESS);
  EXPECT_EQ(config.SetRuntimeType(RT_HEXAGON), MaceStatus::MACE_UNSUPPORTED);
  EXPECT_EQ(config.SetHexagonToUnsignedPD(), MaceStatus::MACE_UNSUPPORTED);
  EXPECT_EQ(config.SetHexagonPower(HEXAGON_NN_CORNER_TURBO, true, 100),
            MaceStatus::MACE_UNSUPPORTED);
  EXPECT_EQ(config.SetAcceleratorCache(ACCELERATOR_CACHE_STORE, "a", "b"),
            MaceStatus::MACE_UNSUPPORTED);
  EXPECT_EQ(config.SetAPUHints(100, NEURON_PREFER_SUSTAINED_SPEED), MaceStatus::MACE_UNSUPPORTED);
  EXPECT_EQ(config.SetGPUHints(PERF_HIGH, PRIORITY_HIGH), MaceStatus::MACE_UNSUPPORTED);
  EXPECT_EQ(config.SetGPUContext(GPUContextBuilder().SetStoragePath("/tmp").Finalize()),
            MaceStatus::MACE_UNSUPPORTED);
  EXPECT_EQ(config.SetCPUThreadPolicy(100000, AFFINITY_NONE), MaceStatus::MACE_INVALID_ARGS);
}

TEST(Api, CapabilityAndVersion) {
  EXPECT_GT(std::strlen(MaceVersion()), 0u);
  EXPECT_FALSE(GetCapability(GPU).supported);
  const Capability capability = GetCapability(CPU, 2.0f);
  EXPECT_TRUE(capability.supported);
  EXPECT_EQ(capability.float32_performance.performance, 2.0f);
  EXPECT_GT(capability.quantized8_performance.performance, 0.0f);
}

}  // namespace
}  // namespace mace
