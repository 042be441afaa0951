// Runs a MINDIR over the images of a list; see kUsage.
#include <filesystem>
#include <iostream>
#include <map>
#include <sstream>

#include "error.h"
#include "inference.h"
#include "lite_engine.h"
#include "shown.h"

namespace {

constexpr char kUsage[] =
    R"(usage: crnn_infer --mindir=FILE --inputs=LIST --result_dir=DIR --time_dir=DIR [OPTION...]

Runs a MINDIR over the images of a list that `crnn offline preprocess` wrote. Each image gives one file of float32 logits
(time steps, classes) in result_dir; that of an unreadable image is empty. The timings go to time_dir.

  --device_type=Ascend|CPU   default Ascend
  --device_id=N              default 0
  --batch_size=N             images a call, for a model that takes any number; default 1
  --config_file=FILE         configuration of MindSpore Lite
  --precision_mode=MODE      of Ascend: enforce_fp16, preferred_fp32, enforce_fp32, ...; default Lite's
  --readings=FILE            also write image<tab>text lines

Status 0: all images were read; 1: some were not; 2: a mistake in the options or files.
)";

using Options = std::map<std::string, std::string>;

Options ParseOptions(int argc, char** argv) {
  Options options = {{"mindir", ""},      {"inputs", ""},      {"result_dir", ""},  {"time_dir", ""},
                     {"device_id", "0"},  {"batch_size", "1"}, {"config_file", ""}, {"device_type", "Ascend"},
                     {"precision_mode", ""}, {"readings", ""}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string name = argument.compare(0, 2, "--") == 0 ? argument.substr(2, equals - 2) : "";
    if (equals == std::string::npos || options.count(name) == 0) {
      throw crnn::Error("unknown option '" + argument + "'\n" + kUsage);
    }
    options[name] = argument.substr(equals + 1);
  }
  for (const char* name : {"mindir", "inputs", "result_dir", "time_dir"}) {
    if (options[name].empty()) throw crnn::Error("option --" + std::string(name) + " is required\n" + kUsage);
  }
  return options;
}

std::uint32_t Number(const Options& options, const std::string& name, std::uint32_t least, std::uint32_t most) {
  const std::string& text = options.at(name);
  const bool is_number = !text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos;
  const unsigned long value = is_number ? std::stoul(text) : 0;
  if (!is_number || value < least || value > most) {
    throw crnn::Error(name + " is '" + text + "', must be a whole number from " + std::to_string(least) + " to " +
                      std::to_string(most));
  }
  return static_cast<std::uint32_t>(value);
}

// A message in which nothing steers the terminal but its line ends.
std::string ShownLines(const std::string& message) {
  std::string shown;
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) shown += (shown.empty() ? "" : "\n") + crnn::Shown(line);
  return shown;
}

int Run(const Options& options) {
  const crnn::InputList list = crnn::ReadInputList(options.at("inputs"));
  crnn::LiteOptions lite;
  lite.mindir = options.at("mindir");
  lite.device_type = options.at("device_type");
  lite.device_id = Number(options, "device_id", 0, 65535);
  lite.batch_size = Number(options, "batch_size", 1, 65536);
  lite.config_file = options.at("config_file");
  lite.precision_mode = options.at("precision_mode");
  if (lite.device_type != "Ascend" && lite.device_type != "CPU") {
    throw crnn::Error("device_type is '" + lite.device_type + "', must be Ascend or CPU");
  }
  for (const std::string& path : {lite.mindir, lite.config_file}) {
    if (!path.empty() && !std::filesystem::is_regular_file(path)) throw crnn::Error("no such file: " + path);
  }
  for (const char* name : {"result_dir", "time_dir"}) {
    std::error_code failure;
    std::filesystem::create_directories(options.at(name), failure);
    if (failure) throw crnn::Error(options.at(name) + ": " + failure.message());
  }
  const auto engine = crnn::OpenLite(lite, list);
  const crnn::InferenceReport report =
      crnn::RunInference(list, *engine, options.at("result_dir"), options.at("readings"));
  crnn::WriteTimings(report, options.at("time_dir") + "/test_perform_static.txt");
  std::cout << report.images << " of " << list.images.size() << " images inferred, batch size " << report.batch_size
            << "\n";
  if (report.unreadable > 0) std::cerr << "warning: " << report.unreadable << " images could not be read\n";
  return report.unreadable > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(ParseOptions(argc, argv));
  } catch (const std::exception& error) {
    // Several lines only after a wrong option.
    std::cerr << "error: " << ShownLines(error.what()) << "\n";
    return 2;
  }
}
