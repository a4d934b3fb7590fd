// Inputs and outputs of the net.
#include <algorithm>
#include <cstring>

#include "third_party/nnlib/sim/arithmetic.h"
#include "third_party/nnlib/sim/ops.h"

namespace nnlib_sim {

namespace {

// Tensors that the caller gives for each input or output: data, min, max, needs (de)quantization.
constexpr size_t kGiven = 4;
// Outputs or inputs of a node for each tensor of codes: data, min, max.
constexpr size_t kCodes = 3;

bool ShapeOf(const Call& call, const hexagon_nn_tensordef& tensor, size_t element_size,
             Shape* shape) {
  const unsigned dims[4] = {tensor.batches, tensor.height, tensor.width, tensor.depth};
  uint64_t elements = 1;
  for (int i = 0; i < 4; ++i) {
    shape->d[i] = dims[i];
    if (dims[i] == 0 || elements > (uint64_t{1} << 31) / dims[i]) {
      return call.Fail("an input of the net has a bad shape");
    }
    elements *= dims[i];
  }
  if (tensor.data == nullptr || tensor.dataLen < 0 ||
      static_cast<uint64_t>(tensor.dataLen) < elements * element_size) {
    return call.Fail("an input of the net has %d bytes for %llu elements of %zu", tensor.dataLen,
                     static_cast<unsigned long long>(elements), element_size);
  }
  return true;
}

template <typename T>
bool Scalar(const Call& call, const hexagon_nn_tensordef& tensor, T* value) {
  if (tensor.data == nullptr || tensor.dataLen < static_cast<int>(sizeof *value)) {
    return call.Fail("an input of the net lacks its min, max or flag");
  }
  std::memcpy(value, tensor.data, sizeof *value);
  return true;
}

bool Store(const Call& call, hexagon_nn_tensordef* tensor, const Shape& shape, const void* data,
           size_t bytes) {
  if (tensor->data == nullptr || tensor->dataLen < 0 ||
      static_cast<size_t>(tensor->dataLen) < bytes) {
    return call.Fail("an output of the net has %d bytes, %zu are needed", tensor->dataLen, bytes);
  }
  tensor->batches = shape.d[0];
  tensor->height = shape.d[1];
  tensor->width = shape.d[2];
  tensor->depth = shape.d[3];
  tensor->data_valid_len = static_cast<unsigned>(bytes);
  if (bytes > 0) std::memcpy(tensor->data, data, bytes);
  return true;
}

}  // namespace

bool RunConst(const Call&) { return true; }
bool RunNothing(const Call&) { return true; }

bool RunInput(const Call& call) {
  const Graph& graph = call.graph();
  if (graph.net_input_count != call.output_count()) {
    return call.Fail("the net has %zu inputs, %zu were given", call.output_count(),
                     graph.net_input_count);
  }
  for (size_t i = 0; i < call.output_count(); ++i) {
    const hexagon_nn_tensordef& tensor = graph.net_inputs[i];
    Shape shape;
    if (!ShapeOf(call, tensor, 1, &shape)) return false;
    const size_t element_size = static_cast<size_t>(tensor.dataLen) / shape.elements();
    uint8_t* data;
    if (!call.Shaped(i, shape, element_size, &data)) return false;
    std::memcpy(data, tensor.data, shape.elements() * element_size);
  }
  return true;
}

bool RunOutput(const Call& call) {
  const Graph& graph = call.graph();
  if (graph.net_output_count != call.input_count()) {
    return call.Fail("the net has %zu outputs, %zu were given", call.input_count(),
                     graph.net_output_count);
  }
  for (size_t i = 0; i < call.input_count(); ++i) {
    const Tensor& tensor = call.in(i);
    if (!Store(call, &graph.net_outputs[i], tensor.shape, tensor.data.data(), tensor.bytes)) {
      return false;
    }
  }
  return true;
}

bool RunQuantizeInput(const Call& call) {
  const Graph& graph = call.graph();
  const size_t count = call.output_count() / kCodes;
  if (count * kCodes != call.output_count() || graph.net_input_count != count * kGiven) {
    return call.Fail("the node has %zu outputs, the net was given %zu tensors", call.output_count(),
                     graph.net_input_count);
  }
  for (size_t i = 0; i < count; ++i) {
    const hexagon_nn_tensordef* given = graph.net_inputs + i * kGiven;
    int32_t needs_quantization = 0;
    float min, max;
    if (!Scalar(call, given[1], &min) || !Scalar(call, given[2], &max) ||
        !Scalar(call, given[3], &needs_quantization)) {
      return false;
    }
    Shape shape;
    uint8_t* codes;
    if (!ShapeOf(call, given[0], needs_quantization ? sizeof(float) : 1, &shape) ||
        !call.Shaped(i * kCodes, shape, 1, &codes)) {
      return false;
    }
    if (needs_quantization) {
      // The range of these very data, with zero in it, and zero made a code.
      const size_t elements = shape.elements();
      std::vector<float> values(elements);
      std::memcpy(values.data(), given[0].data, elements * sizeof(float));
      min = max = 0.0f;
      for (float v : values) {
        if (!std::isfinite(v)) return call.Fail("input %zu of the net is not finite", i);
        min = std::min(min, v);
        max = std::max(max, v);
      }
      max = std::max(max, min + 1e-4f);
      if (!MakeZeroExact(&min, &max, Fixed::kNone)) return call.Fail("input %zu has no range", i);
      for (size_t j = 0; j < elements; ++j) codes[j] = CodeOf(values[j], min, max);
    } else {
      std::memcpy(codes, given[0].data, shape.elements());
    }
    if (!call.SetFloat(i * kCodes + 1, min) || !call.SetFloat(i * kCodes + 2, max)) return false;
  }
  return true;
}

bool RunDequantizeOutput(const Call& call) {
  const Graph& graph = call.graph();
  const size_t count = call.input_count() / kCodes;
  if (count * kCodes != call.input_count() || graph.net_output_count != count * kGiven) {
    return call.Fail("the node has %zu inputs, the net was given %zu tensors", call.input_count(),
                     graph.net_output_count);
  }
  for (size_t i = 0; i < count; ++i) {
    hexagon_nn_tensordef* given = graph.net_outputs + i * kGiven;
    const uint8_t* codes;
    float min, max;
    if (!call.Codes(i * kCodes, &codes) ||
        !call.Range(i * kCodes + 1, i * kCodes + 2, &min, &max)) {
      return false;
    }
    const Shape& shape = call.in(i * kCodes).shape;
    const Grid grid = GridOf(min, max);
    std::vector<float> values(shape.elements());
    for (size_t j = 0; j < values.size(); ++j) {
      values[j] = static_cast<float>(codes[j] - grid.zero) * grid.step;
    }
    if (!Store(call, &given[0], shape, values.data(), values.size() * sizeof(float)) ||
        !Store(call, &given[1], Shape(), &min, sizeof min) ||
        !Store(call, &given[2], Shape(), &max, sizeof max)) {
      return false;
    }
  }
  return true;
}

}  // namespace nnlib_sim
