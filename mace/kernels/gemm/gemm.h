// Matrix products: packed right operands, micro-kernels of kernels.inc, and their choice.
//
// A micro-kernel computes a tile of up to `rows` x `columns` outputs from `rows` rows of the left
// operand and one packed panel of the right one, then adds the bias, applies the activation or
// requantizes, and stores the first `cols` columns. Every output is one chain over ascending k.
#ifndef MACE_KERNELS_GEMM_GEMM_H_
#define MACE_KERNELS_GEMM_GEMM_H_

#include <cstddef>
#include <cstdint>

#include "mace/arch/cpu_features.h"
#include "mace/base/aligned_buffer.h"
#include "mace/base/span.h"
#include "mace/base/types.h"

namespace mace {
namespace kernels {

enum class Operands { kF32, kS16, kU8S8, kS8S8 };

struct GemmArgs {
  // Groups of k, the last one filled up.
  int64_t k_groups;
  int rows, cols;
  // Row-major left operand; lda in elements.
  const void* a;
  int64_t lda;
  // Packed panel: [k_group][column][k in group].
  const void* b;
  // Row-major output; ldc in elements.
  void* c;
  int64_t ldc;
  // One per column of the panel, filled up to its width: float, or int32 with the zero point
  // corrections.
  const void* bias;
  // kF32: activation limits.
  float lo, hi;
  // Integer: requantization. row_sums (of a) is null when the right operand's zero point is 0.
  const float* scale;
  // Fixed-point multipliers instead of `scale`; null where there are none.
  const int32_t* mantissa;
  const int32_t* exponent;
  bool once;  // their products round once
  const int32_t* row_sums;
  int32_t b_zero;
  int32_t zero, q_lo, q_hi;
};
using GemmFn = void (*)(const GemmArgs&);

struct GemmKernel {
  const char* name;
  Tier tier;
  Operands operands;
  int rows, columns, k_group;
  GemmFn run;
};

// All kernels built for this architecture, in the order of kernels.inc.
Span<const GemmKernel> GemmKernels();

// The kernel that a tier uses: a pure function. `integer` chooses between float and quantized
// operands. Never null.
const GemmKernel* SelectGemm(Tier tier, bool integer);

// Bytes of one element of an operand.
inline size_t LeftSize(Operands operands) {
  return operands == Operands::kF32 ? 4 : operands == Operands::kS16 ? 2 : 1;
}

// The right operand, packed for one kernel, with what its epilogue needs.
class PackedMatrix {
 public:
  // `b` is [n][k] row-major (a filter as stored) or, if `transposed`, [k][n]. bias may be null.
  // False: no memory.
  bool PackFloat(const GemmKernel& kernel, const float* b, bool transposed, int64_t n, int64_t k,
                 const float* bias);

  struct Codes {
    ElementType type;       // of b
    int32_t zero_point;     // of b
    int32_t left_zero;      // of the left operand, as stored in the tensor
    ElementType left_type;  // of the left operand's tensor
    const float* scale;     // n multipliers
    // n fixed-point multipliers to be used instead, or null.
    const int32_t* mantissa;
    const int32_t* exponent;
    bool once;
  };
  bool PackCodes(const GemmKernel& kernel, const void* b, int64_t n, int64_t k, const int32_t* bias,
                 const Codes& codes);

  const GemmKernel* kernel() const { return kernel_; }
  int64_t n() const { return n_; }
  int64_t k() const { return k_; }
  int64_t k_groups() const { return k_groups_; }
  int64_t panels() const { return panels_; }
  size_t bytes() const { return b_.size(); }
  // Whether the kernel needs sums of the left operand's rows.
  bool needs_row_sums() const { return needs_row_sums_; }

  // Points the arguments at a panel: b, bias, scale, b_zero, k_groups, cols.
  void SetPanel(int64_t panel, GemmArgs* args) const;

  // Bytes that PackFloat fills, for packing into memory of the caller's (MatMul, whose right
  // operand is computed).
  static size_t FloatBytes(const GemmKernel& kernel, int64_t n, int64_t k);
  // Packs into `storage`, which holds FloatBytes, and reads the bias as zero.
  void PackFloatInto(const GemmKernel& kernel, const float* b, bool transposed, int64_t n,
                     int64_t k, void* storage);

 private:
  void SetShape(const GemmKernel& kernel, int64_t n, int64_t k);

  const GemmKernel* kernel_ = nullptr;
  int64_t n_ = 0, k_ = 0, k_groups_ = 0, panels_ = 0;
  bool needs_row_sums_ = false, once_ = false;
  int32_t b_zero_ = 0;
  size_t panel_bytes_ = 0;
  const void* b_data_ = nullptr;
  const void* bias_data_ = nullptr;
  AlignedBuffer b_, bias_, scale_, mantissa_, exponent_;
};

}  // namespace kernels
}  // namespace mace

#endif  // MACE_KERNELS_GEMM_GEMM_H_
