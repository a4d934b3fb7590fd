// What is known of each sample, on disk while there are more to come: memory must not grow with
// their number.
#ifndef MACE_BIN_SAMPLE_SPOOL_H_
#define MACE_BIN_SAMPLE_SPOOL_H_

#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

#include "mace/base/status.h"

namespace mace {
namespace bin {

// Records of any bytes under names, given back in the order of the names (as bytes).
class SampleSpool {
 public:
  SampleSpool() = default;
  ~SampleSpool();
  SampleSpool(const SampleSpool&) = delete;
  SampleSpool& operator=(const SampleSpool&) = delete;

  // Uses a file beside `path`, which has no name any more when this returns.
  Status Open(const std::string& path);
  Status Add(const std::string& name, const std::string& record);
  // After the last Add. Two records of one name are an error.
  Status Sort();
  size_t size() const { return entries_.size(); }
  // Reads the record at a place of the order.
  Status Read(size_t i, std::string* record);

 private:
  // Sixteen bytes a sample are all that stays in memory.
  struct Entry {
    // The first bytes of the name as a number that compares as they do.
    uint64_t prefix;
    uint64_t offset;
  };

  Status ReadAt(uint64_t offset, void* to, size_t bytes);
  Status ReadName(const Entry& entry, std::string* name);

  std::FILE* file_ = nullptr;
  std::string path_;
  uint64_t end_ = 0;
  // No moment with two copies, as a vector has when it grows.
  std::deque<Entry> entries_;
};

}  // namespace bin
}  // namespace mace

#endif  // MACE_BIN_SAMPLE_SPOOL_H_
