// What runs one net of a program: the session of the CPU, or a delegate for an accelerator.
#ifndef MACE_RUNTIME_EXECUTOR_H_
#define MACE_RUNTIME_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "mace/base/status.h"
#include "mace/runtime/net_def.h"
#include "mace/runtime/session.h"

namespace mace {
namespace runtime {

// Values of MACE's RuntimeType, in the net argument `runtime_type`.
enum RuntimeTypeOfNet : int64_t { kNetOnCpu = 0, kNetOnHexagon = 3, kNetOnApu = 5 };

class Executor {
 public:
  virtual ~Executor() = default;
  // One pointer per input of the net, to float32 or int32 data as the net says, NHWC, in the net's
  // order and shapes. Not reentrant. The observer, which may be null, sees what the device tells:
  // nodes by OnAcceleratorNode.
  virtual Status Run(const void* const* inputs, Observer* observer) = 0;
  // Of the last Run that succeeded: data of the output's type.
  virtual const void* output(size_t i) const = 0;
};

// What the user asks of an accelerator. Each delegate reads its part.
struct AcceleratorOptions {
  // Path or file name of the vendor's library; empty: the platform's usual name.
  std::string library;
  // The same for one kind of accelerator, by its runtime type: stronger.
  std::map<int64_t, std::string> libraries;
  // Hexagon: run in an unsigned protection domain.
  bool unsigned_pd = false;
  // Hexagon: power as of hexagon_nn_set_powersave and friends, when power_set.
  bool power_set = false;
  // A value of MACE's HexagonNNCornerType.
  int power_corner = 0;
  bool dcvs = true;
  int latency_us = 100;
  // APU: 0 to 100, and a value of MACE's APUPreferenceHint.
  int boost_hint = 100;
  int preference = 1;
  // A value of MACE's AcceleratorCachePolicy, and where compiled networks are kept.
  int cache_policy = 0;
  std::string cache_file, cache_storage;
};

// A kind of accelerator that a program can use.
struct Delegate {
  int64_t runtime_type;
  // As the tools and their options call it: "dsp".
  const char* name;
  // For people: "Hexagon DSP".
  const char* title;
  // `data`, the data file, has been checked by CheckNet and outlives the executor.
  Status (*create)(const NetDef& net, const uint8_t* data, size_t data_size,
                   const AcceleratorOptions& options, std::unique_ptr<Executor>* executor);
};

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_EXECUTOR_H_
