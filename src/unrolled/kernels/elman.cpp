// The Elman RNN over whole sequences, forward and backward.
//
//     h' = tanh(W_ih x + W_hh h + b), or relu in place of tanh
//
// N rows in all, of T steps with at most B rows each; E inputs, H hidden units.

#include "gradient.h"
#include "panels.h"

namespace {

constexpr int UNITS = 64;

template <class Element>
using ElmanPanels = Panels<Element, 1, UNITS>;

template <class Element>
void forward(
    Sequences seq, int64_t E, int64_t H, Threads threads, bool relu,
    const Element* x,                                                   // (N, E)
    const Element* packed_ih, const Element* packed_hh,  // by `pack`
    const float* bias,                                   // (H)
    float* h,       // (B, H) before the first step; becomes that after the last
    Element* y) {   // (N, H)
  const ElmanPanels<Element> inputs{H, E}, states{H, H};
  constexpr int64_t WIDTH = ElmanPanels<Element>::WIDTH;
  const int64_t K = states.K();
  Scratch<Element> hidden(2 * seq.B * K);
  hidden.clear();
  copy_rows(h, seq.B, H, hidden.data, K);
  auto step = [&](int64_t t, int64_t first, int64_t last, int64_t column, int64_t end) {
    const int64_t rows = last - first, offset = seq.places[t];
    const Element* before = hidden.data + t % 2 * seq.B * K;
    Element* after = hidden.data + (t + 1) % 2 * seq.B * K;
    Scratch<float> sums(rows * WIDTH);
    for (int64_t block = column; block < end; block++) {
      product<WIDTH>(
          rows, inputs.K(), Rows<Element>{x + (offset + first) * E, E},
          packed_ih + block * inputs.K() * WIDTH, false, sums.data);
      product<WIDTH>(
          rows, K, Rows<Element>{before + first * K, K}, packed_hh + block * K * WIDTH, true,
          sums.data);
      for (int64_t u = block * UNITS; u < at_most(H, (block + 1) * UNITS); u += LANES) {
        const int n = (int)(H - u);
        const Floats bias_h = load(bias + u, n);
        for (int64_t row = first; row < last; row++) {
          const Floats sum = load(sums.data + (row - first) * WIDTH + u % UNITS) + bias_h;
          const Floats output = relu ? (sum < 0.0f ? Floats{} : sum) : tanh(sum);
          store(h + row * H + u, output, n);
          store(y + (offset + row) * H + u, output, n);
          store(after + row * K + u, output, n);
        }
      }
    }
  };
  run_steps(seq, threads, 0, seq.T, states.blocks(), H * (E + H), step);
}

template <class Element>
void backward_part(
    Sequences seq, int64_t E, int64_t H, Threads threads, bool relu,
    const Element* x,                                // (N, E)
    const float* weight_ih, const float* weight_hh,  // (H, E), (H, H)
    const float* h0,                                 // (B, H)
    const Element* y, const Element* grad_y,         // (N, H)
    float* grad_h,    // (B, H) of the last state; becomes that of the first
    Element* grad_x,  // (N, E), or null
    float* grad_ih, float* grad_hh, float* grad_bias) {
  const ElmanPanels<Element> inputs{H, E}, states{H, H};
  constexpr int64_t WIDTH = ElmanPanels<Element>::BACK;
  const int64_t K = states.back_K();
  Scratch<Element> packed_ih(grad_x ? inputs.back_size() : 0), packed_hh(states.back_size());
  Scratch<Element> slopes(2 * seq.B * K);
  if (grad_x) inputs.pack_back(weight_ih, packed_ih.data, threads);
  states.pack_back(weight_hh, packed_hh.data, threads);
  Scratch<Element> piece(seq.longest_piece() * H);  // slopes (rows, H), for the weights
  slopes.clear();
  const int64_t state_blocks = states.back_blocks();
  const int64_t blocks = state_blocks + (grad_x ? inputs.back_blocks() : 0);

  // What flows out of the slopes of step t: to the state before, and into the inputs.
  auto flow = [&](int64_t t, int64_t first, int64_t last, int64_t block, float* sums) {
    const Rows<Element> left{slopes.data + t % 2 * seq.B * K + first * K, K};
    if (block < state_blocks) {
      product<WIDTH>(last - first, K, left, packed_hh.data + block * K * WIDTH, false, sums);
      store_columns(sums, last - first, WIDTH, block * WIDTH, grad_h + first * H, H);
      return;
    }
    const int64_t column = (block - state_blocks) * WIDTH;
    product<WIDTH>(last - first, K, left, packed_ih.data + column * K, false, sums);
    store_columns(sums, last - first, WIDTH, column, grad_x + (seq.places[t] + first) * E, E);
  };

  auto step = [&](int64_t begin, int64_t t, int64_t first, int64_t last, int64_t column,
                  int64_t end) {
    Scratch<float> sums((last - first) * WIDTH);
    const int64_t going_on = at_most(last, seq.active(t + 1));
    const int64_t in_piece = seq.offsets[t] - seq.offsets[begin];
    for (int64_t block = column; block < end; block++) {
      if (first < going_on) flow(t + 1, first, going_on, block, sums.data);
      for (int64_t row = first; row < last; row++) {
        for (int64_t u = block * WIDTH; u < at_most(H, (block + 1) * WIDTH); u += LANES) {
          const int n = (int)(H - u);
          const int64_t at = seq.places[t] + row;
          const Floats output = load(y + at * H + u, n);
          const Floats dh = load(grad_h + row * H + u, n) + load(grad_y + at * H + u, n);
          const Floats slope =
              relu ? (output > 0.0f ? dh : Floats{}) : dh * (1.0f - output * output);
          store(piece.data + (in_piece + row) * H + u, slope, n);
          store(slopes.data + t % 2 * seq.B * K + row * K + u, slope, n);
        }
      }
    }
  };
  const RowTable<Element> inputs_of = rows_of(seq, x, E);
  const Previous<Element> previous(seq, h0, y, H);
  WeightGradient<Element> of_ih(H, E, threads, grad_ih, grad_bias);
  WeightGradient<Element> of_hh(H, H, threads, grad_hh, nullptr);
  auto done = [&](int64_t begin, int64_t end) {
    const int64_t origin = seq.offsets[begin], rows = seq.offsets[end] - origin;
    auto slopes_of = [&](int64_t n) { return piece.data + n * H; };
    of_ih.add(rows, slopes_of, [&](int64_t n) { return inputs_of(origin + n); });
    of_hh.add(rows, slopes_of, [&](int64_t n) { return previous(origin + n); });
  };
  run_back(seq, threads, blocks, H * (E + H), step, done);
  of_ih.finish();
  of_hh.finish();
  threads.run(blocks, [&](int64_t block) {
    Scratch<float> sums(seq.B * WIDTH);
    flow(0, 0, seq.B, block, sums.data);
  });
}

template <class Element>
void backward(
    Sequences seq, int64_t E, int64_t H, Threads threads, bool relu, const Element* x,
    const float* weight_ih, const float* weight_hh, const float* h0, const Element* y,
    const Element* grad_y, float* grad_h, Element* grad_x, float* grad_ih, float* grad_hh,
    float* grad_bias) {
  const Gradient gradients[] = {{grad_ih, H * E}, {grad_hh, H * H}, {grad_bias, H}};
  by_parts(seq, threads, gradients, [&](Sequences part, int64_t first, Threads its, float** sums) {
    backward_part<Element>(
        part, E, H, its, relu, x, weight_ih, weight_hh, h0 + first * H, y, grad_y,
        grad_h + first * H, grad_x, sums[0], sums[1], sums[2]);
  });
}

}  // namespace

