// What every operator of the runtime is written against: Prepare checks the node and readies it,
// Run computes.
#ifndef MACE_RUNTIME_OPERATOR_H_
#define MACE_RUNTIME_OPERATOR_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "mace/base/diagnostics.h"
#include "mace/base/status.h"
#include "mace/base/types.h"
#include "mace/kernels/kernels.h"
#include "mace/quant/requantize.h"
#include "mace/runtime/model.h"
#include "mace/runtime/thread_pool.h"

namespace mace {
namespace runtime {

// A node while it is prepared. The getters of attributes and the Require functions remember the
// first thing that is wrong; status() tells it. After a failure they return harmless values, so
// that Prepare can check once.
class PrepareContext {
 public:
  PrepareContext(const Model& model, const Node& node, Tier tier, int threads)
      : model_(model), node_(node), tier_(tier), threads_(threads) {}

  const Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }
  void Fail(const Status& status) {
    if (status_.ok()) status_ = status;
  }

  Tier tier() const { return tier_; }
  const kernels::KernelSet& kernels() const { return *kernels::GetKernelSet(tier_); }
  int threads() const { return threads_; }

  // ---- Operands
  size_t input_count() const { return node_.inputs.size(); }
  size_t output_count() const { return node_.outputs.size(); }
  bool has_input(size_t i) const { return i < node_.inputs.size() && node_.inputs[i] >= 0; }
  const Tensor& input(size_t i) const {
    return model_.tensors[static_cast<size_t>(node_.inputs[i])];
  }
  const Tensor& output(size_t i = 0) const {
    return model_.tensors[static_cast<size_t>(node_.outputs[i])];
  }

  // Number of inputs, of which the first `required` must be present; and one output.
  bool RequireInputs(size_t required, size_t most);
  bool RequireOutputs(size_t count);
  bool RequireType(const Tensor& tensor, ElementType type);
  bool RequireShape(const Tensor& tensor, const Shape& shape);
  bool RequireRank(const Tensor& tensor, size_t least, size_t most);
  // float32, uint8 or int8 with valid parameters.
  bool RequireComputeType(const Tensor& tensor);
  // The same or int32, for operators that copy elements.
  bool RequireAnyType(const Tensor& tensor);
  // Same codes: equal type and parameters.
  bool RequireSameCodes(const Tensor& a, const Tensor& b);
  bool RequireConstant(const Tensor& tensor);

  // ---- Attributes
  bool HasAttribute(const std::string& name) const { return Find(name) != nullptr; }
  // Length of an attribute that is a list; 0 when it is absent.
  size_t CountInts(const std::string& name) const {
    const Attribute* a = Find(name);
    return a == nullptr ? 0 : a->ints.size();
  }
  int64_t Int(const std::string& name, int64_t fallback, int64_t least, int64_t greatest);
  int64_t RequiredInt(const std::string& name, int64_t least, int64_t greatest);
  float Float(const std::string& name, float fallback);
  float RequiredFloat(const std::string& name);
  std::string String(const std::string& name, const std::string& fallback);
  std::string RequiredString(const std::string& name);
  // `length` numbers, each in [least, greatest].
  std::vector<int64_t> Ints(const std::string& name, const std::vector<int64_t>& fallback,
                            size_t length, int64_t least, int64_t greatest);
  std::vector<int64_t> RequiredInts(const std::string& name, size_t length, int64_t least,
                                    int64_t greatest);
  // `axis`: one axis of a tensor of that rank, which is at least 1.
  size_t RequiredAxis(size_t rank);
  // `axis`: a list of axes of a tensor of that rank, ascending. One flag an axis.
  std::vector<bool> RequiredAxes(size_t rank);
  // `length` numbers, none of them NaN; empty when the attribute is absent or empty.
  std::vector<float> Floats(const std::string& name, size_t length);

  // Limits of `activation` and `max_limit` for a float output.
  void FusedLimits(float* lo, float* hi);
  // The same in the codes of a quantized output.
  quant::CodeRange FusedCodes(const Tensor& output);
  // Whether `requantize` asks for the fixed-point arithmetic of section 12.
  bool FixedPoint();

  // ---- Scratch memory for Run
  void RequestSharedScratch(size_t bytes) { shared_scratch_ = bytes; }
  void RequestThreadScratch(size_t bytes) { thread_scratch_ = bytes; }
  size_t shared_scratch() const { return shared_scratch_; }
  size_t thread_scratch() const { return thread_scratch_; }

 private:
  const Attribute* Find(const std::string& name) const;
  bool CheckInts(const std::string& name, const std::vector<int64_t>& values, size_t length,
                 int64_t least, int64_t greatest);

  const Model& model_;
  const Node& node_;
  Tier tier_;
  int threads_;
  size_t shared_scratch_ = 0, thread_scratch_ = 0;
  Status status_;
};

// A node while it runs.
class RunContext {
 public:
  RunContext(const Node* node, const void* const* inputs, void* const* outputs, ThreadPool* pool,
             void* shared_scratch, void* thread_scratch, size_t thread_stride)
      : node_(node),
        inputs_(inputs),
        outputs_(outputs),
        pool_(pool),
        shared_scratch_(shared_scratch),
        thread_scratch_(thread_scratch),
        thread_stride_(thread_stride) {}

  template <typename T = void>
  const T* input(size_t i) const {
    const int index = i < node_->inputs.size() ? node_->inputs[i] : -1;
    return index < 0 ? nullptr : static_cast<const T*>(inputs_[index]);
  }
  template <typename T = void>
  T* output(size_t i = 0) const {
    return static_cast<T*>(outputs_[node_->outputs[i]]);
  }
  ThreadPool& pool() const { return *pool_; }
  void* shared_scratch() const { return shared_scratch_; }
  void* thread_scratch(int thread) const {
    return static_cast<char*>(thread_scratch_) + static_cast<size_t>(thread) * thread_stride_;
  }

 private:
  const Node* node_;
  // By tensor.
  const void* const* inputs_;
  void* const* outputs_;
  ThreadPool* pool_;
  void* shared_scratch_;
  void* thread_scratch_;
  size_t thread_stride_;
};

class Operator {
 public:
  virtual ~Operator() = default;
  // Checks everything that Run relies on: a model that passes cannot make Run fail.
  virtual void Prepare(PrepareContext* context) = 0;
  virtual void Run(const RunContext& context) const = 0;
  // Multiply-accumulates, for benchmarks; 0 for other work.
  virtual int64_t macs() const { return 0; }
  // The kernel in use, when there was a choice.
  virtual std::string kernel() const { return ""; }
};

struct OperatorEntry {
  const char* type;
  // Element types of the activations that it has kernels for.
  bool float32, uint8, int8;
  std::unique_ptr<Operator> (*make)();
};

// The table of runtime/ops/ops.inc.
const std::vector<OperatorEntry>& OperatorTable();
// Null when there is no such operator.
const OperatorEntry* FindOperator(const std::string& type);

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_OPERATOR_H_
