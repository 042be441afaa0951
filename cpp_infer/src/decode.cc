#include "decode.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <opencv2/imgcodecs.hpp>

#include "error.h"
#include "pixels.h"

namespace crnn {
namespace {

constexpr std::uint64_t kMaxPixels = 64ULL * 1024 * 1024;
constexpr std::uint64_t kMaxFileBytes = 256ULL * 1024 * 1024;

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
  const bool is_png = IsPng(data);
  if (!is_png && !IsJpeg(data)) {
    throw UnreadableImage("neither a PNG nor a JPEG image " + bytes + "; `crnn offline preprocess` converts other formats");
  }
  const ImageParts parts = is_png ? PngParts(data) : JpegParts(data);
  const std::string size = std::to_string(parts.width) + " x " + std::to_string(parts.height) + " pixels";
  if (parts.width < 1 || parts.height < 1) throw UnreadableImage("declares " + size);
  if (parts.width * parts.height > kMaxPixels) {
    throw UnreadableImage(size + ", more than " + std::to_string(kMaxPixels) + " pixels in all");
  }
  const bool as_it_is = parts.has_alpha || !parts.key.empty();
  cv::Mat image;
  try {
    image = cv::imdecode(parts.data, as_it_is ? cv::IMREAD_UNCHANGED : cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception& error) {
    throw UnreadableImage(error.err);
  }
  if (image.empty()) throw UnreadableImage("damaged: its picture cannot be decoded " + bytes);
  if (static_cast<std::uint64_t>(image.cols) != parts.width || static_cast<std::uint64_t>(image.rows) != parts.height) {
    throw UnreadableImage("damaged: another size than the " + size + " that are declared");
  }
  return Turned(ToBgr(image, parts.key), parts.orientation);
}

}  // namespace crnn
