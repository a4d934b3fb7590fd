// The exported functions: graphs by number, errors by code.
#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>

#include "third_party/nnlib/include/hexagon_nn.h"
#include "third_party/nnlib/include/hexnn_dsp_controller.h"
#include "third_party/nnlib/sim/graph.h"

namespace {

using nnlib_sim::Graph;
using nnlib_sim::kOperatorCount;
using nnlib_sim::kOperators;
using nnlib_sim::Node;

// The release whose operators these are.
constexpr int kVersion = 0x00021401;
// FastRPC passes no longer lists.
constexpr int kMostConsts = 250;
constexpr int kMostNodes = 125;

struct Library {
  std::mutex mutex;
  std::unordered_map<hexagon_nn_nn_id, std::unique_ptr<Graph>> graphs;
  hexagon_nn_nn_id last = 0;
};

Library& TheLibrary() {
  static Library library;
  return library;
}

Graph* Find(hexagon_nn_nn_id id) {
  Library& library = TheLibrary();
  const std::lock_guard<std::mutex> lock(library.mutex);
  const auto found = library.graphs.find(id);
  return found == library.graphs.end() ? nullptr : found->second.get();
}

// Runs `action` on a graph; a missing graph, failure and lack of memory are -1.
template <typename Action>
int With(hexagon_nn_nn_id id, const Action& action) {
  Graph* graph = Find(id);
  if (graph == nullptr) return -1;
  try {
    return action(*graph) ? 0 : -1;
  } catch (const std::bad_alloc&) {
    graph->log += "out of memory\n";
    return -1;
  }
}

int CopyText(const std::string& text, unsigned char* buffer, int length) {
  if (buffer == nullptr || length < 1) return -1;
  const size_t count = std::min(text.size(), static_cast<size_t>(length) - 1);
  std::memcpy(buffer, text.data(), count);
  buffer[count] = 0;
  return 0;
}

}  // namespace

