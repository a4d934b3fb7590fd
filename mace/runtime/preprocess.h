// How pixels become the values of an input: what the model's configuration says, stored in the
// model, so that every run uses what the statistics were measured with.
#ifndef MACE_RUNTIME_PREPROCESS_H_
#define MACE_RUNTIME_PREPROCESS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "mace/base/status.h"
#include "mace/base/types.h"

namespace mace {
namespace runtime {

// Name of the net argument with the description of an input, as JSON; see tools/ir/graph.ts.
std::string PreprocessArgument(const std::string& input);

// value = (pixel - mean[c]) * scale[c], channels in the order of the model. An input without a
// description is like tf-inception: RGB, -1 to 1.
struct Preprocess {
  // The model takes blue first.
  bool bgr = false;
  std::vector<double> mean = {127.5, 127.5, 127.5};
  std::vector<double> scale = {1 / 127.5, 1 / 127.5, 1 / 127.5};
};

// Reads the description. What concerns files of images (resizing, fitting) is not looked at.
Status ReadPreprocess(const std::string& input, const std::string& json, Preprocess* preprocess);

// Whether an input takes an image: [1, height, width, 1 or 3], float32.
bool TakesPixels(const Shape& shape, ElementType type);

// Pixels of the input's size, rows from the top, [height, width, channels], RGB or gray, to its
// values (NHWC): the very bits that the tools compute. `shape` must take pixels.
Status PixelsToInput(const std::string& input, const Shape& shape, const Preprocess& preprocess,
                     const uint8_t* pixels, float* values);

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_PREPROCESS_H_
