// The diagonal linear recurrence h_t = a_t h_{t-1} + b_t, forward and backward.
//
// T steps of C independent channels, `(T, C)`. Each thread takes its own channels and streams
// through time; there is nothing to wait for.

#include "schedule.h"

namespace {

// Calls f(first channel, end) for the channels of each thread, in whole vectors.
template <class F>
void over_channels(int64_t channels, const Threads& threads, F&& f) {
  const int64_t vectors = (channels + LANES - 1) / LANES, parts = at_most(threads.number, vectors);
  threads.run(parts, [&](int64_t i) {
    f(vectors * i / parts * LANES, at_most(channels, vectors * (i + 1) / parts * LANES));
  });
}

}  // namespace

KERNEL(void, scan_forward_float32)(
    ParallelFor run, int64_t num_threads, int64_t T, int64_t C, const float* a, const float* b,
    const float* h0, float* y) {
  over_channels(C, {run, num_threads}, [&](int64_t first, int64_t end) {
    for (int64_t t = 0; t < T; t++) {
      const float* before = t ? y + (t - 1) * C : h0;
      for (int64_t c = first; c < end; c += LANES) {
        const int n = (int)at_most(LANES, end - c);
        const Floats h = load(a + t * C + c, n) * load(before + c, n) + load(b + t * C + c, n);
        store(y + t * C + c, h, n);
      }
    }
  });
}

// grad_y becomes the gradient of b, grad_h that of the first state.
KERNEL(void, scan_backward_float32)(
    ParallelFor run, int64_t num_threads, int64_t T, int64_t C, const float* a, const float* h0,
    const float* y, float* grad_y, float* grad_h, float* grad_a) {
  over_channels(C, {run, num_threads}, [&](int64_t first, int64_t end) {
    for (int64_t t = T - 1; t >= 0; t--) {
      const float* before = t ? y + (t - 1) * C : h0;
      for (int64_t c = first; c < end; c += LANES) {
        const int n = (int)at_most(LANES, end - c);
        const Floats slope = load(grad_y + t * C + c, n) + load(grad_h + c, n);
        store(grad_y + t * C + c, slope, n);
        store(grad_a + t * C + c, slope * load(before + c, n), n);
        store(grad_h + c, slope * load(a + t * C + c, n), n);
      }
    }
  });
}
