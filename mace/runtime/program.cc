#include "mace/runtime/program.h"

#include <algorithm>
#include <map>
#include <utility>

#include "mace/base/clock.h"
#include "mace/base/diagnostics.h"

namespace mace {
namespace runtime {
namespace {

// Net argument of tools/emit/model-file.ts.
const char kObfuscatedArgument[] = "obfuscated";

class CpuExecutor : public Executor {
 public:
  explicit CpuExecutor(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  Status Run(const void* const* inputs, Observer* observer) override {
    session_->Run(inputs, observer);
    return Status();
  }
  const void* output(size_t i) const override { return session_->output<void>(i); }

  Session* session() { return session_.get(); }

 private:
  std::unique_ptr<Session> session_;
};

// Fills what follows from a port's definition; data of ports is float32 or int32.
Status ReadPort(const PortDef& def, ProgramPort* port) {
  port->name = def.public_name();
  port->tensor = def.name;
  port->shape = def.dims;
  port->data_format = static_cast<int>(def.format);
  MACE_RETURN_IF_ERROR(CheckShape(def.name, def.dims, &port->elements));
  MACE_RETURN_IF_ERROR(CheckElementType(def.name, def.type, &port->type));
  if (IsQuantized(port->type)) {
    return diagnostics::BadOperandType(def.name, NameOf(port->type),
                                       "float32 or int32 (an input or output of a graph)");
  }
  port->buffer =
      FindBufferType(def.buffer_type == 0 ? static_cast<int64_t>(port->type) : def.buffer_type);
  if (port->buffer == nullptr) {
    return diagnostics::BadOperandType(def.name, "data type " + std::to_string(def.buffer_type),
                                       BufferTypeNames() + " (the buffer of an input or output)");
  }
  return Status();
}

}  // namespace

Status Program::Create(const void* pb, size_t pb_size, const void* data, size_t data_size,
                       const ProgramOptions& options, std::unique_ptr<Program>* program) {
  MultiNetDef multi;
  MACE_RETURN_IF_ERROR(ReadMultiNetDef(pb, pb_size, &multi));
  if (multi.nets.empty()) return diagnostics::NetCount(0);
  std::stable_sort(multi.nets.begin(), multi.nets.end(),
                   [](const NetDef& a, const NetDef& b) { return a.infer_order < b.infer_order; });
  std::unique_ptr<Program> made(new Program());
  made->name_ = multi.name.empty() ? multi.nets[0].name : multi.name;
  const size_t count = multi.nets.size();
  for (NetDef& net : multi.nets) {
    if (count == 1) net.name = made->name_;
    const std::string name = net.name;
    MACE_RETURN_IF_ERROR(CheckNet(net, data, data_size).At("graph '" + name + "'"));
    const Status added =
        made->AddNet(std::move(net), static_cast<const uint8_t*>(data), data_size, options);
    if (!added.ok()) return count == 1 ? added : added.At("graph '" + name + "'");
  }
  MACE_RETURN_IF_ERROR(made->Connect(multi));
  *program = std::move(made);
  return Status();
}

Status Program::AddNet(NetDef def, const uint8_t* data, size_t data_size,
                       const ProgramOptions& options) {
  net_inputs_.push_back(def.inputs);
  net_outputs_.push_back(def.outputs);
  runtime_types_.push_back(def.runtime_type());
  for (const Attribute& argument : def.arguments) {
    if (argument.has_s &&
        argument.name.compare(0, PreprocessArgument("").size(), PreprocessArgument("")) == 0)
      preprocess_.emplace(argument.name, argument.s);
    if (argument.name == kObfuscatedArgument && argument.has_i && argument.i != 0)
      obfuscated_ = true;
  }
  Net net;
  std::string device = "CPU";
  if (def.runtime_type() == kNetOnCpu) {
    Model model;
    MACE_RETURN_IF_ERROR(BuildModel(std::move(def), data, data_size, &model));
    // Ports of a model have the shapes of its tensors, whatever the list says.
    for (size_t i = 0; i < model.outputs.size(); ++i) {
      const Tensor& tensor = model.tensors[static_cast<size_t>(model.outputs[i].tensor)];
      net_outputs_.back()[i].dims = tensor.shape;
      net_outputs_.back()[i].type = static_cast<int64_t>(tensor.type);
    }
    SessionOptions shared = options.session;
    if (pool_ != nullptr) shared.pool = pool_;
    std::unique_ptr<Session> session;
    MACE_RETURN_IF_ERROR(Session::Create(std::move(model), shared, &session));
    pool_ = session->shared_pool();
    auto executor = std::make_unique<CpuExecutor>(std::move(session));
    session_ = nets_.empty() ? executor->session() : nullptr;
    net.executor = std::move(executor);
  } else {
    session_ = nullptr;
    const auto found = std::find_if(
        options.delegates.begin(), options.delegates.end(),
        [&](const Delegate& delegate) { return delegate.runtime_type == def.runtime_type(); });
    if (found == options.delegates.end())
      return diagnostics::NetOfAnotherDevice(def.runtime_type());
    for (const auto* ports : {&def.inputs, &def.outputs}) {
      if (ports->empty())
        return diagnostics::MissingPort(ports == &def.inputs ? "input" : "output");
      for (const PortDef& port : *ports) {
        ProgramPort checked;
        MACE_RETURN_IF_ERROR(ReadPort(port, &checked));
      }
    }
    device = found->title;
    AcceleratorOptions accelerator = options.accelerator;
    const auto own = accelerator.libraries.find(def.runtime_type());
    if (own != accelerator.libraries.end()) accelerator.library = own->second;
    // Every net of a device is compiled by itself and kept in a file of its own.
    const auto earlier =
        std::count(runtime_types_.begin(), runtime_types_.end() - 1, def.runtime_type());
    for (std::string* file : {&accelerator.cache_file, &accelerator.cache_storage}) {
      if (earlier > 0 && !file->empty()) *file += "." + std::to_string(earlier);
    }
    MACE_RETURN_IF_ERROR(found->create(def, data, data_size, accelerator, &net.executor));
  }
  devices_ += (devices_.empty() ? "" : ", ") + device;
  nets_.push_back(std::move(net));
  return Status();
}

Status Program::Connect(const MultiNetDef& multi) {
  struct Known {
    Source source;
    const PortDef* def;
  };
  std::map<std::string, Known> known;
  const auto add_input = [&](const PortDef& def) -> Status {
    ProgramPort port;
    MACE_RETURN_IF_ERROR(ReadPort(def, &port));
    if (!known.emplace(def.name, Known{{-1, static_cast<int>(inputs_.size())}, &def}).second)
      return diagnostics::DuplicateTensor(def.name);
    const auto described = preprocess_.find(PreprocessArgument(def.name));
    if (described != preprocess_.end())
      MACE_RETURN_IF_ERROR(ReadPreprocess(def.name, described->second, &port.preprocess));
    inputs_.push_back(std::move(port));
    return Status();
  };
  // Inputs in the order of the file's list, or of the first net that reads them.
  for (const std::string& name : multi.inputs) {
    const PortDef* found = nullptr;
    for (const auto& ports : net_inputs_) {
      for (const PortDef& def : ports) {
        if (found == nullptr && def.name == name) found = &def;
      }
    }
    if (found == nullptr)
      return diagnostics::MissingPort("tensor '" + name + "', which is listed as an input");
    MACE_RETURN_IF_ERROR(add_input(*found));
  }
  for (size_t n = 0; n < nets_.size(); ++n) {
    for (const PortDef& def : net_inputs_[n]) {
      auto at = known.find(def.name);
      if (at == known.end()) {
        if (n > 0) return diagnostics::UndefinedTensor(def.name, false);
        MACE_RETURN_IF_ERROR(add_input(def));
        at = known.find(def.name);
      }
      if (at->second.def->dims != def.dims || at->second.def->type != def.type) {
        return diagnostics::BadOperandShape(
            def.name, ToString(at->second.def->dims),
            ToString(def.dims) + " as graph " + std::to_string(n) + " has it");
      }
      nets_[n].inputs.push_back(at->second.source);
    }
    nets_[n].pointers.resize(nets_[n].inputs.size());
    for (size_t i = 0; i < net_outputs_[n].size(); ++i) {
      const PortDef& def = net_outputs_[n][i];
      const Known value{{static_cast<int>(n), static_cast<int>(i)}, &def};
      // A net may hand one of its inputs on.
      if (!known.emplace(def.name, value).second && net_inputs_.size() > 1)
        return diagnostics::DuplicateTensor(def.name);
    }
  }
  std::vector<std::string> names = multi.outputs;
  // One net says itself what it gives.
  if (names.empty() || nets_.size() == 1) {
    for (size_t i = 0; i < net_outputs_.back().size(); ++i) {
      ProgramPort port;
      MACE_RETURN_IF_ERROR(ReadPort(net_outputs_.back()[i], &port));
      outputs_.push_back(std::move(port));
      outputs_at_.push_back({static_cast<int>(nets_.size()) - 1, static_cast<int>(i)});
    }
    return Status();
  }
  for (const std::string& name : names) {
    const auto at = known.find(name);
    if (at == known.end())
      return diagnostics::MissingPort("tensor '" + name + "', which is listed as an output");
    ProgramPort port;
    MACE_RETURN_IF_ERROR(ReadPort(*at->second.def, &port));
    outputs_.push_back(std::move(port));
    outputs_at_.push_back(at->second.source);
  }
  return Status();
}

const void* Program::Value(Source source) const {
  const size_t port = static_cast<size_t>(source.port);
  return source.net < 0 ? given_[port]
                        : nets_[static_cast<size_t>(source.net)].executor->output(port);
}

Status Program::Run(const void* const* inputs, Observer* observer) {
  given_ = inputs;
  // Tensors and nodes of a session mean something only where there is one session.
  const bool several = nets_.size() > 1;
  for (size_t n = 0; n < nets_.size(); ++n) {
    Net& net = nets_[n];
    for (size_t i = 0; i < net.inputs.size(); ++i) net.pointers[i] = Value(net.inputs[i]);
    const bool on_cpu = dynamic_cast<CpuExecutor*>(net.executor.get()) != nullptr;
    const int64_t start = observer == nullptr ? 0 : NowNanos();
    MACE_RETURN_IF_ERROR(
        net.executor->Run(net.pointers.data(), several && on_cpu ? nullptr : observer));
    if (observer != nullptr) observer->OnNet(static_cast<int>(n), start, NowNanos());
  }
  return Status();
}

}  // namespace runtime
}  // namespace mace
