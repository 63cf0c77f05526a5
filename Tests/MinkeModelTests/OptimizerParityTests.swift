import MinkeFiles
import MinkeModel
import MinkeTensors
import Testing

/// Muon and the balancing rule against their references.
@Suite(.serialized) struct OptimizerParityTests {
    @Test(arguments: [ElementType.float32, .bfloat16]) func muon(precision: ElementType) throws {
        guard let folder = Fixtures.folder("train_muon") else { return }
        let file = try Fixtures.file(folder, "muon")
        for matrix in 0..<5 {
            let name = "m\(matrix)"
            let shape = try #require(file.tensor("\(name).param_0")).shape
            let value = Tensor(try file.values("\(name).param_0"), rows: shape[0], columns: shape[1])
            let momentum = Tensor(zeros: shape[0], shape[1])
            let muon = Muon(rate: 0.02, decay: 0.1, precision: precision)
            // 0.05 on the direction, for iterations in bfloat16; the update scales it.
            let size = Float(max(shape[0], shape[1])).squareRoot()
            let perStep: Float = (precision == .float32 ? 1e-4 : 0.05) * 0.02 * 0.2 * size
            for step in 1...3 {
                let gradient = Tensor(try file.values("\(name).grad_\(step)"), rows: shape[0], columns: shape[1])
                muon.update([.init(value: value, gradient: gradient, momentum: momentum)], gradientScale: 1)
                #expect(largestDifference(momentum.values, try file.values("\(name).momentum_\(step)")) < 1e-5)
                let difference = largestDifference(value.values, try file.values("\(name).param_\(step)"))
                #expect(difference <= perStep * Float(step) + 1e-6, "\(name) step \(step)")
            }
        }
    }

    @Test func balancingRule() throws {
        guard let folder = Fixtures.folder("train_bias_rule") else { return }
        let file = try Fixtures.file(folder, "bias_rule")
        let rule = RoutingRule(
            experts: 16, topK: 4, groups: 4, topGroups: 2, usesSigmoid: true, ranksGroupsByTopTwo: true,
            normalizes: true, scale: 1)
        let bias = Parameter("bias", Tensor(zeros: 1, 16))
        for step in 1...10 {
            let values = Variable(Tensor(try file.values("step\(step).logits"), rows: 48, columns: 16))
            let routing = Tape().route(values, bias: bias, rule: rule)
            let chosen = (0..<48).flatMap { routing.experts[$0 * 4..<$0 * 4 + 4].sorted() }
            #expect(try chosen == file.ids("step\(step).topk_indices"))
            #expect(try routing.loads.map { Int32($0) } == file.ids("step\(step).load"))
            bias.value.copy(from: BalancingRule.updated(bias.value.values, loads: routing.loads, rate: 0.001))
            #expect(largestDifference(bias.value.values, try file.values("step\(step).bias_after")) < 1e-6)
        }
    }
}
