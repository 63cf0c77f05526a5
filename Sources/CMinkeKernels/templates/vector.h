// Vectors of WIDTH floats and the conversions that every template shares. Included once per instruction set.

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../include/minke_kernels.h"

#define INLINE static inline __attribute__((always_inline))
/// Lets sums be vectorised: their order is fixed by the instruction set, not by the source.
#define REASSOCIATE _Pragma("clang fp reassociate(on) contract(fast)")

typedef float Floats __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));
typedef uint32_t Words __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));
typedef uint16_t Halves __attribute__((vector_size(WIDTH * 2), aligned(2), may_alias));
/// One packed word, whatever it was written as; bfloat16 rows of odd length start at any even address.
typedef uint32_t Word __attribute__((aligned(2), may_alias));
typedef float WordAsFloat __attribute__((may_alias));

INLINE float floatOfBits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

INLINE uint32_t bitsOfFloat(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

INLINE float widen(uint16_t x) { return floatOfBits((uint32_t)x << 16); }

/// Rounds to nearest, ties to even; NaN stays NaN.
INLINE uint16_t narrow(float x) {
    uint32_t bits = bitsOfFloat(x);
    uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    return (uint16_t)(x != x ? 0x7FC0 : rounded);
}

INLINE Halves narrowVector(Floats x) {
#if HAS_BF16
    return (Halves)_mm512_cvtneps_pbh((__m512)x);
#else
    Words bits = (Words)x;
    Words rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    Words unordered = (Words)(x != x);
    return __builtin_convertvector((rounded & ~unordered) | (0x7FC0 & unordered), Halves);
#endif
}

INLINE float load(const void *p, int64_t i, const int type) {
    return type == MinkeBFloat16 ? widen(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

INLINE void store(void *p, int64_t i, const int type, float x) {
    if (type == MinkeBFloat16) ((uint16_t *)p)[i] = narrow(x);
    else ((float *)p)[i] = x;
}

INLINE void *advanced(const void *p, int64_t elements, int32_t type) {
    return (char *)p + elements * (type == MinkeBFloat16 ? 2 : 4);
}

/// WIDTH elements from `i` on.
INLINE Floats loadVector(const void *p, int64_t i, const int type) {
    if (type == MinkeFloat32) return *(const Floats *)((const float *)p + i);
    return (Floats)(__builtin_convertvector(*(const Halves *)((const uint16_t *)p + i), Words) << 16);
}

INLINE void storeVector(void *p, int64_t i, const int type, Floats x) {
    if (type == MinkeFloat32) *(Floats *)((float *)p + i) = x;
    else *(Halves *)((uint16_t *)p + i) = narrowVector(x);
}

/// Elements from `i` on of `count`: WIDTH of them, or those that there are, then zeros.
INLINE Floats loadUpTo(const void *p, int64_t i, int64_t count, const int type) {
    if (i + WIDTH <= count) return loadVector(p, i, type);
    float part[WIDTH] = {0};
    for (int64_t k = i; k < count; k++) part[k - i] = load(p, k, type);
    return *(const Floats *)part;
}

/// Stores the elements of `x` that belong to the first `count`.
INLINE void storeUpTo(void *p, int64_t i, int64_t count, const int type, Floats x) {
    if (i + WIDTH <= count) return storeVector(p, i, type, x);
    // Narrowed as whole vectors are, so that no element's bits depend on where in a row it stands.
    char part[sizeof x];
    storeVector(part, 0, type, x);
    if (count > i) memcpy(advanced(p, i, type), part, (size_t)(count - i) * (type == MinkeBFloat16 ? 2 : 4));
}

/// Runs the last argument with `name` a constant equal to the run-time type, so that its loops specialise.
#define WITH_TYPE(type, name, ...)                      \
    do {                                                \
        if ((type) == MinkeBFloat16) {                  \
            enum { name = MinkeBFloat16 };              \
            __VA_ARGS__;                                \
        } else {                                        \
            enum { name = MinkeFloat32 };               \
            __VA_ARGS__;                                \
        }                                               \
    } while (0)

/// eˣ to about 1e-7 relative, without branches: 2ⁿ·p(r), r in ±ln2/2.
INLINE float exponential(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
    float r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * floatOfBits((uint32_t)((int32_t)n + 127) << 23);
}

INLINE float logistic(float x) { return 1.0f / (1.0f + exponential(-x)); }

/// Elements of `a` where the mask's are set, of `b` elsewhere.
INLINE Floats selected(Ints mask, Floats a, Floats b) { return (Floats)(((Ints)a & mask) | ((Ints)b & ~mask)); }

/// `exponential` of a vector. NaN stays NaN, which the built-in maximum would drop.
INLINE Floats exponentials(Floats x) {
    const Floats low = (Floats){0} - 87.0f, high = (Floats){0} + 88.0f;
    x = selected((Ints)(x < low), low, x);
    x = selected((Ints)(x > high), high, x);
    Floats n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
    Floats r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    Floats p = (Floats){0} + 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * (Floats)((__builtin_convertvector(n, Ints) + 127) << 23);
}

INLINE Floats logistics(Floats x) { return 1.0f / (1.0f + exponentials(-x)); }

/// The greatest of `count` values and `least`, which is no NaN; values that are count for nothing. Written with vectors:
/// compilers keep the order of comparisons that may meet NaN.
INLINE float greatestOf(const float *x, int64_t count, float least) {
    Floats tops = (Floats){0} + least, others = tops;
    int64_t i = 0;
    for (; i + 2 * WIDTH <= count; i += 2 * WIDTH) {
        tops = __builtin_elementwise_max(tops, *(const Floats *)(x + i));
        others = __builtin_elementwise_max(others, *(const Floats *)(x + i + WIDTH));
    }
    float top = __builtin_reduce_max(__builtin_elementwise_max(tops, others));
    for (; i < count; i++) top = x[i] > top ? x[i] : top;
    return top;
}

INLINE float sumOf(Floats x) {
    REASSOCIATE
    float sum = 0;
    for (int i = 0; i < WIDTH; i++) sum += x[i];
    return sum;
}

/// The first `count` elements; zeros for the rest, whatever stood there.
INLINE Floats firstOf(Floats x, int64_t count) {
    static const int32_t numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    if (count >= WIDTH) return x;
    return (Floats)((Ints)x & (Ints)(*(const Ints *)numbers < (int32_t)count));
}
