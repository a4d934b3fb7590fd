#include "mace/delegates/hexagon/hexagon_executor.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mace/base/aligned_buffer.h"
#include "mace/base/diagnostics.h"
#include "mace/delegates/hexagon/nnlib_library.h"
#include "mace/quant/affine.h"

namespace mace {
namespace delegates {

namespace {

using runtime::ConstDef;
using runtime::NetDef;
using runtime::OperatorDef;
using runtime::PortDef;

// FastRPC carries no longer lists.
constexpr size_t kConstsPerCall = 250;
constexpr size_t kNodesPerCall = 125;
// Numbers of nodes start here, away from those that the library gives itself.
constexpr int64_t kFirstId = 10000;
// What the library has counters for.
constexpr size_t kMostCounters = 1 << 16;
// Vectors of the DSP.
constexpr size_t kDspAlignment = 128;
// For every input and output: data, min, max, whether to convert between codes and real numbers.
// Nets that begin with INPUT or end with OUTPUT instead have data alone, which are codes.
constexpr size_t kTensorsPerPort = 4;
constexpr size_t kRank = 4;
constexpr size_t kMostOutputRank = 8;

size_t ElementBytes(ElementType type) { return SizeOf(type); }

// A caller's tensor on its way to or from the DSP.
struct Port {
  std::string name;
  unsigned dims[kRank] = {1, 1, 1, 1};
  size_t elements = 1;
  quant::Affine affine;
  // Codes of an input, real numbers of an output, or codes; aligned for the DSP.
  AlignedBuffer buffer;
  uint8_t* data = nullptr;
  float min = 0, max = 0;
  int32_t convert = 0;
  // Real numbers of an output whose data are codes.
  AlignedBuffer real;
};

hexagon_nn_tensordef Scalar(void* value) {
  hexagon_nn_tensordef tensor = {};
  tensor.batches = tensor.height = tensor.width = tensor.depth = 1;
  tensor.data = static_cast<unsigned char*>(value);
  tensor.dataLen = 4;
  tensor.data_valid_len = 4;
  return tensor;
}

class HexagonExecutor : public runtime::Executor {
 public:
  explicit HexagonExecutor(std::unique_ptr<NnlibLibrary> library) : library_(std::move(library)) {}
  ~HexagonExecutor() override;

  Status Prepare(const NetDef& net, const uint8_t* data, size_t data_size,
                 const runtime::AcceleratorOptions& options);
  Status Run(const void* const* inputs, runtime::Observer* observer) override;
  const void* output(size_t i) const override {
    const Port& port = outputs_[i];
    return codes_out_ ? static_cast<const void*>(port.real.data()) : port.data;
  }

 private:
  Status AddPorts(const std::vector<PortDef>& defs, bool input, std::vector<Port>* ports);
  Status AddConstants(const NetDef& net, const uint8_t* data, size_t data_size);
  Status AddNodes(const NetDef& net);
  Status TakeId(const std::string& name, int64_t given, unsigned* id);
  Status Report(runtime::Observer* observer);

