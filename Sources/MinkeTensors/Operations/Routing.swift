import CMinkeKernels

/// How tokens choose experts (DeepSeek-V2, 2.2; DeepSeek-V3 report, 2.1.2).
public struct RoutingRule: Sendable {
    public var experts: Int
    /// Experts a token is sent to.
    public var topK: Int
    /// Groups the experts are cut into, and how many of them a token may use (1 and 1: no limit). A group stands for a
    /// node: the limit is the report's node-limited routing.
    public var groups: Int
    public var topGroups: Int
    /// Sigmoid scores (V3) or softmax scores (V2).
    public var usesSigmoid: Bool
    /// A group's score is the sum of its two best choices (V3) or its best (V2).
    public var ranksGroupsByTopTwo: Bool
    /// Weights are divided by their sum before scaling.
    public var normalizes: Bool
    /// Factor on the weights.
    public var scale: Float

    public init(
        experts: Int, topK: Int, groups: Int = 1, topGroups: Int = 1, usesSigmoid: Bool, ranksGroupsByTopTwo: Bool,
        normalizes: Bool, scale: Float
    ) {
        self.experts = experts
        self.topK = topK
        self.groups = groups
        self.topGroups = topGroups
        self.usesSigmoid = usesSigmoid
        self.ranksGroupsByTopTwo = ranksGroupsByTopTwo
        self.normalizes = normalizes
        self.scale = scale
    }

    /// The most experts that the kernels handle.
    public static let maximumExperts = 1024

    var kernelArguments: MinkeRouting {
        MinkeRouting(
            experts: Int64(experts), topK: Int64(topK), groups: Int64(groups), topGroups: Int64(topGroups),
            sigmoid: usesSigmoid ? 1 : 0, groupByTopTwo: ranksGroupsByTopTwo ? 1 : 0, normalize: normalizes ? 1 : 0,
            scale: scale)
    }
}

/// Which experts each token goes to, and where its copies lie when sorted by expert.
public final class Routing {
    /// Chosen experts, `topK` a token, best first.
    public let experts: [Int32]
    /// Mixing weights, `[tokens, topK]`, `float32`.
    public let weights: Variable
    /// Scores of all experts, `[tokens, experts]`, `float32`.
    public let scores: Tensor
    /// Row of each (token, choice) in the order of experts.
    let slots: [Int32]
    /// Token of each row in the order of experts.
    let tokens: [Int32]
    /// Rows of expert e: `offsets[e]..<offsets[e + 1]`.
    public let offsets: [Int]
    public let topK: Int

    init(experts: [Int32], weights: Variable, scores: Tensor, expertCount: Int, topK: Int) {
        self.experts = experts
        self.weights = weights
        self.scores = scores
        self.topK = topK
        var offsets = [Int](repeating: 0, count: expertCount + 1)
        experts.withUnsafeBufferPointer { experts in
            offsets.withUnsafeMutableBufferPointer { offsets in
                for expert in experts { offsets[Int(expert) + 1] += 1 }
                for expert in 0..<expertCount { offsets[expert + 1] += offsets[expert] }
            }
        }
        self.offsets = offsets
        var next = offsets
        var tokens = [Int32](repeating: 0, count: experts.count)
        slots = [Int32](unsafeUninitializedCapacity: experts.count) { slots, count in
            experts.withUnsafeBufferPointer { experts in
                next.withUnsafeMutableBufferPointer { next in
                    tokens.withUnsafeMutableBufferPointer { tokens in
                        for choice in 0..<experts.count {
                            let slot = next[Int(experts[choice])]
                            next[Int(experts[choice])] = slot + 1
                            slots[choice] = Int32(slot)
                            tokens[slot] = Int32(choice / topK)
                        }
                    }
                }
            }
            count = experts.count
        }
        self.tokens = tokens
    }

    /// Tokens sent to each expert.
    public var loads: [Int] { (0..<offsets.count - 1).map { offsets[$0 + 1] - offsets[$0] } }
}

