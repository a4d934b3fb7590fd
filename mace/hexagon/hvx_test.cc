// The DSP's kernels, under an emulator of the DSP, against the library that stands for nnlib.
#include <dlfcn.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "mace/hexagon/hvx_kernels.h"
#include "mace/testing/random.h"
#include "third_party/nnlib/include/hexagon_nn.h"
#include "third_party/nnlib/sim/arithmetic.h"

namespace mace {
namespace hexagon {
namespace {

using nnlib_sim::Bounds;

constexpr char kProgram[] = "mace/hexagon/hvx_program";
constexpr char kSimulator[] = "third_party/nnlib/sim/libhexagon_nn_sim.so";

template <typename F>
F* Function(const char* name) {
  static void* const library = dlopen(kSimulator, RTLD_NOW);
  EXPECT_NE(library, nullptr) << dlerror();
  return reinterpret_cast<F*>(dlsym(library, name));
}

// A graph of one node in the simulator, whose operands are constants.
class OneNode {
 public:
  OneNode() { EXPECT_EQ(Function<decltype(hexagon_nn_init)>("hexagon_nn_init")(&id_), 0); }
  ~OneNode() { Function<decltype(hexagon_nn_teardown)>("hexagon_nn_teardown")(id_); }

  void Add(const std::vector<int32_t>& dims, const void* data, size_t bytes) {
    const auto d = [&](size_t i) { return static_cast<unsigned>(dims[i]); };
    EXPECT_EQ(Function<decltype(hexagon_nn_append_const_node)>("hexagon_nn_append_const_node")(
                  id_, next_, d(0), d(1), d(2), d(3), static_cast<const unsigned char*>(data),
                  static_cast<int>(bytes)),
              0);
    inputs_.push_back({next_++, 0});
  }
  void Add(float value) { Add({1, 1, 1, 1}, &value, sizeof value); }
  void Add(Bounds range) {
    Add(range.min);
    Add(range.max);
  }
  void Add(const std::vector<int32_t>& dims, const std::vector<uint8_t>& codes) {
    Add(dims, codes.data(), codes.size());
  }

  // Codes of the node's output, `dims` with one batch.
  std::vector<uint8_t> Run(const char* type, hexagon_nn_padding_type padding,
                           const std::vector<int32_t>& dims) {
    unsigned operation, output;
    auto* const op_name_to_id =
        Function<decltype(hexagon_nn_op_name_to_id)>("hexagon_nn_op_name_to_id");
    EXPECT_EQ(op_name_to_id(type, &operation), 0) << type;
    EXPECT_EQ(op_name_to_id("OUTPUT", &output), 0);
    auto* const append = Function<decltype(hexagon_nn_append_node)>("hexagon_nn_append_node");
    hexagon_nn_output room[3] = {{4, {1, 0, 0, 0}, 1, 0, 0}, {1, {1}, 4, 0, 0}, {1, {1}, 4, 0, 0}};
    size_t elements = 1;
    for (size_t i = 0; i < dims.size(); ++i) {
      room[0].max_sizes[i + 1] = static_cast<unsigned>(dims[i]);
      elements *= static_cast<size_t>(dims[i]);
    }
    EXPECT_EQ(append(id_, 1000, operation, padding, inputs_.data(),
                     static_cast<int>(inputs_.size()), room, 3),
              0);
    const hexagon_nn_input result = {1000, 0};
    EXPECT_EQ(append(id_, 1001, output, NN_PAD_NA, &result, 1, nullptr, 0), 0);
    EXPECT_EQ(Function<decltype(hexagon_nn_prepare)>("hexagon_nn_prepare")(id_), 0);
    std::vector<uint8_t> codes(elements);
    hexagon_nn_tensordef out = {};
    out.data = codes.data();
    out.dataLen = static_cast<int>(codes.size());
    auto* const execute = Function<decltype(hexagon_nn_execute_new)>("hexagon_nn_execute_new");
    if (execute(id_, nullptr, 0, &out, 1) != 0) {
      unsigned char log[1000];
      Function<decltype(hexagon_nn_getlog)>("hexagon_nn_getlog")(id_, log, sizeof log);
      ADD_FAILURE() << log;
    }
    return codes;
  }

