#include "inference.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <utility>

#include "ctc.h"
#include "decode.h"
#include "error.h"
#include "shown.h"

namespace crnn {
namespace {

class Stopwatch {
 public:
  // Milliseconds since it was made.
  double Elapsed() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// A file that is whole or an error.
class Output {
 public:
  // In place of whatever has the name: a symbolic link is replaced, not written through.
  static void Replace(const std::string& path) {
    if (unlink(path.c_str()) != 0 && errno != ENOENT) throw Error(path + ": " + std::strerror(errno));
    const int made = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (made < 0) throw Error(path + ": " + std::strerror(errno));
    close(made);
  }

  explicit Output(std::string path) : path_(std::move(path)), file_(path_, std::ios::binary | std::ios::trunc) {
    Check();
  }
  std::ostream& stream() { return file_; }
  void Close() {
    file_.close();
    Check();
  }

 private:
  void Check() const {
    if (!file_) throw Error(path_ + ": cannot be written");
  }
  std::string path_;
  std::ofstream file_;
};

// A text as one cell of a line: a tab or line break becomes a space, another control character its code, as
// `crnn read` writes it.
std::string OneCell(std::string text) {
  const auto ends_cell = [](char c) { return c == '\t' || c == '\n' || c == '\r'; };
  std::replace_if(text.begin(), text.end(), ends_cell, ' ');
  return Shown(text);
}

// Fills batches and empties them through the network.
class Batcher {
 public:
  Batcher(const InputList& list, Engine& engine, const std::string& result_dir, std::ostream* readings)
      : list_(list), engine_(engine), result_dir_(result_dir), readings_(readings) {
    report_.batch_size = engine.batch_size();
    images_.resize(engine.batch_size() * list.preprocessing.size());
  }

  void Add(const InputImage& image) {
    const Stopwatch stopwatch;
    try {
      const cv::Mat pixels = DecodeImage(ReadImageFile(image.path));
      Preprocess(pixels, list_.preprocessing, images_.data() + pending_.size() * list_.preprocessing.size());
    } catch (const std::exception& error) {  // OpenCV, and memory that does not suffice for this image
      std::cerr << "warning: unreadable image, its result file stays empty: "
                << Shown(image.path + ": " + error.what()) << "\n";
      ++report_.unreadable;
      ResultFile(image).Close();
      return;
    }
    report_.preprocess_ms += stopwatch.Elapsed();
    pending_.push_back(&image);
    if (pending_.size() == engine_.batch_size()) Flush();
  }

  void Flush() {
    if (pending_.empty()) return;
    std::fill(images_.begin() + pending_.size() * list_.preprocessing.size(), images_.end(), 0.0F);
    const Stopwatch stopwatch;
    const std::vector<float> logits = engine_.Forward(images_);
    report_.predict_ms += stopwatch.Elapsed();
    const std::size_t expected = engine_.batch_size() * list_.time_steps * list_.num_classes();
    if (logits.size() != expected) {
      throw Error("the network gives " + std::to_string(logits.size()) + " values for " +
                  std::to_string(engine_.batch_size()) + " images, but its description promises " +
                  std::to_string(list_.time_steps) + " steps of " + std::to_string(list_.num_classes()) + " classes");
    }
    for (std::size_t n = 0; n < pending_.size(); ++n) Write(*pending_[n], logits, n);
    report_.images += pending_.size();
    pending_.clear();
  }

  const InferenceReport& report() const { return report_; }

 private:
  Output ResultFile(const InputImage& image) const {
    const std::string path = result_dir_ + "/" + image.result;
    Output::Replace(path);
    return Output(path);
  }

  void Write(const InputImage& image, const std::vector<float>& logits, std::size_t n) {
    const std::size_t classes = list_.num_classes();
    std::vector<float> own;  // (T, N, C) -> (T, C)
    for (int t = 0; t < list_.time_steps; ++t) {
      const auto step = logits.begin() + (t * engine_.batch_size() + n) * classes;
      own.insert(own.end(), step, step + classes);
    }
    Output file = ResultFile(image);
    file.stream().write(reinterpret_cast<const char*>(own.data()), own.size() * sizeof(float));
    file.Close();
    if (readings_ != nullptr) {
      const std::vector<int> text = GreedyClasses(own.data(), list_.time_steps, list_.num_classes());
      *readings_ << OneCell(image.path) << "\t" << OneCell(list_.Text(text)) << "\n";
    }
  }

  const InputList& list_;
  Engine& engine_;
  std::string result_dir_;
  std::ostream* readings_;
  std::vector<float> images_;               // (N, C, H, W)
  std::vector<const InputImage*> pending_;  // whose pixels stand in images_
  InferenceReport report_;
};

}  // namespace

InferenceReport RunInference(const InputList& list, Engine& engine, const std::string& result_dir,
                             const std::string& readings) {
  std::unique_ptr<Output> texts;
  if (!readings.empty()) texts = std::make_unique<Output>(readings);
  Batcher batcher(list, engine, result_dir, texts ? &texts->stream() : nullptr);
  for (const InputImage& image : list.images) batcher.Add(image);
  batcher.Flush();
  if (texts) texts->Close();
  return batcher.report();
}

void WriteTimings(const InferenceReport& report, const std::string& path) {
  const double images = static_cast<double>(std::max<std::size_t>(report.images, 1));
  Output::Replace(path);
  Output file(path);
  file.stream() << "NN inference cost average time: " << report.predict_ms / images << " ms of infer_count "
                << report.images << "\n"
                << "batch size: " << report.batch_size << "\n"
                << "reading and preprocessing: " << report.preprocess_ms / images << " ms an image\n"
                << "unreadable images: " << report.unreadable << "\n";
  file.Close();
}

}  // namespace crnn
