// Encoding of weights into the blocks of stored formats; blocks.c says what the blocks mean.
//
// The formats of 32 elements follow the usual rule to the bit: the scale from the extreme values, every element to the
// nearest level. The formats of 256 elements search their scales for the least weighted squared error.

#include "include/minke_blocks.h"

#include <math.h>
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

/// Stores the nearest binary16 number and returns its value.
static inline float putNearestHalf(uint8_t *at, float x) {
    putHalf(at, half(x));
    float stored;
    minkeDecodeBlocks(MinkeStoredF16, at, &stored, 1);
    return stored;
}

static inline uint16_t brain(float x) {
    uint32_t bits = bitsOf(x);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 64);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/// `x` cut to whole numbers of 0...top; NaN gives 0.
static inline int level(float x, int top) {
    x = x > 0 ? x : 0;
    return (int)(x < (float)top ? x : (float)top);
}

static inline float inverse(float x) { return x == 0 ? 0 : 1 / x; }

// MARK: Blocks of 32

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

// MARK: Blocks of 256

enum { Elements = 256 };

/// Weights of the squared errors: large elements count more, as they meet large activations no less often.
static void weigh(const float *x, int count, float *w) {
    float squares = 0;
    for (int i = 0; i < count; i++) squares += x[i] * x[i];
    float typical = sqrtf(squares / (float)count);
    for (int i = 0; i < count; i++) w[i] = typical + fabsf(x[i]);
}

/// Sums that give the best straight line through (level, element).
typedef struct { float w, q, qq, x, qx; } Moments;

