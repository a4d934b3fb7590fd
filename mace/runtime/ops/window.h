// Attributes of operators that slide a window over an NHWC image.
#ifndef MACE_RUNTIME_OPS_WINDOW_H_
#define MACE_RUNTIME_OPS_WINDOW_H_

#include "mace/kernels/kernels.h"
#include "mace/runtime/operator.h"

namespace mace {
namespace runtime {

// Reads strides, dilations and pads, and checks the declared output size against them.
inline kernels::Window ReadWindow(PrepareContext* c, const Tensor& x, const Tensor& y,
                                  int64_t kernel_h, int64_t kernel_w) {
  kernels::Window w = {};
  const auto strides = c->Ints("strides", {1, 1}, 2, 1, kMaxWindow);
  const auto dilations = c->Ints("dilations", {1, 1}, 2, 1, kMaxWindow);
  const auto pads = c->Ints("pads", {0, 0, 0, 0}, 4, 0, kMaxWindow);
  w.batch = x.shape[0];
  w.in_h = x.shape[1];
  w.in_w = x.shape[2];
  w.out_h = y.shape[1];
  w.out_w = y.shape[2];
  w.kernel_h = kernel_h;
  w.kernel_w = kernel_w;
  w.stride_h = strides[0];
  w.stride_w = strides[1];
  w.dilation_h = dilations[0];
  w.dilation_w = dilations[1];
  w.pad_top = pads[0];
  w.pad_left = pads[1];
  w.pad_bottom = pads[2];
  w.pad_right = pads[3];
  const int64_t room_h = w.in_h + w.pad_top + w.pad_bottom - (w.dilation_h * (kernel_h - 1) + 1);
  const int64_t room_w = w.in_w + w.pad_left + w.pad_right - (w.dilation_w * (kernel_w - 1) + 1);
  if (room_h < 0 || room_w < 0) {
    c->Fail(diagnostics::BadOperandShape(x.name, ToString(x.shape), "one as large as the window"));
    return w;
  }
  c->RequireShape(y, {w.batch, room_h / w.stride_h + 1, room_w / w.stride_w + 1, y.shape[3]});
  return w;
}

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_OPS_WINDOW_H_
