// Attention to cached latents by tiles (AMX): scores = rows·queries with 64 rows at a time, mixture = weightsᵀ·rows with two
// rows to a word, 64 columns at a time.

enum { ScoreRows = 4 * TileRows, MixRows = 2 * TileWords };

/// Scores of `rows` rows (ScoreRows, or at most a tile of them). Queries are B: words of 16 lanes.
INLINE void scoreTiles(int rows, const char *row, int64_t rowBytes, const char *queries, int64_t steps, float *scores,
                       const char *ahead) {
    shapeTiles(rows < TileRows ? rows : BlockRows);
    clearSums();
    for (int64_t k = 0; k < steps; k++, row += 64, queries += TileBytes) {
        _tile_loadd(LeftHalf, queries, 64);
        _tile_loadd(UpperRows, row, (size_t)rowBytes);
        _tile_dpbf16ps(UpperLeft, UpperRows, LeftHalf);
        if (rows < ScoreRows) continue;
        // Rows to come: too many streams for the processor to foresee.
        UNROLL for (int i = 0; i < 4; i++)
            for (int r = 0; r < TileRows; r++)
                if (ahead) __builtin_prefetch(ahead + (i * TileRows + r) * rowBytes + k * 64, 0, 2);
        _tile_loadd(LowerRows, row + TileRows * rowBytes, (size_t)rowBytes);
        _tile_dpbf16ps(LowerLeft, LowerRows, LeftHalf);
        _tile_loadd(UpperRows, row + 2 * TileRows * rowBytes, (size_t)rowBytes);
        _tile_dpbf16ps(UpperRight, UpperRows, LeftHalf);
        _tile_loadd(LowerRows, row + 3 * TileRows * rowBytes, (size_t)rowBytes);
        _tile_dpbf16ps(LowerRight, LowerRows, LeftHalf);
    }
    _tile_stored(UpperLeft, scores, 64);
    if (rows < ScoreRows) return;
    _tile_stored(LowerLeft, scores + TileRows * Lanes, 64);
    _tile_stored(UpperRight, scores + 2 * TileRows * Lanes, 64);
    _tile_stored(LowerRight, scores + 3 * TileRows * Lanes, 64);
}

/// Weights of rows as tiles of A: [step][lane][pair of rows], zero past `count`.
static void tileWeights(const float *weights, int64_t count, uint32_t *tiles) {
    for (int64_t t = 0; t < count; t += MixRows, tiles += TileRows * TileWords) {
        Words pairs[TileWords];
        UNROLL for (int j = 0; j < TileWords; j++) {
            Words both[2] = {{0}, {0}};
            for (int side = 0; side < 2; side++)
                if (t + 2 * j + side < count)
                    both[side] = __builtin_convertvector(
                        narrowVector(*(const Floats *)(weights + (t + 2 * j + side) * Lanes)), Words);
            pairs[j] = both[0] | both[1] << 16;
        }
        transpose16(pairs);
        for (int l = 0; l < TileRows; l++) *(Words *)(tiles + l * TileWords) = pairs[l];
    }
}

/// 32 rows of 32 columns as two tiles of B. Interleaving works on quarters of the registers: the columns' order is mended
/// with the sums.
INLINE void interleaveRows(const char *rows, int64_t rowBytes, int64_t count, char *tiles) {
    for (int64_t j = 0; j < TileWords; j++) {
        // Rows that are not there have weight zero; any that is there will do.
        int64_t first = 2 * j < count ? 2 * j : count - 1, second = 2 * j + 1 < count ? 2 * j + 1 : count - 1;
        __m512i low = _mm512_loadu_si512(rows + first * rowBytes), high = _mm512_loadu_si512(rows + second * rowBytes);
        _mm512_store_si512(tiles + 64 * j, _mm512_unpacklo_epi16(low, high));
        _mm512_store_si512(tiles + TileBytes + 64 * j, _mm512_unpackhi_epi16(low, high));
    }
}

