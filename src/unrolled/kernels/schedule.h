// How the work of a recurrence is spread over the threads, and where its rows lie.
#pragma once

#include <stdlib.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#if defined(UNROLLED_TILES)
#include "tiles.h"
#endif
#include "vector.h"

// torch's own thread pool: calls f(begin, end, context) for parts of a range.
typedef int32_t (*ParallelFor)(
    int64_t begin, int64_t end, int64_t grain, void (*f)(int64_t, int64_t, void*), void* context);

namespace {

// A thread with fewer rows would wait for the weights: those in its second-level cache, or others.
constexpr int64_t FEW_ROWS = 4, FEW_ROWS_BEYOND_CACHE = 16;
constexpr int64_t CACHED_WEIGHTS = 1 << 17;
constexpr int64_t SMALL_STEP = 1 << 16;  // multiplications that are not worth waking a thread for
constexpr int64_t MANY_ROWS = 512;       // after which threads wait for each other on the way back

// While it lives, its thread takes numbers below 1.2e-38 for zero. Vanishing gradients end among
// them, and processors are several times slower there.
class TinyIsZero {
#if defined(__x86_64__)
  static constexpr unsigned FLUSH = 0x8040;  // results, and operands, of MXCSR
  const unsigned before = _mm_getcsr();

 public:
  TinyIsZero() { _mm_setcsr(before | FLUSH); }
  ~TinyIsZero() { _mm_setcsr(before); }
#elif defined(__aarch64__)
  static constexpr uint64_t FLUSH = 1 << 24;  // of FPCR
  uint64_t before;

 public:
  TinyIsZero() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | FLUSH));
  }
  ~TinyIsZero() { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }
#else
 public:
  TinyIsZero() {}
  ~TinyIsZero() {}
#endif
};

// Memory for one call, aligned to cache lines. Of no size, none is taken: a second allocation in each
// step would let the first wander through memory, which costs the forward pass of an LSTM 6 %.
template <class T>
struct Scratch {
  int64_t bytes;
  T* data;

  explicit Scratch(int64_t count)
      : bytes(count ? round_up((count + 1) * (int64_t)sizeof(T), 64) : 0),
        data(count ? static_cast<T*>(aligned_alloc(64, bytes)) : nullptr) {
    if (count && !data) abort();
  }
  Scratch(const Scratch&) = delete;
  ~Scratch() { free(data); }

  void clear() {
    if (data) memset(data, 0, bytes);
  }
};

// What a thread is set to while it works.
struct Working {
  const TinyIsZero tiny_is_zero;
#if defined(UNROLLED_TILES)
  ~Working() { unrolled_tile_release(true); }
#endif
};

struct Threads {
  ParallelFor parallel_for;
  int64_t number;

  template <class F>
  void run(int64_t parts, F&& f) const {
    if (parts <= 1 || number <= 1) {
      const Working working;
      for (int64_t part = 0; part < parts; part++) f(part);
      return;
    }
    parallel_for(
        0, parts, 1,
        [](int64_t begin, int64_t end, void* context) {
          const Working working;
          for (int64_t part = begin; part < end; part++) (*static_cast<F*>(context))(part);
        },
        &f);
  }
};

// T steps of at most B rows. The rows of step t are offsets[t] to offsets[t + 1] of all N; a longer
// sequence never lies below a shorter one, so a sequence keeps its place until it ends. In tensors
// they lie from row places[t] on.
struct Sequences {
  int64_t T, B;
  const int64_t *offsets, *places;

  int64_t rows() const { return offsets[T]; }
  int64_t active(int64_t t) const { return t < T ? offsets[t + 1] - offsets[t] : 0; }

  // The first step of the piece of about MANY_ROWS rows that ends before step `end`.
  int64_t piece(int64_t end) const {
    int64_t begin = end - 1;
    while (begin > 0 && offsets[end] - offsets[begin - 1] <= MANY_ROWS) begin--;
    return begin;
  }
  int64_t longest_piece() const {
    return at_most(rows(), MANY_ROWS > B ? MANY_ROWS : B);
  }

  // The first row of part i of n such that all parts have about the same number of tokens.
  int64_t part(int64_t i, int64_t n) const {
    int64_t row = 0, tokens = 0, t = T;
    for (; row < B; row++) {
      while (t > 0 && active(t - 1) <= row) t--;
      if (tokens * n >= rows() * i) break;
      tokens += t;
    }
    return i == n ? B : row;
  }
};

