// Included inside a tier's namespace by tiers/tier-inl.h.

// Sums to codes. Works on local arrays: codes are bytes, which a compiler must take for anything,
// also for the arguments.
template <typename T, int kLanes>
MACE_INLINE void StoreCodes(const int32_t* acc, const float* scale, int64_t scale_step,
                            int32_t zero, int32_t lo, int32_t hi, T* out) {
  T codes[kLanes];
  if (scale_step == 0) {
    const float s = scale[0];
    for (int i = 0; i < kLanes; ++i) {
      codes[i] =
          static_cast<T>(ClampCode(RoundClamped(static_cast<float>(acc[i]) * s) + zero, lo, hi));
    }
  } else {
    for (int i = 0; i < kLanes; ++i) {
      codes[i] = static_cast<T>(
          ClampCode(RoundClamped(static_cast<float>(acc[i]) * scale[i]) + zero, lo, hi));
    }
  }
  __builtin_memcpy(out, codes, sizeof codes);
}

template <typename T, int kLanes>
MACE_INLINE void StoreFixedCodes(const int32_t* acc, const int32_t* mantissa,
                                 const int32_t* exponent, int32_t zero, int32_t lo, int32_t hi,
                                 T* out) {
  T codes[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    const int32_t v = FixedProduct(acc[i], mantissa[i], exponent[i]);
    codes[i] = static_cast<T>(ClampCode(v, lo - zero, hi - zero) + zero);
  }
  __builtin_memcpy(out, codes, sizeof codes);
}

// Averages of `count` codes that keep their zero point, halves away from zero, from the sums of
// their differences from it.
template <typename T, int kLanes>
MACE_INLINE void StoreAverages(const int32_t* sums, int32_t zero, int64_t count, T* out) {
  for (int i = 0; i < kLanes; ++i) {
    const int64_t sum = sums[i] + zero * count, half = sum > 0 ? count / 2 : -(count / 2);
    out[i] = static_cast<T>((sum + half) / count);
  }
}

// ---- Depthwise convolution ------------------------------------------------

// Where the cells of the window of output column ox are; `padding` for those outside.
static void GatherTaps(const Window& w, int64_t channels, size_t cell, const void* input,
                       const void* padding, int64_t n, int64_t oy, int64_t ox, const void** taps) {
  const char* image =
      static_cast<const char*>(input) + static_cast<size_t>(n * w.in_h * w.in_w * channels) * cell;
  for (int64_t ky = 0; ky < w.kernel_h; ++ky) {
    const int64_t y = oy * w.stride_h - w.pad_top + ky * w.dilation_h;
    for (int64_t kx = 0; kx < w.kernel_w; ++kx) {
      const int64_t x = ox * w.stride_w - w.pad_left + kx * w.dilation_w;
      const bool inside = y >= 0 && y < w.in_h && x >= 0 && x < w.in_w;
      *taps++ = inside ? image + static_cast<size_t>((y * w.in_w + x) * channels) * cell : padding;
    }
  }
}

// The taps of column ox from those of the column before, which is cheaper where neither touches the
// sides.
MACE_INLINE void NextTaps(const Window& w, int64_t channels, size_t cell, const void* input,
                          const void* padding, int64_t row, int64_t ox, const void** taps) {
  const int64_t x = ox * w.stride_w - w.pad_left;
  if (ox == 0 || x - w.stride_w < 0 || x + (w.kernel_w - 1) * w.dilation_w >= w.in_w) {
    GatherTaps(w, channels, cell, input, padding, row / w.out_h, row % w.out_h, ox, taps);
    return;
  }
  const size_t step = static_cast<size_t>(w.stride_w * channels) * cell;
  const int64_t count = w.kernel_h * w.kernel_w;
  for (int64_t t = 0; t < count; ++t) {
    taps[t] = taps[t] == padding ? padding : static_cast<const char*>(taps[t]) + step;
  }
}

template <int kLanes>
MACE_INLINE void DepthwiseChunkF32(const DepthwiseArgs& args, const void* const* taps,
                                   int64_t tap_count, int64_t c, float* out) {
  const float* weights = static_cast<const float*>(args.weights) + c;
  const float* bias = static_cast<const float*>(args.bias) + c;
  float acc[kLanes];
  for (int i = 0; i < kLanes; ++i) acc[i] = 0.0f;
  for (int64_t t = 0; t < tap_count; ++t) {
    const float* x = static_cast<const float*>(taps[t]) + c;
    const float* w = weights + t * args.channels;
    for (int i = 0; i < kLanes; ++i) acc[i] = Fma(x[i], w[i], acc[i]);
  }
  for (int i = 0; i < kLanes; ++i) out[c + i] = AtMost(AtLeast(acc[i] + bias[i], args.lo), args.hi);
}

