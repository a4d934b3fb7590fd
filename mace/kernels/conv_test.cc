// Convolutions, depthwise convolutions and pooling of every tier against the reference.
#include "mace/kernels/conv.h"

#include <limits>

#include "gtest/gtest.h"
#include "mace/kernels/reference.h"
#include "mace/testing/guard_buffer.h"
#include "mace/testing/random.h"
#include "mace/testing/tiers.h"

namespace mace {
namespace kernels {
namespace {

using mace::testing::GuardBuffer;
using mace::testing::kExactFloat;
using mace::testing::Random;
using mace::testing::RunnableTiers;

std::string Describe(const Window& w) {
  std::string text = "window";
  for (int64_t v :
       {w.batch, w.in_h, w.in_w, w.out_h, w.out_w, w.kernel_h, w.kernel_w, w.stride_h, w.stride_w,
        w.dilation_h, w.dilation_w, w.pad_top, w.pad_left, w.pad_bottom, w.pad_right}) {
    text += " " + std::to_string(v);
  }
  return text;
}

Window DrawWindow(Random* random) {
  while (true) {
    Window w = {};
    w.batch = random->Int(1, 2);
    w.in_h = random->Int(1, 9);
    w.in_w = random->Int(1, 9);
    w.kernel_h = random->Int(1, 4);
    w.kernel_w = random->Int(1, 4);
    w.stride_h = random->Int(1, 3);
    w.stride_w = random->Int(1, 3);
    w.dilation_h = random->Int(1, 2);
    w.dilation_w = random->Int(1, 2);
    w.pad_top = random->Int(0, 3);
    w.pad_left = random->Int(0, 3);
    w.pad_bottom = random->Int(0, 3);
    w.pad_right = random->Int(0, 3);
    const int64_t h = w.in_h + w.pad_top + w.pad_bottom - w.dilation_h * (w.kernel_h - 1) - 1;
    const int64_t v = w.in_w + w.pad_left + w.pad_right - w.dilation_w * (w.kernel_w - 1) - 1;
    if (h < 0 || v < 0) continue;
    w.out_h = h / w.stride_h + 1;
    w.out_w = v / w.stride_w + 1;
    return w;
  }
}

void ExpectFloats(const GuardBuffer<float>& got, const std::vector<float>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (kExactFloat) {
      ASSERT_EQ(got[i], wanted[i]) << "at " << i;
    } else {
      ASSERT_NEAR(got[i], wanted[i], 1e-4f) << "at " << i;
    }
  }
}

std::vector<int32_t> Numbers(const std::vector<uint8_t>& codes, ElementType type) {
  std::vector<int32_t> numbers;
  for (uint8_t c : codes)
    numbers.push_back(type == ElementType::kInt8 ? static_cast<int8_t>(c) : c);
  return numbers;
}

void ExpectCodes(const GuardBuffer<uint8_t>& got, const std::vector<int32_t>& wanted,
                 ElementType type) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_EQ(type == ElementType::kInt8 ? static_cast<int8_t>(got[i]) : got[i], wanted[i])
        << "at " << i;
  }
}

void RunAll(Conv* conv, int threads, const void* input, void* output) {
  conv->Plan(threads);
  AlignedBuffer scratch;
  ASSERT_TRUE(scratch.Allocate(conv->scratch_bytes()));
  for (int64_t t = 0; t < conv->tasks(); ++t) conv->Run(t, input, output, scratch.data());
}

