#include "mace/delegates/apu/apu_network.h"

#include <initializer_list>
#include <utility>

#include "mace/base/diagnostics.h"
#include "mace/delegates/apu/frontend_network.h"
#include "mace/delegates/apu/neuron_network.h"
#include "mace/delegates/shared_library.h"

namespace mace {
namespace delegates {

namespace {

// Names that devices give the libraries; the usual one of each kind is the last.
using Names = std::initializer_list<const char*>;
constexpr Names kNeuron = {"libneuronusdk_adapter.mtk.so", "libneuron_adapter.so"};
constexpr Names kFrontend = {"libapu-frontend.so"};

// When there is none, what is wrong is said of the usual one of the net's version.
Status OpenUsual(int64_t version, std::unique_ptr<SharedLibrary>* library) {
  const bool newest = version == kNewestApu;
  Status said;
  for (const char* name : newest ? kNeuron : kFrontend) {
    said = SharedLibrary::Open(name, library);
    if (said.ok()) return said;
  }
  for (const char* name : newest ? kFrontend : kNeuron) {
    if (SharedLibrary::Open(name, library).ok()) return Status();
  }
  return said;
}

}  // namespace

Status OpenApuNetwork(const runtime::AcceleratorOptions& options, int64_t version,
                      std::unique_ptr<ApuNetwork>* network) {
  std::unique_ptr<SharedLibrary> loaded;
  if (options.library.empty()) {
    MACE_RETURN_IF_ERROR(OpenUsual(version, &loaded));
  } else {
    MACE_RETURN_IF_ERROR(SharedLibrary::Open(options.library, &loaded));
  }
  const std::string name = loaded->name();
  if (FrontendNetwork::Is(*loaded)) {
    MACE_RETURN_IF_ERROR(FrontendNetwork::Open(std::move(loaded), network));
  } else {
    std::unique_ptr<NeuronLibrary> neuron;
    MACE_RETURN_IF_ERROR(NeuronLibrary::Open(std::move(loaded), &neuron));
    *network =
        std::make_unique<NeuronNetwork>(std::move(neuron), options.boost_hint, options.preference);
  }
  if (version > (*network)->newest()) {
    return diagnostics::ApuVersion(version, name, (*network)->newest());
  }
  return Status();
}

}  // namespace delegates
}  // namespace mace
