// The C++ API: names and meaning of MACE's, so that an application written for it builds against
// this runtime.
//
// What belongs to back ends that this build does not have (GPU, Hexagon, APU, HTP) is there and
// answers MACE_UNSUPPORTED. Nothing throws, nothing aborts: every failure is a MaceStatus with a
// text.
#ifndef MACE_PUBLIC_MACE_H_
#define MACE_PUBLIC_MACE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mace {

const char* MaceVersion();

enum RuntimeType {
  RT_CPU = 0,
  RT_OPENCL = 2,
  RT_HEXAGON = 3,
  RT_HTA = 4,
  RT_APU = 5,
  RT_HTP = 6,
  RT_NONE = 65534,
  RT_MAX = 65535
};

enum DeviceType { CPU = 0, GPU = 2, HEXAGON = 3, HTA = 4, APU = 5, HTP = 6 };

enum class IDataType {
  IDT_INVALID = 0,
  IDT_FLOAT = 1,
  IDT_UINT8 = 2,
  IDT_HALF = 3,
  IDT_INT32 = 4,
  IDT_FLOAT16 = 5,
  IDT_BFLOAT16 = 6,
  IDT_INT16 = 7,
  IDT_INT8 = 8,
  IDT_END
};

enum MemoryType { CPU_BUFFER = 0, GPU_BUFFER = 1, GPU_IMAGE = 2, MEMORY_NONE = 10000 };

enum class DataFormat {
  NONE = 0,
  NHWC = 1,
  NCHW = 2,
  HWOI = 100,
  OIHW = 101,
  HWIO = 102,
  OHWI = 103,
  AUTO = 1000
};

enum GPUPerfHint { PERF_DEFAULT = 0, PERF_LOW = 1, PERF_NORMAL = 2, PERF_HIGH = 3 };
enum GPUPriorityHint {
  PRIORITY_DEFAULT = 0,
  PRIORITY_LOW = 1,
  PRIORITY_NORMAL = 2,
  PRIORITY_HIGH = 3
};

enum CPUAffinityPolicy {
  AFFINITY_NONE = 0,
  AFFINITY_BIG_ONLY = 1,
  AFFINITY_LITTLE_ONLY = 2,
  AFFINITY_HIGH_PERFORMANCE = 3,
  AFFINITY_POWER_SAVE = 4
};

enum OpenCLCacheReusePolicy { REUSE_NONE = 0, REUSE_SAME_GPU = 1 };

enum HexagonNNCornerType {
  HEXAGON_NN_CORNER_RELEASE = 0,
  HEXAGON_NN_CORNER_TURBO = 1,
  HEXAGON_NN_CORNER_NOMPLUS = 2,
  HEXAGON_NN_CORNER_NOMINAL = 3,
  HEXAGON_NN_CORNER_SVSPLUS = 4,
  HEXAGON_NN_CORNER_SVS = 5,
  HEXAGON_NN_CORNER_SVS2 = 6
};

enum HexagonPerformanceType {
  HEXAGON_BURST = 0,
  HEXAGON_SUSTAINED_HIGH_PERFORMANCE = 1,
  HEXAGON_HIGH_PERFORMANCE = 2,
  HEXAGON_BALANCED = 3,
  HEXAGON_LOW_BALANCED = 4,
  HEXAGON_HIGH_POWER_SAVER = 5,
  HEXAGON_POWER_SAVER = 6,
  HEXAGON_LOW_POWER_SAVER = 7,
  HEXAGON_SYSTEM_SETTINGS = 8
};

enum AcceleratorCachePolicy {
  ACCELERATOR_CACHE_NONE = 0,
  ACCELERATOR_CACHE_STORE = 1,
  ACCELERATOR_CACHE_LOAD = 2,
  APU_CACHE_LOAD_OR_STORE = 3
};

enum APUPreferenceHint {
  NEURON_PREFER_LOW_POWER = 0,
  NEURON_PREFER_FAST_SINGLE_ANSWER = 1,
  NEURON_PREFER_SUSTAINED_SPEED = 2
};

class MaceStatus {
 public:
  enum Code {
    MACE_SUCCESS = 0,
    MACE_INVALID_ARGS = 1,
    MACE_OUT_OF_RESOURCES = 2,
    MACE_UNSUPPORTED = 3,
    MACE_RUNTIME_ERROR = 4
  };

