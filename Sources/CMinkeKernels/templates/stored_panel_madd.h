// Panels of stored weights in integers for processors that multiply bytes and 16-bit words in pairs (AVX2).
//
// Two kinds. Formats with codes of few bits keep them as unsigned bytes: products with 8-bit activations are summed in
// 16 bits as far as they fit, and the sums are multiplied with the integer scales of their sub-blocks. Formats that need
// the sign are brought to 13 bits and multiplied with activations of 12 bits. Either way a row of weights has one float
// scale per 256 depths, and all sums within those depths are exact integers.

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi" // wide vectors are passed between inlined functions only

/// Depths that share one scale, of weights and of activations.
enum { RunDepth = 256, RunGroups = RunDepth / 16 };
/// Largest codes of activations for products with bytes and with words of weights.
enum { TopByte = 127, TopWord = 2047 };
/// Largest words of weights: 256 products with activations fit 32 bits.
enum { TopWeight = 4095 };

/// 256 activations of one row.
typedef struct {
    int8_t bytes[RunDepth];
    int16_t sums[RunGroups / 2];     ///< of 32 bytes each
    int16_t fineSums[RunGroups];     ///< of 16
    int16_t words[RunDepth];
} ActivationRun;

/// 256 depths of 32 weight rows. Vectors hold eight rows: of each, four codes of successive depths.
typedef struct {
    uint8_t codes[8][2][8][2][32];   ///< [sub-block of 32][half of the rows][four depths][vector]
    int16_t factors[RunGroups][4][16]; ///< [sub-block][vector]: its scale, twice a row
    int16_t offsets[RunGroups / 2][4][16]; ///< [pair of sub-blocks][vector]: what is taken off
    float scales[MinkePanelWidth];
} ByteRun;

/// The same in words: of each row, two of successive depths.
typedef struct {
    int16_t words[2][RunDepth / 2][2][16]; ///< [half of the rows][two depths][vector]
    float scales[MinkePanelWidth];
} WordRun;

INLINE int64_t runsOf(int64_t depth) { return (depth + RunDepth - 1) / RunDepth; }

static int64_t byteRowBytes(int64_t depth) { return runsOf(depth) * (int64_t)sizeof(ActivationRun); }

static int64_t bytePanelBytes(int32_t format, int64_t depth) {
    return runsOf(depth) * (int64_t)(isSigned(format) ? sizeof(WordRun) : sizeof(ByteRun));
}

/// Quantises rows of activations; depths past the end are zero.
static void quantizeRows(const float *x, int64_t stride, int64_t depth, uint8_t *codes, float *scales, int64_t row0,
                         int64_t row1) {
    const int64_t runs = runsOf(depth), blocks = minkeByteBlocks(depth);
    for (int64_t row = row0; row < row1; row++)
        for (int64_t r = 0; r < runs; r++) {
            const float *from = x + row * stride + r * RunDepth;
            ActivationRun *to = (ActivationRun *)codes + row * runs + r;
            float rest[RunDepth];
            int64_t left = depth - r * RunDepth;
            if (left < RunDepth) {
                for (int64_t i = 0; i < RunDepth; i++) rest[i] = i < left ? from[i] : 0;
                from = rest;
            }
            const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
            __m256 top = _mm256_setzero_ps();
            for (int i = 0; i < RunDepth; i += 8) top = _mm256_max_ps(top, _mm256_and_ps(magnitude, _mm256_loadu_ps(from + i)));
            Eight tops = (Eight)top;
            float largest = __builtin_reduce_max(tops);
            scales[row * blocks + r] = largest / TopByte;
            const __m256 byBytes = _mm256_set1_ps(largest > 0 ? TopByte / largest : 0);
            const __m256 byWords = _mm256_set1_ps(largest > 0 ? TopWord / largest : 0);
            for (int g = 0; g < RunGroups; g++) {
                __m256 low = _mm256_loadu_ps(from + 16 * g), high = _mm256_loadu_ps(from + 16 * g + 8);
                __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(low, byWords)),
                                                   _mm256_cvtps_epi32(_mm256_mul_ps(high, byWords)));
                _mm256_storeu_si256((__m256i *)(to->words + 16 * g), _mm256_permute4x64_epi64(words, 0xD8));
                __m256i narrow = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(low, byBytes)),
                                                    _mm256_cvtps_epi32(_mm256_mul_ps(high, byBytes)));
                narrow = _mm256_permute4x64_epi64(narrow, 0xD8);
                __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(narrow), _mm256_extracti128_si256(narrow, 1));
                _mm_storeu_si128((__m128i *)(to->bytes + 16 * g), bytes);
                // Sums of bytes made positive, by eights.
                __m128i sums = _mm_sad_epu8(_mm_xor_si128(bytes, _mm_set1_epi8((char)0x80)), _mm_setzero_si128());
                to->fineSums[g] = (int16_t)(_mm_extract_epi16(sums, 0) + _mm_extract_epi16(sums, 4) - 16 * 128);
            }
            for (int j = 0; j < RunGroups / 2; j++)
                to->sums[j] = (int16_t)(to->fineSums[2 * j] + to->fineSums[2 * j + 1]);
        }
}

