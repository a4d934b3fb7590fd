// The meaning of the kernels, slow and obvious: no packing, no blocking, wide accumulators. Tests
// compare with it.
#ifndef MACE_KERNELS_REFERENCE_H_
#define MACE_KERNELS_REFERENCE_H_

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "mace/kernels/kernels.h"
#include "mace/quant/requantize.h"

namespace mace {
namespace kernels {
namespace reference {

// Calls cell(tap index, n, y, x) for every cell of the window of output (n, oy, ox), with y and x
// that may lie outside.
inline void ForEachTap(const Window& w, int64_t n, int64_t oy, int64_t ox,
                       const std::function<void(int64_t, int64_t, int64_t, int64_t)>& cell) {
  for (int64_t ky = 0; ky < w.kernel_h; ++ky) {
    for (int64_t kx = 0; kx < w.kernel_w; ++kx) {
      cell(ky * w.kernel_w + kx, n, oy * w.stride_h - w.pad_top + ky * w.dilation_h,
           ox * w.stride_w - w.pad_left + kx * w.dilation_w);
    }
  }
}

inline void ForEachOutput(const Window& w,
                          const std::function<void(int64_t, int64_t, int64_t, int64_t)>& output) {
  int64_t index = 0;
  for (int64_t n = 0; n < w.batch; ++n) {
    for (int64_t oy = 0; oy < w.out_h; ++oy) {
      for (int64_t ox = 0; ox < w.out_w; ++ox) output(index++, n, oy, ox);
    }
  }
}

inline bool Inside(const Window& w, int64_t y, int64_t x) {
  return y >= 0 && y < w.in_h && x >= 0 && x < w.in_w;
}

inline float Clamp(float v, float lo, float hi) { return v < lo ? lo : v > hi ? hi : v; }

// Filter [O, H, W, I / groups].
inline std::vector<float> ConvF32(const Window& w, int64_t channels, int64_t filters,
                                  int64_t groups, const float* input, const float* filter,
                                  const float* bias, float lo, float hi) {
  std::vector<float> out(static_cast<size_t>(w.batch * w.out_h * w.out_w * filters));
  const int64_t part = channels / groups;
  ForEachOutput(w, [&](int64_t index, int64_t n, int64_t oy, int64_t ox) {
    for (int64_t o = 0; o < filters; ++o) {
      const int64_t group = o / (filters / groups);
      float acc = 0.0f;
      ForEachTap(w, n, oy, ox, [&](int64_t tap, int64_t, int64_t y, int64_t x) {
        for (int64_t c = 0; c < part; ++c) {
          const float v = Inside(w, y, x)
                              ? input[((n * w.in_h + y) * w.in_w + x) * channels + group * part + c]
                              : 0.0f;
          acc = std::fma(v, filter[(o * w.kernel_h * w.kernel_w + tap) * part + c], acc);
        }
      });
      out[static_cast<size_t>(index * filters + o)] =
          Clamp(acc + (bias == nullptr ? 0.0f : bias[o]), lo, hi);
    }
  });
  return out;
}

// How codes become numbers and numbers codes.
struct Codes {
  int32_t input_zero, weight_zero, output_zero, lo, hi;
  std::vector<float> scale;            // multiplier of each output channel
  quant::FixedMultipliers fixed = {};  // used instead, unless empty

