// Constant filters and biases of convolutions and matrix products.
#ifndef MACE_RUNTIME_OPS_WEIGHTS_H_
#define MACE_RUNTIME_OPS_WEIGHTS_H_

#include <vector>

#include "mace/kernels/conv.h"
#include "mace/runtime/operator.h"

namespace mace {
namespace runtime {

// What operators with constant weights share: operand types, bias, multipliers.
struct Weighted {
  const void* bias = nullptr;
  float lo = 0, hi = 0;
  quant::CodeRange codes{0, 0};
  std::vector<float> multiplier;
  quant::FixedMultipliers fixed;  // empty unless `requantize` is fixed_point

  // Reads inputs 0 to 2 and the output. `per_scale` output channels in a row may share a scale.
  bool Read(PrepareContext* c, int64_t channels, size_t per_scale);
  // What the codes of a quantized convolution mean.
  kernels::ConvQuantization Quantization(const Tensor& x, const Tensor& w, const Tensor& y) const;
};

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_OPS_WEIGHTS_H_
