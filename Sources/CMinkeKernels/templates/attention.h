// Blocked causal attention of one head: no T×T matrix, softmax renormalised block by block
// (FlashAttention-2, arXiv 2307.08691), with different widths of keys and values.

enum { KeyBlock = 256 };
/// Queries of a block, and those that see the same keys: rows that are multiplied together.
#if HAS_AMX
enum { QueryBlock = 64, CausalRows = BlockRows };
#else
enum { QueryBlock = 56, CausalRows = MinkeStripHeight };
#endif

/// The type of everything inside: bfloat16 is multiplied as such only where that is fast.
INLINE int32_t innerType(int32_t type) { return HAS_BF16_DOT || HAS_AMX ? type : MinkeFloat32; }

/// Where the parts of the scratch memory lie.
typedef struct {
    int32_t type;         // of what is packed and of weights
    int64_t width, words; // of a query or key
    float *keys;          // panels of Kᵀ: B[width][T]
    float *values;        // forward: panels of V: B[T][valueWidth]; backward: panels of Vᵀ: B[valueWidth][T]
    float *keyRows;       // panels of K: B[T][width]
    float *queryRows;     // panels of Q: B[T][width]
    float *gradRows;      // panels of dO: B[T][valueWidth]
    float *dKeys, *dValues, *delta;
    float *scores, *dScores;    // [QueryBlock][KeyBlock]
    void *weights, *dWeights;   // the same in the inner type
    void *weightStrips, *dWeightStrips;
    float *rows;                // [QueryBlock][max(width, valueWidth)]
    void *queryBlock, *gradBlock; // the block's queries and gradients in the inner type, where that is another
    float *top, *sum;           // [QueryBlock]
} AttentionScratch;

INLINE int64_t roundedUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// Lays the scratch out.
static void layOut(AttentionScratch *s, const MinkeAttention *p, bool backward) {
    int64_t tokens = p->tokens, width = p->keyWidth + p->sharedWidth, valueWidth = p->valueWidth, used = 0;
    char *base = p->scratch;
    s->type = innerType(p->type);
    s->words = minkeWords(p->keyWidth, s->type) + minkeWords(p->sharedWidth, s->type);
    int64_t t = roundedUp(tokens, 32), w = roundedUp(width, 32), v = roundedUp(valueWidth, 32);
    int64_t b = backward ? t : 0;
    int64_t strip = minkeStripBytes(QueryBlock, KeyBlock, MinkeFloat32, StripHeight) / 4;
    struct { void **at; int64_t floats; } parts[] = {
        {(void **)&s->keys, t * w}, {(void **)&s->values, t * v}, {(void **)&s->keyRows, b * w},
        {(void **)&s->queryRows, b * w}, {(void **)&s->gradRows, b * v}, {(void **)&s->dKeys, b * width},
        {(void **)&s->dValues, b * valueWidth}, {(void **)&s->delta, b}, {(void **)&s->scores, QueryBlock * KeyBlock},
        {(void **)&s->dScores, QueryBlock * KeyBlock}, {&s->weights, QueryBlock * KeyBlock},
        {&s->dWeights, QueryBlock * KeyBlock}, {&s->weightStrips, strip}, {&s->dWeightStrips, strip},
        {(void **)&s->rows, QueryBlock * (w > v ? w : v)}, {&s->queryBlock, QueryBlock * w}, {&s->gradBlock, QueryBlock * v}, {(void **)&s->top, QueryBlock}, {(void **)&s->sum, QueryBlock}};
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].at = base + used;
        used += roundedUp(parts[i].floats * 4, 64);
    }
    s->width = width;
}

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/// Panels of Kᵀ from a head's own part and the shared part.
static void packKeys(const MinkeAttention *p, AttentionScratch *s) {
    int64_t panels = (p->tokens + 31) / 32;
    packTransposedInto(p->k, p->type, p->kStride, p->tokens, p->keyWidth, s->keys, s->type, s->words, 0, 0, panels);
    if (p->sharedWidth)
        packTransposedInto(p->kShared, p->type, p->kSharedStride, p->tokens, p->sharedWidth, s->keys, s->type, s->words,
                           minkeWords(p->keyWidth, s->type), 0, panels);
}

/// A block's rows as left operand: where they lie, or brought to the inner type in `block`. Returns their first.
static const void *leftRows(const MinkeAttention *p, const AttentionScratch *s, const void *rows, int64_t *stride,
                            int64_t first, int64_t count, int64_t width, void *block) {
    const void *from = advanced(rows, (first - p->firstQuery) * *stride, p->type);
    if (s->type == p->type) return from;
    for (int64_t r = 0; r < count; r++)
        convert(advanced(from, r * *stride, p->type), p->type, advanced(block, r * width, s->type), s->type, width);
    *stride = width;
    return block;
}

