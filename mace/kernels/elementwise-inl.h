// Included inside a tier's namespace by tiers/tier-inl.h.

template <typename T>
struct CodeLimits;
template <>
struct CodeLimits<uint8_t> {
  static constexpr int32_t kMin = 0, kMax = 255;
};
template <>
struct CodeLimits<int8_t> {
  static constexpr int32_t kMin = -128, kMax = 127;
};

// ---- Eltwise --------------------------------------------------------------

struct OpSum {
  MACE_INLINE float Do(float a, float b) { return a + b; }
};
struct OpSub {
  MACE_INLINE float Do(float a, float b) { return a - b; }
};
struct OpProd {
  MACE_INLINE float Do(float a, float b) { return a * b; }
};
struct OpDiv {
  MACE_INLINE float Do(float a, float b) { return a / b; }
};
struct OpMin {
  MACE_INLINE float Do(float a, float b) { return b < a ? b : a; }
};
struct OpMax {
  MACE_INLINE float Do(float a, float b) { return b > a ? b : a; }
};
struct OpSqrDiff {
  MACE_INLINE float Do(float a, float b) {
    const float d = a - b;
    return d * d;
  }
};
struct OpPow {
  MACE_INLINE float Do(float a, float b) { return static_cast<float>(Pow(a, b)); }
};
// The quotient is rounded before it is cut.
struct OpFloorDiv {
  MACE_INLINE float Do(float a, float b) { return Floor(a / b); }
};

template <typename Op>
static void EltwiseLoopF32(const EltwiseArgs& args, const float* a, int64_t stride_a,
                           const float* b, int64_t stride_b, float* y, int64_t n) {
  const float lo = args.lo, hi = args.hi;
  if (stride_a == 1 && stride_b == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = AtMost(AtLeast(Op::Do(a[i], b[i]), lo), hi);
  } else if (stride_a == 1) {
    const float v = b[0];
    for (int64_t i = 0; i < n; ++i) y[i] = AtMost(AtLeast(Op::Do(a[i], v), lo), hi);
  } else if (stride_b == 1) {
    const float v = a[0];
    for (int64_t i = 0; i < n; ++i) y[i] = AtMost(AtLeast(Op::Do(v, b[i]), lo), hi);
  } else {
    const float v = AtMost(AtLeast(Op::Do(a[0], b[0]), lo), hi);
    for (int64_t i = 0; i < n; ++i) y[i] = v;
  }
}

static void EltwiseF32(const EltwiseArgs& args, const void* a_in, int64_t sa, const void* b_in,
                       int64_t sb, void* y_out, int64_t n) {
  const float* a = static_cast<const float*>(a_in);
  const float* b = static_cast<const float*>(b_in);
  float* y = static_cast<float*>(y_out);
  switch (args.kind) {
    case EltwiseKind::kSum:
      return EltwiseLoopF32<OpSum>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kSub:
      return EltwiseLoopF32<OpSub>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kProd:
      return EltwiseLoopF32<OpProd>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kDiv:
      return EltwiseLoopF32<OpDiv>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kMin:
      return EltwiseLoopF32<OpMin>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kMax:
      return EltwiseLoopF32<OpMax>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kSqrDiff:
      return EltwiseLoopF32<OpSqrDiff>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kPow:
      return EltwiseLoopF32<OpPow>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kFloorDiv:
      return EltwiseLoopF32<OpFloorDiv>(args, a, sa, b, sb, y, n);
    default:
      return;  // a comparison
  }
}

// Operands of one type, int32 results.
template <typename Op, typename T>
static void LoopI32(const T* a, int64_t stride_a, const T* b, int64_t stride_b, int32_t* y,
                    int64_t n) {
  if (stride_a == 1 && stride_b == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = Op::Do(a[i], b[i]);
  } else if (stride_a == 1) {
    const T v = b[0];
    for (int64_t i = 0; i < n; ++i) y[i] = Op::Do(a[i], v);
  } else {
    const T v = a[0];
    for (int64_t i = 0; i < n; ++i) y[i] = Op::Do(v, b[i * stride_b]);
  }
}