 private:
  hexagon_nn_nn_id id_ = 0;
  unsigned next_ = 1;
  std::vector<hexagon_nn_input> inputs_;
};

// What the program reads, and the codes that it must write.
struct Case {
  std::string text, record;
  std::vector<uint8_t> expected;
};

template <typename T>
void Append(const T& value, std::string* to) {
  to->append(reinterpret_cast<const char*>(&value), sizeof value);
}
void Append(const std::vector<uint8_t>& codes, std::string* to) {
  to->append(codes.begin(), codes.end());
}

class Maker {
 public:
  explicit Maker(testing::Random* random) : random_(random) {}

  Case Product(bool depthwise);
  Case Pool(bool average);
  Case Sum(bool subtract);
  Case Extreme(bool greatest);
  Case Clamp();

 private:
  int32_t Any(int64_t least, int64_t greatest) {
    return static_cast<int32_t>(random_->Int(least, greatest));
  }
  // The end of the record and the node of an operator on two operands of as many codes.
  void Pairwise(const char* type, Bounds a, Bounds b, Bounds out, Case* c);
  std::vector<uint8_t> Codes(int32_t count) {
    std::vector<uint8_t> codes;
    for (int32_t i = 0; i < count; ++i) codes.push_back(static_cast<uint8_t>(Any(0, 255)));
    return codes;
  }
  // A range with a code for zero, up to `factor` times as wide as others.
  Bounds Range(int factor) {
    const float step = std::ldexp(1.0f + static_cast<float>(Any(0, 255)) / 256.0f, Any(0, factor));
    const float zero = static_cast<float>(Any(0, 255));
    return {-step * zero, step * (255.0f - zero)};
  }
  // Image, window and strides of at most `most` cells, and where windows are.
  ConvShape Window(int32_t most, hexagon_nn_padding_type* padding);

