// What goes wrong by the user's files and options, apart from what goes wrong by one image.
#ifndef CRNN_ERROR_H_
#define CRNN_ERROR_H_

#include <stdexcept>

namespace crnn {

// Ends the program with a message and status 2.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One image that cannot be read; the others go on.
class UnreadableImage : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace crnn

#endif  // CRNN_ERROR_H_
