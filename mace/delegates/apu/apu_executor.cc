#include "mace/delegates/apu/apu_executor.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "mace/base/aligned_buffer.h"
#include "mace/base/diagnostics.h"
#include "mace/delegates/apu/apu_graph.h"
#include "mace/delegates/apu/apu_network.h"
#include "mace/delegates/apu/cache_key.h"
#include "mace/quant/affine.h"

namespace mace {
namespace delegates {

namespace {

using runtime::NetDef;
using runtime::PortDef;

// Values of MACE's AcceleratorCachePolicy.
enum CachePolicy : int { kNone = 0, kStore = 1, kLoad = 2, kLoadOrStore = 3 };

// Values of MACE's APUPreferenceHint.
constexpr int kLowPower = 0, kSustainedSpeed = 2;

// Tensors in memory begin at multiples of this.
constexpr size_t kPortAlignment = 128;

struct Port {
  ApuPort place;
  quant::Affine affine;
  // Real numbers of an output.
  AlignedBuffer values;
};

std::vector<ApuPort> PlacesOf(const std::vector<Port>& ports) {
  std::vector<ApuPort> places;
  for (const Port& port : ports) places.push_back(port.place);
  return places;
}

class ApuExecutor : public runtime::Executor {
 public:
  Status Prepare(const NetDef& net, const uint8_t* data, size_t data_size,
                 const runtime::AcceleratorOptions& options);
  Status Run(const void* const* inputs, runtime::Observer* observer) override;
  const void* output(size_t i) const override { return outputs_[i].values.data(); }

 private:
  Status AddPorts(const std::vector<PortDef>& defs, bool input, std::vector<Port>* ports);

  std::unique_ptr<ApuNetwork> network_;
  std::vector<Port> inputs_, outputs_;
  // Codes of all ports, one after the other: the network's memory.
  size_t codes_size_ = 0;
  uint8_t* codes_ = nullptr;
};

Status ApuExecutor::AddPorts(const std::vector<PortDef>& defs, bool input,
                             std::vector<Port>* ports) {
  for (const PortDef& def : defs) {
    int64_t elements;
    MACE_RETURN_IF_ERROR(runtime::CheckShape(def.name, def.dims, &elements));
    const bool grid =
        std::isfinite(def.scale) && def.scale > 0 && def.zero_point >= 0 && def.zero_point <= 255;
    if (!grid || def.type != static_cast<int64_t>(ElementType::kFloat32)) {
      return diagnostics::ApuNet("the tensor '" + def.name + "' is not float32 with a grid");
    }
    Port port;
    port.place.elements = static_cast<size_t>(elements);
    port.affine.scale = def.scale;
    port.affine.zero_point = static_cast<int32_t>(def.zero_point);
    if (port.place.elements > INT32_MAX / sizeof(float)) {
      return diagnostics::ApuMemory("the tensor '" + def.name + "' has " +
                                    std::to_string(port.place.elements) + " elements");
    }
    port.place.offset = codes_size_;
    codes_size_ += (port.place.elements + kPortAlignment - 1) / kPortAlignment * kPortAlignment;
    if (!input && !port.values.Allocate(port.place.elements * sizeof(float))) {
      return diagnostics::ApuMemory("the tensor '" + def.name + "' has " +
                                    std::to_string(port.place.elements) + " elements");
    }
    ports->push_back(std::move(port));
  }
  return Status();
}

Status ApuExecutor::Prepare(const NetDef& net, const uint8_t* data, size_t data_size,
                            const runtime::AcceleratorOptions& options) {
  if (net.ops.empty() || net.inputs.empty() || net.outputs.empty()) {
    return diagnostics::ApuNet("it has no operators, inputs or outputs");
  }
  if (options.boost_hint < 0 || options.boost_hint > 100 || options.preference < kLowPower ||
      options.preference > kSustainedSpeed) {
    return diagnostics::ApuHints(options.boost_hint, options.preference);
  }
  const int policy = options.cache_policy;
  const bool loads = policy == kLoad || policy == kLoadOrStore;
  const bool stores = policy == kStore || policy == kLoadOrStore;
  if (policy < kNone || policy > kLoadOrStore || (loads && options.cache_file.empty()) ||
      (stores && options.cache_storage.empty())) {
    return diagnostics::ApuCachePolicy(policy);
  }
  MACE_RETURN_IF_ERROR(AddPorts(net.inputs, true, &inputs_));
  MACE_RETURN_IF_ERROR(AddPorts(net.outputs, false, &outputs_));
  ApuGraph graph;
  MACE_RETURN_IF_ERROR(ReadApuGraph(net, data, data_size, &graph));
  MACE_RETURN_IF_ERROR(OpenApuNetwork(options, graph.version, &network_));
  MACE_RETURN_IF_ERROR(network_->Allocate(codes_size_, &codes_));
  const std::vector<ApuPort> inputs = PlacesOf(inputs_), outputs = PlacesOf(outputs_);
  const ApuNetwork::Request request = {graph, inputs, outputs};
  const std::string key =
      policy == kNone ? "" : ApuCacheKey(net, data, data_size, network_->identity());
  if (loads) {
    const Status loaded = network_->Load(request, options.cache_file, key);
    if (loaded.ok() || policy == kLoad) return loaded;
  }
  return network_->Compile(request, stores ? options.cache_storage : "", key);
}

Status ApuExecutor::Run(const void* const* inputs, runtime::Observer*) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    Port& port = inputs_[i];
    const float* values = static_cast<const float*>(inputs[i]);
    uint8_t* codes = codes_ + port.place.offset;
    for (size_t k = 0; k < port.place.elements; ++k) {
      codes[k] = static_cast<uint8_t>(quant::Quantize(values[k], port.affine, 0, 255));
    }
  }
  MACE_RETURN_IF_ERROR(network_->Run());
  for (Port& port : outputs_) {
    const uint8_t* codes = codes_ + port.place.offset;
    float* values = port.values.as<float>();
    for (size_t k = 0; k < port.place.elements; ++k) {
      values[k] = quant::Dequantize(codes[k], port.affine);
    }
  }
  return Status();
}

}  // namespace

Status CreateApuExecutor(const NetDef& net, const uint8_t* data, size_t data_size,
                         const runtime::AcceleratorOptions& options,
                         std::unique_ptr<runtime::Executor>* executor) {
  auto made = std::make_unique<ApuExecutor>();
  MACE_RETURN_IF_ERROR(made->Prepare(net, data, data_size, options));
  *executor = std::move(made);
  return Status();
}

}  // namespace delegates
}  // namespace mace
