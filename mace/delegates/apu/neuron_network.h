// Networks through the Neuron adapter: version 4 of the APU.
#ifndef MACE_DELEGATES_APU_NEURON_NETWORK_H_
#define MACE_DELEGATES_APU_NEURON_NETWORK_H_

#include <memory>
#include <string>
#include <utility>

#include "mace/base/aligned_buffer.h"
#include "mace/delegates/apu/apu_network.h"
#include "mace/delegates/apu/neuron_library.h"
#include "mace/delegates/apu/shared_memory.h"

namespace mace {
namespace delegates {

class NeuronNetwork : public ApuNetwork {
 public:
  NeuronNetwork(std::unique_ptr<NeuronLibrary> library, int boost_hint, int preference)
      : library_(std::move(library)), boost_hint_(boost_hint), preference_(preference) {}
  ~NeuronNetwork() override;

  int64_t newest() const override { return kNewestApu; }
  std::string identity() const override {
    return library_->version() + '\n' + std::to_string(preference_) + ' ';
  }
  Status Allocate(size_t size, uint8_t** codes) override;
  Status Compile(const Request& request, const std::string& file, const std::string& key) override;
  Status Load(const Request& request, const std::string& file, const std::string& key) override;
  Status Run() override;

 private:
  void Use(const Request& request) {
    inputs_ = request.inputs;
    outputs_ = request.outputs;
  }
  Status Store(const std::string& file, const std::string& key);
  Status SetPorts(NeuronExecution* execution);
  Status Execute(NeuronExecution* execution);

  std::unique_ptr<NeuronLibrary> library_;
  const int boost_hint_, preference_;
  NeuronModel* model_ = nullptr;
  NeuronCompilation* compilation_ = nullptr;
  std::vector<ApuPort> inputs_, outputs_;
  // Codes of all ports: in memory that the device shares where library and kernel have such memory,
  // else in this process's own.
  SharedMemory shared_;
  NeuronMemory* memory_ = nullptr;
  AlignedBuffer own_;
  uint8_t* codes_ = nullptr;
};

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_APU_NEURON_NETWORK_H_
