#include "lite_engine.h"

#include <cstring>
#include <opencv2/core.hpp>
#include <utility>

#include "error.h"
#include "include/api/context.h"
#include "include/api/model.h"
#include "include/api/status.h"
#include "include/api/types.h"

namespace crnn {
namespace {

using mindspore::DataType;
using mindspore::MSTensor;
using Shape = std::vector<std::int64_t>;

std::string Shown(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + ")";
}

std::shared_ptr<mindspore::Context> CreateContext(const LiteOptions& options) {
  auto context = std::make_shared<mindspore::Context>();
  if (options.device_type == "CPU") {
    context->MutableDeviceInfo().push_back(std::make_shared<mindspore::CPUDeviceInfo>());
    return context;
  }
  auto ascend = std::make_shared<mindspore::AscendDeviceInfo>();
  ascend->SetDeviceID(options.device_id);
  if (!options.precision_mode.empty()) ascend->SetPrecisionMode(options.precision_mode);
  context->MutableDeviceInfo().push_back(ascend);
  return context;
}

class LiteEngine : public Engine {
 public:
  LiteEngine(const LiteOptions& options, const InputList& list) : mindir_(options.mindir) {
    if (!options.config_file.empty()) {
      Check(model_.LoadConfig(options.config_file), "its config_file " + options.config_file + " cannot be loaded");
    }
    Check(model_.Build(options.mindir, mindspore::kMindIR, CreateContext(options)),
          "cannot be built for " + options.device_type +
              "; for Ascend, a network with LSTM must be exported on Ascend (crnn export --device_target Ascend)");
    FixShape(options.batch_size, list.preprocessing);
  }

  std::size_t batch_size() const override { return batch_size_; }

  std::vector<float> Forward(const std::vector<float>& images) override {
    std::vector<MSTensor> inputs = model_.GetInputs();
    const std::size_t bytes = images.size() * sizeof(float);
    void* const target = inputs[0].DataSize() == bytes ? inputs[0].MutableData() : nullptr;
    if (target == nullptr) {
      Fail("its input takes " + std::to_string(inputs[0].DataSize()) + " bytes, not " + std::to_string(bytes));
    }
    std::memcpy(target, images.data(), bytes);
    std::vector<MSTensor> outputs;
    Check(model_.Predict(inputs, &outputs), "inference failed");
    if (outputs.size() != 1) Fail("has " + std::to_string(outputs.size()) + " outputs, must have one");
    return Values(outputs[0]);
  }

 private:
  // Checks the input and settles sizes that the model leaves open.
  void FixShape(std::size_t batch_size, const Preprocessing& p) {
    const std::vector<MSTensor> inputs = model_.GetInputs();
    if (inputs.size() != 1 || inputs[0].DataType() != DataType::kNumberTypeFloat32) {
      Fail("must have one input of float32");
    }
    const Shape own = inputs[0].Shape();
    Shape wanted = {static_cast<std::int64_t>(batch_size), p.channels(), p.height, p.width};
    bool fits = own.size() == wanted.size();
    if (fits && own[0] > 0) wanted[0] = own[0];
    for (std::size_t i = 1; fits && i < own.size(); ++i) fits = own[i] < 0 || own[i] == wanted[i];
    if (!fits) Fail("its input is " + Shown(own) + ", but its description promises " + Shown(wanted));
    if (own != wanted) Check(model_.Resize(inputs, {wanted}), "does not take the input " + Shown(wanted));
    batch_size_ = static_cast<std::size_t>(wanted[0]);
  }

  std::vector<float> Values(const MSTensor& tensor) const {
    const std::shared_ptr<const void> data = tensor.Data();
    const auto count = static_cast<std::size_t>(tensor.ElementNum());
    if (data == nullptr) Fail("gives no output");
    std::vector<float> values(count);
    if (tensor.DataType() == DataType::kNumberTypeFloat32) {
      std::memcpy(values.data(), data.get(), count * sizeof(float));
    } else if (tensor.DataType() == DataType::kNumberTypeFloat16) {
      const cv::Mat halves(1, static_cast<int>(count), CV_16F, const_cast<void*>(data.get()));
      halves.convertTo(cv::Mat(1, static_cast<int>(count), CV_32F, values.data()), CV_32F);
    } else {
      Fail("its output is neither float32 nor float16");
    }
    return values;
  }

  void Check(const mindspore::Status& status, const std::string& problem) const {
    if (status != mindspore::kSuccess) Fail(problem + ": " + status.ToString());
  }

  [[noreturn]] void Fail(const std::string& problem) const { throw Error(mindir_ + ": " + problem); }

  std::string mindir_;
  mindspore::Model model_;
  std::size_t batch_size_ = 0;
};

}  // namespace

std::unique_ptr<Engine> OpenLite(const LiteOptions& options, const InputList& list) {
  return std::make_unique<LiteEngine>(options, list);
}

}  // namespace crnn
