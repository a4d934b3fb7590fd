// Included inside a tier's namespace by tiers/tier-inl.h.

// Along the columns first, then between the rows; every operation is rounded once.
static void ResizeLinearF32(const ResizeArgs<LinearTap>& args, const void* x, void* y,
                            int64_t row_begin, int64_t row_end) {
  const int64_t channels = args.channels, line = args.in_w * channels;
  for (int64_t row = row_begin; row < row_end; ++row) {
    const LinearTap down = args.rows[row % args.out_h];
    const float* image = static_cast<const float*>(x) + row / args.out_h * args.in_h * line;
    const float* above = image + down.first * line;
    const float* below = image + down.second * line;
    float* out = static_cast<float*>(y) + row * args.out_w * channels;
    for (int64_t ox = 0; ox < args.out_w; ++ox, out += channels) {
      const LinearTap across = args.columns[ox];
      const int64_t left = across.first * channels, right = across.second * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const float a = above[left + c], b = below[left + c];
        const float top = a + (above[right + c] - a) * across.share;
        const float bottom = b + (below[right + c] - b) * across.share;
        out[c] = top + (bottom - top) * down.share;
      }
    }
  }
}

// Section 11 of mace/quant/README.md: the weights of a cell add up to 2^22.
template <typename T>
static void ResizeLinearCodes(const ResizeArgs<LinearTap>& args, const void* x, void* y,
                              int64_t row_begin, int64_t row_end) {
  constexpr int32_t kUnits = 2048;
  const int64_t channels = args.channels, line = args.in_w * channels;
  for (int64_t row = row_begin; row < row_end; ++row) {
    const LinearTap down = args.rows[row % args.out_h];
    const T* image = static_cast<const T*>(x) + row / args.out_h * args.in_h * line;
    const T* above = image + down.first * line;
    const T* below = image + down.second * line;
    T* out = static_cast<T*>(y) + row * args.out_w * channels;
    for (int64_t ox = 0; ox < args.out_w; ++ox, out += channels) {
      const LinearTap across = args.columns[ox];
      const int64_t left = across.first * channels, right = across.second * channels;
      const int32_t u = across.units, v = down.units;
      // A local array in between: codes are bytes, which might be anything, also the input.
      constexpr int64_t kLanes = 16;
      int64_t c = 0;
      for (; c + kLanes <= channels; c += kLanes) {
        T codes[kLanes];
        for (int64_t i = 0; i < kLanes; ++i) {
          const int32_t top = above[left + c + i] * (kUnits - u) + above[right + c + i] * u;
          const int32_t bottom = below[left + c + i] * (kUnits - u) + below[right + c + i] * u;
          codes[i] = static_cast<T>((top * (kUnits - v) + bottom * v + (1 << 21)) >> 22);
        }
        __builtin_memcpy(out + c, codes, sizeof codes);
      }
      for (; c < channels; ++c) {
        const int32_t top = above[left + c] * (kUnits - u) + above[right + c] * u;
        const int32_t bottom = below[left + c] * (kUnits - u) + below[right + c] * u;
        out[c] = static_cast<T>((top * (kUnits - v) + bottom * v + (1 << 21)) >> 22);
      }
    }
  }
}

MACE_INLINE float CubicSum(const CubicTap& tap, float a, float b, float c, float d) {
  return ((a * tap.weight[0] + b * tap.weight[1]) + c * tap.weight[2]) + d * tap.weight[3];
}

static void ResizeCubicF32(const ResizeArgs<CubicTap>& args, const float* x, float* y,
                           int64_t row_begin, int64_t row_end) {
  const int64_t channels = args.channels, line = args.in_w * channels;
  for (int64_t row = row_begin; row < row_end; ++row) {
    const CubicTap down = args.rows[row % args.out_h];
    const float* image = x + row / args.out_h * args.in_h * line;
    float* out = y + row * args.out_w * channels;
    for (int64_t ox = 0; ox < args.out_w; ++ox, out += channels) {
      const CubicTap across = args.columns[ox];
      for (int64_t c = 0; c < channels; ++c) {
        float sums[4];
        for (int i = 0; i < 4; ++i) {
          const float* from = image + down.index[i] * line + c;
          sums[i] =
              CubicSum(across, from[across.index[0] * channels], from[across.index[1] * channels],
                       from[across.index[2] * channels], from[across.index[3] * channels]);
        }
        out[c] = CubicSum(down, sums[0], sums[1], sums[2], sums[3]);
      }
    }
  }
}
