#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How the learning rate moves over a run, as a factor on its peak.
public struct RateSchedule: Equatable, Sendable {
    public enum Shape: String, Sendable, CaseIterable {
        /// Warm-up, constant, then linear decay over the last part of the run.
        case warmupStableDecay = "wsd"
        /// Warm-up, then half a cosine to the final factor.
        case cosine
        /// Warm-up, then constant.
        case constant
    }

    public var shape: Shape = .warmupStableDecay
    /// Steps over which the rate rises linearly from zero.
    public var warmupSteps = 0
    /// Share of the run over which `warmupStableDecay` decays.
    public var decayFraction: Double = 0.5
    /// Factor at the end.
    public var finalFactor: Double = 0

    public init() {}

    /// The factor for step `step`, counted from 0, of `total`.
    public func factor(step: Int, total: Int) -> Double {
        if step < warmupSteps { return Double(step + 1) / Double(warmupSteps + 1) }
        let left = max(0, Double(total - step)) / Double(max(1, total))
        switch shape {
        case .constant: return 1
        case .warmupStableDecay:
            guard decayFraction > 0, left < decayFraction else { return 1 }
            return finalFactor + (1 - finalFactor) * left / decayFraction
        case .cosine:
            let span = Double(max(1, total - warmupSteps))
            let done = min(1, Double(step - warmupSteps) / span)
            return finalFactor + (1 - finalFactor) * 0.5 * (1 + cos(Double.pi * done))
        }
    }
}
