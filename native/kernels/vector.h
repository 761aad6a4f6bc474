// PyTorch's vectors (at::vec), as wide as the processor that the addon is compiled for.
#pragma once
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define CPU_CAPABILITY AVX512
#define CPU_CAPABILITY_AVX512
#elif defined(__AVX2__) && defined(__FMA__)
#define CPU_CAPABILITY AVX2
#define CPU_CAPABILITY_AVX2
#endif
// g++ 12 takes its own undefined vectors for mistakes.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <ATen/cpu/vec/functional.h>
#include <ATen/cpu/vec/vec.h>

namespace tessera {

using V = at::vec::Vectorized<float>;

// A lambda, so that loops over rows inline it.
inline constexpr auto plus = [](V a, V b) { return a + b; };

}  // namespace tessera
