// The two detection operators: cases by hand, and against slow definitions on random boxes.
#include <algorithm>
#include <cmath>

#include "gtest/gtest.h"
#include "mace/testing/operator_harness.h"
#include "mace/testing/random.h"

namespace mace {
namespace runtime {
namespace {

using namespace mace::testing;  // NOLINT: the harness is the language of this file

using Rows = std::vector<std::vector<float>>;

struct PostProcess {
  int64_t anchors = 0, classes = 1, columns = 2, most = 3, per_box = 1, per_class = 100;
  bool regular = false;
  float score = 0.3f, overlap = 0.5f;
  std::vector<float> scale = {1, 1, 1, 1};

  std::vector<Arg> args() const {
    return {{"max_detections", most},
            {"max_classes_per_detection", per_box},
            {"detections_per_class", per_class},
            {"num_classes", classes},
            {"use_regular_nms", regular ? 1 : 0},
            {"nms_score_threshold", score},
            {"nms_iou_threshold", overlap},
            {"scale", scale}};
  }
  Rows Run(const std::vector<float>& boxes, const std::vector<float>& scores,
           const std::vector<float>& given) const {
    const int64_t rows = most * per_box;
    ModelBuilder m;
    m.Input("boxes", {1, anchors, 4});
    m.Input("scores", {1, anchors, columns});
    m.Constant(F32("anchors", {anchors, 4}), given);
    m.Node("DetectionPostProcess", {"boxes", "scores", "anchors"},
           {F32("b", {1, rows, 4}), F32("c", {1, rows}), F32("s", {1, rows}), F32("n", {1})},
           args());
    m.Output("b", {1, rows, 4});
    m.Output("c", {1, rows});
    m.Output("s", {1, rows});
    m.Output("n", {1});
    return RunModel(m, {boxes, scores});
  }
};

// Four anchors of 2 by 2: the second is half beside the first, the third is far, the fourth is the
// third again.
const std::vector<float> kAnchors = {1, 1, 2, 2, 1, 1.5f, 2, 2, 9, 9, 2, 2, 9, 9, 2, 2};

TEST(DetectionPostProcess, Fast) {
  PostProcess p;
  p.anchors = 4;
  p.classes = 2;
  p.columns = 3;
  p.per_box = 2;
  const std::vector<float> codes(16, 0.0f);
  // Background, two classes.
  const std::vector<float> scores = {0.0f, 0.4f, 0.7f, 0.9f, 0.8f, 0.1f,
                                     0.1f, 0.2f, 0.6f, 0.9f, 0.1f, 0.2f};
  const Rows got = p.Run(codes, scores, kAnchors);
  ASSERT_EQ(got.size(), 4u);
  // Box 1 (0.8) removes box 0 (overlap 3 / 5); box 2 stays; box 3 is below the threshold.
  EXPECT_EQ(got[3], std::vector<float>{2});
  EXPECT_EQ(got[1], (std::vector<float>{0, 1, 1, 0, 0, 0}));
  EXPECT_EQ(got[2], (std::vector<float>{0.8f, 0.1f, 0.6f, 0.2f, 0, 0}));
  EXPECT_EQ(std::vector<float>(got[0].begin(), got[0].begin() + 16),
            (std::vector<float>{0, 0.5f, 2, 2.5f, 0, 0.5f, 2, 2.5f, 8, 8, 10, 10, 8, 8, 10, 10}));
}

TEST(DetectionPostProcess, Regular) {
  PostProcess p;
  p.anchors = 4;
  p.classes = 2;
  p.columns = 2;
  p.regular = true;
  const std::vector<float> codes(16, 0.0f);
  const std::vector<float> scores = {0.5f, 0.4f, 0.4f, 0.6f, 0.4f, 0.5f, 0.9f, 0.5f};
  const Rows got = p.Run(codes, scores, kAnchors);
  ASSERT_EQ(got.size(), 4u);
  // Class 0: boxes 3 (0.9) and 0 (0.5); class 1: boxes 1 (0.6) and 2 (0.5, before its equal 3).
  EXPECT_EQ(got[3], std::vector<float>{3});
  EXPECT_EQ(got[1], (std::vector<float>{0, 1, 0}));
  EXPECT_EQ(got[2], (std::vector<float>{0.9f, 0.6f, 0.5f}));
}

TEST(DetectionPostProcess, DecodesWithScales) {
  PostProcess p;
  p.anchors = 1;
  p.most = 1;
  p.scale = {10, 5, 2, 4};
  const Rows got = p.Run({10, -5, 2 * std::log(2.0f), 4 * std::log(3.0f)}, {0, 1}, {4, 6, 2, 3});
  ASSERT_EQ(got.size(), 4u);
  // Centre 4 + 1 * 2, 6 - 1 * 3; height 4, width 9.
  const float wanted[] = {4, -1.5f, 8, 7.5f};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(got[0][i], wanted[i], 1e-5);
}

double Overlap(const std::vector<float>& a, const std::vector<float>& b) {
  const auto side = [](float least, float greatest) {
    return std::max(0.0, static_cast<double>(greatest) - static_cast<double>(least));
  };
  const double shared = side(std::max(a[0], b[0]), std::min(a[2], b[2])) *
                        side(std::max(a[1], b[1]), std::min(a[3], b[3]));
  const double both = side(a[0], a[2]) * side(a[1], a[3]) + side(b[0], b[2]) * side(b[1], b[3]);
  return shared > 0 ? shared / (both - shared) : 0.0;
}

// Indices kept, by score.
std::vector<size_t> Suppress(const Rows& boxes, const std::vector<float>& scores, float least,
                             bool exclusive, float limit, size_t candidates) {
  std::vector<size_t> order;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (exclusive ? scores[i] > least : scores[i] >= least) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  if (order.size() > candidates) order.resize(candidates);
  std::vector<size_t> kept;
  for (size_t i : order) {
    bool keep = true;
    for (size_t k : kept) keep = keep && Overlap(boxes[k], boxes[i]) <= static_cast<double>(limit);
    if (keep) kept.push_back(i);
  }
  return kept;
}

TEST(DetectionPostProcess, RandomBoxes) {
  Random random;
  for (int round = 0; round < 10; ++round) {
    PostProcess p;
    p.anchors = 50;
    p.classes = 3;
    p.columns = 4;
    p.most = random.Int(1, 40);
    p.per_class = random.Int(1, 20);
    p.regular = true;
    std::vector<float> anchors, scores;
    Rows boxes;
    for (int64_t i = 0; i < p.anchors; ++i) {
      const float y = random.Float(0, 9), x = random.Float(0, 9), h = random.Float(1, 4),
                  w = random.Float(1, 4);
      anchors.insert(anchors.end(), {y, x, h, w});
      boxes.push_back({y - h / 2, x - w / 2, y + h / 2, x + w / 2});
      for (int k = 0; k < 4; ++k) scores.push_back(static_cast<float>(random.Int(0, 20)) / 20.0f);
    }
    const Rows got = p.Run(std::vector<float>(200, 0.0f), scores, anchors);
    ASSERT_EQ(got.size(), 4u);
    struct Found {
      float score;
      size_t label, box;
    };
    std::vector<Found> found;
    for (size_t label = 0; label < 3; ++label) {
      std::vector<float> column;
      for (size_t i = 0; i < 50; ++i) column.push_back(scores[4 * i + 1 + label]);
      std::vector<size_t> kept = Suppress(boxes, column, p.score, false, p.overlap, 50);
      if (kept.size() > static_cast<size_t>(p.per_class))
        kept.resize(static_cast<size_t>(p.per_class));
      for (size_t i : kept) found.push_back({column[i], label, i});
    }
    std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
      return a.score != b.score   ? a.score > b.score
             : a.label != b.label ? a.label < b.label
                                  : a.box < b.box;
    });
    const size_t count = std::min(found.size(), static_cast<size_t>(p.most));
    ASSERT_EQ(got[3][0], static_cast<float>(count)) << random.Replay();
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(got[1][i], static_cast<float>(found[i].label)) << i << random.Replay();
      EXPECT_EQ(got[2][i], found[i].score);
      for (size_t k = 0; k < 4; ++k) EXPECT_NEAR(got[0][4 * i + k], boxes[found[i].box][k], 1e-5);
    }
    for (size_t i = count; i < static_cast<size_t>(p.most); ++i) EXPECT_EQ(got[2][i], 0.0f);
  }
}

