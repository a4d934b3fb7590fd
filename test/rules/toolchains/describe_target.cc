// Compares the ABI that it was built for with its argument.

#include <cstdio>
#include <cstring>

namespace {

#if defined(__x86_64__)
constexpr const char* kAbis[] = {"host"};
#elif defined(__aarch64__)
constexpr const char* kAbis[] = {"arm64", "arm64-v8a"};
#elif defined(__ARM_PCS_VFP)
constexpr const char* kAbis[] = {"armhf"};
#elif defined(__arm__)
constexpr const char* kAbis[] = {"armeabi-v7a"};
#endif

#if defined(__arm__) && !(defined(__ARM_NEON) && defined(__thumb2__) && __ARM_ARCH == 7)
#error "32-bit ARM must be v7 with Thumb-2 and NEON"
#endif
#if defined(__AVX__)
#error "x86-64 code outside the kernels must run on every x86-64 CPU"
#endif

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (const char* abi : kAbis) {
    if (std::strcmp(abi, argv[1]) == 0) return 0;
  }
  std::fprintf(stderr, "built for %s, expected %s\n", kAbis[0], argv[1]);
  return 1;
}
