// Weights packed into panels for `product`, for the way forward and for the way back.
//
// Hidden units go in blocks. A panel of the way forward has the columns of all gates of one block,
// so that the gates of a unit come out side by side; the way back sums over the same order.
#pragma once

#include "product.h"
#include "schedule.h"

namespace {

template <class Element>
inline void put(Element* p, float x) {
  if constexpr (sizeof(Element) == sizeof(float)) {
    *p = x;
  } else {
    uint32_t bits = bits_as<uint32_t>(x);
    p->bits = (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
}

// Puts a vector of a row into a panel; of bfloat16, a vector of two rows, or null for the second.
inline void put_pair(float* p, const float* one, const float*, int n) { store(p, load(one, n)); }

inline void put_pair(Bfloat16* p, const float* one, const float* two, int n) {
  Ints pairs = __builtin_convertvector(to_bfloat16(load(one, n)), Ints);
  if (two) pairs |= __builtin_convertvector(to_bfloat16(load(two, n)), Ints) << 16;
  memcpy(p, &pairs, sizeof pairs);
}

// Where row k of a column lies in a panel of K rows.
template <int WIDTH, class Element>
inline int64_t place(int64_t k, int64_t column, int64_t K) {
  constexpr int P = PAIR<Element>, COLUMNS = STRIP<WIDTH>;
  return column / COLUMNS * COLUMNS * K + (k / P * COLUMNS + column % COLUMNS) * P + k % P;
}

// Panels of weights (GATES * H, inputs); `inputs` is H for the recurrent ones.
template <class Element, int GATES, int UNITS>
struct Panels {
  static constexpr int64_t WIDTH = GATES * UNITS;  // columns of a panel forward
  static constexpr int64_t BACK = 64;              // columns of a panel back

  int64_t H, inputs;

  int64_t blocks() const { return (H + UNITS - 1) / UNITS; }
  int64_t K() const { return round_up(inputs, PAIR<Element>); }
  int64_t size() const { return blocks() * K() * WIDTH; }

  int64_t back_blocks() const { return (inputs + BACK - 1) / BACK; }
  int64_t back_K() const { return blocks() * WIDTH; }
  int64_t back_size() const { return back_blocks() * back_K() * BACK; }

  // The position of gate 0 of a unit in a row of `back_K` slopes; the next gate is UNITS further.
  static int64_t slope(int64_t unit) { return unit / UNITS * WIDTH + unit % UNITS; }

  void pack(const float* weights, Element* panels, const Threads& threads) const {
    threads.run(blocks(), [&](int64_t block) {
      Element* panel = panels + block * K() * WIDTH;
      memset(panel, 0, K() * WIDTH * sizeof(Element));
      const int64_t count = at_most(UNITS, H - block * UNITS);
      for (int gate = 0; gate < GATES; gate++) {
        const float* first = weights + (gate * H + block * UNITS) * inputs;
        for (int64_t begin = 0; begin < inputs; begin += LANES) {  // lines of the cache, row by row
          const int n = (int)at_most(LANES, inputs - begin);
          for (int64_t u = 0; u < count; u++) {
            Element line[LANES];
            store(line, load(first + u * inputs + begin, n));
            for (int k = 0; k < n; k += PAIR<Element>) {
              memcpy(panel + place<WIDTH, Element>(begin + k, gate * UNITS + u, K()), line + k, 4);
            }
          }
        }
      }
    });
  }

  void pack_back(const float* weights, Element* panels, const Threads& threads) const {
    threads.run(back_blocks(), [&](int64_t block) {
      Element* panel = panels + block * back_K() * BACK;
      memset(panel, 0, back_K() * BACK * sizeof(Element));
      const int64_t first = block * BACK, count = at_most(BACK, inputs - first);
      for (int gate = 0; gate < GATES; gate++) {
        for (int64_t unit = 0; unit < H; unit += PAIR<Element>) {
          const float* row = weights + (gate * H + unit) * inputs + first;
          const float* next = unit + 1 < H ? row + inputs : nullptr;
          for (int64_t u = 0; u < count; u += LANES) {
            const int64_t k = slope(unit) + gate * UNITS;
            put_pair(
                panel + place<BACK, Element>(k, u, back_K()), row + u, next ? next + u : nullptr,
                (int)(count - u));
          }
        }
      }
    });
  }
};

// Copies (rows, count) floats into rows of `stride` elements.
template <class Element>
void copy_rows(const float* from, int64_t rows, int64_t count, Element* to, int64_t stride) {
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t u = 0; u < count; u++) put(to + row * stride + u, from[row * count + u]);
  }
}

// Puts rows of `width` sums into columns `column` onward of rows of `count` elements.
template <class Element>
void store_columns(
    const float* sums, int64_t rows, int64_t width, int64_t column, Element* to, int64_t count) {
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t u = column; u < at_most(count, column + width); u += LANES) {
      store(to + row * count + u, load(sums + row * width + u - column), (int)(count - u));
    }
  }
}

}  // namespace

// The two functions through which a kernel's weights (GATES * H, inputs) are packed once for many
// calls: how many elements that takes, and the packing.
#define PACK_KERNELS(name, Panels, Element, precision)                                            \
  KERNEL(int64_t, name##_packed_size_##precision)                                                 \
  (ParallelFor, int64_t, int64_t inputs, int64_t H) { return Panels<Element>{H, inputs}.size(); } \
  KERNEL(void, name##_pack_##precision)                                                           \
  (ParallelFor run, int64_t num_threads, int64_t inputs, int64_t H, const float* weights,         \
   Element* packed) {                                                                             \
    Panels<Element>{H, inputs}.pack(weights, packed, {run, num_threads});                         \
  }
