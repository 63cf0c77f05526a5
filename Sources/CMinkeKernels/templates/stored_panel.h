// Panels of stored weights in 8 bits (AVX-512 VNNI): 32 rows of weights requantised with one scale per row and 128
// depths, multiplied with rows of activations quantised alike. Integer sums run over 128 depths, so that scales cost
// little, and 8 bits with such short blocks lose far less than the formats' own few bits did.

enum { BytePanelBlock = MinkeByteBlock * MinkePanelWidth + MinkePanelWidth * 8 };

static int64_t byteRowBytes(int64_t depth) { return minkeByteBlocks(depth) * MinkeByteBlock; }

/// Per block of depths the words, then 32 corrections and 32 scales.
static int64_t bytePanelBytes(int32_t format, int64_t depth) {
    (void)format;
    return minkeByteBlocks(depth) * BytePanelBlock;
}

/// Quantises rows of activations to unsigned codes (zero is 128) with a scale per 128 depths.
static void quantizeRows(const float *x, int64_t stride, int64_t depth, uint8_t *codes, float *scales, int64_t row0,
                         int64_t row1) {
    int64_t blocks = minkeByteBlocks(depth);
    for (int64_t row = row0; row < row1; row++)
        for (int64_t block = 0; block < blocks; block++) {
            const float *from = x + row * stride + block * MinkeByteBlock;
            uint8_t *to = codes + (row * blocks + block) * MinkeByteBlock;
            int64_t count = depth - block * MinkeByteBlock;
            __m512 v[8], top = _mm512_setzero_ps();
            UNROLL for (int j = 0; j < 8; j++) {
                int64_t left = count - 16 * j;
                __mmask16 mask = left >= 16 ? 0xFFFF : left <= 0 ? 0 : (__mmask16)((1u << left) - 1);
                v[j] = _mm512_maskz_loadu_ps(mask, from + 16 * j);
                top = _mm512_max_ps(top, _mm512_abs_ps(v[j]));
            }
            float largest = _mm512_reduce_max_ps(top);
            scales[row * blocks + block] = largest / 127;
            __m512 inverse = _mm512_set1_ps(largest > 0 ? 127 / largest : 0);
            UNROLL for (int j = 0; j < 8; j++) {
                __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(v[j], inverse));
                __m128i bytes = _mm512_cvtepi32_epi8(_mm512_add_epi32(rounded, _mm512_set1_epi32(128)));
                _mm_storeu_si128((__m128i *)(to + 16 * j), bytes);
            }
        }
}

/// The largest of each eight lanes, in all of them.
INLINE __m512 maximumOfHalves(__m512 x) {
    x = _mm512_max_ps(x, _mm512_shuffle_f32x4(x, x, 0xB1));
    x = _mm512_max_ps(x, _mm512_permute_ps(x, 0x4E));
    return _mm512_max_ps(x, _mm512_permute_ps(x, 0xB1));
}

/// 256 weights in signed 8 bits, and the scales of their two halves.
INLINE void requantize(const int format, OpenBlock o, int8_t *out, float *scale0, float *scale1) {
    const CodeRange range = codeRange(format);
    // Codes are shifted and multiplied in 16 bits; two bits behind the point survive until the offset is added.
    const int shift = range.top < 8 ? 10 : 7;
    __m512 zero = _mm512_set1_ps((float)range.zero);
    __m512 minimum = range.hasMinimum ? o.offsets : _mm512_setzero_ps();
    __m512 highest = _mm512_fmsub_ps(o.scales, _mm512_set1_ps((float)(range.top - range.zero)), minimum);
    __m512 lowest = _mm512_fnmsub_ps(o.scales, zero, minimum);
    __m512 top = maximumOfHalves(_mm512_max_ps(_mm512_abs_ps(highest), _mm512_abs_ps(lowest)));
    __m512 inverse = _mm512_maskz_div_ps(_mm512_cmp_ps_mask(top, _mm512_setzero_ps(), _CMP_GT_OQ), _mm512_set1_ps(127), top);
    *scale0 = _mm512_cvtss_f32(top) / 127;
    *scale1 = _mm512_cvtss_f32(_mm512_shuffle_f32x4(top, top, 0xEE)) / 127;
    __m512i factors = _mm512_castsi256_si512(_mm512_cvtsepi32_epi16(
        _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_mul_ps(o.scales, inverse), _mm512_set1_ps((float)(1 << (17 - shift)))))));
    __m512i offsets = _mm512_castsi256_si512(_mm512_cvtsepi32_epi16(
        _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_mul_ps(minimum, inverse), _mm512_set1_ps(-4)))));
    __m512i pair = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(1), 1);
    UNROLL for (int k = 0; k < 4; k++) {
        __m512i codes = _mm512_sub_epi8(o.codes[k], _mm512_set1_epi8((char)range.zero));
        __m256i bytes[2];
        UNROLL for (int side = 0; side < 2; side++) {
            __m512i index = _mm512_add_epi16(pair, _mm512_set1_epi16((short)(4 * k + 2 * side)));
            __m256i half = side ? _mm512_extracti64x4_epi64(codes, 1) : _mm512_castsi512_si256(codes);
            __m512i value = _mm512_slli_epi16(_mm512_cvtepi8_epi16(half), shift);
            value = _mm512_mulhrs_epi16(value, _mm512_permutexvar_epi16(index, factors));
            if (range.hasMinimum) value = _mm512_add_epi16(value, _mm512_permutexvar_epi16(index, offsets));
            value = _mm512_srai_epi16(_mm512_add_epi16(value, _mm512_set1_epi16(2)), 2);
            bytes[side] = _mm512_cvtsepi16_epi8(value);
        }
        _mm512_store_si512(out + 64 * k, _mm512_inserti64x4(_mm512_castsi256_si512(bytes[0]), bytes[1], 1));
    }
}

