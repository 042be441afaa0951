// Greedy (best path) CTC decoding.
#ifndef CRNN_CTC_H_
#define CRNN_CTC_H_

#include <vector>

namespace crnn {

// The most probable class at every step with repeats merged and blanks removed (Graves et al. 2006, map B).
// `logits` are (time_steps, num_classes) of one image; the blank is the last class. Of equal logits the
// first wins.
std::vector<int> GreedyClasses(const float* logits, int time_steps, int num_classes);

}  // namespace crnn

#endif  // CRNN_CTC_H_
