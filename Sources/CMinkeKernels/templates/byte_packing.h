// Operands of products of bytes: quantised, and brought into the order in which the product reads them.
//
// A code is x·127/top rounded to the nearest, with top the largest magnitude of its block and top/127 the scale. Where a
// block holds infinity or NaN, the scale does too, and so does every sum that it takes part in.

/// What makes whole numbers of a float of up to 2²² in its lowest bits, rounded to the nearest, ties to even.
#define ROUNDER 12582912.0f
#define DOUBLE_ROUNDER 6755399441055744.0

INLINE uint64_t bitsOfDouble(double x) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    return bits;
}

/// Magnitudes compare as integers, NaN above infinity.
INLINE uint32_t magnitude(const void *x, int64_t i, const int type) {
    return type == MinkeBFloat16 ? (uint32_t)(((const uint16_t *)x)[i] & 0x7FFF) << 16
                                 : ((const Word *)x)[i] & 0x7FFFFFFF;
}

/// What values are multiplied with to become codes; nothing where they are too small for that, or not finite.
INLINE float byteFactor(float top) { return top > 1e-36f && top < INFINITY ? 127 / top : 0; }

/// A code is the low byte of this. Without fused multiply-adds the product is exact in double all the same.
INLINE uint32_t byteCode(float x, float factor) {
#if HAS_DOT
    return bitsOfFloat(fmaf(x, factor, ROUNDER));
#else
    return (uint32_t)bitsOfDouble((double)x * factor + DOUBLE_ROUNDER);
#endif
}

#if HAS_DOT

/// 32 values from `at` on that the mask names, as floats: those of even and of odd places (bfloat16), or the first and the
/// last 16 (float).
INLINE void loadPair(const void *x, int64_t at, const int type, __mmask32 mask, Floats pair[2]) {
    if (type == MinkeBFloat16) {
        __m512i raw = _mm512_maskz_loadu_epi16(mask, (const uint16_t *)x + at);
        pair[0] = (Floats)_mm512_slli_epi32(raw, 16);
        pair[1] = (Floats)_mm512_and_si512(raw, _mm512_set1_epi32((int)0xFFFF0000));
    } else {
        pair[0] = (Floats)_mm512_maskz_loadu_ps((__mmask16)mask, (const float *)x + at);
        pair[1] = (Floats)_mm512_maskz_loadu_ps((__mmask16)(mask >> 16), (const float *)x + at + 16);
    }
}

INLINE __m512i larger(__m512i top, Floats x) {
    return _mm512_max_epu32(top, _mm512_and_si512((__m512i)x, _mm512_set1_epi32(0x7FFFFFFF)));
}

/// A code in the low bits of each lane.
INLINE __m512i roundedTo(Floats x, Floats factor) {
    return (__m512i)_mm512_fmadd_ps((__m512)x, (__m512)factor, _mm512_set1_ps(ROUNDER));
}

/// Codes of 32 values as 16-bit numbers, in order for bfloat16; for float each 128 bits hold four of the first and four
/// of the last 16.
INLINE __m512i codesOfPair(const int type, Floats pair[2], Floats factor) {
    __m512i low = roundedTo(pair[0], factor), high = roundedTo(pair[1], factor);
    if (type == MinkeBFloat16) return _mm512_mask_blend_epi16(0xAAAAAAAA, low, _mm512_slli_epi32(high, 16));
    __m512i mask = _mm512_set1_epi32(0xFFFF);
    return _mm512_packus_epi32(_mm512_and_si512(low, mask), _mm512_and_si512(high, mask));
}

INLINE __mmask32 first32(int64_t count) {
    return count >= 32 ? 0xFFFFFFFF : count <= 0 ? 0 : (__mmask32)(((uint64_t)1 << count) - 1);
}

/// One block of a row: `count` values at most 128; writes whole words of codes.
INLINE float quantizeByteBlock(const void *x, const int type, int64_t count, uint8_t *codes) {
    Floats pairs[4][2];
    __m512i top = _mm512_setzero_si512();
    UNROLL for (int j = 0; j < 4; j++) {
        loadPair(x, 32 * j, type, first32(count - 32 * j), pairs[j]);
        top = larger(larger(top, pairs[j][0]), pairs[j][1]);
    }
    float largest = floatOfBits(_mm512_reduce_max_epu32(top));
    Floats factor = (Floats){0} + byteFactor(largest);
    UNROLL for (int j = 0; j < 4; j += 2) {
        __m512i first = codesOfPair(type, pairs[j], factor), second = codesOfPair(type, pairs[j + 1], factor);
        __m512i bytes = _mm512_packs_epi16(first, second);
        if (type == MinkeBFloat16) bytes = _mm512_permutexvar_epi64(_mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0), bytes);
        else bytes = _mm512_permutexvar_epi32(_mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0), bytes);
        bytes = _mm512_xor_si512(bytes, _mm512_set1_epi8((char)128));
        int64_t left = (count + 3) / 4 * 4 - 32 * j;
        if (left >= 64) _mm512_storeu_si512(codes + 32 * j, bytes);
        else if (left > 0) _mm512_mask_storeu_epi8(codes + 32 * j, ((uint64_t)1 << left) - 1, bytes);
    }
    return largest / 127;
}

