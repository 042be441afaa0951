#include "ctc.h"

#include <algorithm>

namespace crnn {

std::vector<int> GreedyClasses(const float* logits, int time_steps, int num_classes) {
  const int blank = num_classes - 1;
  std::vector<int> classes;
  int previous = blank;
  for (int t = 0; t < time_steps; ++t, logits += num_classes) {
    const int best = static_cast<int>(std::max_element(logits, logits + num_classes) - logits);
    if (best != previous && best != blank) classes.push_back(best);
    previous = best;
  }
  return classes;
}

}  // namespace crnn