/// Rows of eight words become eight rows of one word each.
INLINE void transpose8(__m256i v[8]) {
    __m256i t[8];
    UNROLL for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
    __m256i u[8];
    UNROLL for (int i = 0; i < 2; i++)
        UNROLL for (int k = 0; k < 2; k++) {
            u[4 * i + 2 * k] = _mm256_unpacklo_epi64(t[4 * i + k], t[4 * i + 2 + k]);
            u[4 * i + 2 * k + 1] = _mm256_unpackhi_epi64(t[4 * i + k], t[4 * i + 2 + k]);
        }
    UNROLL for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
        v[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
    }
}

/// Products of one code and one activation byte that sums in 16 bits hold, in pairs.
INLINE int pairsInWord(const int format) {
    switch (format) {
    case MinkeStoredQ2_K: case MinkeStoredQ3_K: case MinkeStoredQ4_0: case MinkeStoredQ4_1: case MinkeStoredQ4_K:
        return 8; // codes below 16
    case MinkeStoredQ6_K: return 2; // below 64
    default: return 4; // below 32
    }
}

/// Where weights 256·s … of one row lie; blocks that are not there are replaced by the first.
typedef struct {
    const uint8_t *at[8];
    int count;
} RunBlocks;

INLINE RunBlocks blocksOfRun(const int format, const bool wide, const MinkeStored *w, int64_t row, int64_t s) {
    RunBlocks blocks;
    const uint8_t *data = (const uint8_t *)w->data + row * w->rowBytes;
    int64_t left = w->depth / 32 - 8 * s;
    blocks.count = left < 8 ? (int)left : 8;
    UNROLL for (int j = 0; j < 8; j++)
        blocks.at[j] = wide ? data + s * minkeBlockBytes(format)
                            : data + (8 * s + (j < blocks.count ? j : 0)) * minkeBlockBytes(format);
    return blocks;
}

INLINE OpenScales scalesOfRun(const int format, const bool wide, const RunBlocks *blocks) {
    return wide ? scalesOfWide(format, blocks->at[0]) : scalesOfNarrow(format, blocks->at, blocks->count);
}

/// Scales of eight rows, or what is taken off, with a row a lane: [sub-block]. Sub-blocks of 32 have one each.
INLINE void turnScales(const bool fine, const Sixteen rows[8], Eight turned[RunGroups]) {
    UNROLL for (int h = 0; h < (fine ? 2 : 1); h++) {
        __m256i v[8];
        UNROLL for (int r = 0; r < 8; r++) {
            Sixteen x = rows[r];
            v[r] = (__m256i)(fine ? h ? __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15)
                                      : __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7)
                                  : __builtin_shufflevector(x, x, 0, 2, 4, 6, 8, 10, 12, 14));
        }
        transpose8(v);
        UNROLL for (int j = 0; j < 8; j++) turned[8 * h + j] = (Eight)v[j];
    }
}

INLINE Eight largestOf(const Eight *x, const int count) {
    Eight top = {0};
    UNROLL for (int j = 0; j < count; j++) top = __builtin_elementwise_max(top, __builtin_elementwise_abs(x[j]));
    return top;
}

/// One over x, or zero.
INLINE Eight inverseOf(Eight x) { return (Eight)((Ints)(1 / x) & (x > 0)); }

INLINE __m256i roundedOf(Eight x) { return _mm256_cvtps_epi32((__m256)x); }

/// Two integers of 16 bits a lane.
INLINE __m256i pairOf(__m256i low, __m256i high) {
    return _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xAA);
}

