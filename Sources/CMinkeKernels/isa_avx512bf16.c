// AVX-512 with bfloat16 dot products (Zen 4 and later).
#if defined(__x86_64__)

#include <stdbool.h>
#include <immintrin.h>

#define ISA avx512bf16
#define WIDTH 16
#define TILE_ROWS 14
#define TILE_ROWS_BF16 14
#define TILE_VECTORS 2
#define HAS_DOT 1
#define HAS_BF16 1
#define HAS_BF16_DOT 1
#define HAS_AMX 0
#define HAS_MADD 1

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,bmi2,f16c"))), apply_to = function)
#include "templates/all.h"

#pragma clang attribute pop

#endif
