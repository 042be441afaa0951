// Encoded images: reading the file and decoding to BGR with bounded memory, as src/crnn_mindspore/data/image_io.py does.
#ifndef CRNN_DECODE_H_
#define CRNN_DECODE_H_

#include <opencv2/core.hpp>
#include <string>

#include "image_parts.h"

namespace crnn {

// The bytes of an image file. Throws UnreadableImage if it is missing, not a regular file, or above 256 MiB.
Bytes ReadImageFile(const std::string& path);

// The decoded PNG or JPEG, 8 bit BGR: grey in three equal channels, 16 bit cut to 8, transparent pictures over white, or
// over black where white would hide them, the camera's orientation obeyed. Throws UnreadableImage if the bytes are empty,
// truncated, damaged, neither PNG nor JPEG, or declare more than 64 megapixels; the size is judged before anything is
// decoded.
cv::Mat DecodeImage(const Bytes& data);

}  // namespace crnn

#endif  // CRNN_DECODE_H_
