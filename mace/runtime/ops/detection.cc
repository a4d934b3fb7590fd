// DetectionPostProcess (TensorFlow Lite's operator) and DetectionOutput (Caffe's layer of SSD):
// boxes from codes and anchors, then non-maximum suppression.
//
// Boxes are computed in binary64 and rounded once. Every order is total (score, then index), and
// scores that are no numbers never pass a threshold: nothing depends on the sorting algorithm.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "mace/runtime/operator.h"

namespace mace {
namespace runtime {

std::unique_ptr<Operator> MakeDetectionPostProcess();
std::unique_ptr<Operator> MakeDetectionOutput();

namespace {

#include "mace/kernels/math.h"

// Corners; y and x or x and y, which no formula below tells apart.
struct Box {
  float least[2], greatest[2];
};

struct Candidate {
  float score;
  int32_t index;
};

// Greater scores first, then lower indices.
bool Before(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.index < b.index;
}

float Side(const Box& box, int axis) { return box.greatest[axis] - box.least[axis]; }

// Intersection over union; 0 for boxes without area, and where a coordinate is no number.
float Overlap(const Box& a, const Box& b) {
  const float area_a = Side(a, 0) * Side(a, 1), area_b = Side(b, 0) * Side(b, 1);
  if (!(Side(a, 0) > 0.0f) || !(Side(b, 0) > 0.0f) || !(area_a > 0.0f) || !(area_b > 0.0f))
    return 0.0f;
  float sides[2];
  for (int i = 0; i < 2; ++i) {
    const float least = a.least[i] > b.least[i] ? a.least[i] : b.least[i];
    const float greatest = a.greatest[i] < b.greatest[i] ? a.greatest[i] : b.greatest[i];
    sides[i] = greatest - least;
    if (!(sides[i] > 0.0f)) return 0.0f;
  }
  const float shared = sides[0] * sides[1];
  return shared / (area_a + area_b - shared);
}

// Moves to the front, in order, the candidates (sorted) that no kept one overlaps by more than the
// limit, at most `most`; returns their number.
int64_t Suppress(const Box* boxes, Candidate* candidates, int64_t count, float limit,
                 int64_t most) {
  int64_t kept = 0;
  for (int64_t i = 0; i < count && kept < most; ++i) {
    const Candidate candidate = candidates[i];
    bool keep = true;
    for (int64_t k = 0; keep && k < kept; ++k)
      keep = !(Overlap(boxes[candidates[k].index], boxes[candidate.index]) > limit);
    if (keep) candidates[kept++] = candidate;
  }
  return kept;
}

// A detection of any class; greater scores first, then lower classes, then lower boxes.
struct Detection {
  float score;
  int32_t label, index;
};
bool BeforeDetection(const Detection& a, const Detection& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.label != b.label ? a.label < b.label : a.index < b.index;
}

// Adds a class's detections to the best `most` so far, which stay sorted; returns their new number.
// `best` has room for `most` and all that are added.
int64_t Merge(const Candidate* found, int64_t count, int32_t label, int64_t most, Detection* best,
              int64_t size) {
  for (int64_t i = 0; i < count; ++i) best[size + i] = {found[i].score, label, found[i].index};
  std::sort(best, best + size + count, BeforeDetection);
  return std::min(size + count, most);
}

float RequiredNumber(PrepareContext* c, const char* name, bool required, float fallback) {
  const float v = required ? c->RequiredFloat(name) : c->Float(name, fallback);
  if (std::isnan(v)) c->Fail(diagnostics::BadAttribute(name, "is not a number"));
  return v;
}

bool RequireFloats(PrepareContext* c) {
  for (size_t i = 0; i < c->input_count(); ++i) {
    if (!c->RequireType(c->input(i), ElementType::kFloat32)) return false;
  }
  for (size_t i = 0; i < c->output_count(); ++i) {
    if (!c->RequireType(c->output(i), ElementType::kFloat32)) return false;
  }
  return c->ok();
}

class DetectionPostProcessOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(3, 3) || !c->RequireOutputs(4) || !RequireFloats(c)) return;
    const Tensor &boxes = c->input(0), &scores = c->input(1), &anchors = c->input(2);
    max_detections_ = c->RequiredInt("max_detections", 1, kMaxDetections);
    per_box_ = c->Int("max_classes_per_detection", 1, 1, kMaxDetections);
    per_class_ = c->Int("detections_per_class", 100, 1, kMaxDetections);
    classes_ = c->RequiredInt("num_classes", 1, kMaxCount);
    regular_ = c->Int("use_regular_nms", 0, 0, 1) != 0;
    score_threshold_ = RequiredNumber(c, "nms_score_threshold", true, 0.0f);
    iou_threshold_ = RequiredNumber(c, "nms_iou_threshold", true, 0.0f);
    const std::vector<float> scale = c->Floats("scale", 4);
    if (scale.empty()) c->Fail(diagnostics::BadAttribute("scale", "is missing"));
    if (!c->ok()) return;
    for (size_t i = 0; i < 4; ++i) {
      if (!(scale[i] > 0.0f) || std::isinf(scale[i])) {
        c->Fail(
            diagnostics::BadAttribute("scale", "holds a number that is not positive and finite"));
      }
      scale_[i] = static_cast<double>(scale[i]);
    }
    if (!c->RequireRank(scores, 3, 3) || !c->RequireRank(anchors, 2, 2)) return;
    anchors_ = anchors.shape[0];
    columns_ = scores.shape[2];
    if (anchors_ > kMaxBoxes) {
      c->Fail(diagnostics::NoKernel("DetectionPostProcess of more than " +
                                    std::to_string(kMaxBoxes) + " anchors"));
      return;
    }
    const int64_t rows = max_detections_ * per_box_;
    if (!c->RequireShape(anchors, {anchors_, 4}) || !c->RequireShape(boxes, {1, anchors_, 4}) ||
        !c->RequireShape(c->output(0), {1, rows, 4}) || !c->RequireShape(c->output(1), {1, rows}) ||
        !c->RequireShape(c->output(2), {1, rows}) || !c->RequireShape(c->output(3), {1}))
      return;
    if (columns_ != classes_ && columns_ != classes_ + 1) {
      c->RequireShape(scores, {1, anchors_, classes_ + 1});
      return;
    }
    if (!c->RequireShape(scores, {1, anchors_, columns_})) return;
    background_ = columns_ - classes_;
    const size_t n = static_cast<size_t>(anchors_);
    boxes_bytes_ = AlignUp(n * sizeof(Box));
    candidate_bytes_ = AlignUp(n * sizeof(Candidate));
    const size_t more = regular_ ? (static_cast<size_t>(max_detections_) + n) * sizeof(Detection)
                                 : static_cast<size_t>(classes_) * sizeof(Candidate);
    c->RequestSharedScratch(boxes_bytes_ + candidate_bytes_ + more);
  }

