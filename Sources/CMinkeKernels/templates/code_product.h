// Products of block-scaled whole numbers for training: out[M,N] = A[M,K]·B[K,N], both sides quantised with one scale for
// every MinkeCodeBlock depths of a row (A) or of a column (B).
//
// Codes have 8 bits (in a byte) or 13 (in two): a word holds four or two of them. Sums run in integers over one block of
// depths – 128 products of 13 bits just fit into 32 – and are then multiplied with both scales and added in float, so
// that outliers cost precision in their own block only. A's bytes are 128 too large each, because the dot product of
// AVX-512 VNNI takes unsigned numbers on one side; what that adds to a sum is taken off beforehand: it depends on B's
// column only and lies in the panel.

/// Bytes of a whole block of a panel: the words of 32 columns, corrections, scales.
INLINE int64_t codeBlockBytes(const int width) { return (MinkeCodeBlock * width + 8) * MinkePanelWidth; }

/// Depths after which sums are parked in `out`, so that what both sides have of them stays in the first-level cache.
enum { CodeDepth = 4 * MinkeCodeBlock };

/// A tile's operands from some block on, for `depth` depths.
typedef struct {
    const char *a;
    const float *scales; // of A where it is row-major: packed codes bring theirs
    int64_t rowBytes, rowScales;
    const char *b;
    int64_t depth;
} CodeOperands;

/// Words of the next block when `depth` depths are left.
INLINE int64_t codeWords(const int width, int64_t depth) {
    return depth >= MinkeCodeBlock ? MinkeCodeBlock * width / 4 : (depth * width + 3) / 4;
}

#if HAS_DOT

/// Rows of a tile: their integer and float sums fill the registers.
enum { CodeRows = 7 };

INLINE __m512i dotCodes(const int width, __m512i sums, __m512i left, __m512i right) {
    return width == MinkeCodes8 ? _mm512_dpbusd_epi32(sums, left, right) : _mm512_dpwssd_epi32(sums, left, right);
}

INLINE void codeTileOf(const Block *block, const int width, const bool packed, const int rows, int64_t row,
                       int64_t column, CodeOperands o) {
    Floats sums[MinkeStripHeight][TILE_VECTORS];
    UNROLL for (int i = 0; i < rows; i++) sums[i][0] = sums[i][1] = (Floats){0};
    const int64_t rowBytes = packed ? 4 : o.rowBytes, wordBytes = packed ? MinkePanelWidth * 4 : 4;
    for (int64_t depth = o.depth; depth > 0; depth -= MinkeCodeBlock) {
        const char *side = o.b + codeWords(width, depth) * MinkePanelWidth * 4;
        __m512i dots[CodeRows][2];
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < 2; v++) dots[i][v] = _mm512_loadu_si512(side + 64 * v);
        const char *a = o.a;
        for (const char *b = o.b; b < side; b += MinkePanelWidth * 4, a += wordBytes) {
            __m512i low = _mm512_loadu_si512(b), high = _mm512_loadu_si512(b + 64);
            UNROLL for (int i = 0; i < rows; i++) {
                __m512i left = _mm512_set1_epi32((int)*(const Word *)(a + i * rowBytes));
                dots[i][0] = dotCodes(width, dots[i][0], left, low);
                dots[i][1] = dotCodes(width, dots[i][1], left, high);
            }
        }
        Floats low = *(const Floats *)(side + 128), high = *(const Floats *)(side + 192);
        const float *left = packed ? (const float *)(a + MinkePanelWidth * 4) : o.scales;
        UNROLL for (int i = 0; i < rows; i++) {
            float scale = left[packed ? i : i * o.rowScales];
            sums[i][0] = sums[i][0] + (Floats)_mm512_cvtepi32_ps(dots[i][0]) * (scale * low);
            sums[i][1] = sums[i][1] + (Floats)_mm512_cvtepi32_ps(dots[i][1]) * (scale * high);
        }
        o.a += packed ? codeBlockBytes(width) : MinkeCodeBlock * width;
        o.b += codeBlockBytes(width);
        o.scales++;
    }
    finish(block, rows, row, column, sums);
}

INLINE void codeTile(const Block *block, const int width, const bool packed, int rows, int64_t row, int64_t column,
                     CodeOperands o) {
    switch (rows) {
#define CASE(n) case n: codeTileOf(block, width, packed, n, row, column, o); break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
#undef CASE
    }
}

#else

enum { CodeRows = TILE_ROWS };

