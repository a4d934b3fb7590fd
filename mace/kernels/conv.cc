#include "mace/kernels/conv.h"

#include <algorithm>
#include <cstring>

namespace mace {
namespace kernels {
namespace {

// Left operand of one task, in bytes: stays in the second-level cache beside a panel.
constexpr int64_t kBlockBytes = 512 * 1024;
constexpr int64_t kMaxBlock = 256;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

void Conv::InitShape(const ConvShape& shape, Tier tier, bool integer) {
  shape_ = shape;
  integer_ = integer;
  kernel_ = SelectGemm(tier, integer);
  set_ = GetKernelSet(tier);
  const Window& w = shape.window;
  k_ = w.kernel_h * w.kernel_w * (shape.in_channels / shape.groups);
  pixels_ = w.batch * w.out_h * w.out_w;
  // Rows start at a multiple of a cache line, but not at one of a power of two, so that they spread
  // over the cache.
  const int64_t size = static_cast<int64_t>(LeftSize(kernel_->operands));
  const int64_t line = 64 / size;
  lda_ = CeilDiv(CeilDiv(k_, kernel_->k_group) * kernel_->k_group, line) * line;
  if (lda_ * size % 1024 == 0) lda_ += line;
  groups_.resize(static_cast<size_t>(shape.groups));
}

bool Conv::InitFloat(const ConvShape& shape, Tier tier, const float* filter, const float* bias,
                     float lo, float hi) {
  InitShape(shape, tier, false);
  lo_ = lo;
  hi_ = hi;
  const int64_t n = shape.out_channels / shape.groups;
  for (int64_t g = 0; g < shape.groups; ++g) {
    if (!groups_[g].PackFloat(*kernel_, filter + g * n * k_, false, n, k_,
                              bias == nullptr ? nullptr : bias + g * n)) {
      return false;
    }
  }
  const Window& w = shape.window;
  direct_ = shape.groups == 1 && w.kernel_h == 1 && w.kernel_w == 1 && w.stride_h == 1 &&
            w.stride_w == 1 && w.pad_top == 0 && w.pad_left == 0 && w.pad_bottom == 0 &&
            w.pad_right == 0 && w.out_h == w.in_h && w.out_w == w.in_w &&
            (pixels_ == 1 || k_ * 4 % 1024 != 0);
  if (direct_) lda_ = k_;
  return true;
}

bool Conv::InitCodes(const ConvShape& shape, Tier tier, const void* filter, const int32_t* bias,
                     const ConvQuantization& quantization) {
  InitShape(shape, tier, true);
  quantization_ = quantization;
  const int64_t n = shape.out_channels / shape.groups;
  const uint8_t* from = static_cast<const uint8_t*>(filter);
  for (int64_t g = 0; g < shape.groups; ++g) {
    PackedMatrix::Codes codes;
    codes.type = quantization.weight_type;
    codes.zero_point = quantization.weight_zero;
    codes.left_zero = quantization.input_zero;
    codes.left_type = quantization.input_type;
    codes.scale = quantization.scale.data() + g * n;
    const quant::FixedMultipliers& fixed = quantization.fixed;
    codes.mantissa = fixed.empty() ? nullptr : fixed.mantissa.data() + g * n;
    codes.exponent = fixed.empty() ? nullptr : fixed.exponent.data() + g * n;
    codes.once = fixed.once;
    if (!groups_[g].PackCodes(*kernel_, from + g * n * k_, n, k_,
                              bias == nullptr ? nullptr : bias + g * n, codes)) {
      return false;
    }
  }
  const bool input_signed = quantization.input_type == ElementType::kInt8;
  if (kernel_->operands != Operands::kS16) {
    flip_ = input_signed == (kernel_->operands == Operands::kS8S8) ? 0 : 0x80;
  }
  return true;
}

void Conv::Plan(int threads) {
  const int64_t mr = kernel_->rows;
  const int64_t size = static_cast<int64_t>(LeftSize(kernel_->operands));
  int64_t block = std::clamp<int64_t>(kBlockBytes / (lda_ * size), mr, kMaxBlock);
  block = block / mr * mr;
  const int64_t panels = groups_[0].panels();
  splits_ = 1;
  if (threads > 1) {
    // Enough tasks for every thread to have some, first by pixels, then by columns.
    const int64_t wanted = 4 * threads;
    const int64_t even = CeilDiv(CeilDiv(pixels_ * shape_.groups, wanted), mr) * mr;
    block = std::max(std::min(block, even), mr);
    const int64_t tasks = CeilDiv(pixels_, block) * shape_.groups;
    if (tasks < threads) splits_ = std::min(panels, CeilDiv(wanted, tasks));
  }
  block_ = std::min(block, pixels_);
  blocks_ = CeilDiv(pixels_, block_);
  panels_per_task_ = CeilDiv(panels, splits_);
  splits_ = CeilDiv(panels, panels_per_task_);
  tasks_ = blocks_ * shape_.groups * splits_;
  // Gathered rows, then row sums, with a line to spare for whole-vector reads.
  scratch_bytes_ = direct_ ? 0 : AlignUp(static_cast<size_t>(block_ * lda_ * size) + 64);
  scratch_bytes_ += integer_ ? AlignUp(static_cast<size_t>(block_) * sizeof(int32_t)) : 0;
}

void Conv::Gather(int64_t group, int64_t begin, int64_t end, const void* input, void* rows) const {
  const Window& w = shape_.window;
  const int64_t channels = shape_.in_channels, part = channels / shape_.groups;
  const int64_t size = static_cast<int64_t>(LeftSize(kernel_->operands));
  const int64_t in_size = integer_ ? 1 : 4;
  const char* in = static_cast<const char*>(input) + group * part * in_size;
  const bool input_signed = quantization_.input_type == ElementType::kInt8;
  // The bits of a padding cell: its zero point as the kernel sees it.
  const uint8_t pad_code =
      static_cast<uint8_t>(static_cast<uint8_t>(quantization_.input_zero) ^ flip_);
  // Columns next to each other are one run when nothing lies between their channels.
  const bool runs = w.dilation_w == 1 && shape_.groups == 1;
  const auto copy = [&](const char* from, char* to, int64_t count) {
    if (!integer_) {
      std::memcpy(to, from, static_cast<size_t>(count) * 4);
    } else if (kernel_->operands == Operands::kS16) {
      (input_signed ? set_->center.s8 : set_->center.u8)(from, quantization_.input_zero,
                                                         reinterpret_cast<int16_t*>(to), count);
    } else if (flip_ == 0) {
      std::memcpy(to, from, static_cast<size_t>(count));
    } else {
      set_->flip(reinterpret_cast<const uint8_t*>(from), flip_, reinterpret_cast<uint8_t*>(to),
                 count);
    }
  };
  const auto pad = [&](char* to, int64_t count) {
    const bool codes = integer_ && kernel_->operands != Operands::kS16;
    std::memset(to, codes ? pad_code : 0, static_cast<size_t>(count * size));
  };
  int64_t ox = begin % w.out_w, oy = begin / w.out_w % w.out_h, n = begin / (w.out_w * w.out_h);
  char* row = static_cast<char*>(rows);
  for (int64_t p = begin; p < end; ++p, row += lda_ * size) {
    char* to = row;
    const int64_t x0 = ox * w.stride_w - w.pad_left;
    for (int64_t ky = 0; ky < w.kernel_h; ++ky) {
      const int64_t y = oy * w.stride_h - w.pad_top + ky * w.dilation_h;
      const int64_t line = w.kernel_w * part;
      if (y < 0 || y >= w.in_h) {
        pad(to, line);
        to += line * size;
        continue;
      }
      const char* image_row = in + ((n * w.in_h + y) * w.in_w) * channels * in_size;
      if (runs) {
        const int64_t left = std::clamp<int64_t>(-x0, 0, w.kernel_w);
        const int64_t right = std::clamp<int64_t>(w.in_w - x0, left, w.kernel_w);
        if (left > 0) pad(to, left * part);
        if (right > left)
          copy(image_row + (x0 + left) * channels * in_size, to + left * part * size,
               (right - left) * part);
        if (right < w.kernel_w) pad(to + right * part * size, (w.kernel_w - right) * part);
        to += line * size;
        continue;
      }
      for (int64_t kx = 0; kx < w.kernel_w; ++kx, to += part * size) {
        const int64_t x = x0 + kx * w.dilation_w;
        if (x < 0 || x >= w.in_w) {
          pad(to, part);
        } else {
          copy(image_row + x * channels * in_size, to, part);
        }
      }
    }
    // The rest of the last group of k; its weights are 0.
    const int64_t used = (to - row) / size;
    if (used < lda_) std::memset(to, 0, static_cast<size_t>((lda_ - used) * size));
    if (++ox == w.out_w) {
      ox = 0;
      if (++oy == w.out_h) {
        oy = 0;
        ++n;
      }
    }
  }
}

void Conv::Run(int64_t task, const void* input, void* output, void* scratch) const {
  const int64_t split = task % splits_;
  const int64_t group = task / splits_ % shape_.groups;
  const int64_t begin = task / (splits_ * shape_.groups) * block_;
  const int64_t end = std::min(begin + block_, pixels_);
  const PackedMatrix& matrix = groups_[static_cast<size_t>(group)];
  const size_t size = LeftSize(kernel_->operands);
  const size_t out_size = integer_ ? 1 : 4;

  const char* rows = static_cast<const char*>(input) + static_cast<size_t>(begin * lda_) * size;
  if (!direct_) {
    Gather(group, begin, end, input, scratch);
    rows = static_cast<const char*>(scratch);
  }
  GemmArgs args = {};
  args.lda = lda_;
  args.ldc = shape_.out_channels;
  args.lo = lo_;
  args.hi = hi_;
  args.zero = quantization_.output_zero;
  args.q_lo = quantization_.q_lo;
  args.q_hi = quantization_.q_hi;
  int32_t* sums = nullptr;
  if (integer_ && matrix.needs_row_sums()) {
    sums = reinterpret_cast<int32_t*>(static_cast<char*>(scratch) + scratch_bytes_ -
                                      AlignUp(static_cast<size_t>(block_) * sizeof(int32_t)));
    (kernel_->operands == Operands::kS8S8 ? set_->row_sums.s8 : set_->row_sums.u8)(
        rows, k_, lda_, end - begin, sums);
  }
  // Tiles of equal height rather than full ones and a rest.
  const int64_t count = end - begin;
  const int64_t tiles = CeilDiv(count, kernel_->rows);
  const int64_t first_panel = split * panels_per_task_;
  const int64_t last_panel = std::min(first_panel + panels_per_task_, matrix.panels());
  for (int64_t panel = first_panel; panel < last_panel; ++panel) {
    matrix.SetPanel(panel, &args);
    const int64_t column = group * matrix.n() + panel * kernel_->columns;
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t r0 = count * t / tiles, r1 = count * (t + 1) / tiles;
      args.rows = static_cast<int>(r1 - r0);
      args.a = rows + static_cast<size_t>(r0 * lda_) * size;
      args.c = static_cast<char*>(output) +
               static_cast<size_t>((begin + r0) * args.ldc + column) * out_size;
      args.row_sums = sums == nullptr ? nullptr : sums + r0;
      kernel_->run(args);
    }
  }
}

int64_t Conv::macs() const { return pixels_ * shape_.out_channels * k_; }

size_t Conv::packed_bytes() const {
  size_t bytes = 0;
  for (const PackedMatrix& m : groups_) bytes += m.bytes();
  return bytes;
}

}  // namespace kernels
}  // namespace mace
