import CMinkeKernels

extension AbsorbedProjections {
    /// Attention of the newest rows' queries over cached latents and rotary keys, absorbed or expanded, whichever takes
    /// less work.
    ///
    /// - Parameters:
    ///   - queries: `[caches × new, heads × (keyWidth + sharedWidth)]`, for each cache those of its newest rows, whose
    ///     latents are cached already.
    ///   - expandedType: in which keys and values are expanded.
    ///   - keepsRowsApart: always absorbed, so that a row's result does not depend on how many there are.
    /// - Returns: `[caches × new, heads × valueWidth]`, in the queries' type.
    public func attend(
        _ queries: Tensor, caches: [LayerCache], shape: AttentionShape, expandedType: ElementType = .float32,
        keepsRowsApart: Bool = false
    ) -> Tensor {
        let new = queries.rows / caches.count
        guard !keepsRowsApart,
            caches.contains(where: { isExpansionCheaper(new: new, cached: $0.count, shape: shape) })
        else { return attendAbsorbed(queries, caches: caches, shape: shape, keepsRowsApart: keepsRowsApart) }
        let out = Tensor(uninitialized: queries.rows, heads * valueWidth, type: queries.type)
        for (sequence, cache) in caches.enumerated() {
            let rows = sequence * new..<(sequence + 1) * new
            out.rows(rows).assign(
                isExpansionCheaper(new: new, cached: cache.count, shape: shape)
                    ? attendExpanded(queries.rows(rows), cache: cache, shape: shape, type: expandedType)
                    : attendAbsorbed(queries.rows(rows), caches: [cache], shape: shape))
        }
        return out
    }

    /// Whether expanding all keys and values costs less than the wider rows of absorbed attention, in multiplications of
    /// one head: some hundred new tokens or more for DeepSeek-V2's widths.
    func isExpansionCheaper(new: Int, cached: Int, shape: AttentionShape) -> Bool {
        let (n, t) = (Double(new), Double(cached))
        let pairs = n * t - n * (n - 1) / 2
        let projection = Double(rank * (keyWidth + valueWidth))
        let expanded = (t + preparation) * projection + pairs * Double(keyWidth + shape.sharedWidth + valueWidth)
        let absorbed = n * projection + pairs * Double(2 * rank + shape.sharedWidth)
        return expanded < absorbed
    }

    /// What bringing `kv_b_proj` into the form that expands costs, in rows expanded: packing a weight takes as long as
    /// multiplying it with some tens of rows, decoding a stored one as with some hundreds (measured).
    private var preparation: Double { isStored ? 300 : 30 }

    func attendAbsorbed(
        _ queries: Tensor, caches: [LayerCache], shape: AttentionShape, keepsRowsApart: Bool = false
    ) -> Tensor {
        let mixed = LayerCache.attendLatent(
            absorb(queries, keepsRowsApart: keepsRowsApart), caches: caches, heads: heads, rank: rank,
            scale: shape.scale)
        return expand(mixed, keepsRowsApart: keepsRowsApart).converted(to: queries.type)
    }

    /// Expanded keys and values of all heads would be many times the cache: a few heads at a time.
    private static var expansionMemory: Int { 64 << 20 }

    func attendExpanded(_ queries: Tensor, cache: LayerCache, shape: AttentionShape, type wanted: ElementType) -> Tensor
    {
        let type = shape.hasEvenKeys ? wanted : .float32
        let rows = cache.allRows(type)
        let q = queries.converted(to: type)
        let out = Tensor(uninitialized: q.rows, heads * valueWidth, type: type)
        let height = keyWidth + valueWidth
        let fitting =
            AbsorbedProjections.expansionMemory / (LayerCache.roundedUp(cache.count) * height * type.byteWidth)
        let step = min(heads, max(CPU.shared.threadCount, fitting))
        for first in stride(from: 0, to: heads, by: step) {
            let some = first..<min(heads, first + step)
            let keysValues = keysAndValues(rows.columns(0..<rank), heads: some)
            shape.attendNewest(
                q, heads: some, shared: shape.sharedWidth == 0 ? nil : rows.columns(rank..<rank + shape.sharedWidth),
                into: out
            ) { head in
                let own = keysValues.columns((head - first) * height..<(head - first + 1) * height)
                return (own.columns(0..<keyWidth), own.columns(keyWidth..<height))
            }
        }
        return out.converted(to: queries.type)
    }
}

extension AttentionShape {
    /// Whether keys may be read in pairs of bfloat16, which must not straddle two parts.
    var hasEvenKeys: Bool { keyWidth % 2 == 0 && sharedWidth % 2 == 0 }

    /// Blocked attention of the newest tokens' queries over the keys of all tokens, as on a tape.
    ///
    /// - Parameters:
    ///   - q: `[new, all heads × (keyWidth + sharedWidth)]`.
    ///   - out: `[new, all heads × valueWidth]`, in the type of everything else.
    ///   - keysAndValues: those of one head, a row a token.
    func attendNewest(
        _ q: Tensor, heads: Range<Int>, shared: Tensor?, into out: Tensor,
        keysAndValues: (Int) -> (keys: Tensor, values: Tensor)
    ) {
        CPU.shared.parallel(heads.count) { index in
            let head = heads.lowerBound + index
            let width = keyWidth + sharedWidth
            let (keys, values) = keysAndValues(head)
            var a = arguments(
                tokens: keys.rows, q: q.columns(head * width..<(head + 1) * width), k: keys, v: values, shared: shared,
                out: out.columns(head * valueWidth..<(head + 1) * valueWidth))
            let logSumExp = Storage(bytes: q.rows * 4)
            let scratch = Storage(bytes: scratchBytes(tokens: LayerCache.roundedUp(keys.rows), backward: false))
            withExtendedLifetime((logSumExp, scratch)) {
                a.logSumExp = logSumExp.pointer.assumingMemoryBound(to: Float.self)
                a.scratch = scratch.pointer
                CPU.shared.kernels.attentionForward(&a)
            }
        }
    }
}
