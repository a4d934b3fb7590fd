#include "mace/public/mace.h"

#include <chrono>
#include <cstring>
#include <new>
#include <thread>
#include <utility>

#include "mace/base/diagnostics.h"
#include "mace/delegates/registry.h"
#include "mace/kernels/conv.h"
#include "mace/runtime/file.h"
#include "mace/runtime/program.h"

namespace mace {
namespace {

MaceStatus ToMace(const Status& status) {
  if (status.ok()) return MaceStatus();
  std::string text = status.Render();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return MaceStatus(static_cast<MaceStatus::Code>(static_cast<int>(status.kind())), text);
}

MaceStatus Unsupported(const char* what) { return ToMace(diagnostics::NotInThisBuild(what)); }

// Number of elements of positive dimensions, at most 2^32.
int64_t Elements(const std::vector<int64_t>& shape) {
  constexpr int64_t kEnough = int64_t{1} << 32;
  int64_t n = 1;
  for (int64_t d : shape) n = n >= kEnough ? kEnough : n * d;
  return n < kEnough ? n : kEnough;
}

// NHWC and NCHW shapes of one tensor.
std::vector<int64_t> ToNchw(const std::vector<int64_t>& s) { return {s[0], s[3], s[1], s[2]}; }

// Elements are words of four bytes, float32 or int32.
void NchwToNhwc(const uint32_t* from, const std::vector<int64_t>& nhwc, uint32_t* to) {
  const int64_t batch = nhwc[0], area = nhwc[1] * nhwc[2], channels = nhwc[3];
  for (int64_t n = 0; n < batch; ++n, from += area * channels, to += area * channels) {
    for (int64_t i = 0; i < area; ++i) {
      for (int64_t c = 0; c < channels; ++c) to[i * channels + c] = from[c * area + i];
    }
  }
}

void NhwcToNchw(const uint32_t* from, const std::vector<int64_t>& nhwc, uint32_t* to) {
  const int64_t batch = nhwc[0], area = nhwc[1] * nhwc[2], channels = nhwc[3];
  for (int64_t n = 0; n < batch; ++n, from += area * channels, to += area * channels) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t i = 0; i < area; ++i) to[c * area + i] = from[i * channels + c];
    }
  }
}

class MetadataObserver : public runtime::Observer {
 public:
  // `model` is null where the program is not one net of the CPU.
  MetadataObserver(const runtime::Model* model, RunMetadata* metadata)
      : model_(model), metadata_(metadata) {}

  void OnNode(int index, int64_t start_nanos, int64_t end_nanos) override {
    const runtime::Node& node = model_->nodes[static_cast<size_t>(index)];
    OperatorStats stats;
    stats.operator_name = node.name;
    stats.type = node.type;
    for (int t : node.outputs)
      stats.output_shape.push_back(model_->tensors[static_cast<size_t>(t)].shape);
    for (const runtime::Attribute& a : node.attributes) {
      if (a.name == "strides") stats.args.strides.assign(a.ints.begin(), a.ints.end());
      if (a.name == "pads") stats.args.paddings.assign(a.ints.begin(), a.ints.end());
      if (a.name == "dilations") stats.args.dilations.assign(a.ints.begin(), a.ints.end());
      if (a.name == "kernels") stats.args.kernels = a.ints;
    }
    stats.stats.start_micros = start_nanos / 1000;
    stats.stats.end_micros = end_nanos / 1000;
    metadata_->op_stats.push_back(std::move(stats));
  }

  void OnNet(int net, int64_t start_nanos, int64_t end_nanos) override {
    if (model_ != nullptr) return;
    OperatorStats stats;
    stats.operator_name = std::to_string(net);
    stats.type = "Graph";
    stats.stats.start_micros = start_nanos / 1000;
    stats.stats.end_micros = end_nanos / 1000;
    metadata_->op_stats.push_back(std::move(stats));
  }

 private:
  const runtime::Model* model_;
  RunMetadata* metadata_;
};

