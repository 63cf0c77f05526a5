// The storage formats of weights: plain elements, and the blocks of GGML, whose rows are runs of blocks.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Formats; the numbers below 1000 are GGML's own (its public list of tensor types).
enum {
    MinkeStoredF32 = 0,
    MinkeStoredF16 = 1,
    MinkeStoredQ4_0 = 2,
    MinkeStoredQ4_1 = 3,
    MinkeStoredQ5_0 = 6,
    MinkeStoredQ5_1 = 7,
    MinkeStoredQ8_0 = 8,
    MinkeStoredQ2_K = 10,
    MinkeStoredQ3_K = 11,
    MinkeStoredQ4_K = 12,
    MinkeStoredQ5_K = 13,
    MinkeStoredQ6_K = 14,
    MinkeStoredIQ4_NL = 20,
    MinkeStoredIQ4_XS = 23,
    MinkeStoredBF16 = 30,
    MinkeStoredMXFP4 = 39,
    MinkeStoredE4M3 = 1000, ///< 8-bit floats whose scales lie beside the matrix
};

/// Elements of one block, 1 for plain formats, 0 for an unknown one.
static inline int64_t minkeBlockElements(int32_t format) {
    switch (format) {
    case MinkeStoredF32: case MinkeStoredF16: case MinkeStoredBF16: case MinkeStoredE4M3: return 1;
    case MinkeStoredQ4_0: case MinkeStoredQ4_1: case MinkeStoredQ5_0: case MinkeStoredQ5_1: case MinkeStoredQ8_0:
    case MinkeStoredIQ4_NL: case MinkeStoredMXFP4: return 32;
    case MinkeStoredQ2_K: case MinkeStoredQ3_K: case MinkeStoredQ4_K: case MinkeStoredQ5_K: case MinkeStoredQ6_K:
    case MinkeStoredIQ4_XS: return 256;
    default: return 0;
    }
}

/// Bytes of one block, 0 for an unknown format.
static inline int64_t minkeBlockBytes(int32_t format) {
    switch (format) {
    case MinkeStoredF32: return 4;
    case MinkeStoredF16: case MinkeStoredBF16: return 2;
    case MinkeStoredE4M3: return 1;
    case MinkeStoredQ4_0: case MinkeStoredIQ4_NL: return 18;
    case MinkeStoredQ4_1: return 20;
    case MinkeStoredQ5_0: return 22;
    case MinkeStoredQ5_1: return 24;
    case MinkeStoredQ8_0: return 34;
    case MinkeStoredMXFP4: return 17;
    case MinkeStoredQ2_K: return 84;
    case MinkeStoredQ3_K: return 110;
    case MinkeStoredQ4_K: return 144;
    case MinkeStoredQ5_K: return 176;
    case MinkeStoredQ6_K: return 210;
    case MinkeStoredIQ4_XS: return 136;
    default: return 0;
    }
}

/// Expands `count` elements, a whole number of blocks, to floats; the source may have any alignment.
void minkeDecodeBlocks(int32_t format, const void *blocks, float *out, int64_t count);
/// Encodes `count` elements, a whole number of blocks: the nearest blocks by the format's usual rule (encode.c).
/// Returns false for a format that cannot be written.
bool minkeEncodeBlocks(int32_t format, const float *x, void *blocks, int64_t count);

#ifdef __cplusplus
}
#endif
