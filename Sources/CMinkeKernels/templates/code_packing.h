// Operands of products of codes: quantised, and brought into the order in which the product reads them.
//
// A code is x·limit/top rounded to the nearest, with top the largest magnitude of its block and top/limit the scale. Where
// a block holds infinity or NaN, the scale does too, and so does every sum that it takes part in.

/// The largest code.
INLINE float codeLimit(const int width) { return width == MinkeCodes8 ? 127 : 4095; }

/// What makes whole numbers of a float of up to 2²² in its lowest bits, rounded to the nearest, ties to even.
#define ROUNDER 12582912.0f
#define DOUBLE_ROUNDER 6755399441055744.0

INLINE uint64_t bitsOfDouble(double x) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    return bits;
}

/// Magnitudes compare as integers, NaN above infinity.
INLINE uint32_t magnitudeBits(const void *x, int64_t i, const int type) {
    return type == MinkeBFloat16 ? (uint32_t)(((const uint16_t *)x)[i] & 0x7FFF) << 16
                                 : ((const Word *)x)[i] & 0x7FFFFFFF;
}

/// What values are multiplied with to become codes; nothing where they are too small for that, or not finite.
INLINE float codeFactor(const int width, float top) {
    return top > 1e-33f && top < INFINITY ? codeLimit(width) / top : 0;
}

/// The code is in the low bits of this. Without fused multiply-adds the product is exact in double all the same.
INLINE uint32_t codeBits(float x, float factor) {
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

/// What loadPair took apart, in order.
INLINE __m512i pairInOrder(const int type, const int half, __m512i first, __m512i second) {
    if (type != MinkeBFloat16) return half ? second : first;
    const __m512i lows = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i highs = _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
    return _mm512_permutex2var_epi32(first, half ? highs : lows, second);
}

INLINE __m512i largerOf(__m512i top, Floats x) {
    return _mm512_max_epu32(top, _mm512_and_si512((__m512i)x, _mm512_set1_epi32(0x7FFFFFFF)));
}

/// A code in the low bits of each lane.
INLINE __m512i codesOfFloats(Floats x, Floats factor) {
    return (__m512i)_mm512_fmadd_ps((__m512)x, (__m512)factor, _mm512_set1_ps(ROUNDER));
}

/// Codes of 32 values as 16-bit numbers, in order for bfloat16; for float each 128 bits hold four of the first and four
/// of the last 16.
INLINE __m512i codesOfPair(const int type, Floats pair[2], Floats factor) {
    __m512i low = codesOfFloats(pair[0], factor), high = codesOfFloats(pair[1], factor);
    if (type == MinkeBFloat16) return _mm512_mask_blend_epi16(0xAAAAAAAA, low, _mm512_slli_epi32(high, 16));
    __m512i mask = _mm512_set1_epi32(0xFFFF);
    return _mm512_packus_epi32(_mm512_and_si512(low, mask), _mm512_and_si512(high, mask));
}

INLINE __mmask32 first32(int64_t count) {
    return count >= 32 ? 0xFFFFFFFF : count <= 0 ? 0 : (__mmask32)(((uint64_t)1 << count) - 1);
}

/// The first `left` of 64 bytes.
INLINE void storeFirst(void *to, int64_t left, __m512i bytes) {
    if (left >= 64) _mm512_storeu_si512(to, bytes);
    else if (left > 0) _mm512_mask_storeu_epi8(to, ((uint64_t)1 << left) - 1, bytes);
}

/// One block of a row: `count` values at most 128; writes whole words of codes and returns the scale.
INLINE float quantizeBlock(const void *x, const int type, const int width, int64_t count, char *codes) {
    const __m512i evenFirst = _mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0);
    Floats pairs[4][2];
    __m512i top = _mm512_setzero_si512();
    UNROLL for (int j = 0; j < 4; j++) {
        loadPair(x, 32 * j, type, first32(count - 32 * j), pairs[j]);
        top = largerOf(largerOf(top, pairs[j][0]), pairs[j][1]);
    }
    float largest = floatOfBits(_mm512_reduce_max_epu32(top));
    Floats factor = (Floats){0} + codeFactor(width, largest);
    int64_t bytes = (count * width + 3) / 4 * 4;
    if (width == MinkeCodes13) {
        UNROLL for (int j = 0; j < 4; j++) {
            __m512i wide = codesOfPair(type, pairs[j], factor);
            if (type != MinkeBFloat16) wide = _mm512_permutexvar_epi64(evenFirst, wide);
            storeFirst(codes + 64 * j, bytes - 64 * j, wide);
        }
    } else {
        UNROLL for (int j = 0; j < 4; j += 2) {
            __m512i narrow = _mm512_packs_epi16(codesOfPair(type, pairs[j], factor), codesOfPair(type, pairs[j + 1], factor));
            if (type == MinkeBFloat16) narrow = _mm512_permutexvar_epi64(evenFirst, narrow);
            else narrow = _mm512_permutexvar_epi32(_mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0),
                                                   narrow);
            storeFirst(codes + 32 * j, bytes - 32 * j, _mm512_xor_si512(narrow, _mm512_set1_epi8((char)128)));
        }
    }
    return largest / codeLimit(width);
}