static void DepthwiseF32(const DepthwiseArgs& args, int64_t row_begin, int64_t row_end,
                         const void** taps) {
  const Window& w = args.window;
  const int64_t channels = args.channels, multiplier = args.multiplier;
  const int64_t tap_count = w.kernel_h * w.kernel_w;
  const int64_t out_channels = channels * multiplier;
  for (int64_t row = row_begin; row < row_end; ++row) {
    float* out = static_cast<float*>(args.output) + row * w.out_w * out_channels;
    for (int64_t ox = 0; ox < w.out_w; ++ox, out += out_channels) {
      NextTaps(w, channels, sizeof(float), args.input, args.padding, row, ox, taps);
      if (multiplier == 1) {
        int64_t c = 0;
        for (; c + 64 <= channels; c += 64) DepthwiseChunkF32<64>(args, taps, tap_count, c, out);
        for (; c + 32 <= channels; c += 32) DepthwiseChunkF32<32>(args, taps, tap_count, c, out);
        for (; c + 16 <= channels; c += 16) DepthwiseChunkF32<16>(args, taps, tap_count, c, out);
        for (; c < channels; ++c) DepthwiseChunkF32<1>(args, taps, tap_count, c, out);
        continue;
      }
      const float* weights = static_cast<const float*>(args.weights);
      const float* bias = static_cast<const float*>(args.bias);
      for (int64_t o = 0; o < out_channels; ++o) {
        float acc = 0.0f;
        for (int64_t t = 0; t < tap_count; ++t) {
          acc = Fma(static_cast<const float*>(taps[t])[o / multiplier],
                    weights[t * out_channels + o], acc);
        }
        out[o] = AtMost(AtLeast(acc + bias[o], args.lo), args.hi);
      }
    }
  }
}

// Sixteen channels as vectors of the compiler's: their width is the same on every tier.
typedef int16_t Shorts __attribute__((vector_size(32)));
typedef int32_t Ints __attribute__((vector_size(64)));
template <typename T>
struct CodeVector;
template <>
struct CodeVector<uint8_t> {
  typedef uint8_t Type __attribute__((vector_size(16)));
};
template <>
struct CodeVector<int8_t> {
  typedef int8_t Type __attribute__((vector_size(16)));
};

template <typename T, int kVectors>
MACE_INLINE void DepthwiseChunkCodes(const DepthwiseArgs& args, const void* const* taps,
                                     int64_t tap_count, int64_t c, T* out) {
  const int16_t* weights = static_cast<const int16_t*>(args.weights) + c;
  const int32_t* bias = static_cast<const int32_t*>(args.bias) + c;
  const int16_t zero = static_cast<int16_t>(args.input_zero);
  Ints acc[kVectors];
  __builtin_memcpy(acc, bias, sizeof acc);
  for (int64_t t = 0; t < tap_count; ++t) {
    const T* x = static_cast<const T*>(taps[t]) + c;
    const int16_t* w = weights + t * args.channels;
    for (int v = 0; v < kVectors; ++v) {
      typename CodeVector<T>::Type codes;
      Shorts factors;
      __builtin_memcpy(&codes, x + 16 * v, sizeof codes);
      __builtin_memcpy(&factors, w + 16 * v, sizeof factors);
      const Shorts centered = __builtin_convertvector(codes, Shorts) - zero;
      acc[v] += __builtin_convertvector(centered, Ints) * __builtin_convertvector(factors, Ints);
    }
  }
  int32_t sums[16 * kVectors];
  __builtin_memcpy(sums, acc, sizeof sums);
  if (args.mantissa != nullptr) {
    StoreFixedCodes<T, 16 * kVectors>(sums, args.mantissa + c, args.exponent + c, args.output_zero,
                                      args.q_lo, args.q_hi, out + c);
    return;
  }
  StoreCodes<T, 16 * kVectors>(sums, args.scale + c, 1, args.output_zero, args.q_lo, args.q_hi,
                               out + c);
}

