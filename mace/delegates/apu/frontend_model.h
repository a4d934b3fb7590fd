// A graph in the terms of ApuFrontend.
#ifndef MACE_DELEGATES_APU_FRONTEND_MODEL_H_
#define MACE_DELEGATES_APU_FRONTEND_MODEL_H_

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <vector>

#include "mace/delegates/apu/apu_network.h"
#include "third_party/apu/include/ApuFrontend.h"

namespace mace {
namespace delegates {

class FrontendModel {
 public:
  // Ports are in `codes`, the memory of all of them. Operators for which the interface has no words
  // are errors; what else a library does not take, it says itself.
  Status Translate(const ApuNetwork::Request& request, uint8_t* codes);

  // They point to the graph's constants and to what this holds.
  std::vector<apu_tensor> constants, inputs, outputs;
  std::vector<apu_operator> operators;

 private:
  // Numbers of tensors come when it is known how many there are: constants, then those that are
  // numbers of operators, then inputs, then what operators give.
  enum class Group { kData, kArgument, kComputed };
  struct Operand {
    Group group;
    size_t index;
  };
  struct Node {
    const char* type = "";
    int mode = 0;
    apu_act_mode activation = APU_ACT_NONE;
    std::vector<Operand> operands;
  };

  // The codes of operand i of the node, or a constant of the graph.
  Operand Tensor(const ApuNode& node, size_t i, Group group = Group::kData);
  Operand Ints(const std::vector<int32_t>& numbers, Group group = Group::kArgument);
  Operand Factor(float value);
  Operand DepthwiseFilter(const ApuNode& node);
  Operand Constant(const ApuTensor& tensor, const void* value, Group group);
  // The node; without operands, there are no words for it.
  Node Say(const ApuNode& node);
  int Id(const Operand& operand) const;

  const ApuGraph* graph_ = nullptr;
  std::vector<apu_tensor> data_, arguments_;
  // Computed tensors: place in their order, by index in the graph.
  std::vector<size_t> order_;
  std::deque<std::vector<int>> ids_;
  std::deque<std::vector<int32_t>> numbers_;
  std::deque<float> factors_;
  std::deque<std::vector<uint8_t>> filters_;
};

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_APU_FRONTEND_MODEL_H_
