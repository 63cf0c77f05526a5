import MinkeGeneration
import MinkeModel
import MinkeTensors

/// Runs the requests of an engine, step by step. A step gives one token to every sequence that decodes, in one pass, and
/// a bounded piece of their prompts to the others, so that neither starves the other.
///
/// What a token gets must not depend on who else is there. So there are two kinds of passes. A piece of a prompt runs
/// alone, and prompts are always cut at the same places: multiples of ``chunk``. Generated tokens run in passes that keep
/// rows apart (``LanguageModel/extend(_:caches:keepsRowsApart:)``), together or one after the other. Whether a token came
/// with the prompt or was generated decides the kind, also when a sequence is computed again.
final class Scheduler: @unchecked Sendable {
    // Everything that changes is only touched on the model's queue.
    let text: TextModel
    let desk: Desk
    /// Tokens that prompt and answer have together at most.
    let limit: Int
    /// Tokens of a prompt in one pass.
    let chunk: Int
    private let places: Int
    private let sharesAcrossScopes: Bool

    var budget: CacheBudget
    var prefixes: PrefixIndex
    /// Sequences that have a cache, the oldest first.
    private(set) var running: [ActiveSequence] = []
    /// Sequences whose turn has come but for whose cache there is no room, the oldest first.
    private(set) var resting: [ActiveSequence] = []
    /// The number of the sequence whose prompt had the last turn.
    private var lastPrompt = -1
    private var served = 0
    /// Whether a prompt ran since its memory was last given back.
    private var ranPrompt = false

    /// What has happened and was not told yet.
    private var untold: [(ticket: Ticket, event: EngineEvent)] = []
    private var ended: [Double] = []
    /// Counters since the last publishing.
    var counted = EngineStatistics()

    init(
        _ text: TextModel, desk: Desk, options: EngineOptions, limit: Int, chunk: Int, budget: CacheBudget
    ) {
        self.text = text
        self.desk = desk
        self.limit = limit
        self.chunk = chunk
        self.budget = budget
        places = max(1, options.maximumSequences)
        sharesAcrossScopes = options.sharesPrefixesAcrossScopes
        prefixes = PrefixIndex(pieceTokens: max(chunk, budget.tokensPerBlock))
    }

    /// Has a step run, and further ones as long as there is work.
    func wake() {
        text.enqueue { model in
            self.step(model)
            if self.desk.continues(hasWork: !self.running.isEmpty || !self.resting.isEmpty) {
                self.wake()
            } else {
                // The caches of those that ended last: a server that nobody asks keeps what it shares and no more.
                TensorMemory.releaseWhenIdle()
            }
        }
    }

    private func step(_ model: LanguageModel) {
        dropCancelled()
        admit(model)
        counted.steps += running.isEmpty ? 0 : 1
        do {
            try decode(model)
            publish()
            try runPrompts(model)
        } catch {
            // Weights could not be read: nothing that was computed since counts.
            for sequence in running + resting { fail(sequence, error) }
        }
        publish()
    }

    // MARK: Coming and going

    private func dropCancelled() {
        let isClosing = desk.isClosing
        for sequence in running + resting where isClosing || sequence.ticket.isCancelled {
            end(sequence, .cancelled)
        }
    }

    /// Gives places to those that rest, and then to those that wait.
    private func admit(_ model: LanguageModel) {
        while running.count < places {
            let sequence: ActiveSequence
            if let oldest = resting.first {
                sequence = oldest
            } else if let ticket = desk.next() {
                served += 1
                do {
                    sequence = try ActiveSequence(ticket, number: served, model: text, limit: limit)
                } catch {
                    // Checked when it was submitted.
                    preconditionFailure("\(error)")
                }
                resting.append(sequence)
            } else {
                return
            }
            guard start(sequence, model) else { return }
            resting.removeFirst()
            running.insert(sequence, at: running.firstIndex { $0.number > sequence.number } ?? running.count)
        }
    }

