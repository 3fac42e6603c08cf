// Which of the compiled instruction sets this processor has, asked of the processor at run time.

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "tiles.h"

TileProduct unrolled_tile_product;
TileRelease unrolled_tile_release;

// Tells the kernels of "amx_bf16" what multiplies tiles: two functions of torch.
extern "C" __attribute__((visibility("default"))) void unrolled_use_tiles(
    TileProduct product, TileRelease release) {
  unrolled_tile_product = product;
  unrolled_tile_release = release;
}

// Whether the kernels of an instruction set were compiled and can run here.
extern "C" __attribute__((visibility("default"))) int unrolled_can_run(const char* name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#if defined(UNROLLED_HAS_AMX_BF16)
  // Torch multiplies such tiles without AMX too, if more slowly: so they can be tested there.
  if (!strcmp(name, "amx_bf16")) {
    return unrolled_tile_product && __builtin_cpu_supports("avx512bf16") != 0;
  }
#endif
#if defined(UNROLLED_HAS_AVX512_BF16)
  if (!strcmp(name, "avx512_bf16")) return __builtin_cpu_supports("avx512bf16") != 0;
#endif
#if defined(UNROLLED_HAS_AVX512)
  if (!strcmp(name, "avx512")) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
#endif
#if defined(UNROLLED_HAS_AVX2)
  if (!strcmp(name, "avx2")) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  }
#endif
#endif
  return !strcmp(name, "portable");
}

// Whether the processor multiplies tiles of bfloat16, and the system keeps their registers.
extern "C" __attribute__((visibility("default"))) int unrolled_has_amx() {
#if defined(__x86_64__)
  // Asked of the processor: Clang's and older GCC's __builtin_cpu_supports do not know AMX.
  constexpr unsigned OSXSAVE = 1 << 27, BF16_AND_TILES = 1 << 22 | 1 << 24, KEPT = 3 << 17;
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & OSXSAVE)) return 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return 0;
  if ((edx & BF16_AND_TILES) != BF16_AND_TILES) return 0;
  __asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return (eax & KEPT) == KEPT;
#else
  return 0;
#endif
}