INLINE void packBytesOf(const int format, const bool wide, const MinkeStored *w, int64_t n, int64_t n0, char *panel) {
    int64_t blocks = minkeByteBlocks(w->depth), wideBlocks = (w->depth + 255) / 256;
    _Alignas(64) int8_t rows[16][256];
    for (int64_t s = 0; s < wideBlocks; s++) {
        int halves = 2 * s + 1 < blocks ? 2 : 1;
        for (int side = 0; side < 2; side++) {
            for (int r = 0; r < 16; r++) {
                float scales[2] = {0, 0};
                int64_t row = n0 + 16 * side + r;
                if (row < n)
                    requantize(format, openBlock(format, wide, (const uint8_t *)w->data + row * w->rowBytes, s, w->depth),
                               rows[r], &scales[0], &scales[1]);
                else memset(rows[r], 0, 256);
                for (int h = 0; h < halves; h++) {
                    char *block = panel + (2 * s + h) * BytePanelBlock;
                    ((float *)(block + MinkeByteBlock * MinkePanelWidth + MinkePanelWidth * 4))[16 * side + r] = scales[h];
                }
            }
            for (int h = 0; h < halves; h++)
                UNROLL for (int q = 0; q < 2; q++) {
                    char *to = panel + (2 * s + h) * BytePanelBlock + q * 16 * 128 + side * 64;
                    Words words[16];
                    UNROLL for (int r = 0; r < 16; r++) words[r] = *(const Words *)(rows[r] + 128 * h + 64 * q);
                    transpose16(words);
                    UNROLL for (int r = 0; r < 16; r++) *(Words *)(to + 128 * r) = words[r];
                }
        }
        for (int h = 0; h < halves; h++) {
            char *block = panel + (2 * s + h) * BytePanelBlock;
            // Activations are 128 too large each: what that adds to a sum is taken off beforehand.
            __m512i low = _mm512_setzero_si512(), high = low, ones = _mm512_set1_epi8(1);
            for (int word = 0; word < MinkeByteBlock / 4; word++) {
                low = _mm512_dpbusd_epi32(low, ones, _mm512_loadu_si512(block + word * 128));
                high = _mm512_dpbusd_epi32(high, ones, _mm512_loadu_si512(block + word * 128 + 64));
            }
            __m512i zero = _mm512_setzero_si512();
            char *corrections = block + MinkeByteBlock * MinkePanelWidth;
            _mm512_storeu_si512(corrections, _mm512_sub_epi32(zero, _mm512_slli_epi32(low, 7)));
            _mm512_storeu_si512(corrections + 64, _mm512_sub_epi32(zero, _mm512_slli_epi32(high, 7)));
        }
    }
}

/// Rows [n0, n0 + 32) of block-format weights as one panel in 8 bits (bytePanelBytes); rows past `n` are zero.
static void packBytes(const MinkeStored *w, int64_t n, int64_t n0, void *panel) {
    switch (w->format) {
#define CASE(name, wide) case MinkeStored##name: packBytesOf(MinkeStored##name, wide, w, n, n0, panel); return;
    CASE(Q4_0, false) CASE(Q4_1, false) CASE(Q5_0, false) CASE(Q5_1, false) CASE(Q8_0, false) CASE(IQ4_NL, false)
    CASE(MXFP4, false) CASE(Q2_K, true) CASE(Q3_K, true) CASE(Q4_K, true) CASE(Q5_K, true) CASE(Q6_K, true)
    CASE(IQ4_XS, true)
#undef CASE
    }
}

