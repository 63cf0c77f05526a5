// The CPU kernels of Minke: single-threaded functions over ranges, one table of them per instruction set.
//
// A caller splits the work (rows, panels, heads) over its own threads; every output element is computed by one call
// with one order of summation, so results do not depend on how the work was split.
//
// Element types: 0 = float, 1 = bfloat16 (stored as uint16_t). Strides count elements. Rows are contiguous.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MinkeFloat32 = 0, MinkeBFloat16 = 1 };

/// Columns of a packed panel of the right-hand operand.
enum { MinkePanelWidth = 32 };
/// Rows of a strip of the left-hand operand where its sums are kept in vectors, and the rows that a packed strip has room
/// for: a word's rows fill one cache line, so that packing stores whole lines.
enum { MinkeStripHeight = 14, MinkeStripStride = 16 };

/// What a product does with its result.
enum {
    MinkeStoreFloat32 = 0,  ///< out (float) = A·B
    MinkeAddFloat32 = 1,    ///< out (float) = base + A·B; base may be out itself
    MinkeStoreBFloat16 = 2, ///< out (bfloat16) = A·B
};

/// One matrix product out[M,N] = A[M,K]·B[K,N], B packed into panels of 32 columns.
///
/// Packed panels hold `words`: for float one value, for bfloat16 the pair of values of depths 2k and 2k+1, so a panel
/// is [ceil(K/2)][32][2]; missing depths and columns are zero.
typedef struct {
    int64_t rows, columns, depth;
    const void *a;            ///< row-major [M,K], stride aStride; or packed strips (see outer)
    int64_t aStride;
    const int32_t *aRows;     ///< optional: row m of A is row aRows[m] of `a`
    const void *b;            ///< packed panels
    void *out;                ///< row-major [M,N]
    int64_t outStride;
    const float *base;        ///< for MinkeAddFloat32
    int64_t baseStride;
    int32_t mode;
    int32_t aIsPacked;        ///< A is packed strips of `stripHeight` rows, of packStrips
} MinkeProduct;

/// Depths whose codes share a scale, in products of codes.
enum { MinkeCodeBlock = 128 };
/// Bytes of a code: of 8 bits, or of 13.
enum { MinkeCodes8 = 1, MinkeCodes13 = 2 };

/// One product out[M,N] = A[M,K]·B[K,N] of codes: both sides quantised, with a scale for each MinkeCodeBlock depths of a
/// row of A and of a column of B.
typedef struct {
    int64_t columns, depth;
    int32_t width;            ///< bytes of a code
    const void *a;            ///< quantizeCodeRows, rows aRowBytes apart; or panels of packCodeColumns
    int64_t aRowBytes;
    const float *aScales;     ///< minkeCodeBlocks(depth) of every row; packed codes bring their own
    int32_t aIsPacked;
    const void *b;            ///< panels of codes
    void *out;                ///< row-major [M,N]
    int64_t outStride;
    const float *base;        ///< for MinkeAddFloat32
    int64_t baseStride;
    int32_t mode;
} MinkeCodeProduct;

/// Blocked causal attention of one head over one sequence.
///
/// There are `tokens` keys and a query for each from `firstQuery` on; query t attends to keys 0...t. A key is the concatenation of its own part (`k`, width keyWidth) and a part shared by
/// all heads (`kShared`, width sharedWidth, may be null with width 0); queries are keyWidth + sharedWidth wide.
typedef struct {
    int64_t tokens, firstQuery, keyWidth, sharedWidth, valueWidth;
    int32_t type;             ///< element type of q, k, kShared, v, out and their gradients
    float scale;
    const void *q;
    int64_t qStride;
    const void *k;
    int64_t kStride;
    const void *kShared;
    int64_t kSharedStride;
    const void *v;
    int64_t vStride;
    void *out;
    int64_t outStride;
    float *logSumExp;         ///< one value a query
    // Gradients (backward only, with firstQuery 0).
    const void *dOut;
    int64_t dOutStride;
    void *dQ;
    int64_t dQStride;
    void *dK;
    int64_t dKStride;
    float *dKShared;          ///< this head's own [tokens, sharedWidth]; the caller sums the heads
    void *dV;
    int64_t dVStride;
    void *scratch;            ///< minkeAttentionScratch bytes, 64-byte aligned
} MinkeAttention;