// Every comparison with NaN is false but "not equal".
struct OpEqual {
  template <typename T>
  MACE_INLINE int32_t Do(T a, T b) {
    return a == b;
  }
};
struct OpNotEqual {
  template <typename T>
  MACE_INLINE int32_t Do(T a, T b) {
    return a != b;
  }
};
struct OpLess {
  template <typename T>
  MACE_INLINE int32_t Do(T a, T b) {
    return a < b;
  }
};
struct OpLessOrEqual {
  template <typename T>
  MACE_INLINE int32_t Do(T a, T b) {
    return a <= b;
  }
};

template <typename T>
static void Compare(EltwiseKind kind, const T* a, int64_t sa, const T* b, int64_t sb, int32_t* y,
                    int64_t n) {
  switch (kind) {
    case EltwiseKind::kEqual:
      return LoopI32<OpEqual>(a, sa, b, sb, y, n);
    case EltwiseKind::kNotEqual:
      return LoopI32<OpNotEqual>(a, sa, b, sb, y, n);
    case EltwiseKind::kLess:
      return LoopI32<OpLess>(a, sa, b, sb, y, n);
    case EltwiseKind::kLessOrEqual:
      return LoopI32<OpLessOrEqual>(a, sa, b, sb, y, n);
    case EltwiseKind::kGreater:
      return LoopI32<OpLess>(b, sb, a, sa, y, n);
    case EltwiseKind::kGreaterOrEqual:
      return LoopI32<OpLessOrEqual>(b, sb, a, sa, y, n);
    default:
      return;  // arithmetic
  }
}

static void CompareF32(const EltwiseArgs& args, const void* a, int64_t sa, const void* b,
                       int64_t sb, void* y, int64_t n) {
  Compare(args.kind, static_cast<const float*>(a), sa, static_cast<const float*>(b), sb,
          static_cast<int32_t*>(y), n);
}

// int32 arithmetic wraps; a quotient by 0 is 0.
struct OpSumI32 {
  MACE_INLINE int32_t Do(int32_t a, int32_t b) { return a + b; }
};
struct OpSubI32 {
  MACE_INLINE int32_t Do(int32_t a, int32_t b) { return a - b; }
};
struct OpProdI32 {
  MACE_INLINE int32_t Do(int32_t a, int32_t b) { return a * b; }
};
struct OpDivI32 {
  MACE_INLINE int32_t Do(int32_t a, int32_t b) {
    return b == 0 ? 0 : static_cast<int32_t>(static_cast<int64_t>(a) / b);
  }
};
struct OpFloorDivI32 {
  MACE_INLINE int32_t Do(int32_t a, int32_t b) {
    if (b == 0) return 0;
    const int64_t wide = a, q = wide / b;
    return static_cast<int32_t>(wide % b != 0 && (a < 0) != (b < 0) ? q - 1 : q);
  }
};
struct OpMinI32 {
  MACE_INLINE int32_t Do(int32_t a, int32_t b) { return b < a ? b : a; }
};
struct OpMaxI32 {
  MACE_INLINE int32_t Do(int32_t a, int32_t b) { return b > a ? b : a; }
};

struct OpSqrDiffI32 {
  MACE_INLINE int32_t Do(int32_t a, int32_t b) { return (a - b) * (a - b); }
};
// A negative exponent gives the integer part of the quotient, which is 0 but for bases 1 and -1.
struct OpPowI32 {
  MACE_INLINE int32_t Do(int32_t a, int32_t b) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    int32_t power = 1;
    for (int32_t base = a, left = b; left > 0; left >>= 1, base *= base) {
      if ((left & 1) == 1) power *= base;
    }
    return power;
  }
};