TEST(Conv, Float) {
  Random random;
  for (int i = 0; i < 60; ++i) {
    ConvShape shape;
    shape.window =
        i % 5 == 0 ? Window{3, 5, 5, 5, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0} : DrawWindow(&random);
    shape.groups = i % 3 == 0 ? random.Int(2, 3) : 1;
    shape.in_channels = shape.groups * random.Int(1, i % 7 == 0 ? 70 : 9);
    shape.out_channels = shape.groups * random.Int(1, 40);
    const Window& w = shape.window;
    const GuardBuffer<float> input(random.Floats(w.batch * w.in_h * w.in_w * shape.in_channels));
    const std::vector<float> filter = random.Floats(shape.out_channels * w.kernel_h * w.kernel_w *
                                                    shape.in_channels / shape.groups);
    const std::vector<float> bias = random.Floats(shape.out_channels);
    const float* b = i % 4 == 0 ? nullptr : bias.data();
    const float hi = i % 2 ? 0.75f : std::numeric_limits<float>::infinity();
    const std::vector<float> wanted =
        reference::ConvF32(w, shape.in_channels, shape.out_channels, shape.groups, input.data(),
                           filter.data(), b, -0.25f, hi);
    for (Tier tier : RunnableTiers()) {
      for (int threads : {1, 3}) {
        SCOPED_TRACE(Describe(w) + " groups " + std::to_string(shape.groups) + " tier " +
                     NameOf(tier) + " " + random.Replay());
        Conv conv;
        ASSERT_TRUE(conv.InitFloat(shape, tier, filter.data(), b, -0.25f, hi));
        GuardBuffer<float> output(wanted.size());
        RunAll(&conv, threads, input.data(), output.data());
        ExpectFloats(output, wanted);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Conv, Codes) {
  Random random;
  for (int i = 0; i < 60; ++i) {
    ConvShape shape;
    shape.window =
        i % 5 == 0 ? Window{3, 5, 5, 5, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0} : DrawWindow(&random);
    shape.groups = i % 3 == 0 ? random.Int(2, 3) : 1;
    shape.in_channels = shape.groups * random.Int(1, i % 7 == 0 ? 70 : 9);
    shape.out_channels = shape.groups * random.Int(1, 40);
    const Window& w = shape.window;
    const ElementType type = i % 2 ? ElementType::kInt8 : ElementType::kUint8;
    const ElementType weight_type = i % 4 < 2 ? ElementType::kInt8 : ElementType::kUint8;
    const std::vector<uint8_t> codes = random.Bytes(w.batch * w.in_h * w.in_w * shape.in_channels);
    const GuardBuffer<uint8_t> input(codes);
    const int64_t k = w.kernel_h * w.kernel_w * shape.in_channels / shape.groups;
    const std::vector<uint8_t> filter = random.Bytes(shape.out_channels * k);
    std::vector<int32_t> bias;
    reference::Codes meaning;
    for (int64_t o = 0; o < shape.out_channels; ++o) {
      bias.push_back(static_cast<int32_t>(random.Int(-5000, 5000)));
      meaning.scale.push_back(random.Float(0.2f, 2.0f) / static_cast<float>(60 * k + 40));
    }
    meaning.input_zero = static_cast<int32_t>(random.Int(QMin(type), QMax(type)));
    meaning.weight_zero =
        i % 3 == 1 ? 0 : static_cast<int32_t>(random.Int(QMin(weight_type), QMax(weight_type)));
    meaning.output_zero = static_cast<int32_t>(random.Int(QMin(type), QMax(type)));
    meaning.lo = i % 3 == 0 ? meaning.output_zero : QMin(type);
    meaning.hi = QMax(type);
    const std::vector<int32_t> wanted = reference::ConvCodes(
        w, shape.in_channels, shape.out_channels, shape.groups, Numbers(codes, type),
        Numbers(filter, weight_type), bias.data(), meaning);
    const ConvQuantization q = {
        type,       weight_type, meaning.input_zero, meaning.weight_zero, meaning.output_zero,
        meaning.lo, meaning.hi,  meaning.scale};
    for (Tier tier : RunnableTiers()) {
      for (int threads : {1, 3}) {
        SCOPED_TRACE(Describe(w) + " groups " + std::to_string(shape.groups) + " tier " +
                     NameOf(tier) + " " + random.Replay());
        Conv conv;
        ASSERT_TRUE(conv.InitCodes(shape, tier, filter.data(), bias.data(), q));
        GuardBuffer<uint8_t> output(wanted.size());
        RunAll(&conv, threads, input.data(), output.data());
        ExpectCodes(output, wanted, type);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Depthwise, FloatAndCodes) {
  Random random;
  // QEMU 7.2 reads sixteen bytes for the four of a scalar fused multiply-add's memory operand.
  constexpr size_t kSlack = 3;
  for (int i = 0; i < 60; ++i) {
    const Window w = DrawWindow(&random);
    const int64_t channels = i % 4 == 0 ? random.Int(60, 70) : random.Int(1, 35),
                  multiplier = i % 3 == 0 ? random.Int(2, 3) : 1;
    const int64_t outs = channels * multiplier, taps = w.kernel_h * w.kernel_w;
    const int64_t out_size = w.batch * w.out_h * w.out_w * outs;
    const GuardBuffer<float> input(random.Floats(w.batch * w.in_h * w.in_w * channels), kSlack);
    const GuardBuffer<float> filter(random.Floats(taps * outs), kSlack), bias(random.Floats(outs));
    const GuardBuffer<float> zeros(std::vector<float>(static_cast<size_t>(channels), 0.0f), kSlack);
    const std::vector<float> wanted = reference::DepthwiseF32(
        w, channels, multiplier, input.data(), filter.data(), bias.data(), 0.0f, 6.0f);

    const ElementType type = i % 2 ? ElementType::kInt8 : ElementType::kUint8;
    const std::vector<uint8_t> codes = random.Bytes(w.batch * w.in_h * w.in_w * channels),
                               weights = random.Bytes(taps * outs);
    const GuardBuffer<uint8_t> code_input(codes);
    reference::Codes meaning;
    meaning.input_zero = static_cast<int32_t>(random.Int(QMin(type), QMax(type)));
    meaning.weight_zero = static_cast<int32_t>(random.Int(QMin(type), QMax(type)));
    meaning.output_zero = static_cast<int32_t>(random.Int(QMin(type), QMax(type)));
    meaning.lo = QMin(type);
    meaning.hi = QMax(type);
    GuardBuffer<int32_t> code_bias(static_cast<size_t>(outs));
    for (int64_t o = 0; o < outs; ++o) {
      code_bias[static_cast<size_t>(o)] = static_cast<int32_t>(random.Int(-3000, 3000));
      meaning.scale.push_back(random.Float(0.001f, 0.01f));
    }
    if (i % 2 == 1)
      for (float s : meaning.scale) meaning.fixed.Add(quant::ToFixed(s));
    const GuardBuffer<int32_t> mantissa(meaning.fixed.mantissa), exponent(meaning.fixed.exponent);
    const GuardBuffer<float> scale(meaning.scale);
    const std::vector<int32_t> numbers = Numbers(weights, type);
    const std::vector<int32_t> wanted_codes = reference::DepthwiseCodes(
        w, channels, multiplier, Numbers(codes, type), numbers, code_bias.data(), meaning);
    GuardBuffer<int16_t> centered(static_cast<size_t>(taps * outs));
    for (size_t j = 0; j < centered.size(); ++j)
      centered[j] = static_cast<int16_t>(numbers[j] - meaning.weight_zero);
    const GuardBuffer<uint8_t> padding(std::vector<uint8_t>(
        static_cast<size_t>(channels), static_cast<uint8_t>(meaning.input_zero)));

    std::vector<const void*> scratch(static_cast<size_t>(taps));
    for (Tier tier : RunnableTiers()) {
      SCOPED_TRACE(Describe(w) + " channels " + std::to_string(channels) + " tier " + NameOf(tier) +
                   " " + random.Replay());
      const KernelSet& set = *GetKernelSet(tier);
      DepthwiseArgs args = {};
      args.window = w;
      args.channels = channels;
      args.multiplier = multiplier;
      args.input = input.data();
      args.weights = filter.data();
      args.bias = bias.data();
      args.padding = zeros.data();
      args.hi = 6.0f;
      GuardBuffer<float> output(static_cast<size_t>(out_size));
      args.output = output.data();
      const int64_t rows = w.batch * w.out_h, half = rows / 2;
      set.depthwise_f32(args, 0, half, scratch.data());
      set.depthwise_f32(args, half, rows, scratch.data());
      ExpectFloats(output, wanted);
      GuardBuffer<uint8_t> code_output(static_cast<size_t>(out_size));
      args.input = code_input.data();
      args.weights = centered.data();
      args.bias = code_bias.data();
      args.padding = padding.data();
      args.output = code_output.data();
      args.scale = scale.data();
      if (!meaning.fixed.empty()) {
        args.mantissa = mantissa.data();
        args.exponent = exponent.data();
      }
      args.input_zero = meaning.input_zero;
      args.output_zero = meaning.output_zero;
      args.q_lo = meaning.lo;
      args.q_hi = meaning.hi;
      (type == ElementType::kInt8 ? set.depthwise.s8 : set.depthwise.u8)(args, 0, rows,
                                                                         scratch.data());
      ExpectCodes(code_output, wanted_codes, type);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Pool, FloatAndCodes) {
  Random random;
  for (int i = 0; i < 60; ++i) {
    Window w = DrawWindow(&random);
    // As when the output size is rounded up: windows that reach beyond the declared padding.
    if (i % 3 == 0) ++w.out_h;
    if (i % 3 == 1) ++w.out_w;
    const int64_t channels = i % 4 == 0 ? random.Int(60, 84) : random.Int(1, 20);
    const bool include_pad = i % 2 != 0;
    const GuardBuffer<float> input(random.Floats(w.batch * w.in_h * w.in_w * channels));
    const ElementType type = i % 4 < 2 ? ElementType::kInt8 : ElementType::kUint8;
    const std::vector<uint8_t> codes = random.Bytes(w.batch * w.in_h * w.in_w * channels);
    const GuardBuffer<uint8_t> code_input(codes);
    const int64_t out_size = w.batch * w.out_h * w.out_w * channels;
    for (bool maximum : {false, true}) {
      const int32_t zero = type == ElementType::kInt8 ? -5 : 7;
      const std::vector<int32_t> wanted_averages =
          reference::PoolCodes(w, channels, maximum, include_pad, Numbers(codes, type), 0.02f, zero,
                               0.02f, zero, QMin(type), QMax(type), true);
      const std::vector<float> wanted =
          reference::PoolF32(w, channels, maximum, include_pad, input.data());
      const std::vector<int32_t> wanted_codes =
          reference::PoolCodes(w, channels, maximum, include_pad, Numbers(codes, type), 0.02f, 7,
                               0.013f, 11, QMin(type), QMax(type));
      for (Tier tier : RunnableTiers()) {
        SCOPED_TRACE(Describe(w) + " channels " + std::to_string(channels) +
                     (maximum ? " max" : " average") + " tier " + NameOf(tier) + " " +
                     random.Replay());
        const KernelSet& set = *GetKernelSet(tier);
        PoolArgs args = {};
        args.window = w;
        args.channels = channels;
        args.count_include_pad = include_pad;
        args.input = input.data();
        GuardBuffer<float> output(static_cast<size_t>(out_size));
        args.output = output.data();
        (maximum ? set.max_pool_f32 : set.average_pool_f32)(args, 0, w.batch * w.out_h);
        ExpectFloats(output, wanted);
        GuardBuffer<uint8_t> code_output(static_cast<size_t>(out_size));
        args.input = code_input.data();
        args.output = code_output.data();
        args.input_scale = 0.02f;
        args.output_scale = 0.013f;
        args.input_zero = 7;
        args.output_zero = 11;
        args.q_min = QMin(type);
        args.q_max = QMax(type);
        const auto& pool = maximum ? set.max_pool : set.average_pool;
        (type == ElementType::kInt8 ? pool.s8 : pool.u8)(args, 0, w.batch * w.out_h);
        ExpectCodes(code_output, wanted_codes, type);
        if (HasFatalFailure()) return;
        args.input_zero = args.output_zero = zero;
        args.fixed = true;
        if (!maximum) {
          (type == ElementType::kInt8 ? pool.s8 : pool.u8)(args, 0, w.batch * w.out_h);
          ExpectCodes(code_output, wanted_averages, type);
        }
        if (HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace kernels
}  // namespace mace
