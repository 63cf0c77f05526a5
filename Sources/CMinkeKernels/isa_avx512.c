// AVX-512 without bfloat16 (Skylake-X, Ice Lake): bfloat16 widens to float in registers.
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdbool.h>

#define ISA avx512
#define WIDTH 16
#define TILE_ROWS 14
#define TILE_ROWS_BF16 12
#define TILE_VECTORS 2
#define HAS_DOT 0
#define HAS_BF16 0
#define HAS_BF16_DOT 0
#define HAS_AMX 0
#define HAS_MADD 1

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2,f16c"))), apply_to = function)
#include "templates/all.h"

#pragma clang attribute pop

#endif
