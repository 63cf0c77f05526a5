import CMinkeKernels

/// The shape of multi-head attention over whole sequences.
public struct AttentionShape: Sendable {
    public var heads: Int
    /// Width of the part of a key that belongs to one head.
    public var keyWidth: Int
    /// Width of the part of a key that all heads share (the rotary key of MLA), 0 if none.
    public var sharedWidth: Int
    public var valueWidth: Int
    /// Factor on the scores before the softmax.
    public var scale: Float

    public init(heads: Int, keyWidth: Int, sharedWidth: Int = 0, valueWidth: Int, scale: Float) {
        self.heads = heads
        self.keyWidth = keyWidth
        self.sharedWidth = sharedWidth
        self.valueWidth = valueWidth
        self.scale = scale
    }

    /// The arguments of one head of one sequence: its queries are those of the last of `tokens` keys. Log-sum-exp and
    /// scratch are the caller's.
    func arguments(tokens: Int, q: Tensor, k: Tensor, v: Tensor, shared: Tensor?, out: Tensor) -> MinkeAttention {
        var a = MinkeAttention()
        a.tokens = Int64(tokens)
        a.firstQuery = Int64(tokens - q.rows)
        a.keyWidth = Int64(keyWidth)
        a.sharedWidth = Int64(sharedWidth)
        a.valueWidth = Int64(valueWidth)
        a.type = q.type.code
        a.scale = scale
        a.q = UnsafeRawPointer(q.pointer)
        a.qStride = Int64(q.stride)
        a.k = UnsafeRawPointer(k.pointer)
        a.kStride = Int64(k.stride)
        a.v = UnsafeRawPointer(v.pointer)
        a.vStride = Int64(v.stride)
        if let shared {
            a.kShared = UnsafeRawPointer(shared.pointer)
            a.kSharedStride = Int64(shared.stride)
        }
        a.out = out.pointer
        a.outStride = Int64(out.stride)
        return a
    }

    /// Bytes of scratch memory of one head over `tokens` keys.
    func scratchBytes(tokens: Int, backward: Bool) -> Int {
        Int(
            minkeAttentionScratch(
                Int64(tokens), Int64(keyWidth), Int64(sharedWidth), Int64(valueWidth), backward))
    }
}

/// Where the heads' slices lie in the rows of a variable: head h starts at column `offset + h × stride`.
public struct HeadColumns {
    let variable: Variable
    let offset: Int
    let stride: Int

    public init(_ variable: Variable, offset: Int = 0, stride: Int) {
        self.variable = variable
        self.offset = offset
        self.stride = stride
    }

    func pointer(_ tensor: Tensor, row: Int, head: Int) -> UnsafeMutableRawPointer {
        tensor.pointer(row: row, column: offset + head * stride)
    }

    /// The slice of one head, `width` columns of some rows.
    func slice(rows: Range<Int>, head: Int, width: Int) -> Tensor {
        variable.value.rows(rows).columns(offset + head * stride..<offset + head * stride + width)
    }
}

