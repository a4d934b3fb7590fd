#include "mace/kernels/gemm/gemm.h"

#include <cstring>

#include "mace/kernels/gemm/micro_kernels.h"

namespace mace {
namespace kernels {
namespace {

constexpr GemmKernel kKernels[] = {
#define MACE_GEMM(name, tier, operands, rows, columns, k_group) \
  {#name, Tier::tier, Operands::operands, rows, columns, k_group, name},
#include "mace/kernels/gemm/kernels.inc"
#undef MACE_GEMM
};

// Adds without the undefined behaviour of signed overflow: corrections may wrap, their sum does
// not.
int32_t WrapAdd(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
int32_t WrapMul(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}

// Writes the panels: store(cell, row, k) for every cell whose row and k there are; the rest is 0
// already. Row by row, so that the source is read in order.
template <typename T, typename Store>
void ForEachCell(const GemmKernel& kernel, int64_t n, int64_t k, int64_t k_groups, T* to,
                 const Store& store) {
  const int64_t group = kernel.k_group, step = kernel.columns * group;
  for (int64_t row = 0; row < n; ++row) {
    T* cell = to + row / kernel.columns * k_groups * step + row % kernel.columns * group;
    int64_t i = 0;
    for (; i + group <= k; i += group, cell += step) {
      for (int64_t j = 0; j < group; ++j) store(cell + j, row, i + j);
    }
    for (int64_t j = 0; i + j < k; ++j) store(cell + j, row, i + j);
  }
}

}  // namespace

Span<const GemmKernel> GemmKernels() {
  return Span<const GemmKernel>(kKernels, sizeof(kKernels) / sizeof(kKernels[0]));
}

const GemmKernel* SelectGemm(Tier tier, bool integer) {
  // The tiers whose kernels a tier may use, best first.
  Tier order[3];
  int count = 0;
  if (tier == Tier::kAvx512Vnni) order[count++] = Tier::kAvx512Vnni;
  if (tier == Tier::kAvx512Vnni || tier == Tier::kAvx2) order[count++] = Tier::kAvx2;
  if (tier == Tier::kDotprod) order[count++] = Tier::kDotprod;
  if (tier == Tier::kDotprod || tier == Tier::kNeon) order[count++] = Tier::kNeon;
  order[count++] = Tier::kScalar;
  for (int i = 0; i < count; ++i) {
    for (const GemmKernel& kernel : kKernels) {
      if (kernel.tier == order[i] && (kernel.operands != Operands::kF32) == integer) return &kernel;
    }
  }
  return nullptr;
}

void PackedMatrix::SetShape(const GemmKernel& kernel, int64_t n, int64_t k) {
  kernel_ = &kernel;
  n_ = n;
  k_ = k;
  k_groups_ = (k + kernel.k_group - 1) / kernel.k_group;
  panels_ = (n + kernel.columns - 1) / kernel.columns;
  panel_bytes_ =
      static_cast<size_t>(k_groups_) * kernel.columns * kernel.k_group * LeftSize(kernel.operands);
}

size_t PackedMatrix::FloatBytes(const GemmKernel& kernel, int64_t n, int64_t k) {
  const size_t panels = static_cast<size_t>((n + kernel.columns - 1) / kernel.columns);
  return (panels * static_cast<size_t>(k) + 1) * kernel.columns * sizeof(float);
}

void PackedMatrix::PackFloatInto(const GemmKernel& kernel, const float* b, bool transposed,
                                 int64_t n, int64_t k, void* storage) {
  SetShape(kernel, n, k);
  float* to = static_cast<float*>(storage);
  for (int64_t first = 0; first < n; first += kernel.columns) {
    const int64_t width = n - first < kernel.columns ? n - first : kernel.columns;
    for (int64_t i = 0; i < k; ++i, to += kernel.columns) {
      if (transposed) {
        std::memcpy(to, b + i * n + first, static_cast<size_t>(width) * sizeof(float));
      } else {
        for (int64_t j = 0; j < width; ++j) to[j] = b[(first + j) * k + i];
      }
      for (int64_t j = width; j < kernel.columns; ++j) to[j] = 0.0f;
    }
  }
  // The bias: one panel's width of zeros after the panels.
  for (int j = 0; j < kernel.columns; ++j) to[j] = 0.0f;
  b_data_ = storage;
  bias_data_ = nullptr;
}

bool PackedMatrix::PackFloat(const GemmKernel& kernel, const float* b, bool transposed, int64_t n,
                             int64_t k, const float* bias) {
  SetShape(kernel, n, k);
  const size_t width = static_cast<size_t>(panels_) * kernel.columns;
  if (!b_.Allocate(FloatBytes(kernel, n, k)) || !bias_.Allocate(width * sizeof(float)))
    return false;
  PackFloatInto(kernel, b, transposed, n, k, b_.data());
  for (size_t j = 0; j < width; ++j) {
    bias_.as<float>()[j] = bias != nullptr && static_cast<int64_t>(j) < n ? bias[j] : 0.0f;
  }
  bias_data_ = bias_.data();
  return true;
}

bool PackedMatrix::PackCodes(const GemmKernel& kernel, const void* b, int64_t n, int64_t k,
                             const int32_t* bias, const Codes& codes) {
  SetShape(kernel, n, k);
  const size_t width = static_cast<size_t>(panels_) * kernel.columns;
  if (!b_.Allocate(panel_bytes_ * static_cast<size_t>(panels_)) ||
      !bias_.Allocate(width * sizeof(int32_t)) || !scale_.Allocate(width * sizeof(float))) {
    return false;
  }
  once_ = codes.once;
  if (codes.mantissa != nullptr) {
    if (!mantissa_.Allocate(width * sizeof(int32_t)) ||
        !exponent_.Allocate(width * sizeof(int32_t)))
      return false;
    for (size_t j = 0; j < width; ++j) {
      const bool real = static_cast<int64_t>(j) < n;
      mantissa_.as<int32_t>()[j] = real ? codes.mantissa[j] : 0;
      exponent_.as<int32_t>()[j] = real ? codes.exponent[j] : 0;
    }
  }
  b_data_ = b_.data();
  bias_data_ = bias_.data();
  const uint8_t* from = static_cast<const uint8_t*>(b);
  // A code of b as a number, whatever its type.
  const bool b_signed = codes.type == ElementType::kInt8;
  const auto value = [from, k, b_signed](int64_t row, int64_t i) -> int32_t {
    const uint8_t v = from[row * k + i];
    return b_signed ? static_cast<int8_t>(v) : v;
  };
  int32_t* out_bias = bias_.as<int32_t>();
  float* out_scale = scale_.as<float>();
  for (size_t j = 0; j < width; ++j) {
    const bool real = static_cast<int64_t>(j) < n;
    out_bias[j] = real && bias != nullptr ? bias[j] : 0;
    out_scale[j] = real ? codes.scale[j] : 1.0f;
  }
  std::memset(b_.data(), 0, b_.size());
  if (kernel.operands == Operands::kS16) {
    ForEachCell(kernel, n, k, k_groups_, b_.as<int16_t>(),
                [&](int16_t* cell, int64_t row, int64_t i) {
                  *cell = static_cast<int16_t>(value(row, i) - codes.zero_point);
                });
    return true;
  }
  // Dot product kernels: both sides shifted to the signedness they take, then
  //   sum (x - zx)(w - zw) = sum x w - zx sum w - zw sum x + k zx zw
  const int32_t b_shift = b_signed ? 0 : 128;
  b_zero_ = codes.zero_point - b_shift;
  const bool left_signed = codes.left_type == ElementType::kInt8;
  const bool want_signed = kernel.operands == Operands::kS8S8;
  const int32_t left_zero = codes.left_zero + (left_signed == want_signed ? 0
                                               : left_signed              ? 128
                                                                          : -128);
  needs_row_sums_ = b_zero_ != 0;
  ForEachCell(kernel, n, k, k_groups_, b_.as<int8_t>(), [&](int8_t* cell, int64_t row, int64_t i) {
    *cell = static_cast<int8_t>(value(row, i) - b_shift);
  });
  for (int64_t row = 0; row < n; ++row) {
    int32_t sum = 0;
    for (int64_t i = 0; i < k; ++i) sum = WrapAdd(sum, value(row, i) - b_shift);
    int32_t correction = WrapMul(WrapMul(static_cast<int32_t>(k), left_zero), b_zero_);
    correction = WrapAdd(correction, WrapMul(-left_zero, sum));
    out_bias[row] = WrapAdd(out_bias[row], correction);
  }
  return true;
}

void PackedMatrix::SetPanel(int64_t panel, GemmArgs* args) const {
  const int64_t first = panel * kernel_->columns;
  args->k_groups = k_groups_;
  args->cols = static_cast<int>(n_ - first < kernel_->columns ? n_ - first : kernel_->columns);
  args->b = static_cast<const char*>(b_data_) + static_cast<size_t>(panel) * panel_bytes_;
  if (bias_data_ != nullptr) {
    args->bias = static_cast<const int32_t*>(bias_data_) + first;
  } else {
    args->bias = static_cast<const char*>(b_data_) + static_cast<size_t>(panels_) * panel_bytes_;
  }
  args->scale = scale_.as<float>() == nullptr ? nullptr : scale_.as<float>() + first;
  const bool fixed = mantissa_.as<int32_t>() != nullptr;
  args->mantissa = fixed ? mantissa_.as<int32_t>() + first : nullptr;
  args->exponent = fixed ? exponent_.as<int32_t>() + first : nullptr;
  args->once = once_;
  args->b_zero = b_zero_;
}

}  // namespace kernels
}  // namespace mace
