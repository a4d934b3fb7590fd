// The body of one tier. The including file defines MACE_TIER_NAMESPACE, MACE_TIER_NAME and, where
// the instruction set has it, MACE_TIER_HAS_FMA, and includes this between MACE_TARGET_BEGIN and
// MACE_TARGET_END.

namespace mace {
namespace kernels {
namespace MACE_TIER_NAMESPACE {
namespace {

// In this order: the later ones use the first.
// clang-format off
#include "mace/kernels/math.h"
#include "mace/kernels/elementwise-inl.h"
#include "mace/kernels/window-inl.h"
#include "mace/kernels/resize-inl.h"
// clang-format on

constexpr KernelSet kKernelSet = {
    MACE_TIER_NAME,
    DepthwiseF32,
    {DepthwiseCodes<uint8_t>, DepthwiseCodes<int8_t>},
    Pool<float, float, true>,
    Pool<float, float, false>,
    {Pool<uint8_t, uint8_t, true>, Pool<int8_t, int8_t, true>},
    {Pool<uint8_t, int32_t, false>, Pool<int8_t, int32_t, false>},
    Reduce<float, float>,
    {Reduce<uint8_t, int32_t>, Reduce<int8_t, int32_t>},
    ReduceI32,
    EltwiseF32,
    {EltwiseCodes<uint8_t>, EltwiseCodes<int8_t>},
    CompareF32,
    EltwiseI32,
    ActivationF32,
    BatchNormF32,
    LrnF32,
    SoftmaxF32,
    {SoftmaxCodes<uint8_t>, SoftmaxCodes<int8_t>},
    {QuantizeCodes<uint8_t>, QuantizeCodes<int8_t>},
    {DequantizeCodes<uint8_t>, DequantizeCodes<int8_t>},
    {RequantizeCodes<uint8_t>, RequantizeCodes<int8_t>},
    TableLookup,
    ChannelTableLookup,
    ResizeLinearF32,
    {ResizeLinearCodes<uint8_t>, ResizeLinearCodes<int8_t>},
    ResizeCubicF32,
    {ProductCodes<uint8_t>, ProductCodes<int8_t>},
    FlipCodes,
    {CenterCodes<uint8_t>, CenterCodes<int8_t>},
    {RowSums<uint8_t>, RowSums<int8_t>},
    Extremes,
    Buckets,
    Channels,
};

}  // namespace

const KernelSet* Get() { return &kKernelSet; }

}  // namespace MACE_TIER_NAMESPACE
}  // namespace kernels
}  // namespace mace
