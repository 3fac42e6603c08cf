// The minGRU over whole sequences, forward and backward.
//
//     z = sigmoid(s_z),  h' = h + z (s_n - h)  with  s = W x + b
//
// T steps of B rows; E inputs, H hidden units; s has s_z for all units, then s_n. No unit looks at
// another, so threads may share rows or units, and none waits for another within a pass.

#include "recurrence.h"

namespace {

constexpr int UNITS = 32;
constexpr int64_t MANY_SUMS = 128;  // rows that are multiplied before their gates are computed

template <class Element>
using MinGRUPanels = Panels<Element, 2, UNITS>;

// The way back reads the weights as they are: all rows of W_z, then those of W_n.
template <class Element>
using SumPanels = Panels<Element, 1, 64>;

int64_t blocks_of(int64_t H) { return (H + UNITS - 1) / UNITS; }

// Calls f(first row, last row, first unit, last unit) for each thread's part: so many parts by rows
// times so many by units, in whole blocks of a panel.
template <class F>
void over_parts(
    int64_t B, int64_t H, int64_t by_rows, int64_t by_units, const Threads& threads, F&& f) {
  const int64_t blocks = blocks_of(H);
  threads.run(by_rows * by_units, [&](int64_t part) {
    const int64_t row = part / by_units, unit = part % by_units;
    f(B * row / by_rows, B * (row + 1) / by_rows, blocks * unit / by_units * UNITS,
      at_most(H, blocks * (unit + 1) / by_units * UNITS));
  });
}

template <class Element>
void forward(
    int64_t T, int64_t B, int64_t E, int64_t H, Threads threads,
    const Element* x,                          // (T, B, E)
    const Element* packed, const float* bias,  // by `pack`, (2H)
    float* h,        // (B, H) before the first step; becomes that after the last
    Element* sums,   // (T, B, 2H), or null
    Element* y) {    // (T, B, H)
  const MinGRUPanels<Element> panels{H, E};
  constexpr int64_t WIDTH = MinGRUPanels<Element>::WIDTH;
  const int64_t K = panels.K();
  auto part = [&](int64_t first, int64_t last, int64_t begin, int64_t end) {
    // Several steps at a time, where their rows lie side by side.
    const int64_t count = last - first, many = count == B && B < MANY_SUMS ? MANY_SUMS / B : 1;
    Scratch<float> products(many * count * WIDTH);
    for (int64_t start = 0; start < T; start += many) {
      const int64_t steps = at_most(many, T - start);
      for (int64_t block = begin / UNITS; block * UNITS < end; block++) {
        product<WIDTH>(
            steps * count, K, Rows<Element>{x + (start * B + first) * E, E},
            packed + block * K * WIDTH, false, products.data);
        for (int64_t u = block * UNITS; u < at_most(H, (block + 1) * UNITS); u += LANES) {
          const int n = (int)(H - u);
          const Floats bias_z = load(bias + u, n), bias_n = load(bias + H + u, n);
          const float* product = products.data + u % UNITS;
          for (int64_t t = start; t < start + steps; t++) {
            for (int64_t row = first; row < last; row++, product += WIDTH) {
              const int64_t at = t * B + row;
              float* state = h + row * H + u;
              const Floats sum_z = load(product) + bias_z, sum_n = load(product + UNITS) + bias_n;
              const Floats before = load(state, n);
              const Floats after = before + sigmoid(sum_z) * (sum_n - before);
              store(state, after, n);
              store(y + at * H + u, after, n);
              if (sums) {
                store(sums + at * 2 * H + u, sum_z, n);
                store(sums + at * 2 * H + H + u, sum_n, n);
              }
            }
          }
        }
      }
    }
  };
  // Units first: so a thread reads its own weights only, and multiplies all rows with them.
  const int64_t by_units = at_most(threads.number, blocks_of(H));
  over_parts(B, H, at_most(threads.number / by_units, B), by_units, threads, part);
}

template <class Element>
void backward(
    int64_t T, int64_t B, int64_t E, int64_t H, Threads threads,
    const Element* x,                         // (T, B, E)
    const float* weights, const float* h0,    // (2H, E), (B, H)
    const Element* sums,                      // (T, B, 2H)
    const Element* y, const Element* grad_y,  // (T, B, H)
    float* grad_h,    // (B, H) of the last state; becomes that of the first
    Element* grad_x,  // (T, B, E), or null
    float* grad_weights, float* grad_bias) {
  const SumPanels<Element> panels{2 * H, E};
  constexpr int64_t WIDTH = SumPanels<Element>::BACK;
  const int64_t K = panels.back_K(), many = MANY_ROWS > B ? MANY_ROWS / B : 1;
  Scratch<Element> packed(grad_x ? panels.back_size() : 0), slopes(many * B * K);
  if (grad_x) panels.pack_back(weights, packed.data, threads);
  slopes.clear();
  WeightGradient<Element> of_weights(2 * H, E, threads, grad_weights, grad_bias);
  for (int64_t end = T, start; end > 0; end = start) {
    start = end > many ? end - many : 0;
    const int64_t first = start * B, rows = (end - start) * B;
    auto part = [&](int64_t low, int64_t high, int64_t begin, int64_t stop) {
      for (int64_t t = end - 1; t >= start; t--) {
        for (int64_t row = low; row < high; row++) {
          for (int64_t u = begin; u < stop; u += LANES) {
            const int n = (int)(stop - u);
            const int64_t at = t * B + row;
            const Element* sum = sums + at * 2 * H + u;
            float* grad = grad_h + row * H + u;
            const Floats z = sigmoid(load(sum, n));
            const Floats before =
                t ? load(y + (at - B) * H + u, n) : load(h0 + row * H + u, n);
            const Floats dh = load(grad, n) + load(grad_y + at * H + u, n);
            const Floats kept = dh * (1.0f - z);
            Element* slope = slopes.data + (at - first) * K + u;
            store(slope, kept * z * (load(sum + H, n) - before), n);
            store(slope + H, dh * z, n);
            store(grad, kept, n);
          }
        }
      }
    };
    // Rows first: so what a thread reads lies together.
    const int64_t by_rows = at_most(threads.number, B);
    over_parts(B, H, by_rows, at_most(threads.number / by_rows, blocks_of(H)), threads, part);
    if (grad_x) {
      const int64_t parts = at_most(threads.number, rows);
      threads.run(parts, [&](int64_t part) {
        const int64_t row = rows * part / parts, count = rows * (part + 1) / parts - row;
        Scratch<float> products(count * WIDTH);
        for (int64_t block = 0; block < panels.back_blocks(); block++) {
          product<WIDTH>(
              count, K, Rows<Element>{slopes.data + row * K, K}, packed.data + block * K * WIDTH,
              false, products.data);
          store_columns(
              products.data, count, WIDTH, block * WIDTH, grad_x + (first + row) * E, E);
        }
      });
    }
    of_weights.add(
        rows, [&](int64_t n) { return slopes.data + n * K; },
        [&](int64_t n) { return x + (first + n) * E; });
  }
  of_weights.finish();
}

}  // namespace

#define MIN_GRU_KERNELS(Element, precision)                                              \
  PACK_KERNELS(min_gru, MinGRUPanels, Element, precision)                                \
  KERNEL(void, min_gru_forward_##precision)(FORWARD_ARGUMENTS(Element)) {                \
    forward<Element>(T, B, E, H, {run, num_threads}, x, packed_ih, bias_ih, h, gates, y); \
  }                                                                                      \
  KERNEL(void, min_gru_backward_##precision)(BACKWARD_ARGUMENTS(Element)) {              \
    backward<Element>(                                                                   \
        T, B, E, H, {run, num_threads}, x, weight_ih, h0, gates, y, grad_y, grad_h,      \
        grad_x, grad_ih, grad_bias_ih);                                                  \
  }

MIN_GRU_KERNELS(float, float32)
#if defined(__AVX512BF16__)
MIN_GRU_KERNELS(Bfloat16, bfloat16)
#endif