/// Sums of 32 columns with their order mended.
INLINE void storeMixed(const float *sums, float *mixed, int64_t mixedStride) {
    for (int l = 0; l < Lanes; l++) {
        Floats low = ((const Floats *)sums)[l], high = ((const Floats *)sums)[Lanes + l];
        Floats *to = (Floats *)(mixed + l * mixedStride);
        to[0] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
        to[1] = __builtin_shufflevector(low, high, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    }
}

/// mixed[16][64 columns], or 32 where those are the last.
INLINE void mixTiles(const bool wide, const char *rows, int64_t rowBytes, int64_t count, const uint32_t *weights,
                     float *mixed, int64_t mixedStride) {
    _Alignas(64) char tiles[2][4 * TileBytes]; // while one is multiplied the other is written
    _Alignas(64) float sums[4 * TileRows * Lanes];
    clearSums();
    for (int64_t t = 0, turn = 0; t < count; t += MixRows, turn ^= 1, weights += TileRows * TileWords) {
        const char *from = rows + t * rowBytes;
        char *to = tiles[turn];
        interleaveRows(from, rowBytes, count - t, to);
        if (wide) interleaveRows(from + 64, rowBytes, count - t, to + 2 * TileBytes);
        _tile_loadd(UpperRows, weights, 64);
        _tile_loadd(LeftHalf, to, 64);
        _tile_loadd(RightHalf, to + TileBytes, 64);
        _tile_dpbf16ps(UpperLeft, UpperRows, LeftHalf);
        _tile_dpbf16ps(UpperRight, UpperRows, RightHalf);
        if (!wide) continue;
        _tile_loadd(LeftHalf, to + 2 * TileBytes, 64);
        _tile_loadd(RightHalf, to + 3 * TileBytes, 64);
        _tile_dpbf16ps(LowerLeft, UpperRows, LeftHalf);
        _tile_dpbf16ps(LowerRight, UpperRows, RightHalf);
    }
    _tile_stored(UpperLeft, sums, 64);
    _tile_stored(UpperRight, sums + TileRows * Lanes, 64);
    storeMixed(sums, mixed, mixedStride);
    if (!wide) return;
    _tile_stored(LowerLeft, sums + 2 * TileRows * Lanes, 64);
    _tile_stored(LowerRight, sums + 3 * TileRows * Lanes, 64);
    storeMixed(sums + 2 * TileRows * Lanes, mixed + MinkePanelWidth, mixedStride);
}

/// `attendLatents` for rows of bfloat16 whose width is whole tiles.
static void attendByTiles(const MinkeLatentChunk *p) {
    _Alignas(64) float scores[MinkeCacheChunk * Lanes];
    _Alignas(64) uint32_t weights[MinkeCacheChunk / MixRows * TileRows * TileWords];
    int64_t rowBytes = p->stride * 2, steps = p->width / MixRows, columns = minkeMixedColumns(p->rank), rows;
    const char *from = p->rows;
    for (int64_t t = 0; t < p->count; t += rows) {
        int64_t left = p->count - t;
        rows = left >= ScoreRows ? ScoreRows : left < TileRows ? left : TileRows;
        scoreTiles((int)rows, from + t * rowBytes, rowBytes, p->queries, steps, scores + t * Lanes,
                   left >= 2 * ScoreRows ? from + (t + ScoreRows) * rowBytes : 0);
    }
    softmaxLanes(p, scores);
    tileWeights(scores, p->count, weights);
    shapeTiles(BlockRows);
    for (int64_t c = 0; c < columns; c += 2 * MinkePanelWidth) {
        float *mixed = p->mixed + c;
        if (c + MinkePanelWidth < columns) mixTiles(true, from + c * 2, rowBytes, p->count, weights, mixed, columns);
        else mixTiles(false, from + c * 2, rowBytes, p->count, weights, mixed, columns);
    }
    releaseTiles();
}
