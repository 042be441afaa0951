// MindSpore Lite as the engine.
#ifndef CRNN_LITE_ENGINE_H_
#define CRNN_LITE_ENGINE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "engine.h"
#include "input_list.h"

namespace crnn {

struct LiteOptions {
  std::string mindir;
  std::string device_type = "Ascend";  // or "CPU"
  std::uint32_t device_id = 0;
  std::size_t batch_size = 1;  // of a model that takes any; another one brings its own
  std::string config_file;     // of Lite, empty for none
  std::string precision_mode;  // of Ascend, empty for Lite's own
};

// Loads and compiles a MINDIR. Throws Error if it cannot be loaded or does not fit the list.
std::unique_ptr<Engine> OpenLite(const LiteOptions& options, const InputList& list);

}  // namespace crnn

#endif  // CRNN_LITE_ENGINE_H_
