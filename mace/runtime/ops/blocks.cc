// Operators that move blocks of pixels: DepthToSpace, SpaceToDepth, SpaceToBatchND, BatchToSpaceND
// and ExtractImagePatches.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "mace/runtime/operator.h"
#include "mace/runtime/ops/strided_copy.h"
#include "mace/runtime/ops/window.h"

namespace mace {
namespace runtime {

std::unique_ptr<Operator> MakeDepthToSpace();
std::unique_ptr<Operator> MakeSpaceToDepth();
std::unique_ptr<Operator> MakeSpaceToBatchND();
std::unique_ptr<Operator> MakeBatchToSpaceND();
std::unique_ptr<Operator> MakeExtractImagePatches();

namespace {

bool RequireImages(PrepareContext* c) {
  if (!c->RequireInputs(1, 1) || !c->RequireOutputs(1)) return false;
  const Tensor &x = c->input(0), &y = c->output();
  return c->RequireRank(x, 4, 4) && c->RequireRank(y, 4, 4) && c->RequireAnyType(x) &&
         c->RequireSameCodes(x, y);
}

// Both directions are a transpose of rank six.
template <bool kToSpace>
class DepthSpaceOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!RequireImages(c)) return;
    const Tensor &x = c->input(0), &y = c->output();
    const int64_t block = c->RequiredInt("block_size", 1, kMaxWindow);
    const std::string mode = c->String("mode", "DCR");
    if (mode != "DCR" && mode != "CRD")
      c->Fail(diagnostics::BadAttribute("mode", "is '" + mode + "', not DCR or CRD"));
    if (!c->ok()) return;
    // The image with small channels and the one with deep ones.
    const Tensor &wide = kToSpace ? y : x, &deep = kToSpace ? x : y;
    const int64_t n = deep.shape[0], h = deep.shape[1], w = deep.shape[2];
    const int64_t channels = wide.shape[3], depth = channels * block * block;
    if (!c->RequireShape(wide, {n, h * block, w * block, channels}) ||
        !c->RequireShape(deep, {n, h, w, depth}))
      return;
    const bool last = mode == "DCR";
    // Strides of the row in the block, the column in the block, and the channel.
    const int64_t in_row = last ? block * channels : block, in_column = last ? channels : 1,
                  in_channel = last ? 1 : block * block;
    if (kToSpace) {
      copy_.Init({n, h, block, w, block, channels},
                 {h * w * depth, w * depth, in_row, depth, in_column, in_channel}, 0,
                 SizeOf(x.type));
      return;
    }
    const int64_t line = w * block * channels;
    const int64_t batch = h * block * line, row = block * line, column = block * channels;
    if (last) {
      copy_.Init({n, h, w, block, block, channels}, {batch, row, column, line, channels, 1}, 0,
                 SizeOf(x.type));
    } else {
      copy_.Init({n, h, w, channels, block, block}, {batch, row, column, 1, line, channels}, 0,
                 SizeOf(x.type));
    }
  }
  void Run(const RunContext& context) const override {
    copy_.Run(context.input<char>(0), context.output<char>(), &context.pool());
  }

 private:
  StridedCopy copy_;
};

