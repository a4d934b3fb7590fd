// Matrix product kernels in plain C++, for processors without any of the extensions; also what the
// others are tested by.
#include "mace/kernels/gemm/micro_kernels.h"

namespace mace {
namespace kernels {
namespace {

#if defined(__aarch64__)
#define MACE_TIER_HAS_FMA 1
#endif
#include "mace/kernels/math.h"

constexpr int kRows = 4, kColumns = 16;

template <int kTileRows>
void TileF32(const GemmArgs& args) {
  float acc[kTileRows][kColumns] = {};
  const float* a = static_cast<const float*>(args.a);
  const float* b = static_cast<const float*>(args.b);
  for (int64_t k = 0; k < args.k_groups; ++k, b += kColumns) {
    for (int r = 0; r < kTileRows; ++r) {
      const float x = a[r * args.lda + k];
      for (int j = 0; j < kColumns; ++j) acc[r][j] = Fma(x, b[j], acc[r][j]);
    }
  }
  const float* bias = static_cast<const float*>(args.bias);
  for (int r = 0; r < kTileRows; ++r) {
    float* c = static_cast<float*>(args.c) + r * args.ldc;
    for (int j = 0; j < args.cols; ++j)
      c[j] = AtMost(AtLeast(acc[r][j] + bias[j], args.lo), args.hi);
  }
}

template <int kTileRows>
void TileS16(const GemmArgs& args) {
  int32_t acc[kTileRows][kColumns] = {};
  const int16_t* a = static_cast<const int16_t*>(args.a);
  const int16_t* b = static_cast<const int16_t*>(args.b);
  for (int64_t k = 0; k < args.k_groups; ++k, b += kColumns) {
    for (int r = 0; r < kTileRows; ++r) {
      const int32_t x = a[r * args.lda + k];
      for (int j = 0; j < kColumns; ++j) acc[r][j] += x * b[j];
    }
  }
  const int32_t* bias = static_cast<const int32_t*>(args.bias);
  for (int r = 0; r < kTileRows; ++r) {
    uint8_t* c = static_cast<uint8_t*>(args.c) + r * args.ldc;
    if (args.mantissa != nullptr) {
      for (int j = 0; j < args.cols; ++j) {
        const int32_t sum = acc[r][j] + bias[j];
        const int32_t v = args.once ? FixedProductOnce(sum, args.mantissa[j], args.exponent[j])
                                    : FixedProduct(sum, args.mantissa[j], args.exponent[j]);
        c[j] = static_cast<uint8_t>(ClampCode(v, args.q_lo - args.zero, args.q_hi - args.zero) +
                                    args.zero);
      }
      continue;
    }
    for (int j = 0; j < args.cols; ++j) {
      const int32_t v =
          RoundClamped(static_cast<float>(acc[r][j] + bias[j]) * args.scale[j]) + args.zero;
      c[j] = static_cast<uint8_t>(ClampCode(v, args.q_lo, args.q_hi));
    }
  }
}

}  // namespace

void gemm_f32_4x16__scalar(const GemmArgs& args) {
  static_assert(kRows == 4, "one case a tile height");
  switch (args.rows) {
    case 1:
      return TileF32<1>(args);
    case 2:
      return TileF32<2>(args);
    case 3:
      return TileF32<3>(args);
    default:
      return TileF32<4>(args);
  }
}

void gemm_s16_4x16__scalar(const GemmArgs& args) {
  switch (args.rows) {
    case 1:
      return TileS16<1>(args);
    case 2:
      return TileS16<2>(args);
    case 3:
      return TileS16<3>(args);
    default:
      return TileS16<4>(args);
  }
}

}  // namespace kernels
}  // namespace mace
