// NEON (every 64-bit Arm).
#if defined(__aarch64__)

#include <arm_neon.h>
#include <stdbool.h>

#define ISA neon
#define WIDTH 4
#define TILE_ROWS 6
#define TILE_ROWS_BF16 4
#define TILE_VECTORS 4
#define HAS_DOT 0
#define HAS_BF16 0
#define HAS_BF16_DOT 0
#define HAS_AMX 0
#define HAS_NEON 1

#include "templates/all.h"

#endif
