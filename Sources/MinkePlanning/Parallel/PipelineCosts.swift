import MinkeFiles

/// How long the chunks of a pipeline take, in any one unit of time.
///
/// A chunk is what one rank does for one micro-batch. The backward pass has two parts: the gradient of the input, which
/// the rank before waits for, and the gradient of the weights, which nobody waits for.
public struct PipelineCosts: Equatable, Sendable {
    /// F, a forward chunk.
    public let forward: Double
    /// B − W, the part of a backward chunk that gives the gradient of its input.
    public let inputGradient: Double
    /// W, the part of a backward chunk that gives the gradient of its weights.
    public let weightGradient: Double
    /// F&B, a forward and a backward chunk that overlap, each computing while the other communicates.
    public let overlapped: Double
    /// What activations or their gradients take from a rank to the next.
    public let transfer: Double

    /// B, a whole backward chunk.
    public var backward: Double { inputGradient + weightGradient }

    /// - Parameters:
    ///   - overlapped: F&B; nil where overlapping gains nothing, F + B.
    ///   - transfer: the time between ranks, during which both compute on.
    /// - Throws: ``InputError`` for a time that is negative or not finite, or for a chunk that takes none.
    public init(
        forward: Double, inputGradient: Double, weightGradient: Double, overlapped: Double? = nil, transfer: Double = 0
    ) throws {
        let overlapped = overlapped ?? forward + inputGradient + weightGradient
        let positive = [
            ("forward", forward), ("input gradient", inputGradient), ("overlapped", overlapped),
        ]
        for (name, time) in positive where !(time > 0 && time <= Self.longest) {
            throw InputError("the \(name) chunk takes \(time)", remedy: "give a time above 0, at most 1e9")
        }
        for (name, time) in [("weight gradient", weightGradient), ("transfer", transfer)]
        where !(time >= 0 && time <= Self.longest) {
            throw InputError("the \(name) takes \(time)", remedy: "give a time of 0 to 1e9")
        }
        self.forward = forward
        self.inputGradient = inputGradient
        self.weightGradient = weightGradient
        self.overlapped = overlapped
        self.transfer = transfer
    }

    private static let longest = 1e9
}
