// Products with stored weights, worked on as they lie in the file.
//
// One to a few rows of activations (decoding) are multiplied with the blocks themselves: activations quantised to 8
// bits in runs of 32, integer dot products, scales applied per sub-block. Many rows (prompts) are multiplied with
// panels of 32 weight rows, decoded to float or bfloat16, or brought to integers where that is faster: with dot products
// of bytes (VNNI) to 8 bits with a scale per 128 depths, with products in pairs (AVX2) to codes and scales of integers.

INLINE uint32_t bits32(const uint8_t *at) {
    uint32_t bits;
    memcpy(&bits, at, 4);
    return bits;
}

INLINE uint16_t bits16(const uint8_t *at) {
    uint16_t bits;
    memcpy(&bits, at, 2);
    return bits;
}

#include "stored_codes.h"

#if HAS_DOT
#include <immintrin.h>
#endif

/// Depths decoded at a time; every block format divides it.
enum { DecodedRun = 256 };

/// Decodes depths [start, start + count) of row `row`, at most DecodedRun; E4M3 weights with the scales of their 128 × 128 blocks.
static void decodeRun(const MinkeStored *w, int64_t row, int64_t start, int64_t count, float *out) {
    const uint8_t *data = (const uint8_t *)w->data + row * w->rowBytes;
    decodeOpened(w->format, data + start / minkeBlockElements(w->format) * minkeBlockBytes(w->format), count, out);
    if (!w->scales) return;
    const float *scales = w->scales + (w->firstRow + row) / 128 * w->scaleStride;
    for (int64_t i = 0; i < count; i += 128) {
        float factor = scales[(start + i) / 128];
        for (int64_t j = i; j < count && j < i + 128; j++) out[j] *= factor;
    }
}

/// Rows of activations multiplied with one row of weights at a time. Opening a block costs as much as multiplying it with
/// a row or two, so eight pay even where their sums no longer all stay in registers.
enum { DotRows = HAS_DOT ? 8 : 4 };

/// out[i][row] = w[row]·x[i] in float, for `m` ≤ DotRows rows of x.
static void dotFloats(const MinkeStored *w, int64_t row, const float *x, int64_t xStride, int m, float *sums) {
    REASSOCIATE
    float run[DecodedRun];
    for (int i = 0; i < m; i++) sums[i] = 0;
    for (int64_t start = 0; start < w->depth; start += DecodedRun) {
        int64_t count = w->depth - start < DecodedRun ? w->depth - start : DecodedRun;
        const float *values = run;
        if (w->format == MinkeStoredF32 && ((uintptr_t)w->data + (uintptr_t)(row * w->rowBytes)) % 4 == 0)
            values = (const float *)((const char *)w->data + row * w->rowBytes) + start;
        else decodeRun(w, row, start, count, run);
        for (int i = 0; i < m; i++) {
            const float *at = x + i * xStride + start;
            Floats sum[4] = {{0}, {0}, {0}, {0}};
            int64_t k = 0;
            for (; k + 4 * WIDTH <= count; k += 4 * WIDTH)
                UNROLL for (int v = 0; v < 4; v++)
                    sum[v] += *(const Floats *)(values + k + v * WIDTH) * *(const Floats *)(at + k + v * WIDTH);
            Floats whole = (sum[0] + sum[1]) + (sum[2] + sum[3]);
            float total = 0;
            for (int v = 0; v < WIDTH; v++) total += whole[v];
            for (; k < count; k++) total += values[k] * at[k];
            sums[i] += total;
        }
    }
}

#if HAS_DOT
#include "stored_activations.h"
#include "stored_dot.h"
#include "stored_panel.h"
#elif HAS_MADD_KERNELS
#include "stored_dot_madd.h"
#include "stored_panel_madd.h"
#else
#include "stored_activations.h"
#include "stored_codes_dot.h"
#endif
#include "stored_formats.h"

/// out[i][n] (+)= w[n]·x[i] for weight rows [n0, n1) and `m` rows of activations. With `activations` the product is
/// taken in integers where the format has a kernel for it, else in float.
static void dotStored(const MinkeStored *w, int64_t n0, int64_t n1, const float *x, int64_t xStride,
                      const void *activations, int64_t m, float *out, int64_t outStride, const float *base,
                      int64_t baseStride) {
    // A few rows of weights stay in the cache while all rows of activations pass.
    enum { RowsAtOnce = 8 };
    for (int64_t from = n0; from < n1; from += RowsAtOnce) {
        int64_t end = m <= DotRows || from + RowsAtOnce > n1 ? n1 : from + RowsAtOnce;
        for (int64_t i = 0, rows; i < m; i += rows) {
            rows = m - i >= DotRows ? DotRows : m - i < 4 ? m - i : 4;
            DotTarget to = {out + i * outStride, outStride, base ? base + i * baseStride : 0, baseStride};
            if (activations && dotBlocks(w, from, end, activations, i, (int)rows, &to)) continue;
            for (int64_t n = from; n < end; n++) {
                float sums[DotRows];
                dotFloats(w, n, x + i * xStride, xStride, (int)rows, sums);
                for (int64_t j = 0; j < rows; j++)
                    to.out[j * outStride + n] = sums[j] + (base ? to.base[j * baseStride + n] : 0);
            }
        }
        if (end == n1) return;
    }
}

/// Rows [n0, n0 + 32) of stored weights as one panel of B = Wᵀ in float or bfloat16; rows past `n` are zero.
static void packStored(const MinkeStored *w, int64_t n, int64_t n0, void *panel, int32_t panelType) {
    float runs[MinkePanelWidth * DecodedRun];
    int64_t rows = n - n0 < MinkePanelWidth ? n - n0 : MinkePanelWidth, words = minkeWords(w->depth, panelType);
    for (int64_t start = 0; start < w->depth; start += DecodedRun) {
        int64_t count = w->depth - start < DecodedRun ? w->depth - start : DecodedRun;
        for (int64_t r = 0; r < rows; r++) decodeRun(w, n0 + r, start, count, runs + r * DecodedRun);
        packTransposedInto(runs, MinkeFloat32, DecodedRun, rows, count, panel, panelType, words,
                           minkeWords(start, panelType), 0, 1);
    }
}
