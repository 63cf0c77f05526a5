// Attention with absorbed projections (DeepSeek-V2, 2.1.2): every query of a sequence, whatever its head, reads the
// same cached rows as keys and mixes their first `rank` values.
//
// Sixteen queries are the lanes of the vectors: scores, maxima and sums need no work across lanes. A cache is cut into
// chunks of fixed length (flash decoding); each leaves a maximum, a sum and an unnormalised mixture per lane, which are
// merged in order, so that the result does not depend on who computed which chunk.

enum { Lanes = MinkeLanes, LaneVectors = MinkeLanes / WIDTH };

#if WIDTH == 16
/// Rows whose scores are computed together, and the height of the tiles for what remains; they divide a chunk.
enum { ScoreTile = 24, ScoreTail = 8 };
/// Lanes and vectors of columns that are mixed together.
#if HAS_BF16_DOT
enum { MixLanes = 8, MixVectors = 2 };
#else
enum { MixLanes = 16, MixVectors = 1 };
#endif
/// Depths for which bfloat16 is widened before it is multiplied: the widened rows of a tile and the queries stay in the
/// first cache. The rows to come are fetched this many tiles ahead.
enum { WidenedDepth = 192, TilesAhead = 1 };
#elif WIDTH == 8
enum { ScoreTile = 6, ScoreTail = 2 };
enum { MixLanes = 6, MixVectors = 2 };
/// All of DeepSeek's depths at once: rows of the cache are then read once.
enum { WidenedDepth = 576, TilesAhead = 2 };
#else
enum { ScoreTile = 4, ScoreTail = 4 };
enum { MixLanes = 4, MixVectors = 2 };
#endif

/// Queries as lanes: word k of lane l at [k][l]; lanes past `lanes` are zero.
static void packLanes(const float *q, int64_t stride, int64_t lanes, int64_t width, void *packed, int32_t type) {
    WITH_TYPE(type, T, {
        int64_t words = minkeWords(width, T), done = 0;
        uint32_t *to = (uint32_t *)packed;
#if WIDTH == 16
        for (; lanes == Lanes && (done + 16) * (T == MinkeBFloat16 ? 2 : 1) <= width; done += 16) {
            Words block[16];
            for (int l = 0; l < Lanes; l++) block[l] = wordsOfRow(q + l * stride, MinkeFloat32, done, T);
            transpose16(block);
            for (int l = 0; l < Lanes; l++) *(Words *)(to + (done + l) * Lanes) = block[l];
        }
#endif
        for (int64_t k = done; k < words; k++)
            for (int64_t l = 0; l < Lanes; l++) {
                const float *row = q + l * stride;
                if (l >= lanes) to[k * Lanes + l] = 0;
                else if (T == MinkeFloat32) to[k * Lanes + l] = wordOf(row[k], 0, T);
                else to[k * Lanes + l] = wordOf(row[2 * k], 2 * k + 1 < width ? row[2 * k + 1] : 0, T);
            }
    });
}

