/// Fits the number of steps to a time budget, so that the learning rate has decayed when the time is over.
///
/// The speed is measured over the steps of this process and the number of steps corrected until the first fifth of the
/// budget is spent; from then on it stays, but the run still ends when the time does.
struct TimeBudget {
    let seconds: Double
    private let spentBefore: Double
    /// Most steps, whatever the time allows.
    private let limit: Int
    private var firstStep: Int?
    private var spentAtFirst = 0.0

    init(seconds: Double, spent: Double, limit: Int?) {
        self.seconds = seconds
        spentBefore = spent
        self.limit = limit ?? .max
    }

    func isSpent(_ spent: Double) -> Bool { spent >= seconds }

    /// The steps of the whole run, after step `step` was done at `spent` seconds.
    mutating func fit(step: Int, spent: Double, total: Int) -> Int {
        guard let firstStep else {
            // The first steps allocate; the clock starts after one.
            firstStep = step
            spentAtFirst = spent
            return total
        }
        let done = step - firstStep
        guard done >= 3, spent - spentBefore < seconds / 5 || done == 3 else { return total }
        let perStep = (spent - spentAtFirst) / Double(done)
        let more = max(0, seconds - spent) / max(1e-6, perStep)
        return min(limit, step + Int(min(1e9, more)))
    }
}
