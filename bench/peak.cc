// Peak loops of this machine, one thread: how many multiply-adds per second the best instruction
// can do on registers alone. Prints lines `<instruction> <GMAC/s>`, median of nine runs, for what
// the processor has.

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>

namespace {

using Clock = std::chrono::steady_clock;

// Twelve independent accumulators hide the latency of any of the instructions.
constexpr int kAccumulators = 12;
constexpr long kIterations = 4000000;

volatile float g_float_sink;
volatile int g_int_sink;

__attribute__((target("avx2,fma"))) void Fma256(long n) {
  __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f), c[kAccumulators];
  for (auto& v : c) v = a;
  for (long i = 0; i < n; ++i) {
    for (auto& v : c) {
      v = _mm256_fmadd_ps(a, b, v);
      asm volatile("" : "+x"(v));
    }
  }
  for (auto& v : c) g_float_sink = _mm256_cvtss_f32(v);
}

__attribute__((target("avx512f"))) void Fma512(long n) {
  __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f), c[kAccumulators];
  for (auto& v : c) v = a;
  for (long i = 0; i < n; ++i) {
    for (auto& v : c) {
      v = _mm512_fmadd_ps(a, b, v);
      asm volatile("" : "+v"(v));
    }
  }
  for (auto& v : c) g_float_sink = _mm512_cvtss_f32(v);
}

__attribute__((target("avx2"))) void Madd256(long n) {
  __m256i a = _mm256_set1_epi16(3), b = _mm256_set1_epi16(-2), c[kAccumulators];
  for (auto& v : c) v = a;
  for (long i = 0; i < n; ++i) {
    for (auto& v : c) {
      __m256i product = _mm256_madd_epi16(a, b);
      asm volatile("" : "+x"(product));
      v = _mm256_add_epi32(v, product);
    }
  }
  for (auto& v : c) g_int_sink = _mm256_extract_epi32(v, 0);
}

__attribute__((target("avx512f,avx512vnni"))) void Vnni512(long n) {
  __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-2), c[kAccumulators];
  for (auto& v : c) v = a;
  for (long i = 0; i < n; ++i) {
    for (auto& v : c) {
      v = _mm512_dpbusd_epi32(v, a, b);
      asm volatile("" : "+v"(v));
    }
  }
  for (auto& v : c) g_int_sink = _mm512_reduce_add_epi32(v);
}

void Report(const char* name, int macs_per_instruction, void (*loop)(long)) {
  loop(kIterations / 10);
  std::array<double, 9> rates;
  for (double& rate : rates) {
    const auto start = Clock::now();
    loop(kIterations);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    rate = static_cast<double>(macs_per_instruction) * kAccumulators * kIterations / seconds / 1e9;
  }
  std::sort(rates.begin(), rates.end());
  std::printf("%s %.1f\n", name, rates[rates.size() / 2]);
}

}  // namespace

int main() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    Report("float32_avx2_fma", 8, Fma256);
    Report("int16_avx2_madd", 16, Madd256);
  }
  if (__builtin_cpu_supports("avx512f")) Report("float32_avx512_fma", 16, Fma512);
  if (__builtin_cpu_supports("avx512vnni")) Report("int8_avx512_vnni", 64, Vnni512);
  return 0;
}
