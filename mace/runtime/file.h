// Files: a read-only view of one, and writing one so that a reader never sees half of it.
#ifndef MACE_RUNTIME_FILE_H_
#define MACE_RUNTIME_FILE_H_

#include <cstddef>
#include <cstdio>
#include <string>

#include "mace/base/status.h"

namespace mace {
namespace runtime {

class MappedFile {
 public:
  MappedFile() = default;
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  Status Open(const std::string& path);
  const void* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

// Writes piece by piece to a file beside the target, which Commit renames; without it nothing is
// left.
class FileWriter {
 public:
  FileWriter() = default;
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  Status Open(const std::string& path);
  Status Write(const std::string& bytes);
  Status Commit();

 private:
  // Gives up, with the reason that errno has.
  Status Fail();

  std::string path_;
  std::FILE* file_ = nullptr;
};

Status WriteFile(const std::string& path, const std::string& bytes);

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_FILE_H_
