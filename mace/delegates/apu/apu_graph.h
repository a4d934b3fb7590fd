// A net of MACE's operators for the APU, read and checked, before it is said in the terms of a
// library.
#ifndef MACE_DELEGATES_APU_APU_GRAPH_H_
#define MACE_DELEGATES_APU_APU_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mace/base/status.h"
#include "mace/base/types.h"
#include "mace/runtime/net_def.h"

namespace mace {
namespace delegates {

// Versions of the APU in MACE's count, of which nets name the oldest that has all they need. Those
// before the newest have another library.
constexpr int64_t kNewestApu = 4;

enum class ApuOp {
  kConv,
  kDepthwiseConv,
  kDeconv,
  kFullyConnected,
  kAveragePool,
  kMaxPool,
  kSum,
  kDifference,
  kProduct,
  kMinimum,
  kMaximum,
  kRelu,
  kRelu6,
  kSigmoid,
  kTanh,
  kHardSwish,
  kPrelu,
  kSoftmax,
  kConcat,
  kSplit,
  kMean,
  kReshape,
  kTranspose,
  kPad,
  kStridedSlice,
  kResizeBilinear,
  kResizeNearest,
  kDepthToSpace,
  kSpaceToDepth,
};

enum class ApuFused { kNone, kRelu, kRelu6 };

struct ApuTensor {
  // Codes, or a constant's int32 or float32.
  ElementType type = ElementType::kUint8;
  // One to four.
  std::vector<uint32_t> dims;
  size_t elements = 0;
  float scale = 0;
  int32_t zero = 0;
  // Of a constant, which outlives executors; it need not be aligned.
  const uint8_t* value = nullptr;
};

struct ApuNode {
  ApuOp op = ApuOp::kConv;
  // Of the net, for messages.
  std::string name, type;
  // What it reads as tensors, by index. Numbers of other kinds are below.
  std::vector<size_t> operands, outputs;
  ApuFused fused = ApuFused::kNone;
  // Rows, columns.
  int32_t strides[2] = {1, 1}, kernels[2] = {1, 1}, dilations[2] = {1, 1};
  // Top, bottom, left, right.
  int32_t pads[4] = {0, 0, 0, 0};
  // Of a concatenation and a split; side of the blocks; channels that each channel gives.
  int32_t axis = 0, block = 1, multiplier = 1;
  // Rows and columns that a resize gives.
  int32_t size[2] = {1, 1};
  bool keep_dims = true, align_corners = false, half_pixels = false;
  // The factor of a softmax.
  float beta = 1;
};

struct ApuGraph {
  std::vector<ApuTensor> tensors;
  std::vector<size_t> inputs, outputs;
  std::vector<ApuNode> nodes;
  // The oldest APU that has what the net needs.
  int64_t version = kNewestApu;
};

// Constants stay in `data`.
Status ReadApuGraph(const runtime::NetDef& net, const uint8_t* data, size_t data_size,
                    ApuGraph* graph);

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_APU_APU_GRAPH_H_
