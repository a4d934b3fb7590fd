// A vendor's library, loaded at run time. Whatever the file is, failure is a status.
#ifndef MACE_DELEGATES_SHARED_LIBRARY_H_
#define MACE_DELEGATES_SHARED_LIBRARY_H_

#include <memory>
#include <string>

#include "mace/base/status.h"

namespace mace {
namespace delegates {

class SharedLibrary {
 public:
  // Loads `name`: a path when it has a slash, else a name that the system's loader looks up. The
  // file must be an ELF shared object of this process's class and machine, complete as far as its
  // headers say; it is looked at before the loader is, since loaders crash on damaged files. Of
  // those looked up, in LD_LIBRARY_PATH and the usual folders.
  static Status Open(const std::string& name, std::unique_ptr<SharedLibrary>* library);
  ~SharedLibrary();
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;

  // Sets *function to the function, or fails naming it.
  template <typename F>
  Status Resolve(const char* symbol, F** function) const {
    void* address = Find(symbol);
    if (address == nullptr) return Missing(symbol);
    *function = reinterpret_cast<F*>(address);
    return Status();
  }
  // Null where the library has no such function.
  template <typename F>
  F* ResolveOptional(const char* symbol) const {
    return reinterpret_cast<F*>(Find(symbol));
  }

  const std::string& name() const { return name_; }

 private:
  SharedLibrary(std::string name, void* handle);
  void* Find(const char* symbol) const;
  Status Missing(const char* symbol) const;

  std::string name_;
  void* handle_;
};

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_SHARED_LIBRARY_H_
