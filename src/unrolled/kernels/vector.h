// Vectors of floats, as wide as the instruction set that a file is compiled for, and maths on them.
//
// The same sources are compiled once per instruction set. Everything here has internal linkage, and
// nothing from the standard library's templates is used: the linker would keep one copy of an
// inline function for all instruction sets, perhaps one that this processor cannot run.
#pragma once

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#define UNROLLED_PASTE(name, isa) unrolled_##name##_##isa
#define UNROLLED_NAME(name, isa) UNROLLED_PASTE(name, isa)
// An exported function: KERNEL(void, lstm_forward) is void unrolled_lstm_forward_avx2 and so on.
#define KERNEL(type, name) \
  extern "C" __attribute__((visibility("default"))) type UNROLLED_NAME(name, UNROLLED_ISA)

namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));
typedef uint16_t Shorts __attribute__((vector_size(2 * LANES)));

// The upper half of a float32.
struct Bfloat16 {
  uint16_t bits;
};

inline int64_t at_most(int64_t x, int64_t limit) { return x < limit ? x : limit; }
inline int64_t round_up(int64_t x, int64_t unit) { return (x + unit - 1) / unit * unit; }

inline Floats all(float x) { return x - Floats{}; }

template <class To, class From>
inline To bits_as(From x) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To y;
  memcpy(&y, &x, sizeof y);
  return y;
}

// The first n <= LANES elements; the rest is zero.
template <class Vector, class Element>
inline Vector load_as(const Element* p, int n) {
  Vector x = {};
  if (n >= LANES) {
    memcpy(&x, p, sizeof x);
  } else {
    memcpy(&x, p, n * sizeof *p);
  }
  return x;
}

template <class Element, class Vector>
inline void store_as(Element* p, Vector x, int n) {
  if (n >= LANES) {
    memcpy(p, &x, sizeof x);
  } else {
    memcpy(p, &x, n * sizeof *p);
  }
}

inline Floats load(const float* p, int n = LANES) { return load_as<Floats>(p, n); }
inline Ints load(const int32_t* p, int n = LANES) { return load_as<Ints>(p, n); }

inline Ints load_bits(const Bfloat16* p, int n = LANES) {
  return __builtin_convertvector(load_as<Shorts>(p, n), Ints);
}

inline Floats load(const Bfloat16* p, int n = LANES) {
  return bits_as<Floats>(load_bits(p, n) << 16);
}

inline void store(float* p, Floats x, int n = LANES) { store_as(p, x, n); }
inline void store(int32_t* p, Ints x, int n = LANES) { store_as(p, x, n); }

// Rounds to nearest, ties to even.
inline Shorts to_bfloat16(Floats x) {
#if defined(__AVX512BF16__)
  return bits_as<Shorts>(_mm512_cvtneps_pbh(bits_as<__m512>(x)));
#else
  Ints bits = bits_as<Ints>(x);
  bits += 0x7fff + ((bits >> 16) & 1);
  return __builtin_convertvector(bits >> 16, Shorts);
#endif
}

inline void store(Bfloat16* p, Floats x, int n = LANES) { store_as(p, to_bfloat16(x), n); }

// What is left of x when it is stored as an element.
template <class Element>
inline Floats rounded(Floats x) {
  return sizeof(Element) == sizeof(float)
             ? x
             : bits_as<Floats>(__builtin_convertvector(to_bfloat16(x), Ints) << 16);
}

inline Floats clamp(Floats x, float limit) {
  x = x < -limit ? all(-limit) : x;  // false for NaN, which goes through
  return x > limit ? all(limit) : x;
}

// x = n log 2 + r with |r| <= log(2) / 2; returns exp(r) - 1 by its Taylor series, and 2^n.
inline Floats reduced_expm1(Floats x, Floats* scale) {
  const Floats shift = all(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  Floats shifted = x * 1.44269504f + shift;
  Floats n = shifted - shift;
  Floats r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  Floats p = all(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  *scale = bits_as<Floats>((bits_as<Ints>(shifted) - (0x4b400000 - 127)) << 23);
  return p * (r * r) + r;
}

inline Floats exp(Floats x) {
  Floats scale, e = reduced_expm1(clamp(x, 87.0f), &scale);
  return e * scale + scale;
}

// 1 / x for finite x, to the last bit or two.
inline Floats reciprocal(Floats x) {
#if defined(__AVX512F__)
  const Floats y = bits_as<Floats>(_mm512_rcp14_ps(bits_as<__m512>(x)));
  return y * (2.0f - x * y);  // a step of Newton's method: three times as fast as dividing
#else
  return 1.0f / x;
#endif
}

inline Floats sigmoid(Floats x) { return reciprocal(1.0f + exp(-x)); }

// tanh(x) = e / (e + 2) with e = exp(2 x) - 1, exact to the last bits near zero too.
inline Floats tanh(Floats x) {
  Floats scale, e = reduced_expm1(clamp(2.0f * x, 20.0f), &scale);
  e = e * scale + (scale - 1.0f);
  return e * reciprocal(e + 2.0f);
}

}  // namespace