template <typename T>
MACE_INLINE void DepthwiseOneCode(const DepthwiseArgs& args, const void* const* taps,
                                  int64_t tap_count, int64_t o, T* out) {
  const int16_t* weights = static_cast<const int16_t*>(args.weights);
  const int64_t out_channels = args.channels * args.multiplier, c = o / args.multiplier;
  int32_t acc = static_cast<const int32_t*>(args.bias)[o];
  for (int64_t t = 0; t < tap_count; ++t) {
    acc += (static_cast<const T*>(taps[t])[c] - args.input_zero) * weights[t * out_channels + o];
  }
  if (args.mantissa != nullptr) {
    StoreFixedCodes<T, 1>(&acc, args.mantissa + o, args.exponent + o, args.output_zero, args.q_lo,
                          args.q_hi, out + o);
    return;
  }
  const int32_t v = RoundClamped(static_cast<float>(acc) * args.scale[o]) + args.output_zero;
  out[o] = static_cast<T>(ClampCode(v, args.q_lo, args.q_hi));
}

template <typename T>
static void DepthwiseCodes(const DepthwiseArgs& args, int64_t row_begin, int64_t row_end,
                           const void** taps) {
  const Window& w = args.window;
  const int64_t channels = args.channels, multiplier = args.multiplier;
  const int64_t tap_count = w.kernel_h * w.kernel_w;
  const int64_t out_channels = channels * multiplier;
  for (int64_t row = row_begin; row < row_end; ++row) {
    T* out = static_cast<T*>(args.output) + row * w.out_w * out_channels;
    for (int64_t ox = 0; ox < w.out_w; ++ox, out += out_channels) {
      NextTaps(w, channels, sizeof(T), args.input, args.padding, row, ox, taps);
      int64_t o = 0;
      if (multiplier == 1) {
        for (; o + 64 <= channels; o += 64)
          DepthwiseChunkCodes<T, 4>(args, taps, tap_count, o, out);
        for (; o + 32 <= channels; o += 32)
          DepthwiseChunkCodes<T, 2>(args, taps, tap_count, o, out);
        for (; o + 16 <= channels; o += 16)
          DepthwiseChunkCodes<T, 1>(args, taps, tap_count, o, out);
      }
      for (; o < out_channels; ++o) DepthwiseOneCode<T>(args, taps, tap_count, o, out);
    }
  }
}

// ---- Pooling --------------------------------------------------------------

// First and one past the last kernel index whose cell origin + k * dilation lies in [lo, hi).
struct KernelRange {
  int64_t begin, end;
};
MACE_INLINE KernelRange InsideRange(int64_t origin, int64_t dilation, int64_t size, int64_t lo,
                                    int64_t hi) {
  KernelRange range;
  range.begin = origin >= lo ? 0 : (lo - origin + dilation - 1) / dilation;
  range.end = origin >= hi ? 0 : (hi - origin + dilation - 1) / dilation;
  if (range.end > size) range.end = size;
  if (range.begin > range.end) range.begin = range.end;
  return range;
}

// The cells of one window: those inside the image, and how many an average divides by.
struct Cells {
  KernelRange y, x;
  int64_t origin_y, origin_x, count;
};
MACE_INLINE Cells CellsOf(const Window& w, bool include_pad, int64_t oy, int64_t ox) {
  Cells cells;
  cells.origin_y = oy * w.stride_h - w.pad_top;
  cells.origin_x = ox * w.stride_w - w.pad_left;
  cells.y = InsideRange(cells.origin_y, w.dilation_h, w.kernel_h, 0, w.in_h);
  cells.x = InsideRange(cells.origin_x, w.dilation_w, w.kernel_w, 0, w.in_w);
  if (include_pad) {
    const KernelRange y =
        InsideRange(cells.origin_y, w.dilation_h, w.kernel_h, -w.pad_top, w.in_h + w.pad_bottom);
    const KernelRange x =
        InsideRange(cells.origin_x, w.dilation_w, w.kernel_w, -w.pad_left, w.in_w + w.pad_right);
    cells.count = (y.end - y.begin) * (x.end - x.begin);
  } else {
    cells.count = (cells.y.end - cells.y.begin) * (cells.x.end - cells.x.begin);
  }
  return cells;
}

