import CMinkeKernels

/// Which elements a pass of training drops: each of `probability`, drawn anew for every step, pass and operation.
public struct Dropout: Sendable {
    public let probability: Double
    /// What the numbers of this pass are mixed from.
    private let key: UInt64

    /// - Parameters:
    ///   - seed: the seed of the run; steps and passes have their own numbers.
    ///   - pass: of the step.
    public init(probability: Double, seed: UInt64, step: Int, pass: Int) {
        precondition((0..<1).contains(probability))
        self.probability = probability
        var random = CounterRandom(seed: seed, purpose: "dropout", step: step, sample: pass)
        key = random.next()
    }

    /// Multiplies what stays of rows `rows` by 1 / (1 − probability), the rest by zero, in place.
    ///
    /// - Parameter operation: its number in the pass.
    func apply(to tensor: Tensor, operation: Int) {
        let base = CounterRandom.mixed(key &+ UInt64(operation))
        let kept = Float(1 / (1 - probability))
        // A hash has the numbers of four elements.
        let least = UInt64((probability * 65_536).rounded())
        let kernels = CPU.shared.kernels
        let columns = tensor.columns
        let hashes = (columns + 3) / 4
        CPU.shared.parallel(tensor.rows, chunk: Tensor.rowsPerTask) { rows in
            let factors = Tensor(uninitialized: 1, 4 * hashes)
            let values = Tensor(uninitialized: 1, columns)
            for row in rows {
                let first = base &+ UInt64(row * hashes)
                for index in 0..<hashes {
                    let bits = CounterRandom.mixed(first &+ UInt64(index))
                    for lane in 0..<4 {
                        let isKept = (bits >> (16 * UInt64(lane))) & 0xFFFF >= least
                        factors.floats[4 * index + lane] = isKept ? kept : 0
                    }
                }
                let place = tensor.pointer(row: row)
                kernels.convert(place, tensor.type.code, values.floats, ElementType.float32.code, Int64(columns))
                for column in 0..<columns { values.floats[column] *= factors.floats[column] }
                kernels.convert(values.floats, ElementType.float32.code, place, tensor.type.code, Int64(columns))
            }
        }
    }
}

extension Tape {
    /// x ⊙ m / (1 − p), in place, where m is 0 with probability p and else 1 (arXiv 1207.0580); nothing where the tape
    /// has no ``dropout``.
    ///
    /// Gradient: dx ⊙ m / (1 − p), in place, with the same m, which is drawn again instead of being kept.
    ///
    /// - Parameter x: nothing before it may need its value.
    public func dropout(_ x: Variable) {
        guard let dropout, isRecording else { return }
        let operation = drops
        drops += 1
        dropout.apply(to: x.value, operation: operation)
        record {
            guard let dx = x.gradient else { return }
            dropout.apply(to: dx, operation: operation)
        }
    }
}
