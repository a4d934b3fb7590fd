#include "mace/delegates/apu/neuron_library.h"

#include "mace/base/diagnostics.h"

namespace mace {
namespace delegates {

namespace {

struct Meaning {
  int result;
  const char* text;
  // There was too little of something.
  bool resources;
};
constexpr Meaning kMeanings[] = {
    {NEURON_OUT_OF_MEMORY, "out of memory", true},
    {NEURON_INCOMPLETE, "incomplete", false},
    {NEURON_UNEXPECTED_NULL, "unexpected null", false},
    {NEURON_BAD_DATA, "bad data", false},
    {NEURON_OP_FAILED, "operation failed", false},
    {NEURON_UNMAPPABLE, "memory cannot be mapped", false},
    {NEURON_BAD_STATE, "bad state", false},
    {NEURON_BAD_VERSION, "bad version", false},
    {NEURON_OUTPUT_INSUFFICIENT_SIZE, "an output is larger than its buffer", false},
    {NEURON_UNAVAILABLE_DEVICE, "the device is not available", false},
    {NEURON_MISSED_DEADLINE_TRANSIENT, "deadline missed this time", false},
    {NEURON_MISSED_DEADLINE_PERSISTENT, "deadline missed", false},
    {NEURON_RESOURCE_EXHAUSTED_TRANSIENT, "resources exhausted for now", true},
    {NEURON_RESOURCE_EXHAUSTED_PERSISTENT, "resources exhausted", true},
    {NEURON_DEAD_OBJECT, "the driver has ended", false},
};

}  // namespace

Status NeuronFailed(const std::string& function, int result) {
  for (const Meaning& meaning : kMeanings) {
    if (meaning.result == result)
      return diagnostics::ApuCall(function, result, meaning.text, meaning.resources);
  }
  return diagnostics::ApuCall(function, result, "", false);
}

Status NeuronLibrary::Open(std::unique_ptr<SharedLibrary> loaded,
                           std::unique_ptr<NeuronLibrary>* library) {
  std::unique_ptr<NeuronLibrary> made(new NeuronLibrary(std::move(loaded)));
  MACE_RETURN_IF_ERROR(made->Resolve());
  *library = std::move(made);
  return Status();
}

Status NeuronLibrary::Resolve() {
  const SharedLibrary& l = *library_;
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronModel_create", &model_create));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronModel_free", &model_free));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronModel_finish", &model_finish));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronModel_addOperand", &add_operand));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronModel_setOperandValue", &set_operand_value));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronModel_addOperation", &add_operation));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronModel_identifyInputsAndOutputs", &identify));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronCompilation_create", &compilation_create));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronCompilation_free", &compilation_free));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronCompilation_finish", &compilation_finish));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronExecution_create", &execution_create));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronExecution_free", &execution_free));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronExecution_setInput", &set_input));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronExecution_setOutput", &set_output));
  MACE_RETURN_IF_ERROR(l.Resolve("NeuronExecution_compute", &compute));
  supported_operations = l.ResolveOptional<decltype(NeuronModel_getSupportedOperations)>(
      "NeuronModel_getSupportedOperations");
  restore = l.ResolveOptional<decltype(NeuronModel_restoreFromCompiledNetwork)>(
      "NeuronModel_restoreFromCompiledNetwork");
  set_preference = l.ResolveOptional<decltype(NeuronCompilation_setPreference)>(
      "NeuronCompilation_setPreference");
  compiled_size = l.ResolveOptional<decltype(NeuronCompilation_getCompiledNetworkSize)>(
      "NeuronCompilation_getCompiledNetworkSize");
  store = l.ResolveOptional<decltype(NeuronCompilation_storeCompiledNetwork)>(
      "NeuronCompilation_storeCompiledNetwork");
  set_boost_hint =
      l.ResolveOptional<decltype(NeuronExecution_setBoostHint)>("NeuronExecution_setBoostHint");
  memory_free = l.ResolveOptional<decltype(NeuronMemory_free)>("NeuronMemory_free");
  set_input_from_memory = l.ResolveOptional<decltype(NeuronExecution_setInputFromMemory)>(
      "NeuronExecution_setInputFromMemory");
  set_output_from_memory = l.ResolveOptional<decltype(NeuronExecution_setOutputFromMemory)>(
      "NeuronExecution_setOutputFromMemory");
  if (memory_free != nullptr && set_input_from_memory != nullptr &&
      set_output_from_memory != nullptr) {
    memory_create =
        l.ResolveOptional<decltype(NeuronMemory_createFromFd)>("NeuronMemory_createFromFd");
  }
  const auto get_version = l.ResolveOptional<decltype(Neuron_getVersion)>("Neuron_getVersion");
  NeuronRuntimeVersion version = {};
  if (get_version != nullptr && get_version(&version) == NEURON_NO_ERROR) {
    version_ = std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
               std::to_string(version.patch);
  }
  return Status();
}

}  // namespace delegates
}  // namespace mace