// One chunk of channels of one output cell. Acc is the accumulator's type: T for a maximum, float
// or int32 for a sum.
template <typename T, typename Acc, bool kMaximum, int kLanes>
MACE_INLINE void PoolChunk(const PoolArgs& args, const Cells& cells, const T* image, int64_t c,
                           float multiplier, T* out) {
  const Window& w = args.window;
  Acc acc[kLanes];
  bool first = true;
  for (int i = 0; i < kLanes; ++i) acc[i] = 0;
  const int32_t zero = args.input_zero;
  for (int64_t ky = cells.y.begin; ky < cells.y.end; ++ky) {
    for (int64_t kx = cells.x.begin; kx < cells.x.end; ++kx) {
      const T* x =
          image +
          ((cells.origin_y + ky * w.dilation_h) * w.in_w + cells.origin_x + kx * w.dilation_w) *
              args.channels +
          c;
      if (kMaximum) {
        if (first) {
          for (int i = 0; i < kLanes; ++i) acc[i] = x[i];
          first = false;
        } else {
          for (int i = 0; i < kLanes; ++i) acc[i] = acc[i] < x[i] ? x[i] : acc[i];
        }
      } else if (sizeof(T) == 4) {
        for (int i = 0; i < kLanes; ++i) acc[i] += x[i];
      } else {
        for (int i = 0; i < kLanes; ++i)
          acc[i] += static_cast<Acc>(static_cast<int32_t>(x[i]) - zero);
      }
    }
  }
  if (kMaximum) {
    for (int i = 0; i < kLanes; ++i)
      out[c + i] = static_cast<T>(first ? static_cast<Acc>(zero) : acc[i]);
  } else if (sizeof(T) == 4) {
    const float count = static_cast<float>(cells.count > 0 ? cells.count : 1);
    for (int i = 0; i < kLanes; ++i) out[c + i] = static_cast<T>(acc[i] / count);
  } else {
    int32_t sums[kLanes];
    for (int i = 0; i < kLanes; ++i) sums[i] = static_cast<int32_t>(acc[i]);
    if (args.fixed) {
      StoreAverages<T, kLanes>(sums, zero, cells.count > 0 ? cells.count : 1, out + c);
      return;
    }
    StoreCodes<T, kLanes>(sums, &multiplier, 0, args.output_zero, args.q_min, args.q_max, out + c);
  }
}

template <typename T, typename Acc, bool kMaximum>
static void Pool(const PoolArgs& args, int64_t row_begin, int64_t row_end) {
  const Window& w = args.window;
  for (int64_t row = row_begin; row < row_end; ++row) {
    const T* image =
        static_cast<const T*>(args.input) + (row / w.out_h) * w.in_h * w.in_w * args.channels;
    T* out = static_cast<T*>(args.output) + row * w.out_w * args.channels;
    for (int64_t ox = 0; ox < w.out_w; ++ox, out += args.channels) {
      const Cells cells = CellsOf(w, args.count_include_pad, row % w.out_h, ox);
      float multiplier = 0.0f;
      if (!kMaximum && sizeof(T) == 1) {
        const double m = static_cast<double>(args.input_scale) /
                         (static_cast<double>(cells.count > 0 ? cells.count : 1) *
                          static_cast<double>(args.output_scale));
        multiplier = m > 3.4028234663852886e38 ? 3.402823466e+38f : static_cast<float>(m);
      }
      int64_t c = 0;
      for (; c + 64 <= args.channels; c += 64)
        PoolChunk<T, Acc, kMaximum, 64>(args, cells, image, c, multiplier, out);
      for (; c + 16 <= args.channels; c += 16)
        PoolChunk<T, Acc, kMaximum, 16>(args, cells, image, c, multiplier, out);
      for (; c < args.channels; ++c)
        PoolChunk<T, Acc, kMaximum, 1>(args, cells, image, c, multiplier, out);
    }
  }
}

// ---- Reduce ---------------------------------------------------------------

MACE_INLINE int64_t KeptOffset(const ReduceArgs& args, int64_t o) {
  const int64_t i2 = o % args.kept_size[2], i1 = o / args.kept_size[2] % args.kept_size[1];
  const int64_t i0 = o / args.kept_size[2] / args.kept_size[1];
  return i0 * args.kept_stride[0] + i1 * args.kept_stride[1] + i2 * args.kept_stride[2];
}

