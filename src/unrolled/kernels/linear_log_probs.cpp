// Log-probabilities of given tokens under a softmax over the vocabulary, and their gradients.
//
//     log p(target) = logit(target) - log sum_v exp(logit(v)),  logits = W hidden + b
//
// N rows of E features, V tokens. Logits are made a panel of 64 tokens at a time, in the cache.

#include <math.h>

#include "gradient.h"
#include "panels.h"

namespace {

constexpr int64_t WIDTH = 64;   // tokens of a panel
constexpr int64_t BLOCK = 128;  // rows that a thread works on at a time
constexpr int64_t DEPTH = 512;  // tokens summed over at a time, so that their slopes stay in cache

template <class Element>
using TokenPanels = Panels<Element, 1, WIDTH>;

inline Floats larger(Floats x, Floats y) { return x > y ? x : y; }

// log sum exp of the lanes of `sum` exp(`peak`).
inline float log_sum_exp(Floats peak, Floats sum) {
  float highest = peak[0], total = 0;
  for (int i = 1; i < LANES; i++) highest = peak[i] > highest ? peak[i] : highest;
  for (int i = 0; i < LANES; i++) total += sum[i] * expf(peak[i] - highest);
  return highest + logf(total);
}

// Adds the logits of a panel's `count` tokens, sums + bias, to a row's running log-sum-exp: lane by
// lane the largest logit so far, and the sum of exp(logit - largest). WHOLE: count is WIDTH.
template <bool WHOLE, class Element>
inline void add_panel(
    const float* sums, const float* bias, int64_t count, Element* kept, float* peaks,
    float* totals) {
  constexpr int COUNT = WIDTH / LANES;
  const Floats before = load(peaks);
  Floats logits[COUNT], peak = before;
#pragma GCC unroll 16
  for (int i = 0; i < COUNT; i++) {
    const int v = i * LANES, n = WHOLE ? LANES : (int)count - v;
    logits[i] = all(-INFINITY);
    if (!WHOLE && n <= 0) continue;
    logits[i] = load(sums + v) + load(bias + v, n);
    if (kept) {  // what the way back will see
      store(kept + v, logits[i], n);
      logits[i] = rounded<Element>(logits[i]);
    }
    for (int lane = n; !WHOLE && lane < LANES; lane++) logits[i][lane] = -INFINITY;
    peak = larger(logits[i], peak);
  }
  // A lane without a token yet: -inf less -inf would be no number.
  const Floats base = peak > -INFINITY ? peak : Floats{};
  Floats total = load(totals) * exp(before - base);
#pragma GCC unroll 16
  for (int i = 0; i < COUNT; i++) total += exp(logits[i] - base);
  store(peaks, peak);
  store(totals, total);
}

template <class Element>
void forward(
    int64_t N, int64_t E, int64_t V, Threads threads,
    const Element* hidden,                     // (N, E)
    const Element* packed, const float* bias,  // weights (V, E) by `pack`, (V)
    const int64_t* targets,                    // (N)
    Element* logits,                           // (N, V), or null
    float* scores, float* normalizers) {       // (N)
  const TokenPanels<Element> tokens{V, E};
  threads.run((N + BLOCK - 1) / BLOCK, [&](int64_t block) {
    const int64_t first = block * BLOCK, rows = at_most(BLOCK, N - first);
    Scratch<float> sums(rows * WIDTH), peaks(rows * LANES), totals(rows * LANES);
    for (int64_t i = 0; i < rows * LANES; i++) peaks.data[i] = -INFINITY, totals.data[i] = 0;
    for (int64_t panel = 0; panel < tokens.blocks(); panel++) {
      const int64_t begin = panel * WIDTH, end = at_most(V, begin + WIDTH);
      product<WIDTH>(
          rows, tokens.K(), Rows<Element>{hidden + first * E, E},
          packed + begin * tokens.K(), false, sums.data);
      for (int64_t row = 0; row < rows; row++) {
        const int64_t at = first + row;
        const float* sum = sums.data + row * WIDTH;
        float* peak = peaks.data + row * LANES;
        float* total = totals.data + row * LANES;
        Element* kept = logits ? logits + at * V + begin : nullptr;
        if (end - begin == WIDTH) {
          add_panel<true>(sum, bias + begin, WIDTH, kept, peak, total);
        } else {
          add_panel<false>(sum, bias + begin, end - begin, kept, peak, total);
        }
        if (targets[at] >= begin && targets[at] < end) {
          const int64_t v = targets[at] - begin;
          scores[at] = logits ? load(kept + v, 1)[0] : sum[v] + bias[begin + v];
        }
      }
    }
    for (int64_t row = 0; row < rows; row++) {
      normalizers[first + row] =
          log_sum_exp(load(peaks.data + row * LANES), load(totals.data + row * LANES));
      scores[first + row] -= normalizers[first + row];
    }
  });
}

template <class Element>
void backward(
    int64_t N, int64_t E, int64_t V, Threads threads,
    const Element* hidden,        // (N, E)
    const float* weights,         // (V, E)
    const int64_t* targets,       // (N)
    const Element* logits,        // (N, V)
    const float* normalizers,     // (N)
    const float* gradient,        // (N) of the scores
    Element* grad_hidden,         // (N, E)
    float* grad_weights, float* grad_bias) {
  const TokenPanels<Element> tokens{V, E};
  const int64_t K = tokens.back_K(), panels = tokens.back_blocks(), parts = (V + DEPTH - 1) / DEPTH;
  const int64_t chunk = at_most(N, 2 * BLOCK * threads.number);
  Scratch<Element> packed(tokens.back_size()), slopes(chunk * K);
  auto part = [&](int64_t v) { return TokenPanels<Element>{at_most(DEPTH, V - v), E}; };
  threads.run(parts, [&](int64_t i) {
    const int64_t v = i * DEPTH;
    part(v).pack_back(weights + v * E, packed.data + v * panels * WIDTH, {nullptr, 1});
  });
  slopes.clear();
  WeightGradient<Element> of_weights(V, E, threads, grad_weights, grad_bias);
  for (int64_t start = 0; start < N; start += chunk) {
    const int64_t count = at_most(chunk, N - start);
    threads.run((count + BLOCK - 1) / BLOCK, [&](int64_t block) {
      const int64_t first = block * BLOCK, rows = at_most(BLOCK, count - first);
      for (int64_t row = first; row < first + rows; row++) {
        // d log p(target) / d logit(v) = [v is target] - p(v)
        const int64_t at = start + row;
        const Floats normalizer = all(normalizers[at]), scale = all(-gradient[at]);
        Element* slope = slopes.data + row * K;
        for (int64_t v = 0; v < V; v += LANES) {
          const int n = (int)(V - v);
          store(slope + v, scale * exp(load(logits + at * V + v, n) - normalizer), n);
        }
        put(slope + targets[at], load(slope + targets[at], 1)[0] + gradient[at]);
      }
      Scratch<float> sums(panels * rows * WIDTH);
      for (int64_t v = 0; v < V; v += DEPTH) {
        const int64_t depth = part(v).back_K();
        for (int64_t panel = 0; panel < panels; panel++) {
          product<WIDTH>(
              rows, depth, Rows<Element>{slopes.data + first * K + v, K},
              packed.data + (v * panels + panel * depth) * WIDTH, v > 0,
              sums.data + panel * rows * WIDTH);
        }
      }
      for (int64_t panel = 0; panel < panels; panel++) {
        store_columns(
            sums.data + panel * rows * WIDTH, rows, WIDTH, panel * WIDTH,
            grad_hidden + (start + first) * E, E);
      }
    });
    of_weights.add(
        count, [&](int64_t n) { return slopes.data + n * K; },
        [&](int64_t n) { return hidden + (start + n) * E; });
  }
  of_weights.finish();
}

}  // namespace

