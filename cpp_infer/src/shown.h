// Names and labels as people are shown them.
#ifndef CRNN_SHOWN_H_
#define CRNN_SHOWN_H_

#include <string>

namespace crnn {

// UTF-8 in which whatever could steer a terminal stands as its code, \u001b for an escape character; as Python's
// `shown` does it.
std::string Shown(const std::string& text);

}  // namespace crnn

#endif  // CRNN_SHOWN_H_
