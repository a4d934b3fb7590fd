#include "mace/delegates/shared_library.h"

#include <dlfcn.h>
#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

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

// Where loaders look for a file name, after LD_LIBRARY_PATH.
#if defined(__LP64__)
constexpr const char* kDirectories[] = {"/odm/lib64", "/vendor/lib64", "/system/lib64", "/lib64",
                                        "/lib",       "/usr/lib64",    "/usr/lib"};
#else
constexpr const char* kDirectories[] = {"/odm/lib", "/vendor/lib", "/system/lib", "/lib",
                                        "/usr/lib"};
#endif

// What a loader takes for granted: the headers are those of a shared object for this process, and
// every loaded byte is in the file. *foreign tells that it is one of other processors.
Status CheckElf(const std::string& path, bool* foreign) {
  runtime::MappedFile file;
  MACE_RETURN_IF_ERROR(file.Open(path));
  const char* bytes = static_cast<const char*>(file.data());
  const size_t size = file.size();
  Header header;
  if (size < EI_NIDENT || std::memcmp(bytes, ELFMAG, SELFMAG) != 0)
    return diagnostics::NotALibrary(path, "it is not an ELF file");
  if (static_cast<unsigned char>(bytes[EI_CLASS]) != kClass ||
      static_cast<unsigned char>(bytes[EI_DATA]) != ELFDATA2LSB) {
    *foreign = true;
    return diagnostics::NotALibrary(path,
                                    "it is for processors of another word size or byte order");
  }
  if (size < sizeof header) return diagnostics::NotALibrary(path, "it is cut short");
  std::memcpy(&header, bytes, sizeof header);
  if (header.e_machine != kMachine) {
    *foreign = true;
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

// The folders in which the loader looks for a file name, as far as they are known here.
std::vector<std::string> SearchPath() {
  std::vector<std::string> folders;
  const char* variable = std::getenv("LD_LIBRARY_PATH");
  std::string rest = variable == nullptr ? "" : variable;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of(":;"), rest.size());
    // An empty entry is the working directory.
    folders.push_back(end == 0 ? "." : rest.substr(0, end));
    rest.erase(0, end + 1);
  }
  folders.insert(folders.end(), std::begin(kDirectories), std::end(kDirectories));
  return folders;
}

// Looks at the file that the loader will take. It passes over those of other processors, and there
// may be folders that only it knows.
Status CheckFound(const std::string& name) {
  for (const std::string& folder : SearchPath()) {
    const std::string path = folder + "/" + name;
    if (access(path.c_str(), R_OK) != 0) continue;
    bool foreign = false;
    const Status status = CheckElf(path, &foreign);
    if (!foreign) return status;
  }
  return Status();
}

}  // namespace

Status SharedLibrary::Open(const std::string& name, std::unique_ptr<SharedLibrary>* library) {
  bool foreign = false;
  MACE_RETURN_IF_ERROR(name.find('/') == std::string::npos ? CheckFound(name)
                                                           : CheckElf(name, &foreign));
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
