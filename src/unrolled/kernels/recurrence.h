// The skeleton of a recurrence over whole sequences, forward and backward: steps, panels, threads,
// weight gradients, and the functions that Python calls.
//
// What differs is a cell: what happens to the sums of a step, for one row and a vector of units.
//
//     struct Cell {
//       static constexpr int GATES = 4, UNITS = 16;  // G, and units of a panel
//       static constexpr bool APART = false;   // the last gate needs W_hh h on its own
//       static constexpr bool PASSES = false;  // a part of h goes by the gates, into the next h
//       static Biases biases(inputs, u, n);    // of a vector of units
//       static Floats forward(tensors, biases, from_x, from_h, place);    // the next h
//       static void backward(tensors, place, dh, h_before, slopes);       // slopes of the sums
//     };
//
// Sums of gates lie UNITS apart. Where not APART, W_hh h is added to what W_ih x is, and from_h is
// from_x. Where APART, there is one more slope: of the last gate's W_hh h, behind that of W_ih x.
// Where it PASSES, backward leaves in grad_h what reaches the state before without the gates.
//
// N rows in all, of T steps with at most B rows each; E inputs, H hidden units.
#pragma once

#include "gradient.h"
#include "panels.h"

namespace {

// Tensors of the way forward; null where a cell has none, or where nothing is kept for the way back.
template <class Element>
struct Forward {
  int64_t H, flag;
  const Element* x;                      // (N, E)
  const Element *packed_ih, *packed_hh;  // by `pack`
  const float *bias_ih, *bias_hh;        // (GH)
  float *h, *c;            // (B, H) before the first step; become those after the last
  Element *gates, *aside;  // (N, GH) activations; (N, H), what else a cell keeps
  Element* y;              // (N, H)
};

// Tensors of the way back.
template <class Element>
struct Backward {
  int64_t H, flag;
  const Element* x;                                     // (N, E)
  const float *weight_ih, *weight_hh;                   // (GH, E), (GH, H)
  const float *h0, *c0;                                 // (B, H)
  const Element *gates, *aside, *y, *grad_y;            // (N, GH), (N, H) each
  float *grad_h, *grad_c;  // (B, H) of the last states; become those of the first
  Element* grad_x;         // (N, E), or null
  float *grad_ih, *grad_hh, *grad_bias_ih, *grad_bias_hh;

  // Those of the batch from a row on, with weight gradients of their own.
  Backward from_row(int64_t row, float** sums) const {
    Backward part = *this;
    part.h0 += row * H;
    part.grad_h += row * H;
    if (c0) part.c0 += row * H, part.grad_c += row * H;
    part.grad_ih = sums[0], part.grad_hh = sums[1];
    part.grad_bias_ih = sums[2], part.grad_bias_hh = grad_bias_hh ? sums[3] : nullptr;
    return part;
  }
};

// Where a vector of n units from u on lies.
struct Place {
  int64_t H, row, at, before;  // row of the batch, of the N rows; the latter a step ago, or -1
  int64_t u;
  int n;

