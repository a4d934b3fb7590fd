// What a model may ask of the runtime at most. tools/ir/limits.ts has the same numbers, so that
// what cannot be loaded is refused when it is converted.
#ifndef MACE_BASE_LIMITS_H_
#define MACE_BASE_LIMITS_H_

#include <cstdint>

namespace mace {

// `elements` keeps every byte count and index product far from overflow; the time of a suppression
// grows with the product of `boxes` and `detections`.
// X(name in tools/ir/limits.ts, constant, value)
#define MACE_LIMITS(X)                                                                      \
  X(rank, kMaxRank, 6)                   /* Axes of any tensor. */                          \
  X(elements, kMaxElements, 2147483647)  /* Elements of any tensor. */                      \
  X(window, kMaxWindow, 65536)           /* Stride, dilation, padding, side of a window. */ \
  X(side, kMaxSide, 65536)               /* Rows and columns of images that are resized. */ \
  X(phases, kMaxPhases, 4096)            /* Remainders that Deconv2D's outputs leave. */    \
  X(boxes, kMaxBoxes, 1048576)           /* Boxes that detections come from. */             \
  X(detections, kMaxDetections, 1048576) /* Detections of an image. */                      \
  X(count, kMaxCount, 16777216)          /* Groups, classes, padding of Pad, LRN's window. */

#define MACE_LIMIT_CONSTANT(name, constant, value) constexpr int64_t constant = value;
MACE_LIMITS(MACE_LIMIT_CONSTANT)
#undef MACE_LIMIT_CONSTANT

}  // namespace mace

#endif  // MACE_BASE_LIMITS_H_
