import Foundation
import Testing

@testable import MinkeTensors

@Suite struct RoutingTests {
    @Test func matchesDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                guard type == .float32 else { return }
                for rule in rules { checkRouting(rule) }
            }
        }
    }

    @Test func movementMatchesDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                for width in [1, 33, 300] { checkMovement(width: width, type: type) }
            }
        }
    }

    @Test func tiesGoToTheLowerIndex() {
        for usesSigmoid in [true, false] {
            let rule = RoutingRule(
                experts: 6, topK: 3, usesSigmoid: usesSigmoid, ranksGroupsByTopTwo: false, normalizes: true, scale: 1)
            let logits = Tensor([0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0], rows: 2, columns: 6)
            let routing = Tape().route(Variable(logits), bias: nil, rule: rule)
            #expect(routing.experts == [0, 1, 2, 0, 3, 1])
            #expect(routing.loads == [2, 2, 1, 1, 0, 0])
        }
        // Groups that tie: the lower group.
        let rule = RoutingRule(
            experts: 6, topK: 2, groups: 3, topGroups: 1, usesSigmoid: true, ranksGroupsByTopTwo: true,
            normalizes: true, scale: 1)
        let logits = Tensor([0, 0, 0, 2, 2, 0], rows: 1, columns: 6)
        #expect(Tape().route(Variable(logits), bias: nil, rule: rule).experts == [3, 2])
    }

    /// Masking excluded groups with 0 instead of minus infinity would let them win over negative choices.
    @Test func negativeBiasedScoresStayInsideTheChosenGroup() {
        let rule = RoutingRule(
            experts: 4, topK: 2, groups: 2, topGroups: 1, usesSigmoid: true, ranksGroupsByTopTwo: true,
            normalizes: true, scale: 2.5)
        let bias = Parameter("bias", Tensor([-9, -9, -3, -4], rows: 1, columns: 4))
        let routing = Tape().route(
            Variable(Tensor([5, 5, 0, 0], rows: 1, columns: 4)), bias: bias, rule: rule)
        #expect(routing.experts == [2, 3])
        // The bias does not enter the weights.
        #expect(routing.weights.value.values == [1.25, 1.25])
    }

    /// L = α · mean over sequences of Σ fᵢ·Pᵢ, f constant.
    @Test(arguments: [true, false]) func balanceGradientIsThatOfTheBalanceLoss(usesSigmoid: Bool) {
        var numbers = Numbers(31)
        let (experts, topK, tokens, sequences, factor) = (5, 2, 4, 3, Float(0.7))
        let rule = RoutingRule(
            experts: experts, topK: topK, usesSigmoid: usesSigmoid, ranksGroupsByTopTwo: false, normalizes: true,
            scale: 1)
        let logits = numbers.tensor(tokens * sequences, experts, scale: 2)
        let x = Variable(logits)
        let tape = Tape(isRecording: true)
        let routing = tape.route(x, bias: nil, rule: rule, balance: factor, lossScale: 2, sequences: sequences)
        routing.weights.receiveGradient(Tensor(zeros: tokens * sequences, topK))
        tape.backward()

        func loss(_ z: [Double]) -> Double {
            var total = 0.0
            for sequence in 0..<sequences {
                for expert in 0..<experts {
                    let rows = sequence * tokens..<(sequence + 1) * tokens
                    let chosen = rows.reduce(0) {
                        $0 + routing.experts[$1 * topK..<($1 + 1) * topK].filter { $0 == expert }.count
                    }
                    let share = rows.reduce(0.0) {
                        let scores = z[$1 * experts..<($1 + 1) * experts].map {
                            usesSigmoid ? 1 / (1 + exp(-$0)) : exp($0)
                        }
                        return $0 + scores[expert] / scores.reduce(0, +)
                    }
                    total += Double(experts) / Double(topK * tokens) * Double(chosen) * share / Double(tokens)
                }
            }
            return 2 * Double(factor) * total / Double(sequences)
        }
        let z = logits.values.map { Double($0) }
        var expected = Matrix(zeros: logits.rows, experts)
        for index in z.indices {
            var (up, down) = (z, z)
            up[index] += 1e-5
            down[index] -= 1e-5
            expected.values[index] = (loss(up) - loss(down)) / 2e-5
        }
        expectClose(x.gradient, expected, terms: expected.map { _ in 1 }, .init(terms: 1e-6, value: 1e-5), "balance")
    }
}

