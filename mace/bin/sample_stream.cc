#include "mace/bin/sample_stream.h"

#include <cerrno>
#include <cstring>

#include "mace/base/diagnostics.h"

namespace mace {
namespace bin {
namespace {

constexpr uint32_t kMaxName = 1 << 16;

}  // namespace

SampleReader::SampleReader(const std::vector<runtime::ProgramPort>& inputs) : ports_(inputs) {
  for (const runtime::ProgramPort& port : inputs)
    data_.emplace_back(static_cast<size_t>(port.elements));
  for (const auto& d : data_) pointers_.push_back(d.data());
}

SampleReader::~SampleReader() {
  if (file_ != nullptr && file_ != stdin) std::fclose(file_);
}

Status SampleReader::Open(const std::string& path) {
  path_ = path == "-" ? "standard input" : path;
  file_ = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (file_ == nullptr) return diagnostics::CannotOpen(path, std::strerror(errno));
  std::setvbuf(file_, nullptr, _IOFBF, 1 << 16);
  return Status();
}

Status SampleReader::Read(void* to, size_t bytes, const char* what) {
  if (bytes == 0 || std::fread(to, 1, bytes, file_) == bytes) return Status();
  return CutShort(what);
}

Status SampleReader::CutShort(const char* what) const {
  if (std::ferror(file_)) return diagnostics::CannotOpen(path_, std::strerror(errno));
  return diagnostics::TruncatedStream(what).At(path_ +
                                               (name_.empty() ? "" : ", sample '" + name_ + "'"));
}

Status SampleReader::Next(bool* end) {
  *end = false;
  name_.clear();
  uint32_t length = 0;
  const size_t got = std::fread(&length, 1, sizeof length, file_);
  if (got == 0 && std::feof(file_)) {
    *end = true;
    return Status();
  }
  // Not read again: a read that a signal broke off would wait for ever.
  if (got != sizeof length) return CutShort("a record's first word");
  if (length > kMaxName)
    return diagnostics::BadStream("a name of " + std::to_string(length) + " bytes").At(path_);
  std::string name(length, '\0');
  MACE_RETURN_IF_ERROR(Read(&name[0], length, "a sample's name"));
  name_ = name;
  uint32_t count = 0;
  MACE_RETURN_IF_ERROR(Read(&count, sizeof count, "a sample's tensor count"));
  if (count != data_.size())
    return diagnostics::StreamInputCount(name_, count, data_.size()).At(path_);
  for (size_t i = 0; i < data_.size(); ++i) {
    const runtime::ProgramPort& port = ports_[i];
    uint64_t bytes = 0;
    MACE_RETURN_IF_ERROR(Read(&bytes, sizeof bytes, "a tensor's size"));
    if (bytes != port.bytes()) {
      return diagnostics::InputSize(port.tensor, bytes, port.bytes(), ToString(port.shape))
          .At(path_ + ", sample '" + name_ + "'");
    }
    MACE_RETURN_IF_ERROR(Read(data_[i].data(), port.bytes(), "a tensor's data"));
  }
  return Status();
}

SampleWriter::~SampleWriter() {
  if (file_ != nullptr && file_ != stdout) {
    std::fclose(file_);
    std::remove(temporary_.c_str());
  }
}

Status SampleWriter::Open(const std::string& path) {
  path_ = path;
  temporary_ = path + ".partial";
  file_ = path == "-" ? stdout : std::fopen(temporary_.c_str(), "wb");
  if (file_ == nullptr) return diagnostics::CannotWrite(path, std::strerror(errno));
  return Status();
}

Status SampleWriter::Put(const void* from, size_t bytes) {
  if (bytes == 0 || std::fwrite(from, 1, bytes, file_) == bytes) return Status();
  return diagnostics::CannotWrite(path_, std::strerror(errno));
}

Status SampleWriter::Write(const std::string& name, const std::vector<Data>& tensors) {
  const uint32_t length = static_cast<uint32_t>(name.size());
  const uint32_t count = static_cast<uint32_t>(tensors.size());
  MACE_RETURN_IF_ERROR(Put(&length, sizeof length));
  MACE_RETURN_IF_ERROR(Put(name.data(), name.size()));
  MACE_RETURN_IF_ERROR(Put(&count, sizeof count));
  for (const Data& tensor : tensors) {
    MACE_RETURN_IF_ERROR(Put(&tensor.bytes, sizeof tensor.bytes));
    MACE_RETURN_IF_ERROR(Put(tensor.data, static_cast<size_t>(tensor.bytes)));
  }
  if (file_ == stdout && std::fflush(file_) != 0)
    return diagnostics::CannotWrite(path_, std::strerror(errno));
  return Status();
}

Status SampleWriter::Close() {
  std::FILE* file = file_;
  file_ = nullptr;
  if (file == nullptr) return Status();
  if (file == stdout)
    return std::fflush(file) == 0 ? Status()
                                  : diagnostics::CannotWrite(path_, std::strerror(errno));
  if (std::fclose(file) != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const Status status = diagnostics::CannotWrite(path_, std::strerror(errno));
    std::remove(temporary_.c_str());
    return status;
  }
  return Status();
}

}  // namespace bin
}  // namespace mace
