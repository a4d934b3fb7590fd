// A graph of ApuFrontend, as a model of the Neuron adapter that computes the same.
#ifndef THIRD_PARTY_APU_SIM_FRONTEND_H_
#define THIRD_PARTY_APU_SIM_FRONTEND_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "third_party/apu/include/ApuFrontend.h"
#include "third_party/apu/sim/model.h"

// A list as callers give it; one that cannot be is not Sane.
template <typename T>
struct Given {
  int count = 0;
  const T* items = nullptr;

  bool Sane() const { return count >= 0 && count <= 1 << 20 && (count == 0 || items != nullptr); }
  const T* begin() const { return items; }
  const T* end() const { return items + count; }
};

// An output as callers want it: version 1 tells less of it.
struct WantedOutput {
  int id = 0;
  void* buffer = nullptr;
  const apu_tensor* tensor = nullptr;
};

// Every function is false where something makes no sense, and then the object may only be deleted.
class FrontendGraph {
 public:
  // `version` of the interface: 1, or 2 for 2 and 3.
  explicit FrontendGraph(int version) : version_(version) {}
  ~FrontendGraph();
  FrontendGraph(const FrontendGraph&) = delete;
  FrontendGraph& operator=(const FrontendGraph&) = delete;

  // Constants stay the caller's and outlive this, like the buffers of inputs and outputs.
  bool Build(const Given<apu_tensor>& consts, const Given<apu_tensor>& inputs,
             const std::vector<WantedOutput>& outputs, const Given<apu_operator>& operators);
  // A graph that was stored, of these inputs and outputs.
  bool Load(const char* file, const Given<apu_tensor>& inputs,
            const std::vector<WantedOutput>& outputs);
  bool Store(const char* file) const;
  // Reads the inputs' buffers and writes the outputs'.
  bool Run();

 private:
  struct Known {
    uint32_t index = 0;
    bool added = false;
    const apu_tensor* constant = nullptr;
    std::vector<uint32_t> dims;
  };
  // A kind of operator: from which version on, with how many operands (0: any number).
  struct Kind {
    const char* type;
    int since;
    int operands;
    bool (FrontendGraph::*add)(const apu_operator& op);
  };
  static const Kind kKinds[];

  bool Codes(const apu_tensor& tensor, Known* known);
  bool AddOperand(int32_t type, const std::vector<uint32_t>& dims, float scale, int32_t zero,
                  uint32_t* index);
  bool Value(uint32_t index, const void* bytes, size_t size);
  bool AddOperator(const apu_operator& op);
  bool Finish(const std::vector<uint32_t>& inputs, const std::vector<uint32_t>& outputs);

  // What an operator has at operand i. Those of the first kind are appended to operands_.
  Known* Find(const apu_operator& op, int i);
  bool Tensor(const apu_operator& op, int i);
  bool Constant(const apu_operator& op, int i, apu_tensor_type type, apu_data_type data);
  bool Numbers(const apu_operator& op, int i, size_t count, int32_t* values);
  bool Scalar(int32_t value);
  bool Flag(bool value);
  bool Fused(const apu_operator& op);
  bool Plain(const apu_operator& op) const { return op.act_mode == APU_ACT_NONE; }
  bool Window(const apu_operator& op, int strides, int paddings);
  bool Dilations(const apu_operator& op, int i);
  // Ends the operation whose operands are in operands_.
  bool End(const apu_operator& op, NeuronOperationType type);

  bool Convolution(const apu_operator& op);
  bool Depthwise(const apu_operator& op);
  bool Transposed(const apu_operator& op);
  bool FullyConnected(const apu_operator& op);
  bool Pooling(const apu_operator& op);
  bool Eltwise(const apu_operator& op);
  bool Activation(const apu_operator& op);
  bool Slopes(const apu_operator& op);
  bool Softmax(const apu_operator& op);
  bool Concat(const apu_operator& op);
  bool Mean(const apu_operator& op);
  bool Reshape(const apu_operator& op);
  bool Pad(const apu_operator& op);
  bool Resize(const apu_operator& op);

  const int version_;
  NeuronModel* model_ = nullptr;
  NeuronCompilation* compilation_ = nullptr;
  uint32_t count_ = 0;
  std::map<int, Known> known_;
  // Of the operation that is being added.
  std::vector<uint32_t> operands_;
  // Filters in another order than the caller's.
  std::vector<std::unique_ptr<uint8_t[]>> filters_;
  struct Port {
    void* buffer;
    size_t size;
  };
  std::vector<Port> inputs_, outputs_;
};

// InitGraph, RunGraph and UninitGraph of an object whose graph is *graph, null when it has none. No
// exception leaves them. Without a file, `file` is null.
bool InitFrontend(FrontendGraph** graph, int version, const Given<apu_tensor>& consts,
                  const Given<apu_tensor>& inputs, const std::vector<WantedOutput>& outputs,
                  const Given<apu_operator>& operators, const char* file, bool load, bool store);
bool RunFrontend(FrontendGraph* graph);
bool UninitFrontend(FrontendGraph** graph);

#endif  // THIRD_PARTY_APU_SIM_FRONTEND_H_
