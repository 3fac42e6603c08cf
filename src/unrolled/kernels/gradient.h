// Gradients of weights and biases: sums over all rows of a sequence.
#pragma once

#include "panels.h"

namespace {

// Packs `count` columns of rows `first` to `first + K` like a strip of `width` columns.
template <class Row>
void interleave(Row row, int64_t first, int64_t K, int64_t count, int64_t width, float* strip) {
  for (int64_t k = 0; k < K; k++, strip += width) {
    memcpy(strip, row(first + k), count * sizeof *strip);
    memset(strip + count, 0, (width - count) * sizeof *strip);
  }
}

template <class Row>
void interleave(Row row, int64_t first, int64_t K, int64_t count, int64_t width, Bfloat16* strip) {
  for (int64_t k = 0; k < K; k += 2, strip += 2 * width) {
    const Bfloat16* one = row(first + k);
    const Bfloat16* two = k + 1 < K ? row(first + k + 1) : nullptr;
    for (int64_t c = 0; c < width; c += LANES) {
      const int n = (int)(count - c);
      Ints pairs = {};
      if (n > 0) pairs = load_bits(one + c, n);
      if (n > 0 && two) pairs |= load_bits(two + c, n) << 16;
      memcpy(strip + 2 * c, &pairs, sizeof pairs);
    }
  }
}

#if defined(UNROLLED_TILES)
// Lays `count` columns of rows 0 to K out as rows, `stride` apart; what is missing of a last pair
// is zero.
template <class Row>
void turn(Row row, int64_t K, int64_t count, int64_t stride, Bfloat16* turned) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i places = _mm512_mullo_epi32(lanes, _mm512_set1_epi32((int)(stride / 2)));
  for (int64_t k = 0; k < K; k += 2) {
    const Bfloat16* one = row(k);
    const Bfloat16* two = k + 1 < K ? row(k + 1) : nullptr;
    for (int64_t c = 0; c < count; c += LANES) {
      const int n = (int)(count - c);
      Ints pairs = load_bits(one + c, n);
      if (two) pairs |= load_bits(two + c, n) << 16;
      const __mmask16 mask = (__mmask16)(n >= LANES ? 0xffff : (1 << n) - 1);
      _mm512_mask_i32scatter_epi32(
          turned + c * stride + k, mask, places, bits_as<__m512i>(pairs), 4);
    }
  }
}
#endif

// Where each of the N rows of a tensor lies.
template <class Element>
struct RowTable {
  Scratch<const Element*> rows;

  // `place(t, row)` gives a pointer.
  template <class Place>
  RowTable(const Sequences& seq, const Place& place) : rows(seq.rows()) {
    const Element** next = rows.data;
    for (int64_t t = 0; t < seq.T; t++) {
      for (int64_t row = 0; row < seq.active(t); row++) *next++ = place(t, row);
    }
  }
  const Element* operator()(int64_t n) const { return rows.data[n]; }
};

template <class Element>
RowTable<Element> rows_of(const Sequences& seq, const Element* tensor, int64_t width) {
  return {seq, [&](int64_t t, int64_t row) { return tensor + (seq.places[t] + row) * width; }};
}

// The state before each of the N rows: (row n) -> H elements.
template <class Element>
class Previous {
  Scratch<Element> first;
  RowTable<Element> rows;

 public:
  Previous(const Sequences& seq, const float* h0, const Element* y, int64_t H)
      : first(seq.B * H), rows(seq, [&](int64_t t, int64_t row) {
          return t ? y + (seq.places[t - 1] + row) * H : first.data + row * H;
        }) {
    copy_rows(h0, seq.B, H, first.data, H);
  }
  const Element* operator()(int64_t n) const { return rows(n); }
};

