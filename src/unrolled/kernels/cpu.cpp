// Which vector instructions this processor has, asked of the processor at run time.

#if defined(_WIN32)
#define UNROLLED_EXPORT extern "C" __declspec(dllexport)
#else
#define UNROLLED_EXPORT extern "C" __attribute__((visibility("default")))
#endif

// Name of the best instruction set: "amx_bf16", "avx512_bf16", "avx512", "avx2" or "portable".
UNROLLED_EXPORT const char* unrolled_instruction_set() {
#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
  __builtin_cpu_init();
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
  if (__builtin_cpu_supports("amx-bf16")) return "amx_bf16";
#endif
  if (__builtin_cpu_supports("avx512bf16")) return "avx512_bf16";
  if (__builtin_cpu_supports("avx512f")) return "avx512";
  if (__builtin_cpu_supports("avx2")) return "avx2";
#endif
  return "portable";
}
