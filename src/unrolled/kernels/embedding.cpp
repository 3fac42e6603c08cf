// Rows of an embedding for tokens, each with a factor of its own, and the gradient of its weights.
//
//     y(n) = factor(n) weights(token(n))
//
// N tokens, V rows of E features.

#include "schedule.h"

namespace {

constexpr int64_t AHEAD = 16;  // tokens whose rows are fetched before their turn

template <class Element>
void forward(
    int64_t N, int64_t E, Threads threads, const int64_t* tokens,  // (N)
    const float* factors, const float* weights,                    // (N) or null, (V, E)
    Element* y) {                                                  // (N, E)
  const int64_t parts = N * E < SMALL_STEP ? 1 : threads.number;
  threads.run(parts, [&](int64_t part) {
    for (int64_t n = N * part / parts; n < N * (part + 1) / parts; n++) {
      const float* row = weights + tokens[n] * E;
      const float* later = weights + tokens[at_most(N - 1, n + AHEAD)] * E;
      const Floats factor = all(factors ? factors[n] : 1.0f);
      for (int64_t u = 0; u < E; u += LANES) {
        const int lanes = (int)(E - u);
        __builtin_prefetch(later + u, 0, 3);
        store(y + n * E + u, factor * load(row + u, lanes), lanes);
      }
    }
  });
}

// Each thread takes some features of all tokens: sums are made in one order, whatever their number.
template <class Element>
void backward(
    int64_t N, int64_t E, int64_t V, Threads threads, const int64_t* tokens,  // (N)
    const float* factors,                                                     // (N) or null
    const Element* grad_y, float* grad_weights) {                             // (N, E), (V, E)
  threads.run(threads.number, [&](int64_t part) {
    const int64_t v = V * part / threads.number, end = V * (part + 1) / threads.number;
    memset(grad_weights + v * E, 0, (end - v) * E * sizeof(float));
  });
  const int64_t vectors = (E + LANES - 1) / LANES, parts = at_most(threads.number, vectors);
  threads.run(parts, [&](int64_t part) {
    const int64_t first = vectors * part / parts * LANES;
    const int64_t end = at_most(E, vectors * (part + 1) / parts * LANES);
    for (int64_t n = 0; n < N; n++) {
      const float* later = grad_weights + tokens[at_most(N - 1, n + AHEAD)] * E;
      const Floats factor = all(factors ? factors[n] : 1.0f);
      float* row = grad_weights + tokens[n] * E;
      for (int64_t u = first; u < end; u += LANES) {
        const int lanes = (int)(end - u);
        __builtin_prefetch(later + u, 1, 3);
        store(row + u, load(row + u, lanes) + factor * load(grad_y + n * E + u, lanes), lanes);
      }
    }
  });
}

}  // namespace

#define EMBEDDING_KERNELS(Element, precision)                                              \
  KERNEL(void, embedding_forward_##precision)(                                             \
      ParallelFor run, int64_t num_threads, int64_t N, int64_t E, const int64_t* tokens,   \
      const float* factors, const float* weights, Element* y) {                            \
    forward<Element>(N, E, {run, num_threads}, tokens, factors, weights, y);               \
  }                                                                                        \
  KERNEL(void, embedding_backward_##precision)(                                            \
      ParallelFor run, int64_t num_threads, int64_t N, int64_t E, int64_t V,               \
      const int64_t* tokens, const float* factors, const Element* grad_y,                  \
      float* grad_weights) {                                                               \
    backward<Element>(N, E, V, {run, num_threads}, tokens, factors, grad_y, grad_weights); \
  }

EMBEDDING_KERNELS(float, float32)
EMBEDDING_KERNELS(Bfloat16, bfloat16)
