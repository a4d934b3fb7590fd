#include "mace/runtime/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "mace/base/diagnostics.h"

namespace mace {
namespace runtime {

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, size_);
}

Status MappedFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return diagnostics::CannotOpen(path, std::strerror(errno));
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return diagnostics::CannotOpen(path, "not a regular file");
  }
  const size_t size = static_cast<size_t>(info.st_size);
  void* data = size == 0 ? nullptr : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int error = errno;
  close(fd);
  if (data == MAP_FAILED) return diagnostics::CannotOpen(path, std::strerror(error));
  data_ = data;
  size_ = size;
  return Status();
}

FileWriter::~FileWriter() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  std::remove((path_ + ".partial").c_str());
}

Status FileWriter::Open(const std::string& path) {
  path_ = path;
  file_ = std::fopen((path + ".partial").c_str(), "wb");
  return file_ == nullptr ? diagnostics::CannotWrite(path, std::strerror(errno)) : Status();
}

Status FileWriter::Write(const std::string& bytes) {
  return std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size() ? Status() : Fail();
}

Status FileWriter::Commit() {
  const bool closed = std::fclose(file_) == 0;
  file_ = nullptr;
  const std::string temporary = path_ + ".partial";
  return closed && std::rename(temporary.c_str(), path_.c_str()) == 0 ? Status() : Fail();
}

Status FileWriter::Fail() {
  const std::string why = std::strerror(errno);
  if (file_ != nullptr) std::fclose(file_);
  file_ = nullptr;
  std::remove((path_ + ".partial").c_str());
  return diagnostics::CannotWrite(path_, why);
}

Status WriteFile(const std::string& path, const std::string& bytes) {
  FileWriter writer;
  MACE_RETURN_IF_ERROR(writer.Open(path));
  MACE_RETURN_IF_ERROR(writer.Write(bytes));
  return writer.Commit();
}

}  // namespace runtime
}  // namespace mace
