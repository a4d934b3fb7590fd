// The project's own elementary functions: binary64 inside, one rounding to binary32, the same bits
// on every host because each is a fixed sequence of IEEE additions, multiplications and divisions
// (compile with -ffp-contract=off). Included inside a tier's namespace (see tiers/), hence no
// include guard's usual company: only static functions.

#define MACE_INLINE static inline __attribute__((always_inline))

MACE_INLINE int64_t BitsOf(double v) {
  int64_t bits;
  __builtin_memcpy(&bits, &v, sizeof bits);
  return bits;
}
MACE_INLINE double DoubleOf(int64_t bits) {
  double v;
  __builtin_memcpy(&v, &bits, sizeof v);
  return v;
}

// One rounding of a * b + c.
MACE_INLINE float Fma(float a, float b, float c) {
#if defined(MACE_TIER_HAS_FMA)
  return __builtin_fmaf(a, b, c);
#elif defined(__arm__)
  // 32-bit ARM has no guaranteed fused multiply-add; its float results are outside the promise of
  // equal bits.
  return a * b + c;
#else
  // The product is exact in binary64; the sum is rounded to odd there, which makes the second
  // rounding innocent.
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double sum = product + static_cast<double>(c);
  const double back = sum - product;
  const double error = (product - (sum - back)) + (static_cast<double>(c) - back);
  const int64_t bits = BitsOf(sum);
  const int64_t inexact = (error < 0.0) | (error > 0.0);
  const int64_t toward = (error > 0.0) == (sum > 0.0) ? 1 : -1;
  return static_cast<float>(DoubleOf(bits + ((inexact & ~bits & 1) ? toward : 0)));
#endif
}

MACE_INLINE double RoundDouble(double v) { return (v + 6755399441055744.0) - 6755399441055744.0; }

// e^x for any x; relative error about 1e-16.
MACE_INLINE double Exp(double x) {
  double v = x < -745.0 ? -745.0 : x;
  v = v > 710.0 ? 710.0 : v;
  v = v != v ? 0.0 : v;
  const double k = RoundDouble(v * 1.4426950408889634);
  const double r = (v - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  double p = 1.6059043836821613e-10;
  p = p * r + 2.0876756987868100e-09;
  p = p * r + 2.5052108385441720e-08;
  p = p * r + 2.7557319223985893e-07;
  p = p * r + 2.7557319223985888e-06;
  p = p * r + 2.4801587301587302e-05;
  p = p * r + 1.9841269841269841e-04;
  p = p * r + 1.3888888888888889e-03;
  p = p * r + 8.3333333333333332e-03;
  p = p * r + 4.1666666666666664e-02;
  p = p * r + 1.6666666666666666e-01;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  // 2^k in two factors, so that results near both ends of the range are rounded once.
  const int64_t ki = BitsOf(k + 6755399441055744.0) - BitsOf(6755399441055744.0);
  const int64_t k1 = (ki + (ki & 1)) / 2;
  const int64_t k2 = ki - k1;
  const double e = (p * DoubleOf((k1 + 1023) << 52)) * DoubleOf((k2 + 1023) << 52);
  return x != x ? x : e;
}

// Natural logarithm of a finite x > 0 that is a binary32 number or a normal binary64 one.
MACE_INLINE double LogPositive(double x) {
  const int64_t bits = BitsOf(x);
  // Exponent such that the mantissa is in [sqrt(1/2), sqrt(2)).
  const int64_t e = (bits - 0x3fe6a09e667f3bcdLL) >> 52;
  const double m = DoubleOf(bits - e * (int64_t{1} << 52));
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double p = 1.0 / 23.0;
  p = p * z + 1.0 / 21.0;
  p = p * z + 1.0 / 19.0;
  p = p * z + 1.0 / 17.0;
  p = p * z + 1.0 / 15.0;
  p = p * z + 1.0 / 13.0;
  p = p * z + 1.0 / 11.0;
  p = p * z + 1.0 / 9.0;
  p = p * z + 1.0 / 7.0;
  p = p * z + 1.0 / 5.0;
  p = p * z + 1.0 / 3.0;
  const double ed = static_cast<double>(e);
  return ed * 6.93147180369123816490e-01 +
         (2.0 * s + (2.0 * s * z * p + ed * 1.90821492927058770002e-10));
}

MACE_INLINE double Log(double x) {
  const double inf = __builtin_inf();
  const bool regular = x > 0.0 && x < inf;
  const double v = LogPositive(regular ? x : 1.0);
  return regular ? v : x == 0.0 ? -inf : x > 0.0 ? x : __builtin_nan("");
}

MACE_INLINE double Tanh(double x) {
  const double a = x < 0.0 ? -x : x;
  const double t = Exp(-2.0 * a);
  const double large = (1.0 - t) / (1.0 + t);
  const double z = a * a;
  const double small = a * (1.0 + z * (-1.0 / 3.0 + z * (2.0 / 15.0 - z * (17.0 / 315.0))));
  const double v = a < 0.01 ? small : large;
  return x < 0.0 ? -v : v;
}

MACE_INLINE double Sigmoid(double x) { return 1.0 / (1.0 + Exp(-x)); }

// e^x - 1
MACE_INLINE double ExpMinusOne(double x) {
  const double a = x < 0.0 ? -x : x;
  const double small =
      x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x / 720.0)))));
  return a < 0.01 ? small : Exp(x) - 1.0;
}