extension Tape {
    /// Chooses experts and their weights from the router's logits. Everything is `float32`.
    ///
    /// The bias is added for the choice only. Selection and bias are constants for the gradient, which flows through the
    /// scores: with wᵢ = a·sᵢ/S, ∂L/∂sᵢ = (a·gᵢ − Σⱼ wⱼgⱼ)/S for chosen i; then through sigmoid or softmax.
    ///
    /// - Parameters:
    ///   - logits: `[tokens, experts]`.
    ///   - bias: one value an expert, or nil.
    ///   - balance: factor α of the sequence-wise balance loss L = α·Σᵢ fᵢ·Pᵢ (V3 report, eq. 17–20), 0 for none; its
    ///     gradient is added to the logits'. `lossScale` multiplies it, as it does the main loss.
    ///   - sequences: how many sequences of equal length the rows hold.
    public func route(
        _ logits: Variable, bias: Parameter?, rule: RoutingRule, balance: Float = 0, lossScale: Float = 1,
        sequences: Int = 1
    ) -> Routing {
        precondition(
            logits.value.columns == rule.experts && logits.value.isContiguous
                && rule.experts <= RoutingRule.maximumExperts && rule.experts % rule.groups == 0
                && rule.topGroups <= rule.groups && rule.topK <= rule.experts / rule.groups * rule.topGroups)
        let cpu = CPU.shared
        let rows = logits.value.rows
        let scores = Tensor(uninitialized: rows, rule.experts)
        let weights = Variable(Tensor(uninitialized: rows, rule.topK))
        let arguments = rule.kernelArguments
        let experts = [Int32](unsafeUninitializedCapacity: rows * rule.topK) { experts, count in
            if let base = experts.baseAddress {
                cpu.parallel(rows, chunk: Tensor.rowsPerTask) { range in
                    var arguments = arguments
                    cpu.kernels.route(
                        &arguments, logits.value.floats + range.lowerBound * rule.experts, bias?.value.floats,
                        scores.floats + range.lowerBound * rule.experts, base + range.lowerBound * rule.topK,
                        weights.value.floats + range.lowerBound * rule.topK, Int64(range.count))
                }
            }
            count = rows * rule.topK
        }
        let routing = Routing(
            experts: experts, weights: weights, scores: scores, expertCount: rule.experts, topK: rule.topK)
        record {
            guard let dWeights = weights.gradient else { return }
            let (dLogits, adds) = logits.gradientForAccumulation()
            precondition(!adds, "router logits have one reader")
            let tokens = rows / sequences
            let pulls =
                balance > 0
                ? Tape.balancePull(experts, rule: rule, sequences: sequences, factor: balance * lossScale) : nil
            experts.withUnsafeBufferPointer { experts in
                guard let base = experts.baseAddress else { return }
                cpu.parallel(sequences) { sequence in
                    var arguments = arguments
                    let row = sequence * tokens
                    cpu.kernels.routeBackward(
                        &arguments, scores.floats + row * rule.experts, base + row * rule.topK,
                        weights.value.floats + row * rule.topK, dWeights.floats + row * rule.topK,
                        pulls.map { $0.floats + sequence * rule.experts }, dLogits.floats + row * rule.experts,
                        Int64(tokens))
                }
            }
            weights.releaseGradient()
        }
        return routing
    }

    /// ∂L/∂pᵢ = α·fᵢ/T per sequence and expert, with fᵢ = E/(K·T)·(tokens of the sequence that chose i); divided by the
    /// number of sequences, over which the loss is a mean.
    private static func balancePull(
        _ experts: [Int32], rule: RoutingRule, sequences: Int, factor: Float
    ) -> Tensor {
        let choices = experts.count / sequences
        let tokens = choices / rule.topK
        var pulls = [Float](repeating: 0, count: sequences * rule.experts)
        let unit = factor * Float(rule.experts) / Float(choices) / Float(tokens) / Float(sequences)
        for sequence in 0..<sequences {
            for choice in sequence * choices..<(sequence + 1) * choices {
                pulls[sequence * rule.experts + Int(experts[choice])] += unit
            }
        }
        return Tensor(pulls, rows: sequences, columns: rule.experts)
    }