    /// Gives a sequence its cache, with what is there of its beginning. Returns false where there is no room for the
    /// rest beside what others still need.
    private func start(_ sequence: ActiveSequence, _ model: LanguageModel) -> Bool {
        var node = prefixes.begin(scope: sharesAcrossScopes ? "" : sequence.ticket.request.scope)
        var found = 0
        while let next = longer(node, than: found, of: sequence) {
            node = next
            found += prefixes.pieceTokens
        }
        let promised = running.reduce(0) { $0 + budget.blocks(for: $1.ids.count + 1) - blocks(of: $1) }
        let needed = budget.blocks(for: sequence.ids.count + 1) - budget.blocks(for: found)
        let room = budget.free + prefixes.unused * blocksPerPiece - promised
        guard running.isEmpty || needed <= room else {
            prefixes.release(node)
            return false
        }
        sequence.cache =
            node.cache?.fork(count: found) ?? model.makeCache(capacity: limit, type: text.cacheType)
        sequence.beginning = node
        sequence.sharedTokens = found
        guard sequence.summary.preemptions == 0 else { return true }
        sequence.summary.cachedTokens = found
        counted.promptTokens += sequence.prompt.count
        counted.prefixQueries += sequence.mayReuse ? sequence.prompt.count : 0
        counted.prefixHits += found
        tell(sequence, .started(cachedTokens: found, queued: sequence.summary.queued))
        return true
    }

    /// The beginning one piece longer that is kept for a sequence. Its last token always runs: its logits are needed.
    private func longer(_ node: PrefixIndex.Node, than found: Int, of sequence: ActiveSequence) -> PrefixIndex.Node? {
        let end = found + prefixes.pieceTokens
        guard sequence.mayReuse, end < sequence.prompt.count else { return nil }
        return prefixes.advance(node, piece: sequence.prompt[found..<end])
    }

    /// Takes a piece of the prompt that others have computed meanwhile.
    func adopt(_ sequence: ActiveSequence) -> Bool {
        guard sequence.cachedTokens == sequence.sharedTokens, sequence.ownedBlocks == 0, let node = sequence.beginning,
            let next = longer(node, than: sequence.sharedTokens, of: sequence)
        else { return false }
        sequence.sharedTokens += prefixes.pieceTokens
        sequence.beginning = next
        sequence.cache = next.cache?.fork(count: sequence.sharedTokens)
        if sequence.summary.preemptions == 0 {
            sequence.summary.cachedTokens += prefixes.pieceTokens
            counted.prefixHits += prefixes.pieceTokens
        }
        return true
    }

    /// Keeps a piece of the prompt that the sequence has just completed for others, and shares it with them.
    func share(_ sequence: ActiveSequence) {
        let end = sequence.cachedTokens
        guard end == sequence.sharedTokens + prefixes.pieceTokens, end <= sequence.prompt.count,
            let node = sequence.beginning, let cache = sequence.cache
        else { return }
        let piece = sequence.prompt[sequence.sharedTokens..<end]
        if let next = prefixes.advance(node, piece: piece) {
            // Others were quicker: their rows are the same.
            sequence.beginning = next
            sequence.cache = next.cache?.fork(count: end)
            budget.giveBack(sequence.ownedBlocks)
        } else {
            sequence.beginning = prefixes.insert(cache.fork(count: end), after: node, piece: piece)
            budget.keep(sequence.ownedBlocks)
        }
        sequence.ownedBlocks = 0
        sequence.sharedTokens = end
    }

    private var blocksPerPiece: Int { budget.blocks(for: prefixes.pieceTokens) }
    private func blocks(of sequence: ActiveSequence) -> Int {
        sequence.ownedBlocks + budget.blocks(for: sequence.sharedTokens)
    }

    // MARK: Memory

    /// Takes memory for further tokens of a sequence: what is free, else unused beginnings, else the caches of those that
    /// came last. Returns false where the sequence itself came last and lost its own.
    func reserve(_ tokens: Int, for sequence: ActiveSequence) -> Bool {
        let needed = budget.blocks(for: sequence.cachedTokens + tokens) - blocks(of: sequence)
        guard needed > 0 else { return true }
        while budget.free < needed {
            if prefixes.forgetOldest() {
                budget.forget(blocksPerPiece)
            } else {
                // The one that came first always goes on: alone it has room for all that it may have.
                guard let last = running.last else { return false }
                preempt(last)
                if last === sequence { return false }
            }
        }
        budget.take(needed)
        sequence.ownedBlocks += needed
        return true
    }

