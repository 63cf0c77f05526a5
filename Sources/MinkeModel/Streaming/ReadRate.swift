import MinkeCheckpoints
import MinkeFiles
import MinkeTensors

/// How fast a disk gives experts in any order.
public enum ReadRate {
    /// Reads random experts of a checkpoint past the page cache, as many at a time as running the model does.
    ///
    /// - Returns: bytes a second; nil for a model without experts.
    /// - Throws: ``InputError`` when the file cannot be read.
    public static func measure(_ checkpoint: Checkpoint, seconds: Double = 0.5) throws -> Double? {
        let configuration = try checkpoint.modelConfiguration()
        let layers = (0..<configuration.numHiddenLayers).filter(configuration.isSparse)
        guard !layers.isEmpty else { return nil }
        let source = try Source(checkpoint, layers: layers, experts: configuration.nRoutedExperts)
        let queue = ReadQueue()
        defer { queue.stop() }
        let buffers = try (0..<2 * ReadQueue.depth).map { _ in try source.buffer() }
        let start = ContinuousClock.now
        queue.submit(try buffers.indices.map { try source.job(buffers[$0], number: $0) }, isNeeded: true)
        var left = buffers.count
        while left > 0 {
            let finished = queue.takeFinished(waits: true)
            if let error = queue.error { throw error }
            let isOver = (ContinuousClock.now - start) / .seconds(1) > seconds
            if isOver { left -= finished.count }
            if !isOver {
                queue.submit(
                    try finished.map { try source.job(buffers[$0.expert], number: $0.expert) }, isNeeded: true)
            }
        }
        let totals = queue.totals
        return Double(totals.bytes) / max(totals.seconds, 1e-9)
    }

    /// Random experts.
    private final class Source {
        private let checkpoint: Checkpoint
        private let layers: [Int]
        private let experts: Int
        private var files: [String: DirectFile] = [:]
        private var random = CounterRandom(seed: 1, purpose: "read rate")

        init(_ checkpoint: Checkpoint, layers: [Int], experts: Int) throws {
            self.checkpoint = checkpoint
            self.layers = layers
            self.experts = experts
        }

        private func places(layer: Int, expert: Int) throws -> [(path: String, range: Range<Int>)] {
            try ["gate_proj", "up_proj", "down_proj"].compactMap {
                try checkpoint.tensor("model.layers.\(layer).mlp.experts.\(expert).\($0).weight").place
            }
        }

        /// Room for any expert.
        func buffer() throws -> AlignedMemory {
            let sizes = try layers.map { layer in
                try places(layer: layer, expert: 0).reduce(0) { $0 + $1.range.count + 2 * DirectFile.alignment }
            }
            return try AlignedMemory(bytes: sizes.max() ?? 0)
        }

        func job(_ buffer: AlignedMemory, number: Int) throws -> ReadJob {
            var target = buffer.pointer
            let places = try places(
                layer: layers[random.integer(below: layers.count)], expert: random.integer(below: experts))
            let pieces = try places.map { place in
                let file = try files[place.path] ?? DirectFile(path: place.path)
                files[place.path] = file
                defer { target += DirectFile.room(for: place.range) }
                return ReadJob.Piece(file: file, range: place.range, target: target)
            }
            return ReadJob(expert: number, pieces: pieces)
        }
    }
}