/// The scales of eight rows in integers: value = scale·(factor·code − offset), such that sums of products with 256
/// activations fit 32 bits.
INLINE void packFactors(const int format, const bool wide, const RunBlocks *blocks, ByteRun *run, int v) {
    const bool fine = isFine(format), hasMinimum = zeroCode(format) == 0;
    const int count = fine ? 16 : 8, zero = (int)zeroCode(format);
    Sixteen scaleRows[8], offsetRows[8];
    UNROLL for (int r = 0; r < 8; r++) {
        OpenScales o = scalesOfRun(format, wide, &blocks[r]);
        scaleRows[r] = o.scales;
        offsetRows[r] = o.offsets;
    }
    Eight scales[RunGroups], offsets[RunGroups], unit;
    turnScales(fine, scaleRows, scales);
    if (hasMinimum) {
        const float topCode = pairsInWord(format) == 8 ? 15 : 31;
        turnScales(fine, offsetRows, offsets);
        Eight offset = largestOf(offsets, count);
        unit = __builtin_elementwise_max((largestOf(scales, count) * topCode + offset) / 64000, offset / 32767);
    } else {
        unit = largestOf(scales, count) / (float)(zero < 8 ? 4095 : 32767 / zero);
    }
    *(Eight *)(run->scales + 8 * v) = unit;
    Eight inverse = inverseOf(unit);
    __m256i factors[RunGroups];
    UNROLL for (int j = 0; j < count; j++) {
        factors[j] = roundedOf(scales[j] * inverse);
        _mm256_storeu_si256((__m256i *)run->factors[j][v], pairOf(factors[j], factors[j]));
    }
    UNROLL for (int j = 0; j < count / 2; j++) {
        __m256i pair;
        if (hasMinimum) pair = pairOf(roundedOf(offsets[2 * j] * inverse), roundedOf(offsets[2 * j + 1] * inverse));
        else pair = _mm256_mullo_epi16(pairOf(factors[2 * j], factors[2 * j + 1]), _mm256_set1_epi16((short)zero));
        _mm256_storeu_si256((__m256i *)run->offsets[j][v], pair);
    }
}

/// Where run s of weight rows n0 … lies; rows past the end are copies of the first, whose results nobody reads.
INLINE void findRows(const int format, const bool wide, const MinkeStored *w, int64_t n, int64_t n0, int64_t s,
                     RunBlocks blocks[8]) {
    for (int r = 0; r < 8; r++) blocks[r] = blocksOfRun(format, wide, w, n0 + r < n ? n0 + r : n - 1, s);
}

INLINE void packByteRun(const int format, const bool wide, const MinkeStored *w, int64_t n, int64_t n0, int64_t s,
                        ByteRun *run) {
    for (int v = 0; v < 4; v++) {
        RunBlocks blocks[8];
        findRows(format, wide, w, n, n0 + 8 * v, s, blocks);
        packFactors(format, wide, blocks, run, v);
        if (format == MinkeStoredQ4_K) {
            // Both nibbles of a byte belong to the same place of neighbouring sub-blocks.
            for (int j = 0; j < 8; j += 2) {
                __m256i bytes[8];
                UNROLL for (int r = 0; r < 8; r++)
                    bytes[r] = _mm256_loadu_si256((const __m256i *)(blocks[r].at[0] + 16 + 16 * j));
                transpose8(bytes);
                const __m256i mask = _mm256_set1_epi8(15);
                UNROLL for (int t = 0; t < 8; t++) {
                    _mm256_storeu_si256((__m256i *)run->codes[j][v / 2][t][v % 2], _mm256_and_si256(bytes[t], mask));
                    _mm256_storeu_si256((__m256i *)run->codes[j + 1][v / 2][t][v % 2],
                                        _mm256_and_si256(_mm256_srli_epi16(bytes[t], 4), mask));
                }
            }
            continue;
        }
        UNROLL for (int j = 0; j < 8; j++) {
            __m256i codes[8];
            UNROLL for (int r = 0; r < 8; r++) codes[r] = (__m256i)codesOf(format, blocks[r].at[j], j);
            transpose8(codes);
            UNROLL for (int t = 0; t < 8; t++)
                _mm256_storeu_si256((__m256i *)run->codes[j][v / 2][t][v % 2], codes[t]);
        }
    }
}

