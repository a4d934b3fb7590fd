#include "third_party/nnlib/sim/graph.h"

#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace nnlib_sim {

namespace {

// A DSP has no more; a graph that asks for more is refused before anything is allocated.
constexpr uint64_t kMemory = uint64_t{1} << 29;
// More than any network has in one node.
constexpr double kMostSteps = 0x1p40;
constexpr size_t kLogBytes = 1 << 16;

std::string Format(const char* format, va_list arguments) {
  char text[512];
  std::vsnprintf(text, sizeof text, format, arguments);
  return text;
}

bool Product(const unsigned* factors, size_t count, uint64_t* product) {
  *product = 1;
  for (size_t i = 0; i < count; ++i) {
    if (factors[i] != 0 && *product > kMemory / factors[i]) return false;
    *product *= factors[i];
  }
  return true;
}

}  // namespace

bool Graph::Fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string text = Format(format, arguments);
  va_end(arguments);
  if (log.size() + text.size() + 1 < kLogBytes) log += text + "\n";
  return false;
}

Node* Graph::Find(unsigned id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

bool Graph::Reserve(uint64_t bytes) {
  if (bytes > kMemory || reserved_ > kMemory - bytes) return Fail("out of memory");
  reserved_ += bytes;
  return true;
}

bool Graph::AppendConst(unsigned id, const hexagon_nn_tensordef& tensor) {
  if (prepared_) return Fail("const node %x: the graph is prepared", id);
  if (Find(id) != nullptr) return Fail("const node %x: the id is taken", id);
  const unsigned dims[4] = {tensor.batches, tensor.height, tensor.width, tensor.depth};
  uint64_t elements;
  if (!Product(dims, 4, &elements)) return Fail("const node %x: the shape is too large", id);
  if (tensor.dataLen < 0 || (tensor.dataLen > 0 && tensor.data == nullptr)) {
    return Fail("const node %x: bad data", id);
  }
  const size_t bytes = static_cast<size_t>(tensor.dataLen);
  if (!Reserve(bytes)) return false;
  auto node = std::make_unique<Node>();
  node->id = id;
  node->results.resize(1);
  Tensor& value = node->results[0];
  for (int i = 0; i < 4; ++i) value.shape.d[i] = dims[i];
  if (bytes > 0) value.data.assign(tensor.data, tensor.data + bytes);
  value.bytes = bytes;
  by_id_[id] = node.get();
  nodes.push_back(std::move(node));
  return true;
}

bool Graph::Append(const hexagon_nn_op_node& given) {
  const unsigned id = given.node_id;
  if (prepared_) return Fail("node %x: the graph is prepared", id);
  if (Find(id) != nullptr) return Fail("node %x: the id is taken", id);
  if (given.operation == kConst || given.operation >= kOperatorCount) {
    return Fail("node %x: there is no operator %u", id, given.operation);
  }
  const Operator& op = kOperators[given.operation];
  if (given.inputsLen < op.min_inputs || given.inputsLen > op.max_inputs ||
      (given.inputsLen > 0 && given.inputs == nullptr)) {
    return Fail("node %x: %s cannot have %d inputs", id, op.name, given.inputsLen);
  }
  if (given.outputsLen < op.min_outputs || given.outputsLen > op.max_outputs ||
      (given.outputsLen > 0 && given.outputs == nullptr)) {
    return Fail("node %x: %s cannot have %d outputs", id, op.name, given.outputsLen);
  }
  if (given.padding < NN_PAD_NA || given.padding > NN_PAD_SAME_CAFFE) {
    return Fail("node %x: there is no padding %d", id, static_cast<int>(given.padding));
  }
  auto node = std::make_unique<Node>();
  node->id = id;
  node->operation = given.operation;
  node->padding = given.padding;
  node->inputs.assign(given.inputs, given.inputs + given.inputsLen);
  node->outputs.assign(given.outputs, given.outputs + given.outputsLen);
  for (const hexagon_nn_output& output : node->outputs) {
    if (output.rank > 8) return Fail("node %x: an output has rank %u", id, output.rank);
  }
  by_id_[id] = node.get();
  nodes.push_back(std::move(node));
  return true;
}

bool Graph::Prepare() {
  if (prepared_) return Fail("the graph is prepared");
  std::unordered_map<unsigned, bool> done;
  for (const auto& node : nodes) {
    const char* name = kOperators[node->operation].name;
    for (const hexagon_nn_input& input : node->inputs) {
      const Node* source = Find(input.src_id);
      if (source == nullptr) {
        return Fail("node %x (%s): input node %x does not exist", node->id, name, input.src_id);
      }
      if (source->operation != kConst && !done[input.src_id]) {
        return Fail("node %x (%s): input node %x comes later", node->id, name, input.src_id);
      }
      if (input.output_idx >= source->results.size()) {
        return Fail("node %x (%s): input node %x has no output %u", node->id, name, input.src_id,
                    input.output_idx);
      }
      node->sources.push_back(&source->results[input.output_idx]);
    }
    if (node->operation == kConst) continue;
    for (const hexagon_nn_output& output : node->outputs) {
      uint64_t elements;
      if (!Product(output.max_sizes, output.rank, &elements) || output.elementsize > 16) {
        return Fail("node %x (%s): an output is too large", node->id, name);
      }
      const uint64_t bytes = elements * output.elementsize;
      if (!Reserve(bytes)) return Fail("node %x (%s): no memory for outputs", node->id, name);
      node->results.emplace_back();
      node->results.back().data.resize(static_cast<size_t>(bytes));
    }
    done[node->id] = true;
  }
  prepared_ = true;
  return true;
}

bool Graph::Execute(const hexagon_nn_tensordef* inputs, size_t input_count,
                    hexagon_nn_tensordef* outputs, size_t output_count) {
  if (!prepared_) return Fail("the graph is not prepared");
  net_inputs = inputs;
  net_input_count = input_count;
  net_outputs = outputs;
  net_output_count = output_count;
  using Clock = std::chrono::steady_clock;
  const auto nanos = [](Clock::duration d) {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(d).count());
  };
  const Clock::time_point start = Clock::now();
  for (const auto& node : nodes) {
    if (node->operation == kConst) continue;
    const Operator& op = kOperators[node->operation];
    const Clock::time_point before = Clock::now();
    if (!op.run(Call(this, node.get()))) {
      return Fail("node %x (%s) failed", node->id, op.name);
    }
    ++node->executions;
    node->counter += nanos(Clock::now() - before) / (event == NN_GRAPH_PERFEVENT_UTIME ? 1000 : 1);
  }
  last_nanos = nanos(Clock::now() - start);
  return true;
}

