import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Routed experts in a bounded part of the memory; the others stay on disk and are read when tokens are routed to them.
///
/// An expert of one layer, all its matrices, takes one slot. Used by one thread at a time; reads run on threads of their
/// own. After a failed read nothing is computed any more, and ``error`` says why.
final class ExpertCache {
    /// Where a matrix lies on disk.
    struct Place {
        let file: DirectFile
        let range: Range<Int>
    }

    private struct Entry {
        let layer: Int
        let places: [Place]
        let slotClass: Int
        var slot = -1
        /// The read that is under way.
        var job: ReadJob?
        /// In use by the pass: it must stay.
        var isPinned = false
        /// Read ahead for the next layer.
        var isExpected = false
        /// See ``settle(tokens:)``.
        var rank = -Double.infinity
        /// Tokens of this pass that chose it.
        var tokens = 0
        var lastUse = 0

        var isReady: Bool { slot >= 0 && job == nil }
    }

    /// Slots of one size: layers may be stored in different types.
    private struct SlotClass {
        let bytes: Int
        let memory: AlignedMemory
        /// The expert in each slot, or −1.
        var holders: [Int]
    }

    private let queue = ReadQueue()
    private var entries: [Entry] = []
    private var classes: [SlotClass]
    private var layerCount = 0
    private var statisticsOfUse = ExpertStatistics()

    private var lastLayer = -1
    private var passTokens = 0
    private var usedInPass: [Int] = []
    /// Tokens seen so far.
    private var time = 0
    private var uses = 0

    /// - Throws: ``InputError`` when the memory cannot be had.
    init(_ plan: MemoryPlan) throws {
        classes = try plan.slotClasses.map {
            SlotClass(
                bytes: $0.slotBytes, memory: try AlignedMemory(bytes: $0.slotBytes * $0.slots),
                holders: [Int](repeating: -1, count: $0.slots))
        }
    }

    deinit { queue.stop() }

    /// Why reading ended.
    var error: InputError? { queue.error }

    var statistics: ExpertStatistics {
        var result = statisticsOfUse
        (result.bytesRead, result.readSeconds) = queue.totals
        return result
    }

    /// The bytes of a slot that takes matrices from these ranges.
    static func slotBytes(_ ranges: [Range<Int>]) -> Int { ranges.reduce(0) { $0 + DirectFile.room(for: $1) } }

    /// Takes the next layer's experts. Returns the number of the first.
    func add(layer experts: [[Place]]) -> Int {
        let bytes = experts.map { Self.slotBytes($0.map(\.range)) }.max() ?? 0
        // The plan has a class for the largest expert of every layer.
        let slotClass = classes.firstIndex { $0.bytes >= bytes } ?? classes.count - 1
        defer { layerCount += 1 }
        entries += experts.map { Entry(layer: layerCount, places: $0, slotClass: slotClass) }
        return entries.count - experts.count
    }

    // MARK: Use

    /// Calls `body` with experts that are in memory until all of `used` had their turn, as they come from disk. What is
    /// there is computed while the rest is read; where not all fit, each that is done makes room for another.
    ///
    /// - Parameters:
    ///   - used: experts of one layer, and how many tokens go to each.
    ///   - tokens: tokens of the pass.
    ///   - whileReading: other work of the layer, done after reading has begun.
    /// - Returns: whether all were computed; otherwise ``error`` says why not.
    func process(
        _ used: [(expert: Int, tokens: Int)], tokens: Int, whileReading: () -> Void, _ body: ([Int]) -> Void
    ) -> Bool {
        guard let first = used.first?.expert else {
            whileReading()
            return error == nil
        }
        beginLayer(entries[first].layer, tokens: tokens)
        takeFinished(waits: false)
        var ready: [Int] = []
        var reading: Set<Int> = []
        var waiting: [Int] = []
        for (expert, tokens) in used {
            note(expert, tokens: tokens)
            if entries[expert].isReady {
                ready.append(expert)
            } else if let job = entries[expert].job {
                queue.promote(job)
                reading.insert(expert)
            } else {
                waiting.append(expert)
                continue
            }
            entries[expert].isPinned = true
            statisticsOfUse.hits += entries[expert].isReady ? 1 : 0
            statisticsOfUse.expectedAndUsed += entries[expert].isExpected ? 1 : 0
            entries[expert].isExpected = false
        }
        waiting.reverse()
        cancelExpected()
        var hasOtherWork = true
        while true {
            startReading(&waiting, &reading)
            if hasOtherWork { whileReading() }
            hasOtherWork = false
            if !ready.isEmpty { body(ready.sorted()) }
            for expert in ready { entries[expert].isPinned = false }
            if reading.isEmpty && waiting.isEmpty { return error == nil }
            takeFinished(waits: false)
            ready = reading.filter { entries[$0].isReady }
            if ready.isEmpty {
                startReading(&waiting, &reading)
                let start = ContinuousClock.now
                takeFinished(waits: true)
                statisticsOfUse.waitSeconds += (ContinuousClock.now - start) / .seconds(1)
                ready = reading.filter { entries[$0].isReady }
            }
            if error != nil { return false }
            reading.subtract(ready)
        }
    }

