// Dropout whose mask is computed where it is needed, from a seed and the place of each element.
//
//     y(i) = x(i) / (1 - p) where hash(i, seed) says so, else 0
//
// The way back is the same function of the gradient. N elements; about `kept` of 2^32 stay.

#include "schedule.h"

namespace {

typedef uint32_t Words __attribute__((vector_size(4 * LANES)));

// All bits of x mixed: the finalizer of MurmurHash3 (Appleby 2011).
inline Words mixed(Words x) {
  x ^= x >> 16;
  x *= 0x85ebca6b;
  x ^= x >> 13;
  x *= 0xc2b2ae35;
  return x ^ x >> 16;
}

void drop(int64_t N, Threads threads, uint64_t seed, uint64_t kept, const float* x, float* y) {
  const float scale = (float)(4294967296.0 / (double)kept);
  const uint32_t low = (uint32_t)seed, high = (uint32_t)(seed >> 32), last = (uint32_t)(kept - 1);
  const int64_t vectors = (N + LANES - 1) / LANES, parts = N < SMALL_STEP ? 1 : threads.number;
  Words lanes;
  for (int i = 0; i < LANES; i++) lanes[i] = (uint32_t)i;
  threads.run(parts, [&](int64_t part) {
    const int64_t end = at_most(N, vectors * (part + 1) / parts * LANES);
    for (int64_t i = vectors * part / parts * LANES; i < end; i += LANES) {
      const int n = (int)at_most(LANES, end - i);
      const Words number = mixed(mixed(lanes + ((uint32_t)i + low)) ^ high);
      const Floats element = load(x + i, n) * scale;
      store(y + i, number <= last ? element : Floats{}, n);
    }
  });
}

}  // namespace

KERNEL(void, dropout_float32)
(ParallelFor run, int64_t num_threads, int64_t N, int64_t kept, const uint64_t* seed,
 const float* x, float* y) {
  drop(N, {run, num_threads}, *seed, (uint64_t)kept, x, y);
}
