// What every stored format decodes to, one function each: the definition that faster kernels are held against.
//
// Included by blocks.c for everyone and by all.h once per instruction set.

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../include/minke_blocks.h"

static inline float floatOf(uint32_t bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

/// IEEE binary16.
static inline float half(const uint8_t *at) {
    uint32_t h = (uint32_t)at[0] | (uint32_t)at[1] << 8;
    uint32_t sign = (h & 0x8000) << 16, magnitude = h & 0x7FFF;
    if (magnitude >= 0x7C00) return floatOf(sign | 0x7F800000 | magnitude << 13);
    if (magnitude >= 0x0400) return floatOf(sign | ((magnitude << 13) + (112u << 23)));
    float x = (float)magnitude * 0x1p-24f;
    return sign ? -x : x;
}

static inline uint32_t word(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/// Two to the power of `exponent` − 128 (E8M0 scales of doubled FP4 values); 255 is NaN.
static inline float power(uint8_t exponent) {
    if (exponent == 255) return floatOf(0x7FC00000);
    return exponent < 2 ? floatOf(0x00200000u << exponent) : floatOf((uint32_t)(exponent - 1) << 23);
}

static const int8_t nonlinear[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
/// E2M1 doubled.
static const int8_t doubledFP4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// The 6-bit scale and minimum of sub-block j of Q4_K and Q5_K.
static inline void scaleAndMinimum(const uint8_t *s, int j, int *scale, int *minimum) {
    if (j < 4) {
        *scale = s[j] & 63;
        *minimum = s[j + 4] & 63;
    } else {
        *scale = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
        *minimum = s[j + 4] >> 4 | (s[j] >> 6) << 4;
    }
}

static void decodeQ4_0(const uint8_t *b, float *y) {
    float d = half(b);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[2 + i] & 15) - 8);
        y[i + 16] = d * (float)((b[2 + i] >> 4) - 8);
    }
}

static void decodeQ4_1(const uint8_t *b, float *y) {
    float d = half(b), m = half(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)(b[4 + i] & 15) + m;
        y[i + 16] = d * (float)(b[4 + i] >> 4) + m;
    }
}

static void decodeQ5_0(const uint8_t *b, float *y) {
    float d = half(b);
    uint32_t high = word(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)(((b[6 + i] & 15) | (int)(high >> i & 1) << 4) - 16);
        y[i + 16] = d * (float)((b[6 + i] >> 4 | (int)(high >> (i + 16) & 1) << 4) - 16);
    }
}

static void decodeQ5_1(const uint8_t *b, float *y) {
    float d = half(b), m = half(b + 2);
    uint32_t high = word(b + 4);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[8 + i] & 15) | (int)(high >> i & 1) << 4) + m;
        y[i + 16] = d * (float)(b[8 + i] >> 4 | (int)(high >> (i + 16) & 1) << 4) + m;
    }
}

static void decodeQ8_0(const uint8_t *b, float *y) {
    float d = half(b);
    for (int i = 0; i < 32; i++) y[i] = d * (float)(int8_t)b[2 + i];
}

static void decodeQ2_K(const uint8_t *b, float *y) {
    float d = half(b + 80), minimum = half(b + 82);
    for (int i = 0; i < 256; i++) {
        int n = i / 128, k = i % 128 / 32, l = i % 32, s = b[i / 16];
        y[i] = d * (float)(s & 15) * (float)(b[16 + 32 * n + l] >> 2 * k & 3) - minimum * (float)(s >> 4);
    }
}

static void decodeQ3_K(const uint8_t *b, float *y) {
    float d = half(b + 108);
    const uint8_t *s = b + 96;
    for (int i = 0; i < 256; i++) {
        int n = i / 128, k = i % 128 / 32, l = i % 32, j = i / 16;
        int scale = (j < 8 ? s[j] & 15 : s[j - 8] >> 4) | (s[8 + j % 4] >> 2 * (j / 4) & 3) << 4;
        int q = (b[32 + 32 * n + l] >> 2 * k & 3) - ((b[l] >> (4 * n + k) & 1) ? 0 : 4);
        y[i] = d * (float)(scale - 32) * (float)q;
    }
}

static void decodeQ4_K(const uint8_t *b, float *y) {
    float d = half(b), minimum = half(b + 2);
    for (int j = 0; j < 8; j++) {
        int sc, m;
        scaleAndMinimum(b + 4, j, &sc, &m);
        float scale = d * (float)sc, offset = minimum * (float)m;
        const uint8_t *q = b + 16 + 32 * (j / 2);
        for (int i = 0; i < 32; i++) y[32 * j + i] = scale * (float)(j & 1 ? q[i] >> 4 : q[i] & 15) - offset;
    }
}