/// Four rows of codes as words: byte j of a lane is the low byte of rows[j].
INLINE __m512i wordsOfRows(const __m512i rows[4]) {
    __m512i low = _mm512_set1_epi32(0xFF);
    __m512i first = _mm512_ternarylogic_epi32(low, rows[0], _mm512_slli_epi32(rows[1], 8), 0xCA);
    __m512i second = _mm512_ternarylogic_epi32(low, rows[2], _mm512_slli_epi32(rows[3], 8), 0xCA);
    return _mm512_mask_blend_epi16(0xAAAAAAAA, first, _mm512_slli_epi32(second, 16));
}

/// One block of `count` rows (at most 128) of 32 columns, those that the mask names.
INLINE void packByteBlock(const void *x, const int type, int64_t stride, int64_t row0, int64_t column,
                          int64_t count, __mmask32 mask, const bool isLeft, char *to) {
    __m512i top[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int64_t r = 0; r < count; r++) {
        Floats pair[2];
        loadPair(x, (row0 + r) * stride + column, type, mask, pair);
        top[0] = larger(top[0], pair[0]);
        top[1] = larger(top[1], pair[1]);
    }
    Floats factor[2], scale[2];
    UNROLL for (int v = 0; v < 2; v++) {
        Floats largest = (Floats)top[v], limit = (Floats){0} + INFINITY, small = (Floats){0} + 1e-36f;
        __mmask16 fits = _mm512_cmp_ps_mask((__m512)largest, (__m512)small, _CMP_GT_OQ) &
                         _mm512_cmp_ps_mask((__m512)largest, (__m512)limit, _CMP_LT_OQ);
        factor[v] = (Floats)_mm512_maskz_div_ps(fits, _mm512_set1_ps(127), (__m512)largest);
        scale[v] = largest / 127;
    }
    const __m512i lows = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i highs = _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
    __m512i ones = _mm512_set1_epi8(1), sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int64_t r = 0; r < count; r += 4) {
        __m512i codes[2][4];
        UNROLL for (int j = 0; j < 4; j++) {
            Floats pair[2];
            bool present = r + j < count;
            int64_t row = present ? row0 + r + j : row0;
            loadPair(x, row * stride + column, type, present ? mask : 0, pair);
            UNROLL for (int v = 0; v < 2; v++) codes[v][j] = roundedTo(pair[v], factor[v]);
        }
        __m512i even = wordsOfRows(codes[0]), odd = wordsOfRows(codes[1]);
        __m512i low = type == MinkeBFloat16 ? _mm512_permutex2var_epi32(even, lows, odd) : even;
        __m512i high = type == MinkeBFloat16 ? _mm512_permutex2var_epi32(even, highs, odd) : odd;
        if (isLeft) {
            low = _mm512_xor_si512(low, _mm512_set1_epi8((char)128));
            high = _mm512_xor_si512(high, _mm512_set1_epi8((char)128));
        } else {
            sums[0] = _mm512_dpbusd_epi32(sums[0], ones, low);
            sums[1] = _mm512_dpbusd_epi32(sums[1], ones, high);
        }
        _mm512_storeu_si512(to, low);
        _mm512_storeu_si512(to + 64, high);
        to += MinkePanelWidth * 4;
    }
    UNROLL for (int v = 0; v < 2; v++)
        _mm512_storeu_si512(to + 64 * v, _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(sums[v], 7)));
    to += MinkePanelWidth * 4;
    __m512i even = (__m512i)scale[0], odd = (__m512i)scale[1];
    _mm512_storeu_si512(to, type == MinkeBFloat16 ? _mm512_permutex2var_epi32(even, lows, odd) : even);
    _mm512_storeu_si512(to + 64, type == MinkeBFloat16 ? _mm512_permutex2var_epi32(even, highs, odd) : odd);
}

#else

INLINE float quantizeByteBlock(const void *x, const int type, int64_t count, uint8_t *codes) {
    uint32_t top = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t size = magnitude(x, i, type);
        top = size > top ? size : top;
    }
    float largest = floatOfBits(top), factor = byteFactor(largest);
    for (int64_t i = 0; i < count; i++) codes[i] = (uint8_t)(byteCode(load(x, i, type), factor) ^ 128);
    for (int64_t i = count; i % 4; i++) codes[i] = 128;
    return largest / 127;
}

INLINE uint32_t first32(int64_t count) { return count >= 32 ? 32 : count < 0 ? 0 : (uint32_t)count; }

