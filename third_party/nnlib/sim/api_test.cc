// The simulator through its C interface alone, as any program of nnlib's would use it.
#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "third_party/nnlib/include/hexagon_nn.h"
#include "third_party/nnlib/include/hexnn_dsp_controller.h"

namespace {

unsigned Operation(const char* name) {
  unsigned number = ~0u;
  EXPECT_EQ(hexagon_nn_op_name_to_id(name, &number), 0) << name;
  return number;
}

std::string Log(hexagon_nn_nn_id id) {
  unsigned char text[4096];
  EXPECT_EQ(hexagon_nn_getlog(id, text, sizeof text), 0);
  return reinterpret_cast<const char*>(text);
}

// INPUT → QuantizedRelu_8 with the range [-100, 155] → OUTPUT: codes below 100 become 100.
class Relu : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(hexagon_nn_config(), 0);
    ASSERT_EQ(hexagon_nn_init(&id_), 0);
    const hexagon_nn_output codes = {4, {1, 1, 2, 3}, 1, 0, 0}, real = {1, {1}, 4, 0, 0};
    ASSERT_EQ(hexagon_nn_append_node(id_, 1, Operation("INPUT"), NN_PAD_NA, nullptr, 0, &codes, 1),
              0);
    for (const auto& [node, value] : {std::pair<unsigned, float>{2, -100.0f}, {3, 155.0f}}) {
      unsigned char bytes[4];
      std::memcpy(bytes, &value, 4);
      ASSERT_EQ(hexagon_nn_append_const_node(id_, node, 1, 1, 1, 1, bytes, 4), 0);
    }
    const hexagon_nn_input operands[] = {{1, 0}, {2, 0}, {3, 0}}, result = {4, 0};
    const hexagon_nn_output outputs[] = {codes, real, real};
    ASSERT_EQ(hexagon_nn_append_node(id_, 4, Operation("QuantizedRelu_8"), NN_PAD_NA, operands, 3,
                                     outputs, 3),
              0);
    ASSERT_EQ(
        hexagon_nn_append_node(id_, 5, Operation("OUTPUT"), NN_PAD_NA, &result, 1, nullptr, 0), 0);
    ASSERT_EQ(hexagon_nn_prepare(id_), 0) << Log(id_);
  }
  void TearDown() override {
    EXPECT_EQ(hexagon_nn_teardown(id_), 0);
    EXPECT_NE(hexagon_nn_teardown(id_), 0) << "it is gone";
  }

  hexagon_nn_nn_id id_ = 0;
  const std::vector<unsigned char> x_ = {0, 99, 100, 101, 200, 255},
                                   y_ = {100, 100, 100, 101, 200, 255};
};

TEST_F(Relu, Executes) {
  std::vector<unsigned char> out(6);
  unsigned b, h, w, d, bytes;
  ASSERT_EQ(
      hexagon_nn_execute(id_, 1, 1, 2, 3, x_.data(), 6, &b, &h, &w, &d, out.data(), 6, &bytes), 0)
      << Log(id_);
  EXPECT_EQ(std::vector<unsigned>({b, h, w, d, bytes}), std::vector<unsigned>({1, 1, 2, 3, 6}));
  EXPECT_EQ(out, y_);
  // An output that does not fit, and no place for its shape.
  EXPECT_NE(
      hexagon_nn_execute(id_, 1, 1, 2, 3, x_.data(), 6, &b, &h, &w, &d, out.data(), 5, &bytes), 0);
  EXPECT_NE(Log(id_), "");
  EXPECT_NE(
      hexagon_nn_execute(id_, 1, 1, 2, 3, x_.data(), 6, nullptr, &h, &w, &d, out.data(), 6, &bytes),
      0);
}