static void EltwiseI32(const EltwiseArgs& args, const void* a_in, int64_t sa, const void* b_in,
                       int64_t sb, void* y_out, int64_t n) {
  const int32_t* a = static_cast<const int32_t*>(a_in);
  const int32_t* b = static_cast<const int32_t*>(b_in);
  int32_t* y = static_cast<int32_t*>(y_out);
  switch (args.kind) {
    case EltwiseKind::kSum:
      return LoopI32<OpSumI32>(a, sa, b, sb, y, n);
    case EltwiseKind::kSub:
      return LoopI32<OpSubI32>(a, sa, b, sb, y, n);
    case EltwiseKind::kProd:
      return LoopI32<OpProdI32>(a, sa, b, sb, y, n);
    case EltwiseKind::kDiv:
      return LoopI32<OpDivI32>(a, sa, b, sb, y, n);
    case EltwiseKind::kMin:
      return LoopI32<OpMinI32>(a, sa, b, sb, y, n);
    case EltwiseKind::kMax:
      return LoopI32<OpMaxI32>(a, sa, b, sb, y, n);
    case EltwiseKind::kFloorDiv:
      return LoopI32<OpFloorDivI32>(a, sa, b, sb, y, n);
    case EltwiseKind::kSqrDiff:
      return LoopI32<OpSqrDiffI32>(a, sa, b, sb, y, n);
    case EltwiseKind::kPow:
      return LoopI32<OpPowI32>(a, sa, b, sb, y, n);
    default:
      return Compare(args.kind, a, sa, b, sb, y, n);
  }
}

// Section 4 of mace/quant/README.md.
template <EltwiseKind kKind>
MACE_INLINE float EltwiseReal(const EltwiseArgs& args, int32_t a, int32_t b) {
  const float fa = static_cast<float>(a - args.zero_a);
  const float fb = static_cast<float>(b - args.zero_b);
  if (kKind == EltwiseKind::kProd) return (fa * fb) * args.k;
  const float va = fa * args.k_a;
  const float vb = fb * args.k_b;
  if (kKind == EltwiseKind::kSum) return va + vb;
  if (kKind == EltwiseKind::kSub) return va - vb;
  if (kKind == EltwiseKind::kMin) return vb < va ? vb : va;
  return vb > va ? vb : va;
}

template <EltwiseKind kKind, typename T>
static void EltwiseLoopCodes(const EltwiseArgs& by_reference, const T* a, int64_t stride_a,
                             const T* b, int64_t stride_b, T* y, int64_t n) {
  const EltwiseArgs args = by_reference;
  if (stride_a == 1 && stride_b == 1) {
    for (int64_t i = 0; i < n; ++i) {
      y[i] = static_cast<T>(ClampCode(
          RoundClamped(EltwiseReal<kKind>(args, a[i], b[i])) + args.zero_y, args.q_lo, args.q_hi));
    }
  } else if (stride_a == 1) {
    const int32_t v = b[0];
    for (int64_t i = 0; i < n; ++i) {
      y[i] = static_cast<T>(ClampCode(RoundClamped(EltwiseReal<kKind>(args, a[i], v)) + args.zero_y,
                                      args.q_lo, args.q_hi));
    }
  } else {
    const int32_t v = a[0];
    for (int64_t i = 0; i < n; ++i) {
      y[i] = static_cast<T>(
          ClampCode(RoundClamped(EltwiseReal<kKind>(args, v, b[i * stride_b])) + args.zero_y,
                    args.q_lo, args.q_hi));
    }
  }
}

// Section 12 of mace/quant/README.md.
template <typename T>
static void EltwiseFixedCodes(const EltwiseArgs& by_reference, const T* a, int64_t stride_a,
                              const T* b, int64_t stride_b, T* y, int64_t n) {
  const EltwiseArgs args = by_reference;
  const int32_t lo = args.q_lo - args.zero_y, hi = args.q_hi - args.zero_y;
  const int32_t sign = args.kind == EltwiseKind::kSub ? -1 : 1;
  for (int64_t i = 0; i < n; ++i) {
    const int32_t va = a[i * stride_a] - args.zero_a, vb = b[i * stride_b] - args.zero_b;
    int32_t v = va * vb;
    if (args.kind != EltwiseKind::kProd) {
      const int32_t unit = 1 << quant::kFixedSumShift;
      v = FixedProduct(va * unit, args.fixed_a.mantissa, args.fixed_a.exponent) +
          sign * FixedProduct(vb * unit, args.fixed_b.mantissa, args.fixed_b.exponent);
    }
    v = FixedProduct(v, args.fixed_y.mantissa, args.fixed_y.exponent);
    y[i] = static_cast<T>(ClampCode(v, lo, hi) + args.zero_y);
  }
}

