// Runs a float model over a stream of samples and writes the statistics of every activation
// (mace/proto/statistics.proto). Nothing it writes depends on the number of threads, the kernel
// tier or the order of the samples.
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "mace/base/diagnostics.h"
#include "mace/bin/flags.h"
#include "mace/bin/loader.h"
#include "mace/bin/sample_spool.h"
#include "mace/bin/sample_stream.h"
#include "mace/runtime/file.h"
#include "mace/runtime/wire.h"

namespace mace {
namespace bin {
namespace {

constexpr int kBuckets = 1 << 13;
// Copies of a histogram that consecutive elements go to in turn, so that runs of equal values
// (zeros, mostly) do not wait for one counter.
constexpr int kLanes = 4;
constexpr int64_t kChunk = 2048;
constexpr int64_t kPiece = int64_t{1} << 31;
// Means are counted in units of 2^-24.
constexpr double kMeanUnits = 16777216.0;

const std::vector<Flag> kFlags = {
    {"model_file", "FILE", "float model (.pb)"},
    {"model_data_file", "FILE", "its constants (.data)"},
    {"input_stream", "FILE|-", "sample stream; - is standard input"},
    {"output", "FILE", "statistics to write"},
    {"num_threads", "N", "threads (1)"},
    {"help", "", "print this"},
};

// The signal that asked to stop, or 0.
volatile sig_atomic_t interrupted = 0;

// After SIGINT or SIGTERM the sample in work is finished and the statistics so far are written.
// A read that waits for the next sample is broken off, hence no SA_RESTART.
void FinishEarlyOnSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int signal) { interrupted = signal; };
  sigemptyset(&action.sa_mask);
  for (int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
}

class StatisticsObserver : public runtime::Observer {
 public:
  explicit StatisticsObserver(runtime::Session* session) : session_(session) {
    const runtime::Model& model = session->model();
    threads_ = static_cast<size_t>(session->pool().size());
    index_.assign(model.tensors.size(), -1);
    // Indices and truth values (int32) have no range.
    for (const runtime::Port& port : model.inputs) Add(port.tensor);
    for (const runtime::Node& node : model.nodes) {
      for (int t : node.outputs) Add(t);
    }
    parts_.resize(threads_);
    histograms_.assign(threads_ * kLanes * kBuckets, 0);
  }

  // Nothing of a sample stays in memory; what must is kept beside `output`.
  Status Open(const std::string& output) { return samples_.Open(output); }

  void BeginSample() {
    min_.assign(tensors_.size(), kNothing.min);
    max_.assign(tensors_.size(), kNothing.max);
  }

  Status EndSample(const std::string& name) {
    runtime::WireWriter sample;
    sample.Bytes(1, name);
    sample.Floats(2, min_);
    sample.Floats(3, max_);
    runtime::WireWriter field;
    field.Message(4, sample);
    return samples_.Add(name, field.bytes());
  }

  void OnTensor(int tensor, const void* data) override {
    if (index_[tensor] < 0) return;
    const size_t slot = static_cast<size_t>(index_[tensor]);
    TensorRecord& record = tensors_[slot];
    const float* x = static_cast<const float*>(data);
    const int64_t count = session_->model().tensors[tensor].elements;
    record.count += static_cast<uint64_t>(count);
    for (kernels::FloatExtremes& part : parts_) part = kNothing;
    const kernels::KernelSet& set = *kernels::GetKernelSet(session_->tier());
    // A lane counts in 32 bits, so a tensor of more elements would go in pieces.
    for (int64_t at = 0; at < count; at += kPiece) {
      const int64_t piece = std::min(kPiece, count - at);
      session_->pool().ForRange(piece, 8 * kChunk, [&](int64_t begin, int64_t end, int thread) {
        Scan(set, x + at + begin, end - begin,
             histograms_.data() + static_cast<size_t>(thread) * kLanes * kBuckets,
             &parts_[static_cast<size_t>(thread)]);
      });
      Collect(&record);
    }
    kernels::FloatExtremes all = kNothing;
    for (const kernels::FloatExtremes& part : parts_) Join(part, &all);
    record.nan_count += static_cast<uint64_t>(all.nan_count);
    record.inf_count += static_cast<uint64_t>(all.inf_count);
    min_[slot] = all.min;
    max_[slot] = all.max;
    ScanChannels(x, count, &record);
  }

  size_t sample_count() const { return samples_.size(); }