bool HasDelegate(int64_t runtime_type) {
  for (const runtime::Delegate& delegate : delegates::Registered()) {
    if (delegate.runtime_type == runtime_type) return true;
  }
  return false;
}

double SecondsOfProduct(bool integer, const CpuFeatures& features) {
  const int64_t kRows = 196, kDepth = 256, kColumns = 256;
  kernels::ConvShape shape = {};
  shape.window = {kRows, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
  shape.in_channels = kDepth;
  shape.out_channels = kColumns;
  shape.groups = 1;
  const Tier tier = BestTier(features);
  kernels::Conv conv;
  std::vector<float> left(static_cast<size_t>(kRows * kDepth), 0.5f),
      right(static_cast<size_t>(kDepth * kColumns), 0.25f);
  std::vector<float> out(static_cast<size_t>(kRows * kColumns));
  bool done;
  if (integer) {
    kernels::ConvQuantization q = {ElementType::kInt8,
                                   ElementType::kInt8,
                                   0,
                                   0,
                                   0,
                                   -128,
                                   127,
                                   std::vector<float>(static_cast<size_t>(kColumns), 0.001f)};
    done = conv.InitCodes(shape, tier, right.data(), nullptr, q);
  } else {
    done = conv.InitFloat(shape, tier, right.data(), nullptr, 0.0f, 6.0f);
  }
  AlignedBuffer scratch;
  if (!done) return 0.0;
  conv.Plan(1);
  if (!scratch.Allocate(conv.scratch_bytes())) return 0.0;
  double least = 0.0;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int64_t t = 0; t < conv.tasks(); ++t) conv.Run(t, left.data(), out.data(), scratch.data());
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (round == 0 || seconds < least) least = seconds;
  }
  return least;
}

}  // namespace

const char* MaceVersion() { return "1.0.0"; }

std::string MaceStatus::information() const {
  static const char* const kNames[] = {"Success", "Invalid Arguments", "Out of resources",
                                       "Unsupported", "Runtime error"};
  const std::string name = kNames[code_];
  return information_.empty() ? name : name + ": " + information_;
}

MaceTensor::MaceTensor(const std::vector<int64_t>& shape, std::shared_ptr<void> data,
                       DataFormat format, IDataType data_type, MemoryType memory_type)
    : shape_(shape),
      data_(std::move(data)),
      format_(format),
      data_type_(data_type),
      memory_type_(memory_type) {}

Capability GetCapability(DeviceType device_type, float cpu_float32_exec_time) {
  Capability capability;
  if (device_type != CPU) return capability;
  const CpuFeatures features = DetectCpuFeatures();
  const double float_seconds = SecondsOfProduct(false, features),
               code_seconds = SecondsOfProduct(true, features);
  capability.supported = true;
  capability.float32_performance.supported = capability.quantized8_performance.supported = true;
  capability.float32_performance.performance = cpu_float32_exec_time;
  capability.quantized8_performance.performance =
      float_seconds > 0 ? static_cast<float>(code_seconds / float_seconds) * cpu_float32_exec_time
                        : cpu_float32_exec_time;
  return capability;
}

GPUContextBuilder& GPUContextBuilder::SetOpenCLCacheFullPath(const std::string&) { return *this; }
GPUContextBuilder& GPUContextBuilder::SetOpenCLCacheReusePolicy(OpenCLCacheReusePolicy) {
  return *this;
}
GPUContextBuilder& GPUContextBuilder::SetStoragePath(const std::string&) { return *this; }
GPUContextBuilder& GPUContextBuilder::SetOpenCLBinaryPaths(const std::vector<std::string>&) {
  return *this;
}
GPUContextBuilder& GPUContextBuilder::SetOpenCLBinary(const unsigned char*, size_t) {
  return *this;
}
GPUContextBuilder& GPUContextBuilder::SetOpenCLParameterPath(const std::string&) { return *this; }
GPUContextBuilder& GPUContextBuilder::SetOpenCLParameter(const unsigned char*, size_t) {
  return *this;
}
std::shared_ptr<OpenclContext> GPUContextBuilder::Finalize() { return nullptr; }

