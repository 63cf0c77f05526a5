// Matrix products over packed panels: out[M,N] = A[M,K]·B[K,N].
//
// The micro-kernel keeps a tile of up to TILE_ROWS × (TILE_VECTORS·WIDTH) sums in registers and walks the whole depth;
// the panel of B it needs (words × 32) stays in the first-level cache while the strips of A pass by.

typedef struct {
    const char *a;
    int64_t aRowBytes, aWordBytes; // distance between rows, and between words of one row
    const char *b;
    int64_t panelBytes; // distance between panels of B
    int64_t words;
    bool half; // depth is odd (bfloat16): the last word of A has one valid element
    void *out;
    int64_t outStride;
    const float *base;
    int64_t baseStride;
    int mode;
    int64_t columns; // columns of out
} Block;

/// The sums must live in registers: every loop over them is unrolled.
#define UNROLL _Pragma("clang loop unroll(full)")

/// Widest depth kept in one pass when sums may be parked in `out`, in words.
enum { DepthBlock = 256 };

/// Tiles at the right edge: nothing past the last column is touched.
static __attribute__((noinline)) void finishEdge(const Block *block, int rows, int64_t row, int64_t column,
                                                 const float *sums) {
    int64_t width = block->columns - column;
    int type = block->mode == MinkeStoreBFloat16 ? MinkeBFloat16 : MinkeFloat32;
    for (int i = 0; i < rows; i++, sums += TILE_VECTORS * WIDTH) {
        const float *base = block->base + (row + i) * block->baseStride + column;
        void *out = advanced(block->out, (row + i) * block->outStride + column, type);
        for (int64_t c = 0; c < width; c += WIDTH) {
            Floats sum = *(const Floats *)(sums + c);
            if (block->mode == MinkeAddFloat32) sum = sum + loadUpTo(base, c, width, MinkeFloat32);
            storeUpTo(out, c, width, type, sum);
        }
    }
}

INLINE void finish(const Block *block, const int rows, int64_t row, int64_t column,
                   Floats sums[MinkeStripHeight][TILE_VECTORS]) {
    int64_t stride = block->outStride, at = row * stride + column;
    if (column + TILE_VECTORS * WIDTH > block->columns) {
        Floats edge[MinkeStripHeight * TILE_VECTORS];
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < TILE_VECTORS; v++) edge[i * TILE_VECTORS + v] = sums[i][v];
        finishEdge(block, rows, row, column, (const float *)edge);
    } else if (block->mode == MinkeStoreBFloat16) {
        uint16_t *out = (uint16_t *)block->out + at;
        UNROLL for (int i = 0; i < rows; i++, out += stride)
            UNROLL for (int v = 0; v < TILE_VECTORS; v++) *(Halves *)(out + v * WIDTH) = narrowVector(sums[i][v]);
    } else if (block->mode == MinkeAddFloat32) {
        float *out = (float *)block->out + at;
        const float *base = block->base + row * block->baseStride + column;
        int64_t baseStride = block->baseStride;
        UNROLL for (int i = 0; i < rows; i++, out += stride, base += baseStride)
            UNROLL for (int v = 0; v < TILE_VECTORS; v++)
                *(Floats *)(out + v * WIDTH) = sums[i][v] + *(const Floats *)(base + v * WIDTH);
    } else {
        float *out = (float *)block->out + at;
        UNROLL for (int i = 0; i < rows; i++, out += stride)
            UNROLL for (int v = 0; v < TILE_VECTORS; v++) *(Floats *)(out + v * WIDTH) = sums[i][v];
    }
}

