// crnn_dump LIST OUT_DIR: writes what the network would see, one float32 file (3, H, W) an image, to compare
// this machine's decoder with Python's. Status 1 if some images cannot be read, 2 for another mistake.
#include <iostream>

#include "error.h"
#include "inference.h"

namespace {

// Hands the images on in place of logits.
class Identity : public crnn::Engine {
 public:
  std::size_t batch_size() const override { return 1; }
  std::vector<float> Forward(const std::vector<float>& images) override { return images; }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: crnn_dump LIST OUT_DIR\n";
    return 2;
  }
  try {
    crnn::InputList list = crnn::ReadInputList(argv[1]);
    // The planes' rows as steps, and their columns as classes.
    list.time_steps = list.preprocessing.channels() * list.preprocessing.height;
    list.classes.resize(list.preprocessing.width - 1);
    Identity engine;
    return crnn::RunInference(list, engine, argv[2], "").unreadable > 0 ? 1 : 0;
  } catch (const crnn::Error& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 2;
  }
}