class MaceEngineConfig::Impl {
 public:
  int threads = 1;
  // RT_NONE: as the model says.
  RuntimeType runtime_type = RT_NONE;
  runtime::AcceleratorOptions accelerator;
};

MaceEngineConfig::MaceEngineConfig() : impl_(new Impl()) {}
MaceEngineConfig::MaceEngineConfig(DeviceType device_type) : impl_(new Impl()) {
  impl_->runtime_type = static_cast<RuntimeType>(device_type);
}
MaceEngineConfig::~MaceEngineConfig() = default;
MaceEngineConfig::MaceEngineConfig(const MaceEngineConfig& other) : impl_(new Impl(*other.impl_)) {}
MaceEngineConfig& MaceEngineConfig::operator=(const MaceEngineConfig& other) {
  *impl_ = *other.impl_;
  return *this;
}

MaceStatus MaceEngineConfig::SetRuntimeType(RuntimeType runtime_type, const char*) {
  if (runtime_type != RT_CPU && runtime_type != RT_NONE && !HasDelegate(runtime_type))
    return Unsupported("this runtime type");
  impl_->runtime_type = runtime_type;
  return MaceStatus();
}
MaceStatus MaceEngineConfig::SetCPUThreadPolicy(int num_threads_hint, CPUAffinityPolicy) {
  if (num_threads_hint > 256) return ToMace(diagnostics::BadArgument("more than 256 threads"));
  impl_->threads = num_threads_hint > 0 ? num_threads_hint
                                        : static_cast<int>(std::thread::hardware_concurrency());
  return MaceStatus();
}
MaceStatus MaceEngineConfig::SetGPUContext(std::shared_ptr<OpenclContext>) {
  return Unsupported("the GPU");
}
MaceStatus MaceEngineConfig::SetGPUHints(GPUPerfHint, GPUPriorityHint) {
  return Unsupported("the GPU");
}
MaceStatus MaceEngineConfig::SetHexagonToUnsignedPD() {
  if (!HasDelegate(RT_HEXAGON)) return Unsupported("Hexagon");
  impl_->accelerator.unsigned_pd = true;
  return MaceStatus();
}
MaceStatus MaceEngineConfig::SetHexagonPower(HexagonNNCornerType corner, bool dcvs_enable,
                                             int latency) {
  if (!HasDelegate(RT_HEXAGON)) return Unsupported("Hexagon");
  if (corner < HEXAGON_NN_CORNER_RELEASE || corner > HEXAGON_NN_CORNER_SVS2)
    return ToMace(diagnostics::BadArgument("the power corner is not one of HexagonNNCornerType"));
  if (latency < 0) return ToMace(diagnostics::BadArgument("the latency is negative"));
  impl_->accelerator.power_set = true;
  impl_->accelerator.power_corner = corner;
  impl_->accelerator.dcvs = dcvs_enable;
  impl_->accelerator.latency_us = latency;
  return MaceStatus();
}
MaceStatus MaceEngineConfig::SetQnnPerformance(HexagonPerformanceType) {
  return Unsupported("QNN");
}
MaceStatus MaceEngineConfig::SetAcceleratorCache(AcceleratorCachePolicy policy,
                                                 const std::string& binary_file,
                                                 const std::string& storage_file) {
  if (!HasDelegate(RT_APU)) return Unsupported("the APU");
  if (policy < ACCELERATOR_CACHE_NONE || policy > APU_CACHE_LOAD_OR_STORE)
    return ToMace(diagnostics::BadArgument("the policy is not one of AcceleratorCachePolicy"));
  impl_->accelerator.cache_policy = policy;
  impl_->accelerator.cache_file = binary_file;
  impl_->accelerator.cache_storage = storage_file;
  return MaceStatus();
}
MaceStatus MaceEngineConfig::SetAPUHints(uint8_t boost_hint, APUPreferenceHint preference_hint) {
  if (!HasDelegate(RT_APU)) return Unsupported("the APU");
  if (boost_hint > 100) return ToMace(diagnostics::BadArgument("the boost hint is above 100"));
  impl_->accelerator.boost_hint = boost_hint;
  impl_->accelerator.preference = preference_hint;
  return MaceStatus();
}
MaceStatus MaceEngineConfig::SetAcceleratorLibrary(const std::string& library) {
  if (delegates::Registered().empty()) return Unsupported("an accelerator");
  impl_->accelerator.library = library;
  return MaceStatus();
}
MaceStatus MaceEngineConfig::SetAcceleratorLibrary(RuntimeType runtime_type,
                                                   const std::string& library) {
  if (!HasDelegate(runtime_type)) return Unsupported("this runtime type");
  impl_->accelerator.libraries[runtime_type] = library;
  return MaceStatus();
}

