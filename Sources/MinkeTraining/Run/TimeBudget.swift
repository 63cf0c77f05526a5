#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Fits the number of steps to a time budget, so that the learning rate has decayed when the time is over.
///
/// The number is corrected after every step, by the speed of this process's latest steps: the schedules follow a batch
/// that grows, and a machine that others use for a while. A run that finds the machine slower at its end would otherwise
/// be cut off with its rate still high, one that finds it faster would leave time unused.
struct TimeBudget {
    let seconds: Double
    /// Most steps, whatever the time allows.
    private let limit: Int
    private var spent: Double
    /// Steps of this process, less the first: it allocates, and the clock starts after it.
    private var done = -1
    /// Steps and the seconds that they took, older ones counting less.
    private var recentSteps = 0.0
    private var recentSeconds = 0.0

    /// Steps before the first fit.
    private static let fewestSteps = 3
    /// Share of the budget after which a step counts by a factor e less.
    private static let horizon = 0.1

    init(seconds: Double, spent: Double, limit: Int?) {
        self.seconds = seconds
        self.spent = spent
        self.limit = limit ?? .max
    }

    func isSpent(_ spent: Double) -> Bool { spent >= seconds }

    /// The steps of the whole run, after step `step` was done at `spent` seconds.
    mutating func fit(step: Int, spent: Double, total: Int) -> Int {
        let taken = spent - self.spent
        self.spent = spent
        done += 1
        guard done > 0 else { return total }
        let weight = exp(-taken / (Self.horizon * seconds))
        recentSteps = recentSteps * weight + 1
        recentSeconds = recentSeconds * weight + taken
        guard done >= Self.fewestSteps else { return total }
        let more = max(0, seconds - spent) * recentSteps / max(1e-6, recentSeconds)
        return min(limit, step + Int(min(1e9, more)))
    }
}