  testing::Random* random_;
};

ConvShape Maker::Window(int32_t most, hexagon_nn_padding_type* padding) {
  ConvShape s = {};
  s.height = Any(1, 7);
  s.width = Any(1, 7);
  s.kernel_h = Any(1, most);
  s.kernel_w = Any(1, most);
  s.stride_h = Any(1, 2);
  s.stride_w = Any(1, 2);
  const bool valid = Any(0, 1) == 1 && s.kernel_h <= s.height && s.kernel_w <= s.width;
  *padding = valid ? NN_PAD_VALID : NN_PAD_SAME;
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
  return s;
}

std::string TextOf(const char* what, const ConvShape& s) {
  return std::string(what) + " " + std::to_string(s.height) + "x" + std::to_string(s.width) + "x" +
         std::to_string(s.depth) + " by " + std::to_string(s.kernel_h) + "x" +
         std::to_string(s.kernel_w) + " to " + std::to_string(s.channels);
}

// Steps of the operands: powers of two, so that ranges give them back exactly.
constexpr float kStep = 0.0625f, kProduct = kStep * kStep;

Case Maker::Product(bool depthwise) {
  hexagon_nn_padding_type padding;
  ConvShape s = Window(3, &padding);
  s.depth = depthwise ? Any(1, 300) : Any(1, 41);
  s.channels = depthwise ? s.depth : Any(1, 70);
  ConvScaling k;
  k.zero_in = Any(0, 255);
  k.zero_filter = Any(0, 255);
  // Scales below and above 1: steps of the output are whole numbers of powers of two.
  const int exponent = Any(-14, 5);
  const float step = kProduct / std::ldexp(static_cast<float>(Any(128, 255)) / 256.0f, exponent);
  // As the simulator finds it.
  const float scale = kProduct / ((255.0f * step) / 255.0f);
  std::frexp(scale, &k.shift);
  if (scale <= 1.0f) k.shift = 0;
  const float mantissa = std::ldexp(scale, 31 - k.shift) + 0.5f;
  k.mantissa = mantissa >= 2147483648.0f ? INT32_MAX : static_cast<int32_t>(mantissa);
  const std::vector<uint8_t> image = Codes(s.height * s.width * s.depth);
  const std::vector<uint8_t> filter =
      Codes(s.kernel_h * s.kernel_w * s.depth * (depthwise ? 1 : s.channels));
  // Biases that binary32 holds.
  std::vector<int32_t> bias;
  for (int32_t i = 0; i < s.channels; ++i) bias.push_back(Any(-(1 << 20), 1 << 20));

  Case c;
  c.text = TextOf(depthwise ? "depthwise" : "convolution", s);
  Append(depthwise ? Kind::kDepthwise : Kind::kConv, &c.record);
  Append(s, &c.record);
  Append(k, &c.record);
  Append(image, &c.record);
  Append(filter, &c.record);
  for (int32_t b : bias) Append(b, &c.record);

  OneNode node;
  node.Add({1, s.height, s.width, s.depth}, image);
  node.Add({s.kernel_h, s.kernel_w, s.depth, depthwise ? 1 : s.channels}, filter);
  for (int32_t zero : {k.zero_in, k.zero_filter}) {
    node.Add({kStep * static_cast<float>(-zero), kStep * static_cast<float>(255 - zero)});
  }
  node.Add({1, s.stride_h, s.stride_w, 1}, nullptr, 0);
  node.Add({1, 1, 1, s.channels}, bias.data(), bias.size() * sizeof(int32_t));
  node.Add({-kProduct * 2147483648.0f, kProduct * 2147483648.0f});
  node.Add({0.0f, 255.0f * step});
  c.expected = node.Run(depthwise ? "DepthwiseSupernode_8x8p32to8" : "Supernode_8x8p32to8", padding,
                        {s.out_h, s.out_w, s.channels});
  return c;
}

Case Maker::Pool(bool average) {
  hexagon_nn_padding_type padding;
  ConvShape s = Window(5, &padding);
  s.depth = s.channels = Any(1, 300);
  const std::vector<uint8_t> image = Codes(s.height * s.width * s.depth);
  Case c;
  c.text = TextOf(average ? "average" : "maximum", s);
  Append(average ? Kind::kAveragePool : Kind::kMaxPool, &c.record);
  Append(s, &c.record);
  Append(image, &c.record);
  OneNode node;
  node.Add({1, s.height, s.width, s.depth}, image);
  node.Add({-1.0f, 1.0f});
  node.Add({1, s.kernel_h, s.kernel_w, 1}, nullptr, 0);
  node.Add({1, s.stride_h, s.stride_w, 1}, nullptr, 0);
  c.expected = node.Run(average ? "QuantizedAvgPool_8" : "QuantizedMaxPool_8", padding,
                        {s.out_h, s.out_w, s.depth});
  return c;
}

void Maker::Pairwise(const char* type, Bounds a, Bounds b, Bounds out, Case* c) {
  const int32_t count = Any(1, 700);
  Append(count, &c->record);
  OneNode node;
  for (int operand = 0; operand < 2; ++operand) {
    const std::vector<uint8_t> codes = Codes(count);
    Append(codes, &c->record);
    node.Add({1, 1, 1, count}, codes);
  }
  for (const Bounds& range : {a, b, out}) node.Add(range);
  c->expected = node.Run(type, NN_PAD_NA, {1, 1, count});
}

Case Maker::Sum(bool subtract) {
  const Bounds a = Range(4), b = Range(4);
  // From finer steps than the operands', whose sums clamp, to coarser ones.
  Bounds out = Range(4);
  const float factor = std::ldexp(1.0f, Any(-6, 4));
  out = {out.min * factor, out.max * factor};
  nnlib_sim::SumScaling scaling;
  EXPECT_EQ(nnlib_sim::SumScalingOf(a, b, out, subtract, &scaling), nullptr);
  const auto narrow = [](int64_t v) { return static_cast<int32_t>(v); };
  Case c;
  c.text = subtract ? "difference" : "sum";
  Append(Kind::kSum, &c.record);
  Append(SumScaling{narrow(scaling.ka), narrow(scaling.kb), narrow(scaling.offset), scaling.drop,
                    scaling.last},
         &c.record);
  Pairwise(subtract ? "QuantizedSub_8p8to8" : "QuantizedAdd_8p8to8", a, b, out, &c);
  return c;
}

Case Maker::Extreme(bool greatest) {
  const Bounds a = Range(3), b = Range(3), out = Any(0, 3) == 0 ? a : Range(3);
  Case c;
  c.text = greatest ? "greatest" : "least";
  Append(greatest ? Kind::kMaximum : Kind::kMinimum, &c.record);
  for (const Bounds& from : {a, b}) {
    nnlib_sim::Regrid regrid;
    EXPECT_TRUE(nnlib_sim::RegridOf(from, out, &regrid));
    Append(Regrid{static_cast<int32_t>(regrid.k), regrid.from, regrid.to, regrid.same}, &c.record);
  }
  Pairwise(greatest ? "QuantizedMaximum_8" : "QuantizedMinimum_8", a, b, out, &c);
  return c;
}

Case Maker::Clamp() {
  const int32_t count = Any(1, 700), low = Any(0, 255), high = Any(low, 255);
  const std::vector<uint8_t> codes = Codes(count);
  Case c;
  c.text = "clamp";
  Append(Kind::kClamp, &c.record);
  Append(low, &c.record);
  Append(high, &c.record);
  Append(count, &c.record);
  Append(codes, &c.record);
  OneNode node;
  node.Add({1, 1, 1, count}, codes);
  node.Add({0.0f, 255.0f});
  node.Add({static_cast<float>(low), static_cast<float>(high)});
  c.expected = node.Run("QuantizedClamp_8", NN_PAD_NA, {1, 1, count});
  return c;
}

TEST(Hvx, KernelsGiveTheCodesOfNnlib) {
  testing::Random random;
  Maker maker(&random);
  std::vector<Case> cases;
  for (int i = 0; i < 75; ++i) {
    for (const bool either : {false, true}) {
      cases.push_back(maker.Product(either));
      cases.push_back(maker.Pool(either));
      cases.push_back(maker.Sum(either));
      cases.push_back(maker.Extreme(either));
    }
    cases.push_back(maker.Clamp());
  }
  const std::string in = ::testing::TempDir() + "/hvx.in", out = ::testing::TempDir() + "/hvx.out";
  {
    std::ofstream file(in, std::ios::binary);
    for (const Case& c : cases) file << c.record;
  }
  const std::string command = std::string("qemu-hexagon ") + kProgram + " < " + in + " > " + out;
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  std::ifstream file(out, std::ios::binary);
  const std::string codes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  size_t at = 0;
  struct Seen {
    size_t codes = 0, between = 0;
  };
  std::map<std::string, Seen> seen;
  for (const Case& c : cases) {
    ASSERT_LE(at + c.expected.size(), codes.size()) << c.text;
    const auto begin = codes.begin() + static_cast<std::ptrdiff_t>(at);
    const std::vector<uint8_t> actual(begin,
                                      begin + static_cast<std::ptrdiff_t>(c.expected.size()));
    ASSERT_EQ(actual, c.expected) << c.text << "; " << random.Replay();
    at += c.expected.size();
    Seen& kind = seen[c.text.substr(0, c.text.find(' '))];
    kind.codes += c.expected.size();
    for (uint8_t q : c.expected) kind.between += q > 0 && q < 255;
  }
  EXPECT_EQ(at, codes.size());
  EXPECT_EQ(seen.size(), 9u);
  // Codes that do not clamp are what counts.
  for (const auto& [name, kind] : seen) EXPECT_GT(kind.between, kind.codes / 20) << name;
}

}  // namespace
}  // namespace hexagon
}  // namespace mace