  // In an order that does not depend on that of the samples.
  Status Write(const std::string& path) {
    MACE_RETURN_IF_ERROR(samples_.Sort());
    runtime::FileWriter file;
    MACE_RETURN_IF_ERROR(file.Open(path));
    runtime::WireWriter message;
    message.Int(1, 1);
    message.Bytes(2, session_->model().graph_digest);
    MACE_RETURN_IF_ERROR(file.Write(message.bytes()));
    for (TensorRecord& record : tensors_) {
      std::vector<uint32_t> buckets;
      std::vector<uint64_t> counts;
      for (uint32_t b = 0; b < kBuckets; ++b) {
        // The exponent of infinities and NaN, which have counts of their own.
        const bool finite = (b >> 4 & 0xff) != 0xff;
        if (finite && record.total[b] > 0) {
          buckets.push_back(b);
          counts.push_back(record.total[b]);
        }
      }
      runtime::WireWriter tensor;
      tensor.Bytes(1, record.name);
      // Zeros are left out, as other writers do: files are the same whoever wrote them.
      const auto count = [&tensor](uint32_t field, uint64_t value) {
        if (value > 0) tensor.Int(field, static_cast<int64_t>(value));
      };
      count(2, record.count);
      count(3, record.nan_count);
      count(4, record.inf_count);
      tensor.Packed(5, buckets);
      tensor.Packed(6, counts);
      // -0 and +0 compare equal, so which one was kept depends on the order of the samples: always
      // +0.
      for (float& v : record.channel_min) v += 0.0f;
      for (float& v : record.channel_max) v += 0.0f;
      tensor.Floats(7, record.channel_min);
      tensor.Floats(8, record.channel_max);
      std::vector<uint64_t> means;
      for (int64_t mean : record.channel_mean) means.push_back(ZigZag(mean));
      tensor.Packed(9, means);
      runtime::WireWriter field;
      field.Message(3, tensor);
      MACE_RETURN_IF_ERROR(file.Write(field.bytes()));
    }
    std::string record;
    for (size_t i = 0; i < samples_.size(); ++i) {
      MACE_RETURN_IF_ERROR(samples_.Read(i, &record));
      MACE_RETURN_IF_ERROR(file.Write(record));
    }
    return file.Commit();
  }

 private:
  struct TensorRecord {
    std::string name;
    uint64_t count = 0, nan_count = 0, inf_count = 0;
    // By bucket.
    std::vector<uint64_t> total;
    std::vector<float> channel_min, channel_max;
    std::vector<int64_t> channel_mean;
  };

  static constexpr kernels::FloatExtremes kNothing = {3.402823466e+38f, -3.402823466e+38f, 0, 0};

  void Add(int tensor) {
    if (session_->model().tensors[tensor].type != ElementType::kFloat32) return;
    index_[tensor] = static_cast<int>(tensors_.size());
    tensors_.emplace_back();
    TensorRecord& record = tensors_.back();
    record.name = session_->model().tensors[tensor].name;
    record.total.assign(kBuckets, 0);
    const std::vector<int64_t>& shape = session_->model().tensors[tensor].shape;
    const size_t channels = shape.size() < 2 ? 1 : static_cast<size_t>(shape.back());
    record.channel_min.assign(channels, kNothing.min);
    record.channel_max.assign(channels, kNothing.max);
    record.channel_mean.assign(channels, 0);
    sums_.resize(std::max(sums_.size(), channels));
  }

  static uint64_t ZigZag(int64_t value) {
    return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
  }

  // Each channel is one thread's, which goes through the rows in order: the sums do not depend on
  // the threads.
  void ScanChannels(const float* x, int64_t count, TensorRecord* record) {
    const int64_t channels = static_cast<int64_t>(record->channel_min.size()),
                  rows = count / channels;
    float *least = record->channel_min.data(), *greatest = record->channel_max.data();
    double* sums = sums_.data();
    const kernels::KernelSet& set = *kernels::GetKernelSet(session_->tier());
    const int64_t grain = std::max<int64_t>(16, 8 * kChunk / std::max<int64_t>(rows, 1));
    session_->pool().ForRange(channels, grain, [&](int64_t begin, int64_t end, int) {
      set.channels(x + begin, rows, channels, end - begin, least + begin, greatest + begin,
                   sums + begin);
      for (int64_t c = begin; c < end; ++c) {
        const double mean = std::clamp(sums[c] / static_cast<double>(rows), -65536.0, 65536.0);
        record->channel_mean[static_cast<size_t>(c)] += std::llrint(mean * kMeanUnits);
      }
    });
  }

  static void Join(const kernels::FloatExtremes& part, kernels::FloatExtremes* all) {
    all->min = std::min(all->min, part.min);
    all->max = std::max(all->max, part.max);
    all->nan_count += part.nan_count;
    all->inf_count += part.inf_count;
  }

