#include "mace/delegates/apu/neuron_network.h"

#include <sys/mman.h>

#include "mace/base/diagnostics.h"
#include "mace/delegates/apu/cache_key.h"
#include "mace/delegates/apu/neuron_model.h"
#include "mace/runtime/file.h"

namespace mace {
namespace delegates {

namespace {

// Before a compiled network in its file: what it is, and of which net and library.
constexpr size_t kCacheHead = sizeof kApuCacheMagic - 1 + kApuKeySize;

}  // namespace

NeuronNetwork::~NeuronNetwork() {
  if (memory_ != nullptr) library_->memory_free(memory_);
  if (compilation_ != nullptr) library_->compilation_free(compilation_);
  if (model_ != nullptr) library_->model_free(model_);
}

Status NeuronNetwork::Allocate(size_t size, uint8_t** codes) {
  if (library_->memory_create != nullptr && shared_.Allocate(size)) {
    const int result =
        library_->memory_create(size, PROT_READ | PROT_WRITE, shared_.descriptor(), 0, &memory_);
    if (result == NEURON_NO_ERROR) {
      *codes = codes_ = shared_.data();
      return Status();
    }
    // A driver that takes other descriptors only.
    memory_ = nullptr;
  }
  if (!own_.Allocate(size)) return diagnostics::ApuMemory(std::to_string(size) + " bytes");
  *codes = codes_ = own_.as<uint8_t>();
  return Status();
}

Status NeuronNetwork::Compile(const Request& request, const std::string& file,
                              const std::string& key) {
  Use(request);
  int result = library_->model_create(&model_);
  if (result != NEURON_NO_ERROR) {
    model_ = nullptr;
    return NeuronFailed("NeuronModel_create", result);
  }
  MACE_RETURN_IF_ERROR(NeuronModelBuilder(*library_, model_, request.graph).Build());
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
  return file.empty() ? Status() : Store(file, key);
}

Status NeuronNetwork::Load(const Request& request, const std::string& file,
                           const std::string& key) {
  Use(request);
  if (library_->restore == nullptr) return diagnostics::ApuNoCache(library_->name());
  runtime::MappedFile mapped;
  MACE_RETURN_IF_ERROR(mapped.Open(file));
  const char* bytes = static_cast<const char*>(mapped.data());
  if (mapped.size() <= kCacheHead ||
      (kApuCacheMagic + key).compare(0, kCacheHead, bytes, kCacheHead)) {
    return diagnostics::ApuCache(file, "it is of another model or another version of the library");
  }
  const int result =
      library_->restore(&model_, &compilation_, bytes + kCacheHead, mapped.size() - kCacheHead);
  if (result != NEURON_NO_ERROR) {
    model_ = nullptr;
    compilation_ = nullptr;
    return diagnostics::ApuCache(
        file, "NeuronModel_restoreFromCompiledNetwork gives " + std::to_string(result));
  }
  return Status();
}

Status NeuronNetwork::Store(const std::string& file, const std::string& key) {
  if (library_->compiled_size == nullptr || library_->store == nullptr) {
    return diagnostics::ApuNoCache(library_->name());
  }
  size_t size = 0;
  int result = library_->compiled_size(compilation_, &size);
  if (result != NEURON_NO_ERROR || size > INT32_MAX) {
    return NeuronFailed("NeuronCompilation_getCompiledNetworkSize", result);
  }
  std::string bytes = kApuCacheMagic + key;
  bytes.resize(kCacheHead + size);
  result = library_->store(compilation_, &bytes[kCacheHead], size);
  if (result != NEURON_NO_ERROR) {
    return NeuronFailed("NeuronCompilation_storeCompiledNetwork", result);
  }
  return runtime::WriteFile(file, bytes);
}

Status NeuronNetwork::SetPorts(NeuronExecution* execution) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const ApuPort& port = inputs_[i];
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
    const ApuPort& port = outputs_[i];
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

Status NeuronNetwork::Execute(NeuronExecution* execution) {
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

Status NeuronNetwork::Run() {
  // An execution runs once.
  NeuronExecution* execution = nullptr;
  const int result = library_->execution_create(compilation_, &execution);
  if (result != NEURON_NO_ERROR) return NeuronFailed("NeuronExecution_create", result);
  const Status executed = Execute(execution);
  library_->execution_free(execution);
  return executed;
}

}  // namespace delegates
}  // namespace mace