template <typename T>
static void EltwiseCodes(const EltwiseArgs& args, const void* a_in, int64_t sa, const void* b_in,
                         int64_t sb, void* y_out, int64_t n) {
  const T* a = static_cast<const T*>(a_in);
  const T* b = static_cast<const T*>(b_in);
  T* y = static_cast<T*>(y_out);
  if (args.fixed) return EltwiseFixedCodes<T>(args, a, sa, b, sb, y, n);
  switch (args.kind) {
    case EltwiseKind::kSum:
      return EltwiseLoopCodes<EltwiseKind::kSum, T>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kSub:
      return EltwiseLoopCodes<EltwiseKind::kSub, T>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kProd:
      return EltwiseLoopCodes<EltwiseKind::kProd, T>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kMin:
      return EltwiseLoopCodes<EltwiseKind::kMin, T>(args, a, sa, b, sb, y, n);
    case EltwiseKind::kMax:
      return EltwiseLoopCodes<EltwiseKind::kMax, T>(args, a, sa, b, sb, y, n);
    default:
      return;  // no quantized kernel: rejected when the model is loaded
  }
}

// ---- Activation -----------------------------------------------------------

static void ActivationF32(const ActivationArgs& args, const float* x, float* y, int64_t n) {
  const float hi = args.max_limit, lo = args.min_limit, k = args.coefficient;
  const float alpha = args.alpha, beta = args.beta;
  switch (args.kind) {
    case ActivationKind::kRelu:
      for (int64_t i = 0; i < n; ++i) y[i] = AtLeast(x[i], 0.0f);
      return;
    case ActivationKind::kRelux:
      for (int64_t i = 0; i < n; ++i) y[i] = AtMost(AtLeast(x[i], 0.0f), hi);
      return;
    case ActivationKind::kPrelu:
      if (args.slope_count == 1) {
        const float s = args.slope[0];
        for (int64_t i = 0; i < n; ++i) y[i] = x[i] < 0.0f ? x[i] * s : x[i];
      } else {
        const int64_t channels = args.slope_count;
        for (int64_t row = 0; row < n; row += channels) {
          for (int64_t c = 0; c < channels; ++c) {
            const float v = x[row + c];
            y[row + c] = v < 0.0f ? v * args.slope[c] : v;
          }
        }
      }
      return;
    case ActivationKind::kTanh:
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Tanh(x[i]));
      return;
    case ActivationKind::kSigmoid:
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Sigmoid(x[i]));
      return;
    case ActivationKind::kLeakyRelu:
      for (int64_t i = 0; i < n; ++i) y[i] = x[i] < 0.0f ? x[i] * k : x[i];
      return;
    case ActivationKind::kElu:
      for (int64_t i = 0; i < n; ++i) {
        const double v = x[i];
        const float below =
            static_cast<float>(static_cast<double>(k) * ExpMinusOne(v > 0.0 ? 0.0 : v));
        y[i] = x[i] < 0.0f ? below : x[i];
      }
      return;
    case ActivationKind::kHardSigmoid:
      for (int64_t i = 0; i < n; ++i) y[i] = AtMost(AtLeast(alpha * x[i] + beta, 0.0f), 1.0f);
      return;
    case ActivationKind::kHardSwish:
      for (int64_t i = 0; i < n; ++i)
        y[i] = x[i] * AtMost(AtLeast(alpha * x[i] + beta, 0.0f), 1.0f);
      return;
    case ActivationKind::kClip:
      for (int64_t i = 0; i < n; ++i) y[i] = AtMost(AtLeast(x[i], lo), hi);
      return;
    case ActivationKind::kExp:
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Exp(x[i]));
      return;
    case ActivationKind::kSqrt:
      for (int64_t i = 0; i < n; ++i) y[i] = __builtin_sqrtf(x[i]);
      return;
    case ActivationKind::kRsqrt:
      for (int64_t i = 0; i < n; ++i)
        y[i] = static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(x[i])));
      return;
    case ActivationKind::kAbs:
      for (int64_t i = 0; i < n; ++i) y[i] = __builtin_fabsf(x[i]);
      return;
    case ActivationKind::kNeg:
      for (int64_t i = 0; i < n; ++i) y[i] = -x[i];
      return;
    case ActivationKind::kLog:
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Log(x[i]));
      return;
    case ActivationKind::kReciprocal:
      for (int64_t i = 0; i < n; ++i) y[i] = 1.0f / x[i];
      return;
    case ActivationKind::kSquare:
      for (int64_t i = 0; i < n; ++i) y[i] = x[i] * x[i];
      return;
    case ActivationKind::kFloor:
      for (int64_t i = 0; i < n; ++i) y[i] = Floor(x[i]);
      return;
    case ActivationKind::kCeil:
      for (int64_t i = 0; i < n; ++i) y[i] = Ceil(x[i]);
      return;
    case ActivationKind::kRound:
      for (int64_t i = 0; i < n; ++i) y[i] = RoundToEven(x[i]);
      return;
    case ActivationKind::kSign:
      for (int64_t i = 0; i < n; ++i) y[i] = x[i] > 0.0f ? 1.0f : x[i] < 0.0f ? -1.0f : x[i];
      return;
    case ActivationKind::kErf:
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Erf(x[i]));
      return;
    case ActivationKind::kGelu:
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Gelu(x[i]));
      return;
    case ActivationKind::kGeluTanh:
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(GeluTanh(x[i]));
      return;
    case ActivationKind::kSilu:
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Silu(x[i]));
      return;
    case ActivationKind::kSoftplus:
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Softplus(x[i]));
      return;
    case ActivationKind::kMish:
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Mish(x[i]));
      return;
  }
}

