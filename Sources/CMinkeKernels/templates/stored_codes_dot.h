// Dot products of one row of blocks with a few rows of activations, for instruction sets without VNNI.

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi" // wide vectors are passed between inlined functions only

/// Sums of products of codes with activations, in four lanes for each 16.
INLINE Eight dotCodes(const int format, Codes codes, const int8_t *activations) {
    (void)format; // only some instruction sets treat formats apart
    typedef int32_t Sums __attribute__((vector_size(32), aligned(4), may_alias));
    Sums sums;
#if HAS_MADD
    __m256i w = (__m256i)codes, x = _mm256_loadu_si256((const __m256i *)activations);
    // Pairs stay within 16 bits: 2·128·127.
    __m256i pairs = isSigned(format) ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w))
                                     : _mm256_maddubs_epi16(w, x);
    sums = (Sums)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#elif HAS_NEON
    int32x4_t halves[2];
    UNROLL for (int h = 0; h < 2; h++) {
        int8x16_t w = vld1q_s8((const int8_t *)&codes + 16 * h), x = vld1q_s8(activations + 16 * h);
#ifdef __ARM_FEATURE_DOTPROD
        halves[h] = vdotq_s32(vdupq_n_s32(0), w, x);
#else
        int16x8_t pairs = vmull_s8(vget_low_s8(w), vget_low_s8(x));
        halves[h] = vpaddlq_s16(vmlal_s8(pairs, vget_high_s8(w), vget_high_s8(x)));
#endif
    }
    memcpy(&sums, halves, 32);
#else
    typedef int16_t Products __attribute__((vector_size(64)));
    Products products = __builtin_convertvector(codes, Products) *
                        __builtin_convertvector(*(const Codes *)activations, Products);
    int32_t wide[32];
    for (int i = 0; i < 32; i++) wide[i] = products[i];
    for (int i = 0; i < 8; i++) {
        const int32_t *at = wide + i / 4 * 16 + i % 4;
        sums[i] = at[0] + at[4] + at[8] + at[12];
    }
#endif
    return __builtin_convertvector(sums, Eight);
}

INLINE void dotFormat(const int format, const bool wide, const int rows, const MinkeStored *w, int64_t n,
                      const Activations *a, float *sums) {
    REASSOCIATE
    const uint8_t *b = (const uint8_t *)w->data + n * w->rowBytes;
    Eight totals[DotRows][2];
    Sixteen offsets[DotRows];
    UNROLL for (int i = 0; i < rows; i++) {
        totals[i][0] = totals[i][1] = (Eight){0};
        offsets[i] = (Sixteen){0};
    }
    const int64_t step = 256 / minkeBlockElements(format) * minkeBlockBytes(format);
    for (int64_t s = 0; s * 256 < w->depth; s++, b += step) {
        __builtin_prefetch(b + 8 * step);
        OpenScales o;
        const uint8_t *at[8];
        if (wide) o = scalesOfWide(format, b);
        else {
            int64_t left = w->depth / 32 - 8 * s;
            int count = left < 8 ? (int)left : 8;
            UNROLL for (int j = 0; j < 8; j++) at[j] = b + (j < count ? j : 0) * minkeBlockBytes(format);
            o = scalesOfNarrow(format, at, count);
        }
        float scales[DotRows][16];
        UNROLL for (int i = 0; i < rows; i++) {
            *(Sixteen *)scales[i] = o.scales * *(const Sixteen *)(a[i].scales + 16 * s);
            if (!isSigned(format)) offsets[i] += o.offsets * *(const Sixteen *)(a[i].sums + 16 * s);
        }
        UNROLL for (int j = 0; j < 8; j++) {
            Codes codes = codesOf(format, wide ? b : at[j], j);
            UNROLL for (int i = 0; i < rows; i++) {
                float low = scales[i][2 * j], high = isFine(format) ? scales[i][2 * j + 1] : low;
                Eight factors = {low, low, low, low, high, high, high, high};
                totals[i][j % 2] += dotCodes(format, codes, a[i].codes + 256 * s + 32 * j) * factors;
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        Eight total = totals[i][0] + totals[i][1];
        float sum = 0;
        for (int l = 0; l < 8; l++) sum += total[l];
        for (int l = 0; l < 16; l++) sum -= offsets[i][l];
        sums[i] = sum;
    }
}

#pragma clang diagnostic pop
