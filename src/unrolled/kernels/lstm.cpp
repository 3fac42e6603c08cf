// The LSTM over whole sequences, forward and backward.
//
//     i, f, o = sigmoid(W_ih x + W_hh h + b),  g = tanh(same),  c' = f c + i g,  h' = o tanh(c')
//
// Gates i, f, g, o; beside their activations the cells c are kept.

#include "recurrence.h"

namespace {

struct LSTM {
  static constexpr int GATES = 4, UNITS = 16;
  static constexpr bool APART = false, PASSES = false;
  template <class Element>
  using CellPanels = Panels<Element, GATES, UNITS>;

  struct Biases {
    Floats i, f, g, o;
  };

  template <class Element>
  static Biases biases(const Forward<Element>& in, int64_t u, int n) {
    const float* bias = in.bias_ih + u;
    return {load(bias, n), load(bias + in.H, n), load(bias + 2 * in.H, n), load(bias + 3 * in.H, n)};
  }

  template <class Element>
  static Floats forward(
      const Forward<Element>& in, const Biases& bias, const float* sums, const float*,
      const Place& place) {
    const Floats i = sigmoid(load(sums) + bias.i);
    const Floats f = sigmoid(load(sums + UNITS) + bias.f);
    const Floats g = tanh(load(sums + 2 * UNITS) + bias.g);
    const Floats o = sigmoid(load(sums + 3 * UNITS) + bias.o);
    const int n = place.n;
    const Floats cell = f * load(in.c + place.in_state(), n) + i * g;
    store(in.c + place.in_state(), cell, n);
    if (in.gates) {
      store(in.aside + place.in_rows(), cell, n);
      Element* gate = in.gates + place.in_rows(GATES);
      store(gate, i, n);
      store(gate + in.H, f, n);
      store(gate + 2 * in.H, g, n);
      store(gate + 3 * in.H, o, n);
    }
    return o * tanh(cell);
  }

  template <class Element>
  static void backward(
      const Backward<Element>& in, const Place& place, Floats dh, const Element*, Floats* slopes) {
    const int n = place.n;
    const Element* gate = in.gates + place.in_rows(GATES);
    const Floats i = load(gate, n), f = load(gate + in.H, n);
    const Floats g = load(gate + 2 * in.H, n), o = load(gate + 3 * in.H, n);
    const Floats squashed = tanh(load(in.aside + place.in_rows(), n));
    float* grad_c = in.grad_c + place.in_state();
    const Floats dc = load(grad_c, n) + dh * o * (1.0f - squashed * squashed);
    const Floats c_before = place.before >= 0 ? load(in.aside + place.before * in.H + place.u, n)
                                              : load(in.c0 + place.in_state(), n);
    slopes[0] = dc * g * i * (1.0f - i);
    slopes[1] = dc * c_before * f * (1.0f - f);
    slopes[2] = dc * i * (1.0f - g * g);
    slopes[3] = dh * squashed * o * (1.0f - o);
    store(grad_c, dc * f, n);
  }
};

}  // namespace

RECURRENCE_KERNELS(lstm, LSTM)