/// scores[0..<rows][keys j0..<end] = left·Bᵀ, end growing with the row: strips of queries see no key after their own.
static void multiplyCausal(int32_t type, const void *left, int64_t leftStride, const float *panels,
                           int64_t words, int64_t depth, int64_t i0, int64_t rows, int64_t j0, float *out) {
    int64_t size = type == MinkeBFloat16 ? 2 : 4;
    Block block = {.a = left, .aRowBytes = leftStride * size, .aWordBytes = 4,
                   .b = (const char *)panels + j0 / 32 * words * MinkePanelWidth * 4,
                   .panelBytes = words * MinkePanelWidth * 4, .words = words,
                   .half = type == MinkeBFloat16 && depth % 2 != 0, .out = out, .outStride = KeyBlock,
                   .mode = MinkeStoreFloat32, .columns = KeyBlock};
    for (int64_t r = 0; r < rows; r += CausalRows) {
        int64_t end = smaller(r + CausalRows, rows);
        int64_t last = smaller(i0 + end, j0 + KeyBlock);
        if (last > j0) multiplyRows(&block, type, r, end, 0, (last - j0 + 31) / 32);
    }
}

/// out[0..<rows] += left[:, 0..<keys]·B with the depth of B starting at key j0; later keys than a strip sees are skipped.
static void mixCausal(const MinkeAttention *p, int32_t type, const void *left, const float *panels, int64_t columns,
                      int64_t i0, int64_t rows, int64_t j0, float *out) {
    int64_t size = type == MinkeBFloat16 ? 2 : 4, perWord = type == MinkeBFloat16 ? 2 : 1;
    int64_t panelWords = minkeWords(p->tokens, type);
    Block block = {.a = left, .aRowBytes = KeyBlock * size, .aWordBytes = 4,
                   .b = (const char *)panels + j0 / perWord * MinkePanelWidth * 4,
                   .panelBytes = panelWords * MinkePanelWidth * 4, .out = out, .outStride = columns, .base = out,
                   .baseStride = columns, .mode = MinkeAddFloat32, .columns = columns};
    for (int64_t r = 0; r < rows; r += CausalRows) {
        int64_t end = smaller(r + CausalRows, rows);
        int64_t keys = smaller(smaller(i0 + end, j0 + KeyBlock), p->tokens) - j0;
        if (keys <= 0) continue;
        block.words = minkeWords(keys, type);
        multiplyRows(&block, type, r, end, 0, (columns + 31) / 32);
    }
}

/// Width to which a row of weights is filled so that whole words and whole strips of it may be read.
INLINE int64_t filledWidth(int64_t i0, int64_t rows, int64_t r, int64_t j0, int64_t j1) {
    int64_t last = smaller(i0 + smaller(r / CausalRows * CausalRows + CausalRows, rows), j1);
    return smaller(roundedUp(last - j0, 2), KeyBlock);
}

INLINE void softmaxBlock(const int T, AttentionScratch *s, float scale, int64_t i0, int64_t rows, int64_t j0,
                         int64_t j1, int64_t valueWidth) {
    REASSOCIATE
    for (int64_t r = 0; r < rows; r++) {
        float *z = s->scores + r * KeyBlock;
        void *w = advanced(s->weights, r * KeyBlock, T);
        int64_t seen = smaller(i0 + r + 1, j1) - j0, filled = filledWidth(i0, rows, r, j0, j1);
        float before = s->top[r], top = greatestOf(z, seen, -INFINITY) * scale; // the scale is above 0
        top = top > before ? top : before;
        Floats sums = {0};
        int64_t i = 0;
        for (; i < seen; i += WIDTH) {
            Floats e = firstOf(exponentials(loadVector(z, i, MinkeFloat32) * scale - top), seen - i);
            storeVector(w, i, T, e);
            sums = sums + e;
        }
        for (; i < filled; i += WIDTH) storeVector(w, i, T, (Floats){0});
        float shrink = exponential(before - top);
        s->sum[r] = s->sum[r] * shrink + sumOf(sums);
        s->top[r] = top;
        if (j0 > 0 && top > before)
            for (int64_t i = 0; i < valueWidth; i++) s->rows[r * valueWidth + i] *= shrink;
    }
}

