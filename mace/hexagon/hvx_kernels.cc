#include "mace/hexagon/hvx_kernels.h"

#include <hexagon_protos.h>
#include <hexagon_types.h>

namespace mace {
namespace hexagon {

namespace {

constexpr int kBytesPerDot = 4;

template <int kSize>
int32_t Groups(int32_t count) {
  return static_cast<int32_t>((static_cast<uint32_t>(count) + kSize - 1) / kSize);
}

// Bytes of one tap of one group of channels, without its sums.
int32_t TapBytes(const ConvShape& s) { return Groups<kBytesPerDot>(s.depth) * kVectorBytes; }

HVX_Vector Load(const void* at) { return *static_cast<const HVX_Vector*>(at); }

// sat32(sum · 2^shift) · mantissa / 2^31, halves up: the truncated low product changes no result,
// since the high one and the half are whole.
HVX_Vector Scale(HVX_Vector sums, const ConvScaling& k) {
  if (k.shift > 0) {
    const int32_t limit = 0x7fffffff >> k.shift;
    sums = Q6_Vw_vmin_VwVw(sums, Q6_V_vsplat_R(limit));
    sums = Q6_Vw_vmax_VwVw(sums, Q6_V_vsplat_R(-limit - 1));
    sums = Q6_Vw_vasl_VwR(sums, k.shift);
  }
  const HVX_Vector mantissa = Q6_V_vsplat_R(k.mantissa);
  const HVX_Vector low = Q6_Vw_vmpye_VwVuh(sums, mantissa);
  return Q6_Vw_vmpyoacc_VwVwVh_s1_rnd_sat_shift(low, sums, mantissa);
}

int32_t PixelBytes(const ConvShape& s) { return Groups<kBytesPerDot>(s.depth) * kBytesPerDot; }

// A vector from anywhere.
typedef long UnalignedVector __attribute__((__vector_size__(kVectorBytes), aligned(1)));
HVX_Vector LoadUnaligned(const uint8_t* at) {
  return reinterpret_cast<HVX_Vector>(*reinterpret_cast<const UnalignedVector*>(at));
}

int32_t OffsetOf(const void* at) {
  return static_cast<int32_t>(reinterpret_cast<uintptr_t>(at) & (kVectorBytes - 1));
}

// The first `count` bytes of a vector; the others are anything. Aligned vectors that hold one of
// them are read, so no page is touched that has none.
HVX_Vector LoadPart(const uint8_t* at, int32_t count) {
  if (count >= kVectorBytes) return LoadUnaligned(at);
  const int32_t offset = OffsetOf(at);
  const HVX_Vector* const aligned = reinterpret_cast<const HVX_Vector*>(at - offset);
  const HVX_Vector low = aligned[0];
  return Q6_V_valign_VVR(offset + count > kVectorBytes ? aligned[1] : low, low, offset);
}

// The taps of a window that lie in the image: calls `visit` with the number of the tap and its
// cell's.
template <typename Visit>
void ForTaps(const ConvShape& s, int32_t y, int32_t x, const Visit& visit) {
  const int32_t top = y * s.stride_h - s.before_h, left = x * s.stride_w - s.before_w;
  const auto least = [](int32_t a, int32_t b) { return a < b ? a : b; };
  const int32_t ky_end = least(s.kernel_h, s.height - top);
  const int32_t kx_begin = left < 0 ? -left : 0, kx_end = least(s.kernel_w, s.width - left);
  for (int32_t ky = top < 0 ? -top : 0; ky < ky_end; ++ky) {
    int32_t tap = ky * s.kernel_w + kx_begin, cell = (top + ky) * s.width + left + kx_begin;
    for (int32_t kx = kx_begin; kx < kx_end; ++kx) visit(tap++, cell++);
  }
}

// The first `count` bytes of a vector to anywhere; bytes around them stay.
void StoreBytes(HVX_Vector codes, int32_t count, uint8_t* out) {
  if (count >= kVectorBytes) {
    *reinterpret_cast<UnalignedVector*>(out) = reinterpret_cast<UnalignedVector>(codes);
    return;
  }
  const int32_t offset = OffsetOf(out), end = offset + count;
  HVX_Vector* const aligned = reinterpret_cast<HVX_Vector*>(out - offset);
  // Byte 0 goes to the offset; what does not fit behind it comes round, for the next vector.
  const HVX_Vector turned = Q6_V_vror_VR(codes, -offset);
  const HVX_VectorPred last = Q6_Q_vsetq2_R(end < kVectorBytes ? end : kVectorBytes);
  Q6_vmem_QRIV(Q6_Q_and_QQn(last, Q6_Q_vsetq_R(offset)), aligned, turned);
  if (end > kVectorBytes) Q6_vmem_QRIV(Q6_Q_vsetq_R(end - kVectorBytes), aligned + 1, turned);
}

}  // namespace

int32_t PackedConvBytes(const ConvShape& s) {
  return Groups<kChannels>(s.channels) * s.kernel_h * s.kernel_w * (TapBytes(s) + kVectorBytes);
}

void PackConv(const ConvShape& s, const uint8_t* filter, uint8_t* packed) {
  const int32_t groups = Groups<kChannels>(s.channels), taps = s.kernel_h * s.kernel_w;
  for (int32_t group = 0; group < groups; ++group) {
    for (int32_t tap = 0; tap < taps; ++tap) {
      int32_t* const sums = reinterpret_cast<int32_t*>(packed + TapBytes(s));
      for (int32_t lane = 0; lane < kChannels; ++lane) sums[lane] = 0;
      for (int32_t i = 0; i < TapBytes(s) / kChannels; ++i) {
        for (int32_t lane = 0; lane < kChannels; ++lane) {
          const int32_t c = group * kChannels + lane;
          const bool there = i < s.depth && c < s.channels;
          const uint8_t w = there ? filter[(tap * s.depth + i) * s.channels + c] : uint8_t{0};
          packed[i / kBytesPerDot * kVectorBytes + lane * kBytesPerDot + i % kBytesPerDot] = w;
          sums[lane] += w;
        }
      }
      packed += TapBytes(s) + kVectorBytes;
    }
  }
}

int32_t PackedImageBytes(const ConvShape& s) { return s.height * s.width * PixelBytes(s); }

void PackImage(const ConvShape& s, const uint8_t* image, uint8_t* packed) {
  for (int32_t pixel = 0; pixel < s.height * s.width; ++pixel) {
    for (int32_t i = 0; i < PixelBytes(s); ++i) *packed++ = i < s.depth ? *image++ : uint8_t{0};
  }
}

void Conv(const ConvShape& s, const ConvScaling& k, const uint8_t* in, const uint8_t* packed,
          const int32_t* offsets, uint8_t* out) {
  const int32_t taps = s.kernel_h * s.kernel_w, step = TapBytes(s) + kVectorBytes;
  const HVX_Vector ones = Q6_V_vsplat_R(0x01010101);
  for (int32_t group = 0; group * kChannels < s.channels; ++group) {
    const uint8_t* const weights = packed + group * taps * step;
    const HVX_Vector offset = Load(offsets + group * kChannels);
    for (int32_t y = 0; y < s.out_h; ++y) {
      for (int32_t x = 0; x < s.out_w; ++x) {
        HVX_Vector products = Q6_V_vzero(), codes = Q6_V_vzero(), filters = Q6_V_vzero();
        int32_t terms = 0;
        ForTaps(s, y, x, [&](int32_t tap, int32_t at) {
          const uint32_t* words = reinterpret_cast<const uint32_t*>(in + at * PixelBytes(s));
          const uint8_t* w = weights + tap * step;
          // One packet of the DSP each; unrolled, more pointers than registers make it slower.
#pragma clang loop unroll(disable)
          for (int32_t i = 0; i < s.depth; i += kBytesPerDot, w += kVectorBytes) {
            const uint32_t bytes = *words++;
            products = Q6_Vuw_vrmpyacc_VuwVubRub(products, Load(w), bytes);
            codes = Q6_Vuw_vrmpyacc_VuwVubRub(codes, ones, bytes);
          }
          filters = Q6_Vw_vadd_VwVw(filters, Load(w));
          terms += s.depth;
        });
        // Σ (x − zx)(w − zw) = Σ xw − zw Σ x − zx Σ w + n zx zw
        HVX_Vector sums =
            Q6_Vw_vsub_VwVw(products, Q6_Vw_vmpyi_VwRub(codes, Q6_R_vsplatb_R(k.zero_filter)));
        sums = Q6_Vw_vsub_VwVw(sums, Q6_Vw_vmpyi_VwRub(filters, Q6_R_vsplatb_R(k.zero_in)));
        sums = Q6_Vw_vadd_VwVw(sums, Q6_V_vsplat_R(terms * k.zero_in * k.zero_filter));
        const HVX_Vector scaled = Scale(Q6_Vw_vadd_VwVw_sat(sums, offset), k);
        const HVX_Vector halves = Q6_Vh_vpack_VwVw_sat(scaled, scaled);
        const int32_t left = s.channels - group * kChannels;
        StoreBytes(Q6_Vub_vpack_VhVh_sat(halves, halves), left < kChannels ? left : kChannels,
                   out + (y * s.out_w + x) * s.channels + group * kChannels);
      }
    }
  }
}

int32_t PackedDepthwiseBytes(const ConvShape& s) {
  return Groups<kVectorBytes>(s.channels) * s.kernel_h * s.kernel_w * kVectorBytes;
}

void PackDepthwise(const ConvShape& s, int32_t zero_filter, const uint8_t* filter,
                   uint8_t* packed) {
  const int32_t taps = s.kernel_h * s.kernel_w;
  for (int32_t first = 0; first < s.channels; first += kVectorBytes) {
    for (int32_t tap = 0; tap < taps; ++tap) {
      for (int32_t i = 0; i < kVectorBytes; ++i) {
        const int32_t c = first + i;
        *packed++ =
            c < s.channels ? filter[tap * s.channels + c] : static_cast<uint8_t>(zero_filter);
      }
    }
  }
}

void PackDepthwiseOffsets(int32_t channels, const int32_t* offsets, int32_t* packed) {
  constexpr int32_t kFirst[] = {0, 2, 1, 3};
  for (int32_t first = 0; first < channels; first += kVectorBytes) {
    for (const int32_t start : kFirst) {
      for (int32_t lane = 0; lane < kChannels; ++lane) {
        const int32_t c = first + 4 * lane + start;
        *packed++ = c < channels ? offsets[c] : 0;
      }
    }
  }
}

void Depthwise(const ConvShape& s, const ConvScaling& k, const uint8_t* in, const uint8_t* packed,
               const int32_t* packed_offsets, uint8_t* out) {
  const int32_t taps = s.kernel_h * s.kernel_w;
  const HVX_Vector zero_in = Q6_V_vsplat_R(Q6_R_vsplatb_R(k.zero_in));
  const HVX_Vector zero_filter = Q6_V_vsplat_R(Q6_R_vsplatb_R(k.zero_filter));
  for (int32_t first = 0; first < s.channels; first += kVectorBytes) {
    const uint8_t* const weights = packed + first * taps;
    const int32_t left = s.channels - first;
    for (int32_t y = 0; y < s.out_h; ++y) {
      for (int32_t x = 0; x < s.out_w; ++x) {
        HVX_VectorPair even = Q6_W_vcombine_VV(Q6_V_vzero(), Q6_V_vzero()), odd = even;
        ForTaps(s, y, x, [&](int32_t tap, int32_t at) {
          const HVX_Vector codes = LoadPart(in + at * s.channels + first, left);
          const HVX_VectorPair values = Q6_Wh_vsub_VubVub(codes, zero_in);
          const HVX_VectorPair filter =
              Q6_Wh_vsub_VubVub(Load(weights + tap * kVectorBytes), zero_filter);
          even = Q6_Ww_vmpyacc_WwVhVh(even, Q6_V_lo_W(values), Q6_V_lo_W(filter));
          odd = Q6_Ww_vmpyacc_WwVhVh(odd, Q6_V_hi_W(values), Q6_V_hi_W(filter));
        });
        const auto scaled = [&](HVX_Vector sums, int32_t part) {
          const HVX_Vector offset = Load(packed_offsets + first + part * kChannels);
          return Scale(Q6_Vw_vadd_VwVw_sat(sums, offset), k);
        };
        // Pairs interleave: channels 0, 4 … and 2, 6 … become 0, 2, 4 …; those and 1, 3 … all.
        const HVX_Vector evens =
            Q6_Vh_vsat_VwVw(scaled(Q6_V_hi_W(even), 1), scaled(Q6_V_lo_W(even), 0));
        const HVX_Vector odds =
            Q6_Vh_vsat_VwVw(scaled(Q6_V_hi_W(odd), 3), scaled(Q6_V_lo_W(odd), 2));
        StoreBytes(Q6_Vub_vsat_VhVh(odds, evens), left,
                   out + (y * s.out_w + x) * s.channels + first);
      }
    }
  }
}

void MaxPool(const ConvShape& s, const uint8_t* in, uint8_t* out) {
  for (int32_t first = 0; first < s.depth; first += kVectorBytes) {
    const int32_t left = s.depth - first;
    for (int32_t y = 0; y < s.out_h; ++y) {
      for (int32_t x = 0; x < s.out_w; ++x) {
        HVX_Vector most = Q6_V_vzero();
        ForTaps(s, y, x, [&](int32_t, int32_t at) {
          most = Q6_Vub_vmax_VubVub(most, LoadPart(in + at * s.depth + first, left));
        });
        StoreBytes(most, left, out + (y * s.out_w + x) * s.depth + first);
      }
    }
  }
}

namespace {

// The whole part of 2^15 / cells, at most 16 bits with sign: the DSP has no division, and programs
// no library for it.
int32_t ShareOf(int32_t cells) {
  int32_t quotient = 0, rest = 1 << 15;
  for (int32_t bit = 14; bit >= 0; --bit) {
    const int32_t part = cells << bit;
    if (part > rest) continue;
    rest -= part;
    quotient |= 1 << bit;
  }
  return quotient;
}

}  // namespace

void AveragePool(const ConvShape& s, const uint8_t* in, uint8_t* out) {
  const HVX_Vector half = Q6_V_vsplat_R(1 << 14);
  for (int32_t first = 0; first < s.depth; first += kVectorBytes) {
    const int32_t left = s.depth - first;
    for (int32_t y = 0; y < s.out_h; ++y) {
      for (int32_t x = 0; x < s.out_w; ++x) {
        HVX_VectorPair sums = Q6_W_vcombine_VV(Q6_V_vzero(), Q6_V_vzero());
        int32_t cells = 0;
        ForTaps(s, y, x, [&](int32_t, int32_t at) {
          sums =
              Q6_Wh_vaddacc_WhVubVub(sums, LoadPart(in + at * s.depth + first, left), Q6_V_vzero());
          ++cells;
        });
        const int32_t share = ShareOf(cells);
        const HVX_Vector factor = Q6_V_vsplat_R(share << 16 | share);
        // Halves of even bytes, then of odd ones; words of each interleave likewise.
        const auto scaled = [&](HVX_Vector halves) {
          const HVX_VectorPair words = Q6_Wuw_vmpy_VuhVuh(halves, factor);
          const auto rounded = [&](HVX_Vector w) {
            return Q6_Vuw_vlsr_VuwR(Q6_Vw_vadd_VwVw(w, half), 15);
          };
          return Q6_Vh_vsat_VwVw(rounded(Q6_V_hi_W(words)), rounded(Q6_V_lo_W(words)));
        };
        StoreBytes(Q6_Vub_vsat_VhVh(scaled(Q6_V_hi_W(sums)), scaled(Q6_V_lo_W(sums))), left,
                   out + (y * s.out_w + x) * s.depth + first);
      }
    }
  }
}

namespace {

// Codes as numbers of 16 bits, in two vectors: of even bytes and of odd ones.
HVX_VectorPair Widen(HVX_Vector codes) { return Q6_Wuh_vzxt_Vub(codes); }

// Two operands, a vector at a time; `of` makes codes of codes.
template <typename Of>
void Pairwise(int32_t count, const uint8_t* a, const uint8_t* b, uint8_t* out, const Of& of) {
  for (int32_t at = 0; at < count; at += kVectorBytes) {
    const int32_t left = count - at;
    StoreBytes(of(LoadPart(a + at, left), LoadPart(b + at, left)), left, out + at);
  }
}

HVX_Vector Saturate16(HVX_Vector words) {
  words = Q6_Vw_vmin_VwVw(words, Q6_V_vsplat_R(32767));
  return Q6_Vw_vmax_VwVw(words, Q6_V_vsplat_R(-32768));
}

int32_t Twice(int32_t half) { return half << 16 | (half & 0xffff); }

// Words of even and odd places to bytes: what Widen and a multiplication took apart.
template <typename Of>
HVX_Vector Narrow(HVX_VectorPair evens, HVX_VectorPair odds, const Of& of) {
  const HVX_Vector even = Q6_Vh_vsat_VwVw(of(Q6_V_hi_W(evens)), of(Q6_V_lo_W(evens)));
  const HVX_Vector odd = Q6_Vh_vsat_VwVw(of(Q6_V_hi_W(odds)), of(Q6_V_lo_W(odds)));
  return Q6_Vub_vsat_VhVh(odd, even);
}

}  // namespace

void Sum(const SumScaling& k, int32_t count, const uint8_t* a, const uint8_t* b, uint8_t* out) {
  const HVX_Vector offset = Q6_V_vsplat_R(k.offset), half = Q6_V_vsplat_R(1 << (k.last - 1));
  const HVX_Vector ka = Q6_V_vsplat_R(Twice(k.ka)), kb = Q6_V_vsplat_R(Twice(k.kb));
  Pairwise(count, a, b, out, [&](HVX_Vector x, HVX_Vector y) {
    const HVX_VectorPair xs = Widen(x), ys = Widen(y);
    const auto products = [&](HVX_Vector p, HVX_Vector q) {
      return Q6_Ww_vmpyacc_WwVhVh(Q6_Ww_vmpy_VhVh(p, ka), q, kb);
    };
    return Narrow(products(Q6_V_lo_W(xs), Q6_V_lo_W(ys)), products(Q6_V_hi_W(xs), Q6_V_hi_W(ys)),
                  [&](HVX_Vector sum) {
                    sum = k.drop >= 0 ? Q6_Vw_vasr_VwR(sum, k.drop) : Q6_Vw_vasl_VwR(sum, -k.drop);
                    sum = Saturate16(Q6_Vw_vadd_VwVw(sum, offset));
                    return Q6_Vw_vasr_VwR(Q6_Vw_vadd_VwVw(sum, half), k.last);
                  });
  });
}

void Extreme(bool greatest, const Regrid& a_grid, const Regrid& b_grid, int32_t count,
             const uint8_t* a, const uint8_t* b, uint8_t* out) {
  const auto regrid = [](const Regrid& grid, HVX_Vector codes) {
    if (grid.same) return codes;
    const HVX_Vector k = Q6_V_vsplat_R(Twice(grid.k)), from = Q6_V_vsplat_R(Twice(grid.from));
    const HVX_Vector to = Q6_V_vsplat_R(grid.to), half = Q6_V_vsplat_R(2048);
    const HVX_VectorPair values = Widen(codes);
    const auto products = [&](HVX_Vector p) {
      return Q6_Ww_vmpy_VhVuh(Q6_Vh_vsub_VhVh(p, from), k);
    };
    return Narrow(products(Q6_V_lo_W(values)), products(Q6_V_hi_W(values)), [&](HVX_Vector v) {
      v = Saturate16(Q6_Vw_vasr_VwR(Q6_Vw_vadd_VwVw(v, half), 12));
      return Q6_Vw_vadd_VwVw(v, to);
    });
  };
  Pairwise(count, a, b, out, [&](HVX_Vector x, HVX_Vector y) {
    const HVX_Vector p = regrid(a_grid, x), q = regrid(b_grid, y);
    return greatest ? Q6_Vub_vmax_VubVub(p, q) : Q6_Vub_vmin_VubVub(p, q);
  });
}

void Clamp(int32_t low, int32_t high, int32_t count, const uint8_t* in, uint8_t* out) {
  const HVX_Vector least = Q6_V_vsplat_R(Q6_R_vsplatb_R(low));
  const HVX_Vector most = Q6_V_vsplat_R(Q6_R_vsplatb_R(high));
  Pairwise(count, in, in, out, [&](HVX_Vector x, HVX_Vector) {
    return Q6_Vub_vmax_VubVub(Q6_Vub_vmin_VubVub(x, most), least);
  });
}

}  // namespace hexagon
}  // namespace mace