/// Queries that are attended to together, as lanes of vectors.
enum { MinkeLanes = 16 };
/// Cached rows that are attended to in one piece: fixed, so that results do not depend on how the work was split; small
/// enough that many cores find work in a short cache.
enum { MinkeCacheChunk = 256 };
/// Rows are read in groups of eight: memory must be there for that many, and for 64 elements after the last.
enum { MinkeCacheRowStep = 8, MinkeCacheSlack = 64 };
/// Values of an 8-bit row that share one scale.
enum { MinkeCacheGroup = 64 };

/// Sixteen absorbed queries over one chunk of the rows that they all share.
typedef struct {
    const void *rows;         ///< keys; their first `rank` values are also the values
    int32_t type;             ///< of the rows
    int64_t stride, width, rank; ///< bfloat16: stride is even, and an odd width is followed by a zero
    int64_t first, count;     ///< the chunk's first row, counted from the sequence's, and its rows
    float scale;
    const void *queries;      ///< packLanes in the rows' type
    const int32_t *limits;    ///< [16]: a lane sees the sequence's rows before this one
    float *mixed;             ///< [16][minkeMixedColumns(rank)], Σ exp(score − top)·value
    float *top, *sum;         ///< [16]
} MinkeLatentChunk;

/// How experts are chosen and weighted.
typedef struct {
    int64_t experts, topK, groups, topGroups;
    int32_t sigmoid;          ///< 1: sigmoid scores (V3), 0: softmax scores (V2)
    int32_t groupByTopTwo;    ///< 1: a group's score is the sum of its two best choices (V3), 0: its best (V2)
    int32_t normalize;        ///< weights are divided by their sum
    float scale;
} MinkeRouting;

/// Hyper-parameters of one AdamW update; the bias corrections are 1 - beta^step.
typedef struct {
    float rate, beta1, beta2, epsilon, decay, correction1, correction2, gradientScale;
} MinkeAdamW;

/// Rows of stored weights, see minke_blocks.h: W[N, depth].
typedef struct {
    int32_t format;
    const void *data;         ///< row 0, at any alignment
    int64_t rowBytes;
    int64_t depth;
    const float *scales;      ///< E4M3: factors of blocks of 128 × 128; else null
    int64_t scaleStride;
    int64_t firstRow;         ///< row 0's number within the scaled matrix
} MinkeStored;

