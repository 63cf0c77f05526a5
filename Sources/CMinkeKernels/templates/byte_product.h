// Products of block-scaled bytes for training: out[M,N] = A[M,K]·B[K,N], both sides quantised to 8 bits with one scale
// for every MinkeByteBlock depths of a row (A) or of a column (B).
//
// Sums run in integers over one block of depths and are then multiplied with both scales and added in float, so that
// outliers cost precision in their own block only. A's codes are 128 too large each, because the dot product of AVX-512
// VNNI takes unsigned numbers on one side; what that adds to a sum is taken off beforehand: it depends on B's column only
// and lies in the panel.

/// Bytes of a whole block of a panel: 32 words of four codes for each of 32 columns, corrections, scales.
enum { ByteBlockBytes = MinkeByteBlock * MinkePanelWidth + MinkePanelWidth * 8 };

/// Depths after which sums are parked in `out`, so that what both sides have of them stays in the first-level cache.
enum { ByteDepth = 4 * MinkeByteBlock };

/// A tile's operands from some block on, for `depth` depths.
typedef struct {
    const uint8_t *a;
    const float *scales; // of A where it is row-major: packed codes bring theirs
    int64_t rowBytes, rowScales;
    const char *b;
    int64_t depth;
} ByteOperands;

#if HAS_DOT

/// Rows of a tile: their integer and float sums fill the registers.
enum { ByteProductRows = 7 };

INLINE void byteProductTileOf(const Block *block, const bool packed, const int rows, int64_t row, int64_t column,
                       ByteOperands o) {
    Floats sums[MinkeStripHeight][TILE_VECTORS];
    UNROLL for (int i = 0; i < rows; i++) sums[i][0] = sums[i][1] = (Floats){0};
    const int64_t rowBytes = packed ? 4 : o.rowBytes, wordBytes = packed ? MinkePanelWidth * 4 : 4;
    for (int64_t depth = o.depth; depth > 0; depth -= MinkeByteBlock) {
        int64_t words = depth >= MinkeByteBlock ? MinkeByteBlock / 4 : (depth + 3) / 4;
        const char *side = o.b + words * MinkePanelWidth * 4;
        __m512i dots[ByteProductRows][2];
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < 2; v++) dots[i][v] = _mm512_loadu_si512(side + 64 * v);
        const uint8_t *a = o.a;
        for (const char *b = o.b; b < side; b += MinkePanelWidth * 4, a += wordBytes) {
            __m512i low = _mm512_loadu_si512(b), high = _mm512_loadu_si512(b + 64);
            UNROLL for (int i = 0; i < rows; i++) {
                __m512i left = _mm512_set1_epi32((int)*(const Word *)(a + i * rowBytes));
                dots[i][0] = _mm512_dpbusd_epi32(dots[i][0], left, low);
                dots[i][1] = _mm512_dpbusd_epi32(dots[i][1], left, high);
            }
        }
        Floats low = *(const Floats *)(side + 128), high = *(const Floats *)(side + 192);
        const float *left = packed ? (const float *)(a + MinkePanelWidth * 4) : o.scales;
        UNROLL for (int i = 0; i < rows; i++) {
            float scale = left[packed ? i : i * o.rowScales];
            sums[i][0] = sums[i][0] + (Floats)_mm512_cvtepi32_ps(dots[i][0]) * (scale * low);
            sums[i][1] = sums[i][1] + (Floats)_mm512_cvtepi32_ps(dots[i][1]) * (scale * high);
        }
        o.a += packed ? ByteBlockBytes : MinkeByteBlock;
        o.b += ByteBlockBytes;
        o.scales++;
    }
    finish(block, rows, row, column, sums);
}

INLINE void byteProductTile(const Block *block, const bool packed, int rows, int64_t row, int64_t column, ByteOperands o) {
    switch (rows) {
#define CASE(n) case n: byteProductTileOf(block, packed, n, row, column, o); break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
#undef CASE
    }
}

#else

/// Without instructions for it the products are formed in float: whole numbers this small are exact there, so the sums of
/// a block are the same to the bit.
enum { ByteProductRows = TILE_ROWS };

