// Tiles (Intel AMX): registers of up to 16 rows of 64 bytes, multiplied as matrices. One instruction multiplies 16 rows of
// A by 16 columns of B over 32 depths of bfloat16 or 64 of bytes; B lies as panels do: a word of depths of every column.
//
// Sums take four of the eight registers, two tiles of rows by the two halves of a panel: what is loaded is used twice.

enum { TileRows = 16, TileWords = 16, TileBytes = TileRows * TileWords * 4, BlockRows = 2 * TileRows };
/// Registers: sums of the upper and of the lower rows, each of both halves of a panel; rows of A; halves of B.
enum { UpperLeft, UpperRight, LowerLeft, LowerRight, UpperRows, LowerRows, LeftHalf, RightHalf };

typedef struct {
    uint8_t palette, firstRow, reserved[14];
    uint16_t rowBytes[16];
    uint8_t rows[16];
} TileShapes;

/// The rows that this thread's registers are shaped for; 0 if they are not in use.
static _Thread_local int shapedRows;

/// Shapes the registers for blocks of `rows` rows, at most BlockRows.
INLINE void shapeTiles(int rows) {
    if (rows == shapedRows) return;
    TileShapes shapes = {.palette = 1};
    int upper = rows < TileRows ? rows : TileRows, lower = rows > TileRows ? rows - TileRows : 1;
    const int of[8] = {upper, upper, lower, lower, upper, lower, TileRows, TileRows};
    for (int i = 0; i < 8; i++) {
        shapes.rowBytes[i] = TileWords * 4;
        shapes.rows[i] = (uint8_t)of[i];
    }
    _tile_loadconfig(&shapes);
    shapedRows = rows;
}

/// Ends the use of tiles, so that nobody has to save them.
INLINE void releaseTiles(void) {
    if (shapedRows == 0) return;
    _tile_release();
    shapedRows = 0;
}

/// Rows of A: two tiles, and how their words are reached. The lower tile is null where there are no more than 16 rows.
typedef struct {
    const char *upper, *lower;
    int64_t rowBytes, stepBytes;
} TileOperand;

INLINE void clearSums(void) {
    _tile_zero(UpperLeft);
    _tile_zero(UpperRight);
    _tile_zero(LowerLeft);
    _tile_zero(LowerRight);
}

#define TILE_DOT(to, x, y) (bytes ? _tile_dpbusd(to, x, y) : _tile_dpbf16ps(to, x, y))

/// Sums += A·B over `steps` times 16 words, of unsigned with signed bytes or of bfloat16. Words of B are a panel's width
/// apart.
INLINE void multiplyTiles(const bool bytes, TileOperand a, const char *b, int64_t steps) {
    for (int64_t step = 0; step < steps; step++, b += TileWords * MinkePanelWidth * 4) {
        _tile_loadd(LeftHalf, b, MinkePanelWidth * 4);
        _tile_loadd(UpperRows, a.upper + step * a.stepBytes, (size_t)a.rowBytes);
        _tile_loadd(RightHalf, b + 64, MinkePanelWidth * 4);
        TILE_DOT(UpperLeft, UpperRows, LeftHalf);
        TILE_DOT(UpperRight, UpperRows, RightHalf);
        if (!a.lower) continue;
        _tile_loadd(LowerRows, a.lower + step * a.stepBytes, (size_t)a.rowBytes);
        TILE_DOT(LowerLeft, LowerRows, LeftHalf);
        TILE_DOT(LowerRight, LowerRows, RightHalf);
    }
}

/// Register-only work: the operations of `repeats` rounds.
static double peakTiles(const bool bytes, int64_t repeats) {
    shapeTiles(BlockRows);
    clearSums();
    _tile_zero(UpperRows);
    _tile_zero(LowerRows);
    _tile_zero(LeftHalf);
    _tile_zero(RightHalf);
    for (int64_t r = 0; r < repeats; r++) {
        TILE_DOT(UpperLeft, UpperRows, LeftHalf);
        TILE_DOT(UpperRight, UpperRows, RightHalf);
        TILE_DOT(LowerLeft, LowerRows, LeftHalf);
        TILE_DOT(LowerRight, LowerRows, RightHalf);
    }
    releaseTiles();
    return (double)repeats * 4 * TileRows * TileRows * TileWords * (bytes ? 8 : 4);
}

/// The sums, to rows `rowBytes` apart, the lower ones from `lower` on unless that is null.
INLINE void storeSums(void *upper, void *lower, int64_t rowBytes) {
    _tile_stored(UpperLeft, upper, (size_t)rowBytes);
    _tile_stored(UpperRight, (char *)upper + 64, (size_t)rowBytes);
    if (!lower) return;
    _tile_stored(LowerLeft, lower, (size_t)rowBytes);
    _tile_stored(LowerRight, (char *)lower + 64, (size_t)rowBytes);
}

INLINE void loadSums(const void *upper, const void *lower, int64_t rowBytes) {
    _tile_loadd(UpperLeft, upper, (size_t)rowBytes);
    _tile_loadd(UpperRight, (const char *)upper + 64, (size_t)rowBytes);
    if (!lower) return;
    _tile_loadd(LowerLeft, lower, (size_t)rowBytes);
    _tile_loadd(LowerRight, (const char *)lower + 64, (size_t)rowBytes);
}
