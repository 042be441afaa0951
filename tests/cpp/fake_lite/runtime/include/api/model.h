// See types.h.
#ifndef FAKE_LITE_MODEL_H_
#define FAKE_LITE_MODEL_H_

#include "include/api/context.h"
#include "include/api/status.h"
#include "include/api/types.h"

namespace mindspore {

class ModelImpl;

class Model {
 public:
  Model();
  ~Model();
  Status LoadConfig(const std::string& config_path);
  Status Build(const std::string& model_path, ModelType model_type, const std::shared_ptr<Context>& context);
  Status Resize(const std::vector<MSTensor>& inputs, const std::vector<std::vector<std::int64_t>>& dims);
  Status Predict(const std::vector<MSTensor>& inputs, std::vector<MSTensor>* outputs);
  std::vector<MSTensor> GetInputs();

 private:
  std::shared_ptr<ModelImpl> impl_;
};

}  // namespace mindspore

#endif  // FAKE_LITE_MODEL_H_
