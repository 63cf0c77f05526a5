// Blocks opened for integer work (AVX-512 VNNI), and dot products of one row of blocks with a few rows of activations.
//
// Every block format is brought to one shape, 256 weights at a time: unsigned codes, and for each 16 of them a scale s
// and an offset c with value = s·code − c. A dot product is then Σ s·(Σ code·a) − c·Σa.

#include <immintrin.h>

typedef struct {
    __m512i codes[4];
    __m512 scales, offsets; // one lane per 16 weights
} OpenBlock;

/// What codes of a format mean: value = s·(code − zero), or with a minimum of its own.
typedef struct {
    int zero, top; // zero point; largest code
    bool hasMinimum;
} CodeRange;

INLINE CodeRange codeRange(const int format) {
    switch (format) {
    case MinkeStoredQ4_0: return (CodeRange){8, 15, false};
    case MinkeStoredQ4_1: case MinkeStoredQ4_K: return (CodeRange){0, 15, true};
    case MinkeStoredQ5_0: return (CodeRange){16, 31, false};
    case MinkeStoredQ5_1: case MinkeStoredQ5_K: return (CodeRange){0, 31, true};
    case MinkeStoredQ2_K: return (CodeRange){0, 3, true};
    case MinkeStoredQ3_K: return (CodeRange){4, 7, false};
    case MinkeStoredQ6_K: return (CodeRange){32, 63, false};
    case MinkeStoredMXFP4: return (CodeRange){12, 24, false};
    default: return (CodeRange){128, 255, false}; // Q8_0 and the tables of IQ4
    }
}

/// 64 codes out of 32 bytes: those in the low `bits`, shifted by `low`, then those shifted by `high`.
INLINE __m512i splitBytes(const uint8_t *at, const int low, const int high, const int mask) {
    __m512i bytes = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)at));
    __m512i shifts = _mm512_inserti64x4(_mm512_set1_epi16((short)low), _mm256_set1_epi16((short)high), 1);
    return _mm512_and_si512(_mm512_srlv_epi16(bytes, shifts), _mm512_set1_epi8((char)mask));
}

/// 64 codes out of the nibbles of two blocks of 16 bytes: low nibbles first within each.
INLINE __m512i nibblesOfPair(const uint8_t *first, const uint8_t *second) {
    __m256i a = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)first));
    __m256i b = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)second));
    __m512i shifts = _mm512_set_epi64(0x0004000400040004, 0x0004000400040004, 0, 0, 0x0004000400040004,
                                      0x0004000400040004, 0, 0);
    __m512i bytes = _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
    return _mm512_and_si512(_mm512_srlv_epi16(bytes, shifts), _mm512_set1_epi8(15));
}

/// Adds 16 to the codes, below 16, whose bit is set. The compiler joins the last step with the mask before it.
INLINE __m512i withFifthBits(__m512i codes, uint64_t bits) {
    return _mm512_or_si512(codes, _mm512_maskz_mov_epi8(bits, _mm512_set1_epi8(16)));
}

/// The bits `low` of 32 bytes, then the bits `high`.
INLINE uint64_t bitsOfBytes(const uint8_t *at, const int low, const int high) {
    __m512i bytes = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)at));
    __m512i test = _mm512_inserti64x4(_mm512_set1_epi8((char)(1 << low)), _mm256_set1_epi8((char)(1 << high)), 1);
    return _mm512_test_epi8_mask(bytes, test);
}

/// Every lane of eight twice.
INLINE __m512 doubled(__m256 x) {
    __m512i index = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    return _mm512_permutexvar_ps(index, _mm512_castps256_ps512(x));
}

INLINE __m512 halfAt(const uint8_t *at) { return _mm512_set1_ps(_mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits16(at))))); }