static void BatchNormF32(const float* x, const float* scale, const float* offset, int64_t channels,
                         float lo, float hi, float* y, int64_t n) {
  for (int64_t row = 0; row < n; row += channels) {
    for (int64_t c = 0; c < channels; ++c) {
      y[row + c] = AtMost(AtLeast(x[row + c] * scale[c] + offset[c], lo), hi);
    }
  }
}

static void LrnF32(const LrnArgs& args, const float* x, float* y, int64_t row_begin,
                   int64_t row_end) {
  const int64_t channels = args.channels;
  for (int64_t row = row_begin; row < row_end; ++row) {
    const float* in = x + row * channels;
    float* out = y + row * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t first = c > args.before ? c - args.before : 0;
      const int64_t last = c + args.after < channels ? c + args.after : channels - 1;
      float sum = 0.0f;
      for (int64_t j = first; j <= last; ++j) sum = Fma(in[j], in[j], sum);
      const float base = args.bias + args.alpha * sum;
      out[c] = static_cast<float>(static_cast<double>(in[c]) *
                                  Pow(base, -static_cast<double>(args.beta)));
    }
  }
}

// ---- Softmax --------------------------------------------------------------

static void SoftmaxF32(const float* x, float* y, int64_t depth, bool log, int64_t row_begin,
                       int64_t row_end) {
  for (int64_t row = row_begin; row < row_end; ++row) {
    const float* in = x + row * depth;
    float* out = y + row * depth;
    float greatest = in[0];
    for (int64_t i = 1; i < depth; ++i) greatest = in[i] > greatest ? in[i] : greatest;
    for (int64_t i = 0; i < depth; ++i) out[i] = static_cast<float>(Exp(in[i] - greatest));
    float sum = 0.0f;
    for (int64_t i = 0; i < depth; ++i) sum += out[i];
    if (log) {
      const float offset = static_cast<float>(Log(sum));
      for (int64_t i = 0; i < depth; ++i) out[i] = (in[i] - greatest) - offset;
    } else {
      for (int64_t i = 0; i < depth; ++i) out[i] = out[i] / sum;
    }
  }
}

