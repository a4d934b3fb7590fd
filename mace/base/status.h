// The result of everything that can fail. The runtime throws nothing and never aborts on a bad
// model or bad data.
#ifndef MACE_BASE_STATUS_H_
#define MACE_BASE_STATUS_H_

#include <memory>
#include <string>
#include <utility>

namespace mace {

// What the caller can do about it; the values of MaceStatus::Code (mace/public/mace.h).
enum class StatusKind {
  kOk = 0,
  kInvalidArgs = 1,
  kOutOfResources = 2,
  kUnsupported = 3,
  kRuntimeError = 4
};

// Texts are in mace/base/diagnostics.h, the only place that makes failures.
class Status {
 public:
  Status() = default;
  Status(StatusKind kind, int code, std::string message, std::string cause = "",
         std::string fix = "")
      : detail_(std::make_shared<Detail>(
            Detail{kind, code, std::move(message), "", std::move(cause), std::move(fix)})) {}

  bool ok() const { return detail_ == nullptr; }
  StatusKind kind() const { return ok() ? StatusKind::kOk : detail_->kind; }
  // The number of MR###; 0 when ok.
  int code() const { return ok() ? 0 : detail_->code; }
  std::string message() const { return ok() ? "" : detail_->message; }

  // Adds where it happened: a file, a node.
  Status At(const std::string& place) const {
    if (ok() || !detail_->place.empty()) return *this;
    Status copy = *this;
    copy.detail_ = std::make_shared<Detail>(*detail_);
    copy.detail_->place = place;
    return copy;
  }

  // error[MR201]: message, then indented lines.
  std::string Render() const {
    if (ok()) return "";
    std::string text = "error[MR" + std::to_string(detail_->code) + "]: " + detail_->message + "\n";
    if (!detail_->place.empty()) text += "  at: " + detail_->place + "\n";
    if (!detail_->cause.empty()) text += "  cause: " + detail_->cause + "\n";
    if (!detail_->fix.empty()) text += "  fix: " + detail_->fix + "\n";
    return text;
  }

 private:
  struct Detail {
    StatusKind kind;
    int code;
    std::string message;
    std::string place;
    std::string cause;
    std::string fix;
  };
  std::shared_ptr<Detail> detail_;
};

#define MACE_RETURN_IF_ERROR(expression)         \
  do {                                           \
    ::mace::Status mace_status_ = (expression);  \
    if (!mace_status_.ok()) return mace_status_; \
  } while (false)

}  // namespace mace

#endif  // MACE_BASE_STATUS_H_