private let rules: [RoutingRule] = [
    // The three routers of the family: V2-Lite, V2 (groups by their best), V3 (biased sigmoid, groups by two).
    RoutingRule(
        experts: 64, topK: 6, usesSigmoid: false, ranksGroupsByTopTwo: false, normalizes: false, scale: 1),
    RoutingRule(
        experts: 40, topK: 6, groups: 8, topGroups: 3, usesSigmoid: false, ranksGroupsByTopTwo: false,
        normalizes: false, scale: 16),
    RoutingRule(
        experts: 64, topK: 8, groups: 8, topGroups: 4, usesSigmoid: true, ranksGroupsByTopTwo: true,
        normalizes: true, scale: 2.5),
    RoutingRule(
        experts: 7, topK: 7, usesSigmoid: true, ranksGroupsByTopTwo: false, normalizes: true, scale: 1),
    RoutingRule(
        experts: 4, topK: 1, groups: 4, topGroups: 2, usesSigmoid: true, ranksGroupsByTopTwo: true,
        normalizes: false, scale: 3),
]

private func checkRouting(_ rule: RoutingRule) {
    var numbers = Numbers(UInt64(rule.experts))
    let tokens = 70
    let bias = rule.usesSigmoid ? numbers.parameter(1, rule.experts) : nil
    let x = Variable(numbers.tensor(tokens, rule.experts, scale: 3))
    let tape = Tape(isRecording: true)
    let routing = tape.route(x, bias: bias, rule: rule)
    let dWeights = numbers.tensor(tokens, rule.topK)
    routing.weights.receiveGradient(dWeights.converted(to: .bfloat16).converted(to: .float32))
    let received = Matrix(routing.weights.gradient ?? dWeights)
    tape.backward()
    let (z, biases) = (Matrix(x.value), bias?.value.values.map { Double($0) })
    var scores = Matrix(zeros: tokens, rule.experts)
    var weights = Matrix(zeros: tokens, rule.topK)
    var dLogits = Matrix(zeros: tokens, rule.experts)
    var chosen: [Int32] = []
    for token in 0..<tokens {
        var s = (0..<rule.experts).map { rule.usesSigmoid ? 1 / (1 + exp(-z[token, $0])) : exp(z[token, $0]) }
        if !rule.usesSigmoid {
            let sum = s.reduce(0, +)
            s = s.map { $0 / sum }
        }
        let choice = s.indices.map { s[$0] + (biases?[$0] ?? 0) }
        let size = rule.experts / rule.groups
        let groupScores = (0..<rule.groups).map { group in
            choice[group * size..<(group + 1) * size].sorted(by: >).prefix(rule.ranksGroupsByTopTwo ? 2 : 1).reduce(
                0, +)
        }
        let kept = groupScores.indices.sorted { groupScores[$0] > groupScores[$1] }.prefix(rule.topGroups)
        let best = choice.indices.filter { kept.contains($0 / size) }.sorted { choice[$0] > choice[$1] }
            .prefix(rule.topK)
        chosen += best.map { Int32($0) }
        let sum = best.reduce(0) { $0 + s[$1] }
        let factor = Double(rule.scale) / (rule.normalizes ? sum : 1)
        var ds = [Double](repeating: 0, count: rule.experts)
        let mixed = best.enumerated().reduce(0) { $0 + s[$1.element] * factor * received[token, $1.offset] }
        for (j, expert) in best.enumerated() {
            weights[token, j] = s[expert] * factor
            ds[expert] =
                rule.normalizes
                ? (Double(rule.scale) * received[token, j] - mixed) / sum : Double(rule.scale) * received[token, j]
        }
        let mean = (0..<rule.experts).reduce(0) { $0 + s[$1] * ds[$1] }
        for expert in 0..<rule.experts {
            scores[token, expert] = s[expert]
            dLogits[token, expert] =
                rule.usesSigmoid ? ds[expert] * s[expert] * (1 - s[expert]) : s[expert] * (ds[expert] - mean)
        }
    }
    let label = "routing to \(rule.topK) of \(rule.experts)"
    #expect(routing.experts == chosen, "\(label) on \(CPU.shared.instructionSet)")
    let tolerance = Tolerance(terms: 4e-6, value: 4e-6)
    expectClose(routing.scores, scores, tolerance, "scores of \(label)")
    expectClose(routing.weights.value, weights, tolerance, "weights of \(label)")
    expectClose(x.gradient, dLogits, terms: dLogits.map { _ in Double(rule.scale) }, tolerance, "gradient of \(label)")
}

