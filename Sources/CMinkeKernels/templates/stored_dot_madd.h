// Dot products of one row of blocks with a few rows of activations, for processors that multiply bytes and 16-bit words
// in pairs (AVX2).
//
// Activations have one scale per 256, so that sub-blocks with integer scales (the K formats) are summed in integers over
// a whole block; formats with a float scale per 32 are converted once for each. Offsets meet sums of the activations.

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi" // wide vectors are passed between inlined functions only

/// 256 activations of one row.
typedef struct {
    int8_t codes[256];
    int16_t sums[8];      ///< of 32 codes each
    int16_t fineSums[16]; ///< of 16: those of the first half of each 32, then of the second
    float floatSums[8];   ///< of 32
    float scale;
} DotRun;

/// The runs of one row.
typedef const DotRun *Activations;

INLINE Activations activationsAt(const void *base, int64_t depth, int64_t row) {
    return (Activations)((const char *)base + row * minkeActivationBytes(depth));
}

/// Quantises rows of activations for `dotStored`; depths past the end are zero.
static void quantizeActivations(const float *x, int64_t stride, int64_t depth, void *out, int64_t row0, int64_t row1) {
    for (int64_t row = row0; row < row1; row++) {
        DotRun *to = (DotRun *)((char *)out + row * minkeActivationBytes(depth));
        for (int64_t start = 0; start < depth; start += 256, to++) {
            const float *from = x + row * stride + start;
            float rest[256];
            if (depth - start < 256) {
                for (int64_t i = 0; i < 256; i++) rest[i] = i < depth - start ? from[i] : 0;
                from = rest;
            }
            Eight top = {0};
            for (int i = 0; i < 256; i += 8)
                top = __builtin_elementwise_max(top, __builtin_elementwise_abs(*(const Eight *)(from + i)));
            float largest = __builtin_reduce_max(top);
            to->scale = largest / 127;
            const __m256 inverse = _mm256_set1_ps(largest > 0 ? 127 / largest : 0);
            for (int j = 0; j < 8; j++) {
                __m256i words[2];
                UNROLL for (int h = 0; h < 2; h++) {
                    __m256 low = _mm256_loadu_ps(from + 32 * j + 16 * h), high = _mm256_loadu_ps(from + 32 * j + 16 * h + 8);
                    words[h] = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(low, inverse)),
                                                  _mm256_cvtps_epi32(_mm256_mul_ps(high, inverse)));
                }
                // Packing works on halves of registers: here bytes get their order back, and eights of them their sums.
                __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(words[0], words[1]),
                                                            _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
                _mm256_storeu_si256((__m256i *)(to->codes + 32 * j), bytes);
                uint64_t sums[4];
                __m256i positive = _mm256_xor_si256(bytes, _mm256_set1_epi8((char)0x80));
                _mm256_storeu_si256((__m256i *)sums, _mm256_sad_epu8(positive, _mm256_setzero_si256()));
                to->fineSums[j] = (int16_t)((int)(sums[0] + sums[1]) - 16 * 128);
                to->fineSums[8 + j] = (int16_t)((int)(sums[2] + sums[3]) - 16 * 128);
                to->sums[j] = (int16_t)(to->fineSums[j] + to->fineSums[8 + j]);
                to->floatSums[j] = to->sums[j];
            }
        }
    }
}

/// Products of codes and activations in pairs, at most 2·128·127 each.
INLINE __m256i pairProducts(const int format, __m256i codes, const int8_t *activations) {
    __m256i x = _mm256_loadu_si256((const __m256i *)activations);
    if (!isSigned(format)) return _mm256_maddubs_epi16(codes, x);
    return _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
}

INLINE float halfValue(const uint8_t *at) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits16(at)))); }

