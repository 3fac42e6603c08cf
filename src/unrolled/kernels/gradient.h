// Gradients of weights and biases: sums over all rows of a sequence.
#pragma once

#include "panels.h"

namespace {

// Packs `count` columns of rows `first` to `first + K` like a panel of `width` columns.
template <class Row>
void interleave(Row row, int64_t first, int64_t K, int64_t count, int64_t width, float* panel) {
  for (int64_t k = 0; k < K; k++, panel += width) {
    memcpy(panel, row(first + k), count * sizeof *panel);
    memset(panel + count, 0, (width - count) * sizeof *panel);
  }
}

inline Ints load_bits(const Bfloat16* p, int n) {
  Shorts x = {};
  memcpy(&x, p, (n < LANES ? n : LANES) * sizeof *p);
  return __builtin_convertvector(x, Ints);
}

template <class Row>
void interleave(Row row, int64_t first, int64_t K, int64_t count, int64_t width, Bfloat16* panel) {
  for (int64_t k = 0; k < K; k += 2, panel += 2 * width) {
    const Bfloat16* one = row(first + k);
    const Bfloat16* two = k + 1 < K ? row(first + k + 1) : nullptr;
    for (int64_t c = 0; c < width; c += LANES) {
      const int n = (int)(count - c);
      Ints pairs = {};
      if (n > 0) pairs = load_bits(one + c, n);
      if (n > 0 && two) pairs |= load_bits(two + c, n) << 16;
      memcpy(panel + 2 * c, &pairs, sizeof pairs);
    }
  }
}

// The state before each of the N rows: (row n) -> H elements.
template <class Element>
struct Previous {
  const Element* y;
  int64_t H;
  Scratch<Element> first;
  Scratch<const Element*> rows;

  Previous(const Sequences& seq, const float* h0, const Element* y, int64_t H)
      : y(y), H(H), first(seq.B * H), rows(seq.rows()) {
    copy_rows(h0, seq.B, H, first.data, H);
    for (int64_t t = 0; t < seq.T; t++) {
      const Element* before = t ? y + seq.offsets[t - 1] * H : first.data;
      for (int64_t row = 0; row < seq.active(t); row++) {
        rows.data[seq.offsets[t] + row] = before + row * H;
      }
    }
  }
  const Element* operator()(int64_t n) const { return rows.data[n]; }
};

// gradient (R, C) = sum over n of slopes(n) (R) times inputs(n) (C), rows given as pointers;
// bias (R), where wanted, = sum of slopes(n). Each thread takes its own rows of the gradient.
template <class Element, class Slopes, class Inputs>
void weight_gradient(
    int64_t N, int64_t R, const Slopes& slopes, int64_t C, const Inputs& inputs, float* gradient, float* bias,
    const Threads& threads) {
  constexpr int64_t CHUNK = 256, WIDTH = 64;  // a panel in use stays in the second-level cache
  const int64_t parts = at_most(threads.number, R), panels = (C + WIDTH - 1) / WIDTH;
  threads.run(parts, [&](int64_t part) {
    const int64_t first = R * part / parts, count = R * (part + 1) / parts - first;
    const int64_t stride = round_up(count, LANES);
    Scratch<Element> left(CHUNK * stride), right(CHUNK * WIDTH);
    Scratch<float> sums(panels * count * WIDTH), total(stride);
    total.clear();
    for (int64_t n = 0; n < N; n += CHUNK) {
      const int64_t rows = at_most(CHUNK, N - n), K = round_up(rows, PAIR<Element>);
      interleave([&](int64_t k) { return slopes(k) + first; }, n, rows, count, stride, left.data);
      for (int64_t k = 0; bias && k < rows; k++) {
        for (int64_t r = 0; r < count; r += LANES) {
          const int lanes = (int)(count - r);
          store(total.data + r, load(total.data + r) + load(slopes(n + k) + first + r, lanes));
        }
      }
      for (int64_t panel = 0; panel < panels; panel++) {
        const int64_t column = panel * WIDTH;
        interleave(
            [&](int64_t k) { return inputs(k) + column; }, n, rows, at_most(WIDTH, C - column),
            WIDTH, right.data);
        product<WIDTH>(
            count, K, Columns<Element>{left.data, stride}, right.data, n > 0,
            sums.data + panel * count * WIDTH);
      }
    }
    for (int64_t r = 0; r < count; r++) {
      for (int64_t panel = 0; panel < panels; panel++) {
        const int64_t column = panel * WIDTH;
        memcpy(
            gradient + (first + r) * C + column, sums.data + (panel * count + r) * WIDTH,
            at_most(WIDTH, C - column) * sizeof(float));
      }
      if (bias) bias[first + r] = total.data[r];
    }
  });
}

}  // namespace