/// One block of `count` rows (at most 128) of 32 columns, `width` of which are there.
INLINE void packByteBlock(const void *x, const int type, int64_t stride, int64_t row0, int64_t column,
                          int64_t count, uint32_t width, const bool isLeft, char *to) {
    uint32_t top[MinkePanelWidth] = {0};
    int32_t sums[MinkePanelWidth] = {0};
    float factor[MinkePanelWidth], scale[MinkePanelWidth];
    for (int64_t r = 0; r < count; r++) {
        const void *from = advanced(x, (row0 + r) * stride + column, type);
        for (uint32_t c = 0; c < width; c++) {
            uint32_t size = magnitude(from, c, type);
            top[c] = size > top[c] ? size : top[c];
        }
    }
    for (int c = 0; c < MinkePanelWidth; c++) {
        factor[c] = byteFactor(floatOfBits(top[c]));
        scale[c] = floatOfBits(top[c]) / 127;
    }
    for (int64_t r = 0; r < count; r += 4) {
        uint32_t words[MinkePanelWidth] = {0};
        for (int64_t j = 0; j < 4 && r + j < count; j++) {
            const void *from = advanced(x, (row0 + r + j) * stride + column, type);
            for (uint32_t c = 0; c < width; c++) {
                uint32_t code = byteCode(load(from, c, type), factor[c]) & 255;
                words[c] |= code << 8 * j;
                sums[c] += (int8_t)code;
            }
        }
        for (int c = 0; c < MinkePanelWidth; c++) words[c] ^= isLeft ? 0x80808080 : 0;
        memcpy(to, words, sizeof words);
        to += sizeof words;
    }
    for (int c = 0; c < MinkePanelWidth; c++) sums[c] *= -128;
    memcpy(to, sums, sizeof sums);
    memcpy(to + sizeof sums, scale, sizeof scale);
}

#endif

/// Rows [row0, row1) of x as codes + 128, `byteStride` apart, with minkeByteBlocks(depth) scales each.
static void quantizeByteRows(const void *x, int32_t type, int64_t stride, int64_t depth, uint8_t *codes,
                             int64_t byteStride, float *scales, int64_t row0, int64_t row1) {
    int64_t blocks = minkeByteBlocks(depth);
    WITH_TYPE(type, T, {
        for (int64_t row = row0; row < row1; row++)
            for (int64_t block = 0; block < blocks; block++) {
                int64_t at = block * MinkeByteBlock, left = depth - at;
                scales[row * blocks + block] =
                    quantizeByteBlock(advanced(x, row * stride + at, T), T, left < MinkeByteBlock ? left : MinkeByteBlock,
                                      codes + row * byteStride + at);
            }
    });
}

/// Panels [panel0, panel1) of B from X[K,N], or of the packed left operand Xᵀ.
static void packByteColumns(const void *x, int32_t type, int64_t stride, int64_t n, int64_t k, void *panels, bool isLeft,
                            int64_t panel0, int64_t panel1) {
    int64_t bytes = minkeBytePanelBytes(k);
    WITH_TYPE(type, T, {
        for (int64_t row = 0; row < k; row += MinkeByteBlock)
            for (int64_t panel = panel0; panel < panel1; panel++) {
                int64_t column = panel * MinkePanelWidth, count = k - row < MinkeByteBlock ? k - row : MinkeByteBlock;
                packByteBlock(x, T, stride, row, column, count, first32(n - column), isLeft,
                              (char *)panels + panel * bytes + row / MinkeByteBlock * ByteBlockBytes);
            }
    });
}

// Weights: blocks of 128 × 128 share a scale, so that both orders of a weight are made of the same codes.

/// Rows [row0, row1) of W[N,K], row0 a multiple of 128, as signed codes `byteStride` apart.
static void quantizeByteWeight(const float *w, int64_t stride, int64_t k, int8_t *codes, int64_t byteStride,
                               float *scales, int64_t row0, int64_t row1) {
    int64_t blocks = minkeByteBlocks(k);
    for (int64_t first = row0; first < row1; first += MinkeByteBlock)
        for (int64_t block = 0; block < blocks; block++) {
            int64_t at = block * MinkeByteBlock, end = at + MinkeByteBlock < k ? at + MinkeByteBlock : k;
            int64_t last = first + MinkeByteBlock < row1 ? first + MinkeByteBlock : row1;
            uint32_t top = 0;
            for (int64_t row = first; row < last; row++) {
                const float *from = w + row * stride;
                for (int64_t i = at; i < end; i++) {
                    uint32_t size = magnitude(from, i, MinkeFloat32);
                    top = size > top ? size : top;
                }
            }
            float largest = floatOfBits(top), factor = byteFactor(largest);
            for (int64_t row = first; row < last; row++) {
                const float *from = w + row * stride;
                int8_t *to = codes + row * byteStride;
                for (int64_t i = at; i < end; i++) to[i] = (int8_t)byteCode(from[i], factor);
                for (int64_t i = end; i % 4; i++) to[i] = 0;
            }
            scales[first / MinkeByteBlock * blocks + block] = largest / 127;
        }
}

