// Integer dot products of every block format, made from dotFormat of stored_dot.h or stored_codes_dot.h.

#define DOT_FORMAT(name, wide)                                                        \
    static __attribute__((noinline)) void dot##name(const MinkeStored *w, int64_t n, const Activations *a, int rows, \
                                                    float *sums) {                    \
        switch (rows) {                                                               \
        case 1: dotFormat(MinkeStored##name, wide, 1, w, n, a, sums); break;          \
        case 2: dotFormat(MinkeStored##name, wide, 2, w, n, a, sums); break;          \
        case 3: dotFormat(MinkeStored##name, wide, 3, w, n, a, sums); break;          \
        default: dotFormat(MinkeStored##name, wide, 4, w, n, a, sums);                \
        }                                                                             \
    }
DOT_FORMAT(Q4_0, false) DOT_FORMAT(Q4_1, false) DOT_FORMAT(Q5_0, false) DOT_FORMAT(Q5_1, false)
DOT_FORMAT(Q8_0, false) DOT_FORMAT(IQ4_NL, false) DOT_FORMAT(MXFP4, false) DOT_FORMAT(Q2_K, true)
DOT_FORMAT(Q3_K, true) DOT_FORMAT(Q4_K, true) DOT_FORMAT(Q5_K, true) DOT_FORMAT(Q6_K, true) DOT_FORMAT(IQ4_XS, true)

/// sums[i] = w[n]·x[first + i] for `rows` quantised rows of activations; false for formats without blocks.
static bool dotBlocks(const MinkeStored *w, int64_t n, const void *activations, int64_t first, int rows, float *sums) {
    Activations a[DotRows];
    for (int i = 0; i < rows; i++) a[i] = activationsAt(activations, w->depth, first + i);
    switch (w->format) {
#define CASE(name) case MinkeStored##name: dot##name(w, n, a, rows, sums); return true;
    CASE(Q4_0) CASE(Q4_1) CASE(Q5_0) CASE(Q5_1) CASE(Q8_0) CASE(IQ4_NL) CASE(MXFP4) CASE(Q2_K) CASE(Q3_K) CASE(Q4_K)
    CASE(Q5_K) CASE(Q6_K) CASE(IQ4_XS)
#undef CASE
    default: return false;
    }
}
