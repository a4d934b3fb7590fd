// A graph of nodes as nnlib keeps it.
#ifndef THIRD_PARTY_NNLIB_SIM_GRAPH_H_
#define THIRD_PARTY_NNLIB_SIM_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "third_party/nnlib/include/hexagon_nn.h"

namespace nnlib_sim {

struct Shape {
  // Batches, height, width, depth.
  uint32_t d[4] = {1, 1, 1, 1};
  uint64_t elements() const { return uint64_t{d[0]} * d[1] * d[2] * d[3]; }
  bool operator==(const Shape& o) const {
    return d[0] == o.d[0] && d[1] == o.d[1] && d[2] == o.d[2] && d[3] == o.d[3];
  }
};

struct Tensor {
  Shape shape;
  std::vector<uint8_t> data;
  // Bytes in use; data.size() is the room.
  size_t bytes = 0;
};

class Graph;
struct Node;

// What an operator sees of its node while it runs.
class Call {
 public:
  Call(Graph* graph, Node* node) : graph_(graph), node_(node) {}

  size_t input_count() const;
  size_t output_count() const;
  const Tensor& in(size_t i) const;
  Tensor& out(size_t i) const;
  unsigned padding() const;
  Graph& graph() const { return *graph_; }

  // Element 0 of an input; false (and logged) where the tensor is too small.
  bool Float(size_t input, float* value) const;
  bool Int(size_t input, int32_t* value) const;
  // All elements.
  bool Ints(size_t input, std::vector<int32_t>* values) const;
  bool Floats(size_t input, std::vector<float>* values) const;
  // Ends of a range, from two inputs; both finite.
  bool Ends(size_t min_input, size_t max_input, float* min, float* max) const;
  // The same with zero in it.
  bool Range(size_t min_input, size_t max_input, float* min, float* max) const;
  // The bytes of codes that input's shape says.
  bool Codes(size_t input, const uint8_t** data) const;

  // Gives output `i` its shape; logs and fails where it was not declared large enough.
  bool Shaped(size_t i, const Shape& shape, size_t element_size, uint8_t** data) const;
  // Whether so many steps for each element of a shape would end; logs where not.
  bool Affordable(const Shape& shape, uint64_t steps_each) const;
  bool SetFloat(size_t i, float value) const;
  bool SetRange(float min, float max) const { return SetFloat(1, min) && SetFloat(2, max); }

  // Logs; always false.
  bool Fail(const char* format, ...) const __attribute__((format(printf, 2, 3)));

 private:
  Graph* graph_;
  Node* node_;
};

struct Operator {
  const char* name;
  // Numbers of inputs and outputs.
  int min_inputs, max_inputs, min_outputs, max_outputs;
  bool (*run)(const Call& call);
};

// Every operator of the library; the number of an operator is its place.
extern const Operator kOperators[];
extern const size_t kOperatorCount;
constexpr unsigned kConst = 0;

struct Node {
  unsigned id = 0;
  unsigned operation = kConst;
  unsigned padding = 0;
  std::vector<hexagon_nn_input> inputs;
  std::vector<hexagon_nn_output> outputs;
  // After prepare.
  std::vector<const Tensor*> sources;
  std::vector<Tensor> results;
  unsigned executions = 0;
  uint64_t counter = 0;
};

class Graph {
 public:
  bool AppendConst(unsigned id, const hexagon_nn_tensordef& tensor);
  bool Append(const hexagon_nn_op_node& node);
  bool Prepare();
  bool Execute(const hexagon_nn_tensordef* inputs, size_t input_count,
               hexagon_nn_tensordef* outputs, size_t output_count);
  bool Fail(const char* format, ...) __attribute__((format(printf, 2, 3)));
  std::string Print() const;

  // Of the execution that is under way.
  const hexagon_nn_tensordef* net_inputs = nullptr;
  size_t net_input_count = 0;
  hexagon_nn_tensordef* net_outputs = nullptr;
  size_t net_output_count = 0;

  std::string log;
  uint64_t last_nanos = 0;
  unsigned event = NN_GRAPH_PERFEVENT_CYCLES;
  // In the order they were appended, which is the order they run in.
  std::vector<std::unique_ptr<Node>> nodes;

  Node* Find(unsigned id) const;

 private:
  bool Reserve(uint64_t bytes);

  std::unordered_map<unsigned, Node*> by_id_;
  uint64_t reserved_ = 0;
  bool prepared_ = false;
};

}  // namespace nnlib_sim

#endif  // THIRD_PARTY_NNLIB_SIM_GRAPH_H_
