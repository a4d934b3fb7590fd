// The interface of MediaTek's libapu-frontend.so, which APUs of the versions 1 to 3 in MACE's count
// have instead of the Neuron adapter, as far as this project uses it: names, signatures, layouts
// and values as they are in MACE's public repository, for 64-bit processors.
//
// The library exports a C++ class, ApuFrontend, whose objects hold one pointer. Members are
// functions whose first argument is the object, in the ABIs of arm64 and x86-64 alike: callers that
// load the library at run time find them by the names below and bring room for the object. A graph
// is given once, with the buffers that every run reads and writes.
#ifndef THIRD_PARTY_APU_INCLUDE_APUFRONTEND_H_
#define THIRD_PARTY_APU_INCLUDE_APUFRONTEND_H_

// Activations that an operator applies to its output; those of an operator "Activation", too.
enum apu_act_mode {
  APU_ACT_NONE = 0,
  APU_ACT_RELU = 1,
  APU_ACT_RELU6 = 2,
  // Not in version 1.
  APU_ACT_SIGMOID = 3,
  APU_ACT_TANH = 4,
};

// op_mode of "Pooling".
enum apu_pooling_mode {
  APU_POOLING_UNDEFINED = 0,
  APU_POOLING_AVG = 1,
  APU_POOLING_MAX = 2,
};

// op_mode of "Eltwise". MACE gives sums and products only.
enum apu_eltwise_mode {
  APU_ELTWISE_UNDEFINED = 0,
  APU_ELTWISE_ADD = 1,
  APU_ELTWISE_SUB = 2,
  APU_ELTWISE_MUL = 3,
  APU_ELTWISE_MIN = 4,
  APU_ELTWISE_MAX = 5,
};

enum apu_data_type {
  APU_DATA_TYPE_UNDEFINED = 0,
  APU_DATA_TYPE_FLOAT = 1,
  APU_DATA_TYPE_UINT8 = 2,
  APU_DATA_TYPE_HALF = 3,
  APU_DATA_TYPE_INT32 = 4,
  // Not in version 1.
  APU_DATA_TYPE_INT16 = 5,
};

enum apu_tensor_type {
  APU_TENSOR_UNDEFINED = 0,
  // Filters, biases and the like.
  APU_TENSOR_CONST_DATA = 1,
  // What operators have as numbers: strides, paddings, axes.
  APU_TENSOR_CONST_ARGUMENT = 2,
  APU_TENSOR_MODEL_INPUT = 3,
  APU_TENSOR_OP_OUTPUT = 4,
  // Not in version 1.
  APU_TENSOR_MODEL_OUTPUT = 5,
};

enum { APU_TENSOR_MAX_DIMS = 4, APU_OP_TYPE_MAX_SIZE = 32 };

struct apu_tensor {
  // Tells the tensors of a graph apart; operators name theirs by it.
  int tensor_id;
  apu_tensor_type tensor_type;
  apu_data_type data_type;
  float scale;
  int zero_point;
  int dims[APU_TENSOR_MAX_DIMS];
  int dim_size;
  // Value of a constant, or where a run reads an input or writes an output; null between operators.
  void* data_buf;
};

struct apu_operator {
  // The name, ended by a zero.
  char type[APU_OP_TYPE_MAX_SIZE];
  // Operands in the order that the kind of operator has, its numbers behind the tensors.
  int* input_ids;
  int input_size;
  apu_tensor output;
  // Of "Pooling" and "Eltwise".
  int op_mode;
  apu_act_mode act_mode;
};

// ApuFrontend::ApuFrontend() and ~ApuFrontend(): the object is at `self`, whoever made room there.
typedef void ApuFrontend_Construct(void* self);
typedef void ApuFrontend_Destroy(void* self);

// ApuFrontend::InitGraph of version 1: constants, inputs, ids and buffers of the outputs, operators
// in the order they run.
typedef bool ApuFrontend_InitGraphV1(void* self, int const_count, const apu_tensor* consts,
                                     int input_count, const apu_tensor* inputs, int output_count,
                                     const int* output_ids, void** output_buffers,
                                     int operator_count, const apu_operator* operators,
                                     bool print_model);

// ApuFrontend::InitGraph of the versions 2 and 3. With `store`, the compiled graph is written to
// the file as well; with `load` it comes from there, and constants and operators are none.
typedef bool ApuFrontend_InitGraphV2(void* self, int const_count, const apu_tensor* consts,
                                     int input_count, const apu_tensor* inputs, int output_count,
                                     const apu_tensor* outputs, int operator_count,
                                     const apu_operator* operators, bool print_model,
                                     const char* file_name, bool load, bool store);

// ApuFrontend::RunGraph and UninitGraph.
typedef bool ApuFrontend_RunGraph(void* self);
typedef bool ApuFrontend_UninitGraph(void* self);

// What the functions are called in libraries.
#define APU_FRONTEND_CONSTRUCT "_ZN11ApuFrontendC1Ev"
#define APU_FRONTEND_DESTROY "_ZN11ApuFrontendD1Ev"
#define APU_FRONTEND_INIT_GRAPH_V1 \
  "_ZN11ApuFrontend9InitGraphEiPK10apu_tensoriS2_iPKiPPviPK12apu_operatorb"
#define APU_FRONTEND_INIT_GRAPH_V2 \
  "_ZN11ApuFrontend9InitGraphEiPK10apu_tensoriS2_iS2_iPK12apu_operatorbPKcbb"
#define APU_FRONTEND_RUN_GRAPH "_ZN11ApuFrontend8RunGraphEv"
#define APU_FRONTEND_UNINIT_GRAPH "_ZN11ApuFrontend11UninitGraphEv"

#endif  // THIRD_PARTY_APU_INCLUDE_APUFRONTEND_H_
