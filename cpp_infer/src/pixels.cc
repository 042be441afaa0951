#include "pixels.h"

#include <algorithm>
#include <array>
#include <opencv2/imgproc.hpp>

namespace crnn {
namespace {

constexpr int kWhite = 255;
constexpr int kBlack = 0;
constexpr int kVisible = 64;    // alpha from which a pixel counts as seen
constexpr int kDistinct = 192;  // a value below it is seen on white

struct Seen {
  std::size_t visible = 0;
  std::size_t distinct = 0;
};

// Blue, green, red and alpha of one pixel, 8 bit.
template <typename T>
std::array<int, 4> Colours(const T* pixel, int channels, const std::vector<int>& key) {
  constexpr int kShift = sizeof(T) == 2 ? 8 : 0;
  std::array<int, 4> colours{};
  bool is_key = !key.empty();
  for (int c = 0; c < 3; ++c) {
    const int value = pixel[channels == 1 ? 0 : c];
    colours[c] = value >> kShift;
    is_key = is_key && value == (key.size() == 1 ? key[0] : key[2 - c]);
  }
  colours[3] = channels == 4 ? pixel[3] >> kShift : is_key ? 0 : 255;
  return colours;
}

template <typename T>
Seen LayOver(const cv::Mat& image, const std::vector<int>& key, int ground, cv::Mat* bgr) {
  Seen seen;
  const int channels = image.channels();
  for (int y = 0; y < image.rows; ++y) {
    const T* row = image.ptr<T>(y);
    auto* out = bgr->ptr<cv::Vec3b>(y);
    for (int x = 0; x < image.cols; ++x) {
      const std::array<int, 4> colours = Colours(row + x * channels, channels, key);
      int least = 255;
      for (int c = 0; c < 3; ++c) {
        const int value = (colours[c] * colours[3] + ground * (255 - colours[3]) + 127) / 255;
        out[x][c] = static_cast<std::uint8_t>(value);
        least = std::min(least, value);
      }
      seen.visible += colours[3] >= kVisible ? 1 : 0;
      seen.distinct += least < kDistinct ? 1 : 0;
    }
  }
  return seen;
}

}  // namespace

cv::Mat ToBgr(const cv::Mat& image, const std::vector<int>& key) {
  const bool is_deep = image.depth() == CV_16U;
  if (!is_deep && key.empty() && image.channels() == 3) return image;
  const auto lay_over = is_deep ? LayOver<std::uint16_t> : LayOver<std::uint8_t>;
  cv::Mat bgr(image.size(), CV_8UC3);
  const Seen seen = lay_over(image, key, kWhite, &bgr);
  const bool is_transparent = image.channels() == 4 || !key.empty();
  if (is_transparent && seen.distinct * 100 < seen.visible) lay_over(image, key, kBlack, &bgr);
  return bgr;
}

cv::Mat Turned(const cv::Mat& image, int orientation) {
  cv::Mat upright = image;
  if (orientation >= 5) cv::transpose(image, upright);
  cv::Mat flipped;
  switch (orientation) {
    case 2:
    case 6:
      cv::flip(upright, flipped, 1);
      return flipped;
    case 3:
    case 7:
      cv::flip(upright, flipped, -1);
      return flipped;
    case 4:
    case 8:
      cv::flip(upright, flipped, 0);
      return flipped;
    default:
      return upright;
  }
}

}  // namespace crnn
