// A library with nnlib's interface that does nothing, fails where it is told to, and counts.
#include <cstring>

#include "third_party/nnlib/include/hexagon_nn.h"
#include "third_party/nnlib/include/hexnn_dsp_controller.h"

extern "C" {

// Tests set these, by name. The function that fails, or null; with what; what the log says; the
// version.
const char* fake_nnlib_fails = nullptr;
int fake_nnlib_result = -7;
const char* fake_nnlib_log = "";
int fake_nnlib_version = 0x00020000;
// What was called: graphs that are there, clocks that are set, requests for an unsigned domain,
// greatest lists.
int fake_nnlib_graphs = 0, fake_nnlib_clocks = 0, fake_nnlib_requests = 0;
int fake_nnlib_most_consts = 0, fake_nnlib_most_nodes = 0, fake_nnlib_consts = 0,
    fake_nnlib_nodes = 0;
// Rows of every output.
unsigned fake_nnlib_height = 1;
// Calls that were made before the first request for an unsigned domain.
int fake_nnlib_before_request = 0;
// The last clocks: corner, DCVS, latency.
int fake_nnlib_corner = -1, fake_nnlib_dcvs = -1;
unsigned fake_nnlib_latency = 0;

static int Result(const char* function) {
  if (fake_nnlib_requests == 0) ++fake_nnlib_before_request;
  const bool fails = fake_nnlib_fails != nullptr && std::strcmp(function, fake_nnlib_fails) == 0;
  return fails ? fake_nnlib_result : 0;
}

int hexnn_controller_request_unsigned_pd(void) {
  ++fake_nnlib_requests;
  return Result("hexnn_controller_request_unsigned_pd");
}
int hexagon_nn_config(void) { return Result("hexagon_nn_config"); }
int hexagon_nn_version(int* version) {
  *version = fake_nnlib_version;
  return Result("hexagon_nn_version");
}
int hexagon_nn_init(hexagon_nn_nn_id* id) {
  *id = 1;
  const int result = Result("hexagon_nn_init");
  if (result == 0) ++fake_nnlib_graphs;
  return result;
}
int hexagon_nn_teardown(hexagon_nn_nn_id) {
  --fake_nnlib_graphs;
  return Result("hexagon_nn_teardown");
}
int hexagon_nn_getlog(hexagon_nn_nn_id, unsigned char* buffer, int length) {
  std::strncpy(reinterpret_cast<char*>(buffer), fake_nnlib_log, static_cast<size_t>(length));
  return Result("hexagon_nn_getlog");
}
int hexagon_nn_append_const_node_list(hexagon_nn_nn_id, const hexagon_nn_const_node*, int count) {
  if (count > fake_nnlib_most_consts) fake_nnlib_most_consts = count;
  fake_nnlib_consts += count;
  return Result("hexagon_nn_append_const_node_list");
}
int hexagon_nn_append_node_list(hexagon_nn_nn_id, const hexagon_nn_op_node*, int count) {
  if (count > fake_nnlib_most_nodes) fake_nnlib_most_nodes = count;
  fake_nnlib_nodes += count;
  return Result("hexagon_nn_append_node_list");
}
int hexagon_nn_prepare(hexagon_nn_nn_id) { return Result("hexagon_nn_prepare"); }
int hexagon_nn_execute_new(hexagon_nn_nn_id, const hexagon_nn_tensordef* inputs, int,
                           hexagon_nn_tensordef* outputs, int count) {
  for (int i = 0; i < count; i += 4) {
    outputs[i].batches = inputs[0].batches;
    outputs[i].height = fake_nnlib_height;
    outputs[i].width = inputs[0].width;
    outputs[i].depth = inputs[0].depth;
    outputs[i].data_valid_len = static_cast<unsigned>(outputs[i].dataLen);
    std::memset(outputs[i].data, 0, outputs[i].data_valid_len);
  }
  return Result("hexagon_nn_execute_new");
}
int hexagon_nn_set_clocks(hexagon_nn_corner_type corner, hexagon_nn_dcvs_type dcvs,
                          unsigned int latency) {
  fake_nnlib_corner = corner;
  fake_nnlib_dcvs = dcvs;
  fake_nnlib_latency = latency;
  const int result = Result("hexagon_nn_set_clocks");
  if (result == 0) ++fake_nnlib_clocks;
  return result;
}
int hexagon_nn_remove_clocks(void) {
  --fake_nnlib_clocks;
  return Result("hexagon_nn_remove_clocks");
}
int hexagon_nn_reset_perfinfo(hexagon_nn_nn_id, unsigned int) {
  return Result("hexagon_nn_reset_perfinfo");
}
int hexagon_nn_get_perfinfo(hexagon_nn_nn_id, hexagon_nn_perfinfo*, int, unsigned int* count) {
  // A library that lies does no harm.
  *count = 1000000;
  return Result("hexagon_nn_get_perfinfo");
}
int hexagon_nn_op_name_to_id(const char* name, unsigned int* operation) {
  *operation = 1;
  return std::strcmp(name, "Unheard") == 0 ? -1 : Result("hexagon_nn_op_name_to_id");
}

}  // extern "C"