extern "C" {

int hexnn_controller_request_unsigned_pd(void) { return 0; }

int hexagon_nn_config(void) { return 0; }

int hexagon_nn_version(int* version) {
  if (version == nullptr) return -1;
  *version = kVersion;
  return 0;
}

int hexagon_nn_init(hexagon_nn_nn_id* id) {
  if (id == nullptr) return -1;
  Library& library = TheLibrary();
  const std::lock_guard<std::mutex> lock(library.mutex);
  *id = ++library.last;
  library.graphs[*id] = std::make_unique<Graph>();
  return 0;
}

int hexagon_nn_set_debug_level(hexagon_nn_nn_id id, int) {
  return With(id, [](Graph&) { return true; });
}

int hexagon_nn_snpprint(hexagon_nn_nn_id id, unsigned char* buffer, int length) {
  return With(id, [&](Graph& graph) { return CopyText(graph.Print(), buffer, length) == 0; });
}

int hexagon_nn_getlog(hexagon_nn_nn_id id, unsigned char* buffer, int length) {
  return With(id, [&](Graph& graph) {
    if (CopyText(graph.log, buffer, length) != 0) return false;
    graph.log.clear();
    return true;
  });
}

int hexagon_nn_append_node(hexagon_nn_nn_id id, unsigned int node_id, unsigned int operation,
                           hexagon_nn_padding_type padding, const hexagon_nn_input* inputs,
                           int inputs_length, const hexagon_nn_output* outputs,
                           int outputs_length) {
  hexagon_nn_op_node node;
  node.node_id = node_id;
  node.operation = operation;
  node.padding = padding;
  node.inputs = const_cast<hexagon_nn_input*>(inputs);
  node.inputsLen = inputs_length;
  node.outputs = const_cast<hexagon_nn_output*>(outputs);
  node.outputsLen = outputs_length;
  return hexagon_nn_append_node_list(id, &node, 1);
}

int hexagon_nn_append_const_node(hexagon_nn_nn_id id, unsigned int node_id, unsigned int batches,
                                 unsigned int height, unsigned int width, unsigned int depth,
                                 const unsigned char* data, int data_length) {
  hexagon_nn_const_node node = {};
  node.node_id = node_id;
  node.tensor.batches = batches;
  node.tensor.height = height;
  node.tensor.width = width;
  node.tensor.depth = depth;
  node.tensor.data = const_cast<unsigned char*>(data);
  node.tensor.dataLen = data_length;
  return hexagon_nn_append_const_node_list(id, &node, 1);
}

int hexagon_nn_append_node_list(hexagon_nn_nn_id id, const hexagon_nn_op_node* nodes, int count) {
  return With(id, [&](Graph& graph) {
    if (count < 0 || count > kMostNodes || (count > 0 && nodes == nullptr)) {
      return graph.Fail("a list of %d nodes", count);
    }
    for (int i = 0; i < count; ++i) {
      if (!graph.Append(nodes[i])) return false;
    }
    return true;
  });
}

int hexagon_nn_append_const_node_list(hexagon_nn_nn_id id, const hexagon_nn_const_node* nodes,
                                      int count) {
  return With(id, [&](Graph& graph) {
    if (count < 0 || count > kMostConsts || (count > 0 && nodes == nullptr)) {
      return graph.Fail("a list of %d const nodes", count);
    }
    for (int i = 0; i < count; ++i) {
      if (!graph.AppendConst(nodes[i].node_id, nodes[i].tensor)) return false;
    }
    return true;
  });
}

int hexagon_nn_prepare(hexagon_nn_nn_id id) {
  return With(id, [](Graph& graph) { return graph.Prepare(); });
}

int hexagon_nn_execute(hexagon_nn_nn_id id, unsigned int batches_in, unsigned int height_in,
                       unsigned int width_in, unsigned int depth_in, const unsigned char* data_in,
                       int data_in_length, unsigned int* batches_out, unsigned int* height_out,
                       unsigned int* width_out, unsigned int* depth_out, unsigned char* data_out,
                       int data_out_length, unsigned int* data_length_out) {
  if (batches_out == nullptr || height_out == nullptr || width_out == nullptr ||
      depth_out == nullptr || data_length_out == nullptr) {
    return -1;
  }
  hexagon_nn_tensordef input = {}, output = {};
  input.batches = batches_in;
  input.height = height_in;
  input.width = width_in;
  input.depth = depth_in;
  input.data = const_cast<unsigned char*>(data_in);
  input.dataLen = data_in_length;
  input.data_valid_len = static_cast<unsigned>(data_in_length);
  output.data = data_out;
  output.dataLen = data_out_length;
  const int result = hexagon_nn_execute_new(id, &input, 1, &output, 1);
  *batches_out = output.batches;
  *height_out = output.height;
  *width_out = output.width;
  *depth_out = output.depth;
  *data_length_out = output.data_valid_len;
  return result;
}

int hexagon_nn_execute_new(hexagon_nn_nn_id id, const hexagon_nn_tensordef* inputs, int input_count,
                           hexagon_nn_tensordef* outputs, int output_count) {
  return With(id, [&](Graph& graph) {
    if (input_count < 0 || output_count < 0 || (input_count > 0 && inputs == nullptr) ||
        (output_count > 0 && outputs == nullptr)) {
      return graph.Fail("bad inputs or outputs");
    }
    return graph.Execute(inputs, static_cast<size_t>(input_count), outputs,
                         static_cast<size_t>(output_count));
  });
}

int hexagon_nn_teardown(hexagon_nn_nn_id id) {
  Library& library = TheLibrary();
  const std::lock_guard<std::mutex> lock(library.mutex);
  return library.graphs.erase(id) == 1 ? 0 : -1;
}

int hexagon_nn_set_powersave_level(unsigned int) { return 0; }
int hexagon_nn_set_powersave_details(hexagon_nn_corner_type corner, hexagon_nn_dcvs_type dcvs,
                                     unsigned int latency_us) {
  return hexagon_nn_set_clocks(corner, dcvs, latency_us);
}
int hexagon_nn_set_clocks(hexagon_nn_corner_type corner, hexagon_nn_dcvs_type dcvs, unsigned int) {
  return corner <= NN_CORNER_SVS2 && dcvs <= NN_DCVS_DISABLE ? 0 : -1;
}
int hexagon_nn_remove_clocks(void) { return 0; }
int hexagon_nn_disable_dcvs(void) { return 0; }

int hexagon_nn_get_perfinfo(hexagon_nn_nn_id id, hexagon_nn_perfinfo* infos, int length,
                            unsigned int* count) {
  return With(id, [&](Graph& graph) {
    if (infos == nullptr || count == nullptr || length < 0 ||
        graph.nodes.size() > static_cast<size_t>(length)) {
      return graph.Fail("%d counters for %zu nodes", length, graph.nodes.size());
    }
    *count = static_cast<unsigned>(graph.nodes.size());
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = *graph.nodes[i];
      infos[i] = {node.id,
                  node.operation,
                  node.executions,
                  0,
                  static_cast<unsigned>(node.counter),
                  static_cast<unsigned>(node.counter >> 32)};
    }
    return true;
  });
}

int hexagon_nn_reset_perfinfo(hexagon_nn_nn_id id, unsigned int event) {
  return With(id, [&](Graph& graph) {
    graph.event = event;
    for (const auto& node : graph.nodes) {
      node->executions = 0;
      node->counter = 0;
    }
    return true;
  });
}

int hexagon_nn_last_execution_cycles(hexagon_nn_nn_id id, unsigned int* low, unsigned int* high) {
  return With(id, [&](Graph& graph) {
    if (low == nullptr || high == nullptr) return false;
    *low = static_cast<unsigned>(graph.last_nanos);
    *high = static_cast<unsigned>(graph.last_nanos >> 32);
    return true;
  });
}

int hexagon_nn_get_nodetype(hexagon_nn_nn_id id, unsigned int node_id, unsigned int* operation) {
  return With(id, [&](Graph& graph) {
    const Node* node = graph.Find(node_id);
    if (node == nullptr || operation == nullptr) return false;
    *operation = node->operation;
    return true;
  });
}

int hexagon_nn_op_name_to_id(const char* name, unsigned int* operation) {
  if (name == nullptr || operation == nullptr) return -1;
  for (size_t i = 0; i < kOperatorCount; ++i) {
    if (std::strcmp(kOperators[i].name, name) == 0) {
      *operation = static_cast<unsigned>(i);
      return 0;
    }
  }
  return -1;
}

int hexagon_nn_op_id_to_name(unsigned int operation, char* name, int length) {
  if (operation >= kOperatorCount) return -1;
  return CopyText(kOperators[operation].name, reinterpret_cast<unsigned char*>(name), length);
}

}  // extern "C"
