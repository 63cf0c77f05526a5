// Blocks opened 32 weights at a time, in vectors that every instruction set has.
//
// As in stored_dot.h every format is value = s·code − c, with s and c for each 16 weights. Codes fit signed bytes: those
// that need the sign (Q8_0 and the tables of IQ4) have no c, all others are below 64 and never negative.

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi" // wide vectors are passed between inlined functions only

typedef int8_t Codes __attribute__((vector_size(32), aligned(1), may_alias));
typedef int8_t HalfCodes __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint8_t Bytes __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint8_t HalfBytes __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint8_t Octet __attribute__((vector_size(8), aligned(1), may_alias));
typedef float Eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef float Sixteen __attribute__((vector_size(64), aligned(4), may_alias));

/// What each 16 of 256 weights are scaled with, and what is taken off.
typedef struct {
    Sixteen scales, offsets;
} OpenScales;

INLINE bool isSigned(const int format) {
    return format == MinkeStoredQ8_0 || format == MinkeStoredIQ4_NL || format == MinkeStoredIQ4_XS;
}

/// Whether scales change every 16 weights instead of every 32.
INLINE bool isFine(const int format) {
    return format == MinkeStoredQ2_K || format == MinkeStoredQ3_K || format == MinkeStoredQ6_K;
}

/// The code of zero, for formats without minima.
INLINE float zeroCode(const int format) {
    switch (format) {
    case MinkeStoredQ4_0: return 8;
    case MinkeStoredQ5_0: return 16;
    case MinkeStoredQ3_K: return 4;
    case MinkeStoredQ6_K: return 32;
    case MinkeStoredMXFP4: return 12;
    default: return 0;
    }
}

/// 16 table entries chosen by 32 nibbles.
INLINE Codes lookUp(const int8_t *table, Bytes nibbles) {
#if HAS_MADD
    return (Codes)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table)),
                                      (__m256i)nibbles);
#elif HAS_NEON
    int8x16_t entries = vld1q_s8(table);
    Codes result;
    vst1q_s8((int8_t *)&result, vqtbl1q_s8(entries, vld1q_u8((const uint8_t *)&nibbles)));
    vst1q_s8((int8_t *)&result + 16, vqtbl1q_s8(entries, vld1q_u8((const uint8_t *)&nibbles + 16)));
    return result;
#else
    Codes result;
    for (int i = 0; i < 32; i++) result[i] = table[nibbles[i]];
    return result;
#endif
}

/// Low nibbles of 16 bytes, then the high ones.
INLINE Bytes nibblesAt(const uint8_t *at) {
    HalfBytes bytes = *(const HalfBytes *)at, low = bytes & 15, high = bytes >> 4;
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                                   21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
}

/// 16 for every bit of a word that is set.
INLINE Bytes fifthBits(uint32_t bits) {
    typedef uint32_t Copies __attribute__((vector_size(32)));
    Bytes word = (Bytes)((Copies){0} + bits);
    Bytes own = __builtin_shufflevector(word, word, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 18, 18, 18, 18, 18,
                                        18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19);
    const Bytes tests = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
                         1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    return (Bytes)((own & tests) == tests) & 16;
}

INLINE Bytes bytesAt(const uint8_t *at) { return *(const Bytes *)at; }

/// The codes of weights 32·j … of a block of 256, or of a block of 32 for the formats that have those.
INLINE Codes codesOf(const int format, const uint8_t *b, const int j) {
    static const int8_t shiftedFP4[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};
    const int n = j / 4, k = j % 4;
    switch (format) {
    case MinkeStoredQ4_0: return (Codes)nibblesAt(b + 2);
    case MinkeStoredQ4_1: return (Codes)nibblesAt(b + 4);
    case MinkeStoredQ5_0: return (Codes)(nibblesAt(b + 6) | fifthBits(bits32(b + 2)));
    case MinkeStoredQ5_1: return (Codes)(nibblesAt(b + 8) | fifthBits(bits32(b + 4)));
    case MinkeStoredIQ4_NL: return lookUp(nonlinear, nibblesAt(b + 2));
    case MinkeStoredIQ4_XS: return lookUp(nonlinear, nibblesAt(b + 8 + 16 * j));
    case MinkeStoredMXFP4: return lookUp(shiftedFP4, nibblesAt(b + 1));
    case MinkeStoredQ2_K: return (Codes)(bytesAt(b + 16 + 32 * n) >> 2 * k & 3);
    case MinkeStoredQ3_K:
        return (Codes)((bytesAt(b + 32 + 32 * n) >> 2 * k & 3) | (bytesAt(b) >> j & 1) << 2);
    case MinkeStoredQ4_K: return (Codes)(bytesAt(b + 16 + 32 * (j / 2)) >> 4 * (j % 2) & 15);
    case MinkeStoredQ5_K:
        return (Codes)((bytesAt(b + 48 + 32 * (j / 2)) >> 4 * (j % 2) & 15) | (bytesAt(b + 16) >> j & 1) << 4);
    case MinkeStoredQ6_K:
        return (Codes)((bytesAt(b + 64 * n + 32 * (k % 2)) >> 4 * (k / 2) & 15) |
                       (bytesAt(b + 128 + 32 * n) >> 2 * k & 3) << 4);
    default: return *(const Codes *)(b + 2); // Q8_0
    }
}

