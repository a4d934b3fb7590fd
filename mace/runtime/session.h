// A model ready to run: operators prepared, memory planned, threads started.
#ifndef MACE_RUNTIME_SESSION_H_
#define MACE_RUNTIME_SESSION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mace/arch/cpu_features.h"
#include "mace/base/aligned_buffer.h"
#include "mace/base/status.h"
#include "mace/runtime/model.h"
#include "mace/runtime/operator.h"
#include "mace/runtime/thread_pool.h"

namespace mace {
namespace runtime {

// The tier for this process: the best of the processor, or what MACE_CPU_TIER says.
Status ChooseTier(Tier* tier);

// Sees an inference while it runs. Data of a tensor is valid during the call only.
class Observer {
 public:
  virtual ~Observer() = default;
  // Every graph input, then every output of every node in execution order.
  virtual void OnTensor(int tensor, const void* data) {
    (void)tensor;
    (void)data;
  }
  virtual void OnNode(int node, int64_t start_nanos, int64_t end_nanos) {
    (void)node;
    (void)start_nanos;
    (void)end_nanos;
  }
  // Programs: a net has run.
  virtual void OnNet(int net, int64_t start_nanos, int64_t end_nanos) {
    (void)net;
    (void)start_nanos;
    (void)end_nanos;
  }
  // Accelerators that count: a node in the device's terms and what it cost there.
  virtual void OnAcceleratorNode(const std::string& name, const std::string& type,
                                 uint64_t cycles) {
    (void)name;
    (void)type;
    (void)cycles;
  }
};

struct SessionOptions {
  int threads = 1;
  // Threads that run already, in place of `threads` new ones. Sessions that have the same must not
  // run at the same time.
  std::shared_ptr<ThreadPool> pool;
  // Null: ChooseTier.
  const Tier* tier = nullptr;
};

class Session {
 public:
  // The data that the model was read from must outlive the session.
  static Status Create(Model model, const SessionOptions& options,
                       std::unique_ptr<Session>* session);

  // One pointer per graph input, to data of the input's type (float32 or int32), in the graph's
  // order and shape. Allocates nothing. Not reentrant.
  void Run(const void* const* inputs, Observer* observer = nullptr);
  // Of the last Run: data of the output's type.
  template <typename T = float>
  const T* output(size_t i) const {
    return static_cast<const T*>(data_[static_cast<size_t>(model_.outputs[i].tensor)]);
  }

  const Model& model() const { return model_; }
  const Operator& op(size_t node) const { return *operators_[node]; }
  Tier tier() const { return tier_; }
  ThreadPool& pool() { return *pool_; }
  // For the options of another session.
  const std::shared_ptr<ThreadPool>& shared_pool() const { return pool_; }
  uint64_t arena_bytes() const { return arena_.size(); }

 private:
  Session() = default;
  Status Prepare(const SessionOptions& options);
  Status PlanMemory();

  Model model_;
  Tier tier_ = Tier::kScalar;
  std::shared_ptr<ThreadPool> pool_;
  std::vector<std::unique_ptr<Operator>> operators_;
  // By tensor: where its data is. Inputs of the graph are set by Run.
  std::vector<const void*> data_;
  std::vector<void*> mutable_data_;
  AlignedBuffer arena_, shared_scratch_, thread_scratch_;
  size_t thread_stride_ = 0;
};

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_SESSION_H_
