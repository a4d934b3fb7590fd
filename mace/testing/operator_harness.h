// Runs operators as nodes of models, for tests that compare them with definitions by index.
#ifndef MACE_TESTING_OPERATOR_HARNESS_H_
#define MACE_TESTING_OPERATOR_HARNESS_H_

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "mace/runtime/session.h"
#include "mace/testing/model_builder.h"
#include "mace/testing/tiers.h"

namespace mace {
namespace testing {

using Index = std::vector<int64_t>;

inline TensorSpec F32(const std::string& name, const Shape& shape) {
  return {name, shape, ElementType::kFloat32, 0, 0, {}, 0};
}

inline TensorSpec I32(const std::string& name, const Shape& shape) {
  return {name, shape, ElementType::kInt32, 0, 0, {}, 0};
}

// Equal bits; two NaN are the same.
inline bool SameBits(const std::vector<std::vector<float>>& a,
                     const std::vector<std::vector<float>>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].size() != b[i].size()) return false;
    for (size_t j = 0; j < a[i].size(); ++j) {
      const bool nan = a[i][j] != a[i][j] && b[i][j] != b[i][j];
      if (!nan && std::memcmp(&a[i][j], &b[i][j], sizeof(float)) != 0) return false;
    }
  }
  return true;
}

// Runs a model that must be refused when it is loaded; the number of the message.
inline int RefusalOf(const ModelBuilder& m) {
  const std::string pb = m.Model();
  runtime::Model model;
  Status status =
      runtime::ReadModel(pb.data(), pb.size(), m.data().data(), m.data().size(), &model);
  std::unique_ptr<runtime::Session> session;
  if (status.ok())
    status = runtime::Session::Create(std::move(model), runtime::SessionOptions(), &session);
  return status.code();
}

// The same of one node with float inputs of these shapes.
inline int RefusalOf(const std::string& type, const std::vector<Shape>& in,
                     const std::vector<Shape>& out, const std::vector<Arg>& args) {
  ModelBuilder m;
  std::vector<std::string> names;
  std::vector<TensorSpec> outputs;
  for (size_t i = 0; i < in.size(); ++i) {
    names.push_back("x" + std::to_string(i));
    m.Input(names.back(), in[i]);
  }
  for (size_t i = 0; i < out.size(); ++i) outputs.push_back(F32("y" + std::to_string(i), out[i]));
  m.Node(type, names, outputs, args);
  m.Output("y0", out[0]);
  return RefusalOf(m);
}

// Threads for sessions that run one after the other: emulators take milliseconds to start one.
inline std::shared_ptr<runtime::ThreadPool> PoolOf(int threads) {
  static std::map<int, std::shared_ptr<runtime::ThreadPool>> pools;
  std::shared_ptr<runtime::ThreadPool>& pool = pools[threads];
  if (pool == nullptr) pool = std::make_shared<runtime::ThreadPool>(threads);
  return pool;
}