// x^y for binary32 operands, with the special cases of IEEE 754.
MACE_INLINE double Pow(double x, double y) {
  const double inf = __builtin_inf();
  if (y == 0.0 || x == 1.0) return 1.0;
  if (x != x || y != y) return __builtin_nan("");
  const double a = x < 0.0 ? -x : x;
  // |y| < 2^128; above 2^53 every value is an even integer.
  const double ay = y < 0.0 ? -y : y;
  const bool huge = ay >= 9007199254740992.0;
  const int64_t yi = huge ? 0 : static_cast<int64_t>(y);
  const bool integer = huge || static_cast<double>(yi) == y;
  const bool odd = (yi & 1) != 0;
  const bool negative = x < 0.0 || (x == 0.0 && BitsOf(x) < 0);
  if (x < 0.0 && !integer && a < inf) return __builtin_nan("");
  double v;
  if (a == 0.0) {
    v = y > 0.0 ? 0.0 : inf;
  } else if (a == inf) {
    v = y > 0.0 ? inf : 0.0;
  } else if (ay == inf) {
    v = a == 1.0 ? 1.0 : (a > 1.0) == (y > 0.0) ? inf : 0.0;
  } else {
    v = Exp(y * LogPositive(a));
  }
  return negative && odd && integer ? -v : v;
}

// erfc(x) for x >= 0, relative error below 1e-12: e^(-x^2) times t times a polynomial in
// t = 1 / (1 + x / 2), fitted by Chebyshev interpolation of e^(x^2) erfc(x) / t on x in [0, 20].
MACE_INLINE double ErfcPositive(double x) {
  const double t = 1.0 / (1.0 + 0.5 * x);
  double p = 0.0031683081124513576;
  p = p * t - 0.004687063211190303;
  p = p * t - 0.1162404376491969;
  p = p * t + 0.7446346891657611;
  p = p * t - 2.24354171910814;
  p = p * t + 4.128419408587467;
  p = p * t - 4.992513771559884;
  p = p * t + 4.047899369495789;
  p = p * t - 2.2523829569331117;
  p = p * t + 0.9813964278749563;
  p = p * t - 0.3709204873106556;
  p = p * t + 0.02042169680209983;
  p = p * t - 0.018436379401587415;
  p = p * t + 0.08561705613408223;
  p = p * t + 0.17613260692037108;
  p = p * t + 0.2468440799180775;
  p = p * t + 0.28209437333539544;
  p = p * t + 0.2820947988274107;
  return Exp(-(x * x)) * (t * p);
}

// Near 0 the power series, whose first term left out is below 1e-12 of the first.
MACE_INLINE double Erf(double x) {
  const double a = x < 0.0 ? -x : x;
  const double z = a * a;
  double p = 1.0 / 9360.0;
  p = p * z - 1.0 / 1320.0;
  p = p * z + 1.0 / 216.0;
  p = p * z - 1.0 / 42.0;
  p = p * z + 1.0 / 10.0;
  p = p * z - 1.0 / 3.0;
  p = p * z + 1.0;
  const double small = a * p * 1.1283791670955126;
  const double v = a < 0.25 ? small : 1.0 - ErfcPositive(a);
  return x < 0.0 ? -v : v;
}

// Below -200 every function that ends in a product of x and something that vanishes is -0 in
// binary32; the product of an infinity and 0 would not be a number.
MACE_INLINE double AboveVanishing(double x) { return x < -200.0 ? -200.0 : x; }

// x / 2 (1 + erf(x / sqrt(2))), by erfc where the sum would cancel.
MACE_INLINE double Gelu(double x) {
  const double v = AboveVanishing(x);
  const double a = (v < 0.0 ? -v : v) * 0.7071067811865476;
  const double tail = 0.5 * ErfcPositive(a);
  return v < 0.0 ? v * tail : v * (1.0 - tail);
}

// x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))); 1 + tanh(u) = 2 sigmoid(2 u).
MACE_INLINE double GeluTanh(double x) {
  const double v = AboveVanishing(x);
  return v * Sigmoid(1.5957691216057308 * (v + 0.044715 * (v * v * v)));
}

