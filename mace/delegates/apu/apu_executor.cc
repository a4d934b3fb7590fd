#include "mace/delegates/apu/apu_executor.h"

#include <sys/mman.h>

#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "mace/base/aligned_buffer.h"
#include "mace/base/diagnostics.h"
#include "mace/delegates/apu/model_builder.h"
#include "mace/delegates/apu/neuron_library.h"
#include "mace/delegates/apu/shared_memory.h"
#include "mace/quant/affine.h"
#include "mace/runtime/file.h"
#include "mace/runtime/sha256.h"

namespace mace {
namespace delegates {

namespace {

using runtime::NetDef;
using runtime::PortDef;

// Values of MACE's AcceleratorCachePolicy.
enum CachePolicy : int { kNone = 0, kStore = 1, kLoad = 2, kLoadOrStore = 3 };

// Before a compiled network in its file: what it is, and of which net and library.
constexpr char kCacheMagic[] = "MACEAPU1";
constexpr size_t kCacheHead = sizeof kCacheMagic - 1 + 32;

// Tensors in memory begin at multiples of this.
constexpr size_t kPortAlignment = 128;

struct Port {
  size_t elements = 1;
  quant::Affine affine;
  // Where its codes are in the memory of all ports.
  size_t offset = 0;
  // Real numbers of an output.
  AlignedBuffer values;
};

// Tells nets, versions of the library and what it was asked for apart.
std::string CacheKey(const NetDef& net, const uint8_t* data, size_t data_size,
                     const std::string& version, int preference) {
  std::string text = version + '\n';
  const auto add = [&](const std::string& s) { text += s + '\n'; };
  const auto number = [&](int64_t n) { text += std::to_string(n) + ' '; };
  const auto real = [&](float f) {
    int32_t bits;
    std::memcpy(&bits, &f, sizeof bits);
    number(bits);
  };
  number(preference);
  for (const auto& op : net.ops) {
    add(op.type);
    for (const auto& name : op.inputs) add(name);
    for (const auto& name : op.outputs) add(name);
    for (const auto& argument : op.arguments) {
      add(argument.name + '=' + argument.s);
      number(argument.i);
    }
    for (const auto& shape : op.shapes) {
      for (const int64_t d : shape) number(d);
      text += ';';
    }
    for (const auto& info : op.quantize_info) {
      real(info.scale);
      number(info.zero_point);
    }
  }
  for (const auto& constant : net.tensors) {
    add(constant.name);
    for (const int64_t d : constant.dims) number(d);
    number(constant.type);
    number(constant.offset);
    real(constant.scale);
    number(constant.zero_point);
  }
  for (const auto* ports : {&net.inputs, &net.outputs}) {
    for (const auto& port : *ports) {
      add(port.name);
      for (const int64_t d : port.dims) number(d);
      text += ';';
      real(port.scale);
      number(port.zero_point);
    }
  }
  number(net.data_offset);
  text += runtime::Sha256(data, data_size);
  const std::string key = runtime::Sha256(text.data(), text.size());
  // As many characters as the file's head has room for.
  return key.substr(0, 32);
}

class ApuExecutor : public runtime::Executor {
 public:
  explicit ApuExecutor(std::unique_ptr<NeuronLibrary> library) : library_(std::move(library)) {}
  ~ApuExecutor() override { Release(); }

  Status Prepare(const NetDef& net, const uint8_t* data, size_t data_size,
                 const runtime::AcceleratorOptions& options);
  Status Run(const void* const* inputs, runtime::Observer* observer) override;
  const void* output(size_t i) const override { return outputs_[i].values.data(); }

 private:
  Status AddPorts(const std::vector<PortDef>& defs, bool input, std::vector<Port>* ports);
  Status AllocatePorts();
  Status SetPorts(NeuronExecution* execution);
  Status Compile(const NetDef& net, const uint8_t* data, size_t data_size);
  Status Load(const std::string& path, const std::string& key);
  Status Store(const std::string& path, const std::string& key);
  Status Execute(NeuronExecution* execution);
  void Release();