  MaceStatus() = default;
  MaceStatus(Code code) : code_(code) {}  // NOLINT: implicit, as in MACE
  MaceStatus(Code code, std::string information)
      : code_(code), information_(std::move(information)) {}

  Code code() const { return code_; }
  // The name of the code, and what is wrong.
  std::string information() const;

  bool operator==(const MaceStatus& other) const { return code_ == other.code_; }
  bool operator!=(const MaceStatus& other) const { return code_ != other.code_; }

 private:
  Code code_ = MACE_SUCCESS;
  std::string information_;
};

// Data of a graph input or output in the caller's memory. Inputs and outputs are float32
// (IDT_FLOAT) or, where the graph has indices or truth values, int32 (IDT_INT32); where the
// configuration declares another type (IDT_INT32, IDT_FLOAT16, IDT_INT16, IDT_UINT8), that is taken
// too. Integers stand for themselves; outputs that do not fit are cut: fractions towards zero,
// values outside the type to its ends.
class MaceTensor {
 public:
  MaceTensor() = default;
  // For an output, the shape may be an upper bound; shape() is the true one after Run.
  MaceTensor(const std::vector<int64_t>& shape, std::shared_ptr<void> data,
             DataFormat format = DataFormat::NHWC, IDataType data_type = IDataType::IDT_FLOAT,
             MemoryType memory_type = CPU_BUFFER);

  const std::vector<int64_t>& shape() const { return shape_; }
  const std::shared_ptr<float> data() const { return std::static_pointer_cast<float>(data_); }
  template <typename T>
  const std::shared_ptr<T> data() const {
    return std::static_pointer_cast<T>(data_);
  }
  DataFormat data_format() const { return format_; }
  IDataType data_type() const { return data_type_; }
  MemoryType memory_type() const { return memory_type_; }

 private:
  friend class MaceEngine;
  std::vector<int64_t> shape_;
  std::shared_ptr<void> data_;
  DataFormat format_ = DataFormat::NHWC;
  IDataType data_type_ = IDataType::IDT_FLOAT;
  MemoryType memory_type_ = CPU_BUFFER;
};

struct CallStats {
  int64_t start_micros = 0;
  int64_t end_micros = 0;
};

struct ConvPoolArgs {
  std::vector<int> strides;
  int padding_type = 0;
  std::vector<int> paddings;
  std::vector<int> dilations;
  std::vector<int64_t> kernels;
};

struct OperatorStats {
  std::string operator_name;
  std::string type;
  std::vector<std::vector<int64_t>> output_shape;
  ConvPoolArgs args;
  CallStats stats;
};

class RunMetadata {
 public:
  std::vector<OperatorStats> op_stats;
};

struct CapabilityItem {
  // Time relative to a float model on the CPU; 1 there, less is faster.
  float performance = 0.0f;
  bool supported = false;
};
struct Capability {
  CapabilityItem float32_performance;
  CapabilityItem quantized8_performance;
  bool supported = false;
};
// Of the CPU: runs a small product of each kind. `cpu_float32_exec_time` scales the result.
Capability GetCapability(DeviceType device_type, float cpu_float32_exec_time = 1.0f);

class OpenclContext;

// GPU settings; without a GPU in this build, Finalize returns null.
class GPUContextBuilder {
 public:
  GPUContextBuilder& SetOpenCLCacheFullPath(const std::string& path);
  GPUContextBuilder& SetOpenCLCacheReusePolicy(OpenCLCacheReusePolicy policy);
  GPUContextBuilder& SetStoragePath(const std::string& path);
  GPUContextBuilder& SetOpenCLBinaryPaths(const std::vector<std::string>& paths);
  GPUContextBuilder& SetOpenCLBinary(const unsigned char* data, size_t size);
  GPUContextBuilder& SetOpenCLParameterPath(const std::string& path);
  GPUContextBuilder& SetOpenCLParameter(const unsigned char* data, size_t size);
  std::shared_ptr<OpenclContext> Finalize();
};

class MaceEngineConfig {
 public:
  MaceEngineConfig();
  // As in MACE's older releases.
  explicit MaceEngineConfig(DeviceType device_type);
  ~MaceEngineConfig();
  MaceEngineConfig(const MaceEngineConfig&);
  MaceEngineConfig& operator=(const MaceEngineConfig&);

  // The device that the model must be for; the model itself says where its graphs run, and without
  // this call that is all there is to it. Names of graphs are not looked at.
  MaceStatus SetRuntimeType(RuntimeType runtime_type, const char* sub_graph_name = "");
  // Threads: -1 or 0 means one per processor. The affinity policy is a hint that this runtime
  // leaves to the system.
  MaceStatus SetCPUThreadPolicy(int num_threads_hint, CPUAffinityPolicy policy);

