#include "preprocess.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <opencv2/imgproc.hpp>

#include "error.h"

namespace crnn {
namespace {

cv::Mat Resized(const cv::Mat& image, const Preprocessing& p) {
  static const std::map<std::string, int> kInterpolations = {
      {"nearest", cv::INTER_NEAREST}, {"linear", cv::INTER_LINEAR}, {"area", cv::INTER_AREA}};
  if (image.rows == p.height && image.cols == p.width) return image;
  const auto interpolation = kInterpolations.find(p.interpolation);
  if (interpolation == kInterpolations.end()) {
    throw UnreadableImage("must come resized from `crnn offline preprocess`: builds of OpenCV differ in interpolation '" +
                          p.interpolation + "'");
  }
  cv::Mat resized;
  cv::resize(image, resized, cv::Size(p.width, p.height), 0, 0, interpolation->second);
  return resized;
}

// Grey of BGR pixels, by Pillow's whole numbers for the weights of ITU-R BT.601, as in Python.
cv::Mat Grey(const cv::Mat& image) {
  cv::Mat grey(image.rows, image.cols, CV_8UC1);
  for (int y = 0; y < image.rows; ++y) {
    const auto* row = image.ptr<cv::Vec3b>(y);
    auto* out = grey.ptr<std::uint8_t>(y);
    for (int x = 0; x < image.cols; ++x) {
      const std::uint32_t sum = 19595u * row[x][2] + 38470u * row[x][1] + 7471u * row[x][0] + (1u << 15);
      out[x] = static_cast<std::uint8_t>(sum >> 16);
    }
  }
  return grey;
}

// What each of the 256 values becomes: by the given mean and deviation, or by the image's own, which come from
// whole numbers as in Python.
std::array<float, 256> Table(const cv::Mat& planes, const Preprocessing& p) {
  std::array<float, 256> table;
  if (!p.standardize) {
    for (int value = 0; value < 256; ++value) table[value] = (static_cast<float>(value) - p.mean) / p.std;
    return table;
  }
  std::int64_t total = 0, squares = 0;
  for (int y = 0; y < planes.rows; ++y) {
    const std::uint8_t* row = planes.ptr<std::uint8_t>(y);
    for (int i = 0; i < planes.channels() * planes.cols; ++i) {
      total += row[i];
      squares += std::int64_t{row[i]} * row[i];
    }
  }
  const auto size = static_cast<std::int64_t>(p.size());
  const double mean = static_cast<double>(total) / static_cast<double>(size);
  const double variance = static_cast<double>(size * squares - total * total) / static_cast<double>(size * size);
  const double deviation = variance > 0 ? std::sqrt(variance) : 1;
  for (int value = 0; value < 256; ++value) table[value] = static_cast<float>((value - mean) / deviation);
  return table;
}

}  // namespace

constexpr std::int64_t kMostPixels = 4LL << 20;  // 65,536 x 64

void CheckPreprocessing(const Preprocessing& p) {
  if (p.height < 1) throw Error("height is " + std::to_string(p.height) + ", must be at least 1");
  if (p.width < 8) throw Error("width is " + std::to_string(p.width) + ", must be at least 8");
  if (static_cast<std::int64_t>(p.height) * p.width > kMostPixels) {
    throw Error("an input of " + std::to_string(p.width) + " x " + std::to_string(p.height) + " pixels, more than " +
                std::to_string(kMostPixels));
  }
  if (!std::isfinite(p.mean) || !std::isfinite(p.std)) throw Error("mean and std must be finite");
  if (p.channel_order != "BGR" && p.channel_order != "RGB" && p.channel_order != "GREY") {
    throw Error("channel_order is '" + p.channel_order + "', must be BGR, RGB or GREY");
  }
  if (p.std == 0) throw Error("std is 0, must not be");
}

void Preprocess(const cv::Mat& image, const Preprocessing& p, float* out) {
  const cv::Mat resized = Resized(image, p);
  const cv::Mat planes = p.channels() == 1 ? Grey(resized) : resized;
  const std::array<float, 256> table = Table(planes, p);
  for (int plane = 0; plane < p.channels(); ++plane) {
    const int channel = p.channel_order == "RGB" ? 2 - plane : plane;
    for (int y = 0; y < p.height; ++y) {
      const auto* row = planes.ptr<std::uint8_t>(y);
      for (int x = 0; x < p.width; ++x) *out++ = table[row[p.channels() * x + channel]];
    }
  }
}

}  // namespace crnn