INLINE __m256 eightBytes(uint32_t low, uint32_t high) {
    __m128i bytes = _mm_cvtsi64_si128((int64_t)((uint64_t)high << 32 | low));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

/// The scales of eight sub-blocks of Q4_K or Q5_K in units of `unit`, and their minima.
INLINE void openScalesOfK(const uint8_t *b, __m256 unit, __m256 *scales, __m256 *minima) {
    uint32_t u0 = bits32(b + 4), u1 = bits32(b + 8), u2 = bits32(b + 12);
    *scales = _mm256_mul_ps(unit, eightBytes(u0 & 0x3F3F3F3F, (u2 & 0x0F0F0F0F) | (u0 >> 6 & 0x03030303) << 4));
    *minima = _mm256_mul_ps(_mm512_castps512_ps256(halfAt(b + 2)),
                            eightBytes(u1 & 0x3F3F3F3F, (u2 >> 4 & 0x0F0F0F0F) | (u1 >> 6 & 0x03030303) << 4));
}

/// Table values plus the zero point, for _mm512_shuffle_epi8.
INLINE __m512i nonlinearCodes(__m512i nibbles) {
    __m128i table = _mm_setr_epi8(1, 24, 45, 63, 79, 93, 106, 118, (char)129, (char)141, (char)153, (char)166, (char)181,
                                  (char)197, (char)217, (char)241);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), nibbles);
}

INLINE __m512i floatCodes(__m512i nibbles) {
    __m128i table = _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), nibbles);
}

/// One block of 256 weights of the K formats and IQ4_XS.
INLINE OpenBlock openWideBlock(const int format, const uint8_t *b) {
    OpenBlock o;
    if (format == MinkeStoredQ4_K || format == MinkeStoredQ5_K) {
        __m256 scales, minima;
        openScalesOfK(b, _mm512_castps512_ps256(halfAt(b)), &scales, &minima);
        o.scales = doubled(scales);
        o.offsets = doubled(minima);
        const uint8_t *q = b + (format == MinkeStoredQ4_K ? 16 : 48);
        UNROLL for (int k = 0; k < 4; k++) {
            o.codes[k] = splitBytes(q + 32 * k, 0, 4, 15);
            if (format == MinkeStoredQ5_K) o.codes[k] = withFifthBits(o.codes[k], bitsOfBytes(b + 16, 2 * k, 2 * k + 1));
        }
    } else if (format == MinkeStoredQ6_K) {
        __m512i scales = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(b + 192)));
        o.scales = _mm512_mul_ps(halfAt(b + 208), _mm512_cvtepi32_ps(scales));
        o.offsets = _mm512_mul_ps(o.scales, _mm512_set1_ps(32));
        UNROLL for (int n = 0; n < 2; n++) {
            __m512i low = _mm512_loadu_si512(b + 64 * n), mask = _mm512_set1_epi8(15);
            const uint8_t *high = b + 128 + 32 * n;
            o.codes[2 * n] = _mm512_or_si512(_mm512_and_si512(low, mask), _mm512_slli_epi16(splitBytes(high, 0, 2, 3), 4));
            o.codes[2 * n + 1] = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(low, 4), mask),
                                                 _mm512_slli_epi16(splitBytes(high, 4, 6, 3), 4));
        }
    } else if (format == MinkeStoredQ2_K) {
        __m128i s = _mm_loadu_si128((const __m128i *)b);
        __m512i scales = _mm512_cvtepu8_epi32(_mm_and_si128(s, _mm_set1_epi8(15)));
        __m512i minima = _mm512_cvtepu8_epi32(_mm_and_si128(_mm_srli_epi16(s, 4), _mm_set1_epi8(15)));
        o.scales = _mm512_mul_ps(halfAt(b + 80), _mm512_cvtepi32_ps(scales));
        o.offsets = _mm512_mul_ps(halfAt(b + 82), _mm512_cvtepi32_ps(minima));
        UNROLL for (int n = 0; n < 2; n++) {
            o.codes[2 * n] = splitBytes(b + 16 + 32 * n, 0, 2, 3);
            o.codes[2 * n + 1] = splitBytes(b + 16 + 32 * n, 4, 6, 3);
        }
    } else if (format == MinkeStoredQ3_K) {
        uint32_t u0 = bits32(b + 96), u1 = bits32(b + 100), u2 = bits32(b + 104);
        uint32_t s[4] = {(u0 & 0x0F0F0F0F) | (u2 & 0x03030303) << 4, (u1 & 0x0F0F0F0F) | (u2 >> 2 & 0x03030303) << 4,
                         (u0 >> 4 & 0x0F0F0F0F) | (u2 >> 4 & 0x03030303) << 4,
                         (u1 >> 4 & 0x0F0F0F0F) | (u2 >> 6 & 0x03030303) << 4};
        __m512i scales = _mm512_cvtepu8_epi32(_mm_setr_epi32((int)s[0], (int)s[1], (int)s[2], (int)s[3]));
        o.scales = _mm512_mul_ps(halfAt(b + 108), _mm512_cvtepi32_ps(_mm512_sub_epi32(scales, _mm512_set1_epi32(32))));
        o.offsets = _mm512_mul_ps(o.scales, _mm512_set1_ps(4));
        UNROLL for (int k = 0; k < 4; k++) {
            __m512i codes = splitBytes(b + 32 + 32 * (k / 2), k % 2 * 4, k % 2 * 4 + 2, 3);
            o.codes[k] = _mm512_mask_add_epi8(codes, bitsOfBytes(b, 2 * k, 2 * k + 1), codes, _mm512_set1_epi8(4));
        }
    } else { // IQ4_XS
        uint32_t high = bits16(b + 2), low = bits32(b + 4);
        __m256i shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28), pairs = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
        __m256i s = _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32((int)low), shifts), _mm256_set1_epi32(15));
        __m256i t = _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32((int)high), pairs), _mm256_set1_epi32(3));
        s = _mm256_sub_epi32(_mm256_or_si256(s, _mm256_slli_epi32(t, 4)), _mm256_set1_epi32(32));
        o.scales = _mm512_mul_ps(halfAt(b), doubled(_mm256_cvtepi32_ps(s)));
        o.offsets = _mm512_mul_ps(o.scales, _mm512_set1_ps(128));
        UNROLL for (int k = 0; k < 4; k++) o.codes[k] = nonlinearCodes(nibblesOfPair(b + 8 + 32 * k, b + 24 + 32 * k));
    }
    return o;
}

