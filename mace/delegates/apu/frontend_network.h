// Networks through ApuFrontend: versions 1 to 3 of the APU.
#ifndef MACE_DELEGATES_APU_FRONTEND_NETWORK_H_
#define MACE_DELEGATES_APU_FRONTEND_NETWORK_H_

#include <memory>
#include <string>
#include <utility>

#include "mace/base/aligned_buffer.h"
#include "mace/delegates/apu/apu_network.h"
#include "mace/delegates/apu/frontend_model.h"
#include "mace/delegates/shared_library.h"

namespace mace {
namespace delegates {

// The interface has neither boost hints nor preferences. Version 1 keeps no compiled networks; the
// others write and read their files themselves, beside which FILE.key says what a file is.
class FrontendNetwork : public ApuNetwork {
 public:
  ~FrontendNetwork() override { Release(); }

  // Whether the library has one of the interface's forms.
  static bool Is(const SharedLibrary& library);
  static Status Open(std::unique_ptr<SharedLibrary> library, std::unique_ptr<ApuNetwork>* network);

  int64_t newest() const override { return init_v1_ != nullptr ? 1 : 3; }
  std::string identity() const override { return "ApuFrontend\n"; }
  Status Allocate(size_t size, uint8_t** codes) override;
  Status Compile(const Request& request, const std::string& file, const std::string& key) override;
  Status Load(const Request& request, const std::string& file, const std::string& key) override;
  Status Run() override;

 private:
  explicit FrontendNetwork(std::unique_ptr<SharedLibrary> library) : library_(std::move(library)) {}
  // Makes the library's object and gives it the graph.
  Status Init(const Request& request, const std::string& file, bool load);
  void Release();

  std::unique_ptr<SharedLibrary> library_;
  // One of the two.
  ApuFrontend_InitGraphV1* init_v1_ = nullptr;
  ApuFrontend_InitGraphV2* init_v2_ = nullptr;
  ApuFrontend_Construct* construct_;
  ApuFrontend_Destroy* destroy_;
  ApuFrontend_RunGraph* run_;
  ApuFrontend_UninitGraph* uninit_;

  // Room for the object, which has one pointer, and for more than is known of it.
  alignas(16) unsigned char object_[64];
  bool constructed_ = false, ready_ = false;
  // The library may look at what it was given as long as the object lives.
  FrontendModel model_;
  AlignedBuffer codes_;
};

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_APU_FRONTEND_NETWORK_H_