INLINE void packWordRun(const int format, const bool wide, const MinkeStored *w, int64_t n, int64_t n0, int64_t s,
                        WordRun *run) {
    // Bytes to the upper halves of words: the first two of each four, and the others.
    const __m256i first = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13));
    const __m256i second = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(-1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15));
    for (int v = 0; v < 4; v++) {
        RunBlocks blocks[8];
        findRows(format, wide, w, n, n0 + 8 * v, s, blocks);
        Sixteen scaleRows[8];
        UNROLL for (int r = 0; r < 8; r++) scaleRows[r] = scalesOfRun(format, wide, &blocks[r]).scales;
        Eight scales[RunGroups];
        turnScales(false, scaleRows, scales);
        Eight unit = largestOf(scales, 8) / TopWeight, inverse = inverseOf(unit);
        // Codes are multiplied with 2⁸·factor·2⁻¹⁵; activations count in bytes' units, of which words are finer.
        *(Eight *)(run->scales + 8 * v) = unit * (128.0f * TopByte / TopWord);
        UNROLL for (int j = 0; j < 8; j++) {
            __m256i factor = roundedOf(scales[j] * inverse), codes[8];
            factor = pairOf(factor, factor);
            UNROLL for (int r = 0; r < 8; r++) codes[r] = (__m256i)codesOf(format, blocks[r].at[j], j);
            transpose8(codes);
            UNROLL for (int t = 0; t < 8; t++) {
                int16_t *to = run->words[v / 2][16 * j + 2 * t][v % 2];
                _mm256_storeu_si256((__m256i *)to, _mm256_mulhrs_epi16(_mm256_shuffle_epi8(codes[t], first), factor));
                to = run->words[v / 2][16 * j + 2 * t + 1][v % 2];
                _mm256_storeu_si256((__m256i *)to, _mm256_mulhrs_epi16(_mm256_shuffle_epi8(codes[t], second), factor));
            }
        }
    }
}

#define PACK_FORMAT(name, wide, Run, pack)                                                                     \
    static __attribute__((noinline)) void packBytes##name(const MinkeStored *w, int64_t n, int64_t n0, void *panel) { \
        for (int64_t s = 0; s < runsOf(w->depth); s++) pack(MinkeStored##name, wide, w, n, n0, s, (Run *)panel + s);  \
    }
#define PACK_BYTES(name, wide) PACK_FORMAT(name, wide, ByteRun, packByteRun)
#define PACK_WORDS(name, wide) PACK_FORMAT(name, wide, WordRun, packWordRun)
PACK_BYTES(Q4_0, false) PACK_BYTES(Q4_1, false) PACK_BYTES(Q5_0, false) PACK_BYTES(Q5_1, false)
PACK_BYTES(MXFP4, false) PACK_BYTES(Q2_K, true) PACK_BYTES(Q3_K, true) PACK_BYTES(Q4_K, true) PACK_BYTES(Q5_K, true)
PACK_BYTES(Q6_K, true) PACK_WORDS(Q8_0, false) PACK_WORDS(IQ4_NL, false) PACK_WORDS(IQ4_XS, true)

/// Rows [n0, n0 + 32) of block-format weights as one panel of integers (bytePanelBytes); rows past `n` count nothing.
static void packBytes(const MinkeStored *w, int64_t n, int64_t n0, void *panel) {
    switch (w->format) {
#define CASE(name) case MinkeStored##name: packBytes##name(w, n, n0, panel); return;
    CASE(Q4_0) CASE(Q4_1) CASE(Q5_0) CASE(Q5_1) CASE(Q8_0) CASE(IQ4_NL) CASE(MXFP4) CASE(Q2_K) CASE(Q3_K) CASE(Q4_K)
    CASE(Q5_K) CASE(Q6_K) CASE(IQ4_XS)
#undef CASE
    }
}

INLINE __m256i fourAt(const void *at) { return _mm256_set1_epi32((int)*(const Word *)at); }

/// Adds to sums[row][16 columns of `half`] what one run gives.
INLINE void addRun(const __m256i integers[][2], const int rows, const float *weightScales, const float *scales,
                   int64_t scaleStride, float (*sums)[MinkePanelWidth]) {
    UNROLL for (int v = 0; v < 2; v++) {
        __m256 weight = _mm256_loadu_ps(weightScales + 8 * v);
        UNROLL for (int i = 0; i < rows; i++) {
            __m256 scale = _mm256_mul_ps(weight, _mm256_set1_ps(scales[i * scaleStride]));
            __m256 sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers[i][v]), scale, _mm256_loadu_ps(sums[i] + 8 * v));
            _mm256_storeu_ps(sums[i] + 8 * v, sum);
        }
    }
}

