// A net of MACE's operators as a model of the Neuron adapter.
#ifndef MACE_DELEGATES_APU_MODEL_BUILDER_H_
#define MACE_DELEGATES_APU_MODEL_BUILDER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mace/delegates/apu/neuron_library.h"
#include "mace/runtime/net_def.h"

namespace mace {
namespace delegates {

class ModelBuilder {
 public:
  // Adds to the model, which stays the caller's.
  ModelBuilder(const NeuronLibrary& library, NeuronModel* model, const runtime::NetDef& net,
               const uint8_t* data, size_t data_size)
      : library_(library), model_(model), net_(net), data_(data), data_size_(data_size) {}

  // Everything of the net, up to the model's end.
  Status Build();

 private:
  struct Tensor {
    uint32_t index = 0;
    int32_t type = 0;
    std::vector<uint32_t> dims;
    float scale = 0;
    int32_t zero = 0;
    // Of a constant: its bytes and number of elements.
    const uint8_t* value = nullptr;
    size_t elements = 0;
    bool added = false;
  };

  Status Operand(Tensor* tensor);
  Status Value(const Tensor& tensor, const void* bytes, size_t size);
  template <typename T>
  Status Scalar(int32_t type, T value, uint32_t* index);
  Status AddPorts();
  Status AddConstants();
  Status AddOperator(const runtime::OperatorDef& op);
  Status CheckSupport();

  const NeuronLibrary& library_;
  NeuronModel* model_;
  const runtime::NetDef& net_;
  const uint8_t* data_;
  size_t data_size_;
  uint32_t count_ = 0;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_APU_MODEL_BUILDER_H_