/// The scale and the non-negative minimum of x ≈ scale·q − minimum with levels q of 0...top.
///
/// Tries ranges around that of the elements; for the levels of each, the best pair has a closed form.
static float fitAffine(const float *x, const float *w, int top, float *minimum) {
#pragma clang fp reassociate(on)
    float low = 0, high = x[0];
    for (int i = 0; i < 32; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    *minimum = -low;
    if (!(high > low)) return 0;
    float best = 0, bestError = INFINITY;
    for (int step = -12; step <= 12; step++) {
        float inverseScale = ((float)top + 0.1f * (float)step) / (high - low);
        float q[32];
        Moments s = {0};
        for (int i = 0; i < 32; i++) {
            q[i] = (float)level(inverseScale * (x[i] - low) + 0.5f, top);
            s.w += w[i];
            s.q += w[i] * q[i];
            s.qq += w[i] * q[i] * q[i];
            s.x += w[i] * x[i];
            s.qx += w[i] * q[i] * x[i];
        }
        float determinant = s.w * s.qq - s.q * s.q;
        float scale = (s.w * s.qx - s.x * s.q) / determinant, offset = (s.qq * s.x - s.q * s.qx) / determinant;
        // Equal levels leave the line open, and only a minimum below zero can be stored.
        if (!(determinant > 1e-6f * s.w * s.qq) || offset > 0) {
            offset = 0;
            scale = s.qx * inverse(s.qq);
        }
        float error = 0;
        for (int i = 0; i < 32; i++) {
            float difference = scale * q[i] + offset - x[i];
            error += w[i] * difference * difference;
        }
        if (error < bestError) {
            bestError = error;
            best = scale;
            *minimum = -offset;
        }
    }
    return best;
}

/// What Q4_K and Q5_K have in common: levels, 6-bit scales and minima of eight sub-blocks, and their own two scales.
typedef struct {
    float d, dmin;
    uint8_t scale[8], minimum[8], q[Elements];
} Affine;

/// Chooses the nearest levels and returns the weighted squared error.
static float chooseAffineLevels(Affine *a, const float *x, const float *w, int top) {
#pragma clang fp reassociate(on)
    float error = 0;
    for (int j = 0; j < 8; j++) {
        float scale = a->d * a->scale[j], minimum = a->dmin * a->minimum[j], inverseScale = inverse(scale);
        for (int i = 32 * j; i < 32 * j + 32; i++) {
            int q = level((x[i] + minimum) * inverseScale + 0.5f, top);
            float difference = scale * (float)q - minimum - x[i];
            a->q[i] = (uint8_t)q;
            error += w[i] * difference * difference;
        }
    }
    return error;
}

/// The best two scales for the levels at hand: the normal equations of x ≈ d·(scale·q) − dmin·minimum.
static void refitAffineScales(const Affine *a, const float *x, const float *w, float *d, float *dmin) {
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
    for (int i = 0; i < Elements; i++) {
        double u = a->scale[i / 32] * a->q[i], v = -(double)a->minimum[i / 32], weight = (double)w[i];
        aa += weight * u * u;
        ab += weight * u * v;
        bb += weight * v * v;
        ax += weight * u * (double)x[i];
        bx += weight * v * (double)x[i];
    }
    double determinant = aa * bb - ab * ab;
    if (determinant > 1e-9 * aa * bb) {
        *d = (float)((bb * ax - ab * bx) / determinant);
        *dmin = (float)((aa * bx - ab * ax) / determinant);
    } else if (aa > 0) {
        *d = (float)((ax - ab * (double)*dmin) / aa);
    }
}

static void packScalesAndMinima(const Affine *a, uint8_t *s) {
    for (int j = 0; j < 4; j++) {
        s[j] = (uint8_t)(a->scale[j] | a->scale[j + 4] >> 4 << 6);
        s[j + 4] = (uint8_t)(a->minimum[j] | a->minimum[j + 4] >> 4 << 6);
        s[j + 8] = (uint8_t)((a->scale[j + 4] & 15) | a->minimum[j + 4] << 4);
    }
}

/// Fills the first 16 bytes of a block of Q4_K or Q5_K and chooses its levels.
static void encodeAffine(const float *x, int top, uint8_t *b, uint8_t *q) {
    float w[Elements], scales[8], minima[8], largestScale = 0, largestMinimum = 0;
    for (int j = 0; j < 8; j++) {
        weigh(x + 32 * j, 32, w + 32 * j);
        scales[j] = fitAffine(x + 32 * j, w + 32 * j, top, &minima[j]);
        largestScale = scales[j] > largestScale ? scales[j] : largestScale;
        largestMinimum = minima[j] > largestMinimum ? minima[j] : largestMinimum;
    }
    Affine best = {.d = putNearestHalf(b, largestScale / 63), .dmin = putNearestHalf(b + 2, largestMinimum / 63)};
    for (int j = 0; j < 8; j++) {
        best.scale[j] = (uint8_t)level(scales[j] * inverse(best.d) + 0.5f, 63);
        best.minimum[j] = (uint8_t)level(minima[j] * inverse(best.dmin) + 0.5f, 63);
    }
    float error = chooseAffineLevels(&best, x, w, top);
    // Rounding to 6 bits moved the scales; what it cost is partly won back by the two that they share.
    for (int round = 0; round < 3; round++) {
        Affine next = best;
        uint8_t stored[4];
        refitAffineScales(&best, x, w, &next.d, &next.dmin);
        next.d = putNearestHalf(stored, next.d);
        next.dmin = putNearestHalf(stored + 2, next.dmin);
        float nextError = chooseAffineLevels(&next, x, w, top);
        if (!(nextError < error)) break;
        error = nextError;
        best = next;
        memcpy(b, stored, 4);
    }
    packScalesAndMinima(&best, b + 4);
    memcpy(q, best.q, Elements);
}

static void encodeQ4_K(const float *x, uint8_t *b) {
    uint8_t q[Elements];
    encodeAffine(x, 15, b, q);
    for (int i = 0; i < 128; i++) {
        const uint8_t *low = q + 64 * (i / 32) + i % 32;
        b[16 + i] = (uint8_t)(low[0] | low[32] << 4);
    }
}

static void encodeQ5_K(const float *x, uint8_t *b) {
    uint8_t q[Elements];
    encodeAffine(x, 31, b, q);
    memset(b + 16, 0, 32);
    for (int i = 0; i < Elements; i++) b[16 + i % 32] |= (uint8_t)((q[i] >> 4) << i / 32);
    for (int i = 0; i < 128; i++) {
        const uint8_t *low = q + 64 * (i / 32) + i % 32;
        b[48 + i] = (uint8_t)((low[0] & 15) | low[32] << 4);
    }
}

/// The scale of 16 elements x ≈ scale·q with levels q of −32...31.
static float fitSymmetric(const float *x, const float *w) {
#pragma clang fp reassociate(on)
    float extreme = 0;
    for (int i = 0; i < 16; i++) if (fabsf(x[i]) > fabsf(extreme)) extreme = x[i];
    if (extreme == 0) return 0;
    float best = 0, bestGain = 0;
    for (int step = -12; step <= 12; step++) {
        float inverseScale = -(32 + 0.1f * (float)step) / extreme, qx = 0, qq = 0;
        for (int i = 0; i < 16; i++) {
            float q = (float)(level(inverseScale * x[i] + 32.5f, 63) - 32);
            qx += w[i] * q * x[i];
            qq += w[i] * q * q;
        }
        // With the best scale qx/qq the error is Σ w·x² − qx²/qq.
        if (qq > 0 && qx * qx > bestGain * qq) {
            bestGain = qx * qx / qq;
            best = qx / qq;
        }
    }
    return best;
}

/// Chooses the nearest levels (raised by 32) of Q6_K and returns the weighted squared error.
static float chooseSymmetricLevels(float d, const int8_t *scale, const float *x, const float *w, uint8_t *q) {
#pragma clang fp reassociate(on)
    float error = 0;
    for (int j = 0; j < 16; j++) {
        float s = d * (float)scale[j], inverseScale = inverse(s);
        for (int i = 16 * j; i < 16 * j + 16; i++) {
            int k = level(x[i] * inverseScale + 32.5f, 63);
            float difference = s * (float)(k - 32) - x[i];
            q[i] = (uint8_t)k;
            error += w[i] * difference * difference;
        }
    }
    return error;
}

static void encodeQ6_K(const float *x, uint8_t *b) {
    float w[Elements], scales[16], extreme = 0;
    for (int j = 0; j < 16; j++) {
        weigh(x + 16 * j, 16, w + 16 * j);
        scales[j] = fitSymmetric(x + 16 * j, w + 16 * j);
        if (fabsf(scales[j]) > fabsf(extreme)) extreme = scales[j];
    }
    // The extreme scale takes −128, the end that reaches further.
    float d = putNearestHalf(b + 208, extreme / -128), id = inverse(d);
    int8_t *scale = (int8_t *)b + 192;
    for (int j = 0; j < 16; j++) scale[j] = (int8_t)(level(scales[j] * id + 128.5f, 255) - 128);
    uint8_t q[Elements], refined[Elements], stored[2];
    float error = chooseSymmetricLevels(d, scale, x, w, q);
    float qx = 0, qq = 0;
    for (int i = 0; i < Elements; i++) {
        float u = (float)scale[i / 16] * (float)(q[i] - 32);
        qx += w[i] * u * x[i];
        qq += w[i] * u * u;
    }
    if (qq > 0 && chooseSymmetricLevels(putNearestHalf(stored, qx / qq), scale, x, w, refined) < error) {
        memcpy(b + 208, stored, 2);
        memcpy(q, refined, Elements);
    }
    for (int n = 0; n < 2; n++) {
        for (int i = 0; i < 32; i++) {
            const uint8_t *p = q + 128 * n + i;
            b[64 * n + i] = (uint8_t)((p[0] & 15) | p[64] << 4);
            b[64 * n + 32 + i] = (uint8_t)((p[32] & 15) | p[96] << 4);
            b[128 + 32 * n + i] = (uint8_t)(p[0] >> 4 | p[32] >> 4 << 2 | p[64] >> 4 << 4 | p[96] >> 4 << 6);
        }
    }
}

bool minkeEncodeBlocks(int32_t format, const float *x, void *blocks, int64_t count) {
    uint8_t *b = blocks;
    int64_t bytes = minkeBlockBytes(format), step = minkeBlockElements(format);
    switch (format) {
    case MinkeStoredF32: memcpy(b, x, (size_t)count * 4); return true;
    case MinkeStoredF16: for (int64_t i = 0; i < count; i++) putHalf(b + 2 * i, half(x[i])); return true;
    case MinkeStoredBF16: for (int64_t i = 0; i < count; i++) putHalf(b + 2 * i, brain(x[i])); return true;
#define BLOCKS(name) \
    case MinkeStored##name: for (int64_t i = 0; i < count; i += step, b += bytes) encode##name(x + i, b); return true;
    BLOCKS(Q4_0) BLOCKS(Q4_1) BLOCKS(Q5_0) BLOCKS(Q5_1) BLOCKS(Q8_0) BLOCKS(MXFP4) BLOCKS(Q4_K) BLOCKS(Q5_K)
    BLOCKS(Q6_K)
#undef BLOCKS
    default: return false;
    }
}