  int64_t in_state() const { return row * H + u; }
  int64_t in_rows(int64_t gates = 1) const { return at * gates * H + u; }
};

template <class Cell, class Element>
void forward(
    const Sequences& seq, int64_t E, const Threads& threads, const Forward<Element>& tensors) {
  constexpr int UNITS = Cell::UNITS;
  typedef Panels<Element, Cell::GATES, UNITS> CellPanels;
  constexpr int64_t WIDTH = CellPanels::WIDTH;
  const int64_t H = tensors.H;
  const CellPanels inputs{H, E}, states{H, H};
  const int64_t K = states.K();
  Scratch<Element> hidden(2 * seq.B * K);
  hidden.clear();
  copy_rows(tensors.h, seq.B, H, hidden.data, K);
  auto step = [&](int64_t t, int64_t first, int64_t last, int64_t column, int64_t end) {
    const Forward<Element> in = tensors;  // a copy of its own is kept in registers
    const int64_t rows = last - first, offset = seq.places[t];
    const Element* before = hidden.data + t % 2 * seq.B * K;
    Element* after = hidden.data + (t + 1) % 2 * seq.B * K;
    Scratch<float> sums_x(rows * WIDTH), sums_apart(Cell::APART ? rows * WIDTH : 0);
    float* sums_h = Cell::APART ? sums_apart.data : sums_x.data;
    for (int64_t block = column; block < end; block++) {
      product<WIDTH>(
          rows, inputs.K(), Rows<Element>{in.x + (offset + first) * E, E},
          in.packed_ih + block * inputs.K() * WIDTH, false, sums_x.data);
      product<WIDTH>(
          rows, K, Rows<Element>{before + first * K, K}, in.packed_hh + block * K * WIDTH,
          !Cell::APART, sums_h);
      for (int64_t u = block * UNITS; u < at_most(H, (block + 1) * UNITS); u += LANES) {
        const int n = (int)(H - u);
        const auto biases = Cell::biases(in, u, n);
        for (int64_t row = first; row < last; row++) {
          const int64_t sum = (row - first) * WIDTH + u % UNITS;
          const Place place{H, row, offset + row, -1, u, n};
          const Floats output =
              Cell::forward(in, biases, sums_x.data + sum, sums_h + sum, place);
          store(in.h + place.in_state(), output, n);
          store(in.y + place.in_rows(), output, n);
          store(after + row * K + u, output, n);
        }
      }
    }
  };
  run_steps(seq, threads, 0, seq.T, states.blocks(), Cell::GATES * H * (E + H), step);
}

template <class Cell, class Element>
void backward_part(
    const Sequences& seq, int64_t E, const Threads& threads, const Backward<Element>& tensors) {
  constexpr int GATES = Cell::GATES, UNITS = Cell::UNITS, SLOPES = GATES + Cell::APART;
  typedef Panels<Element, GATES, UNITS> CellPanels;
  constexpr int64_t WIDTH = CellPanels::BACK;
  const int64_t H = tensors.H;
  Element* grad_x = tensors.grad_x;
  float* grad_h = tensors.grad_h;
  const CellPanels inputs{H, E}, states{H, H};
  const int64_t K = states.back_K();
  Scratch<Element> packed_ih(grad_x ? inputs.back_size() : 0), packed_hh(states.back_size());
  // Slopes of two steps, as the way back multiplies them.
  Scratch<Element> slopes_h(2 * seq.B * K), slopes_apart(Cell::APART && grad_x ? 2 * seq.B * K : 0);
  Element* slopes_x = Cell::APART ? slopes_apart.data : slopes_h.data;
  if (grad_x) inputs.pack_back(tensors.weight_ih, packed_ih.data, threads);
  states.pack_back(tensors.weight_hh, packed_hh.data, threads);
  Scratch<Element> piece(seq.longest_piece() * SLOPES * H);  // slopes, for the weights
  slopes_h.clear();
  slopes_apart.clear();
  const int64_t state_blocks = states.back_blocks();
  const int64_t blocks = state_blocks + (grad_x ? inputs.back_blocks() : 0);
  const RowTable<Element> inputs_of = rows_of(seq, tensors.x, E);
  const Previous<Element> previous(seq, tensors.h0, tensors.y, H);

  // What flows out of the slopes of step t: to the state before, and into the inputs.
  auto flow = [&](int64_t t, int64_t first, int64_t last, int64_t block, float* sums) {
    const int64_t begin = t % 2 * seq.B * K + first * K, rows = last - first;
    if (block >= state_blocks) {
      const int64_t column = (block - state_blocks) * WIDTH;
      product<WIDTH>(
          rows, K, Rows<Element>{slopes_x + begin, K}, packed_ih.data + column * K, false, sums);
      store_columns(sums, rows, WIDTH, column, grad_x + (seq.places[t] + first) * E, E);
      return;
    }
    product<WIDTH>(
        rows, K, Rows<Element>{slopes_h.data + begin, K}, packed_hh.data + block * K * WIDTH, false,
        sums);
    if constexpr (!Cell::PASSES) {
      store_columns(sums, rows, WIDTH, block * WIDTH, grad_h + first * H, H);
    } else {
      for (int64_t u = block * WIDTH; u < at_most(H, (block + 1) * WIDTH); u += LANES) {
        for (int64_t row = first; row < last; row++) {
          const float* sum = sums + (row - first) * WIDTH + u % WIDTH;
          float* grad = grad_h + row * H + u;
          store(grad, load(grad, (int)(H - u)) + load(sum), (int)(H - u));
        }
      }
    }
  };

  auto step = [&](int64_t begin, int64_t t, int64_t first, int64_t last, int64_t column,
                  int64_t end) {
    const Backward<Element> in = tensors;
    Scratch<float> sums((last - first) * WIDTH);
    const int64_t going_on = at_most(last, seq.active(t + 1)), half = t % 2 * seq.B * K;
    const int64_t offset = seq.places[t], in_piece = seq.offsets[t] - seq.offsets[begin];
    const int64_t offset_before = t ? seq.places[t - 1] : -1;
    for (int64_t block = column; block < end; block++) {
      if (first < going_on) flow(t + 1, first, going_on, block, sums.data);
      for (int64_t row = first; row < last; row++) {
        for (int64_t u = block * WIDTH; u < at_most(H, (block + 1) * WIDTH); u += LANES) {
          const int n = (int)(H - u);
          const Place place{H, row, offset + row, t ? offset_before + row : -1, u, n};
          const Floats dh = load(in.grad_h + place.in_state(), n) +
                            load(in.grad_y + place.in_rows(), n);
          const Element* h_before = previous(seq.offsets[t] + row);
          Floats slopes[SLOPES];
          Cell::backward(in, place, dh, h_before, slopes);
          Element* kept = piece.data + (in_piece + row) * SLOPES * H + u;
          const int64_t slope = half + row * K + states.slope(u);
#pragma GCC unroll 8
          for (int i = 0; i < SLOPES; i++) store(kept + i * H, slopes[i], n);
#pragma GCC unroll 8
          for (int i = 0; i < GATES; i++) {
            const bool apart = Cell::APART && i == GATES - 1;
            store(slopes_h.data + slope + i * UNITS, slopes[apart ? GATES : i], n);
          }
          if (Cell::APART && grad_x) {
#pragma GCC unroll 8
            for (int i = 0; i < GATES; i++) store(slopes_x + slope + i * UNITS, slopes[i], n);
          }
        }
      }
    }
  };
  constexpr int TOGETHER = GATES - Cell::APART;
  float* bias_hh = tensors.grad_bias_hh;
  WeightGradient<Element> of_ih(GATES * H, E, threads, tensors.grad_ih, tensors.grad_bias_ih);
  WeightGradient<Element> of_hh(TOGETHER * H, H, threads, tensors.grad_hh, bias_hh);
  WeightGradient<Element> of_apart(
      Cell::APART * H, H, threads, tensors.grad_hh + TOGETHER * H * H,
      bias_hh ? bias_hh + TOGETHER * H : nullptr);
  auto done = [&](int64_t begin, int64_t end) {
    const int64_t origin = seq.offsets[begin], rows = seq.offsets[end] - origin;
    auto slopes_of = [&](int64_t n) { return piece.data + n * SLOPES * H; };
    auto state_before = [&](int64_t n) { return previous(origin + n); };
    of_ih.add(rows, slopes_of, [&](int64_t n) { return inputs_of(origin + n); });
    of_hh.add(rows, slopes_of, state_before);
    if constexpr (Cell::APART) {
      of_apart.add(rows, [&](int64_t n) { return slopes_of(n) + GATES * H; }, state_before);
    }
  };
  run_back(seq, threads, blocks, GATES * H * (E + H), step, done);
  of_ih.finish();
  of_hh.finish();
  of_apart.finish();
  threads.run(blocks, [&](int64_t block) {
    Scratch<float> sums(seq.B * WIDTH);
    flow(0, 0, seq.B, block, sums.data);
  });
}

template <class Cell, class Element>
void backward(
    const Sequences& seq, int64_t E, const Threads& threads, const Backward<Element>& tensors) {
  const int64_t H = tensors.H, R = Cell::GATES * H;
  const Gradient gradients[] = {
      {tensors.grad_ih, R * E},
      {tensors.grad_hh, R * H},
      {tensors.grad_bias_ih, R},
      {tensors.grad_bias_hh, tensors.grad_bias_hh ? R : 0}};
  by_parts(seq, threads, gradients, [&](Sequences part, int64_t first, Threads its, float** sums) {
    backward_part<Cell, Element>(part, E, its, tensors.from_row(first, sums));
  });
}

}  // namespace

