// Interface of Qualcomm's nnlib as its controller library exports it: names, signatures, layouts
// and values of the published interface, as far as a program that builds and runs graphs needs
// them.
#ifndef THIRD_PARTY_NNLIB_INCLUDE_HEXAGON_NN_H_
#define THIRD_PARTY_NNLIB_INCLUDE_HEXAGON_NN_H_

#ifdef __cplusplus
extern "C" {
#endif

typedef int hexagon_nn_nn_id;

// Output `output_idx` of the node `src_id`.
typedef struct hexagon_nn_input {
  unsigned int src_id;
  unsigned int output_idx;
} hexagon_nn_input;

// Room for an output: up to eight dimensions and the bytes of an element.
typedef struct hexagon_nn_output {
  unsigned int rank;
  unsigned int max_sizes[8];
  unsigned int elementsize;
  int zero_offset;
  float stepsize;
} hexagon_nn_output;

// Counter of one node since it was reset.
typedef struct hexagon_nn_perfinfo {
  unsigned int node_id;
  unsigned int node_type;
  unsigned int executions;
  unsigned int unused;
  unsigned int counter_lo;
  unsigned int counter_hi;
} hexagon_nn_perfinfo;

typedef enum hexagon_nn_padding_type {
  NN_PAD_NA = 0,
  NN_PAD_SAME = 1,
  NN_PAD_VALID = 2,
  NN_PAD_MIRROR_REFLECT = 3,
  NN_PAD_MIRROR_SYMMETRIC = 4,
  NN_PAD_SAME_CAFFE = 5,
  _32BIT_PLACEHOLDER_hexagon_nn_padding_type = 0x7fffffff
} hexagon_nn_padding_type;

typedef enum hexagon_nn_corner_type {
  NN_CORNER_RELEASE = 0,
  NN_CORNER_TURBO = 1,
  NN_CORNER_NOMPLUS = 2,
  NN_CORNER_NOMINAL = 3,
  NN_CORNER_SVSPLUS = 4,
  NN_CORNER_SVS = 5,
  NN_CORNER_SVS2 = 6,
  _32BIT_PLACEHOLDER_hexagon_nn_corner_type = 0x7fffffff
} hexagon_nn_corner_type;

typedef enum hexagon_nn_dcvs_type {
  NN_DCVS_DEFAULT = 0,
  NN_DCVS_ENABLE = 1,
  NN_DCVS_DISABLE = 2,
  _32BIT_PLACEHOLDER_hexagon_nn_dcvs_type = 0x7fffffff
} hexagon_nn_dcvs_type;

// What hexagon_nn_reset_perfinfo makes nodes count.
enum {
  NN_GRAPH_PERFEVENT_CYCLES = 0,
  NN_GRAPH_PERFEVENT_USER0 = 1,
  NN_GRAPH_PERFEVENT_USER1 = 2,
  NN_GRAPH_PERFEVENT_HWPMU = 3,
  NN_GRAPH_PERFEVENT_UTIME = 5
};

typedef struct hexagon_nn_tensordef {
  unsigned int batches;
  unsigned int height;
  unsigned int width;
  unsigned int depth;
  unsigned char* data;
  int dataLen;
  unsigned int data_valid_len;
  unsigned int unused;
} hexagon_nn_tensordef;

typedef struct hexagon_nn_op_node {
  unsigned int node_id;
  unsigned int operation;
  hexagon_nn_padding_type padding;
  hexagon_nn_input* inputs;
  int inputsLen;
  hexagon_nn_output* outputs;
  int outputsLen;
} hexagon_nn_op_node;

typedef struct hexagon_nn_const_node {
  unsigned int node_id;
  hexagon_nn_tensordef tensor;
} hexagon_nn_const_node;

// All functions return 0 for success.

int hexagon_nn_config(void);
int hexagon_nn_version(int* version);
int hexagon_nn_init(hexagon_nn_nn_id* id);
int hexagon_nn_set_debug_level(hexagon_nn_nn_id id, int level);
int hexagon_nn_snpprint(hexagon_nn_nn_id id, unsigned char* buffer, int bufferLen);
// Text logged since the last call.
int hexagon_nn_getlog(hexagon_nn_nn_id id, unsigned char* buffer, int bufferLen);

int hexagon_nn_append_node(hexagon_nn_nn_id id, unsigned int node_id, unsigned int operation,
                           hexagon_nn_padding_type padding, const hexagon_nn_input* inputs,
                           int inputsLen, const hexagon_nn_output* outputs, int outputsLen);
int hexagon_nn_append_const_node(hexagon_nn_nn_id id, unsigned int node_id, unsigned int batches,
                                 unsigned int height, unsigned int width, unsigned int depth,
                                 const unsigned char* data, int dataLen);
int hexagon_nn_append_node_list(hexagon_nn_nn_id id, const hexagon_nn_op_node* nodes, int nodesLen);
int hexagon_nn_append_const_node_list(hexagon_nn_nn_id id, const hexagon_nn_const_node* nodes,
                                      int nodesLen);
int hexagon_nn_prepare(hexagon_nn_nn_id id);
int hexagon_nn_execute(hexagon_nn_nn_id id, unsigned int batches_in, unsigned int height_in,
                       unsigned int width_in, unsigned int depth_in, const unsigned char* data_in,
                       int data_inLen, unsigned int* batches_out, unsigned int* height_out,
                       unsigned int* width_out, unsigned int* depth_out, unsigned char* data_out,
                       int data_outLen, unsigned int* data_len_out);
int hexagon_nn_execute_new(hexagon_nn_nn_id id, const hexagon_nn_tensordef* inputs, int inputsLen,
                           hexagon_nn_tensordef* outputs, int outputsLen);
int hexagon_nn_teardown(hexagon_nn_nn_id id);

int hexagon_nn_set_powersave_level(unsigned int level);
int hexagon_nn_set_powersave_details(hexagon_nn_corner_type corner, hexagon_nn_dcvs_type dcvs,
                                     unsigned int latency_us);
int hexagon_nn_set_clocks(hexagon_nn_corner_type corner, hexagon_nn_dcvs_type dcvs,
                          unsigned int latency_us);
int hexagon_nn_remove_clocks(void);
int hexagon_nn_disable_dcvs(void);

int hexagon_nn_get_perfinfo(hexagon_nn_nn_id id, hexagon_nn_perfinfo* infos, int infosLen,
                            unsigned int* count);
int hexagon_nn_reset_perfinfo(hexagon_nn_nn_id id, unsigned int event);
int hexagon_nn_last_execution_cycles(hexagon_nn_nn_id id, unsigned int* low, unsigned int* high);
int hexagon_nn_get_nodetype(hexagon_nn_nn_id id, unsigned int node_id, unsigned int* operation);

// Numbers of operators differ between releases; names do not.
int hexagon_nn_op_name_to_id(const char* name, unsigned int* operation);
int hexagon_nn_op_id_to_name(unsigned int operation, char* name, int nameLen);

#ifdef __cplusplus
}
#endif

#endif  // THIRD_PARTY_NNLIB_INCLUDE_HEXAGON_NN_H_
