// Declarations of the functions of kernels.inc.
#ifndef MACE_KERNELS_GEMM_MICRO_KERNELS_H_
#define MACE_KERNELS_GEMM_MICRO_KERNELS_H_

#include "mace/kernels/gemm/gemm.h"
#include "mace/kernels/target.h"

namespace mace {
namespace kernels {

#define MACE_GEMM(name, tier, operands, rows, columns, k_group) void name(const GemmArgs& args);
#include "mace/kernels/gemm/kernels.inc"
#undef MACE_GEMM

}  // namespace kernels
}  // namespace mace

#endif  // MACE_KERNELS_GEMM_MICRO_KERNELS_H_
