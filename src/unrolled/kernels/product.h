// Matrix products of a few rows with a panel of columns: all that a recurrence multiplies.
//
// A panel has WIDTH columns, in strips as wide as a tile; the K rows of a strip lie one after the
// other, for bfloat16 two by two with the two values of a column side by side, as the processors'
// dot-product instructions want them.
#pragma once

#include "vector.h"
#if defined(UNROLLED_TILES)
#include "tiles.h"
#endif

namespace {

#if defined(__AVX512F__)
constexpr int VECTORS = 4;        // of a row of the panel, worked on at a time
constexpr int ACCUMULATORS = 24;  // of 32 registers
#elif defined(__AVX2__)
constexpr int VECTORS = 2;
constexpr int ACCUMULATORS = 12;  // of 16 registers
#elif defined(__aarch64__)
constexpr int VECTORS = 4;
constexpr int ACCUMULATORS = 20;  // of 32 registers, which hold the factors of a step too
#else
constexpr int VECTORS = 2;
constexpr int ACCUMULATORS = 8;
#endif

// A strip is multiplied in slices of its rows that stay in the first-level cache. What lies behind,
// the next slices, is fetched meanwhile: from beyond the second-level cache it would come too late.
// Half of that cache: 48 kB where there is AVX-512, 32 kB elsewhere.
#if defined(__AVX512F__)
constexpr int64_t SLICE_BYTES = 24 << 10;
#else
constexpr int64_t SLICE_BYTES = 16 << 10;
#endif
constexpr int64_t LINE_BYTES = 64;

// Elements that lie side by side in a panel: rows of one column.
template <class Element>
constexpr int PAIR = 4 / sizeof(Element);

// Columns of a strip.
template <int WIDTH>
constexpr int STRIP = WIDTH < VECTORS * LANES ? WIDTH : VECTORS * LANES;

// The left factor, element (r, k), as rows of K ...
template <class Element>
struct Rows {
  const Element* p;
  int64_t stride;
  const Element* at(int64_t r, int64_t k) const { return p + r * stride + k; }
};

// ... or packed like a strip of `stride` columns, which is then read as its transpose.
template <class Element>
struct Columns {
  const Element* p;
  int64_t stride;
  const Element* at(int64_t r, int64_t k) const { return p + k * stride + r * PAIR<Element>; }
};

// sum += the product of what lies at a, on every lane, with a vector of the panel.
inline void multiply_add(Floats& sum, const float* a, const float* column) {
  sum += all(*a) * load(column);
}

#if defined(__AVX512BF16__)
inline void multiply_add(Floats& sum, const Bfloat16* a, const Bfloat16* column) {
  int32_t pair;
  memcpy(&pair, a, sizeof pair);
  __m512bh columns;
  memcpy(&columns, column, sizeof columns);
  sum = bits_as<Floats>(
      _mm512_dpbf16_ps(bits_as<__m512>(sum), (__m512bh)_mm512_set1_epi32(pair), columns));
}
#endif

// c (ROWS, COUNT vectors) = or += a (ROWS, K) strip (K, COUNT vectors). With FETCH, a line from
// `next` on is fetched for each row of the strip.
template <int ROWS, int COUNT, bool FETCH, class Left, class Element>
void tile(
    Left a, const Element* strip, int64_t K, bool add, float* c, int64_t stride, const char* next) {
  Floats sums[ROWS][COUNT];
#pragma GCC unroll 24
  for (int r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < COUNT; v++) sums[r][v] = add ? load(c + r * stride + v * LANES) : Floats{};
  }
  for (int64_t k = 0; k < K; k += PAIR<Element>, strip += COUNT * LANES * PAIR<Element>) {
    if constexpr (FETCH) {
      __builtin_prefetch(next, 0, 2);
      next += LINE_BYTES;
    }
#pragma GCC unroll 24
    for (int r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
      for (int v = 0; v < COUNT; v++) {
        multiply_add(sums[r][v], a.at(r, k), strip + v * LANES * PAIR<Element>);
      }
    }
  }
#pragma GCC unroll 24
  for (int r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < COUNT; v++) store(c + r * stride + v * LANES, sums[r][v]);
  }
}