INLINE void byteProductTile(const Block *block, const bool packed, int rows, int64_t row, int64_t column, ByteOperands o) {
    const int64_t rowBytes = packed ? 4 : o.rowBytes, wordBytes = packed ? MinkePanelWidth * 4 : 4;
    for (int side = 0; side < MinkePanelWidth && column + side < block->columns; side += TILE_VECTORS * WIDTH) {
        Floats sums[MinkeStripHeight][TILE_VECTORS] = {0};
        const uint8_t *a = o.a;
        const char *b = o.b + side * 4;
        const float *scales = o.scales;
        for (int64_t depth = o.depth; depth > 0; depth -= MinkeByteBlock) {
            int64_t words = depth >= MinkeByteBlock ? MinkeByteBlock / 4 : (depth + 3) / 4;
            Floats dots[MinkeStripHeight][TILE_VECTORS] = {0};
            for (int64_t word = 0; word < words; word++)
                UNROLL for (int part = 0; part < 4; part++) {
                    Floats right[TILE_VECTORS];
                    UNROLL for (int v = 0; v < TILE_VECTORS; v++) {
                        Words codes = ((const Words *)(b + word * MinkePanelWidth * 4))[v];
                        right[v] = __builtin_convertvector((Ints)(codes << (24 - 8 * part)) >> 24, Floats);
                    }
                    for (int i = 0; i < rows; i++) {
                        float left = (float)(a[i * rowBytes + word * wordBytes + part] - 128);
                        UNROLL for (int v = 0; v < TILE_VECTORS; v++) dots[i][v] = dots[i][v] + left * right[v];
                    }
                }
            const Floats *right = (const Floats *)(b + (words + 1) * MinkePanelWidth * 4);
            const float *left = packed ? (const float *)(a + (words + 1) * MinkePanelWidth * 4) : scales;
            for (int i = 0; i < rows; i++) {
                float scale = left[packed ? i : i * o.rowScales];
                UNROLL for (int v = 0; v < TILE_VECTORS; v++) sums[i][v] = sums[i][v] + dots[i][v] * (scale * right[v]);
            }
            a += packed ? ByteBlockBytes : MinkeByteBlock;
            b += ByteBlockBytes;
            scales++;
        }
        for (int i = 0; i < rows; i++) finish(block, 1, row + i, column + side, sums + i);
    }
}

#endif

/// Rows [row0, row1), cut into nearly equal tiles, against one panel. Packed rows lie in one strip.
INLINE void byteProductRows(const MinkeByteProduct *p, const bool packed, int64_t row0, int64_t row1, int64_t panel) {
    Block block = {.out = p->out, .outStride = p->outStride, .base = p->base, .baseStride = p->baseStride,
                   .mode = p->mode, .columns = p->columns};
    int64_t panelBytes = minkeBytePanelBytes(p->depth), count = row1 - row0, tiles = (count + ByteProductRows - 1) / ByteProductRows;
    bool inParts = p->mode != MinkeStoreBFloat16 && p->depth > ByteDepth + ByteDepth / 2;
    int64_t step = inParts ? ByteDepth : p->depth;
    for (int64_t depth = 0; depth < p->depth; depth += step) {
        int64_t first = depth / MinkeByteBlock;
        for (int64_t t = 0; t < tiles; t++) {
            int64_t row = row0 + count * t / tiles, rows = row0 + count * (t + 1) / tiles - row;
            ByteOperands o = {.rowBytes = p->aRowBytes, .rowScales = minkeByteBlocks(p->depth),
                              .b = (const char *)p->b + panel * panelBytes + first * ByteBlockBytes,
                              .depth = depth + step < p->depth ? step : p->depth - depth};
            if (packed) {
                o.a = p->a + row / MinkePanelWidth * panelBytes + row % MinkePanelWidth * 4 + first * ByteBlockBytes;
            } else {
                o.a = p->a + row * p->aRowBytes + depth;
                o.scales = p->aScales + row * o.rowScales + first;
            }
            byteProductTile(&block, packed, (int)rows, row, panel * MinkePanelWidth, o);
        }
        block.mode = MinkeAddFloat32;
        block.base = p->out;
        block.baseStride = p->outStride;
    }
}

/// Rows [row0, row1) against panels [panel0, panel1).
static void multiplyBytes(const MinkeByteProduct *p, int64_t row0, int64_t row1, int64_t panel0, int64_t panel1) {
    if (!p->aIsPacked) {
        for (int64_t panel = panel0; panel < panel1; panel++) byteProductRows(p, false, row0, row1, panel);
        return;
    }
    for (int64_t first = row0; first < row1;) {
        int64_t end = (first / MinkePanelWidth + 1) * MinkePanelWidth;
        if (end > row1) end = row1;
        for (int64_t panel = panel0; panel < panel1; panel++) byteProductRows(p, true, first, end, panel);
        first = end;
    }
}
