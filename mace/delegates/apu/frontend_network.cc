#include "mace/delegates/apu/frontend_network.h"

#include <cstring>
#include <vector>

#include "mace/base/diagnostics.h"
#include "mace/delegates/apu/cache_key.h"
#include "mace/runtime/file.h"
#include "mace/runtime/sha256.h"

namespace mace {
namespace delegates {

namespace {

// What a compiled network is of, and that it is whole: libraries are not known to look.
std::string Seal(const std::string& key, const runtime::MappedFile& file) {
  return kApuCacheMagic + key + runtime::Sha256(file.data(), file.size());
}

std::string SealFile(const std::string& file) { return file + ".key"; }

}  // namespace

bool FrontendNetwork::Is(const SharedLibrary& library) {
  return library.ResolveOptional<ApuFrontend_InitGraphV1>(APU_FRONTEND_INIT_GRAPH_V1) != nullptr ||
         library.ResolveOptional<ApuFrontend_InitGraphV2>(APU_FRONTEND_INIT_GRAPH_V2) != nullptr;
}

Status FrontendNetwork::Open(std::unique_ptr<SharedLibrary> library,
                             std::unique_ptr<ApuNetwork>* network) {
  std::unique_ptr<FrontendNetwork> made(new FrontendNetwork(std::move(library)));
  const SharedLibrary& l = *made->library_;
  made->init_v1_ = l.ResolveOptional<ApuFrontend_InitGraphV1>(APU_FRONTEND_INIT_GRAPH_V1);
  if (made->init_v1_ == nullptr) {
    MACE_RETURN_IF_ERROR(l.Resolve(APU_FRONTEND_INIT_GRAPH_V2, &made->init_v2_));
  }
  MACE_RETURN_IF_ERROR(l.Resolve(APU_FRONTEND_CONSTRUCT, &made->construct_));
  MACE_RETURN_IF_ERROR(l.Resolve(APU_FRONTEND_DESTROY, &made->destroy_));
  MACE_RETURN_IF_ERROR(l.Resolve(APU_FRONTEND_RUN_GRAPH, &made->run_));
  MACE_RETURN_IF_ERROR(l.Resolve(APU_FRONTEND_UNINIT_GRAPH, &made->uninit_));
  *network = std::move(made);
  return Status();
}

void FrontendNetwork::Release() {
  if (ready_) uninit_(object_);
  if (constructed_) destroy_(object_);
  ready_ = constructed_ = false;
}

Status FrontendNetwork::Allocate(size_t size, uint8_t** codes) {
  if (!codes_.Allocate(size)) return diagnostics::ApuMemory(std::to_string(size) + " bytes");
  *codes = codes_.as<uint8_t>();
  return Status();
}

Status FrontendNetwork::Init(const Request& request, const std::string& file, bool load) {
  Release();
  model_ = FrontendModel();
  MACE_RETURN_IF_ERROR(model_.Translate(request, codes_.as<uint8_t>()));
  std::memset(object_, 0, sizeof object_);
  construct_(object_);
  constructed_ = true;
  const auto count = [](const auto& list) { return static_cast<int>(list.size()); };
  const FrontendModel& m = model_;
  if (init_v1_ != nullptr) {
    std::vector<int> ids;
    std::vector<void*> buffers;
    for (const apu_tensor& output : m.outputs) {
      ids.push_back(output.tensor_id);
      buffers.push_back(output.data_buf);
    }
    ready_ = init_v1_(object_, count(m.constants), m.constants.data(), count(m.inputs),
                      m.inputs.data(), count(ids), ids.data(), buffers.data(), count(m.operators),
                      m.operators.data(), false);
  } else if (load) {
    ready_ = init_v2_(object_, 0, nullptr, count(m.inputs), m.inputs.data(), count(m.outputs),
                      m.outputs.data(), 0, nullptr, false, file.c_str(), true, false);
  } else {
    const bool store = !file.empty();
    ready_ = init_v2_(object_, count(m.constants), m.constants.data(), count(m.inputs),
                      m.inputs.data(), count(m.outputs), m.outputs.data(), count(m.operators),
                      m.operators.data(), false, store ? file.c_str() : nullptr, false, store);
  }
  return ready_ ? Status() : diagnostics::ApuFrontendCall("ApuFrontend::InitGraph");
}

Status FrontendNetwork::Compile(const Request& request, const std::string& file,
                                const std::string& key) {
  if (file.empty()) return Init(request, file, false);
  if (init_v1_ != nullptr) return diagnostics::ApuNoCache(library_->name());
  MACE_RETURN_IF_ERROR(Init(request, file, false));
  runtime::MappedFile stored;
  MACE_RETURN_IF_ERROR(stored.Open(file));
  return runtime::WriteFile(SealFile(file), Seal(key, stored));
}

Status FrontendNetwork::Load(const Request& request, const std::string& file,
                             const std::string& key) {
  if (init_v1_ != nullptr) return diagnostics::ApuNoCache(library_->name());
  runtime::MappedFile stored, sealed;
  MACE_RETURN_IF_ERROR(stored.Open(file));
  if (!sealed.Open(SealFile(file)).ok()) {
    return diagnostics::ApuCache(file, SealFile(file) + ", which says what it is of, is missing");
  }
  const std::string seal = Seal(key, stored);
  if (sealed.size() != seal.size() || std::memcmp(sealed.data(), seal.data(), seal.size()) != 0) {
    return diagnostics::ApuCache(
        file, "it is of another model or damaged: " + SealFile(file) + " says otherwise");
  }
  const Status loaded = Init(request, file, true);
  return loaded.ok() ? loaded
                     : diagnostics::ApuCache(file, "ApuFrontend::InitGraph does not take it");
}

Status FrontendNetwork::Run() {
  return run_(object_) ? Status() : diagnostics::ApuFrontendCall("ApuFrontend::RunGraph");
}

}  // namespace delegates
}  // namespace mace
