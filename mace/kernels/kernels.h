// The kernels that are not matrix products: plain loops in *-inl.h files, compiled once per tier
// (tiers/*.cc) and reached through one table of functions. A kernel works on a range of its
// outermost index, so that any number of threads can share it, and allocates nothing.
#ifndef MACE_KERNELS_KERNELS_H_
#define MACE_KERNELS_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "mace/arch/cpu_features.h"
#include "mace/quant/requantize.h"

namespace mace {
namespace kernels {

// ---- Windows --------------------------------------------------------------

// A sliding window over an NHWC image. Rows of the output are numbered 0 .. batch * out_h - 1.
struct Window {
  int64_t batch, in_h, in_w, out_h, out_w;
  int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  int64_t pad_top, pad_left, pad_bottom, pad_right;
};

struct DepthwiseArgs {
  Window window;
  int64_t channels, multiplier;
  const void* input;
  void* output;
  // Weights [kernel_h * kernel_w][channels * multiplier]: float, or int16 with the zero point
  // subtracted.
  const void* weights;
  // One per output channel: float, or int32.
  const void* bias;
  // What a padding cell holds: `channels` zeros, or zero points.
  const void* padding;
  // float: limits of the fused activation.
  float lo, hi;
  // Quantized.
  const float* scale;  // one multiplier per output channel
  // Fixed-point multipliers instead of `scale`; null where there are none.
  const int32_t* mantissa;
  const int32_t* exponent;
  int32_t input_zero, output_zero, q_lo, q_hi;
};
// `taps` is scratch for kernel_h * kernel_w pointers.
using DepthwiseFn = void (*)(const DepthwiseArgs&, int64_t row_begin, int64_t row_end,
                             const void** taps);

struct PoolArgs {
  Window window;
  int64_t channels;
  bool count_include_pad;
  const void* input;
  void* output;
  // Quantized average; with `fixed`, of codes with their zero point, which both tensors share.
  bool fixed;
  float input_scale, output_scale;
  int32_t input_zero, output_zero, q_min, q_max;
};
using PoolFn = void (*)(const PoolArgs&, int64_t row_begin, int64_t row_end);

// ---- Reductions -----------------------------------------------------------

enum class ReduceKind { kMean = 0, kMin = 1, kMax = 2, kProd = 3, kSum = 4 };

// Both index spaces have up to three axes, outermost first, unused ones of size 1: axes next to
// each other that are reduced, or kept, are one. `inner` neighbouring outputs (innermost kept axis)
// are computed together.
struct ReduceArgs {
  ReduceKind kind;
  const void* input;
  void* output;
  int64_t inner;
  int64_t kept_size[3], kept_stride[3];
  int64_t reduced_size[3], reduced_stride[3];
  // Quantized mean and sum; `fixed`: a mean of codes with their zero point, which both tensors
  // share.
  bool fixed;
  float multiplier;
  int32_t input_zero, output_zero, q_min, q_max;
};
using ReduceFn = void (*)(const ReduceArgs&, int64_t outer_begin, int64_t outer_end);

// ---- Element by element ---------------------------------------------------

enum class EltwiseKind {
  kSum = 0,
  kSub = 1,
  kProd = 2,
  kDiv = 3,
  kMin = 4,
  kMax = 5,
  kSqrDiff = 8,
  kPow = 9,
  kEqual = 10,
  kNotEqual = 11,
  kFloorDiv = 12,
  kLess = 15,
  kLessOrEqual = 16,
  kGreater = 17,
  kGreaterOrEqual = 18
};

struct EltwiseArgs {
  EltwiseKind kind;
  float lo, hi;
  // Quantized.
  float k_a, k_b, k;
  // Fixed-point multipliers of a sum, difference or product (`fixed_y` alone) instead.
  bool fixed;
  quant::FixedMultiplier fixed_a, fixed_b, fixed_y;
  int32_t zero_a, zero_b, zero_y, q_lo, q_hi;
};
// n outputs; a stride is 0 (one value for all) or 1.
using EltwiseFn = void (*)(const EltwiseArgs&, const void* a, int64_t stride_a, const void* b,
                           int64_t stride_b, void* y, int64_t n);

enum class ActivationKind {
  kRelu,
  kRelux,
  kPrelu,
  kTanh,
  kSigmoid,
  kLeakyRelu,
  kElu,
  kHardSigmoid,
  kHardSwish,
  kClip,
  kExp,
  kSqrt,
  kRsqrt,
  kAbs,
  kNeg,
  kLog,
  kReciprocal,
  kSquare,
  kFloor,
  kCeil,
  kRound,
  kSign,
  kErf,
  kGelu,
  kGeluTanh,
  kSilu,
  kSoftplus,
  kMish
};

struct ActivationArgs {
  ActivationKind kind;
  float max_limit, min_limit, coefficient, alpha, beta;
  // PRELU: one slope per channel, or one in all (slope_count 1).
  const float* slope;
  int64_t slope_count;
};
// x and y start at a multiple of slope_count elements.
using ActivationFn = void (*)(const ActivationArgs&, const float* x, float* y, int64_t n);

// y = clamp(x * scale[c] + offset[c]), one rounding each; n is a multiple of channels.
using BatchNormFn = void (*)(const float* x, const float* scale, const float* offset,
                             int64_t channels, float lo, float hi, float* y, int64_t n);

struct LrnArgs {
  int64_t channels, before, after;
  float alpha, beta, bias;
};
using LrnFn = void (*)(const LrnArgs&, const float* x, float* y, int64_t row_begin,
                       int64_t row_end);

using SoftmaxFn = void (*)(const float* x, float* y, int64_t depth, bool log, int64_t row_begin,
                           int64_t row_end);
using SoftmaxCodesFn = void (*)(const void* x, void* y, const int32_t* table, int64_t depth,
                                int32_t output_zero, int64_t row_begin, int64_t row_end);

// ---- Quantization ---------------------------------------------------------

using QuantizeFn = void (*)(const float* x, float scale, int32_t zero, void* y, int64_t n);
using DequantizeFn = void (*)(const void* x, float scale, int32_t zero, float* y, int64_t n);
// Codes of one set of parameters to another's: multiplier is s_x / s_y.
using RequantizeFn = void (*)(const void* x, float multiplier, int32_t zero_x, int32_t zero_y,
                              void* y, int64_t n);
// y[i] = table[x[i] - qmin]
using TableFn = void (*)(const void* x, const uint8_t* table, uint8_t flip, void* y, int64_t n);
// The same with one table for each of `channels`; n is a multiple of channels.
using ChannelTableFn = void (*)(const void* x, const uint8_t* tables, int64_t channels,
                                uint8_t flip, void* y, int64_t n);

// ---- Resize ---------------------------------------------------------------

// The two input rows (or columns) that an output row (or column) lies between, and the share of the
// second: exact for float, in units of 2^-11 for codes.
struct LinearTap {
  int32_t first, second;
  float share;
  int32_t units;
};
struct CubicTap {
  int32_t index[4];
  float weight[4];
};
template <typename Tap>
struct ResizeArgs {
  int64_t in_h, in_w, out_h, out_w, channels;
  // One per output row, one per output column.
  const Tap* rows;
  const Tap* columns;
};
// Rows of the output are numbered 0 .. batch * out_h - 1.
using ResizeLinearFn = void (*)(const ResizeArgs<LinearTap>&, const void* x, void* y,
                                int64_t row_begin, int64_t row_end);
using ResizeCubicFn = void (*)(const ResizeArgs<CubicTap>&, const float* x, float* y,
                               int64_t row_begin, int64_t row_end);

// ---- Products of computed codes -------------------------------------------

// y[j] = requantized sum over i of a[i] * b[j * k + i], for `columns` columns; zero points are
// subtracted from both.
using ProductFn = void (*)(const int16_t* a, const int16_t* b, int64_t k, int64_t columns,
                           float multiplier, int32_t zero, int32_t lo, int32_t hi, void* y);

// ---- Preparing the left operand of an integer matrix product --------------

// y = x ^ flip, the other signedness when flip is 0x80.
using FlipFn = void (*)(const uint8_t* x, uint8_t flip, uint8_t* y, int64_t n);
// y = x - zero as int16.
using CenterFn = void (*)(const void* x, int32_t zero, int16_t* y, int64_t n);
using RowSumFn = void (*)(const void* a, int64_t k, int64_t lda, int64_t rows, int32_t* sums);

// ---- Statistics -----------------------------------------------------------

struct FloatExtremes {
  float min, max;  // of the finite values; min > max when there is none
  int64_t nan_count, inf_count;
};
using ExtremesFn = void (*)(const float* x, int64_t n, FloatExtremes* result);
// buckets[i] = the upper 13 bits of x[i], -0 as +0.
using BucketsFn = void (*)(const float* x, int64_t n, uint16_t* buckets);

// Per channel (column) of rows of `stride` elements: extremes of the finite values joined to least
// and greatest, and their sum in row order.
using ChannelsFn = void (*)(const float* x, int64_t rows, int64_t stride, int64_t channels,
                            float* least, float* greatest, double* sums);

// By element type of the codes.
template <typename Fn>
struct ByType {
  Fn u8, s8;
};

struct KernelSet {
  const char* tier;
  DepthwiseFn depthwise_f32;
  ByType<DepthwiseFn> depthwise;
  PoolFn max_pool_f32, average_pool_f32;
  ByType<PoolFn> max_pool, average_pool;
  ReduceFn reduce_f32;
  ByType<ReduceFn> reduce;
  // All but the mean; sums and products wrap around.
  ReduceFn reduce_i32;
  EltwiseFn eltwise_f32;
  ByType<EltwiseFn> eltwise;
  // float32 operands, truth values as int32.
  EltwiseFn compare_f32;
  // int32 throughout, arithmetic and comparisons.
  EltwiseFn eltwise_i32;
  ActivationFn activation_f32;
  BatchNormFn batch_norm_f32;
  LrnFn lrn_f32;
  SoftmaxFn softmax_f32;
  ByType<SoftmaxCodesFn> softmax;
  ByType<QuantizeFn> quantize;
  ByType<DequantizeFn> dequantize;
  ByType<RequantizeFn> requantize;
  TableFn table;
  ChannelTableFn channel_table;
  ResizeLinearFn resize_linear_f32;
  ByType<ResizeLinearFn> resize_linear;
  ResizeCubicFn resize_cubic_f32;
  ByType<ProductFn> product;
  FlipFn flip;
  ByType<CenterFn> center;
  ByType<RowSumFn> row_sums;
  ExtremesFn extremes;
  BucketsFn buckets;
  ChannelsFn channels;
};

// Null when the tier is not of this architecture.
const KernelSet* GetKernelSet(Tier tier);

}  // namespace kernels
}  // namespace mace

#endif  // MACE_KERNELS_KERNELS_H_
