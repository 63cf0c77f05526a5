import MinkeFiles
import MinkeModel
import MinkeTensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The size, batch and schedule of a run that makes the best of a time on a machine, and why.
///
/// The rule is one figure from runs and two that others published; `docs/RECIPE.md` has the runs, and
/// `Scripts/tune.py sizes` repeats them:
///
/// * Of all depths and widths, those whose run reads nearest to ``tokensPerParameter`` tokens for each active parameter of the
///   body.
/// * A text is read at most ``mostEpochs`` times (arXiv 2305.16264); a budget beyond that goes into a larger model.
/// * Tokens of a step grow with the 0.38th power of the tokens of the run (nanochat's measurement).
public struct AutomaticRecipe: Sendable {
    /// What the rule needs to know of a machine.
    public struct Machine: Sendable {
        /// Peaks of all threads, in operations a second.
        public let float32: Double
        public let bfloat16: Double
        public let memoryBytes: Int

        public init(float32: Double, bfloat16: Double, memoryBytes: Int) {
            self.float32 = float32
            self.bfloat16 = bfloat16
            self.memoryBytes = memoryBytes
        }

        /// This machine, measured now.
        public static func measured() -> Machine {
            Machine(
                float32: CPU.shared.measuredPeak(.float32), bfloat16: CPU.shared.measuredPeak(.bfloat16),
                memoryBytes: ResourceMeter.physicalMemoryBytes())
        }

        /// bfloat16 where it is faster; both learn equally well.
        public var precision: RunConfiguration.Precision { bfloat16 > 1.2 * float32 ? .bfloat16 : .float32 }
        var peak: Double { precision == .bfloat16 ? bfloat16 : float32 }

        /// Operations a second that training steps of these sizes reach: a quarter of the peak, which counts as two and a
        /// half times that of float32 at most, since tiles do not speed up what surrounds products. Measured with tiles
        /// whose peak is fourteen times that of float32: 0.6 times the float32 peak in preset `memory` of two layers.
        var throughput: Double { min(peak, 2.5 * float32) / 4 }
    }

    /// The run.
    public let configuration: RunConfiguration
    /// One paragraph that says what was chosen and why.
    public let reason: String

    /// Tokens for each active parameter of the body at which a budget goes furthest.
    static let tokensPerParameter = 40.0
    static let mostEpochs = 4.0
    private static let depths = 1...16

    /// - Parameters:
    ///   - seconds: training time.
    ///   - textBytes: bytes of the text to train on.
    ///   - depth: layers, if they are given and only the rest is to be chosen.
    ///   - hasMemory: whether the model may have tables of n-grams, with which nothing but Minke runs it.
    public init(
        seconds: Double, textBytes: Int, machine: Machine, depth: Int? = nil, hasMemory: Bool = false
    ) throws {
        guard seconds > 0, seconds < 1e9 else { throw InputError("--max-seconds must lie between 0 and 1e9") }
        let operations = seconds * machine.throughput
        var candidates: [Candidate] = []
        for depth in depth.map({ $0...$0 }) ?? Self.depths {
            for width in [64 * depth, 64 * depth + 64] {
                let candidate = Candidate(
                    depth: depth, width: width, operations: operations, textBytes: textBytes, hasMemory: hasMemory)
                let tokensPerPass = candidate.run.batchSize * candidate.run.sequenceLength
                let bytes = ModelCosts(candidate.run.model).trainingBytes(tokensPerPass: tokensPerPass)
                if bytes < 0.7 * Double(machine.memoryBytes) || candidates.isEmpty { candidates.append(candidate) }
            }
        }
        guard let chosen = candidates.min(by: { $0.distance < $1.distance }) else {
            preconditionFailure("there is a candidate of every depth")
        }
        var run = chosen.run
        run.precision = machine.precision
        configuration = run
        reason = Self.reason(
            chosen, seconds: seconds, operations: operations, textBytes: textBytes, machine: machine,
            depthIsGiven: depth != nil)
    }

    /// A depth and a width with what the budget allows them.
    private struct Candidate {
        var run: RunConfiguration
        let parameters: Double
        let tokens: Double
        let epochs: Double
        /// How far the run is from what is best, as a logarithm.
        let distance: Double

