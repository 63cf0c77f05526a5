// Products with stored weights, worked on as they lie in the file.
//
// One to a few rows of activations (decoding) are multiplied with the blocks themselves: activations quantised to 8
// bits in runs of 32, integer dot products, scales applied per sub-block. Many rows (prompts) are multiplied with
// panels of 32 weight rows, decoded to float or bfloat16, or, where the processor has integer dot products (VNNI),
// requantised to 8 bits with a scale per 128 depths.

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

/// Activations of one row, quantised for dot products: codes with a scale per 32; scale and scaled sum are kept per 16,
/// since some formats have sub-blocks of 16.
typedef struct {
    int8_t *codes;
    float *scales, *sums;
} Activations;

INLINE Activations activationsAt(const void *base, int64_t depth, int64_t row) {
    char *at = (char *)base + row * minkeActivationBytes(depth);
    int64_t runs = minkeActivationRuns(depth);
    float *scales = (float *)(at + runs * 32);
    return (Activations){(int8_t *)at, scales, scales + 2 * runs};
}

/// Quantises 32 values, of which `left` are there, to codes; returns their scale, and the sums of each 16 codes.
#if HAS_DOT
INLINE float quantizeRun(const float *from, int64_t left, int8_t *codes, float *sums) {
    __mmask16 first = left >= 16 ? 0xFFFF : left <= 0 ? 0 : (__mmask16)((1u << left) - 1);
    __mmask16 second = left >= 32 ? 0xFFFF : left <= 16 ? 0 : (__mmask16)((1u << (left - 16)) - 1);
    __m512 low = _mm512_maskz_loadu_ps(first, from), high = _mm512_maskz_loadu_ps(second, from + 16);
    float top = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high)));
    __m512 inverse = _mm512_set1_ps(top > 0 ? 127 / top : 0);
    __m512i lowCodes = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
    __m512i highCodes = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
    _mm_storeu_si128((__m128i *)codes, _mm512_cvtepi32_epi8(lowCodes));
    _mm_storeu_si128((__m128i *)(codes + 16), _mm512_cvtepi32_epi8(highCodes));
    sums[0] = (float)_mm512_reduce_add_epi32(lowCodes);
    sums[1] = (float)_mm512_reduce_add_epi32(highCodes);
    return top / 127;
}
#else
INLINE float quantizeRun(const float *from, int64_t left, int8_t *codes, float *sums) {
    REASSOCIATE
    float values[32], top = 0;
    int32_t rounded[32], low = 0, high = 0;
    for (int i = 0; i < 32; i++) values[i] = i < left ? from[i] : 0;
    for (int i = 0; i < 32; i++) {
        float magnitude = values[i] < 0 ? -values[i] : values[i];
        top = magnitude > top ? magnitude : top;
    }
    float inverse = top > 0 ? 127 / top : 0;
    for (int i = 0; i < 32; i++) rounded[i] = (int32_t)(values[i] * inverse + (values[i] < 0 ? -0.5f : 0.5f));
    for (int i = 0; i < 32; i++) codes[i] = (int8_t)rounded[i];
    for (int i = 0; i < 16; i++) low += rounded[i];
    for (int i = 16; i < 32; i++) high += rounded[i];
    sums[0] = (float)low;
    sums[1] = (float)high;
    return top / 127;
}
#endif

/// The places of a group of 16 activations within its 256: of its scale and sum, and of the first four of its codes and
/// the distance to the next four. Integer dot products (`turned`) want the four parts of a group in the same lane.
INLINE int groupPlace(int group) { return HAS_DOT ? 4 * (group % 4) + group / 4 : group; }
INLINE int codePlace(int group) { return HAS_DOT ? 4 * groupPlace(group) : 16 * group; }
enum { CodeStep = HAS_DOT ? 64 : 4 };

/// Quantises rows of activations for `dotStored`; depths past the end are zero.
static void quantizeActivations(const float *x, int64_t stride, int64_t depth, void *out, int64_t row0, int64_t row1) {
    for (int64_t row = row0; row < row1; row++) {
        Activations a = activationsAt(out, depth, row);
        int64_t runs = minkeActivationRuns(depth);
        for (int64_t r = 0; r < runs; r++) {
            int8_t codes[32];
            float sums[2], scale = quantizeRun(x + row * stride + 32 * r, depth - 32 * r, codes, sums);
            UNROLL for (int half = 0; half < 2; half++) {
                int group = (int)(r % 8) * 2 + half;
                int8_t *to = a.codes + r / 8 * 256 + codePlace(group);
                UNROLL for (int k = 0; k < 4; k++) memcpy(to + k * CodeStep, codes + 16 * half + 4 * k, 4);
                int64_t place = r / 8 * 16 + groupPlace(group);
                a.scales[place] = scale;
                a.sums[place] = scale * sums[half];
            }
        }
    }
}

#if HAS_DOT
#include "stored_dot.h"
#include "stored_panel.h"
#else
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