/// Four or two rows of codes as words: code j of a lane is in the low bits of rows[j].
INLINE __m512i wordsOfRows(const int width, const __m512i *rows) {
    if (width == MinkeCodes13) return _mm512_mask_blend_epi16(0xAAAAAAAA, rows[0], _mm512_slli_epi32(rows[1], 16));
    __m512i low = _mm512_set1_epi32(0xFF);
    __m512i first = _mm512_ternarylogic_epi32(low, rows[0], _mm512_slli_epi32(rows[1], 8), 0xCA);
    __m512i second = _mm512_ternarylogic_epi32(low, rows[2], _mm512_slli_epi32(rows[3], 8), 0xCA);
    return _mm512_mask_blend_epi16(0xAAAAAAAA, first, _mm512_slli_epi32(second, 16));
}

#if HAS_AMX
/// Words of 32 columns as two times 16 rows of A, as tiles of 16 words; the words that fill none follow with as many a row.
static void tilesOfWords(char *block, int64_t words) {
    _Alignas(64) uint32_t from[MinkeCodeBlock / 4][MinkePanelWidth];
    memcpy(from, block, (size_t)words * sizeof from[0]);
    for (int side = 0; side < MinkePanelWidth; side += TileRows)
        for (int64_t word = 0; word < words; word += TileWords) {
            int64_t count = words - word < TileWords ? words - word : TileWords;
            Words tile[TileWords] = {0};
            for (int64_t j = 0; j < count; j++) tile[j] = *(const Words *)(from[word + j] + side);
            transpose16(tile);
            char *to = block + side * words * 4 + word * TileRows * 4;
            for (int64_t r = 0; r < TileRows; r++) {
                if (count == TileWords) *(Words *)(to + r * 64) = tile[r];
                else memcpy(to + r * count * 4, tile + r, (size_t)count * 4);
            }
        }
}
#endif

/// One block of `count` rows (at most 128) of 32 columns, those that the mask names.
INLINE void packCodeBlock(const void *x, const int type, const int width, int64_t stride, int64_t row0, int64_t column,
                          int64_t count, __mmask32 mask, const bool isLeft, char *block) {
    char *to = block;
    __m512i top[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int64_t r = 0; r < count; r++) {
        Floats pair[2];
        loadPair(x, (row0 + r) * stride + column, type, mask, pair);
        top[0] = largerOf(top[0], pair[0]);
        top[1] = largerOf(top[1], pair[1]);
    }
    Floats factor[2], scale[2];
    UNROLL for (int v = 0; v < 2; v++) {
        __m512 largest = (__m512)top[v], limit = _mm512_set1_ps(codeLimit(width));
        __mmask16 fits = _mm512_cmp_ps_mask(largest, _mm512_set1_ps(1e-33f), _CMP_GT_OQ) &
                         _mm512_cmp_ps_mask(largest, _mm512_set1_ps(INFINITY), _CMP_LT_OQ);
        factor[v] = (Floats)_mm512_maskz_div_ps(fits, limit, largest);
        scale[v] = (Floats)_mm512_div_ps(largest, limit);
    }
    __m512i ones = _mm512_set1_epi8(1), sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int64_t r = 0; r < count; r += 4 / width) {
        __m512i codes[2][4];
        UNROLL for (int j = 0; j < 4 / width; j++) {
            Floats pair[2];
            bool present = r + j < count;
            loadPair(x, (present ? row0 + r + j : row0) * stride + column, type, present ? mask : 0, pair);
            UNROLL for (int v = 0; v < 2; v++) codes[v][j] = codesOfFloats(pair[v], factor[v]);
        }
        __m512i first = wordsOfRows(width, codes[0]), second = wordsOfRows(width, codes[1]);
        UNROLL for (int v = 0; v < 2; v++) {
            __m512i words = pairInOrder(type, v, first, second);
            if (width == MinkeCodes8 && isLeft) words = _mm512_xor_si512(words, _mm512_set1_epi8((char)128));
            if (width == MinkeCodes8 && !isLeft) sums[v] = _mm512_dpbusd_epi32(sums[v], ones, words);
            _mm512_storeu_si512(to + 64 * v, words);
        }
        to += MinkePanelWidth * 4;
    }
    UNROLL for (int v = 0; v < 2; v++) {
        _mm512_storeu_si512(to + 64 * v, _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(sums[v], 7)));
        _mm512_storeu_si512(to + 128 + 64 * v, pairInOrder(type, v, (__m512i)scale[0], (__m512i)scale[1]));
    }
