import MinkeFiles
import MinkeModel
import MinkeTensors

/// One training run from its first step, or from its newest checkpoint, to its end.
///
/// ```swift
/// let data = try TrainingData.prepare(request, configuration: run, folder: "out/data") { print($0) }
/// let summary = try Trainer(run, data: data, options: RunOptions(out: "out")).run()
/// ```
public final class Trainer {
    let configuration: RunConfiguration
    let data: TrainingData
    let options: RunOptions
    let session: TrainingSession
    let costs: ModelCosts
    let display: ProgressDisplay
    private let sampler: BatchSampler
    private let windows: ValidationWindows
    private let store: CheckpointStore
    private let metrics: MetricsLog
    private var meter = ResourceMeter()
    private(set) var state: RunState
    private var budget: TimeBudget?
    private let peak: Double
    private let lock: FolderLock
    /// Steps in a row whose loss or gradients were not finite.
    private var skippedInARow = 0

    /// Builds the model, or restores it from the newest checkpoint of the folder.
    ///
    /// - Throws: ``InputError`` for impossible settings, and when the folder holds a run with other settings or another
    ///   corpus, naming the difference.
    public init(_ requested: RunConfiguration, data: TrainingData, options: RunOptions) throws {
        var configuration = requested
        configuration.model.vocabSize = data.tokenizer.vocabularySize
        configuration.model.bosTokenID = data.tokenizer.bosToken.map { Int($0) }
        configuration.model.eosTokenID = data.tokenizer.eosToken.map { Int($0) }
        try configuration.validate()
        try Trainer.checkMemory(configuration)
        // An earlier run of this process must not count as this one's memory.
        TensorMemory.releaseUnused()
        ResourceMeter.resetPeakMemory()
        self.configuration = configuration
        self.data = data
        self.options = options
        display = ProgressDisplay(quiet: options.isQuiet)
        if configuration.precision.usesCodes && !CPU.shared.hasCodeProducts {
            display.message(
                "warning: this processor has no dot products of 8-bit integers that Minke uses (AVX-512 VNNI): "
                    + "precision=int8 computes the same here, but slower than precision=f32")
        }
        costs = ModelCosts(configuration.model)
        sampler = try BatchSampler(
            stream: data.shards.train, sequenceLength: configuration.sequenceLength, seed: UInt64(configuration.seed))
        windows = try ValidationWindows(
            stream: data.shards.validation, sequenceLength: configuration.sequenceLength,
            tokenByteLengths: data.tokenByteLengths, tokenBudget: configuration.evaluationTokens)
        try FileSystem.createDirectory(options.out)
        lock = try FolderLock(options.out, for: "training")
        try AtomicFile.removeLeftovers(in: options.out)
        store = CheckpointStore(in: options.out)
        let metricsPath = FileSystem.join(options.out, "metrics.jsonl")
        if options.isFresh {
            try store.clear()
            if FileSystem.exists(metricsPath) { try FileSystem.remove(metricsPath) }
        }
        try store.removeUnfinished()
        let found = try store.newest { [display] in display.message("warning: \($0)") }
        if options.mustResume && found == nil {
            throw InputError("there is no checkpoint to resume", at: options.out, remedy: "leave out --resume")
        }
        session = TrainingSession(
            configuration,
            model: try LanguageModel(
                configuration.model,
                weights: .random(seed: UInt64(configuration.seed), configuration.initialization)))
        var state = RunState(totalSteps: configuration.steps)
        if let found {
            if !options.overridesDifferences { try Trainer.check(found.identity, configuration, data, options.out) }
            try store.load(found, into: session)
            state = found.state
            if options.overridesDifferences { state.totalSteps = configuration.steps }
            state.extend(to: options)
            display.message(
                state.isComplete ? "this run is complete" : "resuming at step \(HumanFormat.grouped(state.step))")
        }
        try MetricsLog.truncate(path: metricsPath, throughStep: state.step)
        metrics = try MetricsLog(path: metricsPath)
        budget = options.maximumSeconds.map {
            TimeBudget(seconds: $0, spent: state.trainingSeconds, limit: options.maximumSteps)
        }
        self.state = state
        peak = configuration.precision.measuredPeak
        try AtomicFile.write(
            JSON.object(configuration.json).text(indented: true) + "\n",
            to: FileSystem.join(options.out, "run.json"))
    }

