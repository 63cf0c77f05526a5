// Decoding of stored formats for callers outside the kernels.

#include "templates/decode.h"

void minkeDecodeBlocks(int32_t format, const void *blocks, float *out, int64_t count) {
    decodeBlocks(format, blocks, out, count);
}
