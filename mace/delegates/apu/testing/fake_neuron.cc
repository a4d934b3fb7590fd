// A library with the Neuron adapter's interface that does nothing, fails where it is told to, and
// counts.
#include <cstring>

#include "third_party/apu/include/NeuronAdapter.h"

extern "C" {

// Tests set these, by name: the function that fails, or null; how; whether operations are
// supported.
const char* fake_neuron_fails = nullptr;
int fake_neuron_result = NEURON_OP_FAILED;
bool fake_neuron_supports = true;
// What there is of models, compilations and executions; the last hints.
int fake_neuron_objects = 0, fake_neuron_boost = -1, fake_neuron_preference = -1;
// Networks that were restored, tensors that were set in shared memory.
int fake_neuron_restored = 0, fake_neuron_shared = 0;

static int Result(const char* function) {
  const bool fails = fake_neuron_fails != nullptr && std::strcmp(function, fake_neuron_fails) == 0;
  return fails ? fake_neuron_result : NEURON_NO_ERROR;
}

static char fake_object;

extern "C++" {
template <typename T>
static int Make(const char* function, T** object) {
  const int result = Result(function);
  if (result != NEURON_NO_ERROR) return result;
  ++fake_neuron_objects;
  *object = reinterpret_cast<T*>(&fake_object);
  return NEURON_NO_ERROR;
}
}

int NeuronModel_create(NeuronModel** model) { return Make("NeuronModel_create", model); }
void NeuronModel_free(NeuronModel*) { --fake_neuron_objects; }
int NeuronModel_finish(NeuronModel*) { return Result("NeuronModel_finish"); }
int NeuronModel_addOperand(NeuronModel*, const NeuronOperandType*) {
  return Result("NeuronModel_addOperand");
}
int NeuronModel_setOperandValue(NeuronModel*, int32_t, const void*, size_t) {
  return Result("NeuronModel_setOperandValue");
}
int NeuronModel_addOperation(NeuronModel*, NeuronOperationType, uint32_t, const uint32_t*, uint32_t,
                             const uint32_t*) {
  return Result("NeuronModel_addOperation");
}
int NeuronModel_identifyInputsAndOutputs(NeuronModel*, uint32_t, const uint32_t*, uint32_t,
                                         const uint32_t*) {
  return Result("NeuronModel_identifyInputsAndOutputs");
}
int NeuronModel_getSupportedOperations(NeuronModel*, bool* supported, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) supported[i] = fake_neuron_supports;
  return Result("NeuronModel_getSupportedOperations");
}
int NeuronModel_restoreFromCompiledNetwork(NeuronModel** model, NeuronCompilation** compilation,
                                           const void* buffer, const size_t size) {
  if (size != 3 || std::memcmp(buffer, "net", 3) != 0) return NEURON_BAD_DATA;
  const int result = Make("NeuronModel_restoreFromCompiledNetwork", model);
  if (result != NEURON_NO_ERROR) return result;
  ++fake_neuron_restored;
  return Make("", compilation);
}
int NeuronCompilation_create(NeuronModel*, NeuronCompilation** compilation) {
  return Make("NeuronCompilation_create", compilation);
}
void NeuronCompilation_free(NeuronCompilation*) { --fake_neuron_objects; }
int NeuronCompilation_setPreference(NeuronCompilation*, int32_t preference) {
  fake_neuron_preference = preference;
  return Result("NeuronCompilation_setPreference");
}
int NeuronCompilation_finish(NeuronCompilation*) { return Result("NeuronCompilation_finish"); }
int NeuronCompilation_getCompiledNetworkSize(NeuronCompilation*, size_t* size) {
  *size = 3;
  return Result("NeuronCompilation_getCompiledNetworkSize");
}
int NeuronCompilation_storeCompiledNetwork(NeuronCompilation*, void* buffer, const size_t size) {
  std::memcpy(buffer, "net", size);
  return Result("NeuronCompilation_storeCompiledNetwork");
}
int NeuronExecution_create(NeuronCompilation*, NeuronExecution** execution) {
  return Make("NeuronExecution_create", execution);
}
void NeuronExecution_free(NeuronExecution*) { --fake_neuron_objects; }
int NeuronExecution_setInput(NeuronExecution*, int32_t, const NeuronOperandType*, const void*,
                             size_t) {
  return Result("NeuronExecution_setInput");
}
int NeuronExecution_setOutput(NeuronExecution*, int32_t, const NeuronOperandType*, void* buffer,
                              size_t length) {
  std::memset(buffer, 0, length);
  return Result("NeuronExecution_setOutput");
}
int NeuronExecution_setInputFromMemory(NeuronExecution*, uint32_t, const NeuronOperandType*,
                                       const NeuronMemory*, size_t, size_t) {
  ++fake_neuron_shared;
  return Result("NeuronExecution_setInputFromMemory");
}
int NeuronExecution_setOutputFromMemory(NeuronExecution*, uint32_t, const NeuronOperandType*,
                                        const NeuronMemory*, size_t, size_t) {
  ++fake_neuron_shared;
  return Result("NeuronExecution_setOutputFromMemory");
}
int NeuronMemory_createFromFd(size_t, int, int, size_t, NeuronMemory** memory) {
  return Make("NeuronMemory_createFromFd", memory);
}
void NeuronMemory_free(NeuronMemory*) { --fake_neuron_objects; }
int NeuronExecution_setBoostHint(NeuronExecution*, uint8_t boost) {
  fake_neuron_boost = boost;
  return Result("NeuronExecution_setBoostHint");
}
int NeuronExecution_compute(NeuronExecution*) { return Result("NeuronExecution_compute"); }

}  // extern "C"