#if HAS_AMX
    if (width == MinkeCodes8 && isLeft) tilesOfWords(block, (to - block) / (MinkePanelWidth * 4));
#endif
}

#else

/// Code `index` of a row.
INLINE void storeCode(char *codes, const int width, int64_t index, uint32_t code) {
    if (width == MinkeCodes8) codes[index] = (char)code;
    else ((uint16_t *)codes)[index] = (uint16_t)code;
}

INLINE float quantizeBlock(const void *x, const int type, const int width, int64_t count, char *codes) {
    uint32_t top = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t size = magnitudeBits(x, i, type);
        top = size > top ? size : top;
    }
    const uint32_t offset = width == MinkeCodes8 ? 128 : 0;
    float largest = floatOfBits(top), factor = codeFactor(width, largest);
    for (int64_t i = 0; i < count; i++) storeCode(codes, width, i, codeBits(load(x, i, type), factor) ^ offset);
    for (int64_t i = count; i * width % 4; i++) storeCode(codes, width, i, offset);
    return largest / codeLimit(width);
}

/// As many of 32 columns as there are.
INLINE int64_t first32(int64_t count) { return count >= 32 ? 32 : count; }

/// One block of `count` rows (at most 128) of 32 columns, `present` of which are there.
INLINE void packCodeBlock(const void *x, const int type, const int width, int64_t stride, int64_t row0, int64_t column,
                          int64_t count, int64_t present, const bool isLeft, char *to) {
    uint32_t top[MinkePanelWidth] = {0};
    int32_t sums[MinkePanelWidth] = {0};
    float factor[MinkePanelWidth], scale[MinkePanelWidth];
    for (int64_t r = 0; r < count; r++) {
        const void *from = advanced(x, (row0 + r) * stride + column, type);
        for (int64_t c = 0; c < present; c++) {
            uint32_t size = magnitudeBits(from, c, type);
            top[c] = size > top[c] ? size : top[c];
        }
    }
    for (int c = 0; c < MinkePanelWidth; c++) {
        factor[c] = codeFactor(width, floatOfBits(top[c]));
        scale[c] = floatOfBits(top[c]) / codeLimit(width);
    }
    for (int64_t r = 0; r < count; r += 4 / width) {
        uint32_t words[MinkePanelWidth] = {0};
        for (int64_t j = 0; j < 4 / width && r + j < count; j++) {
            const void *from = advanced(x, (row0 + r + j) * stride + column, type);
            for (int64_t c = 0; c < present; c++) {
                uint32_t code = codeBits(load(from, c, type), factor[c]) & (width == MinkeCodes8 ? 0xFF : 0xFFFF);
                words[c] |= code << 8 * width * j;
                sums[c] += (int8_t)code;
            }
        }
        for (int c = 0; c < MinkePanelWidth; c++) words[c] ^= width == MinkeCodes8 && isLeft ? 0x80808080 : 0;
        memcpy(to, words, sizeof words);
        to += sizeof words;
    }
    for (int c = 0; c < MinkePanelWidth; c++) sums[c] *= width == MinkeCodes8 ? -128 : 0;
    memcpy(to, sums, sizeof sums);
    memcpy(to + sizeof sums, scale, sizeof scale);
}

#endif

static void quantizeCodeRows(const void *x, int32_t type, int64_t stride, int64_t depth, int32_t width, void *codes,
                             int64_t codeStride, float *scales, int64_t row0, int64_t row1) {
    int64_t blocks = minkeCodeBlocks(depth);
    WITH_TYPE(type, T, WITH_CODES(width, W, {
        for (int64_t row = row0; row < row1; row++)
            for (int64_t block = 0; block < blocks; block++) {
                int64_t at = block * MinkeCodeBlock, left = depth - at;
                scales[row * blocks + block] =
                    quantizeBlock(advanced(x, row * stride + at, T), T, W, left < MinkeCodeBlock ? left : MinkeCodeBlock,
                                  (char *)codes + row * codeStride + at * W);
            }
    }));
}

static void packCodeColumns(const void *x, int32_t type, int64_t stride, int64_t n, int64_t k, int32_t width,
                            void *panels, bool isLeft, int64_t panel0, int64_t panel1) {
    int64_t bytes = minkeCodePanelBytes(k, width);
    WITH_TYPE(type, T, WITH_CODES(width, W, {
        for (int64_t row = 0; row < k; row += MinkeCodeBlock)
            for (int64_t panel = panel0; panel < panel1; panel++) {
                int64_t column = panel * MinkePanelWidth, count = k - row < MinkeCodeBlock ? k - row : MinkeCodeBlock;
                packCodeBlock(x, T, W, stride, row, column, count, first32(n - column), isLeft,
                              (char *)panels + panel * bytes + row / MinkeCodeBlock * codeBlockBytes(W));
            }
    }));
}
