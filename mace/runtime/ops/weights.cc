#include "mace/runtime/ops/weights.h"

#include <algorithm>

namespace mace {
namespace runtime {
namespace {

// Scales of the output channels of quantized weights, one each; and the checks of their types.
std::vector<float> WeightScales(PrepareContext* c, const Tensor& weights, size_t channels,
                                size_t per_scale) {
  std::vector<float> scales(channels, 1.0f);
  if (!IsQuantized(weights.type)) {
    c->Fail(diagnostics::BadOperandType(weights.name, NameOf(weights.type), "uint8 or int8"));
  } else if (!weights.channel_scale.empty()) {
    const size_t count = weights.channel_scale.size();
    if (count == channels) {
      scales = weights.channel_scale;
    } else if (count * per_scale == channels) {
      for (size_t i = 0; i < channels; ++i) scales[i] = weights.channel_scale[i / per_scale];
    } else {
      c->Fail(diagnostics::BadQuantization(weights.name,
                                           "has " + std::to_string(count) + " channel scales for " +
                                               std::to_string(channels) + " output channels"));
    }
    if (weights.zero_point != 0) {
      c->Fail(diagnostics::BadQuantization(weights.name,
                                           "has channel scales and a zero point that is not 0"));
    }
  } else if (weights.has_scale) {
    scales.assign(channels, weights.scale);
  } else {
    c->Fail(diagnostics::BadQuantization(weights.name, "has no scale"));
  }
  if (weights.zero_point < QMin(weights.type) || weights.zero_point > QMax(weights.type)) {
    c->Fail(diagnostics::BadQuantization(weights.name, "has a zero point outside its codes"));
  }
  return scales;
}

}  // namespace

bool Weighted::Read(PrepareContext* c, int64_t channels, size_t per_scale) {
  const Tensor &x = c->input(0), &w = c->input(1), &y = c->output();
  if (!c->RequireComputeType(x) || !c->RequireConstant(w) || !c->RequireType(y, x.type))
    return false;
  const bool quantized = IsQuantized(x.type);
  if (c->has_input(2)) {
    const Tensor& b = c->input(2);
    if (!c->RequireConstant(b) ||
        !c->RequireType(b, quantized ? ElementType::kInt32 : ElementType::kFloat32))
      return false;
    if (b.elements != channels) {
      c->Fail(diagnostics::BadOperandShape(b.name, ToString(b.shape), std::to_string(channels)));
      return false;
    }
    bias = b.data;
  }
  if (!quantized) {
    c->RequireType(w, ElementType::kFloat32);
    c->FusedLimits(&lo, &hi);
    return c->ok();
  }
  const std::vector<float> scales = WeightScales(c, w, static_cast<size_t>(channels), per_scale);
  codes = c->FusedCodes(y);
  for (float s : scales) multiplier.push_back(quant::ProductMultiplier(x.scale, s, y.scale));
  if (c->FixedPoint()) {
    const bool shared =
        std::all_of(scales.begin(), scales.end(), [&](float s) { return s == scales.front(); });
    for (float s : scales) fixed.Add(quant::FixedProductMultiplier(x.scale, s, y.scale, shared));
  }
  return c->ok();
}

kernels::ConvQuantization Weighted::Quantization(const Tensor& x, const Tensor& w,
                                                 const Tensor& y) const {
  kernels::ConvQuantization q;
  q.input_type = x.type;
  q.weight_type = w.type;
  q.input_zero = x.zero_point;
  q.weight_zero = w.zero_point;
  q.output_zero = y.zero_point;
  q.q_lo = codes.lo;
  q.q_hi = codes.hi;
  q.scale = multiplier;
  q.fixed = fixed;
  return q;
}

}  // namespace runtime
}  // namespace mace
