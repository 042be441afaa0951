// The list of images that `crnn offline preprocess` writes: what the network expects, and which image gives which result.
#ifndef CRNN_INPUT_LIST_H_
#define CRNN_INPUT_LIST_H_

#include <string>
#include <vector>

#include "preprocess.h"

namespace crnn {

struct InputImage {
  std::string result;  // name of the result file
  std::string path;    // the image
};

struct InputList {
  Preprocessing preprocessing;
  int time_steps = 0;
  std::vector<std::string> classes;  // in UTF-8; the class ids are positions in it, the blank follows
  std::vector<InputImage> images;

  int num_classes() const { return static_cast<int>(classes.size()) + 1; }

  // The UTF-8 text of class ids without the blank.
  std::string Text(const std::vector<int>& ids) const;
};

// Reads a list. Throws Error, naming the file and the line, if it is missing, cut off or damaged.
InputList ReadInputList(const std::string& path);

}  // namespace crnn

#endif  // CRNN_INPUT_LIST_H_
