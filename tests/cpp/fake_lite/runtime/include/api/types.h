// The part of MindSpore Lite's C++ interface that cpp_infer uses, with the same signatures.
#ifndef FAKE_LITE_TYPES_H_
#define FAKE_LITE_TYPES_H_

#include <cstdint>
#include <memory>
#include <vector>

namespace mindspore {

enum class DataType : int { kTypeUnknown = 0, kNumberTypeFloat16 = 42, kNumberTypeFloat32 = 43 };
enum ModelType : std::uint32_t { kMindIR = 0 };

class MSTensor {
 public:
  class Impl;
  explicit MSTensor(const std::shared_ptr<Impl>& impl) : impl_(impl) {}
  enum DataType DataType() const;
  const std::vector<std::int64_t>& Shape() const;
  std::int64_t ElementNum() const;
  std::shared_ptr<const void> Data() const;
  void* MutableData();
  std::size_t DataSize() const;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace mindspore

#endif  // FAKE_LITE_TYPES_H_