class MaceEngine::Impl {
 public:
  explicit Impl(const MaceEngineConfig::Impl& config) : config_(config) {}

  MaceStatus Init(const void* pb, size_t pb_size, const void* data, size_t data_size,
                  const std::vector<std::string>& inputs, const std::vector<std::string>& outputs) {
    if (pb == nullptr || (data == nullptr && data_size > 0))
      return ToMace(diagnostics::BadArgument("the model is null"));
    try {
      runtime::ProgramOptions options;
      options.session.threads = config_.threads;
      options.accelerator = config_.accelerator;
      options.delegates = delegates::Registered();
      const Status status =
          runtime::Program::Create(pb, pb_size, data, data_size, options, &program_);
      if (!status.ok()) return ToMace(status);
      const MaceStatus checked = CheckRequest(inputs, outputs);
      if (checked != MaceStatus::MACE_SUCCESS) {
        program_.reset();
        return checked;
      }
      input_pointers_.resize(program_->inputs().size());
      values_.resize(program_->inputs().size());
      return MaceStatus();
    } catch (const std::bad_alloc&) {
      return ToMace(diagnostics::OutOfMemory("the model", pb_size + data_size));
    }
  }

  MaceStatus InitFile(const void* pb, size_t pb_size, const std::string& path,
                      const std::vector<std::string>& inputs,
                      const std::vector<std::string>& outputs) {
    const Status status = data_file_.Open(path);
    if (!status.ok()) return ToMace(status);
    return Init(pb, pb_size, data_file_.data(), data_file_.size(), inputs, outputs);
  }

  MaceStatus Run(const std::map<std::string, MaceTensor>& inputs,
                 std::map<std::string, MaceTensor>* outputs, RunMetadata* metadata) {
    if (program_ == nullptr)
      return ToMace(diagnostics::BadArgument("the engine is not initialized"));
    if (outputs == nullptr) return ToMace(diagnostics::BadArgument("outputs is null"));
    try {
      return RunChecked(inputs, outputs, metadata);
    } catch (const std::bad_alloc&) {
      return ToMace(diagnostics::OutOfMemory("a run", 0));
    }
  }

  MaceStatus FakeWarmup() {
    if (program_ == nullptr)
      return ToMace(diagnostics::BadArgument("the engine is not initialized"));
    std::vector<std::vector<uint32_t>> zeros;
    for (size_t i = 0; i < input_pointers_.size(); ++i) {
      zeros.emplace_back(static_cast<size_t>(program_->inputs()[i].elements), 0u);
      input_pointers_[i] = zeros.back().data();
    }
    return ToMace(program_->Run(input_pointers_.data()));
  }

