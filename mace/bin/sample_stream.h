// The sample stream between the host tool and the programs; see ARCHITECTURE.md for the format.
#ifndef MACE_BIN_SAMPLE_STREAM_H_
#define MACE_BIN_SAMPLE_STREAM_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "mace/base/status.h"
#include "mace/runtime/program.h"

namespace mace {
namespace bin {

// Reads records with one float32 or int32 tensor per graph input into memory that is used again for
// each.
class SampleReader {
 public:
  // The inputs must outlive the reader.
  explicit SampleReader(const std::vector<runtime::ProgramPort>& inputs);
  ~SampleReader();
  SampleReader(const SampleReader&) = delete;
  SampleReader& operator=(const SampleReader&) = delete;

  // A path, or "-" for standard input.
  Status Open(const std::string& path);
  // Sets *end when there is no further record.
  Status Next(bool* end);

  const std::string& name() const { return name_; }
  const void* const* inputs() const { return pointers_.data(); }

 private:
  Status Read(void* to, size_t bytes, const char* what);
  // What to say of a read that ended early.
  Status CutShort(const char* what) const;

  const std::vector<runtime::ProgramPort>& ports_;
  std::FILE* file_ = nullptr;
  std::string path_, name_;
  // Words of four bytes, whatever the type.
  std::vector<std::vector<uint32_t>> data_;
  std::vector<const void*> pointers_;
};

class SampleWriter {
 public:
  SampleWriter() = default;
  ~SampleWriter();
  SampleWriter(const SampleWriter&) = delete;
  SampleWriter& operator=(const SampleWriter&) = delete;

  // A path, or "-" for standard output. A file appears under its name when Close succeeds.
  Status Open(const std::string& path);
  bool is_open() const { return file_ != nullptr; }

  struct Data {
    const void* data;
    uint64_t bytes;
  };
  Status Write(const std::string& name, const std::vector<Data>& tensors);
  Status Close();

 private:
  Status Put(const void* from, size_t bytes);

  std::FILE* file_ = nullptr;
  std::string path_, temporary_;
};

}  // namespace bin
}  // namespace mace

#endif  // MACE_BIN_SAMPLE_STREAM_H_
