// The GRU over whole sequences, forward and backward.
//
//     r, z = sigmoid(W_ih x + b_ih + W_hh h + b_hh),  n = tanh(W_in x + b_in + r (W_hn h + b_hn)),
//     h' = (1 - z) n + z h
//
// N rows in all, of T steps with at most B rows each; E inputs, H hidden units; gates r, z, n.

#include "gradient.h"
#include "panels.h"

namespace {

constexpr int UNITS = 16;

template <class Element>
using GRUPanels = Panels<Element, 3, UNITS>;

template <class Element>
void forward(
    Sequences seq, int64_t E, int64_t H, Threads threads,
    const Element* x,                                  // (N, E)
    const Element* packed_ih, const Element* packed_hh,  // by `pack`
    const float* bias_ih, const float* bias_hh,        // (3H)
    float* h,               // (B, H) before the first step; becomes that after the last
    Element* gates,         // (N, 3H) activations, or null
    Element* candidates,    // (N, H) W_hn h + b_hn, or null
    Element* y) {           // (N, H)
  const GRUPanels<Element> inputs{H, E}, states{H, H};
  constexpr int64_t WIDTH = GRUPanels<Element>::WIDTH;
  const int64_t K = states.K();
  Scratch<Element> hidden(2 * seq.B * K);
  hidden.clear();
  copy_rows(h, seq.B, H, hidden.data, K);
  auto step = [&](int64_t t, int64_t first, int64_t last, int64_t column, int64_t end) {
    const int64_t rows = last - first, offset = seq.places[t];
    const Element* before = hidden.data + t % 2 * seq.B * K;
    Element* after = hidden.data + (t + 1) % 2 * seq.B * K;
    Scratch<float> sums_x(rows * WIDTH), sums_h(rows * WIDTH);
    for (int64_t block = column; block < end; block++) {
      product<WIDTH>(
          rows, inputs.K(), Rows<Element>{x + (offset + first) * E, E},
          packed_ih + block * inputs.K() * WIDTH, false, sums_x.data);
      product<WIDTH>(
          rows, K, Rows<Element>{before + first * K, K}, packed_hh + block * K * WIDTH, false,
          sums_h.data);
      for (int64_t u = block * UNITS; u < at_most(H, (block + 1) * UNITS); u += LANES) {
        const int lanes = (int)(H - u);
        const Floats bias_r = load(bias_ih + u, lanes) + load(bias_hh + u, lanes);
        const Floats bias_z = load(bias_ih + H + u, lanes) + load(bias_hh + H + u, lanes);
        const Floats bias_in = load(bias_ih + 2 * H + u, lanes);
        const Floats bias_hn = load(bias_hh + 2 * H + u, lanes);
        for (int64_t row = first; row < last; row++) {
          const int64_t at = offset + row;
          const float* from_x = sums_x.data + (row - first) * WIDTH + u % UNITS;
          const float* from_h = sums_h.data + (row - first) * WIDTH + u % UNITS;
          const Floats r = sigmoid(load(from_x) + load(from_h) + bias_r);
          const Floats z = sigmoid(load(from_x + UNITS) + load(from_h + UNITS) + bias_z);
          const Floats hn = load(from_h + 2 * UNITS) + bias_hn;
          const Floats n = tanh(load(from_x + 2 * UNITS) + bias_in + r * hn);
          const Floats output = n + z * (load(h + row * H + u, lanes) - n);
          store(h + row * H + u, output, lanes);
          store(y + at * H + u, output, lanes);
          store(after + row * K + u, output, lanes);
          if (gates) {
            Element* gate = gates + at * 3 * H + u;
            store(gate, r, lanes);
            store(gate + H, z, lanes);
            store(gate + 2 * H, n, lanes);
            store(candidates + at * H + u, hn, lanes);
          }
        }
      }
    }
  };
  run_steps(seq, threads, 0, seq.T, states.blocks(), 3 * H * (E + H), step);
}

template <class Element>
void backward_part(
    Sequences seq, int64_t E, int64_t H, Threads threads,
    const Element* x,                                // (N, E)
    const float* weight_ih, const float* weight_hh,  // (3H, E), (3H, H)
    const float* h0,                                 // (B, H)
    const Element* gates,    // (N, 3H) activations
    const Element* candidates, const Element* y,  // (N, H), the first W_hn h + b_hn
    const Element* grad_y,   // (N, H)
    float* grad_h,           // (B, H) of the last state; becomes that of the first
    Element* grad_x,         // (N, E), or null
    float* grad_ih, float* grad_hh, float* grad_bias_ih, float* grad_bias_hh) {
  const GRUPanels<Element> inputs{H, E}, states{H, H};
  constexpr int64_t WIDTH = GRUPanels<Element>::BACK;
  const int64_t K = states.back_K();
  Scratch<Element> packed_ih(grad_x ? inputs.back_size() : 0), packed_hh(states.back_size());
  // The candidate's slope differs for inputs and state: the reset gate stands between.
  Scratch<Element> slopes_x(grad_x ? 2 * seq.B * K : 0), slopes_h(2 * seq.B * K);
  if (grad_x) inputs.pack_back(weight_ih, packed_ih.data, threads);
  states.pack_back(weight_hh, packed_hh.data, threads);
  Scratch<Element> piece(seq.longest_piece() * 4 * H);  // slopes r, z, n, and n behind the gate
  slopes_x.clear();
  slopes_h.clear();
  const int64_t state_blocks = states.back_blocks();
  const int64_t blocks = state_blocks + (grad_x ? inputs.back_blocks() : 0);
  const RowTable<Element> inputs_of = rows_of(seq, x, E);
  const Previous<Element> previous(seq, h0, y, H);

  // What flows out of the slopes of step t: to the state before, and into the inputs.
  auto flow = [&](int64_t t, int64_t first, int64_t last, int64_t block, float* sums) {
    const int64_t begin = t % 2 * seq.B * K + first * K, rows = last - first;
    if (block < state_blocks) {
      product<WIDTH>(
          rows, K, Rows<Element>{slopes_h.data + begin, K}, packed_hh.data + block * K * WIDTH,
          false, sums);
      for (int64_t u = block * WIDTH; u < at_most(H, (block + 1) * WIDTH); u += LANES) {
        for (int64_t row = first; row < last; row++) {
          const float* sum = sums + (row - first) * WIDTH + u % WIDTH;
          float* grad = grad_h + row * H + u;
          store(grad, load(grad, (int)(H - u)) + load(sum), (int)(H - u));
        }
      }
      return;
    }
    const int64_t column = (block - state_blocks) * WIDTH;
    product<WIDTH>(
        rows, K, Rows<Element>{slopes_x.data + begin, K}, packed_ih.data + column * K, false, sums);
    store_columns(sums, rows, WIDTH, column, grad_x + (seq.places[t] + first) * E, E);
  };

  auto step = [&](int64_t begin, int64_t t, int64_t first, int64_t last, int64_t column,
                  int64_t end) {
    Scratch<float> sums((last - first) * WIDTH);
    const int64_t going_on = at_most(last, seq.active(t + 1)), half = t % 2 * seq.B * K;
    const int64_t in_piece = seq.offsets[t] - seq.offsets[begin];
    for (int64_t block = column; block < end; block++) {
      if (first < going_on) flow(t + 1, first, going_on, block, sums.data);
      for (int64_t row = first; row < last; row++) {
        for (int64_t u = block * WIDTH; u < at_most(H, (block + 1) * WIDTH); u += LANES) {
          const int lanes = (int)(H - u);
          const int64_t at = seq.places[t] + row;
          const Element* gate = gates + at * 3 * H + u;
          const Floats r = load(gate, lanes), z = load(gate + H, lanes);
          const Floats n = load(gate + 2 * H, lanes), hn = load(candidates + at * H + u, lanes);
          const Floats dh = load(grad_h + row * H + u, lanes) + load(grad_y + at * H + u, lanes);
          const Floats dn = dh * (1.0f - z) * (1.0f - n * n);
          const Floats before = load(previous(seq.offsets[t] + row) + u, lanes);
          const Floats dz = dh * (before - n) * z * (1.0f - z);
          const Floats dr = dn * hn * r * (1.0f - r);
          store(grad_h + row * H + u, dh * z, lanes);
          Element* kept = piece.data + (in_piece + row) * 4 * H + u;
          store(kept, dr, lanes);
          store(kept + H, dz, lanes);
          store(kept + 2 * H, dn, lanes);
          store(kept + 3 * H, dn * r, lanes);
          const int64_t slope = half + row * K + states.slope(u);
          store(slopes_h.data + slope, dr, lanes);
          store(slopes_h.data + slope + UNITS, dz, lanes);
          store(slopes_h.data + slope + 2 * UNITS, dn * r, lanes);
          if (grad_x) {
            store(slopes_x.data + slope, dr, lanes);
            store(slopes_x.data + slope + UNITS, dz, lanes);
            store(slopes_x.data + slope + 2 * UNITS, dn, lanes);
          }
        }
      }
    }
  };
  WeightGradient<Element> of_ih(3 * H, E, threads, grad_ih, grad_bias_ih);
  WeightGradient<Element> of_gates(2 * H, H, threads, grad_hh, grad_bias_hh);
  WeightGradient<Element> of_candidate(
      H, H, threads, grad_hh + 2 * H * H, grad_bias_hh + 2 * H);
  auto done = [&](int64_t begin, int64_t end) {
    const int64_t origin = seq.offsets[begin], rows = seq.offsets[end] - origin;
    auto slopes_of = [&](int64_t n) { return piece.data + n * 4 * H; };
    auto behind_gate = [&](int64_t n) { return piece.data + n * 4 * H + 3 * H; };
    auto before = [&](int64_t n) { return previous(origin + n); };
    of_ih.add(rows, slopes_of, [&](int64_t n) { return inputs_of(origin + n); });
    of_gates.add(rows, slopes_of, before);
    of_candidate.add(rows, behind_gate, before);
  };
  run_back(seq, threads, blocks, 3 * H * (E + H), step, done);
  of_ih.finish();
  of_gates.finish();
  of_candidate.finish();
  threads.run(blocks, [&](int64_t block) {
    Scratch<float> sums(seq.B * WIDTH);
    flow(0, 0, seq.B, block, sums.data);
  });
}

template <class Element>
void backward(
    Sequences seq, int64_t E, int64_t H, Threads threads, const Element* x,
    const float* weight_ih, const float* weight_hh, const float* h0, const Element* gates,
    const Element* candidates, const Element* y, const Element* grad_y, float* grad_h,
    Element* grad_x, float* grad_ih, float* grad_hh, float* grad_bias_ih, float* grad_bias_hh) {
  const Gradient gradients[] = {
      {grad_ih, 3 * H * E}, {grad_hh, 3 * H * H}, {grad_bias_ih, 3 * H}, {grad_bias_hh, 3 * H}};
  by_parts(seq, threads, gradients, [&](Sequences part, int64_t first, Threads its, float** sums) {
    const int64_t skip = first * H;
    backward_part<Element>(
        part, E, H, its, x, weight_ih, weight_hh, h0 + skip, gates, candidates, y, grad_y,
        grad_h + skip, grad_x, sums[0], sums[1], sums[2], sums[3]);
  });
}

}  // namespace

