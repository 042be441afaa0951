// Decoded pixels to 8 bit BGR, upright, as src/crnn_mindspore/data/pixels.py and orientation.py.
#ifndef CRNN_PIXELS_H_
#define CRNN_PIXELS_H_

#include <opencv2/core.hpp>
#include <vector>

namespace crnn {

// 1, 3 or 4 channels of 8 or 16 bit, blue first -> 8 bit BGR: 16 bit cut to the upper 8, a transparent picture laid over
// white, or over black where white would hide it. `key` is the one colour, grey or red, green and blue, that is
// transparent; empty for none.
cv::Mat ToBgr(const cv::Mat& image, const std::vector<int>& key);

// The picture upright; `orientation` is EXIF's.
cv::Mat Turned(const cv::Mat& image, int orientation);

}  // namespace crnn

#endif  // CRNN_PIXELS_H_