    /// Refuses a run that would not fit, before anything of its size is allocated.
    private static func checkMemory(_ run: RunConfiguration) throws {
        let needed = ModelCosts(run.model).trainingBytes(tokensPerPass: run.batchSize * run.sequenceLength)
        let present = ResourceMeter.physicalMemoryBytes()
        guard needed < Double(present) else {
            throw InputError(
                "training this model needs about \(HumanFormat.bytes(Int(min(needed, 1e18)))) of memory; the machine has "
                    + HumanFormat.bytes(present),
                remedy: "make it smaller (depth, hidden_size, n_routed_experts) or lower batch_size")
        }
    }

    /// What a checkpoint must share with the run that continues it.
    private var identity: JSON {
        ["configuration": .object(configuration.json), "corpus": .string(data.shards.corpusFingerprint)]
    }

    private static func check(
        _ identity: JSON, _ configuration: RunConfiguration, _ data: TrainingData, _ out: String
    ) throws {
        let remedy = "start anew with --fresh, choose another --out, or continue all the same with --override"
        var earlier = configuration
        try earlier.apply(identity["configuration"]?.objectValue ?? [:])
        let differences = configuration.differences(from: earlier)
        if !differences.isEmpty {
            let (now, before) = (configuration.json, earlier.json)
            let list = differences.map { key in
                "\(key) was \(before[key]?.text() ?? "") and is now \(now[key]?.text() ?? "")"
            }
            throw InputError("this run has other settings: \(list.joined(separator: "; "))", at: out, remedy: remedy)
        }
        guard identity["corpus"]?.stringValue == data.shards.corpusFingerprint else {
            throw InputError("this run was trained on another corpus or tokenizer", at: out, remedy: remedy)
        }
    }

    /// Trains to the end, saving on the way; returns early, saved, when interrupted.
    public func run() throws -> RunSummary {
        if options.trapsInterrupts { InterruptTrap.install() }
        let isContinued = !state.isComplete
        let started = meter.read()
        let wallBefore = state.wallSeconds
        let joulesBefore = state.joules
        var lastSave = started.wallSeconds
        var ending = RunSummary.Ending.complete
        while !state.isComplete {
            let isPaused = options.pausesAfterStep.map { state.step >= $0 } ?? false
            if isPaused || (options.trapsInterrupts && InterruptTrap.isInterrupted) {
                ending = .interrupted
                break
            }
            try takeStep()
            let now = meter.read()
            state.wallSeconds = wallBefore + (now - started).wallSeconds
            state.joules = joulesBefore + (now - started).joules
            state.isComplete = state.step >= state.totalSteps || budget?.isSpent(state.trainingSeconds) == true
            if isEvaluationDue {
                try evaluate()
                if let target = options.targetLoss, let loss = state.validationLoss, loss <= target {
                    state.isComplete = true
                    ending = .targetReached
                }
            }
            if configuration.sampleInterval > 0, state.step % configuration.sampleInterval == 0 { try sample() }
            if now.wallSeconds - lastSave > configuration.saveInterval || InterruptTrap.takeSaveRequest() {
                try store.save(state, identity: identity, session: session)
                lastSave = meter.read().wallSeconds
            }
        }
        // Whoever interrupts may not wait long: the work is saved first, and nothing else is computed.
        if ending != .interrupted && isContinued {
            if state.evaluatedStep != state.step { try evaluate() }
            try sample()
        }
        if isContinued { try store.save(state, identity: identity, session: session) }
        display.finish()
        let summary = try makeSummary(ending)
        if options.writesModel {
            session.optimizer.settleDecay()
            try session.model.write(to: options.out)
            try data.writeTokenizer(
                to: options.out, maximumLength: configuration.model.maxPositionEmbeddings)
            try AtomicFile.write(
                try report(summary).html(), to: FileSystem.join(options.out, "report.html"))
        }
        if ending == .interrupted {
            display.message("stopped and saved at step \(state.step); \(options.continuation)")
        }
        return summary
    }

    /// Steps in a row that may be skipped before the run gives up.
    private static let mostSkipped = 10

    /// Whether to evaluate after the step just done: at the configuration's interval, and as often as the options ask.
    private var isEvaluationDue: Bool {
        let interval = configuration.evaluationInterval
        if interval > 0, state.isComplete || state.step % interval == 0 { return true }
        guard options.minimumEvaluations > 0 else { return false }
        // Counted from the last one, since a time budget changes the total from step to step.
        let enough = max(1, state.totalSteps / options.minimumEvaluations)
        return state.isComplete || state.step - (state.evaluatedStep ?? 0) >= enough
    }

