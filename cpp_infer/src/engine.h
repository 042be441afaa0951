// What runs a network.
#ifndef CRNN_ENGINE_H_
#define CRNN_ENGINE_H_

#include <cstddef>
#include <vector>

namespace crnn {

class Engine {
 public:
  virtual ~Engine() = default;

  // Images of each call.
  virtual std::size_t batch_size() const = 0;

  // Images (batch_size, C, H, W) -> logits (T, batch_size, C). Throws Error if the network fails.
  virtual std::vector<float> Forward(const std::vector<float>& images) = 0;
};

}  // namespace crnn

#endif  // CRNN_ENGINE_H_
