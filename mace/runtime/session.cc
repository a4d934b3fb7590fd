#include "mace/runtime/session.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "mace/base/clock.h"
#include "mace/base/diagnostics.h"
#include "mace/runtime/planner.h"

namespace mace {
namespace runtime {

Status ChooseTier(Tier* tier) {
  const CpuFeatures features = DetectCpuFeatures();
  *tier = BestTier(features);
  const char* forced = std::getenv("MACE_CPU_TIER");
  if (forced == nullptr || forced[0] == '\0') return Status();
  Tier wanted;
  if (!ParseTier(forced, &wanted)) {
    return diagnostics::BadTier(forced, "the tiers are scalar, avx2, avx512vnni, neon and dotprod");
  }
  if (!Supports(features, wanted) || kernels::GetKernelSet(wanted) == nullptr) {
    return diagnostics::BadTier(forced,
                                "this processor's best tier is " + std::string(NameOf(*tier)));
  }
  *tier = wanted;
  return Status();
}

Status Session::Create(Model model, const SessionOptions& options,
                       std::unique_ptr<Session>* session) {
  std::unique_ptr<Session> made(new Session());
  made->model_ = std::move(model);
  MACE_RETURN_IF_ERROR(made->Prepare(options));
  MACE_RETURN_IF_ERROR(made->PlanMemory());
  *session = std::move(made);
  return Status();
}

Status Session::Prepare(const SessionOptions& options) {
  if (options.tier != nullptr) {
    tier_ = *options.tier;
  } else {
    MACE_RETURN_IF_ERROR(ChooseTier(&tier_));
  }
  pool_ = options.pool ? options.pool : std::make_shared<ThreadPool>(options.threads);
  size_t shared = 0, per_thread = 0;
  for (const Node& node : model_.nodes) {
    const std::string place = "node '" + node.name + "' (" + node.type + ")";
    const OperatorEntry* entry = FindOperator(node.type);
    if (entry == nullptr) return diagnostics::UnknownOperator(node.type).At(place);
    PrepareContext context(model_, node, tier_, pool_->size());
    operators_.push_back(entry->make());
    operators_.back()->Prepare(&context);
    if (!context.ok()) return context.status().At(place);
    shared = std::max(shared, context.shared_scratch());
    per_thread = std::max(per_thread, context.thread_scratch());
  }
  thread_stride_ = AlignUp(per_thread);
  const size_t threads = static_cast<size_t>(pool_->size());
  if (!shared_scratch_.Allocate(shared)) return diagnostics::OutOfMemory("scratch", shared);
  if (!thread_scratch_.Allocate(thread_stride_ * threads))
    return diagnostics::OutOfMemory("scratch", thread_stride_ * threads);
  return Status();
}

Status Session::PlanMemory() {
  const int steps = static_cast<int>(model_.nodes.size());
  std::vector<int> last(model_.tensors.size(), -1);
  for (int i = 0; i < steps; ++i) {
    for (int t : model_.nodes[i].inputs) {
      if (t >= 0) last[t] = i;
    }
  }
  for (const Port& port : model_.outputs) last[port.tensor] = steps;
  std::vector<PlannedBuffer> buffers;
  std::vector<int> owner;
  for (size_t t = 0; t < model_.tensors.size(); ++t) {
    const Tensor& tensor = model_.tensors[t];
    if (tensor.producer < 0) continue;
    PlannedBuffer buffer;
    buffer.bytes = tensor.bytes();
    buffer.first = tensor.producer;
    buffer.last = std::max(last[t], tensor.producer);
    buffers.push_back(buffer);
    owner.push_back(static_cast<int>(t));
  }
  const uint64_t bytes = PlanArena(&buffers);
  if (bytes > SIZE_MAX || !arena_.Allocate(static_cast<size_t>(bytes)))
    return diagnostics::OutOfMemory("activations", bytes);
  data_.assign(model_.tensors.size(), nullptr);
  mutable_data_.assign(model_.tensors.size(), nullptr);
  for (size_t t = 0; t < model_.tensors.size(); ++t) data_[t] = model_.tensors[t].data;
  for (size_t i = 0; i < buffers.size(); ++i) {
    mutable_data_[owner[i]] = arena_.as<char>() + buffers[i].offset;
    data_[owner[i]] = mutable_data_[owner[i]];
  }
  return Status();
}

void Session::Run(const void* const* inputs, Observer* observer) {
  for (size_t i = 0; i < model_.inputs.size(); ++i) {
    const int tensor = model_.inputs[i].tensor;
    data_[tensor] = inputs[i];
    if (observer != nullptr) observer->OnTensor(tensor, inputs[i]);
  }
  for (size_t i = 0; i < operators_.size(); ++i) {
    const RunContext context(&model_.nodes[i], data_.data(), mutable_data_.data(), pool_.get(),
                             shared_scratch_.data(), thread_scratch_.data(), thread_stride_);
    if (observer == nullptr) {
      operators_[i]->Run(context);
      continue;
    }
    const int64_t start = NowNanos();
    operators_[i]->Run(context);
    observer->OnNode(static_cast<int>(i), start, NowNanos());
    for (int t : model_.nodes[i].outputs) observer->OnTensor(t, data_[t]);
  }
}

}  // namespace runtime
}  // namespace mace
