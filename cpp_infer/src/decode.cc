#include "decode.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <string_view>

#include "error.h"

namespace crnn {
namespace {

constexpr std::uint64_t kMaxPixels = 64ULL * 1024 * 1024;
constexpr std::uint64_t kMaxFileBytes = 256ULL * 1024 * 1024;
constexpr std::string_view kPng("\x89PNG\r\n\x1a\n", 8);
constexpr std::string_view kJpeg("\xff\xd8", 2);

struct Size {
  std::uint64_t width;
  std::uint64_t height;
};

class Descriptor {
 public:
  // A named pipe must not wait for a writer.
  explicit Descriptor(const std::string& path) : number_(open(path.c_str(), O_RDONLY | O_NONBLOCK)) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

std::string_view View(const Bytes& data) { return {reinterpret_cast<const char*>(data.data()), data.size()}; }

bool StartsWith(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

std::uint64_t BigEndian(const Bytes& data, std::size_t position, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | data[position + i];
  return value;
}

// Start-of-frame markers: all of C0..CF but DHT (C4), JPG (C8) and DAC (CC).
bool IsFrame(int marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

bool StandsAlone(int marker) { return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8); }

std::optional<Size> JpegSize(const Bytes& data) {
  std::size_t position = 2;
  while (position + 9 <= data.size()) {
    const int marker = data[position + 1];
    if (data[position] != 0xFF || marker == 0xFF) {
      ++position;
    } else if (IsFrame(marker)) {
      return Size{BigEndian(data, position + 7, 2), BigEndian(data, position + 5, 2)};
    } else if (StandsAlone(marker)) {
      position += 2;
    } else if (marker == 0xDA) {  // the picture begins and no frame was declared
      return std::nullopt;
    } else {
      position += 2 + BigEndian(data, position + 2, 2);
    }
  }
  return std::nullopt;
}

std::optional<Size> ImageSize(const Bytes& data) {
  if (StartsWith(View(data), kPng) && data.size() >= 24) return Size{BigEndian(data, 16, 4), BigEndian(data, 20, 4)};
  if (StartsWith(View(data), kJpeg)) return JpegSize(data);
  return std::nullopt;
}

struct Chunk {
  std::string_view kind;
  std::size_t position;  // of the kind
};

// The chunks of a PNG, up to IEND or the first that does not fit into the data.
std::vector<Chunk> PngChunks(const Bytes& data) {
  std::vector<Chunk> chunks;
  std::size_t position = kPng.size();
  while (position + 8 <= data.size()) {
    chunks.push_back({View(data).substr(position + 4, 4), position + 4});
    if (chunks.back().kind == "IEND") break;
    position += 12 + BigEndian(data, position, 4);
  }
  return chunks;
}

// OpenCV fills the missing part of a truncated image with grey and says nothing, and for a PNG chunk it takes
// the memory that the chunk's header promises, up to 2 GiB.
bool IsTruncated(const Bytes& data) {
  const std::string_view view = View(data);
  if (!StartsWith(view, kJpeg)) {
    const std::vector<Chunk> chunks = PngChunks(data);
    return chunks.empty() || chunks.back().kind != "IEND";
  }
  // The end marker counts only behind the last start of a scan: a thumbnail has one of its own.
  const std::size_t end = view.rfind("\xff\xd9");
  const std::size_t scan = view.rfind("\xff\xda");
  return scan != std::string_view::npos && (end == std::string_view::npos || end < scan);
}

// A PNG without its animation header: OpenCV 4.11 and 4.12 crash on a damaged picture of an animation
// (https://github.com/opencv/opencv/issues/27744).
Bytes WithoutAnimation(const Bytes& data) {
  Bytes changed = data;
  if (!StartsWith(View(data), kPng)) return changed;
  const std::vector<Chunk> chunks = PngChunks(data);
  for (auto chunk = chunks.rbegin(); chunk != chunks.rend(); ++chunk) {
    if (chunk->kind != "acTL") continue;
    const std::size_t first = chunk->position - 4;
    const std::size_t last = std::min<std::size_t>(first + 12 + BigEndian(data, first, 4), data.size());
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(first), changed.begin() + static_cast<std::ptrdiff_t>(last));
  }
  return changed;
}

bool IsTransparentPng(const Bytes& data) {
  const std::string_view view = View(data);
  if (!StartsWith(view, kPng) || data.size() < 26) return false;
  return data[25] == 4 || data[25] == 6 || view.substr(0, 4096).find("tRNS") != std::string_view::npos;
}

// 1, 3 or 4 channels of 8 or 16 bit -> 8 bit BGR, laid over white by the alpha.
cv::Mat OnWhite(cv::Mat image) {
  if (image.depth() == CV_16U) {
    const cv::Mat values = image.reshape(1);  // channels side by side
    cv::Mat narrow(values.size(), CV_8U);
    std::transform(values.begin<std::uint16_t>(), values.end<std::uint16_t>(), narrow.begin<std::uint8_t>(),
                   [](std::uint16_t value) { return static_cast<std::uint8_t>(value >> 8); });
    image = narrow.reshape(image.channels());
  }
  if (image.channels() == 3) return image;
  cv::Mat bgr(image.size(), CV_8UC3);
  if (image.channels() == 1) {
    cv::cvtColor(image, bgr, cv::COLOR_GRAY2BGR);
    return bgr;
  }
  std::transform(image.begin<cv::Vec4b>(), image.end<cv::Vec4b>(), bgr.begin<cv::Vec3b>(), [](const cv::Vec4b& pixel) {
    cv::Vec3b blended;
    for (int c = 0; c < 3; ++c) {
      blended[c] = static_cast<std::uint8_t>((pixel[c] * pixel[3] + 255 * (255 - pixel[3]) + 127) / 255);
    }
    return blended;
  });
  return bgr;
}

}  // namespace

Bytes ReadImageFile(const std::string& path) {
  const Descriptor file(path);
  struct stat status {};
  if (file.number() < 0 || fstat(file.number(), &status) != 0) throw UnreadableImage(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) throw UnreadableImage("not a regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > kMaxFileBytes) {
    throw UnreadableImage(std::to_string(size) + " bytes, more than " + std::to_string(kMaxFileBytes));
  }
  Bytes data(size);
  std::size_t filled = 0;
  while (filled < data.size()) {
    const ssize_t count = read(file.number(), data.data() + filled, data.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw UnreadableImage(std::strerror(errno));
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  data.resize(filled);
  return data;
}

cv::Mat DecodeImage(const Bytes& data) {
  const std::string bytes = "(" + std::to_string(data.size()) + " bytes)";
  if (data.empty()) throw UnreadableImage("empty file (0 bytes)");
  const std::optional<Size> size = ImageSize(data);
  if (!size) throw UnreadableImage("neither a PNG nor a JPEG image " + bytes);
  if (size->width * size->height > kMaxPixels) {
    throw UnreadableImage(std::to_string(size->width) + " x " + std::to_string(size->height) + " pixels, more than " +
                          std::to_string(kMaxPixels) + " pixels in all");
  }
  if (IsTruncated(data)) throw UnreadableImage("truncated image " + bytes);
  const bool transparent = IsTransparentPng(data);
  cv::Mat image;
  try {
    image = cv::imdecode(WithoutAnimation(data), transparent ? cv::IMREAD_UNCHANGED : cv::IMREAD_COLOR);
  } catch (const cv::Exception& error) {
    throw UnreadableImage(error.err);
  }
  if (image.empty()) throw UnreadableImage("not an image OpenCV can read " + bytes);
  return transparent ? OnWhite(image) : image;
}

}  // namespace crnn