/// Every lane of eight twice.
INLINE Sixteen twice(Eight x) {
    return __builtin_shufflevector(x, x, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
}

INLINE Octet octet(uint32_t low, uint32_t high) {
    uint64_t bits = (uint64_t)high << 32 | low;
    Octet bytes;
    memcpy(&bytes, &bits, 8);
    return bytes;
}

/// The IEEE binary16 numbers `offset` bytes into eight blocks.
INLINE Eight halvesAt(const uint8_t *const at[8], int64_t offset) {
#if HAS_MADD
    // Put together in a register: reading what narrower stores wrote would wait for them.
    __m128i bits = _mm_cvtsi32_si128(bits16(at[0] + offset));
    bits = _mm_insert_epi16(bits, bits16(at[1] + offset), 1);
    bits = _mm_insert_epi16(bits, bits16(at[2] + offset), 2);
    bits = _mm_insert_epi16(bits, bits16(at[3] + offset), 3);
    bits = _mm_insert_epi16(bits, bits16(at[4] + offset), 4);
    bits = _mm_insert_epi16(bits, bits16(at[5] + offset), 5);
    bits = _mm_insert_epi16(bits, bits16(at[6] + offset), 6);
    bits = _mm_insert_epi16(bits, bits16(at[7] + offset), 7);
    return (Eight)_mm256_cvtph_ps(bits);
#else
    Eight result;
#if HAS_NEON
    uint16_t bits[8];
    for (int j = 0; j < 8; j++) bits[j] = bits16(at[j] + offset);
    vst1q_f32((float *)&result, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(bits))));
    vst1q_f32((float *)&result + 4, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(bits + 4))));
#else
    for (int j = 0; j < 8; j++) result[j] = half(at[j] + offset);
#endif
    return result;
#endif
}

INLINE OpenScales scalesOfWide(const int format, const uint8_t *b) {
    OpenScales o;
    if (format == MinkeStoredQ4_K || format == MinkeStoredQ5_K) {
        uint32_t u0 = bits32(b + 4), u1 = bits32(b + 8), u2 = bits32(b + 12);
        Octet scales = octet(u0 & 0x3F3F3F3F, (u2 & 0x0F0F0F0F) | (u0 >> 6 & 0x03030303) << 4);
        Octet minima = octet(u1 & 0x3F3F3F3F, (u2 >> 4 & 0x0F0F0F0F) | (u1 >> 6 & 0x03030303) << 4);
        o.scales = twice(half(b) * __builtin_convertvector(scales, Eight));
        o.offsets = twice(half(b + 2) * __builtin_convertvector(minima, Eight));
    } else if (format == MinkeStoredQ2_K) {
        HalfBytes bytes = *(const HalfBytes *)b;
        o.scales = half(b + 80) * __builtin_convertvector(bytes & 15, Sixteen);
        o.offsets = half(b + 82) * __builtin_convertvector(bytes >> 4, Sixteen);
    } else if (format == MinkeStoredIQ4_XS) {
        float scales[8];
        uint32_t low = bits32(b + 4), high = bits16(b + 2);
        for (int j = 0; j < 8; j++) scales[j] = (float)((int)((low >> 4 * j & 15) | (high >> 2 * j & 3) << 4) - 32);
        o.scales = twice(half(b) * *(const Eight *)scales);
        o.offsets = (Sixteen){0};
    } else {
        Sixteen scales;
        if (format == MinkeStoredQ6_K) {
            scales = half(b + 208) * __builtin_convertvector(*(const HalfCodes *)(b + 192), Sixteen);
        } else { // Q3_K
            uint32_t u0 = bits32(b + 96), u1 = bits32(b + 100), u2 = bits32(b + 104);
            uint32_t s[4] = {(u0 & 0x0F0F0F0F) | (u2 & 0x03030303) << 4,
                             (u1 & 0x0F0F0F0F) | (u2 >> 2 & 0x03030303) << 4,
                             (u0 >> 4 & 0x0F0F0F0F) | (u2 >> 4 & 0x03030303) << 4,
                             (u1 >> 4 & 0x0F0F0F0F) | (u2 >> 6 & 0x03030303) << 4};
            scales = half(b + 108) * (__builtin_convertvector(*(const HalfBytes *)s, Sixteen) - 32);
        }
        o.scales = scales;
        o.offsets = scales * zeroCode(format);
    }
    return o;
}

