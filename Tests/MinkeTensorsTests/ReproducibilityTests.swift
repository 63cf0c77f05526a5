import Testing

@testable import MinkeTensors

/// A block of everything: the same bits whatever the number of threads, and no new memory after the first steps.
@Suite struct ReproducibilityTests {
    @Test func resultsDoNotDependOnThreads() async {
        await #expect(processExitsWith: .success) {
            for (type, usesCodes) in [(ElementType.float32, false), (.bfloat16, false), (.bfloat16, true)] {
                let results = [1, 2, 3, 4, 2].map { threads in
                    CPU.shared.threadCount = threads
                    #expect(CPU.shared.threadCount == threads)
                    return Block(type, usesCodes: usesCodes).step().map { $0.map(\.bitPattern) }
                }
                #expect(results.allSatisfy { $0 == results[0] }, "\(type), codes \(usesCodes)")
                #expect(results[0].allSatisfy { !$0.isEmpty })
            }
        }
    }

    @Test func repeatedStepsTakeNoNewMemory() async {
        await #expect(processExitsWith: .success) {
            for usesCodes in [false, true] {
                let block = Block(.bfloat16, usesCodes: usesCodes)
                CPU.shared.threadCount = 1
                for _ in 0..<3 { _ = block.step() }
                let reserved = TensorMemory.reservedBytes
                for _ in 0..<9 { _ = block.step() }
                #expect(TensorMemory.reservedBytes == reserved)
                // How many blocks of scratch memory several threads use at once depends on their timing; there is a bound.
                CPU.shared.threadCount = 3
                for _ in 0..<9 { _ = block.step() }
                #expect(TensorMemory.reservedBytes < 64 << 20)
            }
        }
    }
}

/// One layer of latent attention and experts under a head, with the same weights in every instance.
private struct Block {
    let type: ElementType
    let usesCodes: Bool
    let table: Parameter, norm: Parameter, query: Parameter, compress: Parameter, latentNorm: Parameter
    let expand: Parameter, output: Parameter, router: Parameter, up: Parameter, down: Parameter, head: Parameter

    init(_ type: ElementType, usesCodes: Bool) {
        var numbers = Numbers(42)
        self.type = type
        self.usesCodes = usesCodes
        table = numbers.parameter(50, 24)
        norm = numbers.parameter(1, 24)
        query = numbers.parameter(3 * 10, 24)
        compress = numbers.parameter(16, 24)
        latentNorm = numbers.parameter(1, 12)
        expand = numbers.parameter(3 * 14, 12)
        output = numbers.parameter(24, 3 * 8)
        router = numbers.parameter(8, 24)
        up = numbers.parameter(8 * 20, 24, groups: 8)
        down = numbers.parameter(8 * 24, 10, groups: 8)
        head = numbers.parameter(50, 24)
    }

    var parameters: [Parameter] {
        [table, norm, query, compress, latentNorm, expand, output, router, up, down, head]
    }

    /// Losses and the gradients of all parameters.
    func step() -> [[Float]] {
        for parameter in parameters { parameter.clearGradient() }
        let (sequences, length) = (2, 130)
        let rows = sequences * length
        let tokens = (0..<rows).map { Int32($0 * 13 % 50) }
        let positions = (0..<rows).map { Int32($0 % length) }
        let rotary = RotaryTable(frequencies: [1, 0.1], positions: length, isInterleaved: true)
        let shape = AttentionShape(heads: 3, keyWidth: 6, sharedWidth: 4, valueWidth: 8, scale: 0.3)
        let rule = RoutingRule(
            experts: 8, topK: 3, groups: 4, topGroups: 2, usesSigmoid: true, ranksGroupsByTopTwo: true,
            normalizes: true, scale: 2.5)
        let tape = Tape(computeType: type, isRecording: true, usesCodes: usesCodes)
        let stream = tape.embedding(tokens, table)
        let x = tape.rmsNorm(stream, weight: norm, epsilon: 1e-6, gradientType: .float32)
        let q = tape.linear(x, query)
        tape.rotate(q, heads: 3, headStride: 10, offset: 6, positions: positions, table: rotary)
        let compressed = tape.linear(x, compress)
        let shared = compressed.columns(12..<16)
        tape.rotate(shared, positions: positions, table: rotary)
        let latent = tape.rmsNorm(compressed.columns(0..<12), weight: latentNorm, epsilon: 1e-6)
        let mixed = attend(
            tape, q, keysValues: tape.linear(latent, expand), shared: shared, shape: shape, sequences: sequences)
        let attended = tape.linear(mixed, output, addedTo: stream)
        let y = tape.rmsNorm(attended, weight: norm, epsilon: 1e-6, gradientType: .float32)
        let routing = tape.route(
            tape.linear(y, router, precision: .float32), bias: nil, rule: rule, balance: 1e-2, sequences: sequences)
        let hidden = tape.swiGLU(tape.groupedLinear(tape.dispatch(y, routing), up, offsets: routing.offsets))
        let out = tape.combine(
            tape.groupedLinear(hidden, down, offsets: routing.offsets), routing, addedTo: attended)
        let last = tape.rmsNorm(out, weight: norm, epsilon: 1e-6)
        let losses = tape.crossEntropy(last, head: head, targets: tokens)
        tape.backward()
        return [losses] + parameters.map { $0.gradient?.values ?? [] }
    }
}
