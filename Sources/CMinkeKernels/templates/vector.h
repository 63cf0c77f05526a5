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
