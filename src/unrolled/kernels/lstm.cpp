// The LSTM over whole sequences, forward and backward.
//
//     i, f, o = sigmoid(W_ih x + W_hh h + b),  g = tanh(same),  c' = f c + i g,  h' = o tanh(c')
//
// N rows in all, of T steps with at most B rows each; E inputs, H hidden units; gates i, f, g, o.

#include "gradient.h"
#include "panels.h"

namespace {

constexpr int UNITS = 16;

template <class Element>
using LSTMPanels = Panels<Element, 4, UNITS>;

template <class Element>
void forward(
    Sequences seq, int64_t E, int64_t H, Threads threads,
    const Element* x,                                             // (N, E)
    const Element* packed_ih, const Element* packed_hh,  // by `pack`
    const float* bias,                                   // (4H)
    float* h, float* c,           // (B, H) before the first step; become those after the last
    Element* gates, Element* cells,  // (N, 4H) activations and (N, H), or null
    Element* y) {                  // (N, H)
  const LSTMPanels<Element> inputs{H, E}, states{H, H};
  constexpr int64_t WIDTH = LSTMPanels<Element>::WIDTH;
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
        const Floats bias_i = load(bias + u, n), bias_f = load(bias + H + u, n);
        const Floats bias_g = load(bias + 2 * H + u, n), bias_o = load(bias + 3 * H + u, n);
        for (int64_t row = first; row < last; row++) {
          const int64_t at = offset + row;
          const float* sum = sums.data + (row - first) * WIDTH + u % UNITS;
          const Floats i = sigmoid(load(sum) + bias_i);
          const Floats f = sigmoid(load(sum + UNITS) + bias_f);
          const Floats g = tanh(load(sum + 2 * UNITS) + bias_g);
          const Floats o = sigmoid(load(sum + 3 * UNITS) + bias_o);
          const Floats cell = f * load(c + row * H + u, n) + i * g;
          const Floats output = o * tanh(cell);
          store(c + row * H + u, cell, n);
          store(h + row * H + u, output, n);
          store(y + at * H + u, output, n);
          store(after + row * K + u, output, n);
          if (gates) {
            store(cells + at * H + u, cell, n);
            Element* gate = gates + at * 4 * H + u;
            store(gate, i, n);
            store(gate + H, f, n);
            store(gate + 2 * H, g, n);
            store(gate + 3 * H, o, n);
          }
        }
      }
    }
  };
  run_steps(seq, threads, 0, seq.T, states.blocks(), 4 * H * (E + H), step);
}

template <class Element>
void backward_part(
    Sequences seq, int64_t E, int64_t H, Threads threads,
    const Element* x,                                 // (N, E)
    const float* weight_ih, const float* weight_hh,   // (4H, E), (4H, H)
    const float* h0, const float* c0,                 // (B, H)
    const Element* gates,                             // (N, 4H) activations
    const Element* cells, const Element* y,           // (N, H)
    const Element* grad_y,                            // (N, H)
    float* grad_h, float* grad_c,  // (B, H) of the last states; become those of the first
    Element* grad_x,               // (N, E), or null
    float* grad_ih, float* grad_hh, float* grad_bias) {
  const LSTMPanels<Element> inputs{H, E}, states{H, H};
  constexpr int64_t WIDTH = LSTMPanels<Element>::BACK;
  const int64_t K = states.back_K();
  Scratch<Element> packed_ih(grad_x ? inputs.back_size() : 0), packed_hh(states.back_size());
  Scratch<Element> slopes(2 * seq.B * K);
  if (grad_x) inputs.pack_back(weight_ih, packed_ih.data, threads);
  states.pack_back(weight_hh, packed_hh.data, threads);
  Scratch<Element> piece(seq.longest_piece() * 4 * H);  // slopes (rows, 4H), for the weights
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
    const int64_t place = seq.places[t], in_piece = seq.offsets[t] - seq.offsets[begin];
    const Element* cells_before = t ? cells + seq.places[t - 1] * H : nullptr;
    Element* after = slopes.data + t % 2 * seq.B * K;
    for (int64_t block = column; block < end; block++) {
      if (first < going_on) flow(t + 1, first, going_on, block, sums.data);
      for (int64_t row = first; row < last; row++) {
        for (int64_t u = block * WIDTH; u < at_most(H, (block + 1) * WIDTH); u += LANES) {
          const int n = (int)(H - u);
          const int64_t at = place + row;
          const Element* gate = gates + at * 4 * H + u;
          const Floats dh = load(grad_h + row * H + u, n) + load(grad_y + at * H + u, n);
          const Floats i = load(gate, n), f = load(gate + H, n);
          const Floats g = load(gate + 2 * H, n), o = load(gate + 3 * H, n);
          const Floats squashed = tanh(load(cells + at * H + u, n));
          const Floats dc = load(grad_c + row * H + u, n) + dh * o * (1.0f - squashed * squashed);
          const Floats di = dc * g * i * (1.0f - i);
          const Floats c_before =
              t ? load(cells_before + row * H + u, n) : load(c0 + row * H + u, n);
          const Floats df = dc * c_before * f * (1.0f - f);
          const Floats dg = dc * i * (1.0f - g * g);
          const Floats d_o = dh * squashed * o * (1.0f - o);
          store(grad_c + row * H + u, dc * f, n);
          Element* kept = piece.data + (in_piece + row) * 4 * H + u;
          store(kept, di, n);
          store(kept + H, df, n);
          store(kept + 2 * H, dg, n);
          store(kept + 3 * H, d_o, n);
          Element* slope = after + row * K + states.slope(u);
          store(slope, di, n);
          store(slope + UNITS, df, n);
          store(slope + 2 * UNITS, dg, n);
          store(slope + 3 * UNITS, d_o, n);
        }
      }
    }
  };
  const RowTable<Element> inputs_of = rows_of(seq, x, E);
  const Previous<Element> previous(seq, h0, y, H);
  WeightGradient<Element> of_ih(4 * H, E, threads, grad_ih, grad_bias);
  WeightGradient<Element> of_hh(4 * H, H, threads, grad_hh, nullptr);
  auto done = [&](int64_t begin, int64_t end) {
    const int64_t origin = seq.offsets[begin], rows = seq.offsets[end] - origin;
    auto slopes_of = [&](int64_t n) { return piece.data + n * 4 * H; };
    of_ih.add(rows, slopes_of, [&](int64_t n) { return inputs_of(origin + n); });
    of_hh.add(rows, slopes_of, [&](int64_t n) { return previous(origin + n); });
  };
  run_back(seq, threads, blocks, 4 * H * (E + H), step, done);
  of_ih.finish();
  of_hh.finish();
  threads.run(blocks, [&](int64_t block) {
    Scratch<float> sums(seq.B * WIDTH);
    flow(0, 0, seq.B, block, sums.data);
  });
}