std::string Graph::Print() const {
  std::string text;
  for (const auto& node : nodes) {
    char line[128];
    std::snprintf(line, sizeof line, "%x %s %zu inputs %zu outputs\n", node->id,
                  kOperators[node->operation].name, node->inputs.size(), node->outputs.size());
    text += line;
  }
  return text;
}

size_t Call::input_count() const { return node_->sources.size(); }
size_t Call::output_count() const { return node_->results.size(); }
const Tensor& Call::in(size_t i) const { return *node_->sources[i]; }
Tensor& Call::out(size_t i) const { return node_->results[i]; }
unsigned Call::padding() const { return node_->padding; }

bool Call::Fail(const char* format, ...) const {
  va_list arguments;
  va_start(arguments, format);
  const std::string text = Format(format, arguments);
  va_end(arguments);
  return graph_->Fail("node %x: %s", node_->id, text.c_str());
}

bool Call::Float(size_t input, float* value) const {
  if (in(input).bytes < sizeof(float)) return Fail("input %zu is no float", input);
  std::memcpy(value, in(input).data.data(), sizeof(float));
  return true;
}

bool Call::Int(size_t input, int32_t* value) const {
  if (in(input).bytes < sizeof(int32_t)) return Fail("input %zu is no int32", input);
  std::memcpy(value, in(input).data.data(), sizeof(int32_t));
  return true;
}

bool Call::Ints(size_t input, std::vector<int32_t>* values) const {
  const Tensor& tensor = in(input);
  values->resize(tensor.bytes / sizeof(int32_t));
  if (values->size() != tensor.shape.elements()) {
    return Fail("input %zu has not as many int32 as its shape says", input);
  }
  if (!values->empty()) {
    std::memcpy(values->data(), tensor.data.data(), values->size() * sizeof(int32_t));
  }
  return true;
}

bool Call::Floats(size_t input, std::vector<float>* values) const {
  const Tensor& tensor = in(input);
  values->resize(tensor.bytes / sizeof(float));
  if (values->size() != tensor.shape.elements()) {
    return Fail("input %zu has not as many floats as its shape says", input);
  }
  if (!values->empty()) {
    std::memcpy(values->data(), tensor.data.data(), values->size() * sizeof(float));
  }
  return true;
}

bool Call::Ends(size_t min_input, size_t max_input, float* min, float* max) const {
  if (!Float(min_input, min) || !Float(max_input, max)) return false;
  if (!std::isfinite(*min) || !std::isfinite(*max) || !(*max - *min > 0.0f) ||
      !std::isfinite(*max - *min)) {
    return Fail("inputs %zu and %zu are no range: %g .. %g", min_input, max_input,
                static_cast<double>(*min), static_cast<double>(*max));
  }
  return true;
}

bool Call::Range(size_t min_input, size_t max_input, float* min, float* max) const {
  if (!Ends(min_input, max_input, min, max)) return false;
  if (!(*min <= 0.0f) || !(*max >= 0.0f)) {
    return Fail("inputs %zu and %zu are a range without zero: %g .. %g", min_input, max_input,
                static_cast<double>(*min), static_cast<double>(*max));
  }
  return true;
}

bool Call::Codes(size_t input, const uint8_t** data) const {
  const Tensor& tensor = in(input);
  if (tensor.bytes != tensor.shape.elements()) {
    return Fail("input %zu has not as many codes as its shape says", input);
  }
  if (tensor.bytes == 0) return Fail("input %zu is empty", input);
  *data = tensor.data.data();
  return true;
}

bool Call::Shaped(size_t i, const Shape& shape, size_t element_size, uint8_t** data) const {
  Tensor& tensor = out(i);
  uint64_t elements;
  if (!Product(shape.d, 4, &elements)) return Fail("output %zu is too large", i);
  if (elements * element_size > tensor.data.size()) {
    return Fail("output %zu is too small: %ux%ux%ux%u does not fit %zu bytes", i, shape.d[0],
                shape.d[1], shape.d[2], shape.d[3], tensor.data.size());
  }
  tensor.shape = shape;
  tensor.bytes = static_cast<size_t>(elements) * element_size;
  *data = tensor.data.data();
  return true;
}

bool Call::Affordable(const Shape& shape, uint64_t steps_each) const {
  const double steps = static_cast<double>(shape.elements()) * static_cast<double>(steps_each);
  return steps <= kMostSteps || Fail("%g steps are too many", steps);
}

bool Call::SetFloat(size_t i, float value) const {
  uint8_t* data;
  if (!Shaped(i, Shape(), sizeof(float), &data)) return false;
  std::memcpy(data, &value, sizeof value);
  return true;
}

}  // namespace nnlib_sim
