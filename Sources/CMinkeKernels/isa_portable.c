// Any processor that clang targets: four-float vectors without fused multiply-add where there is none.
#if 1

#include <stdbool.h>

#define ISA portable
#define WIDTH 4
#define TILE_ROWS 4
#define TILE_ROWS_BF16 3
#define TILE_VECTORS 2
#define HAS_DOT 0
#define HAS_BF16 0
#define HAS_BF16_DOT 0
#define HAS_AMX 0

#include "templates/all.h"

#endif
