// The minGRU over whole sequences, forward and backward, from the products of all steps at once.
//
//     z = sigmoid(s_z),  h' = h + z (s_n - h)  with  s = W x + b
//
// T steps of B rows, H hidden units; a row of the sums has s_z for all units, then s_n.

#include "schedule.h"

namespace {

// Calls f(first row, last row, first unit, last unit) for what each thread takes: rows of its own,
// or, with too few rows, units. Both go through time alone; there is nothing to wait for.
template <class F>
void over_units(int64_t B, int64_t H, const Threads& threads, F&& f) {
  const int64_t vectors = (H + LANES - 1) / LANES, by_rows = at_most(threads.number, B);
  const int64_t by_units = at_most(threads.number / by_rows, vectors);
  threads.run(by_rows * by_units, [&](int64_t part) {
    const int64_t row = part / by_units, unit = part % by_units;
    f(B * row / by_rows, B * (row + 1) / by_rows, vectors * unit / by_units * LANES,
      at_most(H, vectors * (unit + 1) / by_units * LANES));
  });
}

template <class Element>
void forward(
    int64_t T, int64_t B, int64_t H, Threads threads,
    const Element* sums,  // (T, B, 2H)
    float* h,             // (B, H) before the first step; becomes that after the last
    Element* y) {         // (T, B, H)
  over_units(B, H, threads, [&](int64_t first, int64_t last, int64_t begin, int64_t end) {
    for (int64_t t = 0; t < T; t++) {
      for (int64_t row = first; row < last; row++) {
        const int64_t at = t * B + row;
        for (int64_t u = begin; u < end; u += LANES) {
          const int lanes = (int)(end - u);
          const Element* sum = sums + at * 2 * H + u;
          const Floats z = sigmoid(load(sum, lanes)), before = load(h + row * H + u, lanes);
          const Floats after = before + z * (load(sum + H, lanes) - before);
          store(h + row * H + u, after, lanes);
          store(y + at * H + u, after, lanes);
        }
      }
    }
  });
}

template <class Element>
void backward(
    int64_t T, int64_t B, int64_t H, Threads threads,
    const Element* sums,    // (T, B, 2H)
    const float* h0,        // (B, H)
    const Element* y,       // (T, B, H)
    const Element* grad_y,  // (T, B, H)
    float* grad_h,          // (B, H) of the last state; becomes that of the first
    Element* grad_sums) {   // (T, B, 2H)
  over_units(B, H, threads, [&](int64_t first, int64_t last, int64_t begin, int64_t end) {
    for (int64_t t = T - 1; t >= 0; t--) {
      for (int64_t row = first; row < last; row++) {
        const int64_t at = t * B + row;
        for (int64_t u = begin; u < end; u += LANES) {
          const int lanes = (int)(end - u);
          const Element* sum = sums + at * 2 * H + u;
          const Floats z = sigmoid(load(sum, lanes));
          const Floats before =
              t ? load(y + (at - B) * H + u, lanes) : load(h0 + row * H + u, lanes);
          const Floats dh = load(grad_h + row * H + u, lanes) + load(grad_y + at * H + u, lanes);
          const Floats kept = dh * (1.0f - z);
          const Floats slope = kept * z * (load(sum + H, lanes) - before);
          store(grad_sums + at * 2 * H + u, slope, lanes);
          store(grad_sums + at * 2 * H + H + u, dh * z, lanes);
          store(grad_h + row * H + u, kept, lanes);
        }
      }
    }
  });
}

}  // namespace

#define MIN_GRU_KERNELS(Element, precision)                                                      \
  KERNEL(void, min_gru_forward_##precision)(                                                     \
      ParallelFor run, int64_t num_threads, int64_t T, int64_t B, int64_t H,                     \
      const Element* sums, float* h, Element* y) {                                               \
    forward<Element>(T, B, H, {run, num_threads}, sums, h, y);                                   \
  }                                                                                              \
  KERNEL(void, min_gru_backward_##precision)(                                                    \
      ParallelFor run, int64_t num_threads, int64_t T, int64_t B, int64_t H,                     \
      const Element* sums, const float* h0, const Element* y, const Element* grad_y,             \
      float* grad_h, Element* grad_sums) {                                                       \
    backward<Element>(T, B, H, {run, num_threads}, sums, h0, y, grad_y, grad_h, grad_sums);      \
  }

MIN_GRU_KERNELS(float, float32)
#if defined(__AVX512BF16__)
MIN_GRU_KERNELS(Bfloat16, bfloat16)
#endif
