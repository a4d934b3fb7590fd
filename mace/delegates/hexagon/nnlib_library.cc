#include "mace/delegates/hexagon/nnlib_library.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "mace/base/diagnostics.h"

namespace mace {
namespace delegates {

namespace {

constexpr char kUsualName[] = "libhexagon_controller.so";
// Releases are numbered 0x000MMmmpp; the interface is that of the second.
constexpr int kMajorVersion = 2;
constexpr size_t kLogBytes = 1 << 16;
// What a person reads of a log.
constexpr size_t kLogShown = 600;

// Asks the library for an unsigned protection domain unless this process has asked it before.
Status RequestUnsignedPd(const SharedLibrary& library) {
  static std::mutex* const mutex = new std::mutex;
  static std::set<std::string>* const asked = new std::set<std::string>;
  const std::lock_guard<std::mutex> lock(*mutex);
  if (asked->count(library.name()) != 0) return Status();
  decltype(&hexnn_controller_request_unsigned_pd) request = nullptr;
  MACE_RETURN_IF_ERROR(library.Resolve("hexnn_controller_request_unsigned_pd", &request));
  const int result = request();
  if (result != 0) return diagnostics::HexagonUnsignedPd(result);
  asked->insert(library.name());
  return Status();
}

// Errors of FastRPC, which carries calls to the DSP, as published in AEEStdErr.h.
enum class Refusal { kMemory, kSkeleton, kSignature };
struct RpcError {
  uint32_t result;
  Refusal refusal;
  const char* meaning;
};
constexpr RpcError kRpcErrors[] = {
    {0x80000402, Refusal::kMemory, "no memory"},
    {0x80000406, Refusal::kSkeleton, "unable to load"},
    {0x80000415, Refusal::kSignature, "privilege level"},
    {0x80000438, Refusal::kSignature, "invalid signature"},
    {0x80000481, Refusal::kSignature, "no test signature, unsigned module"},
    {0x80000482, Refusal::kSignature, "no test signature, invalid hash"},
};

std::string Hexadecimal(uint32_t value) {
  char text[11];
  std::snprintf(text, sizeof text, "0x%08x", static_cast<unsigned>(value));
  return text;
}

bool SpeaksOfMemory(std::string log) {
  std::transform(log.begin(), log.end(), log.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return log.find("memory") != std::string::npos || log.find("alloc") != std::string::npos;
}

}  // namespace

Status NnlibLibrary::Open(const runtime::AcceleratorOptions& options,
                          std::unique_ptr<NnlibLibrary>* library) {
  std::unique_ptr<SharedLibrary> loaded;
  MACE_RETURN_IF_ERROR(
      SharedLibrary::Open(options.library.empty() ? kUsualName : options.library, &loaded));
  std::unique_ptr<NnlibLibrary> made(new NnlibLibrary(std::move(loaded)));
  MACE_RETURN_IF_ERROR(made->Resolve());
  if (options.unsigned_pd) MACE_RETURN_IF_ERROR(RequestUnsignedPd(*made->library_));
  int result = made->config_();
  if (result != 0) return made->Failed("hexagon_nn_config", result);
  int version = 0;
  result = made->version_(&version);
  if (result != 0) return made->Failed("hexagon_nn_version", result);
  if (version >> 16 != kMajorVersion) return diagnostics::HexagonVersion(made->name(), version);
  *library = std::move(made);
  return Status();
}

Status NnlibLibrary::Resolve() {
  const SharedLibrary& l = *library_;
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_config", &config_));
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_version", &version_));
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_getlog", &getlog_));
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_op_name_to_id", &op_name_to_id_));
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_init", &init));
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_append_const_node_list", &append_const_node_list));
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_append_node_list", &append_node_list));
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_prepare", &prepare));
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_execute_new", &execute_new));
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_teardown", &teardown));
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_set_clocks", &set_clocks));
  MACE_RETURN_IF_ERROR(l.Resolve("hexagon_nn_remove_clocks", &remove_clocks));
  reset_perfinfo =
      l.ResolveOptional<decltype(hexagon_nn_reset_perfinfo)>("hexagon_nn_reset_perfinfo");
  get_perfinfo = l.ResolveOptional<decltype(hexagon_nn_get_perfinfo)>("hexagon_nn_get_perfinfo");
  return Status();
}

Status NnlibLibrary::OperatorNumber(const std::string& name, unsigned* number) const {
  if (op_name_to_id_(name.c_str(), number) != 0)
    return diagnostics::HexagonOperator(library_->name(), name);
  return Status();
}

std::string NnlibLibrary::Log(hexagon_nn_nn_id id) const {
  std::vector<unsigned char> buffer(kLogBytes);
  if (getlog_(id, buffer.data(), static_cast<int>(buffer.size())) != 0) return "";
  buffer.back() = 0;
  std::string text(reinterpret_cast<const char*>(buffer.data()));
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  // The end says what failed.
  if (text.size() > kLogShown) text = "…" + text.substr(text.size() - kLogShown);
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      line += "; ";
    } else {
      // Keeps what is not ASCII control; logs are text, but come from elsewhere.
      line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return line;
}

Status NnlibLibrary::Failed(const char* function, int result, hexagon_nn_nn_id id) const {
  const std::string log = Log(id);
  return SpeaksOfMemory(log) ? diagnostics::HexagonMemory(function, log)
                             : Failed(function, result, log);
}

Status NnlibLibrary::Failed(const char* function, int result) const {
  return Failed(function, result, std::string());
}

Status NnlibLibrary::Failed(const char* function, int result, const std::string& log) {
  const uint32_t code = static_cast<uint32_t>(result);
  for (const RpcError& error : kRpcErrors) {
    if (error.result != code) continue;
    const std::string why = "FastRPC says " + Hexadecimal(code) + ": " + error.meaning;
    switch (error.refusal) {
      case Refusal::kMemory:
        return diagnostics::HexagonMemory(function, why);
      case Refusal::kSkeleton:
        return diagnostics::HexagonNoSkeleton(function, why);
      case Refusal::kSignature:
        return diagnostics::HexagonNotSigned(function, why);
    }
  }
  return diagnostics::HexagonCall(function, result, log);
}

}  // namespace delegates
}  // namespace mace