    private func preempt(_ sequence: ActiveSequence) {
        release(sequence)
        sequence.summary.preemptions += 1
        sequence.stateSum = []
        counted.preemptions += 1
        resting.insert(sequence, at: resting.firstIndex { $0.number > sequence.number } ?? resting.count)
    }

    private func release(_ sequence: ActiveSequence) {
        running.removeAll { $0 === sequence }
        budget.giveBack(sequence.ownedBlocks)
        if let node = sequence.beginning { prefixes.release(node) }
        sequence.cache = nil
        sequence.beginning = nil
        sequence.ownedBlocks = 0
        sequence.sharedTokens = 0
    }

    // MARK: Turns

    /// The next sequence whose prompt, or what was generated before it lost its cache, has to run.
    func nextPrompt() -> ActiveSequence? {
        let waiting = running.filter { sequence in
            guard !sequence.isDecoding, !sequence.ticket.isCancelled else { return false }
            while adopt(sequence) {}
            return !isBeingComputed(sequence)
        }
        let next = waiting.first { $0.number > lastPrompt } ?? waiting.first
        if let next { lastPrompt = next.number }
        return next
    }

    /// Whether an older sequence works on the very piece that this one needs next, and will share it.
    private func isBeingComputed(_ sequence: ActiveSequence) -> Bool {
        let pieceEnd = sequence.sharedTokens + prefixes.pieceTokens
        guard sequence.mayReuse, sequence.ownedBlocks == 0, pieceEnd < sequence.prompt.count else { return false }
        let piece = sequence.prompt[sequence.sharedTokens..<pieceEnd]
        return running.contains {
            $0.number < sequence.number && $0.beginning === sequence.beginning && !$0.ticket.isCancelled
                && $0.cachedTokens < pieceEnd && $0.prompt.count >= pieceEnd
                && $0.prompt[sequence.sharedTokens..<pieceEnd] == piece
        }
    }

    /// Remembers that a prompt ran, and gives back what its activations took once no prompt is left.
    func tidy(ranPrompt ran: Bool) {
        ranPrompt = ranPrompt || ran
        guard ranPrompt, running.allSatisfy(\.isDecoding) else { return }
        TensorMemory.releaseUnused()
        ranPrompt = false
    }

    // MARK: Telling

    func tell(_ sequence: ActiveSequence, _ event: EngineEvent) { untold.append((sequence.ticket, event)) }

    /// Ends a sequence.
    func end(_ sequence: ActiveSequence, _ reason: EngineSummary.Reason) {
        release(sequence)
        resting.removeAll { $0 === sequence }
        switch reason {
        case .stop, .stopString, .length: counted.completed += 1
        case .cancelled: counted.cancelled += 1
        case .failed: counted.failed += 1
        }
        sequence.summary.reason = reason
        ended.append(sequence.serviceSeconds)
        tell(sequence, .finished(sequence.summary))
    }

    func fail(_ sequence: ActiveSequence, _ error: any Error) { end(sequence, .failed(Self.message(error))) }

    /// Publishes the figures, and only then tells what has happened: who hears of an end finds the place free.
    func publish() {
        let (counted, running, resting) = (counted, running.count, resting.count)
        let (used, held) = (budget.owned + budget.kept, budget.owned + budget.kept - prefixes.unused * blocksPerPiece)
        let tokens = budget.tokensPerBlock
        desk.publish(
            {
                $0.add(counted)
                $0.running = running
                $0.waiting = resting
                $0.cacheTokensUsed = used * tokens
                $0.cacheTokensHeld = held * tokens
            }, finished: ended)
        self.counted = EngineStatistics()
        ended = []
        for (ticket, event) in untold {
            ticket.events.yield(event)
            if case .finished = event { ticket.events.finish() }
        }
        untold = []
    }
}
