#include "mace/bin/sample_spool.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "mace/base/diagnostics.h"

namespace mace {
namespace bin {
namespace {

// Before the name and the record.
struct Header {
  uint32_t name_bytes;
  uint32_t record_bytes;
};

uint64_t PrefixOf(const std::string& name) {
  uint64_t prefix = 0;
  for (size_t i = 0; i < 8; ++i) {
    const unsigned char byte = i < name.size() ? static_cast<unsigned char>(name[i]) : 0;
    prefix = prefix << 8 | byte;
  }
  return prefix;
}

}  // namespace

SampleSpool::~SampleSpool() {
  if (file_ != nullptr) std::fclose(file_);
}

Status SampleSpool::Open(const std::string& path) {
  path_ = path + ".samples";
  file_ = std::fopen(path_.c_str(), "w+b");
  if (file_ == nullptr) return diagnostics::CannotWrite(path, std::strerror(errno));
  std::remove(path_.c_str());
  return Status();
}

Status SampleSpool::Add(const std::string& name, const std::string& record) {
  const Header header = {static_cast<uint32_t>(name.size()), static_cast<uint32_t>(record.size())};
  entries_.push_back({PrefixOf(name), end_});
  end_ += sizeof header + name.size() + record.size();
  const bool written = std::fwrite(&header, sizeof header, 1, file_) == 1 &&
                       std::fwrite(name.data(), 1, name.size(), file_) == name.size() &&
                       std::fwrite(record.data(), 1, record.size(), file_) == record.size();
  return written ? Status() : diagnostics::CannotWrite(path_, std::strerror(errno));
}

Status SampleSpool::ReadAt(uint64_t offset, void* to, size_t bytes) {
  if (fseeko(file_, static_cast<off_t>(offset), SEEK_SET) != 0 ||
      std::fread(to, 1, bytes, file_) != bytes)
    return diagnostics::CannotOpen(path_, std::strerror(errno));
  return Status();
}

Status SampleSpool::ReadName(const Entry& entry, std::string* name) {
  Header header;
  MACE_RETURN_IF_ERROR(ReadAt(entry.offset, &header, sizeof header));
  name->resize(header.name_bytes);
  return ReadAt(entry.offset + sizeof header, &(*name)[0], name->size());
}

Status SampleSpool::Sort() {
  Status failure;
  std::string a_name, b_name;
  std::sort(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    if (a.offset == b.offset) return false;
    Status read = ReadName(a, &a_name);
    if (read.ok()) read = ReadName(b, &b_name);
    if (!read.ok()) {
      failure = read;
      return a.offset < b.offset;
    }
    return a_name < b_name;
  });
  MACE_RETURN_IF_ERROR(failure);
  for (size_t i = 1; i < entries_.size(); ++i) {
    if (entries_[i].prefix != entries_[i - 1].prefix) continue;
    MACE_RETURN_IF_ERROR(ReadName(entries_[i - 1], &a_name));
    MACE_RETURN_IF_ERROR(ReadName(entries_[i], &b_name));
    if (a_name == b_name) return diagnostics::DuplicateSample(a_name);
  }
  return Status();
}

Status SampleSpool::Read(size_t i, std::string* record) {
  const Entry& entry = entries_[i];
  Header header;
  MACE_RETURN_IF_ERROR(ReadAt(entry.offset, &header, sizeof header));
  record->resize(header.record_bytes);
  return ReadAt(entry.offset + sizeof header + header.name_bytes, &(*record)[0], record->size());
}

}  // namespace bin
}  // namespace mace