    /// Copies each token's row to its slots, sorted by expert.
    ///
    /// Gradient: dx[t] = Σⱼ dy[slot(t, j)].
    ///
    /// - Returns: `[tokens × topK, width]`.
    public func dispatch(_ x: Variable, _ routing: Routing) -> Variable {
        let cpu = CPU.shared
        let input = x.value
        let bytes = input.columns * input.type.byteWidth
        let value = Tensor(uninitialized: routing.tokens.count, input.columns, type: input.type)
        cpu.parallel(routing.tokens.count, chunk: 256) { slots in
            routing.tokens.withUnsafeBufferPointer { tokens in
                for slot in slots {
                    value.pointer(row: slot).copyMemory(
                        from: input.pointer(row: Int(tokens[slot])), byteCount: bytes)
                }
            }
        }
        let y = Variable(value)
        record {
            guard let dy = y.gradient else { return }
            let (dx, adds) = x.gradientForAccumulation()
            precondition(dx.isContiguous, "dispatched rows are whole")
            routing.slots.withUnsafeBufferPointer { slots in
                guard let base = slots.baseAddress else { return }
                cpu.parallel(input.rows, chunk: Tensor.rowsPerTask) { rows in
                    cpu.kernels.gatherSum(
                        dy.pointer, dy.type.code, base, Int64(routing.topK), dx.pointer, dx.type.code, adds,
                        Int64(dx.columns), Int64(rows.lowerBound), Int64(rows.upperBound))
                }
            }
            y.releaseGradient()
        }
        return y
    }

    /// out[t] = residual[t] + Σⱼ w[t, j]·y[slot(t, j)].
    ///
    /// Gradient: dy[slot] = w·dout[t], dw[t, j] = ⟨dout[t], y[slot]⟩, dresidual = dout.
    ///
    /// - Parameters:
    ///   - y: the experts' outputs, `[tokens × topK, width]`.
    ///   - residual: `float32`, `[tokens, width]`.
    /// - Returns: `float32`, `[tokens, width]`.
    public func combine(_ y: Variable, _ routing: Routing, addedTo residual: Variable) -> Variable {
        let cpu = CPU.shared
        let width = y.value.columns
        let tokens = residual.value.rows
        precondition(residual.value.columns == width && residual.value.isContiguous && y.value.isContiguous)
        let value = Tensor(uninitialized: tokens, width)
        routing.slots.withUnsafeBufferPointer { slots in
            guard let base = slots.baseAddress else { return }
            cpu.parallel(tokens, chunk: Tensor.rowsPerTask) { rows in
                cpu.kernels.combineForward(
                    y.value.pointer, y.value.type.code, base, routing.weights.value.floats, Int64(routing.topK),
                    residual.value.floats, value.floats, Int64(width), Int64(rows.lowerBound),
                    Int64(rows.upperBound))
            }
        }
        let out = Variable(value)
        record {
            guard let dOut = out.gradient else { return }
            let (dY, yAdds) = y.gradientForAccumulation()
            let (dWeights, weightsAdd) = routing.weights.gradientForAccumulation()
            precondition(!yAdds && !weightsAdd && dY.isContiguous, "expert outputs and weights have one reader")
            routing.slots.withUnsafeBufferPointer { slots in
                guard let base = slots.baseAddress else { return }
                cpu.parallel(tokens, chunk: Tensor.rowsPerTask) { rows in
                    cpu.kernels.combineBackward(
                        dOut.floats, y.value.pointer, y.value.type.code, base, routing.weights.value.floats,
                        Int64(routing.topK), dY.pointer, dWeights.floats, Int64(width), Int64(rows.lowerBound),
                        Int64(rows.upperBound))
                }
            }
            residual.receiveGradient(dOut)
            out.releaseGradient()
        }
        return out
    }
}

extension Routing {
    /// Mean over the tokens of the entropy of their scores divided by the scores' sum, as a share of its largest value
    /// log(experts): 1 when the router does not care, 0 when it is certain.
    public var scoreEntropy: Double {
        let width = scores.columns
        guard width > 1, scores.rows > 0 else { return 1 }
        let total = scores.values.withUnsafeBufferPointer { values in
            (0..<scores.rows).reduce(0.0) { result, row in
                let own = values[row * width..<(row + 1) * width]
                let sum = own.reduce(0, +)
                return result
                    - own.reduce(0.0) { $0 + ($1 > 0 ? Double($1 / sum) * naturalLogarithm(Double($1 / sum)) : 0) }
            }
        }
        return total / Double(scores.rows) / naturalLogarithm(Double(width))
    }
}
