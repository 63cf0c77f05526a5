// Encoding of weights into the blocks of stored formats.

#include "include/minke_blocks.h"

#include <string.h>

bool minkeEncodeBlocks(int32_t format, const float *x, void *blocks, int64_t count) {
    if (format != MinkeStoredF32) return false;
    memcpy(blocks, x, (size_t)count * 4);
    return true;
}
