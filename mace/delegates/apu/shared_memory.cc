#include "mace/delegates/apu/shared_memory.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mace {
namespace delegates {

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) munmap(data_, size_);
  if (descriptor_ >= 0) close(descriptor_);
}

bool SharedMemory::Allocate(size_t size) {
  // The call itself: C libraries of old systems have no function for it.
  const int descriptor =
      static_cast<int>(syscall(SYS_memfd_create, "mace", 1u /* closed on exec */));
  if (descriptor < 0) return false;
  void* at = MAP_FAILED;
  if (ftruncate(descriptor, static_cast<off_t>(size)) == 0) {
    at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  }
  if (at == MAP_FAILED) {
    close(descriptor);
    return false;
  }
  descriptor_ = descriptor;
  data_ = static_cast<uint8_t*>(at);
  size_ = size;
  return true;
}

}  // namespace delegates
}  // namespace mace
