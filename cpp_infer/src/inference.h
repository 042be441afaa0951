// The loop: images in, one file of logits an image out.
#ifndef CRNN_INFERENCE_H_
#define CRNN_INFERENCE_H_

#include <cstddef>
#include <string>

#include "engine.h"
#include "input_list.h"

namespace crnn {

struct InferenceReport {
  std::size_t images = 0;      // read and inferred
  std::size_t unreadable = 0;  // named on standard error; their result files are empty
  std::size_t batch_size = 0;
  double preprocess_ms = 0;  // reading, decoding and resizing, in all
  double predict_ms = 0;     // the network, in all
};

// Runs every image through the network. Each result file gets the logits (T, C) as native float32; that of
// an unreadable image stays empty. `readings` names a file for `image<tab>text` lines, or is empty.
// Throws Error if the network does not fit the list or a file cannot be written.
InferenceReport RunInference(const InputList& list, Engine& engine, const std::string& result_dir,
                             const std::string& readings);

// Writes the timings to a file; the first line is the model zoo's. Throws Error if it cannot be written.
void WriteTimings(const InferenceReport& report, const std::string& path);

}  // namespace crnn

#endif  // CRNN_INFERENCE_H_
