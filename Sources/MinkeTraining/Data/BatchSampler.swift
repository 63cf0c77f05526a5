import MinkeFiles
import MinkeTensors

/// Training windows in a shuffled order that needs no state but the number of samples taken so far.
///
/// A window is `sequenceLength + 1` consecutive tokens: all but the last are the input, all but the first the targets.
/// Windows lie `sequenceLength` apart, so no token is a target twice in an epoch. Each epoch shifts the windows by an
/// offset of its own and visits each exactly once, in an order of its own. Both follow from the seed and the epoch,
/// hence a sample's window is a function of (seed, sample index) alone: a resumed run continues where it stopped, and
/// workers that share out the sample indices share out the text.
public struct BatchSampler: Sendable {
    public let stream: TokenStream
    public let sequenceLength: Int
    public let seed: UInt64
    /// The number of samples in one epoch.
    ///
    /// It is the same in every epoch. In a long text this leaves up to two windows' worth of tokens at the ends, other
    /// ones each epoch, unvisited.
    public let windowsPerEpoch: Int
    private let offsets: Int

    /// - Throws: ``InputError`` when the text is shorter than one window.
    public init(stream: TokenStream, sequenceLength: Int, seed: UInt64) throws {
        guard sequenceLength > 0, sequenceLength < stream.count else {
            throw InputError(
                "\(stream.count) training tokens do not hold one sequence of \(sequenceLength) and its targets",
                remedy: "use a shorter sequence or more text")
        }
        self.stream = stream
        self.sequenceLength = sequenceLength
        self.seed = seed
        let windows = (stream.count - 1) / sequenceLength
        // One window in sixteen is the most that the freedom to shift may cost.
        windowsPerEpoch = windows > 16 ? windows - 1 : windows
        offsets = min(sequenceLength, stream.count - windowsPerEpoch * sequenceLength)
    }

    /// The place in the stream of the first input token of a sample.
    ///
    /// - Precondition: `sampleIndex` is not negative.
    public func start(ofSample sampleIndex: Int) -> Int {
        precondition(sampleIndex >= 0, "sample \(sampleIndex)")
        let (epoch, slot) = sampleIndex.quotientAndRemainder(dividingBy: windowsPerEpoch)
        var random = CounterRandom(seed: seed, purpose: "window offset", step: epoch)
        let order = CounterRandom(seed: seed, purpose: "window order", step: epoch)
        let window = Permutation(count: windowsPerEpoch, random: order)[slot]
        return random.integer(below: offsets) + window * sequenceLength
    }

    /// Writes the input tokens and the targets of one sample.
    ///
    /// - Parameters:
    ///   - sampleIndex: the number of samples taken before, from the start of the run.
    ///   - tokens: room for `sequenceLength` tokens.
    ///   - targets: room for `sequenceLength` tokens: each the one after the token at its place.
    /// - Throws: ``InputError`` when the stream holds a damaged token.
    public func fill(
        sampleIndex: Int, tokens: UnsafeMutablePointer<Int32>, targets: UnsafeMutablePointer<Int32>
    ) throws {
        try stream.copyWindow(
            from: start(ofSample: sampleIndex), sequenceLength: sequenceLength, tokens: tokens, targets: targets)
    }
}