TEST(DetectionPostProcess, NumbersThatAreNone) {
  for (bool regular : {false, true}) {
    PostProcess p;
    p.anchors = 4;
    p.classes = p.columns = 2;
    p.per_box = regular ? 1 : 2;
    p.regular = regular;
    const std::vector<float> codes = {NAN, INFINITY, 1e30f,    -1e30f, 0, 0, NAN, NAN,
                                      0,   0,        INFINITY, 0,      0, 0, 0,   0};
    const std::vector<float> scores = {NAN, 0.9f, NAN, NAN, INFINITY, NAN, 0.5f, 0.5f};
    const Rows got = p.Run(codes, scores, kAnchors);
    ASSERT_EQ(got.size(), 4u);
    EXPECT_EQ(got[2][0], INFINITY);
    EXPECT_EQ(got[3][0], 3.0f);
  }
}

TEST(DetectionPostProcess, RefusesWhatDoesNotFit) {
  const auto refusal = [](const PostProcess& p, const Shape& boxes, const Shape& scores,
                          const Shape& anchors, const Shape& out) {
    return RefusalOf("DetectionPostProcess", {boxes, scores, anchors}, {out, {1, 3}, {1, 3}, {1}},
                     p.args());
  };
  PostProcess p;
  EXPECT_EQ(refusal(p, {1, 5, 4}, {1, 5, 2}, {5, 4}, {1, 3, 4}), 0);
  EXPECT_EQ(refusal(p, {1, 6, 4}, {1, 5, 2}, {5, 4}, {1, 3, 4}), 216);
  EXPECT_EQ(refusal(p, {1, 5, 4}, {1, 5, 3}, {5, 4}, {1, 3, 4}), 216);
  EXPECT_EQ(refusal(p, {1, 5, 4}, {2, 5, 2}, {5, 4}, {1, 3, 4}), 216);
  EXPECT_EQ(refusal(p, {1, 5, 4}, {1, 5, 2}, {5, 5}, {1, 3, 4}), 216);
  EXPECT_EQ(refusal(p, {1, 5, 4}, {1, 5, 2}, {5, 4}, {1, 4, 4}), 216);
  PostProcess q = p;
  q.scale = {1, 0, 1, 1};
  EXPECT_EQ(refusal(q, {1, 5, 4}, {1, 5, 2}, {5, 4}, {1, 3, 4}), 212);
  q = p;
  q.scale = {1, 1};
  EXPECT_EQ(refusal(q, {1, 5, 4}, {1, 5, 2}, {5, 4}, {1, 3, 4}), 212);
  q = p;
  q.score = NAN;
  EXPECT_EQ(refusal(q, {1, 5, 4}, {1, 5, 2}, {5, 4}, {1, 3, 4}), 212);
  q = p;
  q.most = 0;
  EXPECT_EQ(refusal(q, {1, 5, 4}, {1, 5, 2}, {5, 4}, {1, 3, 4}), 212);
}

