// Encoding into blocks of 256 elements (K-quants): scales are searched for the least weighted squared error.

#include "encode.h"

#include <math.h>

/// Stores the nearest binary16 number and returns its value.
static inline float putNearestHalf(uint8_t *at, float x) {
    putHalf(at, half(x));
    float stored;
    minkeDecodeBlocks(MinkeStoredF16, at, &stored, 1);
    return stored;
}

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

void minkeEncodeQ4_K(const float *x, uint8_t *b) {
    uint8_t q[Elements];
    encodeAffine(x, 15, b, q);
    for (int i = 0; i < 128; i++) {
        const uint8_t *low = q + 64 * (i / 32) + i % 32;
        b[16 + i] = (uint8_t)(low[0] | low[32] << 4);
    }
}

void minkeEncodeQ5_K(const float *x, uint8_t *b) {
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

void minkeEncodeQ6_K(const float *x, uint8_t *b) {
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
