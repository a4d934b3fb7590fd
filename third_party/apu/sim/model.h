// What the interface's handles stand for.
#ifndef THIRD_PARTY_APU_SIM_MODEL_H_
#define THIRD_PARTY_APU_SIM_MODEL_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "third_party/apu/include/NeuronAdapter.h"

struct Operand {
  int32_t type = 0;
  std::vector<int64_t> dims;
  float scale = 0;
  int32_t zero = 0;
  // Value of a constant: `copy` or the caller's memory.
  const void* value = nullptr;
  size_t length = 0;
  std::vector<uint8_t> copy;

  int64_t elements() const {
    int64_t count = 1;
    for (const int64_t d : dims) count *= d;
    return count;
  }
  size_t element_bytes() const;
  size_t bytes() const { return static_cast<size_t>(elements()) * element_bytes(); }
};

struct Operation {
  NeuronOperationType type = 0;
  std::vector<uint32_t> inputs, outputs;
};

struct NeuronModel {
  std::vector<Operand> operands;
  std::vector<Operation> operations;
  std::vector<uint32_t> inputs, outputs;
  bool finished = false;
};

struct NeuronCompilation {
  NeuronModel* model = nullptr;
  bool finished = false;
};

struct NeuronMemory {
  uint8_t* data = nullptr;
  size_t size = 0, mapped = 0, skipped = 0;
  int protect = 0;
};

struct NeuronExecution {
  NeuronCompilation* compilation = nullptr;
  std::vector<const uint8_t*> inputs;
  std::vector<uint8_t*> outputs;
  // By operand; empty where the value is a constant or the caller's.
  std::vector<std::vector<uint8_t>> rooms;
  bool computed = false;
};

// One operation at work. Without data, it is only checked.
class Call {
 public:
  Call(const NeuronModel& model, const Operation& operation, uint8_t* const* data)
      : model_(model), operation_(operation), data_(data) {}

  bool checking() const { return data_ == nullptr; }
  int type() const { return operation_.type; }
  size_t input_count() const { return operation_.inputs.size(); }
  size_t output_count() const { return operation_.outputs.size(); }
  const Operand& in(size_t i) const { return model_.operands[operation_.inputs[i]]; }
  const Operand& out(size_t i = 0) const { return model_.operands[operation_.outputs[i]]; }
  const uint8_t* codes(size_t i) const { return data_[operation_.inputs[i]]; }
  uint8_t* result(size_t i = 0) const { return data_[operation_.outputs[i]]; }

  // Codes of 1 to 4 dimensions with a scale.
  bool IsCodes(const Operand& operand) const;
  bool Codes(size_t i) const { return i < input_count() && IsCodes(in(i)); }
  bool SameGrid(const Operand& a, const Operand& b) const {
    return a.scale == b.scale && a.zero == b.zero;
  }
  // Constant scalars and lists; false where the operand is something else.
  bool Int(size_t i, int64_t* value) const;
  bool Bool(size_t i, bool* value) const;
  bool Float(size_t i, float* value) const;
  bool Ints(size_t i, std::vector<int64_t>* values) const;

 private:
  const NeuronModel& model_;
  const Operation& operation_;
  uint8_t* const* data_;
};

// Checks or computes; a result code.
int Perform(const Call& call);
// Groups of operations; NEURON_BAD_DATA for others.
int PerformProduct(const Call& call);
int PerformPool(const Call& call);
int PerformElementwise(const Call& call);
int PerformMove(const Call& call);
bool Supported(int type);

#endif  // THIRD_PARTY_APU_SIM_MODEL_H_
