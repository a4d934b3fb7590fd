// Operators on 8-bit codes with the DSP's vectors of 128 bytes (HVX), as nnlib's nodes compute
// them: third_party/nnlib/sim/README.md. For the DSP only; no library is needed.
#ifndef MACE_HEXAGON_HVX_KERNELS_H_
#define MACE_HEXAGON_HVX_KERNELS_H_

#include <stdint.h>

namespace mace {
namespace hexagon {

constexpr int kVectorBytes = 128;
// Output channels whose sums fill a vector.
constexpr int kChannels = 32;

// Numbers of the operators in the records of hvx_program.
enum class Kind : int32_t {
  kConv = 0,
  kDepthwise = 1,
  kMaxPool = 2,
  kAveragePool = 3,
  kSum = 4,
  kMinimum = 5,
  kMaximum = 6,
  kClamp = 7,
};

// One image; windows may reach beyond it, where there are zeros.
struct ConvShape {
  int32_t height, width, depth;
  int32_t kernel_h, kernel_w, stride_h, stride_w, before_h, before_w;
  int32_t out_h, out_w, channels;
};

// Zero codes, and the factor mantissa · 2^(shift − 31) from sums to codes.
struct ConvScaling {
  int32_t zero_in, zero_filter, mantissa, shift;
};

// Bytes of packed filters: for every group of 32 output channels and every tap, four input channels
// a vector, then the sums of the tap's weights by channel.
int32_t PackedConvBytes(const ConvShape& s);
// From [H, W, I, O]. `packed` is aligned to a vector.
void PackConv(const ConvShape& s, const uint8_t* filter, uint8_t* packed);
// Bytes of an image whose pixels begin at whole words, and such an image from [H, W, C]; what is
// added is 0.
int32_t PackedImageBytes(const ConvShape& s);
void PackImage(const ConvShape& s, const uint8_t* image, uint8_t* packed);
// `in` is such an image, aligned to a word; `offsets` (bias and least output, in steps of the
// product) has a whole number of vectors; `out` is [H, W, C].
void Conv(const ConvShape& s, const ConvScaling& k, const uint8_t* in, const uint8_t* packed,
          const int32_t* offsets, uint8_t* out);

// Depthwise, one filter a channel: for every 128 channels and every tap, a vector of weights.
int32_t PackedDepthwiseBytes(const ConvShape& s);
// From [H, W, C]. Channels that are not there have the weight 0.
void PackDepthwise(const ConvShape& s, int32_t zero_filter, const uint8_t* filter, uint8_t* packed);
// In the order in which sums of 128 channels come: channels 0, 4, 8 …, then 2, 6 …, 1, 5 …, 3, 7 ….
void PackDepthwiseOffsets(int32_t channels, const int32_t* offsets, int32_t* packed);
// `in` and `out` are [H, W, C].
void Depthwise(const ConvShape& s, const ConvScaling& k, const uint8_t* in, const uint8_t* packed,
               const int32_t* packed_offsets, uint8_t* out);

// Pooling of `depth` channels; cells beyond the image do not count, and every window has one in it,
// at most 257. `in` and `out` are [H, W, C].
void MaxPool(const ConvShape& s, const uint8_t* in, uint8_t* out);
void AveragePool(const ConvShape& s, const uint8_t* in, uint8_t* out);

// `u8((sat16(((a ka + b kb) >> drop) + offset) + 2^(last - 1)) >> last)`, factors of 16 bits; a
// negative drop shifts the other way.
struct SumScaling {
  int32_t ka, kb, offset, drop, last;
};
void Sum(const SumScaling& k, int32_t count, const uint8_t* a, const uint8_t* b, uint8_t* out);

// `u8(sat16(((q - from) k + 2048) >> 12) + to)`, k from 0 to 65535; the same codes where `same`.
struct Regrid {
  int32_t k, from, to, same;
};
void Extreme(bool greatest, const Regrid& a_grid, const Regrid& b_grid, int32_t count,
             const uint8_t* a, const uint8_t* b, uint8_t* out);

// Codes between two: what RELU, RELUX and CLIP are.
void Clamp(int32_t low, int32_t high, int32_t count, const uint8_t* in, uint8_t* out);

}  // namespace hexagon
}  // namespace mace

#endif  // MACE_HEXAGON_HVX_KERNELS_H_