INLINE void multiplyWord(const int type, const int rows, const char *a, int64_t rowBytes,
                         const char *b, bool half, Floats sums[MinkeStripHeight][TILE_VECTORS]) {
    Floats right[TILE_VECTORS];
    UNROLL for (int v = 0; v < TILE_VECTORS; v++) right[v] = ((const Floats *)b)[v];
#if !HAS_BF16_DOT
    Floats low[TILE_VECTORS], high[TILE_VECTORS];
    if (type == MinkeBFloat16)
        UNROLL for (int v = 0; v < TILE_VECTORS; v++) {
            low[v] = (Floats)((Words)right[v] << 16);
            high[v] = (Floats)((Words)right[v] & 0xFFFF0000u);
        }
#endif
    UNROLL for (int i = 0; i < rows; i++) {
        const char *at = a + i * rowBytes;
        if (type == MinkeBFloat16) {
            uint32_t word = half ? *(const uint16_t *)at : *(const Word *)at;
#if HAS_BF16_DOT
            __m512bh left = (__m512bh)_mm512_set1_epi32((int)word);
            UNROLL for (int v = 0; v < TILE_VECTORS; v++)
                sums[i][v] = (Floats)_mm512_dpbf16_ps((__m512)sums[i][v], left, (__m512bh)right[v]);
#else
            float first = floatOfBits(word << 16), second = floatOfBits(word & 0xFFFF0000u);
            UNROLL for (int v = 0; v < TILE_VECTORS; v++) {
                sums[i][v] = sums[i][v] + first * low[v];
                sums[i][v] = sums[i][v] + second * high[v];
            }
#endif
        } else {
            float left = *(const WordAsFloat *)at;
            UNROLL for (int v = 0; v < TILE_VECTORS; v++) sums[i][v] = sums[i][v] + left * right[v];
        }
    }
}

INLINE void tile(const Block *block, const int type, const bool packed, const int rows, int64_t row,
                 int64_t column, const char *a, const char *b, int64_t words) {
    Floats sums[MinkeStripHeight][TILE_VECTORS];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int v = 0; v < TILE_VECTORS; v++) sums[i][v] = (Floats){0};
    // Constant distances let the compiler fold the addresses of packed strips.
    int64_t rowBytes = packed ? 4 : block->aRowBytes;
    int64_t wordBytes = packed ? MinkeStripStride * 4 : 4;
    int64_t whole = words - (block->half ? 1 : 0);
    for (int64_t k = 0; k < whole; k++) {
        multiplyWord(type, rows, a, rowBytes, b, false, sums);
        a += wordBytes;
        b += MinkePanelWidth * 4;
    }
    if (block->half) multiplyWord(type, rows, a, rowBytes, b, !packed, sums);
    finish(block, rows, row, column, sums);
}

#define TILE_CASE(n)                                                                                              \
    case n:                                                                                                       \
        if (n <= limit) tile(block, type, packed, n <= limit ? n : 1, row, column, a, b, words);     \
        break;

/// One tile of `rows` rows (at most `limit`, a constant).
INLINE void tileOf(const int limit, const Block *block, const int type, const bool packed, int rows, int64_t row,
                   int64_t column, const char *a, const char *b, int64_t words) {
    switch (rows) {
        TILE_CASE(1) TILE_CASE(2) TILE_CASE(3) TILE_CASE(4) TILE_CASE(5) TILE_CASE(6) TILE_CASE(7)
        TILE_CASE(8) TILE_CASE(9) TILE_CASE(10) TILE_CASE(11) TILE_CASE(12) TILE_CASE(13) TILE_CASE(14)
    }
}

/// Strips of rows against one panel. A strip starts at `a`, has `height` rows, and is cut into equal tiles.
INLINE void strip(const Block *block, const int type, const bool packed, int height, int64_t row, int64_t panel,
                  const char *a, int64_t word0, int64_t words) {
    const int limit = type == MinkeBFloat16 ? TILE_ROWS_BF16 : TILE_ROWS;
    int tiles = (height + limit - 1) / limit;
    const char *b = block->b + panel * block->panelBytes + word0 * MinkePanelWidth * 4;
    for (int t = 0; t < tiles; t++) {
        int first = height * t / tiles, rows = height * (t + 1) / tiles - first;
        const char *from = a + first * (packed ? 4 : block->aRowBytes);
        for (int64_t c = 0; c < MinkePanelWidth; c += TILE_VECTORS * WIDTH) {
            int64_t column = panel * MinkePanelWidth + c;
            if (column >= block->columns) break;
            tileOf(limit, block, type, packed, rows, row + first, column, from, b + c * 4, words);
        }
    }
}

/// Rows of a packed strip.
#if HAS_AMX
enum { StripHeight = 16 };
#include "product_tiles.h"
#else
enum { StripHeight = MinkeStripHeight };
#endif