TEST(DetectionOutput, ByHand) {
  // Two boxes, three classes with background 0; the variances halve the centre's code.
  ModelBuilder m;
  m.Input("l", {1, 8});
  m.Input("c", {1, 6});
  const std::vector<float> priors = {0,    0,    2,    4,    4,    4,    6,    6,  //
                                     0.5f, 0.5f, 0.2f, 0.2f, 0.5f, 0.5f, 0.2f, 0.2f};
  m.Constant(F32("p", {1, 2, 8}), priors);
  m.Node("DetectionOutput", {"l", "c", "p"}, {F32("y", {1, 1, 4, 7})},
         {{"num_classes", 3}, {"keep_top_k", 4}, {"confidence_threshold", 0.25f}});
  m.Output("y", {1, 1, 4, 7});
  const Rows got = RunModel(m, {{1, 1, 0, 0, 0, 0, 0, 0}, {0.9f, 0.3f, 0.25f, 0.1f, 0.8f, 0.7f}});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], (std::vector<float>{0, 1,  0.8f, 4, 4, 6, 6,  //
                                        0, 1,  0.3f, 1, 2, 3, 6,  //
                                        0, 2,  0.7f, 4, 4, 6, 6,  //
                                        0, -1, 0,    0, 0, 0, 0}));
}