extension Tape {
    /// Causal attention: oₕ[t] = Σ_{j ≤ t} softmax_j(qₕ[t]·kₕ[j]·scale)·vₕ[j], with kₕ[j] = [own part; shared part].
    ///
    /// Blocked with a running softmax: memory grows with the length, not with its square. Gradients are recomputed from
    /// the scores' log-sum-exp (FlashAttention-2, arXiv 2307.08691).
    ///
    /// - Parameters:
    ///   - q: `[sequences × tokens, heads × (keyWidth + sharedWidth)]`.
    ///   - keys: each head's own key part, `keyWidth` columns.
    ///   - values: each head's value, `valueWidth` columns; may lie in the same variable as the keys.
    ///   - shared: `[…, sharedWidth]`, or nil when the width is 0.
    ///   - sequences: how many sequences of equal length the rows hold.
    /// - Returns: `[…, heads × valueWidth]`.
    public func attention(
        _ q: Variable, keys: HeadColumns, values: HeadColumns, shared: Variable?, shape: AttentionShape,
        sequences: Int
    ) -> Variable {
        let cpu = CPU.shared
        let rows = q.value.rows
        let tokens = rows / sequences
        precondition(rows == tokens * sequences && (shared == nil) == (shape.sharedWidth == 0))
        precondition([q, keys.variable, values.variable, shared ?? q].allSatisfy { $0.value.type == computeType })
        precondition(
            computeType == .float32 || (shape.keyWidth % 2 == 0 && shape.sharedWidth % 2 == 0),
            "bfloat16 attention needs even widths")
        let out = Tensor(uninitialized: rows, shape.heads * shape.valueWidth, type: computeType)
        let logSumExp = Tensor(uninitialized: sequences * shape.heads, tokens)
        let type = computeType

        /// The arguments of one head of one sequence; `scratch` is the task's own.
        func arguments(_ task: Int, scratch: Storage) -> MinkeAttention {
            let (sequence, head) = task.quotientAndRemainder(dividingBy: shape.heads)
            let rows = sequence * tokens..<(sequence + 1) * tokens
            let width = shape.keyWidth + shape.sharedWidth
            var a = shape.arguments(
                tokens: tokens, q: q.value.rows(rows).columns(head * width..<(head + 1) * width),
                k: keys.slice(rows: rows, head: head, width: shape.keyWidth),
                v: values.slice(rows: rows, head: head, width: shape.valueWidth), shared: shared?.value.rows(rows),
                out: out.rows(rows).columns(head * shape.valueWidth..<(head + 1) * shape.valueWidth))
            a.logSumExp = logSumExp.floats + task * tokens
            a.scratch = scratch.pointer
            return a
        }

        cpu.parallel(sequences * shape.heads) { task in
            // The size that the way back needs as well, so that both share memory.
            let scratch = Storage(bytes: shape.scratchBytes(tokens: tokens, backward: isRecording))
            withExtendedLifetime(scratch) {
                var a = arguments(task, scratch: scratch)
                cpu.kernels.attentionForward(&a)
            }
        }
        let o = Variable(out)
        record {
            guard let dOut = o.gradient else { return }
            let (dQ, qAdds) = q.gradientForAccumulation()
            let (dK, kAdds) = keys.variable.gradientForAccumulation()
            let (dV, vAdds) =
                values.variable === keys.variable ? (dK, false) : values.variable.gradientForAccumulation()
            precondition(dOut.type == type && dQ.type == type && dK.type == type, "one type throughout attention")
            precondition(!qAdds && !kAdds && !vAdds, "queries, keys and values have one reader")
            let dShared = Tensor(
                uninitialized: sequences * shape.heads * tokens, max(1, shape.sharedWidth))
            cpu.parallel(sequences * shape.heads) { task in
                let scratch = Storage(bytes: shape.scratchBytes(tokens: tokens, backward: true))
                withExtendedLifetime(scratch) {
                    var a = arguments(task, scratch: scratch)
                    let (sequence, head) = task.quotientAndRemainder(dividingBy: shape.heads)
                    let row = sequence * tokens
                    a.dOut = UnsafeRawPointer(dOut.pointer(row: row, column: head * shape.valueWidth))
                    a.dOutStride = Int64(dOut.stride)
                    a.dQ = dQ.pointer(row: row, column: head * (shape.keyWidth + shape.sharedWidth))
                    a.dQStride = Int64(dQ.stride)
                    a.dK = keys.pointer(dK, row: row, head: head)
                    a.dKStride = Int64(dK.stride)
                    a.dV = values.pointer(dV, row: row, head: head)
                    a.dVStride = Int64(dV.stride)
                    a.dKShared = dShared.floats + task * tokens * shape.sharedWidth
                    cpu.kernels.attentionBackward(&a)
                }
            }
            if let shared { Tape.sumHeads(dShared, into: shared, shape: shape, sequences: sequences) }
            o.releaseGradient()
        }
        return o
    }

    /// The gradient of the shared key: the heads' own gradients, added in order.
    private static func sumHeads(_ parts: Tensor, into shared: Variable, shape: AttentionShape, sequences: Int) {
        let (dShared, adds) = shared.gradientForAccumulation()
        precondition(!adds, "the shared key has one reader")
        let tokens = shared.value.rows / sequences
        let width = shape.sharedWidth
        CPU.shared.parallel(sequences) { sequence in
            let first = parts.floats + sequence * shape.heads * tokens * width
            for head in 1..<max(1, shape.heads) {
                CPU.shared.kernels.accumulate(
                    first + head * tokens * width, ElementType.float32.code, first, Int64(tokens * width))
            }
            for token in 0..<tokens {
                let (sum, to) = (first + token * width, dShared.pointer(row: sequence * tokens + token))
                CPU.shared.kernels.convert(sum, ElementType.float32.code, to, dShared.type.code, Int64(width))
            }
        }
    }
}
