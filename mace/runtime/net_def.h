// The messages of a model file (mace/proto/mace.proto), parsed and not yet judged. Readers of a net
// check what they use: model.h for nets of the CPU, the delegates for theirs.
#ifndef MACE_RUNTIME_NET_DEF_H_
#define MACE_RUNTIME_NET_DEF_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mace/base/status.h"
#include "mace/base/types.h"

namespace mace {
namespace runtime {

// Highest NetDef.format_version this reader understands.
constexpr uint32_t kFormatVersion = 1;

struct Attribute {
  std::string name;
  bool has_f = false, has_i = false, has_s = false;
  float f = 0;
  int64_t i = 0;
  std::string s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
};

struct ConstDef {
  std::vector<int64_t> dims;
  int64_t type = 1;
  std::vector<float> float_data;
  std::vector<int64_t> int32_data;
  std::string name;
  // Relative to NetDef::data_offset.
  int64_t offset = 0;
  bool has_size = false;
  int64_t size = 0;
  bool has_scale = false;
  float scale = 0;
  int64_t zero_point = 0;
  float minval = 0, maxval = 0;
  int64_t node_id = 0;
  std::vector<float> channel_scale;
  int64_t channel_axis = 0;
  bool dequantize = false;
};

struct QuantizeInfo {
  float scale = 0;
  int64_t zero_point = 0;
  float minval = 0, maxval = 0;
};

// An operand by number, in nets for Hexagon.
struct NodeInput {
  int64_t node_id = 0;
  int64_t output_port = 0;
};

struct OperatorDef {
  std::vector<std::string> inputs, outputs;
  std::string name, type;
  std::vector<Attribute> arguments;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<int64_t> types;
  std::vector<QuantizeInfo> quantize_info;
  int64_t node_id = 0;
  int64_t padding = 0;
  std::vector<NodeInput> node_inputs;
  std::vector<int64_t> out_max_byte_sizes;

  // The argument, or null.
  const Attribute* Argument(const char* name) const;
};

struct PortDef {
  std::string name, alias;
  std::vector<int64_t> dims;
  // Of the tensor.
  int64_t type = 1;
  // Of the caller's buffer; 0 when it is the tensor's.
  int64_t buffer_type = 0;
  int64_t format = 1;
  int64_t node_id = 0;
  int64_t max_byte_size = 0;
  float scale = 0;
  int64_t zero_point = 0;

  // What callers know it by: the alias when there is one, else the tensor's name.
  const std::string& public_name() const { return alias.empty() ? name : alias; }
};

struct NetDef {
  std::vector<OperatorDef> ops;
  std::vector<Attribute> arguments;
  std::vector<ConstDef> tensors;
  std::string name, sha256, graph_digest;
  int64_t data_offset = 0, data_size = 0;
  int64_t infer_order = 0;
  std::vector<PortDef> inputs, outputs;
  bool has_version = false;
  uint64_t version = 0;

  // The net argument `runtime_type`, a value of MACE's RuntimeType; 0, the CPU, when absent.
  int64_t runtime_type() const;
};

struct MultiNetDef {
  std::string name;
  std::vector<NetDef> nets;
  // Names of the tensors that callers give and get.
  std::vector<std::string> inputs, outputs;
};

// Reads the message; values stay as they are in the file.
Status ReadMultiNetDef(const void* pb, size_t pb_size, MultiNetDef* multi);

// Refuses what no reader may use: a version above kFormatVersion or none, and constants outside the
// data file or of another one.
Status CheckNet(const NetDef& net, const void* data, size_t data_size);

// The type of a number of proto's DataType that the runtime has.
Status CheckElementType(const std::string& tensor, int64_t type, ElementType* out);
// Rank and dimensions within bounds; gives the number of elements.
Status CheckShape(const std::string& tensor, const std::vector<int64_t>& dims, int64_t* elements);

// Where the `bytes` bytes of a constant lie in the data file, after CheckNet.
Status LocateConstant(const NetDef& net, const ConstDef& constant, size_t bytes, const void* data,
                      size_t data_size, const uint8_t** at);

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_NET_DEF_H_