/// `count` blocks of 32 weights, at most `slots` (even, a constant): missing ones get scale zero.
INLINE OpenBlock openNarrowBlocks(const int format, const uint8_t *b, const int slots, int64_t count) {
    const int bytes = format == MinkeStoredQ4_0 || format == MinkeStoredIQ4_NL ? 18
                      : format == MinkeStoredQ4_1                             ? 20
                      : format == MinkeStoredQ5_0                             ? 22
                      : format == MinkeStoredQ5_1                             ? 24
                      : format == MinkeStoredMXFP4                            ? 17
                                                                              : 34;
    const uint8_t *at[8];
    UNROLL for (int j = 0; j < 8; j++) at[j] = b + (j < count ? j : 0) * bytes;
    OpenBlock o;
    __m256 scales;
    if (format == MinkeStoredMXFP4) {
        float powers[8];
        UNROLL for (int j = 0; j < 8; j++) powers[j] = power(*at[j]);
        scales = _mm256_loadu_ps(powers);
    } else {
        scales = _mm256_cvtph_ps(_mm_setr_epi16((short)bits16(at[0]), (short)bits16(at[1]), (short)bits16(at[2]),
                                                (short)bits16(at[3]), (short)bits16(at[4]), (short)bits16(at[5]),
                                                (short)bits16(at[6]), (short)bits16(at[7])));
    }
    __mmask8 present = (__mmask8)((1u << count) - 1);
    o.scales = doubled(_mm256_maskz_mov_ps(present, scales));
    if (format == MinkeStoredQ4_1 || format == MinkeStoredQ5_1) {
        __m256 minima = _mm256_cvtph_ps(_mm_setr_epi16((short)bits16(at[0] + 2), (short)bits16(at[1] + 2),
                                                       (short)bits16(at[2] + 2), (short)bits16(at[3] + 2),
                                                       (short)bits16(at[4] + 2), (short)bits16(at[5] + 2),
                                                       (short)bits16(at[6] + 2), (short)bits16(at[7] + 2)));
        o.offsets = doubled(_mm256_maskz_sub_ps(present, _mm256_setzero_ps(), minima));
    } else {
        o.offsets = _mm512_mul_ps(o.scales, _mm512_set1_ps((float)codeRange(format).zero));
    }
    UNROLL for (int k = 0; k < 4; k++) {
        if (2 * k >= slots) {
            o.codes[k] = _mm512_setzero_si512();
            continue;
        }
        const uint8_t *first = at[2 * k], *second = at[2 * k + 1];
        switch (format) {
        case MinkeStoredQ4_0: o.codes[k] = nibblesOfPair(first + 2, second + 2); break;
        case MinkeStoredQ4_1: o.codes[k] = nibblesOfPair(first + 4, second + 4); break;
        case MinkeStoredIQ4_NL: o.codes[k] = nonlinearCodes(nibblesOfPair(first + 2, second + 2)); break;
        case MinkeStoredMXFP4: o.codes[k] = floatCodes(nibblesOfPair(first + 1, second + 1)); break;
        case MinkeStoredQ5_0:
            o.codes[k] = withFifthBits(nibblesOfPair(first + 6, second + 6),
                                       (uint64_t)bits32(second + 2) << 32 | bits32(first + 2));
            break;
        case MinkeStoredQ5_1:
            o.codes[k] = withFifthBits(nibblesOfPair(first + 8, second + 8),
                                       (uint64_t)bits32(second + 4) << 32 | bits32(first + 4));
            break;
        default: {
            __m256i low = _mm256_loadu_si256((const __m256i *)(first + 2));
            __m256i high = _mm256_loadu_si256((const __m256i *)(second + 2));
            o.codes[k] = _mm512_xor_si512(_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1),
                                          _mm512_set1_epi8((char)0x80));
        }
        }
    }
    return o;
}

