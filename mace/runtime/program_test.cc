#include "mace/runtime/program.h"

#include <dirent.h>

#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "mace/testing/model_builder.h"

namespace mace {
namespace runtime {
namespace {

using testing::Arg;
using testing::ModelBuilder;

testing::TensorSpec Floats(const std::string& name, const Shape& shape) {
  testing::TensorSpec spec;
  spec.name = name;
  spec.shape = shape;
  return spec;
}

// y = |x|
ModelBuilder Absolute(const std::string& x, const std::string& y) {
  ModelBuilder net;
  net.with_digest = false;
  net.Input(x, {4});
  net.Node("Activation", {x}, {Floats(y, {4})}, {Arg("activation", "ABS")});
  net.Output(y, {4});
  return net;
}

// z = a + b
ModelBuilder Sum(const std::string& a, const std::string& b, const std::string& z) {
  ModelBuilder net;
  net.with_digest = false;
  net.Input(a, {4});
  net.Input(b, {4});
  net.Node("Eltwise", {a, b}, {Floats(z, {4})}, {Arg("type", 0)});
  net.Output(z, {4});
  return net;
}

// A net of another device: its one argument says so.
WireWriter For(int64_t runtime_type, const ModelBuilder& builder) {
  WireWriter net = builder.Net(), argument;
  argument.Bytes(1, "runtime_type");
  argument.Int(3, runtime_type);
  net.Message(2, argument);
  return net;
}

struct File {
  explicit File(const std::vector<WireWriter>& nets, const std::vector<std::string>& inputs = {},
                const std::vector<std::string>& outputs = {}) {
    for (const WireWriter& net : nets) message.Message(3, net);
    for (const std::string& name : inputs) message.Bytes(100, name);
    for (const std::string& name : outputs) message.Bytes(101, name);
  }
  Status Create(std::unique_ptr<Program>* program, const ProgramOptions& options = {}) const {
    return Program::Create(message.bytes().data(), message.bytes().size(), nullptr, 0, options,
                           program);
  }
  WireWriter message;
};

WireWriter At(int64_t infer_order, WireWriter net) {
  net.Int(8, infer_order);
  return net;
}

// Negates; fails when an element is NaN.
class Negative : public Executor {
 public:
  Status Run(const void* const* inputs, Observer* observer) override {
    std::memcpy(values_, inputs[0], sizeof values_);
    for (float& v : values_) {
      if (v != v) return Status(StatusKind::kRuntimeError, 999, "the device failed");
      v = -v;
    }
    if (observer != nullptr) observer->OnAcceleratorNode("negative", "Negative_f", 4);
    return Status();
  }
  const void* output(size_t) const override { return values_; }

