// AVX2 with FMA (Haswell, Zen and later).
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdbool.h>

#define ISA avx2
#define WIDTH 8
#define TILE_ROWS 6
#define TILE_ROWS_BF16 5
#define TILE_VECTORS 2
#define HAS_DOT 0
#define HAS_BF16 0
#define HAS_BF16_DOT 0
#define HAS_AMX 0
#define HAS_MADD 1
#define HAS_MADD_KERNELS 1

#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2,f16c"))), apply_to = function)
#include "templates/all.h"

#pragma clang attribute pop

#endif
