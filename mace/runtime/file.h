// Files: a read-only view of one, and writing one so that a reader never sees half of it.
#ifndef MACE_RUNTIME_FILE_H_
#define MACE_RUNTIME_FILE_H_

#include <cstddef>
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

// Writes beside the target, then renames.
Status WriteFile(const std::string& path, const std::string& bytes);

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_FILE_H_