// The outputs of a model on every tier with one and three threads, which must all be the same bits.
// int32 inputs and outputs are given and returned as floats.
inline std::vector<std::vector<float>> RunModel(const ModelBuilder& m,
                                                const std::vector<std::vector<float>>& inputs) {
  std::vector<std::vector<float>> first;
  const std::string pb = m.Model();
  for (Tier tier : RunnableTiers()) {
    for (int threads : {1, 3}) {
      runtime::Model model;
      Status status =
          runtime::ReadModel(pb.data(), pb.size(), m.data().data(), m.data().size(), &model);
      runtime::SessionOptions options;
      options.pool = PoolOf(threads);
      options.tier = &tier;
      std::unique_ptr<runtime::Session> session;
      if (status.ok()) status = runtime::Session::Create(std::move(model), options, &session);
      EXPECT_TRUE(status.ok()) << status.Render();
      if (!status.ok()) return first;
      std::vector<const void*> pointers;
      std::vector<std::vector<int32_t>> whole(inputs.size());
      const auto type_of = [&](const runtime::Port& port) {
        return session->model().tensors[static_cast<size_t>(port.tensor)].type;
      };
      for (size_t i = 0; i < inputs.size(); ++i) {
        if (type_of(session->model().inputs[i]) == ElementType::kInt32) {
          whole[i].assign(inputs[i].begin(), inputs[i].end());
          pointers.push_back(whole[i].data());
        } else {
          pointers.push_back(inputs[i].data());
        }
      }
      std::vector<std::vector<float>> outputs;
      for (int round = 0; round < 2; ++round) {  // the second run finds the arena used
        session->Run(pointers.data());
        outputs.clear();
        for (size_t i = 0; i < session->model().outputs.size(); ++i) {
          const runtime::Port& port = session->model().outputs[i];
          const int64_t n = session->model().tensors[static_cast<size_t>(port.tensor)].elements;
          if (type_of(port) == ElementType::kInt32) {
            const int32_t* from = session->output<int32_t>(i);
            outputs.emplace_back(from, from + n);
          } else {
            outputs.emplace_back(session->output(i), session->output(i) + n);
          }
        }
      }
      if (first.empty()) {
        first = outputs;
      } else if (kExactFloat) {
        EXPECT_TRUE(SameBits(outputs, first)) << NameOf(tier) << " " << threads << " threads";
      }
    }
  }
  return first;
}

inline int64_t Flat(const Shape& shape, const Index& index) {
  int64_t at = 0;
  for (size_t i = 0; i < shape.size(); ++i) at = at * shape[i] + index[i];
  return at;
}

inline void ForEach(const Shape& shape, const std::function<void(const Index&)>& body) {
  Index index(shape.size(), 0);
  for (int64_t n = ElementCount(shape); n > 0; --n) {
    body(index);
    for (size_t i = shape.size(); i-- > 0;) {
      if (++index[i] < shape[i]) break;
      index[i] = 0;
    }
  }
}

// Numbers 0, 1, 2 …, which all codes of a scale of 1 represent up to 255.
inline std::vector<float> Iota(const Shape& shape) {
  std::vector<float> v(static_cast<size_t>(ElementCount(shape)));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i % 251);
  return v;
}

// Runs an operator that copies elements in float, uint8 and int8, with `source` giving each
// output's input index (or nothing, for `fill`).
inline void CheckMovement(const std::string& type, const Shape& in, const Shape& out,
                          const std::vector<Arg>& args,
                          const std::function<bool(const Index&, Index*)>& source,
                          float fill = 0.0f) {
  const std::vector<float> x = Iota(in);
  std::vector<float> wanted;
  ForEach(out, [&](const Index& index) {
    Index from(in.size(), 0);
    wanted.push_back(source(index, &from) ? x[static_cast<size_t>(Flat(in, from))] : fill);
  });
  for (ElementType element : {ElementType::kFloat32, ElementType::kUint8, ElementType::kInt8}) {
    SCOPED_TRACE(type + " " + ToString(in) + " -> " + ToString(out) + " " + NameOf(element));
    ModelBuilder m;
    m.Input("x", in);
    if (element == ElementType::kFloat32) {
      m.Node(type, {"x"}, {F32("y", out)}, args);
    } else {
      const int32_t zero = QMin(element);
      m.Node("Quantize", {"x"}, {{"q", in, element, 1.0f, zero, {}, 0}});
      m.Node(type, {"q"}, {{"r", out, element, 1.0f, zero, {}, 0}}, args);
      m.Node("Dequantize", {"r"}, {F32("y", out)});
    }
    m.Output("y", out);
    const auto outputs = RunModel(m, {x});
    ASSERT_EQ(outputs.size(), 1u);
    EXPECT_EQ(outputs[0], wanted);
  }
}

}  // namespace testing
}  // namespace mace

#endif  // MACE_TESTING_OPERATOR_HARNESS_H_
