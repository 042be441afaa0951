// The parts of a PNG or JPEG that make its picture, as src/crnn_mindspore/data/image_parts.py: they alone are handed on to
// the decoder, so that it sees no other size than the one judged here, no comment, profile, animation or trailer.
#ifndef CRNN_IMAGE_PARTS_H_
#define CRNN_IMAGE_PARTS_H_

#include <cstdint>
#include <vector>

namespace crnn {

using Bytes = std::vector<std::uint8_t>;

struct ImageParts {
  Bytes data;  // a PNG or JPEG of these parts
  std::uint64_t width = 0;   // pixels, before turning
  std::uint64_t height = 0;
  int orientation = 1;  // EXIF's, 1 to 8
  bool has_alpha = false;  // an alpha channel or a transparent palette
  std::vector<int> key;  // the one grey value, or red, green and blue, that is transparent
};

bool IsPng(const Bytes& data);
bool IsJpeg(const Bytes& data);

// Both throw UnreadableImage if the image is truncated or damaged.
ImageParts PngParts(const Bytes& data);
ImageParts JpegParts(const Bytes& data);

}  // namespace crnn

#endif  // CRNN_IMAGE_PARTS_H_
