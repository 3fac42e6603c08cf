// What is left of a row's states when its steps are pooled: the last, the greatest, the sum.
//
// T steps of B rows of H units, of which counts(row) are the row's own; what lies behind them does
// not count, whatever it is.

#include <math.h>

#include "schedule.h"

namespace {

// Calls f(row, its own number of steps) for all rows; each thread takes every so many.
template <class F>
void over_rows(
    int64_t T, int64_t B, int64_t H, const Threads& threads, const int64_t* counts, F&& f) {
  const int64_t parts = T * B * H < SMALL_STEP ? 1 : at_most(threads.number, B);
  threads.run(parts, [&](int64_t part) {
    for (int64_t row = part; row < B; row += parts) {
      f(row, counts[row] > 0 ? at_most(T, counts[row]) : 0);
    }
  });
}

template <class Element>
void forward(
    int64_t T, int64_t B, int64_t H, Threads threads, const int64_t* counts,
    const Element* y,                            // (T, B, H)
    float* last, float* greatest, float* total,  // (B, H): 0, -inf and 0 where there is no step
    int32_t* places) {                           // (B, H), the first step of the greatest, or -1
  over_rows(T, B, H, threads, counts, [&](int64_t row, int64_t count) {
    const int64_t begin = row * H;
    memset(last + begin, 0, H * sizeof *last);
    memset(total + begin, 0, H * sizeof *total);
    for (int64_t u = begin; u < begin + H; u++) greatest[u] = -INFINITY, places[u] = -1;
    for (int64_t t = 0; t < count; t++) {
      for (int64_t u = 0; u < H; u += LANES) {
        const int n = (int)(H - u);
        const int64_t at = begin + u;
        const Floats state = load(y + (t * B + row) * H + u, n), before = load(greatest + at, n);
        const Ints place = (int32_t)t - Ints{}, place_before = load(places + at, n);
        const Ints more = (state > before) | (state != state);  // no number is the greatest
        store(greatest + at, more ? state : before, n);
        store(places + at, more ? place : place_before, n);
        store(total + at, load(total + at, n) + state, n);
        if (t == count - 1) store(last + at, state, n);
      }
    }
  });
}

template <class Element>
void backward(
    int64_t T, int64_t B, int64_t H, Threads threads, const int64_t* counts, const int32_t* places,
    const float* grad_last, const float* grad_greatest, const float* grad_total,  // (B, H)
    Element* grad_y) {                                                            // (T, B, H)
  over_rows(T, B, H, threads, counts, [&](int64_t row, int64_t count) {
    for (int64_t t = 0; t < T; t++) {
      Element* grad = grad_y + (t * B + row) * H;
      if (t >= count) {
        memset(grad, 0, H * sizeof *grad);
        continue;
      }
      for (int64_t u = 0; u < H; u += LANES) {
        const int n = (int)(H - u);
        const int64_t at = row * H + u;
        const Ints place = load(places + at, n);
        Floats sum = load(grad_total + at, n);
        sum += place == (int32_t)t ? load(grad_greatest + at, n) : Floats{};
        if (t == count - 1) sum += load(grad_last + at, n);
        store(grad + u, sum, n);
      }
    }
  });
}

}  // namespace

#define POOL_KERNELS(Element, precision)                                                     \
  KERNEL(void, pool_forward_##precision)(                                                    \
      ParallelFor run, int64_t num_threads, int64_t T, int64_t B, int64_t H,                 \
      const int64_t* counts, const Element* y, float* last, float* greatest, float* total,   \
      int32_t* places) {                                                                     \
    forward<Element>(T, B, H, {run, num_threads}, counts, y, last, greatest, total, places); \
  }                                                                                          \
  KERNEL(void, pool_backward_##precision)(                                                   \
      ParallelFor run, int64_t num_threads, int64_t T, int64_t B, int64_t H,                 \
      const int64_t* counts, const int32_t* places, const float* grad_last,                  \
      const float* grad_greatest, const float* grad_total, Element* grad_y) {                \
    backward<Element>(                                                                       \
        T, B, H, {run, num_threads}, counts, places, grad_last, grad_greatest, grad_total,   \
        grad_y);                                                                             \
  }

POOL_KERNELS(float, float32)
POOL_KERNELS(Bfloat16, bfloat16)
