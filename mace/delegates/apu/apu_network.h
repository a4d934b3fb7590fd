// A network on an APU, through one of the interfaces that libraries of APUs have had.
#ifndef MACE_DELEGATES_APU_APU_NETWORK_H_
#define MACE_DELEGATES_APU_APU_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mace/base/status.h"
#include "mace/delegates/apu/apu_graph.h"
#include "mace/runtime/executor.h"

namespace mace {
namespace delegates {

// Where the codes of an input or output are in the memory of all of them.
struct ApuPort {
  size_t offset = 0, elements = 0;
};

class ApuNetwork {
 public:
  virtual ~ApuNetwork() = default;

  // The newest version of the APU whose nets it takes.
  virtual int64_t newest() const = 0;
  // What compiled networks depend on besides the net: the library's version and what it was asked
  // for.
  virtual std::string identity() const = 0;

  // Memory of `size` bytes for the codes of all ports.
  virtual Status Allocate(size_t size, uint8_t** codes) = 0;

  // What Compile and Load get of a net. The graph's constants outlive the network; nothing else
  // outlives the call.
  struct Request {
    const ApuGraph& graph;
    const std::vector<ApuPort>& inputs;
    const std::vector<ApuPort>& outputs;
  };
  // Compiles the graph, and stores it in the file when there is a name, under the net's key.
  virtual Status Compile(const Request& request, const std::string& file,
                         const std::string& key) = 0;
  // What Compile stored, if it has that key.
  virtual Status Load(const Request& request, const std::string& file, const std::string& key) = 0;
  // From the inputs' codes to the outputs'.
  virtual Status Run() = 0;
};

// Loads the library that the options name, or one of those that devices have: first that of APUs of
// the version of the net. The options have been checked.
Status OpenApuNetwork(const runtime::AcceleratorOptions& options, int64_t version,
                      std::unique_ptr<ApuNetwork>* network);

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_APU_APU_NETWORK_H_
