// The model file in memory, verified: names resolved to indices, shapes and constants checked
// against the data.
#ifndef MACE_RUNTIME_MODEL_H_
#define MACE_RUNTIME_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mace/base/aligned_buffer.h"
#include "mace/base/status.h"
#include "mace/base/types.h"
#include "mace/runtime/net_def.h"

namespace mace {
namespace runtime {

struct Tensor {
  std::string name;
  Shape shape;
  int64_t elements = 1;
  ElementType type = ElementType::kFloat32;
  // Present for constants: row-major, aligned for its element type.
  const void* data = nullptr;
  // Per-tensor parameters; has_scale is false for float tensors and per-channel constants.
  bool has_scale = false;
  float scale = 1.0f;
  int32_t zero_point = 0;
  std::vector<float> channel_scale;
  int64_t channel_axis = 0;
  // Node that computes it; -1 for constants and graph inputs.
  int producer = -1;

  bool constant() const { return data != nullptr; }
  size_t bytes() const { return static_cast<size_t>(elements) * SizeOf(type); }
};

struct Node {
  std::string name;
  std::string type;
  // Tensor indices; -1 for an absent optional input.
  std::vector<int> inputs;
  std::vector<int> outputs;
  std::vector<Attribute> attributes;
};

// A graph input or output.
struct Port {
  int tensor = -1;
  // Public name: the alias when there is one, else the tensor's name.
  std::string name;
  // 0 none, 1 NHWC, 2 NCHW: layout of the caller's buffer.
  int data_format = 1;
};

struct Model {
  std::string name;
  std::vector<Tensor> tensors;
  // In execution order: every input is a constant, a graph input or the output of an earlier node.
  std::vector<Node> nodes;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::string graph_digest;
  // Constants that could not be used in place (stored in the message, or misaligned).
  std::vector<std::unique_ptr<AlignedBuffer>> owned;
  // Bytes of the tensors' constant data.
  uint64_t constant_bytes = 0;
};

// Verifies a net of the CPU. `data`, the data file, must outlive the model: constants point into
// it.
Status BuildModel(NetDef net, const void* data, size_t data_size, Model* model);

// Reads and verifies a file whose only net is one of the CPU.
Status ReadModel(const void* pb, size_t pb_size, const void* data, size_t data_size, Model* model);

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_MODEL_H_