 private:
  float values_[4] = {};
};

// The files for compiled nets that devices were given.
std::vector<std::string> caches;

Status CreateNegative(const NetDef& net, const uint8_t*, size_t, const AcceleratorOptions& options,
                      std::unique_ptr<Executor>* executor) {
  EXPECT_EQ(net.inputs.size(), 1u);
  caches.push_back(options.cache_file + ' ' + options.cache_storage);
  if (options.library == "absent") return Status(StatusKind::kRuntimeError, 999, "no device");
  executor->reset(new Negative());
  return Status();
}

const Delegate kDevices[] = {{kNetOnHexagon, "test", "test device", CreateNegative}};

ProgramOptions WithDevice() {
  ProgramOptions options;
  options.delegates = Span<const Delegate>(kDevices, 1);
  return options;
}

const float kX[] = {1, -2, 3, -4}, kB[] = {10, 20, 30, 40};

TEST(Program, OneNetOfTheCpuHasASession) {
  std::unique_ptr<Program> program;
  const File file({Absolute("x", "y").Net()});
  ASSERT_TRUE(file.Create(&program).ok());
  ASSERT_NE(program->session(), nullptr);
  EXPECT_EQ(program->devices(), "CPU");
  const void* inputs[] = {kX};
  ASSERT_TRUE(program->Run(inputs).ok());
  EXPECT_EQ(program->output(0)[3], 4.0f);
}

TEST(Program, NetsRunInTheirOrderAndPassTensorsByName) {
  // In the file the last net comes first.
  const File file({At(2, Sum("b", "z", "out").Net()), At(0, Absolute("x", "y").Net()),
                   At(1, For(kNetOnHexagon, Absolute("y", "z")))},
                  {"b", "x"}, {"out", "y"});
  std::unique_ptr<Program> program;
  const Status status = file.Create(&program, WithDevice());
  ASSERT_TRUE(status.ok()) << status.Render();
  EXPECT_EQ(program->session(), nullptr);
  EXPECT_EQ(program->devices(), "CPU, test device, CPU");
  EXPECT_EQ(program->runtime_types(), (std::vector<int64_t>{0, 3, 0}));
  ASSERT_EQ(program->inputs().size(), 2u);
  EXPECT_EQ(program->inputs()[0].name, "b");
  const void* inputs[] = {kB, kX};
  ASSERT_TRUE(program->Run(inputs).ok());
  // b - |x|, and |x|
  const std::vector<float> out(program->output(0), program->output(0) + 4),
      y(program->output(1), program->output(1) + 4);
  EXPECT_EQ(out, (std::vector<float>{9, 18, 27, 36}));
  EXPECT_EQ(y, (std::vector<float>{1, 2, 3, 4}));
}

int ThreadsOfThisProcess() {
  int count = 0;
  DIR* const folder = opendir("/proc/self/task");
  if (folder == nullptr) return -1;
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

TEST(Program, NetsOfTheCpuShareTheirThreads) {
  const File file(
      {Absolute("x", "y").Net(), For(kNetOnHexagon, Absolute("y", "z")), Absolute("z", "w").Net()});
  ProgramOptions options = WithDevice();
  options.session.threads = 3;
  const int before = ThreadsOfThisProcess();
  if (before < 0) GTEST_SKIP() << "there is no /proc";
  std::unique_ptr<Program> program;
  ASSERT_TRUE(file.Create(&program, options).ok());
  EXPECT_EQ(ThreadsOfThisProcess() - before, 2);
  const void* inputs[] = {kX};
  ASSERT_TRUE(program->Run(inputs).ok());
  EXPECT_EQ(program->output(0)[3], 4.0f);
}

TEST(Program, NetsOfADeviceAreKeptInFilesOfTheirOwn) {
  const File file({For(kNetOnHexagon, Absolute("x", "y")), Absolute("y", "z").Net(),
                   For(kNetOnHexagon, Absolute("z", "w"))});
  ProgramOptions options = WithDevice();
  options.accelerator.cache_storage = "kept";
  caches.clear();
  std::unique_ptr<Program> program;
  ASSERT_TRUE(file.Create(&program, options).ok());
  EXPECT_EQ(caches, (std::vector<std::string>{" kept", " kept.1"}));
}

TEST(Program, EveryKindOfDeviceMayHaveALibraryOfItsOwn) {
  const File file({For(kNetOnHexagon, Absolute("x", "y"))});
  ProgramOptions options = WithDevice();
  options.accelerator.library = "absent";
  options.accelerator.libraries[kNetOnHexagon] = "present";
  std::unique_ptr<Program> program;
  EXPECT_TRUE(file.Create(&program, options).ok());
  options.accelerator.libraries = {{kNetOnApu, "present"}};
  EXPECT_EQ(file.Create(&program, options).code(), 999);
}

TEST(Program, BuffersHaveTheDeclaredType) {
  const auto of = [](int64_t in, int64_t out) {
    ModelBuilder m;
    m.with_digest = false;
    m.Input("x", {4}, ElementType::kFloat32, in);
    m.Node("Activation", {"x"}, {{"y", {4}, ElementType::kFloat32, 0, 0, {}, 0}},
           {{"activation", "NEG"}});
    m.Output("y", {4}, ElementType::kFloat32, out);
    return File({m.Net()});
  };
  std::unique_ptr<Program> program;
  const File file = of(2, 5);
  ASSERT_TRUE(file.Create(&program).ok());
  EXPECT_STREQ(program->inputs()[0].buffer->name, "uint8");
  EXPECT_EQ(program->inputs()[0].type, ElementType::kFloat32);
  EXPECT_EQ(program->inputs()[0].buffer_bytes(), 4u);
  EXPECT_STREQ(program->outputs()[0].buffer->name, "float16");
  const File plain = of(0, 0);
  ASSERT_TRUE(plain.Create(&program).ok());
  EXPECT_STREQ(program->inputs()[0].buffer->name, "float32");
  EXPECT_STREQ(program->outputs()[0].buffer->name, "float32");
  for (int64_t code : {6, 8, 9, 11, 99, -1}) {
    EXPECT_EQ(of(code, 0).Create(&program).code(), 215) << code;
    EXPECT_EQ(of(0, code).Create(&program).code(), 215) << code;
  }
}

TEST(Program, AFailureOfTheDeviceIsAStatus) {
  const File file({For(kNetOnHexagon, Absolute("x", "y"))});
  std::unique_ptr<Program> program;
  ProgramOptions options = WithDevice();
  options.accelerator.library = "absent";
  EXPECT_EQ(file.Create(&program, options).code(), 999);
  ASSERT_TRUE(file.Create(&program, WithDevice()).ok());
  const float nan[] = {1, 2, std::numeric_limits<float>::quiet_NaN(), 4};
  const void* inputs[] = {nan};
  EXPECT_EQ(program->Run(inputs).code(), 999);
}

TEST(Program, ObserversSeeNetsAndNodesOfDevices) {
  class Names : public Observer {
   public:
    void OnTensor(int, const void*) override { text += "t"; }
    void OnNet(int net, int64_t, int64_t) override { text += std::to_string(net); }
    void OnAcceleratorNode(const std::string& name, const std::string&, uint64_t) override {
      text += name;
    }
    std::string text;
  };
  const File file({Absolute("x", "y").Net(), For(kNetOnHexagon, Absolute("y", "z"))});
  std::unique_ptr<Program> program;
  ASSERT_TRUE(file.Create(&program, WithDevice()).ok());
  Names names;
  const void* inputs[] = {kX};
  ASSERT_TRUE(program->Run(inputs, &names).ok());
  EXPECT_EQ(names.text, "0negative1");
}

TEST(Program, RefusesWhatDoesNotFit) {
  const auto code = [](const File& file) {
    std::unique_ptr<Program> program;
    return file.Create(&program, WithDevice()).code();
  };
  EXPECT_EQ(code(File({})), 204);
  // The device is not in this build.
  EXPECT_EQ(code(File({For(kNetOnApu, Absolute("x", "y"))})), 221);
  // Nobody computes b.
  EXPECT_EQ(code(File({Absolute("x", "y").Net(), Sum("y", "b", "z").Net()})), 208);
  // Two nets compute y.
  EXPECT_EQ(code(File({Absolute("x", "y").Net(), Absolute("x", "y").Net()})), 207);
  // Lists that name nothing.
  const std::vector<WireWriter> two = {Absolute("x", "y").Net(), Absolute("y", "z").Net()};
  EXPECT_EQ(code(File(two, {"x"}, {"z"})), 0);
  EXPECT_EQ(code(File(two, {"w"}, {"z"})), 220);
  EXPECT_EQ(code(File(two, {"x"}, {"w"})), 220);
  // The second net reads y with another shape.
  ModelBuilder other;
  other.with_digest = false;
  other.Input("y", {2});
  other.Node("Activation", {"y"}, {Floats("z", {2})}, {Arg("activation", "ABS")});
  other.Output("z", {2});
  EXPECT_EQ(code(File({Absolute("x", "y").Net(), other.Net()})), 216);
  // A device's port that is no tensor.
  ModelBuilder bad;
  bad.with_digest = false;
  bad.Input("x", {4, 0});
  bad.Output("y", {4});
  EXPECT_EQ(code(File({For(kNetOnHexagon, bad)})), 205);
  ModelBuilder codes;
  codes.with_digest = false;
  codes.Input("x", {4}, ElementType::kUint8);
  codes.Output("y", {4});
  EXPECT_EQ(code(File({For(kNetOnHexagon, codes)})), 215);
}

}  // namespace
}  // namespace runtime
}  // namespace mace