    private func takeStep() throws {
        let before = meter.read()
        let samples = configuration.sizes.sequences(
            step: state.step, total: state.totalSteps, full: configuration.batchSize)
        let first = state.samples
        let batches = try (0..<configuration.accumulation).map { pass in
            try batch(samples: (0..<samples).map { first + pass * samples + $0 })
        }
        let outcome = session.advance(batches, total: state.totalSteps, measuresEntropy: state.step % 10 == 0)
        state.step = session.step
        state.samples += samples * configuration.accumulation
        if !outcome.isApplied {
            state.skippedSteps += 1
            skippedInARow += 1
            display.message("warning: step \(state.step) was skipped: its loss or gradients were not finite")
            guard skippedInARow < Self.mostSkipped else {
                throw InputError(
                    "\(skippedInARow) steps in a row were not finite, at step \(state.step)", at: options.out,
                    remedy: "lower learning_rate or muon_learning_rate; the last checkpoint is kept")
            }
        } else {
            skippedInARow = 0
        }
        let used = meter.read() - before
        state.cpuSeconds += used.cpuSeconds
        state.peakMemoryBytes = max(state.peakMemoryBytes, ResourceMeter.peakMemoryBytes())
        state.trainingSeconds += used.wallSeconds
        if var budget {
            state.totalSteps = budget.fit(step: state.step, spent: state.trainingSeconds, total: state.totalSteps)
            self.budget = budget
        }
        let tokens = samples * configuration.accumulation * configuration.sequenceLength
        try log(outcome, tokens: tokens, seconds: used.wallSeconds)
    }

    private func batch(samples: [Int]) throws -> TrainingSession.Batch {
        let length = configuration.sequenceLength
        var tokens = [Int32](repeating: 0, count: samples.count * length)
        var targets = tokens
        try tokens.withUnsafeMutableBufferPointer { tokens in
            try targets.withUnsafeMutableBufferPointer { targets in
                guard let tokens = tokens.baseAddress, let targets = targets.baseAddress else { return }
                for (row, sample) in samples.enumerated() {
                    try sampler.fill(
                        sampleIndex: sample, tokens: tokens + row * length, targets: targets + row * length)
                }
            }
        }
        return (tokens, targets)
    }

    /// Loss over the fixed validation windows.
    private func evaluate() throws {
        let before = meter.read()
        let length = configuration.sequenceLength
        let atOnce = max(1, 8_192 / length)
        var total = 0.0
        var counted = 0
        for first in stride(from: 0, to: windows.count, by: atOnce) {
            let rows = first..<min(windows.count, first + atOnce)
            var tokens = [Int32](repeating: 0, count: rows.count * length)
            var targets = tokens
            try tokens.withUnsafeMutableBufferPointer { tokens in
                try targets.withUnsafeMutableBufferPointer { targets in
                    guard let tokens = tokens.baseAddress, let targets = targets.baseAddress else { return }
                    for (row, index) in rows.enumerated() {
                        try windows.fill(index, tokens: tokens + row * length, targets: targets + row * length)
                    }
                }
            }
            // Not in codes: what counts is the loss of the weights that are written.
            let tape = Tape(computeType: configuration.precision.elementType)
            let loss = session.model.loss(
                tokens, targets: targets, batch: SequenceBatch(sequences: rows.count, length: length), tape)
            total += loss.perToken.reduce(0.0) { $0 + Double($1) }
            counted += tokens.count
        }
        let mean = total / Double(max(1, counted))
        guard mean.isFinite else {
            throw InputError(
                "the validation loss is not finite at step \(state.step)", at: options.out,
                remedy: "lower learning_rate or muon_learning_rate, and start anew with --fresh")
        }
        state.validationLoss = mean
        state.bitsPerByte = windows.bitsPerByte(meanLoss: mean)
        state.evaluatedStep = state.step
        state.evaluationCPUSeconds += (meter.read() - before).cpuSeconds
        var line = costLine
        line["validation_loss"] = .number(mean)
        line["validation_bits_per_byte"] = state.bitsPerByte.map { .number($0) }
        try metrics.append(line)
        let loss = HumanFormat.fixed(mean, 4)
        let bits = HumanFormat.fixed(state.bitsPerByte ?? 0, 3)
        display.message("step \(HumanFormat.grouped(state.step)): validation loss \(loss), \(bits) bits per byte")
    }

