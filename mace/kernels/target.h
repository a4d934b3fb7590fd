// Compiles the functions between MACE_TARGET_BEGIN and MACE_TARGET_END for an instruction set
// extension. Standard headers are included before, so that their inline functions stay in the
// baseline set: a shared copy compiled with the extension would be a trap for processors without
// it.
#ifndef MACE_KERNELS_TARGET_H_
#define MACE_KERNELS_TARGET_H_

#define MACE_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define MACE_TARGET_BEGIN(isa) \
  MACE_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define MACE_TARGET_END MACE_PRAGMA(clang attribute pop)
#else
#define MACE_TARGET_BEGIN(isa) MACE_PRAGMA(GCC push_options) MACE_PRAGMA(GCC target(isa))
#define MACE_TARGET_END MACE_PRAGMA(GCC pop_options)
#endif

#if defined(__clang__)
#define MACE_UNROLL MACE_PRAGMA(clang loop unroll(full))
#else
#define MACE_UNROLL MACE_PRAGMA(GCC unroll 32)
#endif

#define MACE_ALWAYS_INLINE inline __attribute__((always_inline))

#endif  // MACE_KERNELS_TARGET_H_
