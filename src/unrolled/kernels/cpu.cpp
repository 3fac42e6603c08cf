// Which of the compiled instruction sets this processor has, asked of the processor at run time.

#include <string.h>

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

// Whether the processor multiplies tiles of bfloat16.
extern "C" __attribute__((visibility("default"))) int unrolled_has_amx() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
  __builtin_cpu_init();
  return __builtin_cpu_supports("amx-bf16") != 0;
#else
  return 0;
#endif
}
