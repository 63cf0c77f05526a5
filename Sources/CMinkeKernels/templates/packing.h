// Packing: operands brought into the order in which the product's micro-kernel reads them.

/// The word of depths 2k and 2k+1 (bfloat16) or of depth k (float).
INLINE uint32_t wordOf(float first, float second, const int type) {
    return type == MinkeBFloat16 ? (uint32_t)narrow(first) | (uint32_t)narrow(second) << 16 : bitsOfFloat(first);
}

#if WIDTH == 16
/// Transposes 16 × 16 words in registers: four rounds of interleaving.
INLINE void transpose16(Words r[16]) {
    Words t[16];
    // Round by round: blocks of 8, 4, 2, 1 are exchanged between rows `distance` apart.
    for (int i = 0; i < 8; i++) {
        t[i] = __builtin_shufflevector(r[i], r[i + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        t[i + 8] = __builtin_shufflevector(r[i], r[i + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
    for (int b = 0; b < 16; b += 8)
        for (int i = b; i < b + 4; i++) {
            r[i] = __builtin_shufflevector(t[i], t[i + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
            r[i + 4] = __builtin_shufflevector(t[i], t[i + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
        }
    for (int b = 0; b < 16; b += 4)
        for (int i = b; i < b + 2; i++) {
            t[i] = __builtin_shufflevector(r[i], r[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
            t[i + 2] = __builtin_shufflevector(r[i], r[i + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        }
    for (int i = 0; i < 16; i += 2) {
        r[i] = __builtin_shufflevector(t[i], t[i + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
        r[i + 1] = __builtin_shufflevector(t[i], t[i + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    }
}

/// Sixteen words of row `w` from word `k` on.
INLINE Words wordsOfRow(const void *w, const int type, int64_t k, const int panelType) {
    if (type == MinkeBFloat16 && panelType == MinkeFloat32)
        return __builtin_convertvector(*(const Halves *)((const uint16_t *)w + k), Words) << 16;
    if (type == MinkeBFloat16) return *(const Words *)((const uint16_t *)w + 2 * k);
    if (panelType == MinkeFloat32) return *(const Words *)((const float *)w + k);
    const float *from = (const float *)w + 2 * k;
    Halves low = narrowVector(*(const Floats *)from), high = narrowVector(*(const Floats *)(from + 16));
    return (Words)__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
                                          19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
}

/// The same of a row that ends after `count` elements; zeros follow.
INLINE Words lastWordsOfRow(const void *w, const int type, int64_t k, int64_t count, const int panelType) {
    _Alignas(64) char part[128];
    int64_t from = panelType == MinkeBFloat16 ? 2 * k : k;
    __mmask32 mask = (__mmask32)((1ull << (count - from)) - 1);
    if (type == MinkeBFloat16) {
        _mm512_store_si512(part, _mm512_maskz_loadu_epi16(mask, (const uint16_t *)w + from));
    } else {
        _mm512_store_ps(part, _mm512_maskz_loadu_ps((__mmask16)mask, (const float *)w + from));
        _mm512_store_ps(part + 64, _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), (const float *)w + from + 16));
    }
    return wordsOfRow(part, type, 0, panelType);
}
#endif

/// Packs depths [0, k) of W[N,K] as words [word0, …) of panels that are `panelWords` long.
INLINE void packTransposedTyped(const void *w, const int type, int64_t stride, int64_t n, int64_t k, void *panels,
                                const int panelType, int64_t panelWords, int64_t word0, int64_t panel0,
                                int64_t panel1) {
    int64_t words = minkeWords(k, panelType);
    for (int64_t panel = panel0; panel < panel1; panel++) {
        uint32_t *to = (uint32_t *)panels + (panel * panelWords + word0) * MinkePanelWidth;
        int64_t first = panel * MinkePanelWidth;
#if WIDTH == 16
        if (first + MinkePanelWidth <= n) {
            int64_t perWord = panelType == MinkeBFloat16 ? 2 : 1;
            for (int64_t done = 0; done < words; done += 16) {
                bool isWhole = (done + 16) * perWord <= k;
                int64_t count = isWhole ? 16 : words - done;
                for (int side = 0; side < 32; side += 16) {
                    Words block[16];
                    for (int j = 0; j < 16; j++) {
                        const void *row = advanced(w, (first + side + j) * stride, type);
                        block[j] = isWhole ? wordsOfRow(row, type, done, panelType)
                                           : lastWordsOfRow(row, type, done, k, panelType);
                    }
                    transpose16(block);
                    for (int j = 0; j < count; j++) *(Words *)(to + (done + j) * MinkePanelWidth + side) = block[j];
                }
            }
            continue;
        }
#endif
        for (int64_t j = 0; j < MinkePanelWidth; j++) {
            bool present = first + j < n;
            const void *row = advanced(w, (first + j) * stride, type);
            for (int64_t i = 0; i < words; i++) {
                uint32_t word = 0;
                if (present && panelType == MinkeBFloat16)
                    word = wordOf(load(row, 2 * i, type), 2 * i + 1 < k ? load(row, 2 * i + 1, type) : 0, panelType);
                else if (present)
                    word = wordOf(load(row, i, type), 0, panelType);
                to[i * MinkePanelWidth + j] = word;
            }
        }
    }
}

static void packTransposedInto(const void *w, int32_t type, int64_t stride, int64_t n, int64_t k, void *panels,
                               int32_t panelType, int64_t panelWords, int64_t word0, int64_t panel0, int64_t panel1) {
    WITH_TYPE(type, T, WITH_TYPE(panelType, P, packTransposedTyped(w, T, stride, n, k, panels, P, panelWords, word0,
                                                                   panel0, panel1)));
}

static void packTransposed(const void *w, int32_t type, int64_t stride, int64_t n, int64_t k, void *panels,
                           int32_t panelType, int64_t panel0, int64_t panel1) {
    packTransposedInto(w, type, stride, n, k, panels, panelType, minkeWords(k, panelType), 0, panel0, panel1);
}

typedef uint16_t Halves16 __attribute__((vector_size(32), aligned(2), may_alias));
typedef uint32_t Words16 __attribute__((vector_size(64), aligned(4), may_alias));

/// `count` words (at most `width`, a constant) made of two rows; missing ones are zero when `pad`.
INLINE void packWords(uint32_t *to, const void *first, const void *second, int64_t at, int64_t count, const int width,
                      const int type, const int panelType, bool pad) {
    if (count >= width) {
        if (type == MinkeBFloat16 && panelType == MinkeBFloat16) {
            // Vectors, not a loop over pointers: the compiler would test at run time whether they overlap.
            const uint16_t *a = (const uint16_t *)first + at;
            const uint16_t *b = second ? (const uint16_t *)second + at : 0;
            for (int j = 0; j < width; j += 16) {
                Words16 low = __builtin_convertvector(*(const Halves16 *)(a + j), Words16);
                Words16 high = b ? __builtin_convertvector(*(const Halves16 *)(b + j), Words16) : (Words16){0};
                *(Words16 *)(to + j) = low | high << 16;
            }
        } else if (type == MinkeBFloat16) {
            const uint16_t *a = (const uint16_t *)first + at;
            for (int j = 0; j < width; j += 16)
                *(Words16 *)(to + j) = __builtin_convertvector(*(const Halves16 *)(a + j), Words16) << 16;
        } else {
            for (int j = 0; j < width; j++)
                to[j] = wordOf(load(first, at + j, type), second ? load(second, at + j, type) : 0, panelType);
        }
        return;
    }
    for (int j = 0; j < count; j++)
        to[j] = wordOf(load(first, at + j, type), second ? load(second, at + j, type) : 0, panelType);
    if (pad)
        for (int64_t j = count; j < width; j++) to[j] = 0;
}

/// The two rows behind word i, honouring an optional gather; the second is null past the end.
INLINE void rowsOfWord(const void *x, const int type, int64_t stride, const int32_t *rows, int64_t i, int64_t k,
                       const int panelType, const void **first, const void **second) {
    int64_t step = panelType == MinkeBFloat16 ? 2 : 1;
    int64_t a = i * step, b = a + 1;
    *first = advanced(x, (rows ? rows[a] : a) * stride, type);
    *second = panelType == MinkeBFloat16 && b < k ? advanced(x, (rows ? rows[b] : b) * stride, type) : 0;
}

/// Rows are walked in chunks that stay in the first-level cache while every panel takes its columns from them:
/// panels lie whole powers of two apart, so writing to all of them in turn would fight over the same cache sets.
enum { WordsPerChunk = 32 };

static void packDirect(const void *x, int32_t type, int64_t stride, const int32_t *rows, int64_t n, int64_t k,
                       void *panels, int32_t panelType, int64_t panel0, int64_t panel1) {
    int64_t words = minkeWords(k, panelType);
    WITH_TYPE(type, T, WITH_TYPE(panelType, P, {
        for (int64_t start = 0; start < words; start += WordsPerChunk)
            for (int64_t panel = panel0; panel < panel1; panel++)
                for (int64_t i = start; i < start + WordsPerChunk && i < words; i++) {
                    const void *first, *second;
                    rowsOfWord(x, T, stride, rows, i, k, P, &first, &second);
                    packWords((uint32_t *)panels + (panel * words + i) * MinkePanelWidth, first, second,
                              panel * MinkePanelWidth, n - panel * MinkePanelWidth, MinkePanelWidth, T, P, true);
                }
    }));
}

#if HAS_AMX
/// A tile of 32 rows of bfloat16 and 16 columns.
INLINE void packWholeTile(const uint16_t *from, int64_t stride, uint32_t *to) {
    Words tile[TileWords];
    UNROLL for (int j = 0; j < TileWords; j++) {
        Words low = __builtin_convertvector(*(const Halves *)(from + 2 * j * stride), Words);
        Words high = __builtin_convertvector(*(const Halves *)(from + (2 * j + 1) * stride), Words);
        tile[j] = low | high << 16;
    }
    transpose16(tile);
    UNROLL for (int r = 0; r < TileRows; r++) *(Words *)(to + r * TileWords) = tile[r];
}

/// Words [start, end) of one strip of bfloat16 as tiles (product_tiles.h). Rows past the strip are never read.
INLINE void packTiles(const void *y, const int type, int64_t stride, const int32_t *rows, int64_t at, int64_t height,
                      bool isWide, int64_t k, int64_t start, int64_t end, uint32_t *strip) {
    for (int64_t i = start; i < end; i += TileWords) {
        if (type == MinkeBFloat16 && !rows && isWide && 2 * (i + TileWords) <= k) {
            packWholeTile((const uint16_t *)y + 2 * i * stride + at, stride, strip + i * TileRows);
            continue;
        }
        Words tile[TileWords] = {0};
        int64_t count = end - i < TileWords ? end - i : TileWords;
        for (int64_t j = 0; j < count; j++) {
            const void *first, *second;
            rowsOfWord(y, type, stride, rows, i + j, k, MinkeBFloat16, &first, &second);
            packWords((uint32_t *)(tile + j), first, second, at, isWide ? MinkeStripStride : height, MinkeStripStride, type,
                      MinkeBFloat16, false);
        }
        transpose16(tile);
        uint32_t *to = strip + i * TileRows;
        for (int64_t r = 0; r < TileRows; r++) {
            if (count == TileWords) *(Words *)(to + r * TileWords) = tile[r];
            else memcpy(to + r * count, tile + r, (size_t)count * 4);
        }
    }
}
#endif

static void packStrips(const void *y, int32_t type, int64_t stride, const int32_t *rows, int64_t m, int64_t k,
                       void *strips, int32_t stripType, int64_t strip0, int64_t strip1) {
    int64_t words = minkeWords(k, stripType);
    WITH_TYPE(type, T, WITH_TYPE(stripType, P, {
        for (int64_t start = 0; start < words; start += WordsPerChunk)
            for (int64_t s = strip0; s < strip1; s++) {
                int64_t at = minkeStripStart(m, s, StripHeight), height = minkeStripStart(m, s + 1, StripHeight) - at;
                int64_t end = start + WordsPerChunk < words ? start + WordsPerChunk : words;
                // A whole line where the row has that many values; what lies past the strip is never read.
                bool isWide = at + MinkeStripStride <= m;
#if HAS_AMX
                if (P == MinkeBFloat16) {
                    packTiles(y, T, stride, rows, at, height, isWide, k, start, end,
                              (uint32_t *)strips + s * words * MinkeStripStride);
                    continue;
                }
#endif
                for (int64_t i = start; i < end; i++) {
                    const void *first, *second;
                    rowsOfWord(y, T, stride, rows, i, k, P, &first, &second);
                    packWords((uint32_t *)strips + (s * words + i) * MinkeStripStride, first, second, at,
                              isWide ? MinkeStripStride : height, MinkeStripStride, T, P, false);
                }
            }
    }));
}
