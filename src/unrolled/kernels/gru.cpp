// The GRU over whole sequences, forward and backward.
//
//     r, z = sigmoid(W_ih x + b_ih + W_hh h + b_hh),  n = tanh(W_in x + b_in + r (W_hn h + b_hn)),
//     h' = (1 - z) n + z h
//
// Gates r, z, n; beside their activations W_hn h + b_hn is kept. The candidate's slope differs for
// inputs and state: the reset gate stands between.

#include "recurrence.h"

namespace {

struct GRU {
  static constexpr int GATES = 3, UNITS = 16;
  static constexpr bool APART = true, PASSES = true;
  template <class Element>
  using CellPanels = Panels<Element, GATES, UNITS>;

  struct Biases {
    Floats r, z, in, hn;
  };

  template <class Element>
  static Biases biases(const Forward<Element>& in, int64_t u, int n) {
    const float *of_x = in.bias_ih + u, *of_h = in.bias_hh + u;
    return {
        load(of_x, n) + load(of_h, n), load(of_x + in.H, n) + load(of_h + in.H, n),
        load(of_x + 2 * in.H, n), load(of_h + 2 * in.H, n)};
  }

  template <class Element>
  static Floats forward(
      const Forward<Element>& in, const Biases& bias, const float* from_x, const float* from_h,
      const Place& place) {
    const Floats r = sigmoid(load(from_x) + load(from_h) + bias.r);
    const Floats z = sigmoid(load(from_x + UNITS) + load(from_h + UNITS) + bias.z);
    const Floats hn = load(from_h + 2 * UNITS) + bias.hn;
    const Floats n = tanh(load(from_x + 2 * UNITS) + bias.in + r * hn);
    const int lanes = place.n;
    if (in.gates) {
      Element* gate = in.gates + place.in_rows(GATES);
      store(gate, r, lanes);
      store(gate + in.H, z, lanes);
      store(gate + 2 * in.H, n, lanes);
      store(in.aside + place.in_rows(), hn, lanes);
    }
    return n + z * (load(in.h + place.in_state(), lanes) - n);
  }

  template <class Element>
  static void backward(
      const Backward<Element>& in, const Place& place, Floats dh, const Element* h_before,
      Floats* slopes) {
    const int lanes = place.n;
    const Element* gate = in.gates + place.in_rows(GATES);
    const Floats r = load(gate, lanes), z = load(gate + in.H, lanes);
    const Floats n = load(gate + 2 * in.H, lanes), hn = load(in.aside + place.in_rows(), lanes);
    const Floats dn = dh * (1.0f - z) * (1.0f - n * n);
    const Floats before = load(h_before + place.u, lanes);
    slopes[0] = dn * hn * r * (1.0f - r);
    slopes[1] = dh * (before - n) * z * (1.0f - z);
    slopes[2] = dn;
    slopes[3] = dn * r;
    store(in.grad_h + place.in_state(), dh * z, lanes);
  }
};

}  // namespace

RECURRENCE_KERNELS(gru, GRU)