INLINE bool isWide(const int format) { return minkeBlockElements(format) == 256; }

/// Weights 256·s … of a row that is `depth` long.
INLINE OpenBlock openBlock(const int format, const bool wide, const uint8_t *row, int64_t s, int64_t depth) {
    if (wide) return openWideBlock(format, row + s * minkeBlockBytes(format));
    int64_t left = depth / 32 - 8 * s;
    return openNarrowBlocks(format, row + 8 * s * minkeBlockBytes(format), 8, left < 8 ? left : 8);
}

/// The codes of a block turned so that a lane has the same 16 weights in all four vectors: lane 4q + k those of the group
/// 4k + q. Sums over a group then stay integers in their lane, and one conversion and one scale serve the whole block.
INLINE OpenBlock turned(OpenBlock o) {
    __m512i low01 = _mm512_unpacklo_epi32(o.codes[0], o.codes[1]), high01 = _mm512_unpackhi_epi32(o.codes[0], o.codes[1]);
    __m512i low23 = _mm512_unpacklo_epi32(o.codes[2], o.codes[3]), high23 = _mm512_unpackhi_epi32(o.codes[2], o.codes[3]);
    __m512i groups = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    return (OpenBlock){{_mm512_unpacklo_epi64(low01, low23), _mm512_unpackhi_epi64(low01, low23),
                        _mm512_unpacklo_epi64(high01, high23), _mm512_unpackhi_epi64(high01, high23)},
                       _mm512_permutexvar_ps(groups, o.scales),
                       _mm512_permutexvar_ps(groups, o.offsets)};
}