    private func sample() throws {
        let text = try TextSample.text(from: session.model, tokenizer: data.tokenizer, seed: configuration.seed)
        var line: JSON.Object = ["step": .integer(state.step)]
        line["sample"] = .string(text)
        try metrics.append(line)
    }

    // MARK: What is written down

    var flopsPerToken: Double { costs.trainingFLOPs(length: configuration.sequenceLength) }
    private var tokens: Int { state.samples * configuration.sequenceLength }

    private var costLine: JSON.Object {
        [
            "step": .integer(state.step), "tokens": .integer(tokens), "cpu_seconds": .number(state.cpuSeconds),
            "seconds": .number(state.trainingSeconds), "flops": .number(Double(tokens) * flopsPerToken),
        ]
    }

    private func log(_ outcome: TrainingSession.Outcome, tokens: Int, seconds: Double) throws {
        let speed = Double(tokens) / max(1e-9, seconds)
        var line = costLine
        line["loss"] = .number(outcome.loss)
        line["gradient_norm"] = .number(outcome.gradientNorm)
        line["rate"] = .number(configuration.schedule.factor(step: state.step - 1, total: state.totalSteps))
        line["tokens_per_second"] = .number(speed)
        line["total_steps"] = .integer(state.totalSteps)
        line["dollars"] = .number(
            options.price.dollars(cpuSeconds: state.cpuSeconds, wallSeconds: state.wallSeconds))
        if !outcome.predictorLosses.isEmpty {
            line["mtp_losses"] = .array(outcome.predictorLosses.map { .number($0) })
        }
        if !outcome.loads.isEmpty {
            line["expert_load"] = .object(outcome.loads.json { .array($0.map { .integer($0) }) })
        }
        if !outcome.entropies.isEmpty {
            line["routing_entropy"] = .object(outcome.entropies.json { .number($0) })
        }
        try metrics.append(line)
        let average = state.trainingSeconds / Double(max(1, state.step))
        display.update(
            RunProgress(
                step: state.step, totalSteps: state.totalSteps, loss: outcome.loss, bitsPerByte: state.bitsPerByte,
                tokensPerSecond: speed, flopsPerSecond: speed * flopsPerToken, peakFlopsPerSecond: peak,
                memoryBytes: ResourceMeter.residentMemoryBytes(),
                remainingSeconds: Double(state.totalSteps - state.step) * average,
                dollars: options.price.dollars(cpuSeconds: state.cpuSeconds, wallSeconds: state.wallSeconds)))
    }

    func cost() -> Cost {
        Cost(
            cpuSeconds: state.cpuSeconds, evaluationCPUSeconds: state.evaluationCPUSeconds,
            wallSeconds: state.wallSeconds, flops: Double(tokens) * flopsPerToken, tokens: tokens,
            peakMemoryBytes: state.peakMemoryBytes, joules: state.joules, joulesSource: meter.joulesSource,
            dollars: options.price.dollars(cpuSeconds: state.cpuSeconds, wallSeconds: state.wallSeconds))
    }

    private func makeSummary(_ ending: RunSummary.Ending) throws -> RunSummary {
        RunSummary(
            name: configuration.model.family.isLatent ? "sparse" : "dense", ending: ending, steps: state.step,
            validationLoss: state.validationLoss ?? .nan, bitsPerByte: state.bitsPerByte ?? .nan, cost: cost(),
            tokensPerSecond: Double(tokens) / max(1e-9, state.trainingSeconds),
            parametersTotal: costs.totalParameters, parametersActive: costs.activeParameters, out: options.out,
            curve: try RunHistory(metrics: MetricsLog.read(path: metrics.path)).curve(name: options.out))
    }
}

extension [Int: [Int]] {
    fileprivate func json(_ value: ([Int]) -> JSON) -> JSON.Object {
        keys.sorted().reduce(into: JSON.Object()) { $0[String($1)] = self[$1].map(value) }
    }
}

extension [Int: Double] {
    fileprivate func json(_ value: (Double) -> JSON) -> JSON.Object {
        keys.sorted().reduce(into: JSON.Object()) { $0[String($1)] = self[$1].map(value) }
    }
}