// Section 8 of mace/quant/README.md.
template <typename T>
static void SoftmaxCodes(const void* x, void* y, const int32_t* table, int64_t depth,
                         int32_t output_zero, int64_t row_begin, int64_t row_end) {
  for (int64_t row = row_begin; row < row_end; ++row) {
    const T* in = static_cast<const T*>(x) + row * depth;
    T* out = static_cast<T*>(y) + row * depth;
    int32_t greatest = in[0];
    for (int64_t i = 1; i < depth; ++i) greatest = in[i] > greatest ? in[i] : greatest;
    int64_t sum = 0;
    for (int64_t i = 0; i < depth; ++i) sum += table[greatest - in[i]];
    // The code of each table entry that occurs; few distinct values, so divide once per distance
    // seen.
    int16_t code[256];
    for (int i = 0; i < 256; ++i) code[i] = -1;
    for (int64_t i = 0; i < depth; ++i) {
      const int32_t d = greatest - in[i];
      if (code[d] < 0) {
        const int64_t v = (512 * static_cast<int64_t>(table[d]) + sum) / (2 * sum);
        code[d] = static_cast<int16_t>(v > 255 ? 255 : v);
      }
      out[i] = static_cast<T>(code[d] + output_zero);
    }
  }
}

// ---- Quantization ---------------------------------------------------------

template <typename T>
static void QuantizeCodes(const float* x, float scale, int32_t zero, void* y, int64_t n) {
  T* out = static_cast<T*>(y);
  for (int64_t i = 0; i < n; ++i) {
    float v = x[i] / scale;
    v = v != v ? 0.0f : v;
    v = v < -512.0f ? -512.0f : v;
    v = v > 512.0f ? 512.0f : v;
    out[i] =
        static_cast<T>(ClampCode(RoundClamped(v) + zero, CodeLimits<T>::kMin, CodeLimits<T>::kMax));
  }
}

template <typename T>
static void DequantizeCodes(const void* x, float scale, int32_t zero, float* y, int64_t n) {
  const T* in = static_cast<const T*>(x);
  for (int64_t i = 0; i < n; ++i) y[i] = scale * static_cast<float>(in[i] - zero);
}

template <typename T>
static void RequantizeCodes(const void* x, float multiplier, int32_t zero_x, int32_t zero_y,
                            void* y, int64_t n) {
  const T* in = static_cast<const T*>(x);
  T* out = static_cast<T*>(y);
  for (int64_t i = 0; i < n; ++i) {
    const float v = static_cast<float>(in[i] - zero_x) * multiplier;
    out[i] = static_cast<T>(
        ClampCode(RoundClamped(v) + zero_y, CodeLimits<T>::kMin, CodeLimits<T>::kMax));
  }
}

static void TableLookup(const void* x, const uint8_t* table, uint8_t flip, void* y, int64_t n) {
  const uint8_t* in = static_cast<const uint8_t*>(x);
  uint8_t* out = static_cast<uint8_t*>(y);
  for (int64_t i = 0; i < n; ++i) out[i] = table[in[i] ^ flip];
}

static void ChannelTableLookup(const void* x, const uint8_t* tables, int64_t channels, uint8_t flip,
                               void* y, int64_t n) {
  const uint8_t* in = static_cast<const uint8_t*>(x);
  uint8_t* out = static_cast<uint8_t*>(y);
  for (int64_t row = 0; row < n; row += channels) {
    for (int64_t c = 0; c < channels; ++c) out[row + c] = tables[256 * c + (in[row + c] ^ flip)];
  }
}

// ---- Products of computed codes -------------------------------------------

template <typename T>
static void ProductCodes(const int16_t* a, const int16_t* b, int64_t k, int64_t columns,
                         float multiplier, int32_t zero, int32_t lo, int32_t hi, void* y) {
  T* out = static_cast<T*>(y);
  for (int64_t j = 0; j < columns; ++j, b += k) {
    int32_t sum = 0;
    for (int64_t i = 0; i < k; ++i) sum += static_cast<int32_t>(a[i]) * static_cast<int32_t>(b[i]);
    out[j] = static_cast<T>(
        ClampCode(RoundClamped(static_cast<float>(sum) * multiplier) + zero, lo, hi));
  }
}

// ---- Left operands of integer products ------------------------------------