  MaceStatus SetGPUContext(std::shared_ptr<OpenclContext> context);
  MaceStatus SetGPUHints(GPUPerfHint perf_hint, GPUPriorityHint priority_hint);
  MaceStatus SetHexagonToUnsignedPD();
  MaceStatus SetHexagonPower(HexagonNNCornerType corner, bool dcvs_enable, int latency);
  MaceStatus SetQnnPerformance(HexagonPerformanceType type);
  MaceStatus SetAcceleratorCache(AcceleratorCachePolicy policy, const std::string& binary_file,
                                 const std::string& storage_file);
  MaceStatus SetAPUHints(uint8_t boost_hint, APUPreferenceHint preference_hint);
  // Path or file name of the vendor's library, instead of the system's.
  MaceStatus SetAcceleratorLibrary(const std::string& library);
  // The same for one kind of accelerator, where a model has several.
  MaceStatus SetAcceleratorLibrary(RuntimeType runtime_type, const std::string& library);

 private:
  friend class MaceEngine;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

class MaceEngine {
 public:
  explicit MaceEngine(const MaceEngineConfig& config);
  ~MaceEngine();
  MaceEngine(const MaceEngine&) = delete;
  MaceEngine& operator=(const MaceEngine&) = delete;

  // The bytes of a MultiNetDef and of the data file. The data must outlive the engine; the model
  // need not. The names must be those of the model's inputs and outputs (aliases or tensors); none
  // means all.
  MaceStatus Init(const unsigned char* model_graph_proto, size_t model_graph_proto_size,
                  const unsigned char* model_weights_data, size_t model_weights_data_size,
                  const std::vector<std::string>& input_nodes,
                  const std::vector<std::string>& output_nodes);
  // The same with the data file's path.
  MaceStatus Init(const unsigned char* model_graph_proto, size_t model_graph_proto_size,
                  const std::string& model_data_file, const std::vector<std::string>& input_nodes,
                  const std::vector<std::string>& output_nodes);

  // One call at a time per engine. Every input must be given; outputs that are not in the map are
  // not copied.
  MaceStatus Run(const std::map<std::string, MaceTensor>& inputs,
                 std::map<std::string, MaceTensor>* outputs);
  MaceStatus Run(const std::map<std::string, MaceTensor>& inputs,
                 std::map<std::string, MaceTensor>* outputs, RunMetadata* run_metadata);

  // Fills *tensor with the values of an input from the pixels of an image: `size` bytes of
  // [height, width, channels], rows from the top, RGB or gray, in the input's height and width.
  // Order of the channels, mean and scale are those of the model's configuration, with which it was
  // quantized and evaluated.
  MaceStatus FillFromPixels(const std::string& input_node, const uint8_t* pixels, size_t size,
                            MaceTensor* tensor) const;

  // The memory plan is one block that lives with the engine; there is nothing to release between
  // runs.
  MaceStatus ReleaseIntermediateBuffer();
  std::vector<RuntimeType> GetRuntimeTypes();
  // Runs once on zeros, so that the first true run finds everything in memory.
  MaceStatus FakeWarmup();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Makes an engine. *model_data_unused says that the caller may free the data at once: never, as
// weights that need no packing are used in place. tutor is MACE's, of other back ends; fake_warmup
// runs once on zeros.
MaceStatus CreateMaceEngineFromProto(
    const unsigned char* model_graph_proto, size_t model_graph_proto_size,
    const unsigned char* model_weights_data, size_t model_weights_data_size,
    const std::vector<std::string>& input_nodes, const std::vector<std::string>& output_nodes,
    const MaceEngineConfig& config, std::shared_ptr<MaceEngine>* engine,
    bool* model_data_unused = nullptr, MaceEngine* tutor = nullptr, bool fake_warmup = false);

// MACE's older form.
MaceStatus CreateMaceEngineFromProto(const std::vector<unsigned char>& model_pb,
                                     const std::string& model_data_file,
                                     const std::vector<std::string>& input_nodes,
                                     const std::vector<std::string>& output_nodes,
                                     const MaceEngineConfig& config,
                                     std::shared_ptr<MaceEngine>* engine);

}  // namespace mace

#endif  // MACE_PUBLIC_MACE_H_