template <class Element>
void backward(
    Sequences seq, int64_t E, int64_t H, Threads threads, const Element* x,
    const float* weight_ih, const float* weight_hh, const float* h0, const float* c0,
    const Element* gates, const Element* cells, const Element* y, const Element* grad_y,
    float* grad_h, float* grad_c, Element* grad_x, float* grad_ih, float* grad_hh,
    float* grad_bias) {
  const Gradient gradients[] = {
      {grad_ih, 4 * H * E}, {grad_hh, 4 * H * H}, {grad_bias, 4 * H}};
  by_parts(seq, threads, gradients, [&](Sequences part, int64_t first, Threads its, float** sums) {
    const int64_t skip = first * H;
    backward_part<Element>(
        part, E, H, its, x, weight_ih, weight_hh, h0 + skip, c0 + skip, gates, cells, y, grad_y,
        grad_h + skip, grad_c + skip, grad_x, sums[0], sums[1], sums[2]);
  });
}

}  // namespace

#define LSTM_KERNELS(Element, precision)                                                          \
  PACK_KERNELS(lstm, LSTMPanels, Element, precision)                                              \
  KERNEL(void, lstm_forward_##precision)(                                                         \
      ParallelFor run, int64_t num_threads, int64_t T, int64_t B, const int64_t* offsets,         \
      int64_t E, int64_t H, const Element* x, const Element* packed_ih, const Element* packed_hh, \
      const float* bias, float* h, float* c, Element* gates, Element* cells, Element* y) {        \
    forward<Element>(                                                                             \
        {T, B, offsets, offsets}, E, H, {run, num_threads}, x, packed_ih, packed_hh, bias, h, c,  \
        gates, cells, y);                                                                         \
  }                                                                                               \
  KERNEL(void, lstm_backward_##precision)(                                                        \
      ParallelFor run, int64_t num_threads, int64_t T, int64_t B, const int64_t* offsets,         \
      int64_t E, int64_t H, const Element* x, const float* weight_ih, const float* weight_hh,     \
      const float* h0, const float* c0, const Element* gates, const Element* cells,               \
      const Element* y, const Element* grad_y, float* grad_h, float* grad_c, Element* grad_x,     \
      float* grad_ih, float* grad_hh, float* grad_bias) {                                         \
    backward<Element>(                                                                            \
        {T, B, offsets, offsets}, E, H, {run, num_threads}, x, weight_ih, weight_hh, h0, c0,      \
        gates, cells, y, grad_y, grad_h, grad_c, grad_x, grad_ih, grad_hh, grad_bias);            \
  }

LSTM_KERNELS(float, float32)
#if defined(__AVX512BF16__)
LSTM_KERNELS(Bfloat16, bfloat16)
#endif
