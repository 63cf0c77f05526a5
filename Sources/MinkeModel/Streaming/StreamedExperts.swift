import MinkeTensors

/// The routed experts of one layer, where not all are in memory.
final class StreamedExperts {
    private let cache: ExpertCache
    /// The number of the layer's first expert in the cache.
    private let first: Int
    private let activation: ModelConfiguration.Activation
    /// Shapes and formats of each expert's matrices, in the order of the cache: gate if there is one, up, down.
    private let shapes: [[StoredRows]]
    private let width: Int

    init(
        _ cache: ExpertCache, first: Int, experts: Int, gateUp: Parameter, down: Parameter,
        activation: ModelConfiguration.Activation
    ) {
        self.activation = activation
        self.cache = cache
        self.first = first
        width = down.rows
        shapes = (0..<experts).map { gateUp.storedPieces(group: $0) + down.storedPieces(group: $0) }
    }

    /// down(silu(gate·x) ⊙ up·x) of every expert on its rows, the same to the bit as with all experts in memory: an
    /// expert's products do not depend on when it has its turn.
    ///
    /// - Parameters:
    ///   - inputs: rows sorted by expert.
    ///   - offsets: expert e has rows `offsets[e]..<offsets[e + 1]`.
    ///   - tokens: tokens of the pass.
    ///   - whileReading: other work, done after reading has begun.
    func callAsFunction(
        _ inputs: Variable, offsets: [Int], tokens: Int, _ tape: Tape, whileReading: () -> Void
    ) -> Variable {
        let outputs = Tensor(uninitialized: inputs.value.rows, width, type: tape.computeType)
        let isComplete = cache.process(used(offsets), tokens: tokens, whileReading: whileReading) { experts in
            for run in runs(experts.map { $0 - first }, offsets) {
                let rows = offsets[run[0]]..<offsets[run[run.count - 1] + 1]
                let ends = [0] + run.map { offsets[$0 + 1] - rows.lowerBound }
                let x = Variable(inputs.value.rows(rows))
                let inputs = activation.inputs.count
                let hidden = activation(
                    tape.groupedLinear(x, stored: run.flatMap { matrices(of: $0, 0..<inputs) }, offsets: ends), tape)
                let own = tape.groupedLinear(
                    hidden, stored: run.flatMap { matrices(of: $0, inputs..<inputs + 1) }, offsets: ends)
                outputs.rows(rows).withUnsafeMutableBytes { target in
                    own.value.withUnsafeBytes { target.copyMemory(from: $0) }
                }
            }
        }
        // After a failed read nobody looks at the result, but routers must not meet what lay there.
        if !isComplete { outputs.clear() }
        return Variable(outputs)
    }

    /// Reads ahead the experts to which the rows would go.
    func expect(_ offsets: [Int]) { cache.expect(used(offsets).map(\.expert)) }

    private func used(_ offsets: [Int]) -> [(expert: Int, tokens: Int)] {
        (0..<shapes.count).compactMap { expert in
            let tokens = offsets[expert + 1] - offsets[expert]
            return tokens > 0 ? (first + expert, tokens) : nil
        }
    }

    /// Experts, in order, whose rows follow each other.
    private func runs(_ experts: [Int], _ offsets: [Int]) -> [[Int]] {
        experts.reduce(into: []) { runs, expert in
            if let last = runs.last?.last, offsets[last + 1] == offsets[expert] {
                runs[runs.count - 1].append(expert)
            } else {
                runs.append([expert])
            }
        }
    }

    private func matrices(of expert: Int, _ range: Range<Int>) -> [StoredRows] {
        range.map { shapes[expert][$0].relocated(to: cache.pointer(first + expert, $0), owner: cache) }
    }
}
