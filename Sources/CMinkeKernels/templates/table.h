// Register-only work for measuring the peak, and the table of this instruction set.

static double peakFloat32(int64_t repeats) {
    enum { Count = 12 };
    Floats sums[Count], x = (Floats){0} + 0.5f;
    for (int i = 0; i < Count; i++) sums[i] = (Floats){0} + (float)i;
    for (int64_t r = 0; r < repeats; r++) {
        for (int i = 0; i < Count; i++) sums[i] = sums[i] * x + x;
        __asm__ volatile("" ::: "memory");
    }
    float total = 0;
    for (int i = 0; i < Count; i++) total += sums[i][0];
    volatile float sink = total;
    (void)sink;
    return (double)repeats * Count * WIDTH * 2;
}

static double peakBFloat16(int64_t repeats) {
#if HAS_AMX
    return peakTiles(false, repeats);
#elif HAS_BF16_DOT
    enum { Count = 24 };
    __m512 sums[Count];
    __m512i x = _mm512_set1_epi16(0x3F00);
    for (int i = 0; i < Count; i++) sums[i] = _mm512_setzero_ps();
    for (int64_t r = 0; r < repeats; r++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < Count; i++) sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)x, (__m512bh)x);
        __asm__ volatile("" ::: "memory");
    }
    float total = 0;
    for (int i = 0; i < Count; i++) total += _mm512_reduce_add_ps(sums[i]);
    volatile float sink = total;
    (void)sink;
    return (double)repeats * Count * 64;
#else
    return peakFloat32(repeats); // no dot product: bfloat16 runs on the float units
#endif
}

#if HAS_MADD_KERNELS
/// Products of bytes, and their sums in 16 bits.
static double peakBytes(int64_t repeats) {
    enum { Count = 12 };
    __m256i sums[Count], x = _mm256_set1_epi8(1);
    for (int i = 0; i < Count; i++) sums[i] = _mm256_setzero_si256();
    for (int64_t r = 0; r < repeats; r++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < Count; i++) {
            __m256i products = _mm256_maddubs_epi16(x, x);
            __asm__ volatile("" : "+x"(products)); // else computed once
            sums[i] = _mm256_add_epi16(sums[i], products);
        }
        __asm__ volatile("" : "+x"(x)::"memory");
    }
    int total = 0;
    for (int i = 0; i < Count; i++) total += _mm256_extract_epi16(sums[i], 0);
    volatile int sink = total;
    (void)sink;
    return (double)repeats * Count * 64;
}
#endif

#if HAS_DOT
static double peakBytes(int64_t repeats) {
#if HAS_AMX
    return peakTiles(true, repeats);
#else
    enum { Count = 24 };
    __m512i sums[Count], x = _mm512_set1_epi8(1);
    for (int i = 0; i < Count; i++) sums[i] = _mm512_setzero_si512();
    for (int64_t r = 0; r < repeats; r++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < Count; i++) sums[i] = _mm512_dpbusd_epi32(sums[i], x, x);
        __asm__ volatile("" ::: "memory");
    }
    int total = 0;
    for (int i = 0; i < Count; i++) total += _mm512_reduce_add_epi32(sums[i]);
    volatile int sink = total;
    (void)sink;
    return (double)repeats * Count * 128;
#endif
}
#endif

#define NAME_OF(isa) #isa
#define NAME(isa) NAME_OF(isa)
#define TABLE_OF(isa) minkeKernels_##isa
#define TABLE(isa) TABLE_OF(isa)

const MinkeKernels TABLE(ISA) = {
    .name = NAME(ISA),
    .productFloat32 = productFloat32,
    .productBFloat16 = productBFloat16,
    .packTransposed = packTransposed,
    .packDirect = packDirect,
    .packStrips = packStrips,
    .multiplyCodes = multiplyCodes,
    .quantizeCodeRows = quantizeCodeRows,
    .packCodeColumns = packCodeColumns,
    .quantizeCodeWeight = quantizeCodeWeight,
    .packCodeTransposed = packCodeTransposed,
    .packCodeDirect = packCodeDirect,
    .hasCodeDots = HAS_DOT,
    .convert = convert,
    .accumulate = accumulate,
    .scale = scale,
    .sumOfSquares = sumOfSquares,
    .addBias = addBias,
    .sumRows = sumRows,
    .normForward = normForward,
    .normBackward = normBackward,
    .swigluForward = swigluForward,
    .swigluBackward = swigluBackward,
    .squaredReLUForward = squaredReLUForward,
    .squaredReLUBackward = squaredReLUBackward,
    .softcap = softcap,
    .multiply = multiply,
    .addScaled = addScaled,
    .rotate = rotate,
    .crossEntropy = crossEntropy,
    .route = route,
    .routeBackward = routeBackward,
    .combineForward = combineForward,
    .combineBackward = combineBackward,
    .gatherSum = gatherSum,
    .attentionForward = attentionForward,
    .attentionBackward = attentionBackward,
    .decodeAttention = decodeAttention,
    .quantizeActivations = quantizeActivations,
    .dotStored = dotStored,
    .packStored = packStored,
#if HAS_DOT || HAS_MADD_KERNELS
    .byteRowBytes = byteRowBytes,
    .bytePanelBytes = bytePanelBytes,
    .quantizeRows = quantizeRows,
    .packBytes = packBytes,
    .productBytes = productBytes,
    .peakBytes = peakBytes,
#endif
    .packLanes = packLanes,
    .attendLatents = attendLatents,
    .mergeChunks = mergeChunks,
    .quantizeRow = quantizeRow,
    .dequantizeRow = dequantizeRow,
    .adamW = adamW,
    .nesterov = nesterov,
    .axpby = axpby,
    .peakFloat32 = peakFloat32,
    .peakBFloat16 = peakBFloat16,
    .hasBFloat16Dots = HAS_BF16_DOT || HAS_AMX,
    .stripHeight = StripHeight,
};
