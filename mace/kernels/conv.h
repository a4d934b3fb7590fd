// Convolution as a matrix product: rows of the left operand are the windows of a block of output
// pixels, gathered into a per-thread buffer (or read in place, for 1x1 windows), and the right
// operand is the packed filter. A fully connected layer is a 1x1 convolution of an image whose
// batch is the number of rows.
#ifndef MACE_KERNELS_CONV_H_
#define MACE_KERNELS_CONV_H_

#include <memory>
#include <vector>

#include "mace/kernels/gemm/gemm.h"
#include "mace/kernels/kernels.h"
#include "mace/quant/requantize.h"

namespace mace {
namespace kernels {

struct ConvShape {
  Window window;
  int64_t in_channels, out_channels, groups;
};

// What the codes of a quantized convolution mean.
struct ConvQuantization {
  ElementType input_type, weight_type;
  int32_t input_zero, weight_zero, output_zero, q_lo, q_hi;
  std::vector<float> scale;            // one multiplier per output channel
  quant::FixedMultipliers fixed = {};  // to be used instead, unless empty
};

class Conv {
 public:
  // Packs the filter [O, H, W, I / groups]; bias may be null. False when there is not enough
  // memory.
  bool InitFloat(const ConvShape& shape, Tier tier, const float* filter, const float* bias,
                 float lo, float hi);
  bool InitCodes(const ConvShape& shape, Tier tier, const void* filter, const int32_t* bias,
                 const ConvQuantization& quantization);

  // Divides the work for a number of threads; call once, before scratch_bytes() and Run.
  void Plan(int threads);
  // Bytes of scratch memory per thread.
  size_t scratch_bytes() const { return scratch_bytes_; }
  int64_t tasks() const { return tasks_; }
  void Run(int64_t task, const void* input, void* output, void* scratch) const;

  int64_t macs() const;
  size_t packed_bytes() const;
  const char* kernel_name() const { return groups_[0].kernel()->name; }

 private:
  void InitShape(const ConvShape& shape, Tier tier, bool integer);
  // Gathers the windows of pixels [begin, end) of a group into rows of lda_ elements.
  void Gather(int64_t group, int64_t begin, int64_t end, const void* input, void* rows) const;

  ConvShape shape_ = {};
  const GemmKernel* kernel_ = nullptr;
  const KernelSet* set_ = nullptr;
  std::vector<PackedMatrix> groups_;
  bool integer_ = false;
  float lo_ = 0, hi_ = 0;
  ConvQuantization quantization_;
  // Added to a code's bits to change its signedness.
  uint8_t flip_ = 0;
  // Whether the kernel can read the input tensor itself.
  bool direct_ = false;
  int64_t k_ = 0, lda_ = 0, pixels_ = 0;
  int64_t block_ = 0, blocks_ = 0, panels_per_task_ = 0, splits_ = 0, tasks_ = 0;
  size_t scratch_bytes_ = 0;
};

}  // namespace kernels
}  // namespace mace

#endif  // MACE_KERNELS_CONV_H_