  std::unique_ptr<NnlibLibrary> library_;
  hexagon_nn_nn_id graph_ = 0;
  bool has_graph_ = false, has_clocks_ = false;
  std::set<int64_t> ids_;
  // By number of the library, for reports: name and type.
  std::map<unsigned, std::pair<std::string, std::string>> nodes_;
  size_t node_count_ = 0;
  std::vector<Port> inputs_, outputs_;
  // Whether the net takes or gives codes alone.
  bool codes_in_ = false, codes_out_ = false;
};

HexagonExecutor::~HexagonExecutor() {
  if (has_graph_) library_->teardown(graph_);
  if (has_clocks_) library_->remove_clocks();
}

Status HexagonExecutor::AddPorts(const std::vector<PortDef>& defs, bool input,
                                 std::vector<Port>* ports) {
  for (const PortDef& def : defs) {
    Port port;
    port.name = def.name;
    int64_t elements;
    MACE_RETURN_IF_ERROR(runtime::CheckShape(def.name, def.dims, &elements));
    if (def.dims.size() > kRank) {
      return diagnostics::HexagonNet("the tensor '" + def.name + "' has rank " +
                                     std::to_string(def.dims.size()));
    }
    if (def.type != static_cast<int64_t>(ElementType::kFloat32)) {
      return diagnostics::HexagonNet("the tensor '" + def.name + "' is not float32");
    }
    for (size_t i = 0; i < def.dims.size(); ++i) {
      port.dims[kRank - def.dims.size() + i] = static_cast<unsigned>(def.dims[i]);
    }
    port.elements = static_cast<size_t>(elements);
    const bool codes = input || codes_out_;
    if (codes) {
      const bool normal = std::isfinite(def.scale) && def.scale > 0.0f;
      if (!normal || def.zero_point < 0 || def.zero_point > 255) {
        return diagnostics::HexagonNet("the " + std::string(input ? "input" : "output") + " '" +
                                       def.name + "' has no scale or zero point");
      }
      port.affine.scale = def.scale;
      port.affine.zero_point = static_cast<int32_t>(def.zero_point);
      port.min = quant::Dequantize(0, port.affine);
      port.max = quant::Dequantize(255, port.affine);
    } else {
      port.convert = 1;
    }
    const size_t bytes = port.elements * (codes ? 1 : sizeof(float));
    const bool fits = bytes <= INT32_MAX && port.buffer.Allocate(bytes + kDspAlignment) &&
                      (!codes || input || port.real.Allocate(port.elements * sizeof(float)));
    if (!fits) {
      return diagnostics::HexagonMemory(
          "buffers", "the tensor '" + def.name + "' takes " + std::to_string(bytes) + " bytes");
    }
    const uintptr_t at = reinterpret_cast<uintptr_t>(port.buffer.data());
    port.data = port.buffer.as<uint8_t>() + (kDspAlignment - at % kDspAlignment) % kDspAlignment;
    ports->push_back(std::move(port));
  }
  return Status();
}

Status HexagonExecutor::TakeId(const std::string& name, int64_t given, unsigned* id) {
  if (given < 0 || given > INT32_MAX - kFirstId || !ids_.insert(given).second) {
    return diagnostics::HexagonNet("the number " + std::to_string(given) + " of '" + name +
                                   "' is taken or out of range");
  }
  *id = static_cast<unsigned>(given + kFirstId);
  return Status();
}

Status HexagonExecutor::AddConstants(const NetDef& net, const uint8_t* data, size_t data_size) {
  std::vector<hexagon_nn_const_node> batch;
  const auto flush = [&]() -> Status {
    const int result =
        library_->append_const_node_list(graph_, batch.data(), static_cast<int>(batch.size()));
    batch.clear();
    return result == 0 ? Status()
                       : library_->Failed("hexagon_nn_append_const_node_list", result, graph_);
  };
  for (const ConstDef& constant : net.tensors) {
    hexagon_nn_const_node node = {};
    MACE_RETURN_IF_ERROR(TakeId(constant.name, constant.node_id, &node.node_id));
    int64_t elements;
    MACE_RETURN_IF_ERROR(runtime::CheckShape(constant.name, constant.dims, &elements));
    if (constant.dims.size() > kRank) {
      return diagnostics::HexagonNet("the constant '" + constant.name + "' has rank " +
                                     std::to_string(constant.dims.size()));
    }
    ElementType type;
    MACE_RETURN_IF_ERROR(runtime::CheckElementType(constant.name, constant.type, &type));
    unsigned dims[kRank] = {1, 1, 1, 1};
    for (size_t i = 0; i < constant.dims.size(); ++i) {
      dims[kRank - constant.dims.size() + i] = static_cast<unsigned>(constant.dims[i]);
    }
    node.tensor.batches = dims[0];
    node.tensor.height = dims[1];
    node.tensor.width = dims[2];
    node.tensor.depth = dims[3];
    // Windows and strides are shapes without bytes.
    const bool shape_only = type == ElementType::kInt32 && constant.size == 0;
    if (!shape_only) {
      if (constant.size != elements) {
        return diagnostics::ConstantBounds(constant.name, "has " + std::to_string(constant.size) +
                                                              " elements, its shape " +
                                                              std::to_string(elements));
      }
      const size_t bytes = static_cast<size_t>(elements) * ElementBytes(type);
      const uint8_t* at;
      MACE_RETURN_IF_ERROR(runtime::LocateConstant(net, constant, bytes, data, data_size, &at));
      if (bytes > INT32_MAX) {
        return diagnostics::HexagonNet("the constant '" + constant.name + "' is too large");
      }
      node.tensor.data = const_cast<unsigned char*>(at);
      node.tensor.dataLen = static_cast<int>(bytes);
      node.tensor.data_valid_len = static_cast<unsigned>(bytes);
    }
    batch.push_back(node);
    if (batch.size() == kConstsPerCall) MACE_RETURN_IF_ERROR(flush());
  }
  return batch.empty() ? Status() : flush();
}

Status HexagonExecutor::AddNodes(const NetDef& net) {
  std::map<std::string, unsigned> numbers;
  std::vector<hexagon_nn_op_node> batch;
  // Lists that the batch points to.
  std::vector<std::vector<hexagon_nn_input>> inputs;
  std::vector<std::vector<hexagon_nn_output>> outputs;
  const auto flush = [&]() -> Status {
    for (size_t i = 0; i < batch.size(); ++i) {
      batch[i].inputs = inputs[i].data();
      batch[i].inputsLen = static_cast<int>(inputs[i].size());
      batch[i].outputs = outputs[i].data();
      batch[i].outputsLen = static_cast<int>(outputs[i].size());
    }
    const int result =
        library_->append_node_list(graph_, batch.data(), static_cast<int>(batch.size()));
    batch.clear();
    inputs.clear();
    outputs.clear();
    return result == 0 ? Status() : library_->Failed("hexagon_nn_append_node_list", result, graph_);
  };
  for (const OperatorDef& op : net.ops) {
    const auto bad = [&](const std::string& what) {
      return diagnostics::HexagonNet("the node '" + op.name + "' (" + op.type + ") " + what);
    };
    hexagon_nn_op_node node = {};
    MACE_RETURN_IF_ERROR(TakeId(op.name, op.node_id, &node.node_id));
    auto number = numbers.find(op.type);
    if (number == numbers.end()) {
      unsigned found = 0;
      MACE_RETURN_IF_ERROR(library_->OperatorNumber(op.type, &found));
      number = numbers.emplace(op.type, found).first;
    }
    node.operation = number->second;
    nodes_[node.node_id] = {op.name, op.type};
    if (op.padding < NN_PAD_NA || op.padding > NN_PAD_SAME_CAFFE) {
      return bad("has the padding " + std::to_string(op.padding));
    }
    node.padding = static_cast<hexagon_nn_padding_type>(op.padding);
    std::vector<hexagon_nn_input> sources;
    for (const runtime::NodeInput& input : op.node_inputs) {
      // Nodes are in the order they run in: whatever one reads is known.
      if (input.node_id == op.node_id || ids_.count(input.node_id) == 0 || input.output_port < 0 ||
          input.output_port > INT32_MAX) {
        return bad("reads output " + std::to_string(input.output_port) + " of node " +
                   std::to_string(input.node_id) + ", which is not before it");
      }
      sources.push_back({static_cast<unsigned>(input.node_id + kFirstId),
                         static_cast<unsigned>(input.output_port)});
    }
    if (op.shapes.size() != op.types.size()) return bad("has outputs without a type or shape");
    std::vector<hexagon_nn_output> room;
    for (size_t i = 0; i < op.shapes.size(); ++i) {
      ElementType type;
      MACE_RETURN_IF_ERROR(runtime::CheckElementType(op.name, op.types[i], &type));
      int64_t elements;
      MACE_RETURN_IF_ERROR(runtime::CheckShape(op.name, op.shapes[i], &elements));
      if (op.shapes[i].size() > kMostOutputRank) return bad("has an output of too high a rank");
      hexagon_nn_output output = {};
      // A scalar is one element.
      output.rank = static_cast<unsigned>(std::max<size_t>(op.shapes[i].size(), 1));
      output.max_sizes[0] = 1;
      for (size_t k = 0; k < op.shapes[i].size(); ++k) {
        output.max_sizes[k] = static_cast<unsigned>(op.shapes[i][k]);
      }
      output.elementsize = static_cast<unsigned>(ElementBytes(type));
      room.push_back(output);
    }
    batch.push_back(node);
    inputs.push_back(std::move(sources));
    outputs.push_back(std::move(room));
    if (batch.size() == kNodesPerCall) MACE_RETURN_IF_ERROR(flush());
  }
  return batch.empty() ? Status() : flush();
}

Status HexagonExecutor::Prepare(const NetDef& net, const uint8_t* data, size_t data_size,
                                const runtime::AcceleratorOptions& options) {
  if (net.ops.empty() || net.inputs.empty() || net.outputs.empty()) {
    return diagnostics::HexagonNet("it has no nodes, inputs or outputs");
  }
  for (const OperatorDef& op : net.ops) {
    codes_in_ |= op.type == "INPUT";
    codes_out_ |= op.type == "OUTPUT";
  }
  MACE_RETURN_IF_ERROR(AddPorts(net.inputs, true, &inputs_));
  MACE_RETURN_IF_ERROR(AddPorts(net.outputs, false, &outputs_));
  if (options.power_set) {
    if (options.power_corner < NN_CORNER_RELEASE || options.power_corner > NN_CORNER_SVS2 ||
        options.latency_us < 0) {
      return diagnostics::HexagonPower(options.power_corner, options.latency_us);
    }
    const int result = library_->set_clocks(
        static_cast<hexagon_nn_corner_type>(options.power_corner),
        options.dcvs ? NN_DCVS_ENABLE : NN_DCVS_DISABLE, static_cast<unsigned>(options.latency_us));
    if (result != 0) return library_->Failed("hexagon_nn_set_clocks", result);
    has_clocks_ = true;
  }
  int result = library_->init(&graph_);
  if (result != 0) return library_->Failed("hexagon_nn_init", result);
  has_graph_ = true;
  MACE_RETURN_IF_ERROR(AddConstants(net, data, data_size));
  MACE_RETURN_IF_ERROR(AddNodes(net));
  node_count_ = ids_.size();
  result = library_->prepare(graph_);
  if (result != 0) return library_->Failed("hexagon_nn_prepare", result, graph_);
  return Status();
}

Status HexagonExecutor::Run(const void* const* inputs, runtime::Observer* observer) {
  std::vector<hexagon_nn_tensordef> given, wanted;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    Port& port = inputs_[i];
    const float* values = static_cast<const float*>(inputs[i]);
    for (size_t k = 0; k < port.elements; ++k) {
      port.data[k] = static_cast<uint8_t>(quant::Quantize(values[k], port.affine, 0, 255));
    }
    hexagon_nn_tensordef tensor = {
        port.dims[0], port.dims[1], port.dims[2], port.dims[3], port.data, 0, 0, 0};
    tensor.dataLen = static_cast<int>(port.elements);
    tensor.data_valid_len = static_cast<unsigned>(port.elements);
    given.push_back(tensor);
    if (codes_in_) continue;
    given.push_back(Scalar(&port.min));
    given.push_back(Scalar(&port.max));
    given.push_back(Scalar(&port.convert));
  }
  const size_t element_bytes = codes_out_ ? 1 : sizeof(float);
  for (Port& port : outputs_) {
    hexagon_nn_tensordef tensor = {};
    tensor.data = port.data;
    tensor.dataLen = static_cast<int>(port.elements * element_bytes);
    wanted.push_back(tensor);
    if (codes_out_) continue;
    wanted.push_back(Scalar(&port.min));
    wanted.push_back(Scalar(&port.max));
    wanted.push_back(Scalar(&port.convert));
  }
  const bool counting = observer != nullptr && library_->get_perfinfo != nullptr &&
                        library_->reset_perfinfo != nullptr;
  if (counting) {
    const int result = library_->reset_perfinfo(graph_, NN_GRAPH_PERFEVENT_CYCLES);
    if (result != 0) return library_->Failed("hexagon_nn_reset_perfinfo", result, graph_);
  }
  const int result = library_->execute_new(graph_, given.data(), static_cast<int>(given.size()),
                                           wanted.data(), static_cast<int>(wanted.size()));
  if (result != 0) return library_->Failed("hexagon_nn_execute_new", result, graph_);
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const hexagon_nn_tensordef& got = wanted[i * (codes_out_ ? 1 : kTensorsPerPort)];
    Port& port = outputs_[i];
    const bool same = got.batches == port.dims[0] && got.height == port.dims[1] &&
                      got.width == port.dims[2] && got.depth == port.dims[3] &&
                      got.data_valid_len == port.elements * element_bytes;
    if (!same) {
      return diagnostics::HexagonOutput(
          port.name, std::to_string(got.batches) + "x" + std::to_string(got.height) + "x" +
                         std::to_string(got.width) + "x" + std::to_string(got.depth));
    }
    for (size_t k = 0; codes_out_ && k < port.elements; ++k) {
      port.real.as<float>()[k] = quant::Dequantize(port.data[k], port.affine);
    }
  }
  return counting ? Report(observer) : Status();
}

Status HexagonExecutor::Report(runtime::Observer* observer) {
  std::vector<hexagon_nn_perfinfo> counters(std::min(node_count_ + 1, kMostCounters));
  unsigned count = 0;
  const int result =
      library_->get_perfinfo(graph_, counters.data(), static_cast<int>(counters.size()), &count);
  if (result != 0) return library_->Failed("hexagon_nn_get_perfinfo", result, graph_);
  for (unsigned i = 0; i < count && i < counters.size(); ++i) {
    // Others are constants, or nodes that the library made itself.
    const auto node = nodes_.find(counters[i].node_id);
    if (node == nodes_.end()) continue;
    observer->OnAcceleratorNode(
        node->second.first, node->second.second,
        static_cast<uint64_t>(counters[i].counter_hi) << 32 | counters[i].counter_lo);
  }
  return Status();
}

}  // namespace

Status CreateHexagonExecutor(const NetDef& net, const uint8_t* data, size_t data_size,
                             const runtime::AcceleratorOptions& options,
                             std::unique_ptr<runtime::Executor>* executor) {
  std::unique_ptr<NnlibLibrary> library;
  MACE_RETURN_IF_ERROR(NnlibLibrary::Open(options, &library));
  auto made = std::make_unique<HexagonExecutor>(std::move(library));
  MACE_RETURN_IF_ERROR(made->Prepare(net, data, data_size, options));
  *executor = std::move(made);
  return Status();
}

}  // namespace delegates
}  // namespace mace
