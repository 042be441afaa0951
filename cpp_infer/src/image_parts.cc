#include "image_parts.h"

#include <algorithm>
#include <map>
#include <string>

#include "error.h"

namespace crnn {
namespace {

constexpr std::size_t kPngStart = 8;  // bytes of its signature
constexpr int kMostChunks = 1 << 18;
constexpr int kMostSegments = 1 << 14;
constexpr int kMostScans = 64;

struct Range {
  std::size_t begin;
  std::size_t end;
};
using Chunks = std::map<std::string, std::vector<Range>>;

bool StartsWith(const Bytes& data, std::size_t position, const std::string& start) {
  return data.size() >= position + start.size() && std::equal(start.begin(), start.end(), data.begin() + position,
                                                              [](char a, std::uint8_t b) { return a == static_cast<char>(b); });
}

std::size_t BigEndian(const Bytes& data, std::size_t position, std::size_t size) {
  std::size_t value = 0;
  for (std::size_t i = position; i < std::min(position + size, data.size()); ++i) value = value << 8 | data[i];
  return value;
}

[[noreturn]] void ThrowTruncated(const Bytes& data) {
  throw UnreadableImage("truncated image (" + std::to_string(data.size()) + " bytes)");
}

// The tag in EXIF data, 1 (upright) if there is none or they are damaged.
int ExifOrientation(const Bytes& tiff) {
  const bool is_little = StartsWith(tiff, 0, "II");
  const auto number = [&](std::size_t position, std::size_t size) {
    if (!is_little) return BigEndian(tiff, position, size);
    std::size_t value = 0;
    for (std::size_t i = 0; i < size && position + i < tiff.size(); ++i) value |= std::size_t{tiff[position + i]} << 8 * i;
    return value;
  };
  if ((!is_little && !StartsWith(tiff, 0, "MM")) || number(2, 2) != 42) return 1;
  const std::size_t first = number(4, 4);
  for (std::size_t entry = first + 2; entry < first + 2 + 12 * number(first, 2) && entry + 12 <= tiff.size(); entry += 12) {
    if (number(entry, 2) != 0x0112) continue;
    const std::size_t value = number(entry + 8, 2);
    const bool is_one = number(entry + 2, 2) == 3 && number(entry + 4, 4) == 1;
    return is_one && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

// `start` bytes of the data, then the ranges.
Bytes Joined(const Bytes& data, std::size_t start, const std::vector<Range>& ranges) {
  Bytes joined(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(start));
  for (const Range& range : ranges) {
    joined.insert(joined.end(), data.begin() + static_cast<std::ptrdiff_t>(range.begin),
                  data.begin() + static_cast<std::ptrdiff_t>(range.end));
  }
  return joined;
}

// Kind -> where its chunks begin and end, up to IEND.
Chunks PngChunks(const Bytes& data) {
  Chunks chunks;
  std::size_t position = kPngStart;
  for (int i = 0; i < kMostChunks; ++i) {
    if (position + 8 > data.size()) ThrowTruncated(data);
    const std::size_t end = position + 12 + BigEndian(data, position, 4);
    if (end > data.size()) ThrowTruncated(data);
    const std::string kind(data.begin() + static_cast<std::ptrdiff_t>(position + 4),
                           data.begin() + static_cast<std::ptrdiff_t>(position + 8));
    const bool is_known = kind == "IHDR" || kind == "PLTE" || kind == "IDAT" || kind == "IEND";
    if ((kind[0] & 0x20) == 0 && !is_known) throw UnreadableImage("damaged PNG: an unknown chunk");
    chunks[kind].push_back({position, end});
    if (kind == "IEND") return chunks;
    position = end;
  }
  throw UnreadableImage("damaged PNG: more than " + std::to_string(kMostChunks) + " chunks");
}

// The content of the first chunk of a kind, empty if there is none.
Bytes Content(const Bytes& data, const Chunks& chunks, const std::string& kind) {
  const auto found = chunks.find(kind);
  if (found == chunks.end()) return {};
  const Range& chunk = found->second.front();
  return {data.begin() + static_cast<std::ptrdiff_t>(chunk.begin + 8), data.begin() + static_cast<std::ptrdiff_t>(chunk.end - 4)};
}

bool IsDepth(int depth, int colour) {
  switch (colour) {
    case 0:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case 3:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case 2:
    case 4:
    case 6:
      return depth == 8 || depth == 16;
    default:
      return false;
  }
}

std::vector<int> PngKey(const Bytes& transparency, int depth, int colour) {
  const std::size_t count = colour == 0 ? 1 : colour == 2 ? 3 : 0;
  std::vector<int> key;
  if (transparency.size() != 2 * count) return key;
  const int most = (1 << depth) - 1;
  for (std::size_t k = 0; k < count; ++k) {
    const int value = static_cast<int>(BigEndian(transparency, 2 * k, 2)) & most;
    key.push_back(depth < 8 ? value * 255 / most : value);
  }
  return key;
}

// Start-of-frame markers: all of C0..CF but DHT (C4), JPG (C8) and DAC (CC).
bool IsFrame(int marker) { return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC; }

// Frames, DHT, DAC, DQT, DRI, and JFIF and Adobe, which say what the components mean.
bool IsKept(int marker) {
  return IsFrame(marker) || marker == 0xC4 || marker == 0xCC || marker == 0xDB || marker == 0xDD || marker == 0xE0 ||
         marker == 0xEE;
}

bool StandsAlone(int marker) { return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7); }

bool IsMisplaced(int marker) {
  return (marker >= 0x02 && marker <= 0xBF) || marker == 0xC8 || marker == 0xD8 || marker == 0xD9 ||
         (marker >= 0xF0 && marker <= 0xFD);
}

// Where the next marker begins, as libjpeg finds it; within a scan, restart markers are passed over.
std::size_t NextMarker(const Bytes& data, std::size_t position, bool in_scan) {
  for (; position + 1 < data.size(); ++position) {
    const int next = data[position + 1];
    const bool is_restart = next >= 0xD0 && next <= 0xD7;
    if (data[position] == 0xFF && next != 0x00 && next != 0xFF && !(in_scan && is_restart)) return position;
  }
  ThrowTruncated(data);
}

std::size_t SegmentEnd(const Bytes& data, std::size_t start) {
  if (start + 4 > data.size()) ThrowTruncated(data);
  const std::size_t length = BigEndian(data, start + 2, 2);
  if (start + 2 + length > data.size()) ThrowTruncated(data);
  if (length < 2) throw UnreadableImage("damaged JPEG: a segment without its length");
  return start + 2 + length;
}

[[noreturn]] void ThrowManySegments() {
  throw UnreadableImage("damaged JPEG: more than " + std::to_string(kMostSegments) + " segments");
}

// Where the end marker ends; `position` is behind the header of the first scan.
std::size_t JpegEnd(const Bytes& data, std::size_t position) {
  int scans = 1;
  for (int i = 0; i < kMostSegments; ++i) {
    const std::size_t start = NextMarker(data, position, true);
    const int marker = data[start + 1];
    position = start + 2;
    if (marker == 0xD9) return position;
    if (marker == 0xDA && ++scans > kMostScans) {
      throw UnreadableImage("a JPEG of more than " + std::to_string(kMostScans) + " scans, each of which costs a whole decoding");
    }
    if (!StandsAlone(marker) && !IsMisplaced(marker)) position = SegmentEnd(data, start);
  }
  ThrowManySegments();
}

}  // namespace

bool IsPng(const Bytes& data) { return StartsWith(data, 0, "\x89PNG\r\n\x1a\n"); }

bool IsJpeg(const Bytes& data) { return StartsWith(data, 0, "\xff\xd8"); }

ImageParts PngParts(const Bytes& data) {
  const Chunks chunks = PngChunks(data);
  const auto header = chunks.find("IHDR");
  if (header == chunks.end() || header->second[0].begin != kPngStart || header->second[0].end != kPngStart + 25) {
    throw UnreadableImage("damaged PNG: it does not begin with its header");
  }
  if (chunks.count("IDAT") == 0) throw UnreadableImage("damaged PNG: it holds no picture");
  const int depth = data[24];
  const int colour = data[25];
  if (!IsDepth(depth, colour)) {
    throw UnreadableImage("damaged PNG: " + std::to_string(depth) + " bits a sample, colour type " + std::to_string(colour));
  }
  const Bytes transparency = Content(data, chunks, "tRNS");
  std::vector<Range> ranges = {header->second[0]};
  if (colour == 3) {
    for (const char* kind : {"PLTE", "tRNS"}) {
      if (chunks.count(kind) != 0) ranges.push_back(chunks.at(kind)[0]);
    }
  }
  for (const char* kind : {"IDAT", "IEND"}) {
    ranges.insert(ranges.end(), chunks.at(kind).begin(), chunks.at(kind).end());
  }
  ImageParts parts;
  parts.data = Joined(data, kPngStart, ranges);
  parts.width = BigEndian(data, 16, 4);
  parts.height = BigEndian(data, 20, 4);
  parts.orientation = ExifOrientation(Content(data, chunks, "eXIf"));
  parts.has_alpha = colour == 4 || colour == 6 || (colour == 3 && !transparency.empty());
  parts.key = PngKey(transparency, depth, colour);
  return parts;
}

ImageParts JpegParts(const Bytes& data) {
  ImageParts parts;
  std::vector<Range> ranges;
  bool has_frame = false;
  std::size_t position = 2;
  for (int i = 0; i < kMostSegments; ++i) {
    const std::size_t start = NextMarker(data, position, false);
    const int marker = data[start + 1];
    position = start + 2;
    if (StandsAlone(marker)) continue;
    if (IsMisplaced(marker)) throw UnreadableImage("damaged JPEG: an unexpected marker");
    position = SegmentEnd(data, start);
    if (marker == 0xDA) {
      if (!has_frame) throw UnreadableImage("damaged JPEG: it declares no picture");
      ranges.push_back({start, JpegEnd(data, position)});
      parts.data = Joined(data, 2, ranges);
      return parts;
    }
    if (IsFrame(marker)) {
      if (has_frame || position - start < 9) throw UnreadableImage("damaged JPEG: its header is not one");
      parts.width = BigEndian(data, start + 7, 2);
      parts.height = BigEndian(data, start + 5, 2);
      has_frame = parts.width != 0 || parts.height != 0;
    } else if (marker == 0xE1 && parts.orientation == 1 && StartsWith(data, start + 4, std::string("Exif\0\0", 6))) {
      parts.orientation = ExifOrientation(Bytes(data.begin() + static_cast<std::ptrdiff_t>(start + 10),
                                                data.begin() + static_cast<std::ptrdiff_t>(std::max(position, start + 10))));
    }
    if (IsKept(marker)) ranges.push_back({start, position});
  }
  ThrowManySegments();
}

}  // namespace crnn