static void attentionForward(const MinkeAttention *p) {
    AttentionScratch s;
    layOut(&s, p, false);
    packKeys(p, &s);
    packDirect(p->v, p->type, p->vStride, 0, p->valueWidth, p->tokens, s.values, s.type, 0, (p->valueWidth + 31) / 32);
    for (int64_t i0 = p->firstQuery; i0 < p->tokens; i0 += QueryBlock) {
        int64_t rows = smaller(QueryBlock, p->tokens - i0);
        for (int64_t r = 0; r < rows; r++) {
            s.top[r] = -1e30f;
            s.sum[r] = 0;
        }
        memset(s.rows, 0, (size_t)(rows * p->valueWidth) * 4);
        int64_t qStride = p->qStride;
        const void *q = leftRows(p, &s, p->q, &qStride, i0, rows, s.width, s.queryBlock);
        for (int64_t j0 = 0; j0 < i0 + rows; j0 += KeyBlock) {
            int64_t j1 = smaller(j0 + KeyBlock, i0 + rows);
            multiplyCausal(s.type, q, qStride, s.keys, s.words, s.width, i0, rows, j0, s.scores);
            WITH_TYPE(s.type, T, softmaxBlock(T, &s, p->scale, i0, rows, j0, j1, p->valueWidth));
            mixCausal(p, s.type, s.weights, s.values, p->valueWidth, i0, rows, j0, s.rows);
        }
        for (int64_t r = 0; r < rows; r++) {
            float inverse = 1.0f / s.sum[r];
            p->logSumExp[i0 - p->firstQuery + r] = s.top[r] + logf(s.sum[r]);
            void *to = advanced(p->out, (i0 - p->firstQuery + r) * p->outStride, p->type);
            WITH_TYPE(p->type, T, {
                for (int64_t i = 0; i < p->valueWidth; i++) store(to, i, T, s.rows[r * p->valueWidth + i] * inverse);
            });
        }
    }
    releaseTiles();
}

/// P = exp(S·scale − logSumExp), dS = P ⊙ (dP − delta)·scale, both in the inner type.
INLINE void softmaxBackwardBlock(const int T, const MinkeAttention *p, AttentionScratch *s, int64_t i0, int64_t rows,
                                 int64_t j0, int64_t j1) {
    for (int64_t r = 0; r < rows; r++) {
        const float *z = s->scores + r * KeyBlock, *d = s->dScores + r * KeyBlock;
        void *w = advanced(s->weights, r * KeyBlock, T), *dw = advanced(s->dWeights, r * KeyBlock, T);
        int64_t seen = smaller(i0 + r + 1, j1) - j0, i = 0;
        float offset = p->logSumExp[i0 + r], delta = s->delta[i0 + r], scale = p->scale;
        for (; i < seen; i += WIDTH) {
            Floats e = exponentials(loadVector(z, i, MinkeFloat32) * scale - offset);
            Floats de = e * (loadVector(d, i, MinkeFloat32) - delta) * scale;
            storeVector(w, i, T, firstOf(e, seen - i));
            storeVector(dw, i, T, firstOf(de, seen - i));
        }
        for (; i < j1 - j0; i += WIDTH) {
            storeVector(w, i, T, (Floats){0});
            storeVector(dw, i, T, (Floats){0});
        }
    }
}

/// sums[keys j0..<j1] += leftᵀ·B over the queries of one block.
static void accumulateKeys(const MinkeAttention *p, int32_t type, const void *left, void *strips, const float *panels,
                           int64_t columns, int64_t i0, int64_t rows, int64_t j0, int64_t j1, float *sums) {
    int64_t keys = j1 - j0, count = minkeStripCount(keys, StripHeight), perWord = type == MinkeBFloat16 ? 2 : 1;
    packStrips(left, type, KeyBlock, 0, keys, rows, strips, type, 0, count);
    Block block = {.a = strips, .aWordBytes = MinkeStripStride * 4,
                   .b = (const char *)panels + i0 / perWord * MinkePanelWidth * 4,
                   .panelBytes = minkeWords(p->tokens, type) * MinkePanelWidth * 4,
                   .words = minkeWords(rows, type), .out = sums + j0 * columns, .outStride = columns,
                   .base = sums + j0 * columns, .baseStride = columns, .mode = MinkeAddFloat32, .columns = columns};
    multiplyStrips(&block, type, keys, 0, count, 0, (columns + 31) / 32);
}

