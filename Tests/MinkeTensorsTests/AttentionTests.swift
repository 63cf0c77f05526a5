import Foundation
import Testing

@testable import MinkeTensors

@Suite struct AttentionTests {
    @Test func matchesDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            for item in AttentionCase.all {
                let expected = [ElementType.float32, .bfloat16].map { (type: $0, values: item.reference($0)) }
                onEveryInstructionSet { type in
                    for (_, values) in expected.filter({ $0.type == type }) { item.check(type, values) }
                }
            }
        }
    }

    /// Scores whose exponentials alone would overflow, and rows that a later block of keys dominates.
    @Test func survivesLargeScores() {
        let tokens = 300
        let q = Tensor([Float](repeating: 30, count: tokens), rows: tokens, columns: 1)
        let kv = Tensor((0..<tokens).flatMap { [Float($0), Float($0)] }, rows: tokens, columns: 2)
        let shape = AttentionShape(heads: 1, keyWidth: 1, valueWidth: 1, scale: 1)
        let out = attend(Tape(), Variable(q), keysValues: Variable(kv), shared: nil, shape: shape)
        // Every query finds its own key best by far.
        for (token, value) in out.value.values.enumerated() {
            #expect(abs(value - Float(token)) <= 1e-4 * Float(token))
        }
    }

    @Test func aKeyThatIsNotANumberReachesWhoSeesIt() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                for place in [0, 3, 70] {
                    var numbers = Numbers(5)
                    let (q, kv) = (numbers.tensor(80, 2, type: type), numbers.tensor(80, 4))
                    kv.floats[place * 4] = .nan
                    let shape = AttentionShape(heads: 1, keyWidth: 2, valueWidth: 2, scale: 0.7)
                    let out = attend(
                        Tape(computeType: type), Variable(q), keysValues: Variable(kv.converted(to: type)), shared: nil,
                        shape: shape)
                    for (index, value) in out.value.values.enumerated() {
                        #expect(value.isNaN == (index / 2 >= place), "key \(place), token \(index / 2), \(type)")
                    }
                }
            }
        }
    }

    /// A score matrix of this length alone would take 4 · 4096² bytes = 64 MiB.
    @Test func memoryDoesNotGrowWithTheSquareOfTheLength() async {
        await #expect(processExitsWith: .success) {
            let tokens = 4096
            let shape = AttentionShape(heads: 1, keyWidth: 8, sharedWidth: 4, valueWidth: 8, scale: 0.3)
            let tape = Tape(isRecording: true)
            let q = Variable(Tensor(zeros: tokens, 12))
            let kv = Variable(Tensor(zeros: tokens, 16))
            let out = attend(
                tape, q, keysValues: kv, shared: Variable(Tensor(zeros: tokens, 4)), shape: shape)
            out.receiveGradient(Tensor(zeros: tokens, 8))
            tape.backward()
            #expect(TensorMemory.reservedBytes < 12 << 20)
        }
    }
}

private struct AttentionCase {
    let tokens: Int
    let sequences: Int
    let heads: Int
    let keyWidth: Int
    let sharedWidth: Int
    let valueWidth: Int

    /// Lengths around the sizes of the blocks of queries (56) and keys (256).
    static let all: [AttentionCase] = [
        AttentionCase(tokens: 1, sequences: 3, heads: 2, keyWidth: 16, sharedWidth: 8, valueWidth: 24),
        AttentionCase(tokens: 5, sequences: 2, heads: 3, keyWidth: 6, sharedWidth: 0, valueWidth: 10),
        AttentionCase(tokens: 56, sequences: 2, heads: 2, keyWidth: 4, sharedWidth: 2, valueWidth: 33),
        AttentionCase(tokens: 57, sequences: 1, heads: 2, keyWidth: 34, sharedWidth: 6, valueWidth: 7),
        AttentionCase(tokens: 255, sequences: 1, heads: 1, keyWidth: 6, sharedWidth: 2, valueWidth: 5),
        AttentionCase(tokens: 256, sequences: 1, heads: 1, keyWidth: 4, sharedWidth: 2, valueWidth: 4),
        AttentionCase(tokens: 257, sequences: 1, heads: 1, keyWidth: 2, sharedWidth: 4, valueWidth: 4),
        AttentionCase(tokens: 300, sequences: 1, heads: 1, keyWidth: 4, sharedWidth: 0, valueWidth: 3),
        AttentionCase(tokens: 520, sequences: 1, heads: 1, keyWidth: 4, sharedWidth: 2, valueWidth: 4),
    ]

    var scale: Float { 1.5 / Float(keyWidth + sharedWidth).squareRoot() }

    struct Inputs {
        let q: Tensor
        let keysValues: Tensor
        let shared: Tensor?
        let dOut: Tensor
    }

    /// Results by name, each with the sums of magnitudes that bound its rounding.
    struct Reference {
        var out: Matrix, outTerms: Matrix
        var dQ: Matrix, dQTerms: Matrix
        var dKV: Matrix, dKVTerms: Matrix
        var dShared: Matrix, dSharedTerms: Matrix
    }

