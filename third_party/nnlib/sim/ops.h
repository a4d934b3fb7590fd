// Functions of the operators, one group a file.
#ifndef THIRD_PARTY_NNLIB_SIM_OPS_H_
#define THIRD_PARTY_NNLIB_SIM_OPS_H_

#include "third_party/nnlib/sim/graph.h"

namespace nnlib_sim {

// io.cc
bool RunConst(const Call& call);
bool RunNothing(const Call& call);
bool RunInput(const Call& call);
bool RunOutput(const Call& call);
bool RunQuantizeInput(const Call& call);
bool RunDequantizeOutput(const Call& call);

// products.cc
bool RunSupernode(const Call& call);
bool RunDepthwiseSupernode(const Call& call);
bool RunSuperFc(const Call& call);
bool RunTransposeConv(const Call& call);

// windows.cc
bool RunAvgPool(const Call& call);
bool RunMaxPool(const Call& call);
bool RunMean(const Call& call);
bool RunResizeBilinear(const Call& call);
bool RunResizeNearest(const Call& call);

// elementwise.cc
bool RunAdd(const Call& call);
bool RunSub(const Call& call);
bool RunMul(const Call& call);
bool RunMinimum(const Call& call);
bool RunMaximum(const Call& call);
bool RunRelu(const Call& call);
bool RunReluX(const Call& call);
bool RunClamp(const Call& call);
bool RunPRelu(const Call& call);
bool RunTanh(const Call& call);
bool RunSigmoid(const Call& call);
bool RunSqrt(const Call& call);
bool RunSoftmax(const Call& call);

// quotients.cc
bool RunDiv(const Call& call);
bool RunRecip(const Call& call);

// normalizations.cc
bool RunInstanceNorm(const Call& call);
bool RunBatchNorm(const Call& call);

// moves.cc
bool RunConcat(const Call& call);
bool RunReshape(const Call& call);
bool RunPad(const Call& call);
bool RunSplit(const Call& call);
bool RunStridedSlice(const Call& call);
bool RunTranspose(const Call& call);
bool RunSpaceToBatch(const Call& call);
bool RunBatchToSpace(const Call& call);
bool RunDepthToSpace(const Call& call);
bool RunSpaceToDepth(const Call& call);

// Number of positions of a window along one axis and the cells before the image; 0 positions where
// none fits.
struct Window {
  int64_t positions = 0;
  int64_t before = 0;
};
Window WindowOf(int64_t size, int64_t window, int64_t stride, unsigned padding);

}  // namespace nnlib_sim

#endif  // THIRD_PARTY_NNLIB_SIM_OPS_H_