  int32_t Code(int64_t acc, int64_t channel) const {
    const int32_t sum = static_cast<int32_t>(acc);
    const size_t o = static_cast<size_t>(channel);
    if (fixed.empty()) return quant::Requantize(sum, scale[o], output_zero, lo, hi);
    return quant::RequantizeFixed(sum, {fixed.mantissa[o], fixed.exponent[o]}, output_zero, lo, hi,
                                  fixed.once);
  }
};

inline std::vector<int32_t> ConvCodes(const Window& w, int64_t channels, int64_t filters,
                                      int64_t groups, const std::vector<int32_t>& input,
                                      const std::vector<int32_t>& filter, const int32_t* bias,
                                      const Codes& codes) {
  std::vector<int32_t> out(static_cast<size_t>(w.batch * w.out_h * w.out_w * filters));
  const int64_t part = channels / groups;
  ForEachOutput(w, [&](int64_t index, int64_t n, int64_t oy, int64_t ox) {
    for (int64_t o = 0; o < filters; ++o) {
      const int64_t group = o / (filters / groups);
      int64_t acc = bias == nullptr ? 0 : bias[o];
      ForEachTap(w, n, oy, ox, [&](int64_t tap, int64_t, int64_t y, int64_t x) {
        if (!Inside(w, y, x)) return;
        for (int64_t c = 0; c < part; ++c) {
          const int64_t v = input[static_cast<size_t>(((n * w.in_h + y) * w.in_w + x) * channels +
                                                      group * part + c)];
          const int64_t f =
              filter[static_cast<size_t>((o * w.kernel_h * w.kernel_w + tap) * part + c)];
          acc += (v - codes.input_zero) * (f - codes.weight_zero);
        }
      });
      out[static_cast<size_t>(index * filters + o)] = codes.Code(acc, o);
    }
  });
  return out;
}

// Filter [H, W, C, M].
inline std::vector<float> DepthwiseF32(const Window& w, int64_t channels, int64_t multiplier,
                                       const float* input, const float* filter, const float* bias,
                                       float lo, float hi) {
  const int64_t outs = channels * multiplier;
  std::vector<float> out(static_cast<size_t>(w.batch * w.out_h * w.out_w * outs));
  ForEachOutput(w, [&](int64_t index, int64_t n, int64_t oy, int64_t ox) {
    for (int64_t o = 0; o < outs; ++o) {
      float acc = 0.0f;
      ForEachTap(w, n, oy, ox, [&](int64_t tap, int64_t, int64_t y, int64_t x) {
        const float v = Inside(w, y, x)
                            ? input[((n * w.in_h + y) * w.in_w + x) * channels + o / multiplier]
                            : 0.0f;
        acc = std::fma(v, filter[tap * outs + o], acc);
      });
      out[static_cast<size_t>(index * outs + o)] = Clamp(acc + bias[o], lo, hi);
    }
  });
  return out;
}

inline std::vector<int32_t> DepthwiseCodes(const Window& w, int64_t channels, int64_t multiplier,
                                           const std::vector<int32_t>& input,
                                           const std::vector<int32_t>& filter, const int32_t* bias,
                                           const Codes& codes) {
  const int64_t outs = channels * multiplier;
  std::vector<int32_t> out(static_cast<size_t>(w.batch * w.out_h * w.out_w * outs));
  ForEachOutput(w, [&](int64_t index, int64_t n, int64_t oy, int64_t ox) {
    for (int64_t o = 0; o < outs; ++o) {
      int64_t acc = bias[o];
      ForEachTap(w, n, oy, ox, [&](int64_t tap, int64_t, int64_t y, int64_t x) {
        if (!Inside(w, y, x)) return;
        const int64_t v =
            input[static_cast<size_t>(((n * w.in_h + y) * w.in_w + x) * channels + o / multiplier)];
        acc += (v - codes.input_zero) *
               (filter[static_cast<size_t>(tap * outs + o)] - codes.weight_zero);
      });
      out[static_cast<size_t>(index * outs + o)] = codes.Code(acc, o);
    }
  });
  return out;
}

// Cells of a window that an average counts: those inside, or also those of the declared padding.
inline bool Counted(const Window& w, bool include_pad, int64_t y, int64_t x) {
  if (!include_pad) return Inside(w, y, x);
  return y >= -w.pad_top && y < w.in_h + w.pad_bottom && x >= -w.pad_left &&
         x < w.in_w + w.pad_right;
}

inline std::vector<float> PoolF32(const Window& w, int64_t channels, bool maximum, bool include_pad,
                                  const float* input) {
  std::vector<float> out(static_cast<size_t>(w.batch * w.out_h * w.out_w * channels));
  ForEachOutput(w, [&](int64_t index, int64_t n, int64_t oy, int64_t ox) {
    for (int64_t c = 0; c < channels; ++c) {
      float sum = 0.0f, greatest = 0.0f;
      int64_t count = 0, seen = 0;
      ForEachTap(w, n, oy, ox, [&](int64_t, int64_t, int64_t y, int64_t x) {
        if (Counted(w, include_pad, y, x)) ++count;
        if (!Inside(w, y, x)) return;
        const float v = input[((n * w.in_h + y) * w.in_w + x) * channels + c];
        sum += v;
        greatest = seen == 0 || v > greatest ? v : greatest;
        ++seen;
      });
      out[static_cast<size_t>(index * channels + c)] =
          maximum ? greatest : sum / static_cast<float>(count > 0 ? count : 1);
    }
  });
  return out;
}

inline std::vector<int32_t> PoolCodes(const Window& w, int64_t channels, bool maximum,
                                      bool include_pad, const std::vector<int32_t>& input,
                                      float input_scale, int32_t input_zero, float output_scale,
                                      int32_t output_zero, int32_t lo, int32_t hi,
                                      bool fixed = false) {
  std::vector<int32_t> out(static_cast<size_t>(w.batch * w.out_h * w.out_w * channels));
  ForEachOutput(w, [&](int64_t index, int64_t n, int64_t oy, int64_t ox) {
    for (int64_t c = 0; c < channels; ++c) {
      int32_t sum = 0, greatest = input_zero;
      int64_t count = 0, seen = 0;
      ForEachTap(w, n, oy, ox, [&](int64_t, int64_t, int64_t y, int64_t x) {
        if (Counted(w, include_pad, y, x)) ++count;
        if (!Inside(w, y, x)) return;
        const int32_t v =
            input[static_cast<size_t>(((n * w.in_h + y) * w.in_w + x) * channels + c)];
        sum += v - input_zero;
        greatest = seen == 0 || v > greatest ? v : greatest;
        ++seen;
      });
      const float m = quant::MeanMultiplier(input_scale, count > 0 ? count : 1, output_scale);
      out[static_cast<size_t>(index * channels + c)] =
          maximum ? greatest
          : fixed ? quant::FixedAverage(sum + input_zero * (count > 0 ? count : 1),
                                        count > 0 ? count : 1)
                  : quant::Requantize(sum, m, output_zero, lo, hi);
    }
  });
  return out;
}

}  // namespace reference
}  // namespace kernels
}  // namespace mace

#endif  // MACE_KERNELS_REFERENCE_H_