#define GRU_KERNELS(Element, precision)                                                           \
  PACK_KERNELS(gru, GRUPanels, Element, precision)                                                \
  KERNEL(void, gru_forward_##precision)(                                                          \
      ParallelFor run, int64_t num_threads, int64_t T, int64_t B, const int64_t* offsets,         \
      int64_t E, int64_t H, const Element* x, const Element* packed_ih, const Element* packed_hh, \
      const float* bias_ih, const float* bias_hh, float* h, Element* gates, Element* candidates,  \
      Element* y) {                                                                               \
    forward<Element>(                                                                             \
        {T, B, offsets, offsets}, E, H, {run, num_threads}, x, packed_ih, packed_hh, bias_ih,     \
        bias_hh, h, gates, candidates, y);                                                        \
  }                                                                                               \
  KERNEL(void, gru_backward_##precision)(                                                         \
      ParallelFor run, int64_t num_threads, int64_t T, int64_t B, const int64_t* offsets,         \
      int64_t E, int64_t H, const Element* x, const float* weight_ih, const float* weight_hh,     \
      const float* h0, const Element* gates, const Element* candidates, const Element* y,         \
      const Element* grad_y, float* grad_h, Element* grad_x, float* grad_ih, float* grad_hh,      \
      float* grad_bias_ih, float* grad_bias_hh) {                                                 \
    backward<Element>(                                                                            \
        {T, B, offsets, offsets}, E, H, {run, num_threads}, x, weight_ih, weight_hh, h0, gates,   \
        candidates, y, grad_y, grad_h, grad_x, grad_ih, grad_hh, grad_bias_ih, grad_bias_hh);     \
  }

GRU_KERNELS(float, float32)
#if defined(__AVX512BF16__)
GRU_KERNELS(Bfloat16, bfloat16)
#endif