static void decodeQ5_K(const uint8_t *b, float *y) {
    float d = half(b), minimum = half(b + 2);
    for (int j = 0; j < 8; j++) {
        int sc, m;
        scaleAndMinimum(b + 4, j, &sc, &m);
        float scale = d * (float)sc, offset = minimum * (float)m;
        const uint8_t *q = b + 48 + 32 * (j / 2);
        for (int i = 0; i < 32; i++) {
            int low = j & 1 ? q[i] >> 4 : q[i] & 15;
            y[32 * j + i] = scale * (float)(low + 16 * (b[16 + i] >> j & 1)) - offset;
        }
    }
}

static void decodeQ6_K(const uint8_t *b, float *y) {
    float d = half(b + 208);
    for (int i = 0; i < 256; i++) {
        int n = i / 128, k = i % 128 / 32, l = i % 32;
        uint8_t byte = b[64 * n + 32 * (k & 1) + l];
        int q = (k < 2 ? byte & 15 : byte >> 4) | (b[128 + 32 * n + l] >> 2 * k & 3) << 4;
        y[i] = d * (float)(int8_t)b[192 + i / 16] * (float)(q - 32);
    }
}

static void decodeIQ4_NL(const uint8_t *b, float *y) {
    float d = half(b);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)nonlinear[b[2 + i] & 15];
        y[i + 16] = d * (float)nonlinear[b[2 + i] >> 4];
    }
}

static void decodeIQ4_XS(const uint8_t *b, float *y) {
    float d = half(b);
    uint32_t high = (uint32_t)b[2] | (uint32_t)b[3] << 8;
    for (int j = 0; j < 8; j++) {
        int scale = (b[4 + j / 2] >> 4 * (j % 2) & 15) | (int)(high >> 2 * j & 3) << 4;
        float s = d * (float)(scale - 32);
        const uint8_t *q = b + 8 + 16 * j;
        for (int i = 0; i < 16; i++) {
            y[32 * j + i] = s * (float)nonlinear[q[i] & 15];
            y[32 * j + i + 16] = s * (float)nonlinear[q[i] >> 4];
        }
    }
}

static void decodeMXFP4(const uint8_t *b, float *y) {
    float d = power(b[0]);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)doubledFP4[b[1 + i] & 15];
        y[i + 16] = d * (float)doubledFP4[b[1 + i] >> 4];
    }
}

/// Four exponent bits, three of fraction; without branches, so that loops over it are vectorised.
static inline float e4m3(uint8_t bits) {
    uint32_t magnitude = bits & 0x7F, sign = (uint32_t)(bits & 0x80) << 24;
    uint32_t normal = (magnitude << 20) + (120u << 23);
    float small = (float)(int32_t)magnitude * 0x1p-9f; // what is below the least normal number, 2⁻⁶
    uint32_t small32;
    memcpy(&small32, &small, 4);
    uint32_t value = magnitude < 8 ? small32 : normal;
    return floatOf(sign | (magnitude == 0x7F ? 0x7FC00000 : value));
}

static void decodeBlocks(int32_t format, const void *blocks, float *out, int64_t count) {
    const uint8_t *b = blocks;
    int64_t bytes = minkeBlockBytes(format), step = minkeBlockElements(format);
    switch (format) {
    case MinkeStoredF32: memcpy(out, b, (size_t)count * 4); return;
    case MinkeStoredF16: for (int64_t i = 0; i < count; i++) out[i] = half(b + 2 * i); return;
    case MinkeStoredBF16:
        for (int64_t i = 0; i < count; i++) out[i] = floatOf((uint32_t)b[2 * i] << 16 | (uint32_t)b[2 * i + 1] << 24);
        return;
    case MinkeStoredE4M3: for (int64_t i = 0; i < count; i++) out[i] = e4m3(b[i]); return;
#define BLOCKS(name) \
    case MinkeStored##name: for (int64_t i = 0; i < count; i += step, b += bytes) decode##name(b, out + i); return;
    BLOCKS(Q4_0) BLOCKS(Q4_1) BLOCKS(Q5_0) BLOCKS(Q5_1) BLOCKS(Q8_0) BLOCKS(Q2_K) BLOCKS(Q3_K) BLOCKS(Q4_K)
    BLOCKS(Q5_K) BLOCKS(Q6_K) BLOCKS(IQ4_NL) BLOCKS(IQ4_XS) BLOCKS(MXFP4)
#undef BLOCKS
    default: return;
    }
}