  MaceStatus FillFromPixels(const std::string& name, const uint8_t* pixels, size_t size,
                            MaceTensor* tensor) const {
    if (program_ == nullptr)
      return ToMace(diagnostics::BadArgument("the engine is not initialized"));
    if (pixels == nullptr || tensor == nullptr)
      return ToMace(diagnostics::BadArgument("pixels or tensor is null"));
    const int i = Find(program_->inputs(), name);
    if (i < 0) return ToMace(diagnostics::MissingPort("input '" + name + "'"));
    const runtime::ProgramPort& port = program_->inputs()[static_cast<size_t>(i)];
    if (!runtime::TakesPixels(port.shape, port.type))
      return ToMace(diagnostics::NoPixels(port.tensor, ToString(port.shape)));
    const size_t wanted = static_cast<size_t>(port.elements);
    if (size != wanted)
      return ToMace(diagnostics::PixelCount(port.tensor, size, wanted, ToString(port.shape)));
    try {
      std::shared_ptr<float> values(new float[wanted], std::default_delete<float[]>());
      const Status status =
          runtime::PixelsToInput(port.tensor, port.shape, port.preprocess, pixels, values.get());
      if (!status.ok()) return ToMace(status);
      *tensor = MaceTensor(port.shape, values);
      return MaceStatus();
    } catch (const std::bad_alloc&) {
      return ToMace(diagnostics::OutOfMemory("an input", port.bytes()));
    }
  }

  std::vector<RuntimeType> RuntimeTypes() const {
    std::vector<RuntimeType> types;
    if (program_ == nullptr) return types;
    for (int64_t type : program_->runtime_types()) types.push_back(static_cast<RuntimeType>(type));
    return types;
  }

 private:
  static int Find(const std::vector<runtime::ProgramPort>& ports, const std::string& name) {
    for (size_t i = 0; i < ports.size(); ++i) {
      if (ports[i].name == name || ports[i].tensor == name) return static_cast<int>(i);
    }
    return -1;
  }

  // Whether the model has what the caller names.
  MaceStatus CheckRequest(const std::vector<std::string>& inputs,
                          const std::vector<std::string>& outputs) const {
    for (const std::string& name : inputs) {
      if (Find(program_->inputs(), name) < 0)
        return ToMace(diagnostics::MissingPort("input '" + name + "'"));
    }
    for (const std::string& name : outputs) {
      if (Find(program_->outputs(), name) < 0)
        return ToMace(diagnostics::MissingPort("output '" + name + "'"));
    }
    if (config_.runtime_type == RT_NONE) return MaceStatus();
    for (int64_t type : program_->runtime_types()) {
      if (type == config_.runtime_type) return MaceStatus();
    }
    return ToMace(diagnostics::OtherDevice(program_->devices()));
  }

  MaceStatus RunChecked(const std::map<std::string, MaceTensor>& inputs,
                        std::map<std::string, MaceTensor>* outputs, RunMetadata* metadata) {
    for (auto& pointer : input_pointers_) pointer = nullptr;
    for (const auto& [name, tensor] : inputs) {
      const int i = Find(program_->inputs(), name);
      if (i < 0) return ToMace(diagnostics::MissingPort("input '" + name + "'"));
      const MaceStatus status = SetInput(static_cast<size_t>(i), tensor);
      if (status != MaceStatus::MACE_SUCCESS) return status;
    }
    for (size_t i = 0; i < input_pointers_.size(); ++i) {
      if (input_pointers_[i] == nullptr)
        return ToMace(diagnostics::MissingInput(program_->inputs()[i].name));
    }
    for (auto& [name, tensor] : *outputs) {
      const int i = Find(program_->outputs(), name);
      if (i < 0) return ToMace(diagnostics::MissingPort("output '" + name + "'"));
      const Status status = CheckBuffer(tensor, program_->outputs()[static_cast<size_t>(i)], false);
      if (!status.ok()) return ToMace(status);
    }
    if (metadata != nullptr) {
      metadata->op_stats.clear();
      const runtime::Session* session = program_->session();
      MetadataObserver observer(session == nullptr ? nullptr : &session->model(), metadata);
      const Status status = program_->Run(input_pointers_.data(), &observer);
      if (!status.ok()) return ToMace(status);
    } else {
      const Status status = program_->Run(input_pointers_.data());
      if (!status.ok()) return ToMace(status);
    }
    for (auto& [name, tensor] : *outputs) {
      const size_t i = static_cast<size_t>(Find(program_->outputs(), name));
      const runtime::ProgramPort& t = program_->outputs()[i];
      const uint32_t* from = program_->output<uint32_t>(i);
      tensor.shape_ = t.shape;
      if (tensor.format_ == DataFormat::NCHW && t.shape.size() == 4) {
        words_.resize(static_cast<size_t>(t.elements));
        NhwcToNchw(from, t.shape, words_.data());
        from = words_.data();
        tensor.shape_ = ToNchw(t.shape);
      }
      BufferOf(tensor)->write(from, t.type, t.elements, tensor.data_.get());
    }
    return MaceStatus();
  }

