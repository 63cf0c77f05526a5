// Encoding of weights into the blocks of stored formats; blocks.c says what the blocks mean.
//
// Plain formats and blocks of 32 elements, by the usual rule to the bit: the scale from the extreme values, every element
// to the nearest level. encode_k.c has the blocks of 256.

#include "encode.h"

#include <math.h>
#include <string.h>

static inline uint16_t brain(float x) {
    uint32_t bits = bitsOf(x);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 64);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static void packNibbles(const uint8_t *q, uint8_t *out) {
    for (int i = 0; i < 16; i++) out[i] = (uint8_t)((q[i] & 15) | q[i + 16] << 4);
}

static void packFifthBits(const uint8_t *q, uint8_t *out) {
    memset(out, 0, 4);
    for (int i = 0; i < 32; i++) out[i / 8] |= (uint8_t)((q[i] >> 4 & 1) << i % 8);
}

/// Levels around zero: the element furthest from it takes the lowest level.
static void symmetricLevels(const float *x, int bits, uint8_t *scale, uint8_t *q) {
    int middle = 1 << (bits - 1);
    float extreme = 0;
    for (int i = 0; i < 32; i++) if (fabsf(x[i]) > fabsf(extreme)) extreme = x[i];
    float d = extreme / (float)-middle, id = inverse(d);
    putHalf(scale, half(d));
    for (int i = 0; i < 32; i++) q[i] = (uint8_t)level(x[i] * id + ((float)middle + 0.5f), 2 * middle - 1);
}

/// Levels from the smallest element to the largest.
static void affineLevels(const float *x, int bits, uint8_t *scaleAndMinimum, uint8_t *q) {
    int top = (1 << bits) - 1;
    float low = x[0], high = x[0];
    for (int i = 1; i < 32; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    float d = (high - low) / (float)top, id = inverse(d);
    putHalf(scaleAndMinimum, half(d));
    putHalf(scaleAndMinimum + 2, half(low));
    for (int i = 0; i < 32; i++) q[i] = (uint8_t)level((x[i] - low) * id + 0.5f, top);
}

static void encodeQ4_0(const float *x, uint8_t *b) {
    uint8_t q[32];
    symmetricLevels(x, 4, b, q);
    packNibbles(q, b + 2);
}

static void encodeQ4_1(const float *x, uint8_t *b) {
    uint8_t q[32];
    affineLevels(x, 4, b, q);
    packNibbles(q, b + 4);
}

static void encodeQ5_0(const float *x, uint8_t *b) {
    uint8_t q[32];
    symmetricLevels(x, 5, b, q);
    packFifthBits(q, b + 2);
    packNibbles(q, b + 6);
}

static void encodeQ5_1(const float *x, uint8_t *b) {
    uint8_t q[32];
    affineLevels(x, 5, b, q);
    packFifthBits(q, b + 4);
    packNibbles(q, b + 8);
}

static void encodeQ8_0(const float *x, uint8_t *b) {
    float largest = 0;
    for (int i = 0; i < 32; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    float d = largest / 127, id = inverse(d);
    putHalf(b, half(d));
    for (int i = 0; i < 32; i++) {
        int q = level(fabsf(x[i] * id) + 0.5f, 127);
        b[2 + i] = (uint8_t)(x[i] < 0 ? -q : q);
    }
}

static void encodeMXFP4(const float *x, uint8_t *b) {
    // Doubled magnitudes, and the middles between them; a tie goes to the smaller level.
    static const float middles[7] = {0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10};
    float largest = 0;
    for (int i = 0; i < 32; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    // The largest element lies between 4 and 8 times the power of two.
    int exponent = (int)(bitsOf(largest) >> 23) - 2;
    b[0] = (uint8_t)(exponent < 0 ? 0 : exponent);
    // The power of doubled values is 2^(byte − 128); its inverse stays a normal number.
    float id = ldexpf(1, 128 - b[0] > 127 ? 127 : 128 - b[0]);
    uint8_t q[32];
    for (int i = 0; i < 32; i++) {
        float magnitude = fabsf(x[i]) * id;
        int k = 0;
        while (k < 7 && magnitude > middles[k]) k++;
        q[i] = (uint8_t)(k > 0 && x[i] < 0 ? k | 8 : k);
    }
    packNibbles(q, b + 1);
}

bool minkeEncodeBlocks(int32_t format, const float *x, void *blocks, int64_t count) {
    uint8_t *b = blocks;
    int64_t bytes = minkeBlockBytes(format), step = minkeBlockElements(format);
    switch (format) {
    case MinkeStoredF32: memcpy(b, x, (size_t)count * 4); return true;
    case MinkeStoredF16: for (int64_t i = 0; i < count; i++) putHalf(b + 2 * i, half(x[i])); return true;
    case MinkeStoredBF16: for (int64_t i = 0; i < count; i++) putHalf(b + 2 * i, brain(x[i])); return true;
#define BLOCKS(name, encode) \
    case MinkeStored##name: for (int64_t i = 0; i < count; i += step, b += bytes) encode(x + i, b); return true;
    BLOCKS(Q4_0, encodeQ4_0) BLOCKS(Q4_1, encodeQ4_1) BLOCKS(Q5_0, encodeQ5_0) BLOCKS(Q5_1, encodeQ5_1)
    BLOCKS(Q8_0, encodeQ8_0) BLOCKS(MXFP4, encodeMXFP4)
    BLOCKS(Q4_K, minkeEncodeQ4_K) BLOCKS(Q5_K, minkeEncodeQ5_K) BLOCKS(Q6_K, minkeEncodeQ6_K)
#undef BLOCKS
    default: return false;
    }
}