TEST_F(Relu, CountsAndPrints) {
  ASSERT_EQ(hexagon_nn_reset_perfinfo(id_, NN_GRAPH_PERFEVENT_UTIME), 0);
  std::vector<unsigned char> out(6);
  unsigned b, h, w, d, bytes;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(
        hexagon_nn_execute(id_, 1, 1, 2, 3, x_.data(), 6, &b, &h, &w, &d, out.data(), 6, &bytes),
        0);
  }
  hexagon_nn_perfinfo infos[16];
  unsigned count = 0;
  ASSERT_EQ(hexagon_nn_get_perfinfo(id_, infos, 16, &count), 0);
  bool found = false;
  for (unsigned i = 0; i < count; ++i) {
    if (infos[i].node_id != 4) continue;
    found = true;
    EXPECT_EQ(infos[i].executions, 3u);
    EXPECT_EQ(infos[i].node_type, Operation("QuantizedRelu_8"));
  }
  EXPECT_TRUE(found);
  EXPECT_NE(hexagon_nn_get_perfinfo(id_, infos, 1, &count), 0) << "not enough room";
  unsigned low = 0, high = 0;
  EXPECT_EQ(hexagon_nn_last_execution_cycles(id_, &low, &high), 0);
  EXPECT_GT(low + high, 0u);
  unsigned char text[4096];
  ASSERT_EQ(hexagon_nn_snpprint(id_, text, sizeof text), 0);
  EXPECT_NE(std::string(reinterpret_cast<char*>(text)).find("QuantizedRelu_8"), std::string::npos);
  unsigned operation = 0;
  ASSERT_EQ(hexagon_nn_get_nodetype(id_, 4, &operation), 0);
  EXPECT_EQ(operation, Operation("QuantizedRelu_8"));
  EXPECT_NE(hexagon_nn_get_nodetype(id_, 99, &operation), 0);
  EXPECT_EQ(hexagon_nn_set_debug_level(id_, 2), 0);
}

TEST(Nnlib, NamesAndNumbersOfOperators) {
  for (unsigned number = 0;; ++number) {
    char name[64];
    if (hexagon_nn_op_id_to_name(number, name, sizeof name) != 0) {
      EXPECT_GT(number, 30u);
      break;
    }
    EXPECT_EQ(Operation(name), number);
  }
  unsigned number;
  EXPECT_NE(hexagon_nn_op_name_to_id("Unheard", &number), 0);
}

TEST(Nnlib, WhatDoesNotConcernGraphs) {
  int version = 0;
  EXPECT_EQ(hexagon_nn_version(&version), 0);
  EXPECT_EQ(version >> 16, 2);
  EXPECT_NE(hexagon_nn_version(nullptr), 0);
  EXPECT_EQ(hexnn_controller_request_unsigned_pd(), 0);
  EXPECT_EQ(hexagon_nn_set_powersave_level(0), 0);
  EXPECT_EQ(hexagon_nn_set_powersave_details(NN_CORNER_TURBO, NN_DCVS_ENABLE, 100), 0);
  EXPECT_EQ(hexagon_nn_set_clocks(NN_CORNER_SVS2, NN_DCVS_DISABLE, 1), 0);
  EXPECT_NE(hexagon_nn_set_clocks(static_cast<hexagon_nn_corner_type>(7), NN_DCVS_DISABLE, 1), 0);
  EXPECT_EQ(hexagon_nn_disable_dcvs(), 0);
  EXPECT_EQ(hexagon_nn_remove_clocks(), 0);
}

TEST(Nnlib, GraphsThatAreNotThere) {
  unsigned char text[16];
  unsigned low, high;
  EXPECT_NE(hexagon_nn_init(nullptr), 0);
  EXPECT_NE(hexagon_nn_prepare(12345), 0);
  EXPECT_NE(hexagon_nn_getlog(12345, text, sizeof text), 0);
  EXPECT_NE(hexagon_nn_last_execution_cycles(12345, &low, &high), 0);
  EXPECT_NE(hexagon_nn_execute_new(12345, nullptr, 0, nullptr, 0), 0);
}

TEST(Nnlib, ListsAreLimited) {
  hexagon_nn_nn_id id;
  ASSERT_EQ(hexagon_nn_init(&id), 0);
  std::vector<hexagon_nn_const_node> consts(251);
  for (unsigned i = 0; i < consts.size(); ++i) {
    consts[i] = {};
    consts[i].node_id = i + 1;
    consts[i].tensor.batches = consts[i].tensor.height = consts[i].tensor.width =
        consts[i].tensor.depth = 1;
  }
  EXPECT_NE(hexagon_nn_append_const_node_list(id, consts.data(), 251), 0);
  EXPECT_EQ(hexagon_nn_append_const_node_list(id, consts.data(), 250), 0) << Log(id);
  EXPECT_NE(hexagon_nn_append_const_node_list(id, consts.data(), 1), 0) << "the number is taken";
  std::vector<hexagon_nn_op_node> nodes(126);
  for (unsigned i = 0; i < nodes.size(); ++i) {
    nodes[i] = {};
    nodes[i].node_id = 1000 + i;
    nodes[i].operation = Operation("Nop");
  }
  EXPECT_NE(hexagon_nn_append_node_list(id, nodes.data(), 126), 0);
  EXPECT_EQ(hexagon_nn_append_node_list(id, nodes.data(), 125), 0) << Log(id);
  EXPECT_EQ(hexagon_nn_teardown(id), 0);
}

}  // namespace