typedef struct {
    const char *name;

    // Matrix products.
    void (*productFloat32)(const MinkeProduct *, int64_t row0, int64_t row1, int64_t panel0, int64_t panel1);
    void (*productBFloat16)(const MinkeProduct *, int64_t row0, int64_t row1, int64_t panel0, int64_t panel1);
    /// Panels [panel0, panel1) of B from W[N,K] (a weight: y = x·Wᵀ): B[k][n] = W[n][k].
    void (*packTransposed)(const void *w, int32_t type, int64_t stride, int64_t n, int64_t k, void *panels,
                           int32_t panelType, int64_t panel0, int64_t panel1);
    /// Panels [panel0, panel1) of B from X[K,N]: B[k][n] = X[k][n]. rows: optional gather of the K rows.
    void (*packDirect)(const void *x, int32_t type, int64_t stride, const int32_t *rows, int64_t n, int64_t k,
                       void *panels, int32_t panelType, int64_t panel0, int64_t panel1);
    /// Strips [strip0, strip1) of A = Yᵀ from Y[K,M]: strips of balanced height, see minkeStripStart.
    void (*packStrips)(const void *y, int32_t type, int64_t stride, const int32_t *rows, int64_t m, int64_t k,
                       void *strips, int32_t stripType, int64_t strip0, int64_t strip1);

    // Products of codes, see code_product.h; `width` is the bytes of a code.
    void (*multiplyCodes)(const MinkeCodeProduct *, int64_t row0, int64_t row1, int64_t panel0, int64_t panel1);
    /// Rows [row0, row1) of x as codes (bytes are 128 too large), with minkeCodeBlocks(depth) scales each.
    void (*quantizeCodeRows)(const void *x, int32_t type, int64_t stride, int64_t depth, int32_t width, void *codes,
                             int64_t codeStride, float *scales, int64_t row0, int64_t row1);
    /// Panels [panel0, panel1) of B from X[K,N], or of the packed left operand Xᵀ.
    void (*packCodeColumns)(const void *x, int32_t type, int64_t stride, int64_t n, int64_t k, int32_t width,
                            void *panels, bool isLeft, int64_t panel0, int64_t panel1);
    /// Rows [row0, row1) of a weight, row0 a multiple of MinkeCodeBlock, as signed codes; one scale for 128 × 128.
    void (*quantizeCodeWeight)(const float *w, int64_t stride, int64_t k, int32_t width, void *codes,
                               int64_t codeStride, float *scales, int64_t row0, int64_t row1);
    /// Panels of Wᵀ (for y = x·Wᵀ) and of W (for dx = dy·W) from the codes of W[N,K].
    void (*packCodeTransposed)(const void *codes, int64_t codeStride, const float *scales, int64_t n, int64_t k,
                               int32_t width, void *panels, int64_t panel0, int64_t panel1);
    void (*packCodeDirect)(const void *codes, int64_t codeStride, const float *scales, int64_t n, int64_t k,
                           int32_t width, void *panels, int64_t panel0, int64_t panel1);
    /// Whether there are dot products of codes, so that these products are faster than those of floats.
    bool hasCodeDots;

    // Element-wise and row-wise.
    void (*convert)(const void *x, int32_t xType, void *y, int32_t yType, int64_t count);
    void (*accumulate)(const void *x, int32_t xType, float *y, int64_t count);
    void (*scale)(float *x, float factor, int64_t count);
    double (*sumOfSquares)(const float *x, int64_t count);
    void (*addBias)(void *x, int32_t type, int64_t stride, const float *bias, int64_t rows, int64_t columns);
    void (*sumRows)(const void *x, int32_t type, int64_t stride, float *sums, int64_t rows, int64_t columns);
    void (*normForward)(const void *x, int32_t xType, int64_t xStride, const float *weight, float epsilon, void *y,
                        int32_t yType, int64_t yStride, float *inverseRMS, int64_t rows, int64_t columns);
    void (*normBackward)(const void *dy, int32_t dyType, int64_t dyStride, const void *x, int32_t xType,
                         int64_t xStride, const float *weight, const float *inverseRMS, void *dx, int32_t dxType,
                         int64_t dxStride, bool add, float *dWeight, int64_t rows, int64_t columns);
    void (*swigluForward)(const void *gateUp, int32_t type, int64_t stride, void *y, int64_t yStride, int64_t rows,
                          int64_t width);
    void (*swigluBackward)(const void *gateUp, int32_t type, int64_t stride, const void *dy, int64_t dyStride,
                           void *dGateUp, int64_t dStride, int64_t rows, int64_t width);
    void (*squaredReLUForward)(const void *x, int32_t type, int64_t stride, void *y, int64_t yStride, int64_t rows,
                               int64_t width);
    void (*squaredReLUBackward)(const void *x, int32_t type, int64_t stride, const void *dy, int64_t dyStride, void *dx,
                                int64_t dStride, int64_t rows, int64_t width);
    /// z = cap·tanh(z/cap) in place; slopes (optional) = 1 − tanh²(z/cap).
    void (*softcap)(float *z, float cap, float *slopes, int64_t count);
    /// x *= factors
    void (*multiply)(void *x, int32_t type, const float *factors, int64_t count);
    /// x += row·scale
    void (*addScaled)(void *x, int32_t type, const float *row, float scale, int64_t count);
    /// Rotates `heads` slices of `width` values, `headStride` apart, of each row in place; direction -1 rotates back.
    void (*rotate)(void *x, int32_t type, int64_t stride, const int32_t *positions, const float *cosines,
                   const float *sines, int64_t heads, int64_t headStride, int64_t width, bool interleaved,
                   float direction, int64_t rows);

    // Cross-entropy over rows of logits (float, overwritten).
    void (*crossEntropy)(float *logits, int64_t stride, const int32_t *targets, float *losses, void *dLogits,
                         int32_t dType, int64_t dStride, float gradientScale, int64_t rows, int64_t columns);

    // Routing.
    void (*route)(const MinkeRouting *, const float *logits, const float *bias, float *scores, int32_t *experts,
                  float *weights, int64_t rows);
    void (*routeBackward)(const MinkeRouting *, const float *scores, const int32_t *experts, const float *weights,
                          const float *dWeights, const float *balance, float *dLogits, int64_t rows);
    /// out[t] = base[t] + Σ_j weights[t,j]·y[slots[t,j]]
    void (*combineForward)(const void *y, int32_t type, const int32_t *slots, const float *weights, int64_t topK,
                           const float *base, float *out, int64_t columns, int64_t row0, int64_t row1);
    void (*combineBackward)(const float *dOut, const void *y, int32_t type, const int32_t *slots, const float *weights,
                            int64_t topK, void *dy, float *dWeights, int64_t columns, int64_t row0, int64_t row1);
    /// dx[t] (+)= Σ_j d[slots[t,j]], in `xType`.
    void (*gatherSum)(const void *d, int32_t type, const int32_t *slots, int64_t topK, void *dx, int32_t xType,
                      bool add, int64_t columns, int64_t row0, int64_t row1);

    // Attention.
    void (*attentionForward)(const MinkeAttention *);
    void (*attentionBackward)(const MinkeAttention *);
    /// One query over `cached` rows (at most MinkeCacheChunk), `cacheStride` apart. Keys are the first `width` values of
    /// a row, values the `valueWidth` from `valueOffset` on. mixed = Σ exp(score − top)·value.
    void (*decodeAttention)(const float *q, int64_t width, const void *cache, int32_t cacheType, int64_t cacheStride,
                            int64_t cached, int64_t valueOffset, int64_t valueWidth, float scale, float *mixed,
                            float *top, float *sum);
    /// Up to 16 queries, `stride` apart, as [words][16] of `type`.
    void (*packLanes)(const float *q, int64_t stride, int64_t lanes, int64_t width, void *packed, int32_t type);
    void (*attendLatents)(const MinkeLatentChunk *);
    /// One query's chunks brought together: out = Σ exp(top − max)·mixed / Σ exp(top − max)·sum.
    void (*mergeChunks)(const float *mixed, int64_t mixedStride, const float *tops, const float *sums,
                        int64_t sumStride, int64_t chunks, int64_t width, float *out);
    /// `count` values as bytes, and a scale for each MinkeCacheGroup of them.
    void (*quantizeRow)(const void *x, int32_t type, int64_t count, int8_t *values, float *scales);
    void (*dequantizeRow)(const int8_t *values, const float *scales, int64_t count, void *x, int32_t type);

    // Products with stored weights.
    /// Quantises rows [row0, row1) of x to minkeActivationBytes each, for dotStored.
    void (*quantizeActivations)(const float *x, int64_t stride, int64_t depth, void *out, int64_t row0, int64_t row1);
    /// out[i][n] = w[n]·x[i] (+ base[i][n]) for weight rows [n0, n1) and m rows of activations; in integers where
    /// `activations` (rows quantised before) is given and the format has such a kernel, else in float.
    void (*dotStored)(const MinkeStored *, int64_t n0, int64_t n1, const float *x, int64_t xStride,
                      const void *activations, int64_t m, float *out, int64_t outStride, const float *base,
                      int64_t baseStride);
    /// One panel of Wᵀ from rows [n0, n0 + 32) of n, in float or bfloat16.
    void (*packStored)(const MinkeStored *, int64_t n, int64_t n0, void *panel, int32_t panelType);
    /// Products of blocks in integers, null where the processor has no instructions that make them pay: activations and
    /// panels of 32 weight rows are brought to integers with scales, in layouts that the instruction set chooses.
    int64_t (*byteRowBytes)(int64_t depth);
    int64_t (*bytePanelBytes)(int32_t format, int64_t depth);
    /// Rows [row0, row1) of x, byteRowBytes each, with minkeByteBlocks scales each.
    void (*quantizeRows)(const float *x, int64_t stride, int64_t depth, uint8_t *codes, float *scales, int64_t row0,
                         int64_t row1);
    void (*packBytes)(const MinkeStored *, int64_t n, int64_t n0, void *panel);
    /// `format` is that of the panel's weights.
    void (*productBytes)(const uint8_t *codes, const float *scales, int32_t format, int64_t depth, int64_t row0,
                         int64_t row1, const void *panel, int64_t columns, float *out, int64_t outStride,
                         const float *base, int64_t baseStride);

    // Optimiser.
    /// The moments m and v are of type `moments`.
    void (*adamW)(float *w, const float *g, void *m, void *v, int32_t moments, const MinkeAdamW *, int64_t count);
    /// b = momentum·b + g·gradientScale; d = g·gradientScale + momentum·b. Returns nothing; d may alias nothing.
    void (*nesterov)(float *b, const float *g, float *d, float momentum, float gradientScale, int64_t count);
    /// y = alpha·x + beta·y
    void (*axpby)(const float *x, float *y, float alpha, float beta, int64_t count);

    // Measured peaks: floating-point operations done by `repeats` rounds of register-only work.
    double (*peakFloat32)(int64_t repeats);
    double (*peakBFloat16)(int64_t repeats);
    double (*peakBytes)(int64_t repeats); ///< null where products of blocks in integers are
    /// Whether there are dot products of bfloat16, so that panels of it are faster than panels of float.
    bool hasBFloat16Dots;
    int64_t stripHeight; ///< rows of a packed strip
} MinkeKernels;