#define ELMAN_KERNELS(Element, precision)                                                         \
  PACK_KERNELS(elman, ElmanPanels, Element, precision)                                            \
  KERNEL(void, elman_forward_##precision)(                                                        \
      ParallelFor run, int64_t num_threads, int64_t T, int64_t B, const int64_t* offsets,         \
      int64_t E, int64_t H, int64_t relu, const Element* x, const Element* packed_ih,             \
      const Element* packed_hh, const float* bias, float* h, Element* y) {                        \
    forward<Element>(                                                                             \
        {T, B, offsets, offsets}, E, H, {run, num_threads}, relu, x, packed_ih, packed_hh, bias,  \
        h, y);                                                                                    \
  }                                                                                               \
  KERNEL(void, elman_backward_##precision)(                                                       \
      ParallelFor run, int64_t num_threads, int64_t T, int64_t B, const int64_t* offsets,         \
      int64_t E, int64_t H, int64_t relu, const Element* x, const float* weight_ih,               \
      const float* weight_hh, const float* h0, const Element* y, const Element* grad_y,           \
      float* grad_h, Element* grad_x, float* grad_ih, float* grad_hh, float* grad_bias) {         \
    backward<Element>(                                                                            \
        {T, B, offsets, offsets}, E, H, {run, num_threads}, relu, x, weight_ih, weight_hh, h0, y, \
        grad_y, grad_h, grad_x, grad_ih, grad_hh, grad_bias);                                     \
  }

ELMAN_KERNELS(float, float32)
#if defined(__AVX512BF16__)
ELMAN_KERNELS(Bfloat16, bfloat16)
#endif
