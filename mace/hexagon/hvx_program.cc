// A program for the DSP without a library: reads operators and their operands from the standard
// input, writes their codes to the standard output. A record is a Kind and then
// - products: ConvShape, ConvScaling, the image, the filter and one offset a channel;
// - pooling: ConvShape and the image;
// - sums: SumScaling, extremes: two Regrids, clamps: low and high; a count; one or two operands.
#include <stdint.h>

#include "mace/hexagon/hvx_kernels.h"

namespace {

constexpr int32_t kMost = 1 << 20;

// Bytes behind an output, which must stay as they are.
constexpr int32_t kGuard = 128;
constexpr uint8_t kUntouched = 0xa5;

alignas(128) uint8_t g_image[kMost + kGuard], g_words[4 * kMost], g_filter[kMost + kGuard],
    g_packed[4 * kMost], g_out[kMost + 2 * kGuard];
alignas(128) int32_t g_offsets[4096], g_packed_offsets[4096];

// Numbers of system calls: read 63, write 64, exit 93.
int32_t System(int32_t number, int32_t a, const void* b, int32_t c) {
  register int32_t r6 asm("r6") = number;
  register int32_t r0 asm("r0") = a;
  register const void* r1 asm("r1") = b;
  register int32_t r2 asm("r2") = c;
  asm volatile("trap0(#1)" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r6) : "memory");
  return r0;
}

[[noreturn]] void Exit(int32_t code) {
  for (;;) System(93, code, nullptr, 0);
}

// False at the end of the input.
bool Read(void* to, int32_t bytes) {
  for (int32_t done = 0; done < bytes;) {
    const int32_t got = System(63, 0, static_cast<uint8_t*>(to) + done, bytes - done);
    if (got <= 0) return false;
    done += got;
  }
  return true;
}

// What a record must have.
void Need(void* to, int32_t bytes) {
  if (!Read(to, bytes)) Exit(2);
}

// Runs an operator that gives so many codes, and writes them.
template <typename Of>
void WriteCodes(uint8_t* codes, int32_t bytes, const Of& of) {
  for (int32_t i = 0; i < kGuard; ++i) codes[bytes + i] = kUntouched;
  of(codes);
  for (int32_t i = 0; i < kGuard; ++i) {
    if (codes[bytes + i] != kUntouched) Exit(4);
  }
  for (int32_t done = 0; done < bytes;) {
    const int32_t put = System(64, 1, codes + done, bytes - done);
    if (put <= 0) Exit(3);
    done += put;
  }
}

void RunProduct(bool depthwise) {
  using namespace mace::hexagon;
  ConvShape s;
  ConvScaling k;
  Need(&s, sizeof s);
  Need(&k, sizeof k);
  const int32_t taps = s.kernel_h * s.kernel_w;
  const int32_t filter = depthwise ? taps * s.channels : taps * s.depth * s.channels;
  const int32_t image = s.height * s.width * s.depth, out = s.out_h * s.out_w * s.channels;
  if (image > kMost || filter > kMost || out > kMost || s.channels > 4096 - kVectorBytes) Exit(2);
  for (int32_t i = 0; i < 4096; ++i) g_offsets[i] = 0;
  Need(g_image, image);
  Need(g_filter, filter);
  Need(g_offsets, s.channels * static_cast<int32_t>(sizeof(int32_t)));
  if (depthwise) {
    if (PackedDepthwiseBytes(s) > 4 * kMost) Exit(2);
    PackDepthwise(s, k.zero_filter, g_filter, g_packed);
    PackDepthwiseOffsets(s.channels, g_offsets, g_packed_offsets);
    WriteCodes(g_out, out, [&](uint8_t* codes) {
      Depthwise(s, k, g_image, g_packed, g_packed_offsets, codes);
    });
  } else {
    if (PackedConvBytes(s) > 4 * kMost) Exit(2);
    PackConv(s, g_filter, g_packed);
    PackImage(s, g_image, g_words);
    WriteCodes(g_out, out,
               [&](uint8_t* codes) { Conv(s, k, g_words, g_packed, g_offsets, codes); });
  }
}

void RunPool(bool average) {
  mace::hexagon::ConvShape s;
  Need(&s, sizeof s);
  const int32_t image = s.height * s.width * s.depth, out = s.out_h * s.out_w * s.depth;
  if (image > kMost || out > kMost) Exit(2);
  Need(g_image, image);
  WriteCodes(g_out, out, [&](uint8_t* codes) {
    if (average) {
      AveragePool(s, g_image, codes);
    } else {
      MaxPool(s, g_image, codes);
    }
  });
}

// Operands and codes begin anywhere: `of` gets their number and where they are.
template <typename Of>
void RunPairwise(int32_t operands, const Of& of) {
  uint8_t *const a = g_image + 3, *const b = g_filter + 5;
  int32_t count;
  Need(&count, sizeof count);
  if (count < 0 || count > kMost) Exit(2);
  Need(a, count);
  if (operands == 2) Need(b, count);
  WriteCodes(g_out + 7, count, [&](uint8_t* codes) { of(count, a, b, codes); });
}

}  // namespace

extern "C" {

// What compilers call without being asked.
void* memset(void* to, int value, unsigned long count) {
  volatile uint8_t* const bytes = static_cast<volatile uint8_t*>(to);
  for (unsigned long i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(value);
  return to;
}
void* memcpy(void* to, const void* from, unsigned long count) {
  volatile uint8_t* const bytes = static_cast<volatile uint8_t*>(to);
  for (unsigned long i = 0; i < count; ++i) bytes[i] = static_cast<const uint8_t*>(from)[i];
  return to;
}

void _start() {
  using namespace mace::hexagon;
  int32_t kind;
  while (Read(&kind, sizeof kind)) {
    switch (static_cast<Kind>(kind)) {
      case Kind::kConv:
      case Kind::kDepthwise:
        RunProduct(kind == static_cast<int32_t>(Kind::kDepthwise));
        break;
      case Kind::kMaxPool:
      case Kind::kAveragePool:
        RunPool(kind == static_cast<int32_t>(Kind::kAveragePool));
        break;
      case Kind::kSum: {
        SumScaling k;
        Need(&k, sizeof k);
        RunPairwise(2, [&](int32_t count, const uint8_t* a, const uint8_t* b, uint8_t* out) {
          Sum(k, count, a, b, out);
        });
        break;
      }
      case Kind::kMinimum:
      case Kind::kMaximum: {
        Regrid grids[2];
        Need(grids, sizeof grids);
        const bool greatest = kind == static_cast<int32_t>(Kind::kMaximum);
        RunPairwise(2, [&](int32_t count, const uint8_t* a, const uint8_t* b, uint8_t* out) {
          Extreme(greatest, grids[0], grids[1], count, a, b, out);
        });
        break;
      }
      case Kind::kClamp: {
        int32_t ends[2];
        Need(ends, sizeof ends);
        RunPairwise(1, [&](int32_t count, const uint8_t* a, const uint8_t*, uint8_t* out) {
          Clamp(ends[0], ends[1], count, a, out);
        });
        break;
      }
      default:
        Exit(2);
    }
  }
  Exit(0);
}

}  // extern "C"