/// Without instructions for it, products of bytes are formed in float: whole numbers this small are exact there, so the
/// sums of a block are the same to the bit. Those of 13 bits are formed in integers.
INLINE void codeTile(const Block *block, const int width, const bool packed, int rows, int64_t row, int64_t column,
                     CodeOperands o) {
    enum { Columns = TILE_VECTORS * WIDTH };
    const int64_t rowBytes = packed ? 4 : o.rowBytes, wordBytes = packed ? MinkePanelWidth * 4 : 4;
    for (int side = 0; side < MinkePanelWidth && column + side < block->columns; side += Columns) {
        Floats sums[MinkeStripHeight][TILE_VECTORS] = {0};
        const char *a = o.a, *b = o.b + side * 4;
        const float *scales = o.scales;
        for (int64_t depth = o.depth; depth > 0; depth -= MinkeCodeBlock) {
            int64_t words = codeWords(width, depth);
            Floats dots[MinkeStripHeight][TILE_VECTORS] = {0};
            Ints wide[MinkeStripHeight][TILE_VECTORS] = {0};
            for (int64_t word = 0; word < words; word++) {
                const Words *codes = (const Words *)(b + word * MinkePanelWidth * 4);
                UNROLL for (int part = 0; part < 4 / width; part++) {
                    const int up = 32 - 8 * width * (part + 1), down = 32 - 8 * width;
                    Ints right[TILE_VECTORS];
                    UNROLL for (int v = 0; v < TILE_VECTORS; v++) right[v] = (Ints)(codes[v] << up) >> down;
                    for (int i = 0; i < rows; i++) {
                        const char *at = a + i * rowBytes + word * wordBytes + part * width;
                        UNROLL for (int v = 0; v < TILE_VECTORS; v++)
                            if (width == MinkeCodes8)
                                dots[i][v] = dots[i][v] + (float)(*(const uint8_t *)at - 128) *
                                                              __builtin_convertvector(right[v], Floats);
                            else
                                wide[i][v] = wide[i][v] + *(const int16_t *)at * right[v];
                    }
                }
            }
            const Floats *right = (const Floats *)(b + (words + 1) * MinkePanelWidth * 4);
            const float *left = packed ? (const float *)(a + (words + 1) * MinkePanelWidth * 4) : scales;
            for (int i = 0; i < rows; i++) {
                float scale = left[packed ? i : i * o.rowScales];
                UNROLL for (int v = 0; v < TILE_VECTORS; v++) {
                    Floats dot = width == MinkeCodes8 ? dots[i][v] : __builtin_convertvector(wide[i][v], Floats);
                    sums[i][v] = sums[i][v] + dot * (scale * right[v]);
                }
            }
            a += packed ? codeBlockBytes(width) : MinkeCodeBlock * width;
            b += codeBlockBytes(width);
            scales++;
        }
        for (int i = 0; i < rows; i++) finish(block, 1, row + i, column + side, sums + i);
    }
}

#endif

#if HAS_AMX
#include "code_tiles.h"

INLINE int64_t codeTileRows(const int width) { return width == MinkeCodes8 ? BlockRows : CodeRows; }

INLINE void codeTileFor(const Block *block, const int width, const bool packed, int rows, int64_t row, int64_t column,
                        CodeOperands o) {
    if (width == MinkeCodes8) codeBlock(block, packed, rows, row, column, o);
    else codeTile(block, width, packed, rows, row, column, o);
}
#else
#define codeTileRows(width) CodeRows
#define codeTileFor codeTile
#endif

/// Rows [row0, row1) against one panel. Packed rows lie in one strip.
INLINE void multiplyCodeRows(const MinkeCodeProduct *p, const int width, const bool packed, int64_t row0, int64_t row1,
                             int64_t panel) {
    Block block = {.out = p->out, .outStride = p->outStride, .base = p->base, .baseStride = p->baseStride,
                   .mode = p->mode, .columns = p->columns};
    int64_t panelBytes = minkeCodePanelBytes(p->depth, width);
    bool inParts = p->mode != MinkeStoreBFloat16 && p->depth > CodeDepth + CodeDepth / 2;
    int64_t step = inParts ? CodeDepth : p->depth;
    for (int64_t depth = 0; depth < p->depth; depth += step) {
        int64_t first = depth / MinkeCodeBlock;
        for (int64_t row = row0; row < row1; row += codeTileRows(width)) {
            int64_t rows = row + codeTileRows(width) < row1 ? codeTileRows(width) : row1 - row;
            CodeOperands o = {.rowBytes = p->aRowBytes, .rowScales = minkeCodeBlocks(p->depth),
                              .b = (const char *)p->b + panel * panelBytes + first * codeBlockBytes(width),
                              .depth = depth + step < p->depth ? step : p->depth - depth};
            if (packed) {
                o.a = (const char *)p->a + row / MinkePanelWidth * panelBytes + row % MinkePanelWidth * 4 +
                      first * codeBlockBytes(width);
            } else {
                o.a = (const char *)p->a + row * p->aRowBytes + depth * width;
                o.scales = p->aScales + row * o.rowScales + first;
            }
            codeTileFor(&block, width, packed, (int)rows, row, panel * MinkePanelWidth, o);
        }
        block.mode = MinkeAddFloat32;
        block.base = p->out;
        block.baseStride = p->outStride;
    }
}

INLINE void multiplyCodesOf(const MinkeCodeProduct *p, const int width, int64_t row0, int64_t row1, int64_t panel0,
                            int64_t panel1) {
    if (!p->aIsPacked) {
        for (int64_t panel = panel0; panel < panel1; panel++) multiplyCodeRows(p, width, false, row0, row1, panel);
        return;
    }
    for (int64_t first = row0; first < row1;) {
        int64_t end = (first / MinkePanelWidth + 1) * MinkePanelWidth;
        if (end > row1) end = row1;
        for (int64_t panel = panel0; panel < panel1; panel++) multiplyCodeRows(p, width, true, first, end, panel);
        first = end;
    }
}

/// Runs the last argument with `name` a constant equal to the bytes of a code.
#define WITH_CODES(width, name, ...)                    \
    do {                                                \
        if ((width) == MinkeCodes8) {                   \
            enum { name = MinkeCodes8 };                \
            __VA_ARGS__;                                \
        } else {                                        \
            enum { name = MinkeCodes13 };               \
            __VA_ARGS__;                                \
        }                                               \
    } while (0)

/// Rows [row0, row1) against panels [panel0, panel1).
static void multiplyCodes(const MinkeCodeProduct *p, int64_t row0, int64_t row1, int64_t panel0, int64_t panel1) {
    WITH_CODES(p->width, W, multiplyCodesOf(p, W, row0, row1, panel0, panel1));
    releaseTiles();
}