TEST(DetectionOutput, RandomBoxes) {
  Random random;
  for (int round = 0; round < 10; ++round) {
    const int64_t boxes = 30, classes = 4, images = 2, keep = random.Int(1, 60),
                  top = round % 2 ? -1 : random.Int(1, 20);
    const bool in_target = round % 3 == 0;
    std::vector<float> priors, codes(static_cast<size_t>(images * boxes * 4), 0.0f), scores;
    Rows corners;
    for (int64_t i = 0; i < boxes; ++i) {
      const float x = random.Float(0, 5), y = random.Float(0, 5);
      corners.push_back({x, y, x + random.Float(1, 4), y + random.Float(1, 4)});
      priors.insert(priors.end(), corners.back().begin(), corners.back().end());
    }
    priors.resize(2 * priors.size(), 0.1f);
    for (int64_t i = 0; i < images * boxes * classes; ++i)
      scores.push_back(static_cast<float>(random.Int(0, 50)) / 50.0f);
    ModelBuilder m;
    m.Input("l", {images, boxes * 4});
    m.Input("c", {images, boxes * classes});
    m.Constant(F32("p", {1, 2, boxes * 4}), priors);
    const Shape out = {1, 1, images * keep, 7};
    m.Node("DetectionOutput", {"l", "c", "p"}, {F32("y", out)},
           {{"num_classes", classes},
            {"background_label", 1},
            {"keep_top_k", keep},
            {"top_k", top},
            {"nms_threshold", 0.4f},
            {"confidence_threshold", 0.2f},
            {"variance_encoded_in_target", in_target ? 1 : 0}});
    m.Output("y", out);
    const Rows got = RunModel(m, {codes, scores});
    ASSERT_EQ(got.size(), 1u);
    for (int64_t image = 0; image < images; ++image) {
      struct Found {
        float score;
        int64_t label;
        size_t box;
      };
      std::vector<Found> found;
      for (int64_t label = 0; label < classes; ++label) {
        if (label == 1) continue;
        std::vector<float> column;
        for (int64_t i = 0; i < boxes; ++i)
          column.push_back(scores[static_cast<size_t>((image * boxes + i) * classes + label)]);
        const size_t candidates = top < 0 ? 30 : static_cast<size_t>(top);
        for (size_t i : Suppress(corners, column, 0.2f, true, 0.4f, candidates))
          found.push_back({column[i], label, i});
      }
      std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
        return a.score != b.score   ? a.score > b.score
               : a.label != b.label ? a.label < b.label
                                    : a.box < b.box;
      });
      if (found.size() > static_cast<size_t>(keep)) found.resize(static_cast<size_t>(keep));
      std::stable_sort(found.begin(), found.end(),
                       [](const Found& a, const Found& b) { return a.label < b.label; });
      for (size_t i = 0; i < static_cast<size_t>(keep); ++i) {
        const float* row = &got[0][(static_cast<size_t>(image * keep) + i) * 7];
        EXPECT_EQ(row[0], static_cast<float>(image));
        if (i >= found.size()) {
          EXPECT_EQ(row[1], -1.0f);
          continue;
        }
        EXPECT_EQ(row[1], static_cast<float>(found[i].label)) << random.Replay();
        EXPECT_EQ(row[2], found[i].score);
        for (size_t k = 0; k < 4; ++k) EXPECT_NEAR(row[3 + k], corners[found[i].box][k], 1e-5);
      }
    }
  }
}

TEST(DetectionOutput, RefusesWhatDoesNotFit) {
  const auto refusal = [](const Shape& priors, const Shape& out, const std::vector<Arg>& args) {
    return RefusalOf("DetectionOutput", {{2, 20}, {2, 15}, priors}, {out}, args);
  };
  const std::vector<Arg> good = {{"num_classes", 3}, {"keep_top_k", 4}};
  EXPECT_EQ(refusal({1, 2, 20}, {1, 1, 8, 7}, good), 0);
  EXPECT_EQ(refusal({1, 2, 20}, {8, 7}, good), 0);
  EXPECT_EQ(refusal({1, 2, 20}, {1, 1, 7, 8}, good), 216);
  EXPECT_EQ(refusal({1, 2, 24}, {1, 1, 8, 7}, good), 216);
  EXPECT_EQ(refusal({1, 1, 20}, {1, 1, 8, 7}, good), 216);
  EXPECT_EQ(refusal({1, 2, 3}, {1, 1, 8, 7}, good), 216);
  EXPECT_EQ(refusal({1, 2, 20}, {1, 1, 8, 7}, {{"num_classes", 3}}), 212);
  EXPECT_EQ(refusal({1, 2, 20}, {1, 1, 8, 7},
                    {{"num_classes", 3}, {"keep_top_k", 4}, {"share_location", 0}}),
            212);
  EXPECT_EQ(refusal({1, 2, 20}, {1, 1, 8, 7},
                    {{"num_classes", 3}, {"keep_top_k", 4}, {"nms_threshold", NAN}}),
            212);
}

}  // namespace
}  // namespace runtime
}  // namespace mace