/// The kernels in force: the best the processor has, or those that MINKE_ISA names.
const MinkeKernels *minkeKernels(void);
/// Kernels by name ("avx512amx", "avx512bf16", "avx512vnni", "avx512", "avx2", "neon", "portable"); null if unknown or not supported here.
const MinkeKernels *minkeKernelsNamed(const char *name);
/// The name at `index` among those this processor supports, best first; null past the end.
const char *minkeSupportedISA(int index);
/// 1 if MINKE_ISA names something unknown or unsupported (the default is then in force), else 0.
int minkeISARequestFailed(void);

/// Processors that this process may run on.
int minkeCoreCount(void);

/// Has all threads that come allocate from one heap, where the C library would give each its own.
void minkeShareHeap(void);

/// Gives whole pages that are free within the C library's heap back to the system, where the library can.
void minkeTrimHeap(void);

/// Words of depth K: K for float, ceil(K/2) for bfloat16.
static inline int64_t minkeWords(int64_t depth, int32_t type) { return type == MinkeBFloat16 ? (depth + 1) / 2 : depth; }
/// Bytes of B[K,N] as packed panels.
static inline int64_t minkePanelBytes(int64_t depth, int64_t columns, int32_t type) {
    return (columns + 31) / 32 * 32 * minkeWords(depth, type) * 4;
}
/// Strips of at most `height` rows, the table's `stripHeight`.
static inline int64_t minkeStripCount(int64_t rows, int64_t height) { return (rows + height - 1) / height; }
/// First row of strip s: of whole strips as wide as their words are stored, of lower ones of nearly equal height.
static inline int64_t minkeStripStart(int64_t rows, int64_t s, int64_t height) {
    if (height < MinkeStripStride) return rows * s / minkeStripCount(rows, height);
    return s * height < rows ? s * height : rows;
}
/// Bytes of A[M,K] as packed strips.
static inline int64_t minkeStripBytes(int64_t depth, int64_t rows, int32_t type, int64_t height) {
    return minkeStripCount(rows, height) * MinkeStripStride * minkeWords(depth, type) * 4;
}
/// Columns of what mixing values of width `rank` writes.
static inline int64_t minkeMixedColumns(int64_t rank) { return (rank + 31) / 32 * 32; }
/// Bytes of scratch that attention over `tokens` keys needs, forward only or backward as well.
int64_t minkeAttentionScratch(int64_t tokens, int64_t keyWidth, int64_t sharedWidth, int64_t valueWidth,
                              bool backward);