    func inputs(_ type: ElementType) -> Inputs {
        var numbers = Numbers(UInt64(tokens))
        let rows = sequences * tokens
        return Inputs(
            q: numbers.tensor(rows, heads * (keyWidth + sharedWidth), type: type),
            keysValues: numbers.tensor(rows, heads * (keyWidth + valueWidth), type: type),
            shared: sharedWidth == 0 ? nil : numbers.tensor(rows, sharedWidth, type: type),
            dOut: numbers.tensor(rows, heads * valueWidth, type: type))
    }

    func reference(_ type: ElementType) -> Reference {
        let data = inputs(type)
        let (q, kv, dOut) = (Matrix(data.q), Matrix(data.keysValues), Matrix(data.dOut))
        let shared = data.shared.map { Matrix($0) } ?? Matrix(zeros: q.rows, 0)
        let (zeroOut, zeroQ) = (Matrix(zeros: dOut.rows, dOut.columns), Matrix(zeros: q.rows, q.columns))
        let (zeroKV, zeroShared) = (Matrix(zeros: kv.rows, kv.columns), Matrix(zeros: q.rows, sharedWidth))
        var r = Reference(
            out: zeroOut, outTerms: zeroOut, dQ: zeroQ, dQTerms: zeroQ, dKV: zeroKV, dKVTerms: zeroKV,
            dShared: zeroShared, dSharedTerms: zeroShared)
        let width = keyWidth + sharedWidth
        for sequence in 0..<sequences {
            for head in 0..<heads {
                let (first, keyColumn) = (sequence * tokens, head * (keyWidth + valueWidth))
                let (queryColumn, valueColumn) = (head * width, head * valueWidth)
                for i in first..<first + tokens {
                    var weights: [Double] = []
                    for j in first...i {
                        var dot = 0.0
                        for c in 0..<keyWidth { dot += q[i, queryColumn + c] * kv[j, keyColumn + c] }
                        for c in 0..<sharedWidth { dot += q[i, queryColumn + keyWidth + c] * shared[j, c] }
                        weights.append(exp(dot * Double(scale)))
                    }
                    let total = weights.reduce(0, +)
                    var (delta, deltaTerms) = (0.0, 0.0)
                    for c in 0..<valueWidth {
                        let column = valueColumn + c
                        for j in first...i {
                            let term = weights[j - first] / total * kv[j, keyColumn + keyWidth + c]
                            r.out[i, column] += term
                            r.outTerms[i, column] += abs(term)
                        }
                        delta += r.out[i, column] * dOut[i, column]
                        deltaTerms += r.outTerms[i, column] * abs(dOut[i, column])
                    }
                    for j in first...i {
                        let p = weights[j - first] / total
                        var (dP, dPTerms) = (0.0, 0.0)
                        for c in 0..<valueWidth {
                            let d = dOut[i, valueColumn + c]
                            let column = keyColumn + keyWidth + c
                            dP += d * kv[j, column]
                            dPTerms += abs(d * kv[j, column])
                            r.dKV[j, column] += p * d
                            r.dKVTerms[j, column] += abs(p * d)
                        }
                        let dS = p * (dP - delta) * Double(scale)
                        let terms = p * (dPTerms + deltaTerms) * Double(scale)
                        for c in 0..<width {
                            let column = queryColumn + c
                            let key = c < keyWidth ? kv[j, keyColumn + c] : shared[j, c - keyWidth]
                            r.dQ[i, column] += dS * key
                            r.dQTerms[i, column] += terms * abs(key)
                            if c < keyWidth {
                                r.dKV[j, keyColumn + c] += dS * q[i, column]
                                r.dKVTerms[j, keyColumn + c] += terms * abs(q[i, column])
                            } else {
                                r.dShared[j, c - keyWidth] += dS * q[i, column]
                                r.dSharedTerms[j, c - keyWidth] += terms * abs(q[i, column])
                            }
                        }
                    }
                }
            }
        }
        return r
    }

    func check(_ type: ElementType, _ expected: Reference) {
        let data = inputs(type)
        let (q, kv) = (Variable(data.q), Variable(data.keysValues))
        let shared = data.shared.map { Variable($0) }
        let tape = Tape(computeType: type, isRecording: true)
        let shape = AttentionShape(
            heads: heads, keyWidth: keyWidth, sharedWidth: sharedWidth, valueWidth: valueWidth, scale: scale)
        let out = attend(tape, q, keysValues: kv, shared: shared, shape: shape, sequences: sequences)
        out.receiveGradient(data.dOut)
        tape.backward()
        // In bfloat16 the weights and the scores' gradients are rounded before they are multiplied.
        let rounding = 1.0 / 200
        let tolerance =
            type == .float32 ? Tolerance(terms: 4e-6, value: 2e-6) : Tolerance(terms: rounding, value: rounding)
        let label = "attention over \(tokens) tokens, \(type)"
        expectClose(out.value, expected.out, terms: expected.outTerms, tolerance, label)
        expectClose(q.gradient, expected.dQ, terms: expected.dQTerms, tolerance, "dq of \(label)")
        expectClose(kv.gradient, expected.dKV, terms: expected.dKVTerms, tolerance, "dk and dv of \(label)")
        if let shared {
            expectClose(
                shared.gradient, expected.dShared, terms: expected.dSharedTerms, tolerance, "dshared of \(label)")
        }
    }
}