/// scores[0..<rows][lane] = rows·queries. With every word `step` bytes from `ahead` on are fetched: rows to come, which are
/// too many streams for the processor to foresee.
INLINE void scoreTile(const int type, const int rows, const char *row, int64_t rowBytes, const uint32_t *queries,
                      int64_t words, float *scores, const char *ahead, const int step) {
    Floats sums[ScoreTile][LaneVectors];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int v = 0; v < LaneVectors; v++) sums[i][v] = (Floats){0};
    // Four rows an address: the others are reached by multiples of the distance.
    const char *at[(ScoreTile + 3) / 4];
    UNROLL for (int g = 0; g < (rows + 3) / 4; g++) at[g] = row + 4 * g * rowBytes;
    for (int64_t k = 0; k < words; k++, queries += Lanes, ahead += step) {
        UNROLL for (int line = 0; line < step; line += 64) __builtin_prefetch(ahead + line, 0, 2);
        Floats query[LaneVectors];
        UNROLL for (int v = 0; v < LaneVectors; v++) query[v] = ((const Floats *)queries)[v];
#if !HAS_BF16_DOT
        Floats low[LaneVectors], high[LaneVectors];
        UNROLL for (int v = 0; v < LaneVectors; v++) {
            low[v] = (Floats)((Words)query[v] << 16);
            high[v] = (Floats)((Words)query[v] & 0xFFFF0000u);
        }
#endif
        UNROLL for (int i = 0; i < rows; i++) {
            const char *from = at[i / 4] + i % 4 * rowBytes + 4 * k;
            if (type == MinkeBFloat16) {
                uint32_t word = *(const Word *)from;
#if HAS_BF16_DOT
                sums[i][0] = (Floats)_mm512_dpbf16_ps((__m512)sums[i][0], (__m512bh)_mm512_set1_epi32((int)word),
                                                      (__m512bh)query[0]);
#else
                float first = floatOfBits(word << 16), second = floatOfBits(word & 0xFFFF0000u);
                UNROLL for (int v = 0; v < LaneVectors; v++) {
                    sums[i][v] = sums[i][v] + first * low[v];
                    sums[i][v] = sums[i][v] + second * high[v];
                }
#endif
            } else {
                float value = *(const WordAsFloat *)from;
                UNROLL for (int v = 0; v < LaneVectors; v++) sums[i][v] = sums[i][v] + value * query[v];
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int v = 0; v < LaneVectors; v++) ((Floats *)(scores + i * Lanes))[v] = sums[i][v];
}

/// Turns scores into weights exp(score·scale − top), zero for rows that a lane does not see.
INLINE void softmaxLanes(const MinkeLatentChunk *p, float *scores) {
    for (int v = 0; v < LaneVectors; v++) {
        Ints seen = ((const Ints *)p->limits)[v] - (int32_t)p->first;
        const Floats lowest = (Floats){0} - 1e30f;
        Floats top = lowest, sum = {0};
        for (int64_t t = 0; t < p->count; t++) {
            Floats *at = (Floats *)(scores + t * Lanes) + v;
            Ints visible = seen > (int32_t)t;
            *at = (Floats)(((Ints)(*at * p->scale) & visible) | ((Ints)lowest & ~visible));
            top = __builtin_elementwise_max(top, *at);
        }
        for (int64_t t = 0; t < p->count; t++) {
            Floats *at = (Floats *)(scores + t * Lanes) + v;
            *at = (Floats)((Ints)exponentials(*at - top) & (Ints)(seen > (int32_t)t));
            sum = sum + *at;
        }
        ((Floats *)p->top)[v] = top;
        ((Floats *)p->sum)[v] = sum;
    }
}

#if HAS_BF16_DOT
/// Weights of two rows as one word, in place: word [pair][lane].
INLINE void pairWeights(float *weights, int64_t count) {
    for (int64_t t = 0; t < count; t += 2) {
        Words first = __builtin_convertvector(narrowVector(*(const Floats *)(weights + t * Lanes)), Words);
        Words second = {0};
        if (t + 1 < count)
            second = __builtin_convertvector(narrowVector(*(const Floats *)(weights + (t + 1) * Lanes)), Words);
        *(Words *)(weights + t / 2 * Lanes) = first | second << 16;
    }
}

/// mixed[MixLanes][32 columns] of bfloat16 rows, two rows a step.
INLINE void mixPairs(const char *rows, int64_t rowBytes, int64_t count, const Word *weights, float *mixed,
                     int64_t mixedStride) {
    Floats sums[MixLanes][2];
    UNROLL for (int l = 0; l < MixLanes; l++) sums[l][0] = sums[l][1] = (Floats){0};
    for (int64_t t = 0; t < count; t += 2, rows += 2 * rowBytes, weights += Lanes) {
        // The missing partner of an odd row has weight zero; any row that is there will do.
        __m512i first = _mm512_loadu_si512(rows), second = _mm512_loadu_si512(t + 1 < count ? rows + rowBytes : rows);
        __m512bh low = (__m512bh)_mm512_unpacklo_epi16(first, second);
        __m512bh high = (__m512bh)_mm512_unpackhi_epi16(first, second);
        UNROLL for (int l = 0; l < MixLanes; l++) {
            __m512bh weight = (__m512bh)_mm512_set1_epi32((int)weights[l]);
            sums[l][0] = (Floats)_mm512_dpbf16_ps((__m512)sums[l][0], weight, low);
            sums[l][1] = (Floats)_mm512_dpbf16_ps((__m512)sums[l][1], weight, high);
        }
    }
    // Interleaving works on quarters of the registers; here the columns get their order back.
    UNROLL for (int l = 0; l < MixLanes; l++) {
        Floats low = sums[l][0], high = sums[l][1];
        Floats *to = (Floats *)(mixed + l * mixedStride);
        to[0] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
        to[1] = __builtin_shufflevector(low, high, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    }
}
#endif

/// mixed[lanes][MixVectors·WIDTH columns] of rows in `type`, lanes at most MixLanes.
INLINE void mixRows(const int type, const int lanes, const char *rows, int64_t rowBytes, int64_t count,
                    const float *weights, float *mixed, int64_t mixedStride) {
    Floats sums[MixLanes][MixVectors];
    UNROLL for (int l = 0; l < lanes; l++)
        UNROLL for (int v = 0; v < MixVectors; v++) sums[l][v] = (Floats){0};
    for (int64_t t = 0; t < count; t++, rows += rowBytes, weights += Lanes) {
        Floats values[MixVectors];
        UNROLL for (int v = 0; v < MixVectors; v++)
            values[v] = type == MinkeBFloat16 ? (Floats)(__builtin_convertvector(((const Halves *)rows)[v], Words) << 16)
                                              : ((const Floats *)rows)[v];
        UNROLL for (int l = 0; l < lanes; l++)
            UNROLL for (int v = 0; v < MixVectors; v++) sums[l][v] = sums[l][v] + weights[l] * values[v];
    }
    UNROLL for (int l = 0; l < lanes; l++)
        UNROLL for (int v = 0; v < MixVectors; v++) ((Floats *)(mixed + l * mixedStride))[v] = sums[l][v];
}

#if WIDTH >= 8 && !HAS_BF16_DOT
/// Scores of bfloat16 rows, widened piece by piece.
static void scoreWidened(const MinkeLatentChunk *p, float *scores) {
    _Alignas(64) float queries[WidenedDepth * Lanes], values[ScoreTile * WidenedDepth] = {0}, part[ScoreTile * Lanes];
    for (int64_t start = 0; start < p->width; start += WidenedDepth) {
        int64_t depth = smaller(WidenedDepth, p->width - start);
        const uint32_t *packed = (const uint32_t *)p->queries + start / 2 * Lanes;
        for (int64_t k = 0; k < depth; k++)
            UNROLL for (int v = 0; v < LaneVectors; v++) {
                Words words = ((const Words *)(packed + k / 2 * Lanes))[v];
                ((Floats *)(queries + k * Lanes))[v] = (Floats)(k % 2 ? words & 0xFFFF0000u : words << 16);
            }
        for (int64_t t = 0; t < p->count; t += ScoreTile) {
            int64_t rows = smaller(ScoreTile, p->count - t);
            const char *ahead = (const char *)((const uint16_t *)p->rows + (t + TilesAhead * ScoreTile) * p->stride + start * ScoreTile);
            for (int64_t i = 0; i < rows; i++) {
                const uint16_t *row = (const uint16_t *)p->rows + (t + i) * p->stride + start;
                // Up to a vector past the end is read, which the cache has room for, and not used.
                for (int64_t k = 0; k < depth; k += WIDTH)
                    *(Floats *)(values + i * WidenedDepth + k) =
                        (Floats)(__builtin_convertvector(*(const Halves *)(row + k), Words) << 16);
            }
            // Rows that are not there are what was there before; their scores go nowhere.
            scoreTile(MinkeFloat32, ScoreTile, (const char *)values, WidenedDepth * 4, (const uint32_t *)queries, depth, part,
                      ahead, ScoreTile * 2);
            for (int64_t i = 0; i < rows * LaneVectors; i++) {
                Floats *to = (Floats *)(scores + t * Lanes) + i;
                *to = start > 0 ? *to + ((const Floats *)part)[i] : ((const Floats *)part)[i];
            }
        }
    }
}
#endif

#if HAS_AMX
#include "latent_tiles.h"
#endif

INLINE void attendTyped(const int type, const MinkeLatentChunk *p) {
    _Alignas(64) float scores[MinkeCacheChunk * Lanes];
    int64_t size = type == MinkeBFloat16 ? 2 : 4, rowBytes = p->stride * size, words = minkeWords(p->width, type), t = 0;
    const char *rows = p->rows;
#if WIDTH >= 8 && !HAS_BF16_DOT
    if (type == MinkeBFloat16) {
        scoreWidened(p, scores);
        t = p->count;
    }
#endif
    for (; t + ScoreTile <= p->count; t += ScoreTile)
        scoreTile(type, ScoreTile, rows + t * rowBytes, rowBytes, p->queries, words, scores + t * Lanes,
                  rows + (t + ScoreTile) * rowBytes, ScoreTile * 4);
    for (; t < p->count; t += ScoreTail)
        scoreTile(type, ScoreTail, rows + t * rowBytes, rowBytes, p->queries, words, scores + t * Lanes,
                  rows + (t + ScoreTail) * rowBytes, ScoreTail * 4);
    softmaxLanes(p, scores);
    int64_t columns = minkeMixedColumns(p->rank);
#if HAS_BF16_DOT
    if (type == MinkeBFloat16) {
        pairWeights(scores, p->count);
        for (int64_t c = 0; c < columns; c += 32)
            for (int l = 0; l < Lanes; l += MixLanes)
                mixPairs(rows + c * 2, rowBytes, p->count, (const Word *)scores + l, p->mixed + l * columns + c, columns);
        return;
    }
#endif
    // Groups of lanes of nearly equal size.
    enum { Groups = (Lanes + MixLanes - 1) / MixLanes };
    for (int64_t c = 0; c < columns; c += MixVectors * WIDTH)
        UNROLL for (int g = 0; g < Groups; g++) {
            const int l = Lanes * g / Groups, lanes = Lanes * (g + 1) / Groups - l;
            mixRows(type, lanes, rows + c * size, rowBytes, p->count, scores + l, p->mixed + l * columns + c, columns);
        }
}

static void attendLatents(const MinkeLatentChunk *p) {
#if HAS_AMX
    if (p->type == MinkeBFloat16 && p->width % MixRows == 0) return attendByTiles(p);
#endif
    WITH_TYPE(p->type, T, attendTyped(T, p));
}

static void mergeChunks(const float *mixed, int64_t mixedStride, const float *tops, const float *sums,
                        int64_t sumStride, int64_t chunks, int64_t width, float *out) {
    float top = tops[0], total = 0;
    for (int64_t c = 1; c < chunks; c++) top = tops[c * sumStride] > top ? tops[c * sumStride] : top;
    for (int64_t c = 0; c < chunks; c++) total += exponential(tops[c * sumStride] - top) * sums[c * sumStride];
    for (int64_t c = 0; c < chunks; c++) {
        float share = exponential(tops[c * sumStride] - top) / total;
        const float *from = mixed + c * mixedStride;
        if (c == 0)
            for (int64_t i = 0; i < width; i++) out[i] = share * from[i];
        else
            for (int64_t i = 0; i < width; i++) out[i] += share * from[i];
    }
}

static void quantizeRow(const void *x, int32_t type, int64_t count, int8_t *values, float *scales) {
    WITH_TYPE(type, T, {
        for (int64_t g = 0; g < count; g += MinkeCacheGroup) {
            int64_t n = smaller(MinkeCacheGroup, count - g);
            float largest = 0;
            for (int64_t i = 0; i < n; i++) {
                float magnitude = fabsf(load(x, g + i, T));
                largest = magnitude > largest ? magnitude : largest;
            }
            float scale = largest / 127, inverse = largest > 0 ? 127 / largest : 0;
            for (int64_t i = 0; i < n; i++) {
                float scaled = load(x, g + i, T) * inverse;
                values[g + i] = (int8_t)(int32_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
            }
            scales[g / MinkeCacheGroup] = scale;
        }
    });
}

static void dequantizeRow(const int8_t *values, const float *scales, int64_t count, void *x, int32_t type) {
    WITH_TYPE(type, T, {
        for (int64_t g = 0; g < count; g += MinkeCacheGroup) {
            int64_t n = smaller(MinkeCacheGroup, count - g), i = 0;
            float scale = scales[g / MinkeCacheGroup];
            typedef int8_t Bytes __attribute__((vector_size(WIDTH), aligned(1), may_alias));
            for (; i + WIDTH <= n; i += WIDTH) {
                Floats y = __builtin_convertvector(*(const Bytes *)(values + g + i), Floats) * scale;
                if (T == MinkeBFloat16) *(Halves *)((uint16_t *)x + g + i) = narrowVector(y);
                else *(Floats *)((float *)x + g + i) = y;
            }
            for (; i < n; i++) store(x, g + i, T, (float)values[g + i] * scale);
        }
    });
}