/// Tokens sent to experts and mixed again, some experts without any.
private func checkMovement(width: Int, type: ElementType) {
    var numbers = Numbers(UInt64(width + 5))
    let (tokens, experts, topK) = (70, 9, 3)
    let rule = RoutingRule(
        experts: experts, topK: topK, usesSigmoid: true, ranksGroupsByTopTwo: false, normalizes: true, scale: 1)
    let logits = Tensor(
        (0..<tokens * experts).map { $0 % experts == 4 ? -9 : numbers.next() }, rows: tokens, columns: experts)
    let tape = Tape(computeType: type, isRecording: true)
    let routing = tape.route(Variable(logits), bias: nil, rule: rule)
    let x = Variable(numbers.tensor(tokens, width, type: type), gradientType: .float32)
    let residual = Variable(numbers.tensor(tokens, width))
    let sent = tape.dispatch(x, routing)
    let out = tape.combine(sent, routing, addedTo: residual)
    let dOut = numbers.tensor(tokens, width)
    out.receiveGradient(dOut.converted(to: .bfloat16).converted(to: .float32))
    let (a, d, w) = (Matrix(x.value), Matrix(out.gradient ?? dOut), Matrix(routing.weights.value))
    var (rows, seen) = ([Matrix](), [Int](repeating: 0, count: experts))
    // The order of slots: by expert, then by token.
    for expert in 0..<experts {
        for token in 0..<tokens where routing.experts[token * topK..<(token + 1) * topK].contains(Int32(expert)) {
            rows.append(a.rows(token..<token + 1))
            seen[expert] += 1
        }
    }
    let label = "width \(width), \(type)"
    #expect(routing.loads == seen && seen[4] == 0)
    expectClose(
        sent.value, Matrix(tokens * topK, width, rows.flatMap(\.values)), .init(terms: 0, value: 0), "sent, \(label)")
    // Every expert returns its input, so that the mixture is Σ w · x.
    var (expected, dX, dWeights) = (Matrix(residual.value), Matrix(zeros: tokens, width), Matrix(zeros: tokens, topK))
    for token in 0..<tokens {
        let sum = (0..<topK).reduce(0) { $0 + w[token, $1] }
        for i in 0..<width {
            expected[token, i] += sum * a[token, i]
            dX[token, i] = sum * d[token, i]
            for j in 0..<topK { dWeights[token, j] += d[token, i] * a[token, i] }
        }
    }
    let ones = expected.map { _ in 2 }
    expectClose(out.value, expected, terms: ones, .sums(storedIn: .float32), "mixture, \(label)")
    // The router's own step would use up the gradient of the weights: a second tape without it shows that gradient.
    let again = Routing(
        experts: routing.experts, weights: Variable(routing.weights.value), scores: routing.scores,
        expertCount: experts, topK: topK)
    let reading = Tape(computeType: type, isRecording: true)
    let mixed = reading.combine(Variable(sent.value), again, addedTo: Variable(residual.value))
    mixed.receiveGradient(out.gradient ?? dOut)
    reading.backward()
    expectClose(
        again.weights.gradient, dWeights, terms: dWeights.map { _ in Double(width) }, .sums(storedIn: .float32),
        "dw, \(label)")
    tape.backward()
    expectClose(
        x.gradient, dX, terms: ones, .init(terms: type == .bfloat16 ? 1.0 / 250 : 2e-6, value: 0), "dx, \(label)")
    #expect(residual.gradient?.values == d.values.map { Float($0) })
}