  void Run(const RunContext& context) const override {
    char* scratch = static_cast<char*>(context.shared_scratch());
    Box* boxes = reinterpret_cast<Box*>(scratch);
    Candidate* candidates = reinterpret_cast<Candidate*>(scratch + boxes_bytes_);
    void* more = scratch + boxes_bytes_ + candidate_bytes_;
    const float* codes = context.input<float>(0);
    const float* anchors = context.input<float>(2);
    context.pool().ForRange(anchors_, 1024, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) boxes[i] = Decode(codes + 4 * i, anchors + 4 * i);
    });
    const int64_t rows = max_detections_ * per_box_;
    std::fill_n(context.output<float>(0), 4 * rows, 0.0f);
    std::fill_n(context.output<float>(1), rows, 0.0f);
    std::fill_n(context.output<float>(2), rows, 0.0f);
    const float* scores = context.input<float>(1);
    const int64_t found =
        regular_ ? Regular(context, scores, boxes, candidates, static_cast<Detection*>(more))
                 : Fast(context, scores, boxes, candidates, static_cast<Candidate*>(more));
    context.output<float>(3)[0] = static_cast<float>(found);
  }

 private:
  // Codes and anchor: y, x, height, width.
  Box Decode(const float* code, const float* anchor) const {
    Box box;
    for (int i = 0; i < 2; ++i) {
      const double size = anchor[2 + i];
      const double centre = static_cast<double>(code[i]) / scale_[i] * size + anchor[i];
      const double half = 0.5 * Exp(static_cast<double>(code[2 + i]) / scale_[2 + i]) * size;
      box.least[i] = static_cast<float>(centre - half);
      box.greatest[i] = static_cast<float>(centre + half);
    }
    return box;
  }

  static void Write(const RunContext& context, int64_t row, const Box& box, int64_t label,
                    float score) {
    float* to = context.output<float>(0) + 4 * row;
    to[0] = box.least[0];
    to[1] = box.least[1];
    to[2] = box.greatest[0];
    to[3] = box.greatest[1];
    context.output<float>(1)[row] = static_cast<float>(label);
    context.output<float>(2)[row] = score;
  }

  // Suppression over the best class of each box, then the best classes of the boxes that remain.
  int64_t Fast(const RunContext& context, const float* scores, const Box* boxes,
               Candidate* candidates, Candidate* order) const {
    int64_t count = 0;
    for (int64_t i = 0; i < anchors_; ++i) {
      const float* row = scores + i * columns_ + background_;
      float best = -std::numeric_limits<float>::infinity();
      for (int64_t k = 0; k < classes_; ++k) best = row[k] > best ? row[k] : best;
      if (best >= score_threshold_) candidates[count++] = {best, static_cast<int32_t>(i)};
    }
    std::sort(candidates, candidates + count, Before);
    const int64_t kept = Suppress(boxes, candidates, count, iou_threshold_, max_detections_);
    const int64_t labels = std::min(per_box_, classes_);
    for (int64_t i = 0; i < kept; ++i) {
      const int64_t box = candidates[i].index;
      const float* row = scores + box * columns_ + background_;
      for (int64_t k = 0; k < classes_; ++k) {
        // What is no number comes last.
        const float v = row[k] != row[k] ? -std::numeric_limits<float>::infinity() : row[k];
        order[k] = {v, static_cast<int32_t>(k)};
      }
      std::partial_sort(order, order + labels, order + classes_, Before);
      for (int64_t k = 0; k < labels; ++k)
        Write(context, i * per_box_ + k, boxes[box], order[k].index, row[order[k].index]);
    }
    return kept;
  }

  // Suppression class by class, then the best of all.
  int64_t Regular(const RunContext& context, const float* scores, const Box* boxes,
                  Candidate* candidates, Detection* best) const {
    int64_t found = 0;
    for (int64_t label = 0; label < classes_; ++label) {
      int64_t count = 0;
      for (int64_t i = 0; i < anchors_; ++i) {
        const float score = scores[i * columns_ + background_ + label];
        if (score >= score_threshold_) candidates[count++] = {score, static_cast<int32_t>(i)};
      }
      std::sort(candidates, candidates + count, Before);
      count =
          Suppress(boxes, candidates, count, iou_threshold_, std::min(per_class_, max_detections_));
      found = Merge(candidates, count, static_cast<int32_t>(label), max_detections_, best, found);
    }
    for (int64_t i = 0; i < found; ++i)
      Write(context, i, boxes[best[i].index], best[i].label, best[i].score);
    return found;
  }

  int64_t max_detections_ = 1, per_box_ = 1, per_class_ = 1, classes_ = 1;
  int64_t anchors_ = 0, columns_ = 0, background_ = 0;
  bool regular_ = false;
  float score_threshold_ = 0, iou_threshold_ = 0;
  double scale_[4] = {1, 1, 1, 1};
  size_t boxes_bytes_ = 0, candidate_bytes_ = 0;
};

class DetectionOutputOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!c->RequireInputs(3, 3) || !c->RequireOutputs(1) || !RequireFloats(c)) return;
    const Tensor &locations = c->input(0), &confidences = c->input(1), &priors = c->input(2);
    classes_ = c->RequiredInt("num_classes", 1, kMaxCount);
    c->Int("share_location", 1, 1, 1);
    background_ = c->Int("background_label", 0, -1, kMaxCount);
    in_target_ = c->Int("variance_encoded_in_target", 0, 0, 1) != 0;
    keep_ = c->RequiredInt("keep_top_k", 1, kMaxDetections);
    top_ = c->Int("top_k", -1, -1, int64_t{1} << 31);
    limit_ = RequiredNumber(c, "nms_threshold", false, 0.3f);
    confidence_ = RequiredNumber(c, "confidence_threshold", false, 0.0f);
    if (!c->ok() || !c->RequireRank(locations, 2, 2) || !c->RequireRank(priors, 3, 3)) return;
    images_ = locations.shape[0];
    boxes_ = priors.shape[2] / 4;
    if (boxes_ < 1 || boxes_ > kMaxBoxes) {
      c->Fail(diagnostics::BadOperandShape(priors.name, ToString(priors.shape),
                                           "one of 1 to " + std::to_string(kMaxBoxes) + " boxes"));
      return;
    }
    if (!c->RequireShape(priors, {1, 2, boxes_ * 4}) ||
        !c->RequireShape(locations, {images_, boxes_ * 4}) ||
        !c->RequireShape(confidences, {images_, boxes_ * classes_}))
      return;
    // The rows of all images, whatever axes of size 1 come before.
    const Tensor& y = c->output();
    if (y.elements != images_ * keep_ * 7 || y.shape.size() < 2 || y.shape.back() != 7) {
      c->RequireShape(y, {1, 1, images_ * keep_, 7});
      return;
    }
    if (top_ < 0 || top_ > boxes_) top_ = boxes_;
    const size_t n = static_cast<size_t>(boxes_);
    boxes_bytes_ = AlignUp(n * sizeof(Box));
    candidate_bytes_ = AlignUp(n * sizeof(Candidate));
    c->RequestSharedScratch(boxes_bytes_ + candidate_bytes_ +
                            (static_cast<size_t>(keep_) + n) * sizeof(Detection));
  }

  void Run(const RunContext& context) const override {
    char* scratch = static_cast<char*>(context.shared_scratch());
    Box* boxes = reinterpret_cast<Box*>(scratch);
    Candidate* candidates = reinterpret_cast<Candidate*>(scratch + boxes_bytes_);
    Detection* best = reinterpret_cast<Detection*>(scratch + boxes_bytes_ + candidate_bytes_);
    const float* priors = context.input<float>(2);
    for (int64_t image = 0; image < images_; ++image) {
      const float* codes = context.input<float>(0) + image * boxes_ * 4;
      const float* scores = context.input<float>(1) + image * boxes_ * classes_;
      context.pool().ForRange(boxes_, 1024, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i)
          boxes[i] = Decode(codes + 4 * i, priors + 4 * i, priors + 4 * (boxes_ + i));
      });
      int64_t found = 0;
      for (int64_t label = 0; label < classes_; ++label) {
        if (label == background_) continue;
        int64_t count = 0;
        for (int64_t i = 0; i < boxes_; ++i) {
          const float score = scores[i * classes_ + label];
          if (score > confidence_) candidates[count++] = {score, static_cast<int32_t>(i)};
        }
        std::sort(candidates, candidates + count, Before);
        count = Suppress(boxes, candidates, std::min(count, top_), limit_, std::min(boxes_, keep_));
        found = Merge(candidates, count, static_cast<int32_t>(label), keep_, best, found);
      }
      // By class, and within a class by score.
      std::sort(best, best + found, [](const Detection& a, const Detection& b) {
        return a.label != b.label ? a.label < b.label : BeforeDetection(a, b);
      });
      float* row = context.output<float>() + image * keep_ * 7;
      for (int64_t i = 0; i < keep_; ++i, row += 7) {
        std::fill_n(row, 7, 0.0f);
        row[0] = static_cast<float>(image);
        row[1] = -1.0f;
        if (i >= found) continue;
        const Box& box = boxes[best[i].index];
        row[1] = static_cast<float>(best[i].label);
        row[2] = best[i].score;
        row[3] = box.least[0];
        row[4] = box.least[1];
        row[5] = box.greatest[0];
        row[6] = box.greatest[1];
      }
    }
  }

 private:
  // Codes of centre and size; priors and variances as x0, y0, x1, y1.
  Box Decode(const float* code, const float* prior, const float* variance) const {
    Box box;
    for (int i = 0; i < 2; ++i) {
      const double least = prior[i], greatest = prior[2 + i];
      const double size = greatest - least;
      const double by = in_target_ ? 1.0 : static_cast<double>(variance[i]);
      const double size_by = in_target_ ? 1.0 : static_cast<double>(variance[2 + i]);
      const double centre = by * static_cast<double>(code[i]) * size + (least + greatest) / 2.0;
      const double half = Exp(size_by * static_cast<double>(code[2 + i])) * size / 2.0;
      box.least[i] = static_cast<float>(centre - half);
      box.greatest[i] = static_cast<float>(centre + half);
    }
    return box;
  }

  int64_t classes_ = 1, background_ = 0, keep_ = 1, top_ = 1, images_ = 1, boxes_ = 1;
  bool in_target_ = false;
  float limit_ = 0, confidence_ = 0;
  size_t boxes_bytes_ = 0, candidate_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Operator> MakeDetectionPostProcess() {
  return std::make_unique<DetectionPostProcessOperator>();
}
std::unique_ptr<Operator> MakeDetectionOutput() {
  return std::make_unique<DetectionOutputOperator>();
}

}  // namespace runtime
}  // namespace mace