  static void Scan(const kernels::KernelSet& set, const float* x, int64_t n, uint32_t* histogram,
                   kernels::FloatExtremes* extremes) {
    uint16_t buckets[kChunk];
    for (int64_t at = 0; at < n; at += kChunk) {
      const int64_t count = std::min(kChunk, n - at);
      kernels::FloatExtremes part;
      set.extremes(x + at, count, &part);
      Join(part, extremes);
      set.buckets(x + at, count, buckets);
      int64_t i = 0;
      for (; i + kLanes <= count; i += kLanes) {
        for (int lane = 0; lane < kLanes; ++lane) ++histogram[kLanes * buckets[i + lane] + lane];
      }
      for (; i < count; ++i) ++histogram[kLanes * buckets[i]];
    }
  }

  // Moves the counts of the tensor in work to its record, and leaves the histograms empty.
  void Collect(TensorRecord* record) {
    for (size_t h = 0; h < histograms_.size(); h += kLanes * kBuckets) {
      for (size_t b = 0; b < kBuckets; ++b) {
        uint32_t* lanes = &histograms_[h + kLanes * b];
        for (int lane = 0; lane < kLanes; ++lane) {
          record->total[b] += lanes[lane];
          lanes[lane] = 0;
        }
      }
    }
  }

  runtime::Session* session_;
  size_t threads_ = 1;
  std::vector<int> index_;
  std::vector<TensorRecord> tensors_;
  std::vector<kernels::FloatExtremes> parts_;
  // Of the tensor in work, by thread, bucket and lane: small enough to stay in the cache. Empty
  // between tensors.
  std::vector<uint32_t> histograms_;
  // Of the tensor in work, by channel.
  std::vector<double> sums_;
  // Of the sample in work, by tensor.
  std::vector<float> min_, max_;
  SampleSpool samples_;
};

constexpr kernels::FloatExtremes StatisticsObserver::kNothing;

Status RefuseQuantized(const runtime::Model& model) {
  for (const runtime::Tensor& tensor : model.tensors) {
    if (IsQuantized(tensor.type))
      return diagnostics::QuantizedStatistics(tensor.name, NameOf(tensor.type));
  }
  return Status();
}

Status Run(const Flags& flags) {
  for (const char* name : {"model_file", "input_stream", "output"}) {
    if (!flags.Has(name)) return diagnostics::MissingFlag(name);
  }
  LoadedModel loaded;
  MACE_RETURN_IF_ERROR(LoadModel(flags, {}, {}, &loaded));
  if (loaded.program->session() == nullptr) return diagnostics::NetCount(2);
  if (loaded.program->obfuscated())
    return diagnostics::ObfuscatedNames().At(flags.Get("model_file"));
  runtime::Session& session = *loaded.program->session();
  MACE_RETURN_IF_ERROR(RefuseQuantized(session.model()).At(flags.Get("model_file")));
  const std::string output = flags.Get("output");
  StatisticsObserver observer(&session);
  MACE_RETURN_IF_ERROR(observer.Open(output));
  SampleReader reader(loaded.program->inputs());
  MACE_RETURN_IF_ERROR(reader.Open(flags.Get("input_stream")));
  while (interrupted == 0) {
    bool end;
    const Status read = reader.Next(&end);
    if (interrupted != 0) break;
    MACE_RETURN_IF_ERROR(read);
    if (end) break;
    observer.BeginSample();
    session.Run(reader.inputs(), &observer);
    MACE_RETURN_IF_ERROR(observer.EndSample(reader.name()));
    std::printf("%s\n", reader.name().c_str());
    std::fflush(stdout);
  }
  // Statistics of nothing would be of no use to anyone.
  if (interrupted == 0 || observer.sample_count() > 0) MACE_RETURN_IF_ERROR(observer.Write(output));
  return interrupted == 0 ? Status() : diagnostics::Interrupted(observer.sample_count(), output);
}

int Main(int argc, char** argv) {
  Flags flags(kFlags);
  const Status parsed = flags.Parse(argc, argv);
  if (!parsed.ok()) return Report(parsed);
  if (flags.On("help")) {
    std::fputs(flags
                   .Help("mace_stat: statistics of the activations of a float model over a stream "
                         "of samples")
                   .c_str(),
               stdout);
    return kExitOk;
  }
  FinishEarlyOnSignals();
  const Status status = Run(flags);
  if (status.ok()) return kExitOk;
  const int code = Report(status);
  // As shells tell of a program that a signal ended.
  return interrupted == 0 ? code : 128 + interrupted;
}

}  // namespace
}  // namespace bin
}  // namespace mace

int main(int argc, char** argv) { return mace::bin::Main(argc, argv); }