/// Rows [row0, row1) against panels [panel0, panel1); A row-major.
static __attribute__((noinline)) void multiplyRows(const Block *whole, const int32_t type, int64_t row0, int64_t row1,
                                                   int64_t panel0, int64_t panel1) {
    Block part = *whole;
    int64_t strips = minkeStripCount(row1 - row0, MinkeStripHeight);
    bool inParts = part.mode != MinkeStoreBFloat16 && part.words > DepthBlock + DepthBlock / 2;
    int64_t step = inParts ? DepthBlock : part.words;
    for (int64_t word0 = 0; word0 < whole->words; word0 += step) {
        int64_t words = word0 + step < whole->words ? step : whole->words - word0;
        part.half = whole->half && word0 + words == whole->words;
#if HAS_AMX
        if (type == MinkeBFloat16) multiplyByTiles(&part, false, row0, row1, panel0, panel1, word0, words);
        else
#endif
        for (int64_t panel = panel0; panel < panel1; panel++)
            for (int64_t s = 0; s < strips; s++) {
                int64_t first = row0 + minkeStripStart(row1 - row0, s, MinkeStripHeight);
                int64_t end = row0 + minkeStripStart(row1 - row0, s + 1, MinkeStripHeight);
                const char *a = whole->a + first * whole->aRowBytes + word0 * 4;
                WITH_TYPE(type, T, strip(&part, T, false, (int)(end - first), first, panel, a, word0, words));
            }
        part.mode = MinkeAddFloat32;
        part.base = part.out;
        part.baseStride = part.outStride;
    }
}

/// Packed strips [strip0, strip1) of `rows` rows in all against panels [panel0, panel1).
static __attribute__((noinline)) void multiplyStrips(const Block *whole, const int32_t type, int64_t rows,
                                                     int64_t strip0, int64_t strip1, int64_t panel0, int64_t panel1) {
    Block part = *whole;
    bool inParts = part.mode != MinkeStoreBFloat16 && part.words > DepthBlock + DepthBlock / 2;
    int64_t step = inParts ? DepthBlock : part.words;
    int64_t stripBytes = whole->words * MinkeStripStride * 4;
    part.half = false; // packed strips hold zero in the missing half
    for (int64_t word0 = 0; word0 < whole->words; word0 += step) {
        int64_t words = word0 + step < whole->words ? step : whole->words - word0;
#if HAS_AMX
        if (type == MinkeBFloat16)
            multiplyByTiles(&part, true, minkeStripStart(rows, strip0, StripHeight), minkeStripStart(rows, strip1, StripHeight),
                            panel0, panel1, word0, words);
        else
#endif
        for (int64_t panel = panel0; panel < panel1; panel++)
            for (int64_t s = strip0; s < strip1; s++) {
                int64_t first = minkeStripStart(rows, s, StripHeight), end = minkeStripStart(rows, s + 1, StripHeight);
                const char *a = whole->a + s * stripBytes + word0 * MinkeStripStride * 4;
                WITH_TYPE(type, T, strip(&part, T, true, (int)(end - first), first, panel, a, word0, words));
            }
        part.mode = MinkeAddFloat32;
        part.base = part.out;
        part.baseStride = part.outStride;
    }
}

static void product(const MinkeProduct *p, int32_t type, int64_t row0, int64_t row1, int64_t panel0, int64_t panel1) {
    int64_t words = minkeWords(p->depth, type);
    Block block = {.a = p->a, .aRowBytes = p->aStride * (type == MinkeBFloat16 ? 2 : 4), .b = p->b,
                   .panelBytes = words * MinkePanelWidth * 4, .words = words,
                   .half = type == MinkeBFloat16 && p->depth % 2 != 0, .out = p->out, .outStride = p->outStride,
                   .base = p->base, .baseStride = p->baseStride, .mode = p->mode, .columns = p->columns};
    if (p->aIsPacked) multiplyStrips(&block, type, p->rows, row0, row1, panel0, panel1);
    else multiplyRows(&block, type, row0, row1, panel0, panel1);
}

static void productFloat32(const MinkeProduct *p, int64_t row0, int64_t row1, int64_t panel0, int64_t panel1) {
    product(p, MinkeFloat32, row0, row1, panel0, panel1);
}

static void productBFloat16(const MinkeProduct *p, int64_t row0, int64_t row1, int64_t panel0, int64_t panel1) {
    product(p, MinkeBFloat16, row0, row1, panel0, panel1);
    releaseTiles();
}
