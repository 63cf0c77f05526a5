import MinkePlanning
import Testing

@Suite struct ScalingLawTests {
    struct Row: Sendable {
        let law: ScalingLaw, budget, parameters, tokens, loss: Double
    }

    static let rows = [
        Row(law: .hoffmann, budget: 1e18, parameters: 8.058e7, tokens: 2.068e9, loss: 3.5353),
        Row(law: .hoffmann, budget: 1e20, parameters: 6.449e8, tokens: 2.585e10, loss: 2.5998),
        Row(law: .hoffmann, budget: 5.76e23, parameters: 3.219e10, tokens: 2.982e12, loss: 1.9307),
        Row(law: .epoch, budget: 1e18, parameters: 8.053e7, tokens: 2.070e9, loss: 3.4905),
        Row(law: .epoch, budget: 1e20, parameters: 8.535e8, tokens: 1.953e10, loss: 2.5534),
        Row(law: .epoch, budget: 5.76e23, parameters: 7.225e10, tokens: 1.329e12, loss: 1.9744),
    ]

    /// Four digits: half a unit of the last.
    func agrees(_ value: Double, _ table: Double, digit: Double) -> Bool { (value - table).magnitude <= digit / 2 }

    @Test(arguments: rows) func checkTable(row: Row) {
        let optimum = row.law.optimum(operations: row.budget)
        #expect(Quantity.scientific(optimum.parameters) == Quantity.scientific(row.parameters))
        #expect(Quantity.scientific(optimum.tokens) == Quantity.scientific(row.tokens))
        let loss = row.law.loss(parameters: optimum.parameters, tokens: optimum.tokens)
        #expect(agrees(loss, row.loss, digit: 1e-4))
    }

    @Test func theOptimumIsTheLeastLossOfItsBudget() {
        let law = ScalingLaw.epoch
        let (n, d) = law.optimum(operations: 1e21)
        let least = law.loss(parameters: n, tokens: d)
        for factor in [0.5, 0.9, 1.1, 2] {
            #expect(law.loss(parameters: n * factor, tokens: d / factor) > least)
        }
    }

    @Test func tokensForALossInvertTheLoss() throws {
        let law = ScalingLaw.epoch
        let loss = law.loss(parameters: 7e9, tokens: 2e12)
        let tokens = try #require(law.tokens(parameters: 7e9, loss: loss))
        #expect((tokens / 2e12 - 1).magnitude < 1e-6)
        #expect(law.tokens(parameters: 1e8, loss: loss) == nil, "a small model never gets there")
    }

    @Test func theAnchorReproducesItsPair() throws {
        let anchor = SparseAnchor()
        let shape = try ModelShape(parameters: 17.5e9, active: 0.85e9, layers: 20)
        #expect((anchor.denseEquivalent(shape, exponent: anchor.middle) / 6.1e9 - 1).magnitude < 1e-9)
        #expect(anchor.low < anchor.middle && anchor.middle < anchor.high)
        let dense = try ModelShape(parameters: 7e9, layers: 32)
        #expect(anchor.leverage(dense, exponent: anchor.high) == 1)
    }
}