    /// The address of a matrix of an expert in memory.
    func pointer(_ expert: Int, _ matrix: Int) -> UnsafeMutableRawPointer {
        target(expert, matrix) + DirectFile.lead(of: entries[expert].places[matrix].range)
    }

    /// Reads ahead what the next layer will likely want, as far as the disk has nothing else to do.
    func expect(_ experts: [Int]) {
        // A model whose routers cannot be foreseen would only lose slots and reads to wrong guesses.
        let (guesses, right) = (statisticsOfUse.expected, statisticsOfUse.expectedAndUsed)
        guard guesses < Self.trialGuesses || right > guesses / 3 else { return }
        takeFinished(waits: false)
        var jobs: [ReadJob] = []
        for expert in experts {
            guard entries[expert].slot < 0, let job = place(expert, mayTakeExpected: false) else { continue }
            entries[expert].isExpected = true
            statisticsOfUse.expected += 1
            jobs.append(job)
        }
        queue.submit(jobs, isNeeded: false)
    }

    /// Guesses after which it is known whether they are any good.
    private static let trialGuesses = 256

    private func beginLayer(_ layer: Int, tokens: Int) {
        if layer <= lastLayer { settle(tokens: passTokens) }
        lastLayer = layer
        passTokens = tokens
    }

    private func note(_ expert: Int, tokens: Int) {
        statisticsOfUse.requests += 1
        uses += 1
        entries[expert].lastUse = uses
        entries[expert].tokens += tokens
        usedInPass.append(expert)
    }

    private func startReading(_ waiting: inout [Int], _ reading: inout Set<Int>) {
        var jobs: [ReadJob] = []
        while let expert = waiting.last, let job = place(expert, mayTakeExpected: true) {
            waiting.removeLast()
            entries[expert].isPinned = true
            reading.insert(expert)
            jobs.append(job)
        }
        queue.submit(jobs, isNeeded: true)
    }

    private func takeFinished(waits: Bool) {
        for job in queue.takeFinished(waits: waits) { entries[job.expert].job = nil }
    }

    private func cancelExpected() {
        for job in queue.cancelExpected() {
            let expert = job.expert
            classes[entries[expert].slotClass].holders[entries[expert].slot] = -1
            entries[expert].slot = -1
            entries[expert].job = nil
            entries[expert].isExpected = false
            statisticsOfUse.expected -= 1
        }
    }

    // MARK: Slots

    private func target(_ expert: Int, _ matrix: Int) -> UnsafeMutableRawPointer {
        let entry = entries[expert]
        let slot = classes[entry.slotClass]
        return slot.memory.pointer + entry.slot * slot.bytes
            + Self.slotBytes(entry.places.prefix(matrix).map(\.range))
    }

    /// Gives an expert a slot, for which another may have to go. Returns what is to be read into it.
    private func place(_ expert: Int, mayTakeExpected: Bool) -> ReadJob? {
        let kind = entries[expert].slotClass
        guard let slot = freeSlot(kind, mayTakeExpected: mayTakeExpected) else { return nil }
        let evicted = classes[kind].holders[slot]
        if evicted >= 0 {
            entries[evicted].slot = -1
            entries[evicted].isExpected = false
        }
        classes[kind].holders[slot] = expert
        entries[expert].slot = slot
        let job = ReadJob(
            expert: expert,
            pieces: entries[expert].places.enumerated().map {
                ReadJob.Piece(file: $1.file, range: $1.range, target: target(expert, $0))
            })
        entries[expert].job = job
        return job
    }

    /// An empty slot, or that of the expert with the lowest rank; of several the one used last: layers follow each other
    /// in a circle, so that what was just used is needed latest.
    private func freeSlot(_ kind: Int, mayTakeExpected: Bool) -> Int? {
        var best: Int?
        for (slot, holder) in classes[kind].holders.enumerated() {
            if holder < 0 { return slot }
            let entry = entries[holder]
            guard entry.isReady, !entry.isPinned, mayTakeExpected || !entry.isExpected else { continue }
            guard let other = best.map({ entries[classes[kind].holders[$0]] }) else {
                best = slot
                continue
            }
            if (entry.isExpected ? 1 : 0, entry.rank, -entry.lastUse)
                < (other.isExpected ? 1 : 0, other.rank, -other.lastUse)
            {
                best = slot
            }
        }
        return best
    }

    /// Tokens after which a use counts half.
    private static let halfLife = 256.0

    /// Counts the uses of a pass that is over.
    ///
    /// The rank of an expert is the logarithm of its uses, each halved for every 256 tokens since (LRFU; Lee et al.,
    /// IEEE Trans. Computers 50, 2001), up to a summand that is the same for all. Recency alone would drop each layer just
    /// before its turn comes again, since a pass goes through all layers; frequency alone would never forget the last
    /// text. Absent experts keep their rank, so that one that comes often is soon kept. Uses count only after the pass,
    /// lest its first layers push out those that it still needs.
    private func settle(tokens: Int) {
        time += tokens
        let age = Double(time) / Self.halfLife
        for expert in usedInPass where entries[expert].tokens > 0 {
            entries[expert].rank = log2(Double(entries[expert].tokens) + exp2(entries[expert].rank - age)) + age
            entries[expert].tokens = 0
        }
        usedInPass.removeAll(keepingCapacity: true)
    }
}