  // IDataType has the numbers of the model file. Null for types that buffers cannot have.
  static const runtime::BufferType* BufferOf(const MaceTensor& tensor) {
    return runtime::FindBufferType(static_cast<int64_t>(tensor.data_type_));
  }

  // Whether a caller's buffer fits a tensor; an output's shape may be larger.
  static Status CheckBuffer(const MaceTensor& tensor, const runtime::ProgramPort& t, bool exact) {
    if (tensor.data_ == nullptr)
      return diagnostics::BadArgument("tensor '" + t.tensor + "' has no data");
    const runtime::BufferType* own = runtime::FindBufferType(static_cast<int64_t>(t.type));
    const runtime::BufferType* given = BufferOf(tensor);
    if (given == nullptr || (given != own && given != t.buffer)) {
      const std::string other = t.buffer == own ? "" : std::string(" or ") + t.buffer->name;
      return diagnostics::BadArgument("tensor '" + t.tensor + "' must be of the type " + own->name +
                                      other);
    }
    if (tensor.memory_type_ != CPU_BUFFER)
      return diagnostics::NotInThisBuild("memory other than CPU_BUFFER");
    for (int64_t d : tensor.shape_) {
      if (d < 1 || d > (int64_t{1} << 30))
        return diagnostics::BadOperandShape(t.tensor, ToString(tensor.shape_), ToString(t.shape));
    }
    const bool turned = tensor.format_ == DataFormat::NCHW && t.shape.size() == 4;
    const Shape wanted = turned ? ToNchw(t.shape) : t.shape;
    const bool fits = exact ? tensor.shape_ == wanted
                            : tensor.shape_.size() <= 6 && Elements(tensor.shape_) >= t.elements;
    return fits ? Status()
                : diagnostics::BadOperandShape(t.tensor, ToString(tensor.shape_), ToString(wanted));
  }

  MaceStatus SetInput(size_t i, const MaceTensor& tensor) {
    const runtime::ProgramPort& t = program_->inputs()[i];
    const Status status = CheckBuffer(tensor, t, true);
    if (!status.ok()) return ToMace(status);
    const runtime::BufferType* buffer = BufferOf(tensor);
    const bool converted = buffer->code != static_cast<int64_t>(t.type);
    const bool turned = tensor.format_ == DataFormat::NCHW && t.shape.size() == 4;
    const uint32_t* data = static_cast<const uint32_t*>(tensor.data_.get());
    if (converted) {
      std::vector<uint32_t>& words = turned ? words_ : values_[i];
      words.resize(static_cast<size_t>(t.elements));
      buffer->read(tensor.data_.get(), t.elements, t.type, words.data());
      data = words.data();
    }
    if (turned) {
      values_[i].resize(static_cast<size_t>(t.elements));
      NchwToNhwc(data, t.shape, values_[i].data());
      data = values_[i].data();
    }
    input_pointers_[i] = data;
    return MaceStatus();
  }

  const MaceEngineConfig::Impl config_;
  runtime::MappedFile data_file_;
  std::unique_ptr<runtime::Program> program_;
  std::vector<const void*> input_pointers_;
  // Inputs in the order and type of the program, where the caller's are in another; and what is on
  // the way from one to the other.
  std::vector<std::vector<uint32_t>> values_;
  std::vector<uint32_t> words_;
};