/// The scales of eight blocks of 32, of which `count` are there.
INLINE OpenScales scalesOfNarrow(const int format, const uint8_t *const at[8], int count) {
    Eight scales, offsets;
    if (format == MinkeStoredMXFP4) for (int j = 0; j < 8; j++) scales[j] = power(*at[j]);
    else scales = halvesAt(at, 0);
    if (format == MinkeStoredQ4_1 || format == MinkeStoredQ5_1) offsets = -halvesAt(at, 2);
    else offsets = scales * zeroCode(format);
    for (int j = count; j < 8; j++) scales[j] = offsets[j] = 0;
    return (OpenScales){twice(scales), twice(offsets)};
}

/// Decodes up to 256 weights; `out` has room for 256.
INLINE void decodeCodes(const int format, const bool wide, const uint8_t *b, int64_t count, float *out) {
    REASSOCIATE
    const int blocks = (int)(count / 32);
    const uint8_t *at[8];
    OpenScales o;
    if (wide) o = scalesOfWide(format, b);
    else {
        for (int j = 0; j < 8; j++) at[j] = b + (j < blocks ? j : 0) * minkeBlockBytes(format);
        o = scalesOfNarrow(format, at, blocks);
    }
    const bool hasMinima = format == MinkeStoredQ4_1 || format == MinkeStoredQ5_1 || format == MinkeStoredQ2_K ||
                           format == MinkeStoredQ4_K || format == MinkeStoredQ5_K;
    UNROLL for (int j = 0; j < 8; j++) {
        Codes codes = codesOf(format, wide ? b : at[j], j) - (int8_t)zeroCode(format);
        HalfCodes halves[2];
        memcpy(halves, &codes, 32);
        UNROLL for (int h = 0; h < 2; h++) {
            Sixteen values = __builtin_convertvector(halves[h], Sixteen) * o.scales[2 * j + h];
            *(Sixteen *)(out + 32 * j + 16 * h) = hasMinima ? values - o.offsets[2 * j + h] : values;
        }
    }
}

#define DECODE_FORMAT(name, wide)                                                                              \
    static __attribute__((noinline)) void decodeRun##name(const uint8_t *b, int64_t count, float *out) {       \
        decodeCodes(MinkeStored##name, wide, b, count, out);                                                   \
    }
DECODE_FORMAT(Q4_0, false) DECODE_FORMAT(Q4_1, false) DECODE_FORMAT(Q5_0, false) DECODE_FORMAT(Q5_1, false)
DECODE_FORMAT(Q8_0, false) DECODE_FORMAT(IQ4_NL, false) DECODE_FORMAT(MXFP4, false) DECODE_FORMAT(Q2_K, true)
DECODE_FORMAT(Q3_K, true) DECODE_FORMAT(Q4_K, true) DECODE_FORMAT(Q5_K, true) DECODE_FORMAT(Q6_K, true)
DECODE_FORMAT(IQ4_XS, true)

/// What decodeBlocks does, faster, for at most 256 weights; `out` has room for 256.
static void decodeOpened(int32_t format, const uint8_t *b, int64_t count, float *out) {
    switch (format) {
#define CASE(name) case MinkeStored##name: decodeRun##name(b, count, out); return;
    CASE(Q4_0) CASE(Q4_1) CASE(Q5_0) CASE(Q5_1) CASE(Q8_0) CASE(IQ4_NL) CASE(MXFP4) CASE(Q2_K) CASE(Q3_K) CASE(Q4_K)
    CASE(Q5_K) CASE(Q6_K) CASE(IQ4_XS)
#undef CASE
    default: decodeBlocks(format, b, out, count);
    }
}

#pragma clang diagnostic pop
