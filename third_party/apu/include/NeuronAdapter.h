// The interface of MediaTek's Neuron adapter, as far as this project uses it: names, signatures,
// layouts and values as published. Types and operations are numbered as in Android's NNAPI.
#ifndef THIRD_PARTY_APU_INCLUDE_NEURONADAPTER_H_
#define THIRD_PARTY_APU_INCLUDE_NEURONADAPTER_H_

#include <stddef.h>
#include <stdint.h>
#ifndef __cplusplus
#include <stdbool.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  NEURON_NO_ERROR = 0,
  NEURON_OUT_OF_MEMORY = 1,
  NEURON_INCOMPLETE = 2,
  NEURON_UNEXPECTED_NULL = 3,
  NEURON_BAD_DATA = 4,
  NEURON_OP_FAILED = 5,
  NEURON_UNMAPPABLE = 6,
  NEURON_BAD_STATE = 7,
  NEURON_BAD_VERSION = 8,
  NEURON_OUTPUT_INSUFFICIENT_SIZE = 9,
  NEURON_UNAVAILABLE_DEVICE = 10,
  NEURON_MISSED_DEADLINE_TRANSIENT = 11,
  NEURON_MISSED_DEADLINE_PERSISTENT = 12,
  NEURON_RESOURCE_EXHAUSTED_TRANSIENT = 13,
  NEURON_RESOURCE_EXHAUSTED_PERSISTENT = 14,
  NEURON_DEAD_OBJECT = 15,
} NeuronAdapterResultCode;

// Types of operands. Scalars have no dimensions; a BOOL is one byte.
typedef enum {
  NEURON_FLOAT32 = 0,
  NEURON_INT32 = 1,
  NEURON_UINT32 = 2,
  NEURON_TENSOR_FLOAT32 = 3,
  NEURON_TENSOR_INT32 = 4,
  NEURON_TENSOR_QUANT8_ASYMM = 5,
  NEURON_BOOL = 6,
  NEURON_TENSOR_QUANT16_SYMM = 7,
  NEURON_TENSOR_FLOAT16 = 8,
  NEURON_TENSOR_BOOL8 = 9,
  NEURON_FLOAT16 = 10,
  NEURON_TENSOR_QUANT8_SYMM_PER_CHANNEL = 11,
  NEURON_TENSOR_QUANT16_ASYMM = 12,
  NEURON_TENSOR_QUANT8_SYMM = 13,
  NEURON_TENSOR_QUANT8_ASYMM_SIGNED = 14,
} NeuronOperandCode;

typedef int NeuronOperationType;

// Kinds of operations; those that this project does not use are left out.
enum {
  NEURON_ADD = 0,
  NEURON_AVERAGE_POOL_2D = 1,
  NEURON_CONCATENATION = 2,
  NEURON_CONV_2D = 3,
  NEURON_DEPTHWISE_CONV_2D = 4,
  NEURON_DEPTH_TO_SPACE = 5,
  NEURON_FULLY_CONNECTED = 9,
  NEURON_LOGISTIC = 14,
  NEURON_MAX_POOL_2D = 17,
  NEURON_MUL = 18,
  NEURON_RELU = 19,
  NEURON_RELU1 = 20,
  NEURON_RELU6 = 21,
  NEURON_RESHAPE = 22,
  NEURON_RESIZE_BILINEAR = 23,
  NEURON_SOFTMAX = 25,
  NEURON_SPACE_TO_DEPTH = 26,
  NEURON_TANH = 28,
  NEURON_MEAN = 31,
  NEURON_PAD = 32,
  NEURON_STRIDED_SLICE = 35,
  NEURON_SUB = 36,
  NEURON_TRANSPOSE = 37,
  NEURON_MAXIMUM = 65,
  NEURON_MINIMUM = 66,
  NEURON_PRELU = 71,
  NEURON_SPLIT = 87,
  NEURON_TRANSPOSE_CONV_2D = 91,
  NEURON_RESIZE_NEAREST_NEIGHBOR = 94,
  NEURON_HARD_SWISH = 99,
};

// Activations that operations apply to their output.
enum {
  NEURON_FUSED_NONE = 0,
  NEURON_FUSED_RELU = 1,
  NEURON_FUSED_RELU1 = 2,
  NEURON_FUSED_RELU6 = 3
};

