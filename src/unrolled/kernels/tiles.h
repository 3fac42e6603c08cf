// Products of bfloat16 tiles by torch: its copy of oneDNN makes them for the processor, with AMX
// where there is AMX.
//
// The functions are at::native::cpublas::brgemm and brgemm_release. They are no public interface:
// kernels/__init__.py finds them by name, and takes them for a self-test before anything else.
#pragma once

#include <stdint.h>

// c (M, N) float = or += a (M, K) b (K, N), bfloat16; rows are lda, ldb and ldc elements apart, and
// two rows of b lie in one, the two values of a column side by side.
typedef void (*TileProduct)(
    int64_t M, int64_t N, int64_t K, int64_t lda, int64_t ldb, int64_t ldc, bool add,
    const void* a, const void* b, float* c, bool pairs);

// Gives the tile registers of this thread back.
typedef void (*TileRelease)(bool pairs);

extern TileProduct unrolled_tile_product;
extern TileRelease unrolled_tile_release;
