// What the encoders share.
#pragma once

#include "include/minke_blocks.h"

#include <string.h>

// Fused multiply-adds would make the bits depend on the machine.
#pragma STDC FP_CONTRACT OFF

static inline uint32_t bitsOf(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

static inline float floatOf(uint32_t bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static inline void putHalf(uint8_t *at, uint16_t bits) {
    at[0] = (uint8_t)bits;
    at[1] = (uint8_t)(bits >> 8);
}

/// The nearest binary16 number, ties to even; beyond the largest, infinity.
static inline uint16_t half(float x) {
    uint32_t bits = bitsOf(x), sign = bits >> 16 & 0x8000, m = bits & 0x7FFFFFFF;
    if (m > 0x7F800000) return (uint16_t)(sign | 0x7E00);
    if (m >= 0x477FF000) return (uint16_t)(sign | 0x7C00);
    // Added to one half, a subnormal number has its last place where a float has it.
    if (m < 0x38800000) return (uint16_t)(sign | (bitsOf(floatOf(m) + 0.5f) - 0x3F000000));
    return (uint16_t)(sign | (m + 0xFFF + (m >> 13 & 1) - (112u << 23)) >> 13);
}

/// `x` cut to whole numbers of 0...top; NaN gives 0.
static inline int level(float x, int top) {
    x = x > 0 ? x : 0;
    return (int)(x < (float)top ? x : (float)top);
}

static inline float inverse(float x) { return x == 0 ? 0 : 1 / x; }

/// Blocks of 256 elements (encode_k.c).
void minkeEncodeQ4_K(const float *x, uint8_t *block);
void minkeEncodeQ5_K(const float *x, uint8_t *block);
void minkeEncodeQ6_K(const float *x, uint8_t *block);
