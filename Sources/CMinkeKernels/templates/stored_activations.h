// Activations in 8 bits for dot products with blocks: codes with a scale per 32.

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