        init(depth: Int, width: Int, operations: Double, textBytes: Int, hasMemory: Bool) {
            run = hasMemory ? Preset.memory(depth: depth, width: width) : Preset.sparse(depth: depth, width: width)
            // A model that is small beside its head spends its time better on a small vocabulary.
            run.tokenizerVocabulary = hasMemory || depth == 1 || textBytes < 4 << 20 ? 1024 : 4096
            run.model.vocabSize = run.tokenizerVocabulary
            if width < 128 {
                // Experts this narrow do not earn what routing costs.
                run.model.nRoutedExperts = 0
                run.model.nSharedExperts = 0
                run.model.numExpertsPerTok = 0
                run.model.firstKDenseReplace = depth
            }
            let costs = ModelCosts(run.model)
            let vocabulary = Double((run.model.vocabSize + 1) * run.model.hiddenSize)
            let rows = Double(run.model.extensions.ngramOrders.count * run.model.hiddenSize)
            parameters = max(1, Double(costs.activeParameters) - vocabulary - rows)
            tokens = operations / costs.trainingFLOPs(length: run.sequenceLength)
            epochs = tokens * bytesPerToken(vocabulary: run.tokenizerVocabulary) / Double(max(1, textBytes))
            // A model twice as large reads half the tokens, a quarter for each parameter: repeating a text has to count more.
            distance =
                abs(log(tokens / parameters / AutomaticRecipe.tokensPerParameter))
                + max(0, log(epochs / AutomaticRecipe.mostEpochs)) * 4
            run.sequenceLength = tokens < 2e6 ? 128 : 256
            let exponent = (log2(17 * pow(max(1, tokens), 0.38))).rounded()
            let tokensPerStep = 1 << Int(min(16, max(10, exponent)))
            run.batchSize = max(1, tokensPerStep / run.sequenceLength)
            run.steps = max(20, Int(min(1e9, tokens / Double(run.tokensPerStep))))
            run.schedule.warmupSteps = min(50, run.steps / 50)
            run.schedule.decayFraction = 0.7
            if !hasMemory { run.optimizer.decay = 0.01 }
            run.sampleInterval = 0
            run.evaluationInterval = max(1, run.steps / 8)
            run.evaluationTokens = 65_536
        }
    }

    private static func reason(
        _ chosen: Candidate, seconds: Double, operations: Double, textBytes: Int, machine: Machine, depthIsGiven: Bool
    ) -> String {
        let run = chosen.run
        let model = run.model
        let experts =
            model.nRoutedExperts == 0
            ? "without experts, which at this size cost more than they save"
            : "\(model.nRoutedExperts) experts a layer of which a token takes \(model.numExpertsPerTok) and one that all "
                + "share"
        let layers = model.numHiddenLayers == 1 ? "one layer" : "\(model.numHiddenLayers) layers"
        let memory =
            model.extensions.hasTables
            ? ", and tables of \(HumanFormat.count(Double(model.extensions.ngramTableRows))) rows for pairs and for triples "
                + "of tokens" : ""
        let epochs =
            chosen.epochs > mostEpochs
            ? "more often than the \(Int(mostEpochs)) times that a text teaches nearly as much as new text would: more "
                + "text would help"
            : "no more than the \(Int(mostEpochs)) times that a text teaches nearly as much as new text would"
        return """
            \(HumanFormat.duration(seconds)) on this machine are about \(HumanFormat.count(operations)) operations: \
            \(machine.precision.rawValue) peaks at \(HumanFormat.count(machine.peak)) a second, of which training gets \
            \(Int((machine.throughput / machine.peak * 100).rounded())) %. \
            \(depthIsGiven ? "With the depth as given" : "Spent best"), that is \(layers) of width \
            \(model.hiddenSize), \(experts)\(memory): \(HumanFormat.count(chosen.parameters)) active parameters besides embedding \
            and head read about \(HumanFormat.count(chosen.tokens)) tokens, \
            \(HumanFormat.fixed(chosen.tokens / chosen.parameters, 1)) for each parameter (best in our runs: \
            \(HumanFormat.fixed(tokensPerParameter, 0))). The text of \(HumanFormat.bytes(textBytes)) is read \
            \(HumanFormat.fixed(chosen.epochs, 1)) times, \(epochs). A step takes \(run.batchSize) × \
            \(run.sequenceLength) tokens, so that there are about \(HumanFormat.grouped(run.steps)); the learning rate \
            falls over the last \(Int(run.schedule.decayFraction * 100)) %. The number of steps is corrected to the time \
            that they really take.
            """
    }
}

/// Bytes of text to a token of a tokenizer trained on prose: about 2.6 with 1,024 tokens, 3.4 with 4,096.
private func bytesPerToken(vocabulary: Int) -> Double { vocabulary < 2048 ? 2.6 : 3.4 }

extension Corpus {
    /// About how many bytes of text there are: the sizes of the files, compressed ones counted as 2.6 times as much.
    public var approximateBytes: Int {
        let bytes = sources.reduce(0.0) { $0 + Double($1.size) * ($1.kind.isCompressed ? 2.6 : 1) }
        return Int(min(bytes, Double(options.maximumBytes ?? Int.max / 2)))
    }
}
