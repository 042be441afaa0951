// See types.h.
#ifndef FAKE_LITE_CONTEXT_H_
#define FAKE_LITE_CONTEXT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mindspore {

class DeviceInfoContext {
 public:
  virtual ~DeviceInfoContext() = default;
  virtual std::string Description() const = 0;  // of the fake only
};

class CPUDeviceInfo : public DeviceInfoContext {
 public:
  std::string Description() const override { return "CPU"; }
};

class AscendDeviceInfo : public DeviceInfoContext {
 public:
  void SetDeviceID(std::uint32_t device_id) { device_id_ = device_id; }
  void SetPrecisionMode(const std::string& precision_mode) { precision_mode_ = precision_mode; }
  std::string Description() const override {
    return "Ascend " + std::to_string(device_id_) + " " + precision_mode_;
  }

 private:
  std::uint32_t device_id_ = 99;
  std::string precision_mode_ = "default";
};

class Context {
 public:
  std::vector<std::shared_ptr<DeviceInfoContext>>& MutableDeviceInfo() { return devices_; }

 private:
  std::vector<std::shared_ptr<DeviceInfoContext>> devices_;
};

}  // namespace mindspore

#endif  // FAKE_LITE_CONTEXT_H_