// Calls step(t, first row, last row, first column, last column) for steps `begin` to `end`, also
// back in time. Each thread takes its own rows and never waits; with too few rows all share each
// step's columns.
template <class Step>
void run_steps(
    const Sequences& seq, const Threads& threads, int64_t begin, int64_t end, int64_t columns,
    int64_t weights, const Step& step) {
  const int64_t count = begin < end ? end - begin : begin - end, direction = begin < end ? 1 : -1;
  const int64_t few = weights <= CACHED_WEIGHTS ? FEW_ROWS : FEW_ROWS_BEYOND_CACHE;
  if (seq.B >= threads.number * few || seq.B * weights < SMALL_STEP) {
    const int64_t parts = at_most(threads.number, seq.B / few > 0 ? seq.B / few : 1);
    threads.run(parts, [&](int64_t i) {
      const int64_t first = seq.part(i, parts), last = seq.part(i + 1, parts);
      for (int64_t s = 0, t = begin; s < count; s++, t += direction) {
        const int64_t stop = at_most(last, seq.active(t));
        if (first < stop) step(t, first, stop, 0, columns);
      }
    });
    return;
  }
  const int64_t parts = at_most(threads.number, columns);
  for (int64_t s = 0, t = begin; s < count; s++, t += direction) {
    threads.run(parts, [&](int64_t i) {
      step(t, 0, seq.active(t), columns * i / parts, columns * (i + 1) / parts);
    });
  }
}

// The way back in pieces of about MANY_ROWS rows: step(first step of the piece, t, ...) for falling
// t, and after each piece done(its first step, its end).
template <class Step, class Done>
void run_back(
    const Sequences& seq, const Threads& threads, int64_t columns, int64_t weights,
    const Step& step, const Done& done) {
  for (int64_t end = seq.T, begin; end > 0; end = begin) {
    begin = seq.piece(end);
    auto step_of_piece = [&](int64_t t, int64_t row, int64_t last, int64_t column, int64_t stop) {
      step(begin, t, row, last, column, stop);
    };
    run_steps(seq, threads, end - 1, begin - 1, columns, weights, step_of_piece);
    done(begin, end);
  }
}

// A gradient that is a sum over all rows.
struct Gradient {
  float* sum;
  int64_t size;
};

// Calls backward(sequences, their first row of the batch, threads, sums) once for the whole batch
// or, where the weights are few, once for each thread's part of it, with sums of its own that are
// added in the end: so no thread waits for another, and what it works on stays in its own cache.
template <int COUNT, class Backward>
void by_parts(
    const Sequences& seq, const Threads& threads, const Gradient (&gradients)[COUNT],
    const Backward& backward) {
  float* sums[COUNT];
  int64_t size = 0;
  for (int i = 0; i < COUNT; i++) {
    sums[i] = gradients[i].sum;
    size += gradients[i].size;
  }
  const int64_t parts = threads.number;
  if (parts == 1 || size > CACHED_WEIGHTS || seq.B < parts * FEW_ROWS) {
    return backward(seq, 0, threads, sums);
  }
  Scratch<float> others((parts - 1) * size);
  threads.run(parts, [&](int64_t part) {
    const int64_t first = seq.part(part, parts), last = seq.part(part + 1, parts);
    Scratch<int64_t> offsets(seq.T + 1), places(seq.T);
    Sequences own{0, last - first, offsets.data, places.data};
    offsets.data[0] = 0;
    for (; at_most(last, seq.active(own.T)) > first; own.T++) {
      offsets.data[own.T + 1] = offsets.data[own.T] + at_most(last, seq.active(own.T)) - first;
      places.data[own.T] = seq.places[own.T] + first;
    }
    if (part) {
      float* sum = others.data + (part - 1) * size;
      if (own.T == 0) memset(sum, 0, size * sizeof *sum);
      float* own_sums[COUNT];
      for (int i = 0; i < COUNT; sum += gradients[i++].size) own_sums[i] = sum;
      if (own.T) backward(own, first, Threads{nullptr, 1}, own_sums);
    } else {
      backward(own, first, Threads{nullptr, 1}, sums);
    }
  });
  const float* other = others.data;
  for (const Gradient& gradient : gradients) {
    if (gradient.size == 0) continue;
    threads.run(parts, [&](int64_t part) {
      const int64_t begin = gradient.size * part / parts, end = gradient.size * (part + 1) / parts;
      for (int64_t i = 0; i < parts - 1; i++) {
        for (int64_t at = begin; at < end; at++) gradient.sum[at] += other[i * size + at];
      }
    });
    other += gradient.size;
  }
}

}  // namespace
