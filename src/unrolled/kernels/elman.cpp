// The Elman RNN over whole sequences, forward and backward.
//
//     h' = tanh(W_ih x + W_hh h + b), or relu in place of tanh: the flag

#include "recurrence.h"

namespace {

struct Elman {
  static constexpr int GATES = 1, UNITS = 64;
  static constexpr bool APART = false, PASSES = false;
  template <class Element>
  using CellPanels = Panels<Element, GATES, UNITS>;

  template <class Element>
  static Floats biases(const Forward<Element>& in, int64_t u, int n) {
    return load(in.bias_ih + u, n);
  }

  template <class Element>
  static Floats forward(
      const Forward<Element>& in, const Floats& bias, const float* sums, const float*,
      const Place&) {
    const Floats sum = load(sums) + bias;
    return in.flag ? (sum < 0.0f ? Floats{} : sum) : tanh(sum);
  }

  template <class Element>
  static void backward(
      const Backward<Element>& in, const Place& place, Floats dh, const Element*, Floats* slopes) {
    const Floats output = load(in.y + place.in_rows(), place.n);
    slopes[0] = in.flag ? (output > 0.0f ? dh : Floats{}) : dh * (1.0f - output * output);
  }
};

}  // namespace

RECURRENCE_KERNELS(elman, Elman)