  std::unique_ptr<NeuronLibrary> library_;
  NeuronModel* model_ = nullptr;
  NeuronCompilation* compilation_ = nullptr;
  int boost_hint_ = 100, preference_ = 1;
  std::vector<Port> inputs_, outputs_;
  // Codes of all ports, one after the other: memory that the device shares where library and kernel
  // have such memory, else this process's own.
  size_t codes_size_ = 0;
  SharedMemory shared_;
  NeuronMemory* memory_ = nullptr;
  AlignedBuffer own_;
  uint8_t* codes_ = nullptr;
};

void ApuExecutor::Release() {
  if (memory_ != nullptr) library_->memory_free(memory_);
  memory_ = nullptr;
  if (compilation_ != nullptr) library_->compilation_free(compilation_);
  if (model_ != nullptr) library_->model_free(model_);
  compilation_ = nullptr;
  model_ = nullptr;
}

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
    port.elements = static_cast<size_t>(elements);
    port.affine.scale = def.scale;
    port.affine.zero_point = static_cast<int32_t>(def.zero_point);
    if (port.elements > INT32_MAX / sizeof(float)) {
      return diagnostics::ApuMemory("the tensor '" + def.name + "' has " +
                                    std::to_string(port.elements) + " elements");
    }
    port.offset = codes_size_;
    codes_size_ += (port.elements + kPortAlignment - 1) / kPortAlignment * kPortAlignment;
    if (!input && !port.values.Allocate(port.elements * sizeof(float))) {
      return diagnostics::ApuMemory("the tensor '" + def.name + "' has " +
                                    std::to_string(port.elements) + " elements");
    }
    ports->push_back(std::move(port));
  }
  return Status();
}

Status ApuExecutor::AllocatePorts() {
  if (library_->memory_create != nullptr && shared_.Allocate(codes_size_)) {
    const int result = library_->memory_create(codes_size_, PROT_READ | PROT_WRITE,
                                               shared_.descriptor(), 0, &memory_);
    if (result == NEURON_NO_ERROR) {
      codes_ = shared_.data();
      return Status();
    }
    // A driver that takes other descriptors only.
    memory_ = nullptr;
  }
  if (!own_.Allocate(codes_size_)) {
    return diagnostics::ApuMemory(std::to_string(codes_size_) + " bytes");
  }
  codes_ = own_.as<uint8_t>();
  return Status();
}

Status ApuExecutor::Compile(const NetDef& net, const uint8_t* data, size_t data_size) {
  int result = library_->model_create(&model_);
  if (result != NEURON_NO_ERROR) {
    model_ = nullptr;
    return NeuronFailed("NeuronModel_create", result);
  }
  MACE_RETURN_IF_ERROR(ModelBuilder(*library_, model_, net, data, data_size).Build());
  result = library_->compilation_create(model_, &compilation_);
  if (result != NEURON_NO_ERROR) {
    compilation_ = nullptr;
    return NeuronFailed("NeuronCompilation_create", result);
  }
  if (library_->set_preference != nullptr) {
    result = library_->set_preference(compilation_, preference_);
    if (result != NEURON_NO_ERROR) {
      return NeuronFailed("NeuronCompilation_setPreference", result);
    }
  }
  result = library_->compilation_finish(compilation_);
  if (result != NEURON_NO_ERROR) return NeuronFailed("NeuronCompilation_finish", result);
  return Status();
}

Status ApuExecutor::Load(const std::string& path, const std::string& key) {
  if (library_->restore == nullptr) return diagnostics::ApuNoCache(library_->name());
  runtime::MappedFile file;
  MACE_RETURN_IF_ERROR(file.Open(path));
  const char* bytes = static_cast<const char*>(file.data());
  if (file.size() <= kCacheHead || (kCacheMagic + key).compare(0, kCacheHead, bytes, kCacheHead)) {
    return diagnostics::ApuCache(path, "it is of another model or another version of the library");
  }
  const int result =
      library_->restore(&model_, &compilation_, bytes + kCacheHead, file.size() - kCacheHead);
  if (result != NEURON_NO_ERROR) {
    model_ = nullptr;
    compilation_ = nullptr;
    return diagnostics::ApuCache(
        path, "NeuronModel_restoreFromCompiledNetwork gives " + std::to_string(result));
  }
  return Status();
}

Status ApuExecutor::Store(const std::string& path, const std::string& key) {
  if (library_->compiled_size == nullptr || library_->store == nullptr) {
    return diagnostics::ApuNoCache(library_->name());
  }
  size_t size = 0;
  int result = library_->compiled_size(compilation_, &size);
  if (result != NEURON_NO_ERROR || size > INT32_MAX) {
    return NeuronFailed("NeuronCompilation_getCompiledNetworkSize", result);
  }
  std::string bytes = kCacheMagic + key;
  bytes.resize(kCacheHead + size);
  result = library_->store(compilation_, &bytes[kCacheHead], size);
  if (result != NEURON_NO_ERROR) {
    return NeuronFailed("NeuronCompilation_storeCompiledNetwork", result);
  }
  return runtime::WriteFile(path, bytes);
}

Status ApuExecutor::Prepare(const NetDef& net, const uint8_t* data, size_t data_size,
                            const runtime::AcceleratorOptions& options) {
  if (net.ops.empty() || net.inputs.empty() || net.outputs.empty()) {
    return diagnostics::ApuNet("it has no operators, inputs or outputs");
  }
  if (options.boost_hint < 0 || options.boost_hint > 100 ||
      options.preference < NEURON_PREFER_LOW_POWER ||
      options.preference > NEURON_PREFER_SUSTAINED_SPEED) {
    return diagnostics::ApuHints(options.boost_hint, options.preference);
  }
  boost_hint_ = options.boost_hint;
  preference_ = options.preference;
  const int policy = options.cache_policy;
  const bool loads = policy == kLoad || policy == kLoadOrStore;
  const bool stores = policy == kStore || policy == kLoadOrStore;
  if (policy < kNone || policy > kLoadOrStore || (loads && options.cache_file.empty()) ||
      (stores && options.cache_storage.empty())) {
    return diagnostics::ApuCachePolicy(policy);
  }
  MACE_RETURN_IF_ERROR(AddPorts(net.inputs, true, &inputs_));
  MACE_RETURN_IF_ERROR(AddPorts(net.outputs, false, &outputs_));
  MACE_RETURN_IF_ERROR(AllocatePorts());
  const std::string key =
      policy == kNone ? "" : CacheKey(net, data, data_size, library_->version(), preference_);
  if (loads) {
    const Status loaded = Load(options.cache_file, key);
    if (loaded.ok() || policy == kLoad) return loaded;
  }
  MACE_RETURN_IF_ERROR(Compile(net, data, data_size));
  return stores ? Store(options.cache_storage, key) : Status();
}

Status ApuExecutor::SetPorts(NeuronExecution* execution) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Port& port = inputs_[i];
    const int result =
        memory_ != nullptr
            ? library_->set_input_from_memory(execution, static_cast<uint32_t>(i), nullptr, memory_,
                                              port.offset, port.elements)
            : library_->set_input(execution, static_cast<int32_t>(i), nullptr, codes_ + port.offset,
                                  port.elements);
    if (result != NEURON_NO_ERROR) {
      return NeuronFailed(
          memory_ != nullptr ? "NeuronExecution_setInputFromMemory" : "NeuronExecution_setInput",
          result);
    }
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const Port& port = outputs_[i];
    const int result =
        memory_ != nullptr
            ? library_->set_output_from_memory(execution, static_cast<uint32_t>(i), nullptr,
                                               memory_, port.offset, port.elements)
            : library_->set_output(execution, static_cast<int32_t>(i), nullptr,
                                   codes_ + port.offset, port.elements);
    if (result != NEURON_NO_ERROR) {
      return NeuronFailed(
          memory_ != nullptr ? "NeuronExecution_setOutputFromMemory" : "NeuronExecution_setOutput",
          result);
    }
  }
  return Status();
}

