// Products of bytes with scales by tiles (AMX): blocks of 32 rows against a panel. The integer sums of one block of depths
// leave the tiles to be scaled and added in float while those of the next are formed.

typedef int32_t TileDots[BlockRows][MinkePanelWidth];
typedef float TileSums[BlockRows][MinkePanelWidth];

/// sums = dots·(scale of the row · scale of the column), or that added
INLINE void addScaledDots(const bool adds, TileDots dots, int rows, const float *rowScales, int64_t scaleStride, const float *columnScales,
                          TileSums sums) {
    Floats low = *(const Floats *)columnScales, high = *(const Floats *)(columnScales + WIDTH);
    for (int r = 0; r < rows; r++) {
        float scale = rowScales[r * scaleStride];
        Floats *to = (Floats *)sums[r];
        Floats left = adds ? to[0] : (Floats){0}, right = adds ? to[1] : (Floats){0};
        to[0] = left + (Floats)_mm512_cvtepi32_ps(_mm512_load_si512(dots[r])) * (scale * low);
        to[1] = right + (Floats)_mm512_cvtepi32_ps(_mm512_load_si512(dots[r] + WIDTH)) * (scale * high);
    }
}

/// Integer sums of one block of depths, `words` words, which begin with the panel's corrections: what A's offset adds.
INLINE void dotBlock(TileOperand a, int rows, const char *b, int64_t words, const char *corrections, int64_t restRowBytes,
                     TileDots dots) {
    _tile_loadd(UpperLeft, corrections, 0);
    _tile_loadd(UpperRight, corrections + 64, 0);
    if (a.lower) {
        _tile_loadd(LowerLeft, corrections, 0);
        _tile_loadd(LowerRight, corrections + 64, 0);
    }
    int64_t steps = words / TileWords, rest = words % TileWords;
    multiplyTiles(true, a, b, steps);
    if (rest) {
        TileTail tail;
        copyTailOfPanel(&tail, b, words, rest);
        copyTail(tail.upper, a.upper + steps * a.stepBytes, rows < TileRows ? rows : TileRows, restRowBytes, rest, false);
        if (a.lower) copyTail(tail.lower, a.lower + steps * a.stepBytes, rows - TileRows, restRowBytes, rest, false);
        TileOperand last = {.upper = tail.upper, .lower = a.lower ? tail.lower : 0, .rowBytes = 64};
        multiplyTiles(true, last, tail.b, 1);
    }
    storeSums(dots, a.lower ? dots[TileRows] : 0, sizeof dots[0]);
}

/// One block of rows against one panel of codes of 8 bits, as `codeTile`.
INLINE void codeBlock(const Block *block, const bool packed, int rows, int64_t row, int64_t column, CodeOperands o) {
    _Alignas(64) TileDots dots[2];
    _Alignas(64) TileSums sums;
    const float *rowScales = 0, *columnScales = 0;
    int64_t scaleStride = packed ? 1 : o.rowScales, turn = 0;
    shapeTiles(rows);
    // A turn scales the dots of the one before while its own are formed.
    for (int64_t depth = o.depth; depth > 0; depth -= MinkeCodeBlock, turn++) {
        int64_t words = codeWords(MinkeCodes8, depth), bytes = words * MinkePanelWidth * 4;
        int64_t lower = packed ? bytes / 2 : TileRows * o.rowBytes;
        TileOperand a = {.upper = o.a, .lower = rows > TileRows ? o.a + lower : 0, .rowBytes = packed ? 64 : o.rowBytes,
                         .stepBytes = packed ? TileBytes : 64};
        dotBlock(a, rows, o.b, words, o.b + bytes, packed ? words % TileWords * 4 : o.rowBytes, dots[turn % 2]);
        if (turn == 1) addScaledDots(false, dots[0], rows, rowScales, scaleStride, columnScales, sums);
        if (turn > 1) addScaledDots(true, dots[(turn - 1) % 2], rows, rowScales, scaleStride, columnScales, sums);
        columnScales = (const float *)(o.b + bytes + MinkePanelWidth * 4);
        rowScales = packed ? (const float *)(o.a + bytes + MinkePanelWidth * 4) : o.scales;
        o.a += packed ? codeBlockBytes(MinkeCodes8) : MinkeCodeBlock;
        o.b += codeBlockBytes(MinkeCodes8);
        o.scales++;
    }
    if (turn == 1) addScaledDots(false, dots[0], rows, rowScales, scaleStride, columnScales, sums);
    else addScaledDots(true, dots[(turn - 1) % 2], rows, rowScales, scaleStride, columnScales, sums);
    finishSums(block, rows, row, column, sums);
}
