// A graph as a model of the Neuron adapter.
#ifndef MACE_DELEGATES_APU_NEURON_MODEL_H_
#define MACE_DELEGATES_APU_NEURON_MODEL_H_

#include <cstdint>
#include <vector>

#include "mace/delegates/apu/apu_graph.h"
#include "mace/delegates/apu/neuron_library.h"

namespace mace {
namespace delegates {

class NeuronModelBuilder {
 public:
  // Adds to the model, which stays the caller's.
  NeuronModelBuilder(const NeuronLibrary& library, NeuronModel* model, const ApuGraph& graph)
      : library_(library), model_(model), graph_(graph), indexes_(graph.tensors.size(), kNone) {}

  // Everything of the graph, up to the model's end.
  Status Build();

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  Status Operand(int32_t type, const std::vector<uint32_t>& dims, float scale, int32_t zero,
                 uint32_t* index);
  Status Value(uint32_t index, const void* bytes, size_t size);
  // Appends an operand of the operation.
  template <typename T>
  Status Scalar(int32_t type, T value);
  Status Int(int64_t value) { return Scalar(NEURON_INT32, static_cast<int32_t>(value)); }
  Status Flag(bool value) { return Scalar(NEURON_BOOL, static_cast<uint8_t>(value)); }
  Status Ints(std::initializer_list<int64_t> values);

  // Makes a tensor an operand of the model, once.
  Status Tensor(size_t i);
  Status AddNode(const ApuNode& node);
  Status AddNumbers(const ApuNode& node);
  Status CheckSupport();

  const NeuronLibrary& library_;
  NeuronModel* model_;
  const ApuGraph& graph_;
  // Of tensors in the model.
  std::vector<uint32_t> indexes_;
  uint32_t count_ = 0;
  // Of the operation that is being added.
  std::vector<uint32_t> operands_;
};

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_APU_NEURON_MODEL_H_
