#include "mace/delegates/apu/neuron_library.h"

#include "mace/base/diagnostics.h"

namespace mace {
namespace delegates {

namespace {

// Names that devices give the library.
constexpr char kUsualName[] = "libneuron_adapter.so";
constexpr char kOtherName[] = "libneuronusdk_adapter.mtk.so";

}  // namespace

Status NeuronLibrary::Open(const runtime::AcceleratorOptions& options,
                           std::unique_ptr<NeuronLibrary>* library) {
  std::unique_ptr<SharedLibrary> loaded;
  if (!options.library.empty()) {
    MACE_RETURN_IF_ERROR(SharedLibrary::Open(options.library, &loaded));
  } else if (!SharedLibrary::Open(kOtherName, &loaded).ok()) {
    MACE_RETURN_IF_ERROR(SharedLibrary::Open(kUsualName, &loaded));
  }
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
