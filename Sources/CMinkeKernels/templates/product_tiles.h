// Products of bfloat16 by tiles (AMX): blocks of 32 rows against a panel.
//
// Packed strips lie as tiles: [words / 16][16 rows][16 words], and the words that do not fill a tile as
// [16 rows][rest]. Sums of one element are formed in the same order whatever block it is in.

/// Words at the end that fill no tile, padded with zeros: NaN beside them must not reach a sum.
typedef struct {
    _Alignas(64) char upper[TileBytes], lower[TileBytes], b[TileWords * MinkePanelWidth * 4];
} TileTail;

/// `rest` words of `rows` rows.
INLINE void copyTail(char *tile, const char *from, int rows, int64_t rowBytes, int64_t rest, bool half) {
    __mmask32 mask = (__mmask32)((1ull << (2 * rest - half)) - 1);
    for (int r = 0; r < rows; r++)
        _mm512_store_si512(tile + 64 * r, _mm512_maskz_loadu_epi16(mask, from + r * rowBytes));
}

/// Words that are multiplied from copies: those that fill no tile, and a tile whose last word has one element only.
INLINE int64_t restOf(int64_t words, bool half) { return half ? (words - 1) % TileWords + 1 : words % TileWords; }

/// B's last `rest` words.
INLINE void copyTailOfPanel(TileTail *tail, const char *b, int64_t words, int64_t rest) {
    if (!rest) return;
    memset(tail->b, 0, sizeof tail->b);
    memcpy(tail->b, b + (words - rest) * MinkePanelWidth * 4, (size_t)rest * MinkePanelWidth * 4);
}

/// Sums of a block over all words, the last of which may fill no tile.
INLINE void sumBlock(TileOperand a, int rows, const char *b, int64_t words, int64_t restRowBytes, bool half,
                     TileTail *tail) {
    int64_t rest = restOf(words, half), steps = (words - rest) / TileWords;
    multiplyTiles(false, a, b, steps);
    if (!rest) return;
    copyTail(tail->upper, a.upper + steps * a.stepBytes, rows < TileRows ? rows : TileRows, restRowBytes, rest, half);
    if (a.lower) copyTail(tail->lower, a.lower + steps * a.stepBytes, rows - TileRows, restRowBytes, rest, half);
    TileOperand last = {.upper = tail->upper, .lower = a.lower ? tail->lower : 0, .rowBytes = 64};
    multiplyTiles(false, last, tail->b, 1);
}

/// Sums on their way out, in any mode.
INLINE void finishSums(const Block *block, int rows, int64_t row, int64_t column, float sums[][MinkePanelWidth]) {
    int64_t stride = block->outStride, at = row * stride + column;
    if (column + MinkePanelWidth > block->columns) {
        finishEdge(block, rows, row, column, sums[0]);
        return;
    }
    for (int r = 0; r < rows; r++, at += stride)
        UNROLL for (int v = 0; v < MinkePanelWidth; v += WIDTH) {
            Floats sum = *(const Floats *)(sums[r] + v);
            if (block->mode == MinkeStoreBFloat16) {
                *(Halves *)((uint16_t *)block->out + at + v) = narrowVector(sum);
                continue;
            }
            if (block->mode == MinkeAddFloat32)
                sum = sum + *(const Floats *)(block->base + (row + r) * block->baseStride + column + v);
            *(Floats *)((float *)block->out + at + v) = sum;
        }
}

/// One block of rows against one panel.
INLINE void tileBlock(const Block *block, TileOperand a, int rows, int64_t row, int64_t column, const char *b,
                      int64_t words, int64_t restRowBytes, TileTail *tail) {
    int64_t at = row * block->outStride + column;
    bool isWhole = column + MinkePanelWidth <= block->columns;
    if (isWhole && block->mode != MinkeStoreBFloat16) {
        const float *base = block->base + row * block->baseStride + column;
        float *out = (float *)block->out + at;
        if (block->mode == MinkeAddFloat32)
            loadSums(base, a.lower ? base + TileRows * block->baseStride : 0, block->baseStride * 4);
        else clearSums();
        sumBlock(a, rows, b, words, restRowBytes, block->half, tail);
        storeSums(out, a.lower ? out + TileRows * block->outStride : 0, block->outStride * 4);
        return;
    }
    _Alignas(64) float sums[BlockRows][MinkePanelWidth];
    clearSums();
    sumBlock(a, rows, b, words, restRowBytes, block->half, tail);
    storeSums(sums, a.lower ? sums[TileRows] : 0, sizeof sums[0]);
    finishSums(block, rows, row, column, sums);
}

/// Rows [row0, row1), all in blocks of `rows`, against panels. A block meets all panels before the next: its rows stay in the
/// first-level cache, and what it writes lies side by side.
INLINE void tileBlocks(const Block *block, const bool packed, int rows, int64_t row0, int64_t row1, int64_t panel0,
                       int64_t panel1, int64_t word0, int64_t words) {
    TileTail tail;
    int64_t stripBytes = block->words * MinkeStripStride * 4;
    int64_t tileBytes = packed ? stripBytes : TileRows * block->aRowBytes, rest = restOf(words, block->half);
    shapeTiles(rows);
    for (int64_t row = row0; row < row1; row += rows) {
        const char *a = packed ? block->a + row / TileRows * stripBytes + word0 * TileRows * 4
                               : block->a + row * block->aRowBytes + word0 * 4;
        TileOperand operand = {.upper = a, .lower = rows > TileRows ? a + tileBytes : 0,
                               .rowBytes = packed ? 64 : block->aRowBytes, .stepBytes = packed ? TileBytes : 64};
        for (int64_t panel = panel0; panel < panel1; panel++) {
            const char *b = block->b + panel * block->panelBytes + word0 * MinkePanelWidth * 4;
            copyTailOfPanel(&tail, b, words, rest);
            tileBlock(block, operand, rows, row, panel * MinkePanelWidth, b, words,
                      packed ? rest * 4 : block->aRowBytes, &tail);
        }
    }
}

/// Rows [row0, row1) against panels for `words` words from `word0` on; packed rows begin with a strip.
static __attribute__((noinline)) void multiplyByTiles(const Block *block, const bool packed, int64_t row0, int64_t row1,
                                                      int64_t panel0, int64_t panel1, int64_t word0, int64_t words) {
    // Whole blocks first, so that the registers change their shape once.
    int64_t whole = row0 + (row1 - row0) / BlockRows * BlockRows;
    if (whole > row0) tileBlocks(block, packed, BlockRows, row0, whole, panel0, panel1, word0, words);
    if (row1 > whole) tileBlocks(block, packed, (int)(row1 - whole), whole, row1, panel0, panel1, word0, words);
}