typedef enum {
  NEURON_PREFER_LOW_POWER = 0,
  NEURON_PREFER_FAST_SINGLE_ANSWER = 1,
  NEURON_PREFER_SUSTAINED_SPEED = 2,
  NEURON_PREFER_TURBO_BOOST = 3,
} NeuronAdapterPreferenceCode;

enum { NEURON_BYTE_SIZE_OF_CACHE_TOKEN = 32 };
// Values up to this size are copied by NeuronModel_setOperandValue; larger ones must outlive the
// model.
enum { NEURON_MAX_SIZE_OF_IMMEDIATELY_COPIED_VALUES = 128 };

typedef struct NeuronModel NeuronModel;
typedef struct NeuronCompilation NeuronCompilation;
typedef struct NeuronExecution NeuronExecution;
typedef struct NeuronMemory NeuronMemory;

typedef struct {
  int32_t type;  // a NeuronOperandCode
  uint32_t dimensionCount;
  const uint32_t* dimensions;
  float scale;
  int32_t zeroPoint;
} NeuronOperandType;

typedef struct {
  uint8_t major;
  uint8_t minor;
  uint8_t patch;
} NeuronRuntimeVersion;

int Neuron_getVersion(NeuronRuntimeVersion* version);

int NeuronModel_create(NeuronModel** model);
void NeuronModel_free(NeuronModel* model);
int NeuronModel_finish(NeuronModel* model);
int NeuronModel_addOperand(NeuronModel* model, const NeuronOperandType* type);
int NeuronModel_setOperandValue(NeuronModel* model, int32_t index, const void* buffer,
                                size_t length);
int NeuronModel_addOperation(NeuronModel* model, NeuronOperationType type, uint32_t inputCount,
                             const uint32_t* inputs, uint32_t outputCount, const uint32_t* outputs);
int NeuronModel_identifyInputsAndOutputs(NeuronModel* model, uint32_t inputCount,
                                         const uint32_t* inputs, uint32_t outputCount,
                                         const uint32_t* outputs);
int NeuronModel_relaxComputationFloat32toFloat16(NeuronModel* model, bool allow);
int NeuronModel_getSupportedOperations(NeuronModel* model, bool* supported,
                                       uint32_t operationCount);
// A model and its compilation from what storeCompiledNetwork wrote.
int NeuronModel_restoreFromCompiledNetwork(NeuronModel** model, NeuronCompilation** compilation,
                                           const void* buffer, const size_t size);

int NeuronCompilation_create(NeuronModel* model, NeuronCompilation** compilation);
void NeuronCompilation_free(NeuronCompilation* compilation);
int NeuronCompilation_setPreference(NeuronCompilation* compilation, int32_t preference);
int NeuronCompilation_setCaching(NeuronCompilation* compilation, const char* cacheDir,
                                 const uint8_t* token);
int NeuronCompilation_finish(NeuronCompilation* compilation);
int NeuronCompilation_getCompiledNetworkSize(NeuronCompilation* compilation, size_t* size);
int NeuronCompilation_storeCompiledNetwork(NeuronCompilation* compilation, void* buffer,
                                           const size_t size);

int NeuronExecution_create(NeuronCompilation* compilation, NeuronExecution** execution);
void NeuronExecution_free(NeuronExecution* execution);
int NeuronExecution_setInput(NeuronExecution* execution, int32_t index,
                             const NeuronOperandType* type, const void* buffer, size_t length);
int NeuronExecution_setOutput(NeuronExecution* execution, int32_t index,
                              const NeuronOperandType* type, void* buffer, size_t length);
int NeuronExecution_setInputFromMemory(NeuronExecution* execution, uint32_t index,
                                       const NeuronOperandType* type, const NeuronMemory* memory,
                                       size_t offset, size_t length);
int NeuronExecution_setOutputFromMemory(NeuronExecution* execution, uint32_t index,
                                        const NeuronOperandType* type, const NeuronMemory* memory,
                                        size_t offset, size_t length);
// 0 to 100.
int NeuronExecution_setBoostHint(NeuronExecution* execution, uint8_t boostValue);
int NeuronExecution_compute(NeuronExecution* execution);

int NeuronMemory_createFromFd(size_t size, int protect, int fd, size_t offset,
                              NeuronMemory** memory);
void NeuronMemory_free(NeuronMemory* memory);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // THIRD_PARTY_APU_INCLUDE_NEURONADAPTER_H_