/// Rows of activations in one tile of bytes, and in one of words: their sums fill the registers.
enum { ByteTileRows = 4, WordTileRows = 6 };

INLINE void byteTile(const int pairs, const bool fine, const int rows, const ActivationRun *a, int64_t runs, int parts,
                     const ByteRun *run, const int half, const float *scales, int64_t scaleStride,
                     float (*sums)[MinkePanelWidth]) {
    // What is taken off comes first: sums may wrap, their difference does not.
    __m256i totals[ByteTileRows][2];
    UNROLL for (int i = 0; i < rows; i++) totals[i][0] = totals[i][1] = _mm256_setzero_si256();
    UNROLL for (int p = 0; p < (fine ? 8 : 4); p++)
        UNROLL for (int i = 0; i < rows; i++) {
            const ActivationRun *at = a + i * runs;
            __m256i pair = fourAt(fine ? at->fineSums + 2 * p : at->sums + 2 * p);
            UNROLL for (int v = 0; v < 2; v++) {
                __m256i offsets = _mm256_loadu_si256((const __m256i *)run->offsets[p][2 * half + v]);
                totals[i][v] = _mm256_sub_epi32(totals[i][v], _mm256_madd_epi16(offsets, pair));
            }
        }
    for (int j = 0; j < parts; j++) {
        __m256i partial[ByteTileRows][2];
        UNROLL for (int t = 0; t < 8; t++) {
            __m256i codes[2];
            UNROLL for (int v = 0; v < 2; v++) codes[v] = _mm256_loadu_si256((const __m256i *)run->codes[j][half][t][v]);
            UNROLL for (int i = 0; i < rows; i++) {
                __m256i left = fourAt(a[i * runs].bytes + 32 * j + 4 * t);
                UNROLL for (int v = 0; v < 2; v++) {
                    __m256i products = _mm256_maddubs_epi16(codes[v], left);
                    partial[i][v] = t % pairs == 0 ? products : _mm256_add_epi16(partial[i][v], products);
                    // Keeps the compiler from adding in trees, which need more registers than there are.
                    __asm__("" : "+x"(partial[i][v]));
                }
            }
            if (t % pairs == pairs - 1)
                UNROLL for (int v = 0; v < 2; v++) {
                    const __m256i *factor = (const __m256i *)run->factors[fine ? 2 * j + t / 4 : j][2 * half + v];
                    UNROLL for (int i = 0; i < rows; i++)
                        totals[i][v] = _mm256_add_epi32(
                            totals[i][v], _mm256_madd_epi16(partial[i][v], _mm256_loadu_si256(factor)));
                }
        }
    }
    addRun(totals, rows, run->scales + 16 * half, scales, scaleStride, sums);
}

INLINE void wordTile(const int rows, const ActivationRun *a, int64_t runs, int parts, const WordRun *run, int half,
                     const float *scales, int64_t scaleStride, float (*sums)[MinkePanelWidth]) {
    __m256i totals[WordTileRows][2];
    UNROLL for (int i = 0; i < rows; i++) totals[i][0] = totals[i][1] = _mm256_setzero_si256();
    for (int t = 0; t < 16 * parts; t++) {
        __m256i words[2];
        UNROLL for (int v = 0; v < 2; v++) words[v] = _mm256_loadu_si256((const __m256i *)run->words[half][t][v]);
        UNROLL for (int i = 0; i < rows; i++) {
            __m256i left = fourAt(a[i * runs].words + 2 * t);
            UNROLL for (int v = 0; v < 2; v++)
                totals[i][v] = _mm256_add_epi32(totals[i][v], _mm256_madd_epi16(words[v], left));
        }
    }
    addRun(totals, rows, run->scales + 16 * half, scales, scaleStride, sums);
}

/// Sub-blocks of 32 in run r.
INLINE int partsOf(int64_t depth, int64_t r) {
    int64_t left = (depth - r * RunDepth) / 32;
    return left < 8 ? (int)left : 8;
}

/// Adds one run of all depths to rows of sums, in tiles of nearly equal height.
#define RUN_KERNEL(name, Run, limit, tile)                                                                             \
    static __attribute__((noinline)) void name(const ActivationRun *a, int64_t runs, int count, int parts,            \
                                               const Run *run, const float *scales, int64_t scaleStride,              \
                                               float (*sums)[MinkePanelWidth]) {                                      \
        int tiles = (count + limit - 1) / limit;                                                                       \
        for (int t = 0; t < tiles; t++) {                                                                              \
            int row = count * t / tiles, rows = count * (t + 1) / tiles - row;                                         \
            for (int half = 0; half < 2; half++) {                                                                     \
                const ActivationRun *from = a + row * runs;                                                            \
                const float *factors = scales + row * scaleStride;                                                     \
                float (*to)[MinkePanelWidth] = (float (*)[MinkePanelWidth])(sums[row] + 16 * half);                    \
                switch (rows) { tile }                                                                                 \
            }                                                                                                          \
        }                                                                                                              \
    }