/// What follows the words of a block: what A's offset adds to each sum, to be taken off, and the columns' scale.
INLINE void finishByteBlock(char *block, int64_t words, float scale) {
    int32_t sums[MinkePanelWidth] = {0};
    float scales[MinkePanelWidth];
    for (int64_t word = 0; word < words; word++) {
        const int8_t *from = (const int8_t *)block + word * MinkePanelWidth * 4;
        for (int c = 0; c < MinkePanelWidth; c++)
            sums[c] -= 128 * (from[4 * c] + from[4 * c + 1] + from[4 * c + 2] + from[4 * c + 3]);
    }
    for (int c = 0; c < MinkePanelWidth; c++) scales[c] = scale;
    memcpy(block + words * MinkePanelWidth * 4, sums, sizeof sums);
    memcpy(block + words * MinkePanelWidth * 4 + sizeof sums, scales, sizeof scales);
}

/// Panels [panel0, panel1) of Wᵀ, for y = x·Wᵀ.
static void packByteTransposed(const int8_t *codes, int64_t byteStride, const float *scales, int64_t n, int64_t k,
                               void *panels, int64_t panel0, int64_t panel1) {
    int64_t bytes = minkeBytePanelBytes(k), blocks = minkeByteBlocks(k);
    for (int64_t panel = panel0; panel < panel1; panel++)
        for (int64_t block = 0; block < blocks; block++) {
            char *to = (char *)panels + panel * bytes + block * ByteBlockBytes;
            int64_t first = panel * MinkePanelWidth, words = (k - block * MinkeByteBlock + 3) / 4;
            if (words > MinkeByteBlock / 4) words = MinkeByteBlock / 4;
            int64_t done = 0;
#if WIDTH == 16
            if (first + MinkePanelWidth <= n)
                for (; done + 16 <= words; done += 16)
                    for (int side = 0; side < 32; side += 16) {
                        Words rows[16];
                        for (int j = 0; j < 16; j++)
                            rows[j] = *(const Words *)(codes + (first + side + j) * byteStride + block * MinkeByteBlock +
                                                       done * 4);
                        transpose16(rows);
                        for (int j = 0; j < 16; j++) *(Words *)(to + (done + j) * MinkePanelWidth * 4 + side * 4) = rows[j];
                    }
#endif
            for (int64_t c = 0; c < MinkePanelWidth; c++)
                for (int64_t word = done; word < words; word++) {
                    uint32_t value = 0;
                    if (first + c < n) memcpy(&value, codes + (first + c) * byteStride + block * MinkeByteBlock + word * 4, 4);
                    memcpy(to + (word * MinkePanelWidth + c) * 4, &value, 4);
                }
            finishByteBlock(to, words, scales[first / MinkeByteBlock * blocks + block]);
        }
}

/// Panels [panel0, panel1) of W, for dx = dy·W.
static void packByteDirect(const int8_t *codes, int64_t byteStride, const float *scales, int64_t n, int64_t k,
                           void *panels, int64_t panel0, int64_t panel1) {
    int64_t bytes = minkeBytePanelBytes(n), blocks = minkeByteBlocks(k);
    for (int64_t panel = panel0; panel < panel1; panel++)
        for (int64_t row = 0; row < n; row += MinkeByteBlock) {
            char *to = (char *)panels + panel * bytes + row / MinkeByteBlock * ByteBlockBytes;
            int64_t column = panel * MinkePanelWidth, width = k - column < MinkePanelWidth ? k - column : MinkePanelWidth;
            int64_t last = row + MinkeByteBlock < n ? row + MinkeByteBlock : n, words = (last - row + 3) / 4;
            for (int64_t word = 0; word < words; word++) {
                uint8_t rows[4][MinkePanelWidth] = {{0}};
                uint32_t out[MinkePanelWidth];
                for (int64_t j = 0; j < 4 && row + 4 * word + j < last; j++)
                    memcpy(rows[j], codes + (row + 4 * word + j) * byteStride + column, (size_t)width);
                for (int c = 0; c < MinkePanelWidth; c++)
                    out[c] = (uint32_t)rows[0][c] | (uint32_t)rows[1][c] << 8 | (uint32_t)rows[2][c] << 16 |
                             (uint32_t)rows[3][c] << 24;
                memcpy(to + word * MinkePanelWidth * 4, out, sizeof out);
            }
            finishByteBlock(to, words, scales[row / MinkeByteBlock * blocks + column / MinkeByteBlock]);
        }
}
