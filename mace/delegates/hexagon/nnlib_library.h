// nnlib's controller library: its functions, found at run time.
#ifndef MACE_DELEGATES_HEXAGON_NNLIB_LIBRARY_H_
#define MACE_DELEGATES_HEXAGON_NNLIB_LIBRARY_H_

#include <memory>
#include <string>

#include "mace/base/status.h"
#include "mace/delegates/shared_library.h"
#include "mace/runtime/executor.h"
#include "third_party/nnlib/include/hexagon_nn.h"
#include "third_party/nnlib/include/hexnn_dsp_controller.h"

namespace mace {
namespace delegates {

class NnlibLibrary {
 public:
  // Loads the library, asks for an unsigned protection domain if so told (once per process, before
  // anything else), configures the DSP and checks the version.
  static Status Open(const runtime::AcceleratorOptions& options,
                     std::unique_ptr<NnlibLibrary>* library);

  // The number of an operator, by its name.
  Status OperatorNumber(const std::string& name, unsigned* number) const;
  // Text that the library logged of a graph since the last call, on one line; may be empty.
  std::string Log(hexagon_nn_nn_id id) const;
  // A failure of `function`, with the log; kOutOfResources when the log or FastRPC speaks of
  // memory. That the DSP does not find or accept its part of the library is told apart.
  Status Failed(const char* function, int result, hexagon_nn_nn_id id) const;
  Status Failed(const char* function, int result) const;

  const std::string& name() const { return library_->name(); }

  decltype(&hexagon_nn_init) init;
  decltype(&hexagon_nn_append_const_node_list) append_const_node_list;
  decltype(&hexagon_nn_append_node_list) append_node_list;
  decltype(&hexagon_nn_prepare) prepare;
  decltype(&hexagon_nn_execute_new) execute_new;
  decltype(&hexagon_nn_teardown) teardown;
  decltype(&hexagon_nn_set_clocks) set_clocks;
  decltype(&hexagon_nn_remove_clocks) remove_clocks;
  // Null where the library does not count.
  decltype(&hexagon_nn_reset_perfinfo) reset_perfinfo;
  decltype(&hexagon_nn_get_perfinfo) get_perfinfo;

 private:
  explicit NnlibLibrary(std::unique_ptr<SharedLibrary> library) : library_(std::move(library)) {}
  Status Resolve();
  static Status Failed(const char* function, int result, const std::string& log);

  std::unique_ptr<SharedLibrary> library_;
  decltype(&hexagon_nn_config) config_;
  decltype(&hexagon_nn_version) version_;
  decltype(&hexagon_nn_getlog) getlog_;
  decltype(&hexagon_nn_op_name_to_id) op_name_to_id_;
};

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_HEXAGON_NNLIB_LIBRARY_H_