/// `turned(openWideBlock(MinkeStoredQ4_K, b))` with half the instructions for codes: bytes are brought to their lanes before they are
/// taken apart, and high nibbles stay where they are, with scales a sixteenth as large.
INLINE OpenBlock turnedQ4K(const uint8_t *b) {
    const float x = 1.0f / 16;
    __m256 scales, minima;
    openScalesOfK(b, _mm256_mul_ps(_mm512_castps512_ps256(halfAt(b)), _mm256_setr_ps(1, x, 1, x, 1, x, 1, x)), &scales,
                  &minima);
    __m512i subblocks = _mm512_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6, 1, 3, 5, 7, 1, 3, 5, 7);
    OpenBlock o = {.scales = _mm512_permutexvar_ps(subblocks, _mm512_castps256_ps512(scales)),
                   .offsets = _mm512_permutexvar_ps(subblocks, _mm512_castps256_ps512(minima))};
    __m512i first = _mm512_loadu_si512(b + 16), second = _mm512_loadu_si512(b + 80);
    __m512i mask = _mm512_inserti64x4(_mm512_set1_epi8(0x0F), _mm256_set1_epi8((char)0xF0), 1);
    UNROLL for (int v = 0; v < 4; v++) {
        __m512i places = _mm512_add_epi32(_mm512_setr_epi32(0, 8, 16, 24, 4, 12, 20, 28, 0, 8, 16, 24, 4, 12, 20, 28),
                                          _mm512_set1_epi32(v));
        o.codes[v] = _mm512_and_si512(_mm512_permutex2var_epi32(first, places, second), mask);
    }
    return o;
}

/// Adds the products of one block, opened and turned, whose missing weights have scale zero.
INLINE void addBlock(const int rows, OpenBlock o, const Activations *a, int64_t s, __m512 *sums) {
    UNROLL for (int i = 0; i < rows; i++) {
        const int8_t *codes = a[i].codes + 256 * s;
        __m512i dot = _mm512_setzero_si512();
        UNROLL for (int k = 0; k < 4; k++) dot = _mm512_dpbusd_epi32(dot, o.codes[k], _mm512_loadu_si512(codes + 64 * k));
        __m512 scales = _mm512_mul_ps(o.scales, _mm512_loadu_ps(a[i].scales + 16 * s));
        sums[i] = _mm512_fnmadd_ps(o.offsets, _mm512_loadu_ps(a[i].sums + 16 * s), sums[i]);
        sums[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scales, sums[i]);
    }
}

/// How far ahead of the block at hand weights are fetched: what memory delivers within its latency.
enum { FetchAhead = 4096 };

INLINE void dotFormat(const int format, const bool wide, const int rows, const MinkeStored *w, int64_t n,
                      const Activations *a, float *sums) {
    const uint8_t *row = (const uint8_t *)w->data + n * w->rowBytes;
    const int bytes = (int)(256 / minkeBlockElements(format) * minkeBlockBytes(format));
    __m512 parts[DotRows];
    UNROLL for (int i = 0; i < rows; i++) parts[i] = _mm512_setzero_ps();
    int64_t whole = w->depth / 256;
    for (int64_t s = 0; s < whole; s++) {
        UNROLL for (int line = 0; line < bytes; line += 64)
            _mm_prefetch((const char *)row + s * bytes + FetchAhead + line, _MM_HINT_T0);
        OpenBlock o = format == MinkeStoredQ4_K ? turnedQ4K(row + s * bytes)
                      : wide                    ? turned(openWideBlock(format, row + s * bytes))
                                                : turned(openNarrowBlocks(format, row + s * bytes, 8, 8));
        addBlock(rows, o, a, s, parts);
    }
    if (!wide) {
        // The rest of a row whose length is no multiple of 256.
        int64_t left = w->depth / 32 - 8 * whole;
        if (left > 0) addBlock(rows, turned(openNarrowBlocks(format, row + whole * bytes, 8, left)), a, whole, parts);
    }
    UNROLL for (int i = 0; i < rows; i++) sums[i] = _mm512_reduce_add_ps(parts[i]);
}
