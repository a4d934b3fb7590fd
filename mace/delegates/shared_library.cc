#include "mace/delegates/shared_library.h"

#include <dlfcn.h>
#include <elf.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "mace/base/diagnostics.h"
#include "mace/runtime/file.h"

namespace mace {
namespace delegates {
namespace {

#if defined(__LP64__)
using Header = Elf64_Ehdr;
using Segment = Elf64_Phdr;
constexpr unsigned char kClass = ELFCLASS64;
#else
using Header = Elf32_Ehdr;
using Segment = Elf32_Phdr;
constexpr unsigned char kClass = ELFCLASS32;
#endif

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#elif defined(__arm__)
constexpr uint16_t kMachine = EM_ARM;
#else
#error "the machine number of this architecture is not known"
#endif

// What a loader takes for granted: the headers are those of a shared object for this process, and
// every loaded byte is in the file.
Status CheckElf(const std::string& path) {
  runtime::MappedFile file;
  MACE_RETURN_IF_ERROR(file.Open(path));
  const char* bytes = static_cast<const char*>(file.data());
  const size_t size = file.size();
  Header header;
  if (size < EI_NIDENT || std::memcmp(bytes, ELFMAG, SELFMAG) != 0)
    return diagnostics::NotALibrary(path, "it is not an ELF file");
  if (static_cast<unsigned char>(bytes[EI_CLASS]) != kClass ||
      static_cast<unsigned char>(bytes[EI_DATA]) != ELFDATA2LSB)
    return diagnostics::NotALibrary(path,
                                    "it is for processors of another word size or byte order");
  if (size < sizeof header) return diagnostics::NotALibrary(path, "it is cut short");
  std::memcpy(&header, bytes, sizeof header);
  if (header.e_machine != kMachine) {
    return diagnostics::NotALibrary(path, "it is for processors of ELF machine number " +
                                              std::to_string(header.e_machine) + ", not " +
                                              std::to_string(kMachine));
  }
  if (header.e_type != ET_DYN) return diagnostics::NotALibrary(path, "it is no shared object");
  if (header.e_phentsize != sizeof(Segment) || header.e_phnum == 0 || header.e_phoff > size ||
      size_t{header.e_phnum} * sizeof(Segment) > size - header.e_phoff)
    return diagnostics::NotALibrary(path, "it is cut short");
  bool dynamic = false, loaded = false;
  for (size_t i = 0; i < header.e_phnum; ++i) {
    Segment segment;
    std::memcpy(&segment, bytes + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type != PT_LOAD && segment.p_type != PT_DYNAMIC) continue;
    if (segment.p_offset > size || segment.p_filesz > size - segment.p_offset ||
        segment.p_filesz > segment.p_memsz)
      return diagnostics::NotALibrary(path, "it is cut short");
    loaded = loaded || segment.p_type == PT_LOAD;
    dynamic = dynamic || segment.p_type == PT_DYNAMIC;
  }
  if (!dynamic || !loaded) return diagnostics::NotALibrary(path, "it has nothing to link against");
  return Status();
}

}  // namespace

Status SharedLibrary::Open(const std::string& name, std::unique_ptr<SharedLibrary>* library) {
  if (name.find('/') != std::string::npos) MACE_RETURN_IF_ERROR(CheckElf(name));
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = dlerror();
    return diagnostics::CannotLoadLibrary(name, why == nullptr ? "" : why);
  }
  library->reset(new SharedLibrary(name, handle));
  return Status();
}

SharedLibrary::SharedLibrary(std::string name, void* handle)
    : name_(std::move(name)), handle_(handle) {}

SharedLibrary::~SharedLibrary() { dlclose(handle_); }

void* SharedLibrary::Find(const char* symbol) const { return dlsym(handle_, symbol); }

Status SharedLibrary::Missing(const char* symbol) const {
  return diagnostics::MissingSymbol(name_, symbol);
}

}  // namespace delegates
}  // namespace mace