/// Sixteen bytes, one a group of 16 weights, in the order of DotRun.fineSums.
INLINE __m128i inFineOrder(__m128i x) {
    return _mm_shuffle_epi8(x, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
}

/// A block's integer scales, and what is taken off: words for sub-blocks of 32 in both halves of a register, or for those
/// of 16 in the order of DotRun.fineSums.
typedef struct {
    __m256i scales, offsets;
    float scale, offset; ///< their units
} WideScales;

INLINE WideScales wideScales(const int format, const uint8_t *b) {
    WideScales o = {.offsets = _mm256_setzero_si256(), .offset = 0};
    if (format == MinkeStoredQ4_K || format == MinkeStoredQ5_K) {
        uint32_t u0 = bits32(b + 4), u1 = bits32(b + 8), u2 = bits32(b + 12);
        uint64_t high = (u2 & 0x0F0F0F0F) | (u0 >> 6 & 0x03030303) << 4;
        uint64_t highMinima = (u2 >> 4 & 0x0F0F0F0F) | (u1 >> 6 & 0x03030303) << 4;
        __m128i scales = _mm_cvtsi64_si128((int64_t)(high << 32 | (u0 & 0x3F3F3F3F)));
        __m128i minima = _mm_cvtsi64_si128((int64_t)(highMinima << 32 | (u1 & 0x3F3F3F3F)));
        o.scales = _mm256_broadcastsi128_si256(_mm_cvtepu8_epi16(scales));
        o.offsets = _mm256_zextsi128_si256(_mm_cvtepu8_epi16(minima));
        o.scale = halfValue(b);
        o.offset = halfValue(b + 2);
    } else if (format == MinkeStoredQ2_K) {
        __m128i bytes = inFineOrder(_mm_loadu_si128((const __m128i *)b)), mask = _mm_set1_epi8(15);
        o.scales = _mm256_cvtepu8_epi16(_mm_and_si128(bytes, mask));
        o.offsets = _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(bytes, 4), mask));
        o.scale = halfValue(b + 80);
        o.offset = halfValue(b + 82);
    } else if (format == MinkeStoredIQ4_XS) {
        uint32_t low = bits32(b + 4), high = bits16(b + 2);
        int16_t scales[8];
        for (int j = 0; j < 8; j++) scales[j] = (int16_t)((int)((low >> 4 * j & 15) | (high >> 2 * j & 3) << 4) - 32);
        o.scales = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)scales));
        o.scale = halfValue(b);
    } else if (format == MinkeStoredQ6_K) {
        o.scales = _mm256_cvtepi8_epi16(inFineOrder(_mm_loadu_si128((const __m128i *)(b + 192))));
        o.scale = halfValue(b + 208);
    } else { // Q3_K
        uint32_t u0 = bits32(b + 96), u1 = bits32(b + 100), u2 = bits32(b + 104);
        __m128i bytes = _mm_setr_epi32((int)((u0 & 0x0F0F0F0F) | (u2 & 0x03030303) << 4),
                                       (int)((u1 & 0x0F0F0F0F) | (u2 >> 2 & 0x03030303) << 4),
                                       (int)((u0 >> 4 & 0x0F0F0F0F) | (u2 >> 4 & 0x03030303) << 4),
                                       (int)((u1 >> 4 & 0x0F0F0F0F) | (u2 >> 6 & 0x03030303) << 4));
        o.scales = _mm256_cvtepi8_epi16(inFineOrder(_mm_sub_epi8(bytes, _mm_set1_epi8(32))));
        o.scale = halfValue(b + 108);
    }
    return o;
}

/// Adds the products of one block of 256.
INLINE void addWideBlock(const int format, const int rows, const uint8_t *b, const Activations *a, int64_t s, __m256 *sums) {
    WideScales o = wideScales(format, b);
    __m256i totals[DotRows];
    if (zeroCode(format) > 0) {
        __m256i zeros = _mm256_mullo_epi16(o.scales, _mm256_set1_epi16((short)-zeroCode(format)));
        UNROLL for (int i = 0; i < rows; i++)
            totals[i] = _mm256_madd_epi16(zeros, _mm256_loadu_si256((const __m256i *)a[i][s].fineSums));
    } else {
        UNROLL for (int i = 0; i < rows; i++) totals[i] = _mm256_setzero_si256();
    }
    UNROLL for (int j = 0; j < 8; j++) {
        __m256i codes = (__m256i)codesOf(format, b, j);
        __m256i scale = _mm256_shuffle_epi8(o.scales, _mm256_set1_epi16((short)(2 * j | (2 * j + 1) << 8)));
        UNROLL for (int i = 0; i < rows; i++)
            totals[i] = _mm256_add_epi32(
                totals[i], _mm256_madd_epi16(pairProducts(format, codes, a[i][s].codes + 32 * j), scale));
    }
    const bool hasMinima = format == MinkeStoredQ4_K || format == MinkeStoredQ5_K || format == MinkeStoredQ2_K;
    UNROLL for (int i = 0; i < rows; i++) {
        const DotRun *run = &a[i][s];
        sums[i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(totals[i]), _mm256_set1_ps(o.scale * run->scale), sums[i]);
        if (!hasMinima) continue;
        // Sums of 32 fill half a register; the other half meets zeros.
        const int16_t *codeSums = isFine(format) ? run->fineSums : run->sums;
        __m256i taken = _mm256_madd_epi16(o.offsets, _mm256_loadu_si256((const __m256i *)codeSums));
        sums[i] = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(taken), _mm256_set1_ps(o.offset * run->scale), sums[i]);
    }
}

