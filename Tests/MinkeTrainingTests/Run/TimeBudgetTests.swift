import Testing

@testable import MinkeTraining

struct TimeBudgetTests {
    /// Steps until the end, the seconds that they took, and the highest rate factor of the last ten.
    private func run(
        seconds: Double, limit: Int? = nil, cost: (Int) -> Double
    ) -> (steps: Int, spent: Double, rate: Double) {
        var budget = TimeBudget(seconds: seconds, spent: 0, limit: limit)
        let schedule = RateSchedule()
        var (step, spent, total, rates) = (0, 0.0, 2000, [Double]())
        while step < total && !budget.isSpent(spent) {
            rates.append(schedule.factor(step: step, total: total))
            spent += cost(step)
            step += 1
            total = budget.fit(step: step, spent: spent, total: total)
        }
        return (step, spent, rates.suffix(10).max() ?? 1)
    }

    @Test func aSteadyMachineUsesTheTime() {
        let ended = run(seconds: 100) { $0 == 0 ? 3 : 0.1 }
        #expect(abs(ended.spent - 100) <= 0.2)
        #expect(ended.rate < 0.03)
    }

    @Test func aMachineThatGetsFasterUsesTheTimeToo() {
        let ended = run(seconds: 100) { $0 < 400 ? 0.1 : 0.05 }
        #expect(abs(ended.spent - 100) <= 0.2)
        #expect(ended.steps > 1100)
        #expect(ended.rate < 0.03)
    }

    @Test func aMachineThatSlowsDownStillDecaysTheRate() {
        let ended = run(seconds: 100) { $0 < 400 ? 0.1 : 0.3 }
        #expect(abs(ended.spent - 100) <= 0.6)
        #expect(ended.rate < 0.1)
    }

    @Test func longStepsAreFittedAsWell() {
        let ended = run(seconds: 10) { _ in 1.2 }
        #expect(ended.spent <= 10)
        #expect(ended.steps == 8)
    }

    @Test func theLimitHolds() {
        #expect(run(seconds: 100, limit: 50) { _ in 0.1 }.steps == 50)
    }
}
