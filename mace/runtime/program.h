// A model file ready to run: its nets, each on its device, one after the other.
#ifndef MACE_RUNTIME_PROGRAM_H_
#define MACE_RUNTIME_PROGRAM_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mace/base/span.h"
#include "mace/base/status.h"
#include "mace/runtime/buffer_type.h"
#include "mace/runtime/executor.h"
#include "mace/runtime/net_def.h"
#include "mace/runtime/preprocess.h"
#include "mace/runtime/session.h"

namespace mace {
namespace runtime {

// An input or output of the program, as callers see it.
struct ProgramPort {
  // The alias when there is one, else the tensor's name.
  std::string name;
  std::string tensor;
  Shape shape;
  int64_t elements = 1;
  // float32 or int32.
  ElementType type = ElementType::kFloat32;
  // Of the buffers that callers have by default; data of the program has `type`.
  const BufferType* buffer = nullptr;
  // 0 none, 1 NHWC, 2 NCHW: layout of the caller's buffer; data of the program is NHWC.
  int data_format = 1;
  // Of inputs: how pixels become their values.
  Preprocess preprocess;

  size_t bytes() const { return static_cast<size_t>(elements) * SizeOf(type); }
  size_t buffer_bytes() const { return static_cast<size_t>(elements) * buffer->bytes; }
};

struct ProgramOptions {
  SessionOptions session;
  AcceleratorOptions accelerator;
  // Kinds of accelerators that this build has.
  Span<const Delegate> delegates;
};

class Program {
 public:
  // The files' bytes must outlive the program. Reads the nets in their infer_order.
  static Status Create(const void* pb, size_t pb_size, const void* data, size_t data_size,
                       const ProgramOptions& options, std::unique_ptr<Program>* program);

  // One pointer per input, in their order and shapes. Not reentrant.
  Status Run(const void* const* inputs, Observer* observer = nullptr);
  // Of the last Run: data of the output's type.
  template <typename T = float>
  const T* output(size_t i) const {
    return static_cast<const T*>(Value(outputs_at_[i]));
  }

  const std::string& name() const { return name_; }
  const std::vector<ProgramPort>& inputs() const { return inputs_; }
  const std::vector<ProgramPort>& outputs() const { return outputs_; }
  // The net's session when the program is one net of the CPU, else null: what only a session knows
  // (layers, memory).
  Session* session() const { return session_; }
  // Of the nets, in their order.
  const std::vector<int64_t>& runtime_types() const { return runtime_types_; }
  // Whether names of inner tensors and operators were taken out of the file.
  bool obfuscated() const { return obfuscated_; }
  // The devices in that order, for people.
  const std::string& devices() const { return devices_; }

 private:
  // Where a value comes from: output `port` of net `net`, or input `port` of the program (net -1).
  struct Source {
    int net;
    int port;
  };
  struct Net {
    std::unique_ptr<Executor> executor;
    std::vector<Source> inputs;
    std::vector<const void*> pointers;
  };

  Program() = default;
  Status AddNet(NetDef def, const uint8_t* data, size_t data_size, const ProgramOptions& options);
  Status Connect(const MultiNetDef& multi);
  const void* Value(Source source) const;

  std::string name_, devices_;
  std::vector<ProgramPort> inputs_, outputs_;
  std::vector<Net> nets_;
  // Of all nets of the CPU: one runs after the other.
  std::shared_ptr<ThreadPool> pool_;
  std::vector<std::vector<PortDef>> net_inputs_, net_outputs_;
  std::vector<int64_t> runtime_types_;
  // Net argument to its text, of all nets.
  std::map<std::string, std::string> preprocess_;
  std::vector<Source> outputs_at_;
  const void* const* given_ = nullptr;
  Session* session_ = nullptr;
  bool obfuscated_ = false;
};

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_PROGRAM_H_
