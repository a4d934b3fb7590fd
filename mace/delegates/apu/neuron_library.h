// The Neuron adapter's library: its functions, found at run time.
#ifndef MACE_DELEGATES_APU_NEURON_LIBRARY_H_
#define MACE_DELEGATES_APU_NEURON_LIBRARY_H_

#include <memory>
#include <string>
#include <utility>

#include "mace/base/status.h"
#include "mace/delegates/shared_library.h"
#include "third_party/apu/include/NeuronAdapter.h"

namespace mace {
namespace delegates {

// A call of the library that failed, with what its result means.
Status NeuronFailed(const std::string& function, int result);

class NeuronLibrary {
 public:
  // Takes a library that has been loaded.
  static Status Open(std::unique_ptr<SharedLibrary> loaded,
                     std::unique_ptr<NeuronLibrary>* library);

  const std::string& name() const { return library_->name(); }
  // "5.0.0", or "" where the library does not tell.
  const std::string& version() const { return version_; }

  decltype(&NeuronModel_create) model_create;
  decltype(&NeuronModel_free) model_free;
  decltype(&NeuronModel_finish) model_finish;
  decltype(&NeuronModel_addOperand) add_operand;
  decltype(&NeuronModel_setOperandValue) set_operand_value;
  decltype(&NeuronModel_addOperation) add_operation;
  decltype(&NeuronModel_identifyInputsAndOutputs) identify;
  decltype(&NeuronCompilation_create) compilation_create;
  decltype(&NeuronCompilation_free) compilation_free;
  decltype(&NeuronCompilation_finish) compilation_finish;
  decltype(&NeuronExecution_create) execution_create;
  decltype(&NeuronExecution_free) execution_free;
  decltype(&NeuronExecution_setInput) set_input;
  decltype(&NeuronExecution_setOutput) set_output;
  decltype(&NeuronExecution_compute) compute;
  // Null where the library is older than they are.
  decltype(&NeuronModel_getSupportedOperations) supported_operations;
  decltype(&NeuronModel_restoreFromCompiledNetwork) restore;
  decltype(&NeuronCompilation_setPreference) set_preference;
  decltype(&NeuronCompilation_getCompiledNetworkSize) compiled_size;
  decltype(&NeuronCompilation_storeCompiledNetwork) store;
  decltype(&NeuronExecution_setBoostHint) set_boost_hint;
  // Memory that the device shares: all of them or none.
  decltype(&NeuronMemory_createFromFd) memory_create = nullptr;
  decltype(&NeuronMemory_free) memory_free;
  decltype(&NeuronExecution_setInputFromMemory) set_input_from_memory;
  decltype(&NeuronExecution_setOutputFromMemory) set_output_from_memory;

 private:
  explicit NeuronLibrary(std::unique_ptr<SharedLibrary> library) : library_(std::move(library)) {}
  Status Resolve();

  std::unique_ptr<SharedLibrary> library_;
  std::string version_;
};

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_APU_NEURON_LIBRARY_H_
