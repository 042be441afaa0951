#include "shown.h"

#include <cstdint>
#include <cstdio>

namespace crnn {
namespace {

// Control characters, separators of lines, and marks that turn the direction of writing.
bool IsUnsafe(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

// The code point that begins at `place`, and its length in bytes; of what is no UTF-8 a single byte, as 0xDC80 to
// 0xDCFF, which is how Python has it.
std::uint32_t CodeAt(const std::string& text, std::size_t place, std::size_t* length) {
  const auto byte = [&text](std::size_t i) {
    return i < text.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) : 0U;
  };
  const auto follows = [&byte](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const std::uint32_t first = byte(place);
  *length = 1;
  if (first < 0x80) return first;
  if (first >= 0xC2 && first < 0xE0 && follows(place + 1)) {
    *length = 2;
    return (first & 0x1F) << 6 | (byte(place + 1) & 0x3F);
  }
  if (first >= 0xE0 && first < 0xF0 && follows(place + 1) && follows(place + 2)) {
    const std::uint32_t code = (first & 0x0F) << 12 | (byte(place + 1) & 0x3F) << 6 | (byte(place + 2) & 0x3F);
    if (code >= 0x800 && (code < 0xD800 || code > 0xDFFF)) {
      *length = 3;
      return code;
    }
  }
  if (first >= 0xF0 && first < 0xF5 && follows(place + 1) && follows(place + 2) && follows(place + 3)) {
    const std::uint32_t code = (first & 0x07) << 18 | (byte(place + 1) & 0x3F) << 12 |
                               (byte(place + 2) & 0x3F) << 6 | (byte(place + 3) & 0x3F);
    if (code >= 0x10000 && code <= 0x10FFFF) {
      *length = 4;
      return code;
    }
  }
  return 0xDC00 + first;
}

}  // namespace

std::string Shown(const std::string& text) {
  std::string shown;
  for (std::size_t place = 0, length = 0; place < text.size(); place += length) {
    const std::uint32_t code = CodeAt(text, place, &length);
    if (IsUnsafe(code) || (code >= 0xD800 && code <= 0xDFFF)) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(code));
      shown += escaped;
    } else {
      shown.append(text, place, length);
    }
  }
  return shown;
}

}  // namespace crnn