// The sum over rows of slopes (R) times inputs (C): a gradient (R, C), and that of the bias (R), or
// null. Each thread takes its own rows of the gradient.
template <class Element>
class WeightGradient {
  // So many rows of the sequence, and of the gradient, that both factors stay in the cache. Where
  // elements are small, longer sums: the gradient is read and written once for each.
  static constexpr int64_t CHUNK = sizeof(Element) == 2 ? 512 : 128;
  static constexpr int64_t BLOCK = sizeof(Element) == 2 ? 48 : 192;
  static constexpr int64_t WIDTH = 64;
  int64_t R, C, panels, parts;
  Threads threads;
  float *gradient, *bias;
  Scratch<float> rest;  // (R, WIDTH): the last columns, where they are fewer than a panel has

 public:
  WeightGradient(int64_t R, int64_t C, const Threads& threads, float* gradient, float* bias)
      : R(R),
        C(C),
        panels((C + WIDTH - 1) / WIDTH),
        parts(at_most(threads.number, R)),
        threads(threads),
        gradient(gradient),
        bias(bias),
        rest(C % WIDTH ? R * WIDTH : 0) {
    rest.clear();
    if (bias) memset(bias, 0, R * sizeof(float));
    this->threads.run(parts, [&](int64_t part) {
      const int64_t first = R * part / parts, count = R * (part + 1) / parts - first;
      memset(gradient + first * C, 0, count * C * sizeof(float));
    });
  }

  // Adds rows 0 to N of slopes(n) and inputs(n), given as pointers.
  template <class Slopes, class Inputs>
  void add(int64_t N, const Slopes& slopes, const Inputs& inputs) {
    threads.run(parts, [&](int64_t part) {
      const int64_t first = R * part / parts, count = R * (part + 1) / parts - first;
      const int64_t stride = round_up(at_most(count, BLOCK), LANES);
      Scratch<Element> left(CHUNK * stride), right(panels * CHUNK * WIDTH);
      for (int64_t n = 0; n < N; n += CHUNK) {
        const int64_t rows = at_most(CHUNK, N - n), K = round_up(rows, PAIR<Element>);
        for (int64_t k = 0; bias && k < rows; k++) {
          const Element* slope = slopes(n + k) + first;
          for (int64_t r = 0; r < count; r += LANES) {
            const int lanes = (int)(count - r);
            float* sum = bias + first + r;
            store(sum, load(sum, lanes) + load(slope + r, lanes), lanes);
          }
        }
        for (int64_t column = 0; column < panels * WIDTH; column += STRIP<WIDTH>) {
          const int64_t from = at_most(column, C);
          interleave(
              [&](int64_t k) { return inputs(k) + from; }, n, rows, at_most(STRIP<WIDTH>, C - from),
              STRIP<WIDTH>, right.data + column * K);
        }
        for (int64_t r = 0; r < count; r += BLOCK) {
          const int64_t height = at_most(BLOCK, count - r);
          auto part_of = [&](int64_t k) { return slopes(k) + first + r; };
          if constexpr (TILES<Element>) {
            turn([&](int64_t k) { return part_of(n + k); }, rows, height, CHUNK, left.data);
          } else {
            interleave(part_of, n, rows, height, stride, left.data);
          }
          for (int64_t panel = 0; panel < panels; panel++) {
            const Element* columns = right.data + panel * WIDTH * K;
            const bool whole = (panel + 1) * WIDTH <= C;
            const int64_t row = first + r, width = whole ? C : WIDTH;
            float* sum = whole ? gradient + row * C + panel * WIDTH : rest.data + row * WIDTH;
            if constexpr (TILES<Element>) {
              product<WIDTH>(height, K, Rows<Element>{left.data, CHUNK}, columns, true, sum, width);
            } else {
              product<WIDTH>(
                  height, K, Columns<Element>{left.data, stride}, columns, true, sum, width);
            }
          }
        }
      }
    });
  }

  // Brings the gradient to its end after the last rows.
  void finish() const {
    const int64_t column = (panels - 1) * WIDTH;
    if (C % WIDTH) store_columns(rest.data, R, WIDTH, column, gradient, C);
  }
};

}  // namespace