#if HAS_AMX
/// out[row][0 ..< columns] = x[row]·panel (+ base) for quantised rows [row0, row1), columns at most 32. Rows and panels are
/// laid out as those of products of codes.
static void productBytes(const uint8_t *codes, const float *scales, int32_t format, int64_t depth, int64_t row0,
                         int64_t row1, const void *panel, int64_t columns, float *out, int64_t outStride,
                         const float *base, int64_t baseStride) {
    (void)format;
    int64_t blocks = minkeByteBlocks(depth);
    Block block = {.out = out, .outStride = outStride, .base = base, .baseStride = baseStride,
                   .mode = base ? MinkeAddFloat32 : MinkeStoreFloat32, .columns = columns};
    for (int64_t row = row0; row < row1; row += BlockRows) {
        CodeOperands o = {.a = (const char *)codes + row * blocks * MinkeByteBlock, .scales = scales + row * blocks,
                          .rowBytes = blocks * MinkeByteBlock, .rowScales = blocks, .b = panel,
                          .depth = blocks * MinkeByteBlock};
        codeBlock(&block, false, row + BlockRows < row1 ? BlockRows : (int)(row1 - row), row, 0, o);
    }
    releaseTiles();
}
#else

/// Rows of activations in one tile: their integer and float sums fill the registers.
enum { ByteTileRows = 7 };

INLINE void byteTile(const int rows, const uint8_t *a, const float *scales, int64_t blocks, const char *panel,
                     int64_t columns, float *out, int64_t outStride, const float *base, int64_t baseStride) {
    __m512 sums[ByteTileRows][2];
    UNROLL for (int i = 0; i < rows; i++) sums[i][0] = sums[i][1] = _mm512_setzero_ps();
    int64_t aStride = blocks * MinkeByteBlock;
    for (int64_t block = 0; block < blocks; block++, panel += BytePanelBlock) {
        const char *side = panel + MinkeByteBlock * MinkePanelWidth;
        __m512i dots[ByteTileRows][2];
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < 2; v++) dots[i][v] = _mm512_loadu_si512(side + 64 * v);
        const uint8_t *at = a + block * MinkeByteBlock;
        for (int word = 0; word < MinkeByteBlock / 4; word++) {
            __m512i low = _mm512_loadu_si512(panel + word * 128), high = _mm512_loadu_si512(panel + word * 128 + 64);
            UNROLL for (int i = 0; i < rows; i++) {
                __m512i left = _mm512_set1_epi32(*(const int32_t *)(at + i * aStride + 4 * word));
                dots[i][0] = _mm512_dpbusd_epi32(dots[i][0], left, low);
                dots[i][1] = _mm512_dpbusd_epi32(dots[i][1], left, high);
            }
        }
        __m512 low = _mm512_loadu_ps(side + 128), high = _mm512_loadu_ps(side + 192);
        UNROLL for (int i = 0; i < rows; i++) {
            __m512 scale = _mm512_set1_ps(scales[i * blocks + block]);
            sums[i][0] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[i][0]), _mm512_mul_ps(scale, low), sums[i][0]);
            sums[i][1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[i][1]), _mm512_mul_ps(scale, high), sums[i][1]);
        }
    }
    UNROLL for (int v = 0; v < 2; v++) {
        int64_t left = columns - 16 * v;
        __mmask16 mask = left >= 16 ? 0xFFFF : left <= 0 ? 0 : (__mmask16)((1u << left) - 1);
        UNROLL for (int i = 0; i < rows; i++) {
            __m512 sum = sums[i][v];
            if (base) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, base + i * baseStride + 16 * v));
            _mm512_mask_storeu_ps(out + i * outStride + 16 * v, mask, sum);
        }
    }
}

/// out[row][0 ..< columns] = x[row]·panel (+ base) for quantised rows [row0, row1), columns at most 32.
static void productBytes(const uint8_t *codes, const float *scales, int32_t format, int64_t depth, int64_t row0,
                         int64_t row1, const void *panel, int64_t columns, float *out, int64_t outStride,
                         const float *base, int64_t baseStride) {
    (void)format;
    int64_t blocks = minkeByteBlocks(depth), count = row1 - row0, tiles = (count + ByteTileRows - 1) / ByteTileRows;
    for (int64_t t = 0; t < tiles; t++) {
        int64_t row = row0 + count * t / tiles;
        const uint8_t *a = codes + row * blocks * MinkeByteBlock;
        const float *s = scales + row * blocks, *b = base ? base + row * baseStride : 0;
        float *to = out + row * outStride;
        switch (row0 + count * (t + 1) / tiles - row) {
#define CASE(rows) case rows: byteTile(rows, a, s, blocks, panel, columns, to, outStride, b, baseStride); break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
#undef CASE
        }
    }
}
#endif