MaceEngine::MaceEngine(const MaceEngineConfig& config) : impl_(new Impl(*config.impl_)) {}
MaceEngine::~MaceEngine() = default;

MaceStatus MaceEngine::Init(const unsigned char* model_graph_proto, size_t model_graph_proto_size,
                            const unsigned char* model_weights_data, size_t model_weights_data_size,
                            const std::vector<std::string>& input_nodes,
                            const std::vector<std::string>& output_nodes) {
  return impl_->Init(model_graph_proto, model_graph_proto_size, model_weights_data,
                     model_weights_data_size, input_nodes, output_nodes);
}
MaceStatus MaceEngine::Init(const unsigned char* model_graph_proto, size_t model_graph_proto_size,
                            const std::string& model_data_file,
                            const std::vector<std::string>& input_nodes,
                            const std::vector<std::string>& output_nodes) {
  return impl_->InitFile(model_graph_proto, model_graph_proto_size, model_data_file, input_nodes,
                         output_nodes);
}
MaceStatus MaceEngine::Run(const std::map<std::string, MaceTensor>& inputs,
                           std::map<std::string, MaceTensor>* outputs) {
  return impl_->Run(inputs, outputs, nullptr);
}
MaceStatus MaceEngine::Run(const std::map<std::string, MaceTensor>& inputs,
                           std::map<std::string, MaceTensor>* outputs, RunMetadata* run_metadata) {
  return impl_->Run(inputs, outputs, run_metadata);
}
MaceStatus MaceEngine::FillFromPixels(const std::string& input_node, const uint8_t* pixels,
                                      size_t size, MaceTensor* tensor) const {
  return impl_->FillFromPixels(input_node, pixels, size, tensor);
}
MaceStatus MaceEngine::ReleaseIntermediateBuffer() { return MaceStatus(); }
MaceStatus MaceEngine::FakeWarmup() { return impl_->FakeWarmup(); }
std::vector<RuntimeType> MaceEngine::GetRuntimeTypes() { return impl_->RuntimeTypes(); }

MaceStatus CreateMaceEngineFromProto(
    const unsigned char* model_graph_proto, size_t model_graph_proto_size,
    const unsigned char* model_weights_data, size_t model_weights_data_size,
    const std::vector<std::string>& input_nodes, const std::vector<std::string>& output_nodes,
    const MaceEngineConfig& config, std::shared_ptr<MaceEngine>* engine, bool* model_data_unused,
    MaceEngine* tutor, bool fake_warmup) {
  (void)tutor;
  if (engine == nullptr) return ToMace(diagnostics::BadArgument("engine is null"));
  if (model_data_unused != nullptr) *model_data_unused = false;
  auto made = std::make_shared<MaceEngine>(config);
  MaceStatus status = made->Init(model_graph_proto, model_graph_proto_size, model_weights_data,
                                 model_weights_data_size, input_nodes, output_nodes);
  if (status == MaceStatus::MACE_SUCCESS && fake_warmup) status = made->FakeWarmup();
  if (status == MaceStatus::MACE_SUCCESS) *engine = std::move(made);
  return status;
}

MaceStatus CreateMaceEngineFromProto(const std::vector<unsigned char>& model_pb,
                                     const std::string& model_data_file,
                                     const std::vector<std::string>& input_nodes,
                                     const std::vector<std::string>& output_nodes,
                                     const MaceEngineConfig& config,
                                     std::shared_ptr<MaceEngine>* engine) {
  if (engine == nullptr) return ToMace(diagnostics::BadArgument("engine is null"));
  auto made = std::make_shared<MaceEngine>(config);
  const MaceStatus status =
      made->Init(model_pb.data(), model_pb.size(), model_data_file, input_nodes, output_nodes);
  if (status == MaceStatus::MACE_SUCCESS) *engine = std::move(made);
  return status;
}

}  // namespace mace