// Calls the tile of the given number of rows, at most MOST.
template <int MOST, int COUNT, bool FETCH, class Left, class Element>
inline void tile_of(
    int64_t rows, Left a, const Element* strip, int64_t K, bool add, float* c, int64_t stride,
    const char* next) {
  if constexpr (MOST > 1) {
    if (rows < MOST) {
      return tile_of<MOST - 1, COUNT, FETCH>(rows, a, strip, K, add, c, stride, next);
    }
  }
  tile<MOST, COUNT, FETCH>(a, strip, K, add, c, stride, next);
}

// c (rows, COUNT vectors) = or += a (rows, K) strip (K, COUNT vectors).
template <int COUNT, bool FETCH, class Left, class Element>
void strip_product(
    int64_t rows, Left a, const Element* strip, int64_t K, bool add, float* c, int64_t stride,
    const char* next) {
  constexpr int MOST = ACCUMULATORS / COUNT;
  const int64_t num_tiles = (rows + MOST - 1) / MOST;
  for (int64_t i = 0; i < num_tiles; i++) {  // of equal heights, as far as possible
    const int64_t first = rows * i / num_tiles, last = rows * (i + 1) / num_tiles;
    tile_of<MOST, COUNT, FETCH>(
        last - first, Left{a.at(first, 0), a.stride}, strip, K, add, c + first * stride, stride,
        next + i * K / PAIR<Element> * LINE_BYTES);
  }
}

// c (rows, WIDTH) = or += a (rows, K) panel (K, WIDTH); K is even for bfloat16. Rows of c are
// `stride` apart.
template <int WIDTH, class Left, class Element>
void product(
    int64_t rows, int64_t K, Left a, const Element* panel, bool add, float* c,
    int64_t stride = WIDTH) {
  constexpr int COLUMNS = STRIP<WIDTH>, COUNT = COLUMNS / LANES, P = PAIR<Element>;
  static_assert(WIDTH % COLUMNS == 0, "the panel is cut into equal parts");
  const int64_t bytes = K * COLUMNS * sizeof(Element);
  const int64_t slices = (bytes + SLICE_BYTES / 2) / SLICE_BYTES;
  for (int64_t column = 0; column < WIDTH; column += COLUMNS) {
    const Element* strip = panel + column * K;
    if (slices < 2) {
      strip_product<COUNT, false>(rows, a, strip, K, add, c + column, stride, nullptr);
      continue;
    }
    for (int64_t i = 0; i < slices; i++) {
      const int64_t start = K / P * i / slices * P, end = K / P * (i + 1) / slices * P;
      strip_product<COUNT, true>(
          rows, Left{a.at(0, start), a.stride}, strip + start * COLUMNS, end - start, add || i,
          c + column, stride, reinterpret_cast<const char*>(strip + end * COLUMNS));
    }
  }
}

// Whether products of elements go through tiles: the left factor then has to lie in rows.
template <class Element>
constexpr bool TILES = false;

#if defined(UNROLLED_TILES)
template <>
constexpr bool TILES<Bfloat16> = true;
constexpr int64_t FEWEST_TILE_ROWS = 5;  // fewer leave most of a tile empty

template <int WIDTH>
void product(
    int64_t rows, int64_t K, Rows<Bfloat16> a, const Bfloat16* panel, bool add, float* c,
    int64_t stride = WIDTH) {
  static_assert(STRIP<WIDTH> == WIDTH, "rows of a strip are rows of the panel");
  if (rows < FEWEST_TILE_ROWS) {
    return product<WIDTH, Rows<Bfloat16>, Bfloat16>(rows, K, a, panel, add, c, stride);
  }
  unrolled_tile_product(rows, WIDTH, K, a.stride, WIDTH, stride, add, a.p, panel, c, true);
}
#endif

}  // namespace
