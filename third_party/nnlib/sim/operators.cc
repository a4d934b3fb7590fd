// The operators by name.
#include "third_party/nnlib/sim/graph.h"
#include "third_party/nnlib/sim/ops.h"

namespace nnlib_sim {

namespace {
constexpr int kAny = 1 << 16;
}  // namespace

const Operator kOperators[] = {
    {"Const", 0, 0, 1, 1, RunConst},
    {"INPUT", 0, 0, 0, kAny, RunInput},
    {"OUTPUT", 0, kAny, 0, 0, RunOutput},
    {"Nop", 0, kAny, 0, kAny, RunNothing},
    {"QuantizeINPUT_f_to_8", 0, 0, 3, kAny, RunQuantizeInput},
    {"DequantizeOUTPUT_8tof", 3, kAny, 0, 0, RunDequantizeOutput},
    {"Supernode_8x8p32to8", 12, 12, 3, 3, RunSupernode},
    {"DepthwiseSupernode_8x8p32to8", 12, 12, 3, 3, RunDepthwiseSupernode},
    {"SuperFC_8x8p32to8", 11, 11, 3, 3, RunSuperFc},
    {"QuantizedTransposeConv2d_8x8p32to8", 13, 13, 3, 3, RunTransposeConv},
    {"QuantizedAvgPool_8", 5, 5, 3, 3, RunAvgPool},
    {"QuantizedMaxPool_8", 5, 5, 3, 3, RunMaxPool},
    {"QuantizedMean_8", 4, 6, 3, 3, RunMean},
    {"QuantizedConcat_8", 4, kAny, 3, 3, RunConcat},
    {"QuantizedAdd_8p8to8", 8, 8, 3, 3, RunAdd},
    {"QuantizedSub_8p8to8", 8, 8, 3, 3, RunSub},
    {"QuantizedMul_8x8to8", 6, 6, 3, 3, RunMul},
    {"QuantizedMinimum_8", 6, 8, 3, 3, RunMinimum},
    {"QuantizedMaximum_8", 6, 8, 3, 3, RunMaximum},
    {"QuantizedRelu_8", 3, 3, 3, 3, RunRelu},
    {"QuantizedReluX_8", 4, 4, 3, 3, RunReluX},
    {"QuantizedClamp_8", 5, 5, 3, 3, RunClamp},
    {"QuantizedPRelu_8", 4, 4, 3, 3, RunPRelu},
    {"QuantizedTanh_8", 3, 3, 3, 3, RunTanh},
    {"QuantizedSigmoid_8", 3, 3, 3, 3, RunSigmoid},
    {"QuantizedSoftmax_8", 3, 4, 3, 3, RunSoftmax},
    {"QuantizedReshape", 4, 4, 3, 3, RunReshape},
    {"QuantizedPad_8", 4, 5, 3, 3, RunPad},
    {"QuantizedResizeBilinear_8", 4, 5, 3, 3, RunResizeBilinear},
    {"ResizeNearestNeighbor_8", 4, 5, 3, 3, RunResizeNearest},
    {"QuantizedSplit_8", 4, 4, 3, kAny, RunSplit},
    {"QuantizedStridedSlice_8", 9, 9, 3, 3, RunStridedSlice},
    {"Transpose_8", 4, 4, 3, 3, RunTranspose},
    {"SpaceToBatchND_8", 5, 5, 3, 3, RunSpaceToBatch},
    {"BatchToSpaceND_8", 5, 5, 3, 3, RunBatchToSpace},
    {"DepthToSpace_8", 4, 4, 3, 3, RunDepthToSpace},
    {"SpaceToDepth_8", 4, 4, 3, 3, RunSpaceToDepth},
    {"QuantizedSqrt_8", 3, 3, 3, 3, RunSqrt},
    {"QuantizedDiv_8", 6, 8, 3, 3, RunDiv},
    {"QuantizedRecip_8", 3, 3, 3, 3, RunRecip},
    {"QuantizedInstanceNorm_8", 3, 3, 3, 3, RunInstanceNorm},
    {"QuantizedBatchNorm_8x8p8to8", 11, 11, 3, 3, RunBatchNorm},
};
const size_t kOperatorCount = sizeof kOperators / sizeof kOperators[0];

}  // namespace nnlib_sim