/// Runs of 32 in one row of activations quantised for dotStored, padded to whole blocks of 256.
static inline int64_t minkeActivationRuns(int64_t depth) { return (depth + 255) / 256 * 8; }
/// Bytes of such a row: codes, scale and scaled sum of every run of 32 is kept per 16.
static inline int64_t minkeActivationBytes(int64_t depth) { return minkeActivationRuns(depth) * (32 + 16); }
/// Depths for which rows in integers have room for a scale, and how many such blocks a depth has.
enum { MinkeByteBlock = 128 };
static inline int64_t minkeByteBlocks(int64_t depth) { return (depth + MinkeByteBlock - 1) / MinkeByteBlock; }

static inline int64_t minkeCodeBlocks(int64_t depth) { return (depth + MinkeCodeBlock - 1) / MinkeCodeBlock; }
/// Bytes of a row of codes: whole words.
static inline int64_t minkeCodeRowBytes(int64_t depth, int32_t width) { return (depth * width + 3) / 4 * 4; }
/// Bytes of one panel of MinkePanelWidth columns: words of codes, and per block of depths a correction and a scale for
/// each column.
static inline int64_t minkeCodePanelBytes(int64_t depth, int32_t width) {
    return (minkeCodeRowBytes(depth, width) + minkeCodeBlocks(depth) * 8) * MinkePanelWidth;
}

/// Tells the processor that this thread is spinning.
static inline void minkeRelax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#ifdef __cplusplus
}
#endif
