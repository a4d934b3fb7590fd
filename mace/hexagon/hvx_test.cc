// The DSP's kernels, under an emulator of the DSP, against the library that stands for nnlib.
#include <dlfcn.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "mace/hexagon/hvx_kernels.h"
#include "mace/testing/random.h"
#include "third_party/nnlib/include/hexagon_nn.h"

namespace mace {
namespace hexagon {
namespace {

constexpr char kProgram[] = "mace/hexagon/hvx_program";
constexpr char kSimulator[] = "third_party/nnlib/sim/libhexagon_nn_sim.so";

struct Case {
  bool depthwise;
  ConvShape shape;
  ConvScaling scaling;
  hexagon_nn_padding_type padding;
  float out_step;
  std::vector<uint8_t> image, filter;
  std::vector<int32_t> bias;
};

// Steps of the operands: powers of two, so that ranges give them back exactly.
constexpr float kStep = 0.0625f, kProduct = kStep * kStep;

template <typename F>
F* Function(const char* name) {
  static void* const library = dlopen(kSimulator, RTLD_NOW);
  EXPECT_NE(library, nullptr) << dlerror();
  return reinterpret_cast<F*>(dlsym(library, name));
}

// Codes that the simulator gives.
std::vector<uint8_t> Simulate(const Case& c) {
  hexagon_nn_nn_id id;
  EXPECT_EQ(Function<decltype(hexagon_nn_init)>("hexagon_nn_init")(&id), 0);
  unsigned next = 1;
  std::vector<hexagon_nn_input> inputs;
  const auto add = [&](std::vector<unsigned> dims, const void* data, size_t bytes) {
    EXPECT_EQ(Function<decltype(hexagon_nn_append_const_node)>("hexagon_nn_append_const_node")(
                  id, next, dims[0], dims[1], dims[2], dims[3],
                  static_cast<const unsigned char*>(data), static_cast<int>(bytes)),
              0);
    inputs.push_back({next++, 0});
  };
  const auto number = [&](float value) { add({1, 1, 1, 1}, &value, sizeof value); };
  const ConvShape& s = c.shape;
  const auto u = [](int32_t v) { return static_cast<unsigned>(v); };
  add({1, u(s.height), u(s.width), u(s.depth)}, c.image.data(), c.image.size());
  add({u(s.kernel_h), u(s.kernel_w), u(s.depth), c.depthwise ? 1 : u(s.channels)}, c.filter.data(),
      c.filter.size());
  for (int32_t zero : {c.scaling.zero_in, c.scaling.zero_filter}) {
    number(kStep * static_cast<float>(-zero));
    number(kStep * static_cast<float>(255 - zero));
  }
  add({1, u(s.stride_h), u(s.stride_w), 1}, nullptr, 0);
  add({1, 1, 1, u(s.channels)}, c.bias.data(), c.bias.size() * sizeof(int32_t));
  number(-kProduct * 2147483648.0f);
  number(kProduct * 2147483648.0f);
  number(0.0f);
  number(255.0f * c.out_step);
  unsigned conv, output;
  auto* const op_name_to_id =
      Function<decltype(hexagon_nn_op_name_to_id)>("hexagon_nn_op_name_to_id");
  EXPECT_EQ(
      op_name_to_id(c.depthwise ? "DepthwiseSupernode_8x8p32to8" : "Supernode_8x8p32to8", &conv),
      0);
  EXPECT_EQ(op_name_to_id("OUTPUT", &output), 0);
  auto* const append = Function<decltype(hexagon_nn_append_node)>("hexagon_nn_append_node");
  hexagon_nn_output room[3] = {{4, {1, u(s.out_h), u(s.out_w), u(s.channels)}, 1, 0, 0},
                               {1, {1}, 4, 0, 0},
                               {1, {1}, 4, 0, 0}};
  EXPECT_EQ(
      append(id, 100, conv, c.padding, inputs.data(), static_cast<int>(inputs.size()), room, 3), 0);
  const hexagon_nn_input result = {100, 0};
  EXPECT_EQ(append(id, 101, output, NN_PAD_NA, &result, 1, nullptr, 0), 0);
  EXPECT_EQ(Function<decltype(hexagon_nn_prepare)>("hexagon_nn_prepare")(id), 0);
  std::vector<uint8_t> codes(static_cast<size_t>(s.out_h * s.out_w * s.channels));
  hexagon_nn_tensordef out = {};
  out.data = codes.data();
  out.dataLen = static_cast<int>(codes.size());
  const int ran =
      Function<decltype(hexagon_nn_execute_new)>("hexagon_nn_execute_new")(id, nullptr, 0, &out, 1);
  if (ran != 0) {
    unsigned char log[1000];
    Function<decltype(hexagon_nn_getlog)>("hexagon_nn_getlog")(id, log, sizeof log);
    ADD_FAILURE() << log;
  }
  Function<decltype(hexagon_nn_teardown)>("hexagon_nn_teardown")(id);
  return codes;
}

Case Make(testing::Random* random) {
  Case c;
  ConvShape& s = c.shape;
  const auto any = [&](int64_t least, int64_t greatest) {
    return static_cast<int32_t>(random->Int(least, greatest));
  };
  c.depthwise = any(0, 1) == 1;
  s.height = any(1, 7);
  s.width = any(1, 7);
  s.kernel_h = any(1, 3);
  s.kernel_w = any(1, 3);
  s.stride_h = any(1, 2);
  s.stride_w = any(1, 2);
  s.depth = c.depthwise ? any(1, 300) : any(1, 41);
  s.channels = c.depthwise ? s.depth : any(1, 70);
  const bool valid = any(0, 1) == 1 && s.kernel_h <= s.height && s.kernel_w <= s.width;
  c.padding = valid ? NN_PAD_VALID : NN_PAD_SAME;
  const auto positions = [&](int32_t size, int32_t kernel, int32_t stride, int32_t* before) {
    *before = 0;
    if (valid) return (size - kernel) / stride + 1;
    const int32_t count = (size + stride - 1) / stride;
    const int32_t pad = (count - 1) * stride + kernel - size;
    *before = pad > 0 ? pad / 2 : 0;
    return count;
  };
  s.out_h = positions(s.height, s.kernel_h, s.stride_h, &s.before_h);
  s.out_w = positions(s.width, s.kernel_w, s.stride_w, &s.before_w);
  c.scaling.zero_in = any(0, 255);
  c.scaling.zero_filter = any(0, 255);
  // Scales below and above 1: steps of the output are whole numbers of powers of two.
  const int exponent = any(-14, 5);
  c.out_step = kProduct / std::ldexp(static_cast<float>(any(128, 255)) / 256.0f, exponent);
  // As the simulator finds it.
  const float scale = kProduct / ((255.0f * c.out_step) / 255.0f);
  int shift;
  std::frexp(scale, &shift);
  c.scaling.shift = scale <= 1.0f ? 0 : shift;
  const float mantissa = std::ldexp(scale, 31 - c.scaling.shift) + 0.5f;
  c.scaling.mantissa = mantissa >= 2147483648.0f ? INT32_MAX : static_cast<int32_t>(mantissa);
  const auto bytes = [&](int32_t count) {
    std::vector<uint8_t> codes;
    for (int32_t i = 0; i < count; ++i) codes.push_back(static_cast<uint8_t>(any(0, 255)));
    return codes;
  };
  c.image = bytes(s.height * s.width * s.depth);
  c.filter = bytes(s.kernel_h * s.kernel_w * s.depth * (c.depthwise ? 1 : s.channels));
  // Biases that binary32 holds.
  for (int32_t i = 0; i < s.channels; ++i) c.bias.push_back(any(-(1 << 20), 1 << 20));
  return c;
}

template <typename T>
void Append(const T& value, std::string* to) {
  to->append(reinterpret_cast<const char*>(&value), sizeof value);
}

TEST(Hvx, ConvolutionsGiveTheCodesOfNnlib) {
  testing::Random random;
  std::vector<Case> cases;
  std::string record;
  for (int i = 0; i < 150; ++i) {
    cases.push_back(Make(&random));
    const Case& c = cases.back();
    Append(static_cast<int32_t>(c.depthwise), &record);
    Append(c.shape, &record);
    Append(c.scaling, &record);
    record.append(c.image.begin(), c.image.end());
    record.append(c.filter.begin(), c.filter.end());
    for (int32_t b : c.bias) Append(b, &record);
  }
  const std::string in = ::testing::TempDir() + "/hvx.in", out = ::testing::TempDir() + "/hvx.out";
  std::ofstream(in, std::ios::binary) << record;
  const std::string command = std::string("qemu-hexagon ") + kProgram + " < " + in + " > " + out;
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  std::ifstream file(out, std::ios::binary);
  const std::string codes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  size_t at = 0, between = 0;
  for (const Case& c : cases) {
    const std::vector<uint8_t> expected = Simulate(c);
    ASSERT_LE(at + expected.size(), codes.size());
    const std::vector<uint8_t> actual(
        codes.begin() + static_cast<std::ptrdiff_t>(at),
        codes.begin() + static_cast<std::ptrdiff_t>(at + expected.size()));
    ASSERT_EQ(actual, expected) << (c.depthwise ? "depthwise " : "convolution ") << c.shape.height
                                << "x" << c.shape.width << "x" << c.shape.depth << " by "
                                << c.shape.kernel_h << "x" << c.shape.kernel_w << " to "
                                << c.shape.channels << "; " << random.Replay();
    at += expected.size();
    for (uint8_t q : expected) between += q > 0 && q < 255;
  }
  EXPECT_EQ(at, codes.size());
  // Codes that do not clamp are what counts.
  EXPECT_GT(between, at / 20);
}

}  // namespace
}  // namespace hexagon
}  // namespace mace