template <typename T, typename Acc, ReduceKind kKind, int kLanes>
MACE_INLINE void ReduceChunk(const ReduceArgs& args, const T* x, T* y) {
  constexpr bool kExtreme = kKind == ReduceKind::kMin || kKind == ReduceKind::kMax;
  Acc acc[kLanes];
  for (int i = 0; i < kLanes; ++i)
    acc[i] = kExtreme ? static_cast<Acc>(x[i]) : kKind == ReduceKind::kProd ? Acc(1) : Acc(0);
  for (int64_t r0 = 0; r0 < args.reduced_size[0]; ++r0) {
    for (int64_t r1 = 0; r1 < args.reduced_size[1]; ++r1) {
      const T* in = x + r0 * args.reduced_stride[0] + r1 * args.reduced_stride[1];
      for (int64_t r2 = 0; r2 < args.reduced_size[2]; ++r2, in += args.reduced_stride[2]) {
        for (int i = 0; i < kLanes; ++i) {
          Acc v = static_cast<Acc>(in[i]);
          if constexpr (sizeof(T) == 1 && !kExtreme) v -= args.input_zero;
          if (kKind == ReduceKind::kMin) acc[i] = v < acc[i] ? v : acc[i];
          if (kKind == ReduceKind::kMax) acc[i] = v > acc[i] ? v : acc[i];
          if (kKind == ReduceKind::kProd) acc[i] = acc[i] * v;
          if (kKind == ReduceKind::kSum || kKind == ReduceKind::kMean) acc[i] = acc[i] + v;
        }
      }
    }
  }
  if constexpr (sizeof(T) == 4 && kKind == ReduceKind::kMean) {
    const float count =
        static_cast<float>(args.reduced_size[0] * args.reduced_size[1] * args.reduced_size[2]);
    for (int i = 0; i < kLanes; ++i) y[i] = acc[i] / count;
  } else if constexpr (sizeof(T) == 4 || kExtreme) {
    for (int i = 0; i < kLanes; ++i) y[i] = static_cast<T>(acc[i]);
  } else {
    int32_t sums[kLanes];
    for (int i = 0; i < kLanes; ++i) sums[i] = static_cast<int32_t>(acc[i]);
    if (args.fixed) {
      const int64_t count = args.reduced_size[0] * args.reduced_size[1] * args.reduced_size[2];
      StoreAverages<T, kLanes>(sums, args.input_zero, count, y);
      return;
    }
    StoreCodes<T, kLanes>(sums, &args.multiplier, 0, args.output_zero, args.q_min, args.q_max, y);
  }
}

template <typename T, typename Acc, ReduceKind kKind>
static void ReduceLoop(const ReduceArgs& args, int64_t begin, int64_t end) {
  for (int64_t o = begin; o < end; ++o) {
    const T* x = static_cast<const T*>(args.input) + KeptOffset(args, o);
    T* y = static_cast<T*>(args.output) + o * args.inner;
    int64_t i = 0;
    for (; i + 64 <= args.inner; i += 64) ReduceChunk<T, Acc, kKind, 64>(args, x + i, y + i);
    for (; i + 16 <= args.inner; i += 16) ReduceChunk<T, Acc, kKind, 16>(args, x + i, y + i);
    for (; i < args.inner; ++i) ReduceChunk<T, Acc, kKind, 1>(args, x + i, y + i);
  }
}

template <typename T, typename Acc>
static void Reduce(const ReduceArgs& args, int64_t begin, int64_t end) {
  switch (args.kind) {
    case ReduceKind::kMean:
      return ReduceLoop<T, Acc, ReduceKind::kMean>(args, begin, end);
    case ReduceKind::kMin:
      return ReduceLoop<T, Acc, ReduceKind::kMin>(args, begin, end);
    case ReduceKind::kMax:
      return ReduceLoop<T, Acc, ReduceKind::kMax>(args, begin, end);
    case ReduceKind::kProd:
      return ReduceLoop<T, Acc, ReduceKind::kProd>(args, begin, end);
    case ReduceKind::kSum:
      return ReduceLoop<T, Acc, ReduceKind::kSum>(args, begin, end);
  }
}

// Sums and products wrap around, so they are computed without a sign. There is no mean.
static void ReduceI32(const ReduceArgs& args, int64_t begin, int64_t end) {
  switch (args.kind) {
    case ReduceKind::kMin:
      return ReduceLoop<int32_t, int32_t, ReduceKind::kMin>(args, begin, end);
    case ReduceKind::kMax:
      return ReduceLoop<int32_t, int32_t, ReduceKind::kMax>(args, begin, end);
    case ReduceKind::kProd:
      return ReduceLoop<uint32_t, uint32_t, ReduceKind::kProd>(args, begin, end);
    case ReduceKind::kMean:
    case ReduceKind::kSum:
      return ReduceLoop<uint32_t, uint32_t, ReduceKind::kSum>(args, begin, end);
  }
}
