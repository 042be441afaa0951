// The one image transform, as src/crnn_mindspore/data/preprocess.py: BGR pixels -> the float32 (C, H, W) the network sees.
#ifndef CRNN_PREPROCESS_H_
#define CRNN_PREPROCESS_H_

#include <opencv2/core.hpp>
#include <string>

namespace crnn {

// Sizes in pixels; mean and std in units of 0..255.
struct Preprocessing {
  int height = 0;
  int width = 0;
  std::string channel_order;  // "BGR", "RGB" or "GREY"
  std::string interpolation;  // "nearest", "linear" or "area"; others only for images of the right size
  float mean = 0;
  float std = 0;
  bool standardize = false;  // whether the image's own mean and deviation take the place of these

  int channels() const { return channel_order == "GREY" ? 1 : 3; }

  // Values of one image.
  std::size_t size() const { return static_cast<std::size_t>(channels()) * height * width; }
};

// Throws Error if a value is not allowed; the message names it.
void CheckPreprocessing(const Preprocessing& p);

// Resizes (h, w) 8 bit BGR pixels and writes (x - mean) / std, of these or of the image's own, as planes to `out`, p.size() values. Throws
// UnreadableImage where the interpolation cannot be done here.
void Preprocess(const cv::Mat& image, const Preprocessing& p, float* out);

}  // namespace crnn

#endif  // CRNN_PREPROCESS_H_
