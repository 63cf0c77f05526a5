import CMinkeKernels

/// Times matrix products as training runs them, on all threads.
public enum ProductBenchmark {
    /// One product and what it reached.
    public struct Result: Sendable {
        /// Operations a second, best and median over the rounds.
        public let best: Double
        public let median: Double
        /// Operations of one product.
        public let operations: Double
    }

    /// y = x·Wᵀ with the weight packed before, for `groups` matrices `[columns, depth]` with `rows` rows each.
    ///
    /// - Parameter inCodes: in 8 bits, with the quantisation of x inside the time.
    public static func forward(
        rows: Int, columns: Int, depth: Int, groups: Int = 1, type: ElementType, inCodes: Bool = false, rounds: Int
    ) -> Result {
        let weight = Parameter("weight", noise(groups * columns, depth, type: .float32), groups: groups)
        let x = Variable(noise(groups * rows, depth, type: type))
        let tape = Tape(computeType: type, usesCodes: inCodes)
        let offsets = (0...groups).map { $0 * rows }
        return time(2 * Double(groups * rows) * Double(columns) * Double(depth), rounds: rounds) {
            _ = groups == 1 ? tape.linear(x, weight) : tape.groupedLinear(x, weight, offsets: offsets)
        }
    }

    /// dW = dyᵀ·x, both operands packed inside the time, for `groups` ranges of `rows` rows.
    public static func weightGradient(
        rows: Int, columns: Int, depth: Int, groups: Int = 1, type: ElementType, inCodes: Bool = false, rounds: Int
    ) -> Result {
        let dy = noise(groups * rows, columns, type: type)
        let x = noise(groups * rows, depth, type: type)
        let out = Tensor(zeros: groups * columns, depth)
        let products = (0..<groups).map { group in
            Product.Outer(
                rows: group * rows..<(group + 1) * rows, out: out.rows(group * columns..<(group + 1) * columns),
                adds: false)
        }
        return time(2 * Double(groups * rows) * Double(columns) * Double(depth), rounds: rounds) {
            if inCodes { CodedProduct.outer(dy, x, products) } else { Product.outer(dy, x, products) }
        }
    }

    private static func noise(_ rows: Int, _ columns: Int, type: ElementType) -> Tensor {
        var random = CounterRandom(seed: 1, purpose: "benchmark", step: rows, sample: columns)
        return Tensor(
            (0..<rows * columns).map { _ in random.uniform() - 0.5 }, rows: rows, columns: columns, type: type)
    }

    private static func time(_ operations: Double, rounds: Int, _ body: () -> Void) -> Result {
        body()
        var seconds: [Double] = []
        for _ in 0..<max(1, rounds) {
            let start = monotonicSeconds()
            body()
            seconds.append(monotonicSeconds() - start)
        }
        seconds.sort()
        return Result(
            best: operations / seconds[0], median: operations / seconds[seconds.count / 2], operations: operations)
    }
}