static void attentionBackward(const MinkeAttention *p) {
    AttentionScratch s;
    int64_t width = p->keyWidth + p->sharedWidth, tokens = p->tokens, valueWidth = p->valueWidth;
    layOut(&s, p, true);
    packKeys(p, &s);
    int64_t valueWords = minkeWords(valueWidth, s.type);
    packTransposedInto(p->v, p->type, p->vStride, tokens, valueWidth, s.values, s.type, valueWords, 0, 0,
                       (tokens + 31) / 32);
    packDirect(p->q, p->type, p->qStride, 0, width, tokens, s.queryRows, s.type, 0, (width + 31) / 32);
    packDirect(p->dOut, p->type, p->dOutStride, 0, valueWidth, tokens, s.gradRows, s.type, 0, (valueWidth + 31) / 32);
    // Whole keys as rows, for dQ: first brought together in dKeys' memory.
    for (int64_t t = 0; t < tokens; t++) {
        convert(advanced(p->k, t * p->kStride, p->type), p->type, s.dKeys + t * width, MinkeFloat32, p->keyWidth);
        if (p->sharedWidth)
            convert(advanced(p->kShared, t * p->kSharedStride, p->type), p->type, s.dKeys + t * width + p->keyWidth,
                    MinkeFloat32, p->sharedWidth);
    }
    packDirect(s.dKeys, MinkeFloat32, width, 0, width, tokens, s.keyRows, s.type, 0, (width + 31) / 32);
    memset(s.dKeys, 0, (size_t)(tokens * width) * 4);
    memset(s.dValues, 0, (size_t)(tokens * valueWidth) * 4);
    for (int64_t t = 0; t < tokens; t++) {
        REASSOCIATE
        const void *o = advanced(p->out, t * p->outStride, p->type), *d = advanced(p->dOut, t * p->dOutStride, p->type);
        float dot = 0;
        WITH_TYPE(p->type, T, {
            for (int64_t i = 0; i < valueWidth; i++) dot += load(o, i, T) * load(d, i, T);
        });
        s.delta[t] = dot;
    }
    for (int64_t i0 = 0; i0 < tokens; i0 += QueryBlock) {
        int64_t rows = smaller(QueryBlock, tokens - i0);
        memset(s.rows, 0, (size_t)(rows * width) * 4);
        int64_t qStride = p->qStride, dStride = p->dOutStride;
        const void *q = leftRows(p, &s, p->q, &qStride, i0, rows, width, s.queryBlock);
        const void *d = leftRows(p, &s, p->dOut, &dStride, i0, rows, valueWidth, s.gradBlock);
        for (int64_t j0 = 0; j0 < i0 + rows; j0 += KeyBlock) {
            int64_t j1 = smaller(j0 + KeyBlock, i0 + rows);
            multiplyCausal(s.type, q, qStride, s.keys, s.words, width, i0, rows, j0, s.scores);
            multiplyCausal(s.type, d, dStride, s.values, valueWords, valueWidth, i0, rows, j0, s.dScores);
            WITH_TYPE(s.type, T, softmaxBackwardBlock(T, p, &s, i0, rows, j0, j1));
            mixCausal(p, s.type, s.dWeights, s.keyRows, width, i0, rows, j0, s.rows);
            accumulateKeys(p, s.type, s.dWeights, s.dWeightStrips, s.queryRows, width, i0, rows, j0, j1, s.dKeys);
            accumulateKeys(p, s.type, s.weights, s.weightStrips, s.gradRows, valueWidth, i0, rows, j0, j1, s.dValues);
        }
        for (int64_t r = 0; r < rows; r++)
            convert(s.rows + r * width, MinkeFloat32, advanced(p->dQ, (i0 + r) * p->dQStride, p->type), p->type, width);
    }
    for (int64_t t = 0; t < tokens; t++) {
        convert(s.dKeys + t * width, MinkeFloat32, advanced(p->dK, t * p->dKStride, p->type), p->type, p->keyWidth);
        if (p->sharedWidth)
            memcpy(p->dKShared + t * p->sharedWidth, s.dKeys + t * width + p->keyWidth, (size_t)p->sharedWidth * 4);
        convert(s.dValues + t * valueWidth, MinkeFloat32, advanced(p->dV, t * p->dVStride, p->type), p->type, valueWidth);
    }
    releaseTiles();
}

// One query over a chunk of cached rows. Multi-head attention: each head has keys and values of its own.
static void decodeAttention(const float *q, int64_t width, const void *cache, int32_t cacheType, int64_t cacheStride,
                            int64_t cached, int64_t valueOffset, int64_t valueWidth, float scale, float *mixed,
                            float *top, float *sum) {
    REASSOCIATE
    float scores[MinkeCacheChunk], highest = -1e30f, total = 0;
    WITH_TYPE(cacheType, C, {
        for (int64_t t = 0; t < cached; t++) {
            const void *row = advanced(cache, t * cacheStride, C);
            float dot = 0;
            for (int64_t i = 0; i < width; i++) dot += q[i] * load(row, i, C);
            scores[t] = dot * scale;
        }
        highest = greatestOf(scores, cached, highest);
        for (int64_t t = 0; t < cached; t++) total += scores[t] = exponential(scores[t] - highest);
        memset(mixed, 0, (size_t)valueWidth * 4);
        for (int64_t t = 0; t < cached; t++) {
            const void *row = advanced(cache, t * cacheStride + valueOffset, C);
            for (int64_t i = 0; i < valueWidth; i++) mixed[i] += scores[t] * load(row, i, C);
        }
    });
    *top = highest;
    *sum = total;
}