#define LINEAR_LOG_PROBS_KERNELS(Element, precision)                                              \
  PACK_KERNELS(linear_log_probs, TokenPanels, Element, precision)                                 \
  KERNEL(void, linear_log_probs_forward_##precision)(                                             \
      ParallelFor run, int64_t num_threads, int64_t N, int64_t E, int64_t V,                      \
      const Element* hidden, const Element* packed, const float* bias, const int64_t* targets,    \
      Element* logits, float* scores, float* normalizers) {                                       \
    forward<Element>(                                                                             \
        N, E, V, {run, num_threads}, hidden, packed, bias, targets, logits, scores, normalizers); \
  }                                                                                               \
  KERNEL(void, linear_log_probs_backward_##precision)(                                            \
      ParallelFor run, int64_t num_threads, int64_t N, int64_t E, int64_t V,                      \
      const Element* hidden, const float* weights, const int64_t* targets, const Element* logits, \
      const float* normalizers, const float* gradient, Element* grad_hidden, float* grad_weights, \
      float* grad_bias) {                                                                         \
    backward<Element>(                                                                            \
        N, E, V, {run, num_threads}, hidden, weights, targets, logits, normalizers, gradient,     \
        grad_hidden, grad_weights, grad_bias);                                                    \
  }

LINEAR_LOG_PROBS_KERNELS(float, float32)
#if defined(__AVX512BF16__)
LINEAR_LOG_PROBS_KERNELS(Bfloat16, bfloat16)
#endif
