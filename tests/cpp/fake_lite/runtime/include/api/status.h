// See types.h.
#ifndef FAKE_LITE_STATUS_H_
#define FAKE_LITE_STATUS_H_

#include <cstdint>
#include <string>

namespace mindspore {

enum StatusCode : std::uint32_t { kSuccess = 0, kCoreFailed = 1 };

class Status {
 public:
  Status(enum StatusCode code, const std::string& message = "") : code_(code), message_(message) {}
  std::string ToString() const { return message_; }
  bool operator!=(enum StatusCode other) const { return code_ != other; }

 private:
  enum StatusCode code_;
  std::string message_;
};

}  // namespace mindspore

#endif  // FAKE_LITE_STATUS_H_
