// Integer dot products of every block format, made from dotFormat of stored_dot.h or stored_codes_dot.h.

/// Where products go: out[i][n] for row i of the activations and row n of the weights, plus base[i][n] if there is one.
typedef struct {
    float *out;
    int64_t outStride;
    const float *base;
    int64_t baseStride;
} DotTarget;

INLINE void dotRange(const int format, const bool wide, const int rows, const MinkeStored *w, int64_t n0, int64_t n1,
                     const Activations *a, const DotTarget *to) {
    for (int64_t n = n0; n < n1; n++) {
        float sums[DotRows];
        dotFormat(format, wide, rows, w, n, a, sums);
        UNROLL for (int i = 0; i < rows; i++)
            to->out[i * to->outStride + n] = sums[i] + (to->base ? to->base[i * to->baseStride + n] : 0);
    }
}

#define DOT_FORMAT(name, wide)                                                                               \
    static __attribute__((noinline)) void dot##name(const MinkeStored *w, int64_t n0, int64_t n1,            \
                                                    const Activations *a, int rows, const DotTarget *to) {   \
        switch (rows) {                                                                                      \
        case 1: dotRange(MinkeStored##name, wide, 1, w, n0, n1, a, to); break;                               \
        case 2: dotRange(MinkeStored##name, wide, 2, w, n0, n1, a, to); break;                               \
        case 3: dotRange(MinkeStored##name, wide, 3, w, n0, n1, a, to); break;                               \
        case 4: dotRange(MinkeStored##name, wide, 4, w, n0, n1, a, to); break;                               \
        default: if (DotRows > 4) dotRange(MinkeStored##name, wide, DotRows, w, n0, n1, a, to);              \
        }                                                                                                    \
    }
DOT_FORMAT(Q4_0, false) DOT_FORMAT(Q4_1, false) DOT_FORMAT(Q5_0, false) DOT_FORMAT(Q5_1, false)
DOT_FORMAT(Q8_0, false) DOT_FORMAT(IQ4_NL, false) DOT_FORMAT(MXFP4, false) DOT_FORMAT(Q2_K, true)
DOT_FORMAT(Q3_K, true) DOT_FORMAT(Q4_K, true) DOT_FORMAT(Q5_K, true) DOT_FORMAT(Q6_K, true) DOT_FORMAT(IQ4_XS, true)

/// Products of weight rows [n0, n1) with `rows` quantised rows of activations from `first` on; false for formats
/// without blocks.
static bool dotBlocks(const MinkeStored *w, int64_t n0, int64_t n1, const void *activations, int64_t first, int rows,
                      const DotTarget *to) {
    Activations a[DotRows];
    for (int i = 0; i < rows; i++) a[i] = activationsAt(activations, w->depth, first + i);
    switch (w->format) {
#define CASE(name) case MinkeStored##name: dot##name(w, n0, n1, a, rows, to); return true;
    CASE(Q4_0) CASE(Q4_1) CASE(Q5_0) CASE(Q5_1) CASE(Q8_0) CASE(IQ4_NL) CASE(MXFP4) CASE(Q2_K) CASE(Q3_K) CASE(Q4_K)
    CASE(Q5_K) CASE(Q6_K) CASE(IQ4_XS)
#undef CASE
    default: return false;
    }
}