static void FlipCodes(const uint8_t* x, uint8_t flip, uint8_t* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] ^ flip;
}

template <typename T>
static void CenterCodes(const void* x, int32_t zero, int16_t* y, int64_t n) {
  const T* in = static_cast<const T*>(x);
  const int16_t z = static_cast<int16_t>(zero);
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<int16_t>(in[i] - z);
}

template <typename T>
static void RowSums(const void* a, int64_t k, int64_t lda, int64_t rows, int32_t* sums) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = static_cast<const T*>(a) + r * lda;
    int32_t sum = 0;
    for (int64_t i = 0; i < k; ++i) sum += row[i];
    sums[r] = sum;
  }
}

// ---- Statistics -----------------------------------------------------------

static void Extremes(const float* x, int64_t n, FloatExtremes* result) {
  constexpr float kMax = 3.402823466e+38f;
  constexpr int kLanes = 64;
  float min[kLanes], max[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    min[i] = kMax;
    max[i] = -kMax;
  }
  int64_t odd = 0;  // NaN and infinities, told apart only when there are any
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    int32_t odd_here = 0;
    for (int j = 0; j < kLanes; ++j) {
      const float v = x[i + j];
      const bool finite = __builtin_fabsf(v) <= kMax;
      min[j] = finite && v < min[j] ? v : min[j];
      max[j] = finite && v > max[j] ? v : max[j];
      odd_here += !finite;
    }
    odd += odd_here;
  }
  for (; i < n; ++i) {
    const float v = x[i];
    const bool finite = __builtin_fabsf(v) <= kMax;
    min[0] = finite && v < min[0] ? v : min[0];
    max[0] = finite && v > max[0] ? v : max[0];
    odd += !finite;
  }
  for (int j = 1; j < kLanes; ++j) {
    min[0] = min[j] < min[0] ? min[j] : min[0];
    max[0] = max[j] > max[0] ? max[j] : max[0];
  }
  // -0 and +0 compare equal, so which one is kept would depend on the order: always +0.
  result->min = min[0] + 0.0f;
  result->max = max[0] + 0.0f;
  result->nan_count = 0;
  if (odd > 0) {
    for (int64_t j = 0; j < n; ++j) result->nan_count += x[j] != x[j];
  }
  result->inf_count = odd - result->nan_count;
}

static void Buckets(const float* x, int64_t n, uint16_t* buckets) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, x + i, sizeof bits);
    bits = bits == 0x80000000u ? 0 : bits;
    buckets[i] = static_cast<uint16_t>(bits >> 19);
  }
}

template <int kLanes>
MACE_INLINE void ChannelBlock(const float* x, int64_t rows, int64_t stride, float* least,
                              float* greatest, double* sums) {
  constexpr float kMax = 3.402823466e+38f;
  float min[kLanes], max[kLanes];
  double sum[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    min[i] = least[i];
    max[i] = greatest[i];
    sum[i] = 0.0;
  }
  for (int64_t r = 0; r < rows; ++r, x += stride) {
    for (int i = 0; i < kLanes; ++i) {
      const float v = x[i];
      const bool finite = __builtin_fabsf(v) <= kMax;
      min[i] = finite && v < min[i] ? v : min[i];
      max[i] = finite && v > max[i] ? v : max[i];
      sum[i] += static_cast<double>(finite ? v : 0.0f);
    }
  }
  for (int i = 0; i < kLanes; ++i) {
    least[i] = min[i];
    greatest[i] = max[i];
    sums[i] = sum[i];
  }
}

static void Channels(const float* x, int64_t rows, int64_t stride, int64_t channels, float* least,
                     float* greatest, double* sums) {
  int64_t c = 0;
  for (; c + 32 <= channels; c += 32) {
    ChannelBlock<32>(x + c, rows, stride, least + c, greatest + c, sums + c);
  }
  for (; c + 16 <= channels; c += 16) {
    ChannelBlock<16>(x + c, rows, stride, least + c, greatest + c, sums + c);
  }
  for (; c < channels; ++c) {
    ChannelBlock<1>(x + c, rows, stride, least + c, greatest + c, sums + c);
  }
}