MACE_INLINE double Silu(double x) {
  const double v = AboveVanishing(x);
  return v * Sigmoid(v);
}

// log(1 + e^x) = max(x, 0) + log(1 + t) with t = e^-|x|, and log(1 + t) = 2 artanh(t / (2 + t)),
// whose argument is at most 1/3.
MACE_INLINE double Softplus(double x) {
  const double t = Exp(x < 0.0 ? x : -x);
  const double s = t / (2.0 + t);
  const double z = s * s;
  double p = 1.0 / 25.0;
  p = p * z + 1.0 / 23.0;
  p = p * z + 1.0 / 21.0;
  p = p * z + 1.0 / 19.0;
  p = p * z + 1.0 / 17.0;
  p = p * z + 1.0 / 15.0;
  p = p * z + 1.0 / 13.0;
  p = p * z + 1.0 / 11.0;
  p = p * z + 1.0 / 9.0;
  p = p * z + 1.0 / 7.0;
  p = p * z + 1.0 / 5.0;
  p = p * z + 1.0 / 3.0;
  p = p * z + 1.0;
  return (x > 0.0 ? x : 0.0) + 2.0 * s * p;
}

// x tanh(log(1 + e^x)); the hyperbolic tangent is a quotient of polynomials in t = e^-|x|.
MACE_INLINE double Mish(double x) {
  const double v = AboveVanishing(x);
  const double t = Exp(v < 0.0 ? v : -v);
  const double below = t * (t + 2.0);
  const double above = 1.0 + 2.0 * t;
  return v < 0.0 ? v * (below / (below + 2.0)) : v * (above / (above + 2.0 * t * t));
}

// Whole numbers. Values of 2^23 and more have no fraction; NaN passes.
MACE_INLINE float Floor(float x) {
  const bool fraction = __builtin_fabsf(x) < 8388608.0f;
  const float t = static_cast<float>(static_cast<int32_t>(fraction ? x : 0.0f));
  return fraction ? (t > x ? t - 1.0f : t) : x;
}
MACE_INLINE float Ceil(float x) { return -Floor(-x); }
// Ties to even.
MACE_INLINE float RoundToEven(float x) {
  const bool fraction = __builtin_fabsf(x) < 8388608.0f;
  return fraction ? static_cast<float>(RoundDouble(x)) : x;
}

// NaN passes through both.
MACE_INLINE float AtLeast(float x, float lo) { return x < lo ? lo : x; }
MACE_INLINE float AtMost(float x, float hi) { return x > hi ? hi : x; }

// rne of a value clamped to +-2^20, see mace/quant/requantize.h.
MACE_INLINE int32_t RoundClamped(float v) {
  v = v < -1048576.0f ? -1048576.0f : v;
  v = v > 1048576.0f ? 1048576.0f : v;
  const float shifted = v + 12582912.0f;
  int32_t bits;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  return bits - 0x4B400000;
}
// Section 12 of mace/quant/README.md: x * mantissa * 2^(exponent - 31).
MACE_INLINE int32_t FixedProduct(int32_t x, int32_t mantissa, int32_t exponent) {
  const int32_t left = exponent > 0 ? exponent : 0, right = left - exponent;
  const int32_t limit = 2147483647 >> left;
  x = x < -limit - 1 ? -limit - 1 : x;
  x = x > limit ? limit : x;
  const int64_t shifted = static_cast<int64_t>(x) * (1 << left);
  const int32_t high = static_cast<int32_t>((shifted * mantissa + 1073741824) >> 31);
  const uint32_t mask = (1u << right) - 1;
  const int32_t rest = static_cast<int32_t>(static_cast<uint32_t>(high) & mask);
  const int32_t half = static_cast<int32_t>(mask >> 1) + (high < 0 ? 1 : 0);
  return (high >> right) + (rest > half ? 1 : 0);
}
// The same with one rounding, half up.
MACE_INLINE int32_t FixedProductOnce(int32_t x, int32_t mantissa, int32_t exponent) {
  const int32_t limit = 2147483647 >> (exponent > 0 ? exponent : 0);
  x = x < -limit - 1 ? -limit - 1 : x;
  x = x > limit ? limit : x;
  const int32_t shift = 31 - exponent;
  const int64_t half = static_cast<int64_t>(1) << (shift - 1);
  return static_cast<int32_t>((static_cast<int64_t>(x) * mantissa + half) >> shift);
}
MACE_INLINE int32_t ClampCode(int32_t v, int32_t lo, int32_t hi) {
  v = v < lo ? lo : v;
  return v > hi ? hi : v;
}
