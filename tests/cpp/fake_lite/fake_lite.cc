// Stands for MindSpore Lite in tests. A model is a text file:
//   fake_lite BATCH HEIGHT WIDTH STEPS CLASSES float32|float16
// with -1 for sizes left open. Its logits are pixels of the input, see Predict. Where it runs goes to standard
// output.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <opencv2/core.hpp>

#include "include/api/model.h"

namespace mindspore {

class MSTensor::Impl {
 public:
  Impl(enum DataType type, std::vector<std::int64_t> shape) : type_(type) { SetShape(std::move(shape)); }

  void SetShape(std::vector<std::int64_t> shape) {
    shape_ = std::move(shape);
    const std::size_t width = type_ == DataType::kNumberTypeFloat16 ? 2 : 4;
    std::int64_t count = 1;
    for (const std::int64_t size : shape_) count *= std::max<std::int64_t>(size, 0);
    data_ = std::make_shared<std::vector<std::uint8_t>>(static_cast<std::size_t>(count) * width);
  }

  enum DataType type_;
  std::vector<std::int64_t> shape_;
  std::shared_ptr<std::vector<std::uint8_t>> data_;
};

enum DataType MSTensor::DataType() const { return impl_->type_; }
const std::vector<std::int64_t>& MSTensor::Shape() const { return impl_->shape_; }
std::size_t MSTensor::DataSize() const { return impl_->data_->size(); }
void* MSTensor::MutableData() { return impl_->data_->data(); }
std::shared_ptr<const void> MSTensor::Data() const { return {impl_->data_, impl_->data_->data()}; }
std::int64_t MSTensor::ElementNum() const {
  return static_cast<std::int64_t>(DataSize()) / (impl_->type_ == DataType::kNumberTypeFloat16 ? 2 : 4);
}

class ModelImpl {
 public:
  std::shared_ptr<MSTensor::Impl> input;
  std::int64_t steps = 0;
  std::int64_t classes = 0;
  DataType output = DataType::kTypeUnknown;
};

Model::Model() : impl_(std::make_shared<ModelImpl>()) {}
Model::~Model() = default;

Status Model::LoadConfig(const std::string& config_path) {
  std::cout << "fake Lite: config " << config_path << "\n";
  return kSuccess;
}

Status Model::Build(const std::string& model_path, ModelType, const std::shared_ptr<Context>& context) {
  std::ifstream file(model_path);
  std::string word;
  std::string type;
  std::int64_t batch = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  if (!(file >> word >> batch >> height >> width >> impl_->steps >> impl_->classes >> type) || word != "fake_lite") {
    return {kCoreFailed, "not a model"};
  }
  impl_->output = type == "float16" ? DataType::kNumberTypeFloat16 : DataType::kNumberTypeFloat32;
  const std::vector<std::int64_t> shape = {batch, 3, height, width};
  impl_->input = std::make_shared<MSTensor::Impl>(DataType::kNumberTypeFloat32, shape);
  std::cout << "fake Lite: " << context->MutableDeviceInfo().at(0)->Description() << "\n";
  return kSuccess;
}

Status Model::Resize(const std::vector<MSTensor>&, const std::vector<std::vector<std::int64_t>>& dims) {
  impl_->input->SetShape(dims.at(0));
  return kSuccess;
}

std::vector<MSTensor> Model::GetInputs() { return {MSTensor(impl_->input)}; }

Status Model::Predict(const std::vector<MSTensor>& inputs, std::vector<MSTensor>* outputs) {
  const std::vector<std::int64_t>& shape = inputs.at(0).Shape();
  const std::int64_t height = shape[2];
  const std::int64_t width = shape[3];
  const std::vector<std::int64_t> out = {impl_->steps, shape[0], impl_->classes};
  const auto output = std::make_shared<MSTensor::Impl>(impl_->output, out);
  const auto* images = static_cast<const float*>(inputs[0].Data().get());
  cv::Mat logits(1, static_cast<int>(out[0] * out[1] * out[2]), CV_32F);
  for (std::int64_t t = 0, i = 0; t < impl_->steps; ++t) {
    for (std::int64_t n = 0; n < shape[0]; ++n) {
      for (std::int64_t c = 0; c < impl_->classes; ++c, ++i) {
        const std::int64_t y = (7 * c + t) % height;
        const std::int64_t x = t * width / impl_->steps;
        logits.at<float>(static_cast<int>(i)) = images[((n * 3 + c % 3) * height + y) * width + x];
      }
    }
  }
  const int depth = impl_->output == DataType::kNumberTypeFloat16 ? CV_16F : CV_32F;
  logits.convertTo(cv::Mat(1, logits.cols, depth, output->data_->data()), depth);
  outputs->assign(1, MSTensor(output));
  return kSuccess;
}

}  // namespace mindspore