#define BYTE_CASE(pairs, fine, n)                                                                        \
    case n: byteTile(pairs, fine, n, from, runs, parts, run, half, factors, scaleStride, to); break;
#define BYTE_KERNEL(name, pairs, fine)                                                                  \
    RUN_KERNEL(name, ByteRun, ByteTileRows,                                                             \
               BYTE_CASE(pairs, fine, 1) BYTE_CASE(pairs, fine, 2) BYTE_CASE(pairs, fine, 3) BYTE_CASE(pairs, fine, 4))
#define WORD_CASE(n) case n: wordTile(n, from, runs, parts, run, half, factors, scaleStride, to); break;
BYTE_KERNEL(multiplyCoarse4, 8, false)
BYTE_KERNEL(multiplyCoarse5, 4, false)
BYTE_KERNEL(multiplyFine3, 4, true)
BYTE_KERNEL(multiplyFine6, 2, true)
RUN_KERNEL(multiplyWords, WordRun, WordTileRows,
           WORD_CASE(1) WORD_CASE(2) WORD_CASE(3) WORD_CASE(4) WORD_CASE(5) WORD_CASE(6))

static void multiplyRun(int32_t format, const ActivationRun *a, int64_t runs, int count, int parts, const void *panel,
                        int64_t r, const float *scales, int64_t scaleStride, float (*sums)[MinkePanelWidth]) {
    const ByteRun *run = (const ByteRun *)panel + r;
    if (isSigned(format)) multiplyWords(a, runs, count, parts, (const WordRun *)panel + r, scales, scaleStride, sums);
    else if (format == MinkeStoredQ6_K) multiplyFine6(a, runs, count, parts, run, scales, scaleStride, sums);
    else if (isFine(format)) multiplyFine3(a, runs, count, parts, run, scales, scaleStride, sums);
    else if (pairsInWord(format) == 8) multiplyCoarse4(a, runs, count, parts, run, scales, scaleStride, sums);
    else multiplyCoarse5(a, runs, count, parts, run, scales, scaleStride, sums);
}

/// out[row][0 ..< columns] = x[row]·panel (+ base) for quantised rows [row0, row1), columns at most 32.
static void productBytes(const uint8_t *codes, const float *scales, int32_t format, int64_t depth, int64_t row0,
                         int64_t row1, const void *panel, int64_t columns, float *out, int64_t outStride,
                         const float *base, int64_t baseStride) {
    // As many rows as stay in the first-level cache beside one run of the panel, in whole tiles.
    enum { RowsAtOnce = 8 * ByteTileRows, WordRowsAtOnce = 2 * WordTileRows };
    const int64_t most = isSigned(format) ? WordRowsAtOnce : RowsAtOnce;
    const int64_t runs = runsOf(depth), blocks = minkeByteBlocks(depth);
    for (int64_t row = row0, count; row < row1; row += count) {
        count = row1 - row < most ? row1 - row : most;
        float sums[RowsAtOnce][MinkePanelWidth];
        memset(sums, 0, (size_t)count * sizeof sums[0]);
        for (int64_t r = 0; r < runs; r++)
            multiplyRun(format, (const ActivationRun *)codes + row * runs + r, runs, (int)count, partsOf(depth, r), panel,
                        r, scales + row * blocks + r, blocks, sums);
        for (int64_t i = 0; i < count; i++) {
            float *to = out + (row + i) * outStride;
            const float *from = base ? base + (row + i) * baseStride : 0;
            if (columns == MinkePanelWidth)
                UNROLL for (int c = 0; c < MinkePanelWidth; c += WIDTH) {
                    Floats sum = *(const Floats *)(sums[i] + c);
                    *(Floats *)(to + c) = from ? sum + *(const Floats *)(from + c) : sum;
                }
            else
                for (int64_t c = 0; c < columns; c++) to[c] = sums[i][c] + (from ? from[c] : 0);
        }
    }
}

#pragma clang diagnostic pop
