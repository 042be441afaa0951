#include "input_list.h"

#include <cstdint>
#include <fstream>
#include <sstream>

#include "error.h"

namespace crnn {
namespace {

constexpr char kCharacters[] = "crnn_inputs 1";  // one code point a class
constexpr char kClasses[] = "crnn_inputs 2";     // several, with commas between; - for an empty class

constexpr unsigned long kLastCodePoint = 0x10FFFF;

void AppendUtf8(std::uint32_t code, std::string* text) {
  const auto append = [text](std::uint32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    append(code);
    return;
  }
  if (code < 0x800) {
    append(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      append(0xE0 | code >> 12);
    } else {
      append(0xF0 | code >> 18);
      append(0x80 | (code >> 12 & 0x3F));
    }
    append(0x80 | (code >> 6 & 0x3F));
  }
  append(0x80 | (code & 0x3F));
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), file_(path, std::ios::binary) {
    if (!file_) throw Error(path + ": cannot be opened; `crnn offline preprocess` writes it");
  }

  std::string Line() {
    ++number_;
    std::string line;
    // A line without an end is one that was cut off.
    if (!std::getline(file_, line) || file_.eof()) Fail("the list ends here");
    return line;
  }

  // Whether the next line begins with `name` and a space.
  bool IsNext(const std::string& name) {
    const auto place = file_.tellg();
    std::string line;
    std::getline(file_, line);
    file_.clear();
    file_.seekg(place);
    return line.compare(0, name.size() + 1, name + " ") == 0;
  }

  // What follows `name` and a space.
  std::istringstream Field(const std::string& name) {
    const std::string line = Line();
    if (line.compare(0, name.size() + 1, name + " ") != 0) Fail("expected '" + name + " ...'");
    return std::istringstream(line.substr(name.size() + 1));
  }

  template <typename T>
  T Value(const std::string& name) {
    std::istringstream field = Field(name);
    T value{};
    if (!(field >> value) || !(field >> std::ws).eof()) Fail("'" + name + "' has no proper value");
    return value;
  }

  [[noreturn]] void Fail(const std::string& reason) const {
    throw Error(path_ + ": line " + std::to_string(number_) + ": " + reason);
  }

 private:
  std::string path_;
  std::ifstream file_;
  int number_ = 0;
};

// The classes of the rest of a line.
std::vector<std::string> ParseClasses(std::istringstream words, const Reader& reader) {
  std::vector<std::string> classes;
  for (std::string word; words >> word;) {
    std::string text;
    std::istringstream codes(word == "-" ? "" : word);
    for (std::string code; std::getline(codes, code, ',');) {
      const bool digits = !code.empty() && code.size() < 8 && code.find_first_not_of("0123456789") == std::string::npos;
      if (!digits || std::stoul(code) > kLastCodePoint) reader.Fail("expected code points");
      AppendUtf8(static_cast<std::uint32_t>(std::stoul(code)), &text);
    }
    classes.push_back(text);
  }
  if (classes.empty()) reader.Fail("expected code points");
  return classes;
}

InputImage ParseImage(const std::string& line, const Reader& reader) {
  const std::size_t tab = line.find('\t');
  const bool whole = tab != std::string::npos && tab > 0 && tab + 1 < line.size();
  if (!whole) reader.Fail("expected 'RESULT<tab>IMAGE'");
  InputImage image{line.substr(0, tab), line.substr(tab + 1)};
  // A result must stay inside its folder.
  const bool is_name = image.result.find('/') == std::string::npos && image.result.find('\0') == std::string::npos &&
                       image.result.find_first_not_of('.') != std::string::npos;
  if (!is_name) reader.Fail("expected 'RESULT<tab>IMAGE', but '" + image.result + "' is not the name of a file");
  return image;
}

}  // namespace

std::string InputList::Text(const std::vector<int>& ids) const {
  std::string text;
  for (const int id : ids) text += classes[id];
  return text;
}

InputList ReadInputList(const std::string& path) {
  Reader reader(path);
  const std::string first = reader.Line();
  if (first != kCharacters && first != kClasses) reader.Fail(std::string("expected '") + kCharacters + "'");
  InputList list;
  Preprocessing& p = list.preprocessing;
  p.height = reader.Value<int>("height");
  p.width = reader.Value<int>("width");
  p.channel_order = reader.Value<std::string>("channel_order");
  p.interpolation = reader.Value<std::string>("interpolation");
  // Through double, as Python reads and narrows them.
  p.mean = static_cast<float>(reader.Value<double>("mean"));
  p.std = static_cast<float>(reader.Value<double>("std"));
  if (reader.IsNext("standardize")) {
    const auto value = reader.Value<std::string>("standardize");
    if (value != "True" && value != "False") reader.Fail("'standardize' must be True or False");
    p.standardize = value == "True";
  }
  try {
    CheckPreprocessing(p);
  } catch (const Error& error) {
    throw Error(path + ": " + error.what());
  }
  list.time_steps = reader.Value<int>("time_steps");
  if (list.time_steps < 1) reader.Fail("time_steps must be at least 1");
  list.classes = ParseClasses(reader.Field(first == kClasses ? "classes" : "characters"), reader);
  const auto count = reader.Value<std::size_t>("images");
  while (list.images.size() < count) list.images.push_back(ParseImage(reader.Line(), reader));
  return list;
}

}  // namespace crnn