// Batch entry (r * block columns + s) * N + n of the one side is every block row-th row from r and
// block column-th column from s of image n of the other.
template <bool kToBatch>
class BatchSpaceOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!RequireImages(c)) return;
    const Tensor &x = c->input(0), &y = c->output();
    const auto block = c->RequiredInts("block_shape", 2, 1, kMaxWindow);
    const auto edges = c->Ints(kToBatch ? "paddings" : "crops", {0, 0, 0, 0}, 4, 0, kMaxWindow);
    if (!c->ok()) return;
    const Tensor &image = kToBatch ? x : y, &parts = kToBatch ? y : x;
    images_ = image.shape[0];
    for (size_t i = 0; i < 2; ++i) {
      block_[i] = block[i];
      before_[i] = edges[2 * i];
      image_[i] = image.shape[1 + i];
      parts_[i] = parts.shape[1 + i];
      const int64_t whole = image_[i] + edges[2 * i] + edges[2 * i + 1];
      if (whole != parts_[i] * block_[i]) {
        c->Fail(diagnostics::BadOperandShape(y.name, ToString(y.shape),
                                             "one whose " +
                                                 std::string(i == 0 ? "rows" : "columns") +
                                                 " the block divides into " + ToString(x.shape)));
        return;
      }
    }
    if (!c->RequireShape(parts,
                         {images_ * block_[0] * block_[1], parts_[0], parts_[1], image.shape[3]}))
      return;
    pixel_ = image.shape[3] * static_cast<int64_t>(SizeOf(x.type));
    fill_ = IsQuantized(x.type) ? x.zero_point & 0xff : 0;
  }

  void Run(const RunContext& context) const override {
    const char* in = context.input<char>(0);
    char* out = context.output<char>();
    // Rows of the output, whichever side it is.
    const int64_t columns = kToBatch ? parts_[1] : image_[1];
    const int64_t rows =
        kToBatch ? images_ * block_[0] * block_[1] * parts_[0] : images_ * image_[0];
    const size_t size = static_cast<size_t>(pixel_);
    context.pool().ForRange(
        rows, std::max<int64_t>(1, kGrainBytes / (columns * pixel_)),
        [&](int64_t begin, int64_t end, int) {
          for (int64_t row = begin; row < end; ++row) {
            char* to = out + row * columns * pixel_;
            if (kToBatch) {
              const int64_t entry = row / parts_[0], n = entry % images_, cell = entry / images_;
              const int64_t y = row % parts_[0] * block_[0] + cell / block_[1] - before_[0];
              int64_t x = cell % block_[1] - before_[1];
              const char* line = in + (n * image_[0] + y) * image_[1] * pixel_;
              for (int64_t i = 0; i < columns; ++i, x += block_[1], to += pixel_) {
                if (y < 0 || y >= image_[0] || x < 0 || x >= image_[1]) {
                  std::memset(to, fill_, size);
                } else {
                  std::memcpy(to, line + x * pixel_, size);
                }
              }
              continue;
            }
            const int64_t n = row / image_[0], y = row % image_[0] + before_[0];
            for (int64_t i = 0; i < columns; ++i, to += pixel_) {
              const int64_t x = i + before_[1];
              const int64_t entry = (y % block_[0] * block_[1] + x % block_[1]) * images_ + n;
              const int64_t at = (entry * parts_[0] + y / block_[0]) * parts_[1] + x / block_[1];
              std::memcpy(to, in + at * pixel_, size);
            }
          }
        });
  }

 private:
  int64_t images_ = 0, pixel_ = 0;
  // Rows, columns.
  int64_t block_[2] = {}, before_[2] = {}, image_[2] = {}, parts_[2] = {};
  int fill_ = 0;
};

class ExtractImagePatchesOperator : public Operator {
 public:
  void Prepare(PrepareContext* c) override {
    if (!RequireImages(c)) return;
    const Tensor &x = c->input(0), &y = c->output();
    if (!c->RequireType(x, ElementType::kFloat32)) return;
    const auto kernel = c->RequiredInts("kernels", 2, 1, kMaxWindow);
    if (!c->ok()) return;
    window_ = ReadWindow(c, x, y, kernel[0], kernel[1]);
    channels_ = x.shape[3];
    c->RequireShape(y, {y.shape[0], y.shape[1], y.shape[2], kernel[0] * kernel[1] * channels_});
  }

  void Run(const RunContext& context) const override {
    const kernels::Window& w = window_;
    const float* in = context.input<float>(0);
    float* out = context.output<float>();
    const size_t bytes = static_cast<size_t>(channels_) * sizeof(float);
    const int64_t line = w.out_w * w.kernel_h * w.kernel_w * channels_;
    context.pool().ForRange(
        w.batch * w.out_h, std::max<int64_t>(1, kGrainBytes / 4 / line),
        [&](int64_t begin, int64_t end, int) {
          for (int64_t row = begin; row < end; ++row) {
            float* to = out + row * line;
            const float* image = in + row / w.out_h * w.in_h * w.in_w * channels_;
            for (int64_t ox = 0; ox < w.out_w; ++ox) {
              for (int64_t ky = 0; ky < w.kernel_h; ++ky) {
                const int64_t y = row % w.out_h * w.stride_h - w.pad_top + ky * w.dilation_h;
                for (int64_t kx = 0; kx < w.kernel_w; ++kx, to += channels_) {
                  const int64_t x = ox * w.stride_w - w.pad_left + kx * w.dilation_w;
                  if (y < 0 || y >= w.in_h || x < 0 || x >= w.in_w) {
                    std::memset(to, 0, bytes);
                  } else {
                    std::memcpy(to, image + (y * w.in_w + x) * channels_, bytes);
                  }
                }
              }
            }
          }
        });
  }

 private:
  kernels::Window window_ = {};
  int64_t channels_ = 0;
};

}  // namespace

std::unique_ptr<Operator> MakeDepthToSpace() {
  return std::make_unique<DepthSpaceOperator<true>>();
}
std::unique_ptr<Operator> MakeSpaceToDepth() {
  return std::make_unique<DepthSpaceOperator<false>>();
}
std::unique_ptr<Operator> MakeSpaceToBatchND() {
  return std::make_unique<BatchSpaceOperator<true>>();
}
std::unique_ptr<Operator> MakeBatchToSpaceND() {
  return std::make_unique<BatchSpaceOperator<false>>();
}
std::unique_ptr<Operator> MakeExtractImagePatches() {
  return std::make_unique<ExtractImagePatchesOperator>();
}

}  // namespace runtime
}  // namespace mace