// The functions of a recurrence in one precision. Every recurrence is called with the same
// arguments; those that it has no use for are null.
#define FORWARD_ARGUMENTS(Element)                                                                \
  ParallelFor run, int64_t num_threads, int64_t T, int64_t B, const int64_t *offsets, int64_t E,  \
      int64_t H, int64_t flag, const Element *x, const Element *packed_ih,                        \
      const Element *packed_hh, const float *bias_ih, const float *bias_hh, float *h, float *c,   \
      Element *gates, Element *aside, Element *y
#define BACKWARD_ARGUMENTS(Element)                                                               \
  ParallelFor run, int64_t num_threads, int64_t T, int64_t B, const int64_t *offsets, int64_t E,  \
      int64_t H, int64_t flag, const Element *x, const float *weight_ih, const float *weight_hh,  \
      const float *h0, const float *c0, const Element *gates, const Element *aside,               \
      const Element *y, const Element *grad_y, float *grad_h, float *grad_c, Element *grad_x,     \
      float *grad_ih, float *grad_hh, float *grad_bias_ih, float *grad_bias_hh
#define RECURRENCE_IN(name, Cell, Element, precision)                                             \
  PACK_KERNELS(name, Cell::CellPanels, Element, precision)                                        \
  KERNEL(void, name##_forward_##precision)(FORWARD_ARGUMENTS(Element)) {                          \
    forward<Cell, Element>(                                                                       \
        {T, B, offsets, offsets}, E, {run, num_threads},                                          \
        {H, flag, x, packed_ih, packed_hh, bias_ih, bias_hh, h, c, gates, aside, y});             \
  }                                                                                               \
  KERNEL(void, name##_backward_##precision)(BACKWARD_ARGUMENTS(Element)) {                        \
    backward<Cell, Element>(                                                                      \
        {T, B, offsets, offsets}, E, {run, num_threads},                                          \
        {H, flag, x, weight_ih, weight_hh, h0, c0, gates, aside, y, grad_y, grad_h, grad_c,       \
         grad_x, grad_ih, grad_hh, grad_bias_ih, grad_bias_hh});                                  \
  }

#if defined(__AVX512BF16__)
#define RECURRENCE_KERNELS(name, Cell)     \
  RECURRENCE_IN(name, Cell, float, float32) \
  RECURRENCE_IN(name, Cell, Bfloat16, bfloat16)
#else
#define RECURRENCE_KERNELS(name, Cell) RECURRENCE_IN(name, Cell, float, float32)
#endif
