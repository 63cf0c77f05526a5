// AVX-512 with integer dot products, and tiles (AMX) for products of bfloat16 and bytes: Sapphire Rapids and later. The
// permission to use tiles that Linux wants is asked for by dispatch.c.
#if defined(__x86_64__) && defined(__linux__)

#include <stdbool.h>
#include <immintrin.h>

#define ISA avx512amx
#define WIDTH 16
#define TILE_ROWS 14
#define TILE_ROWS_BF16 12
#define TILE_VECTORS 2
#define HAS_DOT 1
#define HAS_BF16 1
#define HAS_BF16_DOT 0
#define HAS_AMX 1
#define HAS_MADD 1

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,amx-tile,amx-int8,amx-bf16,fma,bmi2,f16c"))), apply_to = function)
#include "templates/all.h"

#pragma clang attribute pop

#endif