Status ApuExecutor::Execute(NeuronExecution* execution) {
  if (library_->set_boost_hint != nullptr) {
    const int result = library_->set_boost_hint(execution, static_cast<uint8_t>(boost_hint_));
    if (result != NEURON_NO_ERROR) {
      return NeuronFailed("NeuronExecution_setBoostHint", result);
    }
  }
  MACE_RETURN_IF_ERROR(SetPorts(execution));
  const int result = library_->compute(execution);
  return result == NEURON_NO_ERROR ? Status() : NeuronFailed("NeuronExecution_compute", result);
}

Status ApuExecutor::Run(const void* const* inputs, runtime::Observer*) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    Port& port = inputs_[i];
    const float* values = static_cast<const float*>(inputs[i]);
    uint8_t* codes = codes_ + port.offset;
    for (size_t k = 0; k < port.elements; ++k) {
      codes[k] = static_cast<uint8_t>(quant::Quantize(values[k], port.affine, 0, 255));
    }
  }
  // An execution runs once.
  NeuronExecution* execution = nullptr;
  const int result = library_->execution_create(compilation_, &execution);
  if (result != NEURON_NO_ERROR) return NeuronFailed("NeuronExecution_create", result);
  const Status executed = Execute(execution);
  library_->execution_free(execution);
  MACE_RETURN_IF_ERROR(executed);
  for (Port& port : outputs_) {
    const uint8_t* codes = codes_ + port.offset;
    float* values = port.values.as<float>();
    for (size_t k = 0; k < port.elements; ++k) {
      values[k] = quant::Dequantize(codes[k], port.affine);
    }
  }
  return Status();
}

}  // namespace

Status CreateApuExecutor(const NetDef& net, const uint8_t* data, size_t data_size,
                         const runtime::AcceleratorOptions& options,
                         std::unique_ptr<runtime::Executor>* executor) {
  std::unique_ptr<NeuronLibrary> library;
  MACE_RETURN_IF_ERROR(NeuronLibrary::Open(options, &library));
  auto made = std::make_unique<ApuExecutor>(std::move(library));
  MACE_RETURN_IF_ERROR(made->Prepare(net, data, data_size, options));
  *executor = std::move(made);
  return Status();
}

}  // namespace delegates
}  // namespace mace