/// Adds the products of `count` blocks of 32, at most 8.
INLINE void addNarrowBlocks(const int format, const int rows, const uint8_t *b, const int count, const Activations *a,
                            int64_t s, __m256 *sums) {
    const int bytes = (int)minkeBlockBytes(format);
    const uint8_t *at[8];
    UNROLL for (int j = 0; j < 8; j++) at[j] = b + (j < count ? j : 0) * bytes;
    float scales[8];
    Eight all = {0};
    // Powers of two reach to the end of a float's range: the small factor of the activations comes to them first.
    const bool early = format == MinkeStoredMXFP4;
    if (early) for (int j = 0; j < 8; j++) all[j] = power(*at[j]);
    else all = halvesAt(at, 0);
    *(Eight *)scales = all;
    __m256 parts[DotRows];
    const bool hasMinima = format == MinkeStoredQ4_1 || format == MinkeStoredQ5_1;
    if (isSigned(format)) {
        UNROLL for (int i = 0; i < rows; i++) parts[i] = _mm256_setzero_ps();
    } else {
        // Blocks that are not there meet sums of zero.
        Eight offsets = hasMinima ? halvesAt(at, 2) : all * (early ? 1.0f : -zeroCode(format));
        UNROLL for (int i = 0; i < rows; i++) {
            Eight codeSums = *(const Eight *)a[i][s].floatSums;
            parts[i] = (__m256)(early ? offsets * a[i][s].scale * (codeSums * -zeroCode(format)) : offsets * codeSums);
        }
    }
    UNROLL for (int j = 0; j < 8; j++) {
        if (j >= count) break;
        __m256i codes = (__m256i)codesOf(format, at[j], j);
        __m256 scale = _mm256_broadcast_ss(scales + j);
        UNROLL for (int i = 0; i < rows; i++) {
            __m256i products = pairProducts(format, codes, a[i][s].codes + 32 * j);
            products = _mm256_madd_epi16(products, _mm256_set1_epi16(1));
            __m256 factor = early ? _mm256_mul_ps(scale, _mm256_set1_ps(a[i][s].scale)) : scale;
            parts[i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), factor, parts[i]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
        sums[i] = early ? _mm256_add_ps(parts[i], sums[i])
                        : _mm256_fmadd_ps(parts[i], _mm256_set1_ps(a[i][s].scale), sums[i]);
}

/// How far ahead of the block at hand weights are fetched.
enum { FetchAhead = 2048 };

INLINE void dotFormat(const int format, const bool wide, const int rows, const MinkeStored *w, int64_t n,
                      const Activations *a, float *out) {
    const uint8_t *b = (const uint8_t *)w->data + n * w->rowBytes;
    const int bytes = (int)(256 / minkeBlockElements(format) * minkeBlockBytes(format));
    __m256 sums[DotRows];
    UNROLL for (int i = 0; i < rows; i++) sums[i] = _mm256_setzero_ps();
    const int64_t whole = w->depth / 256;
    for (int64_t s = 0; s < whole; s++, b += bytes) {
        UNROLL for (int line = 0; line < bytes; line += 64) _mm_prefetch((const char *)b + FetchAhead + line, _MM_HINT_T0);
        if (wide) addWideBlock(format, rows, b, a, s, sums);
        else addNarrowBlocks(format, rows, b, 8, a, s, sums);
    }
    // The rest of a row whose length is no multiple of 256.
    const int left = (int)(w->depth / 32 % 8);
    if (!wide && left > 0) addNarrowBlocks(format, rows, b, left, a, whole, sums);
    UNROLL for (int i = 0; i < rows; i++) {
        __m128 half = _mm_add_ps(_mm256_castps256_ps128(sums[i]), _mm256_extractf128_ps(sums[i], 1));
        half = _mm_add_ps(half, _mm_movehl_ps(half, half));
        out[i] = _mm_cvtss_f32(half) + _mm_cvtss_f32(_mm_movehdup_ps(half));
    }
}

#pragma clang diagnostic pop
