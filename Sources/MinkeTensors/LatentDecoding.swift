import CMinkeKernels

extension LayerCache {
    /// Attention of absorbed queries over the latents of their sequences: the rows are keys for every head, and their
    /// first `rank` values are what is mixed (DeepSeek-V2, 2.1.2).
    ///
    /// - Parameters:
    ///   - queries: `float32`, `[caches × new, heads × width]`: for each cache those of its newest rows, in order.
    ///   - scale: factor on the scores.
    /// - Returns: `float32`, `[caches × new, heads × rank]`.
    public static func attendLatent(
        _ queries: Tensor, caches: [LayerCache], heads: Int, rank: Int, scale: Float
    ) -> Tensor {
        precondition(!caches.isEmpty && queries.rows % caches.count == 0 && queries.isContiguous)
        precondition(caches.allSatisfy { $0.width * heads == queries.columns && rank <= $0.width })
        let out = Tensor(uninitialized: queries.rows, heads * rank)
        var waiting = LatentDecoding.groups(tokens: queries.rows / caches.count, heads: heads, caches: caches)[...]
        while !waiting.isEmpty {
            let decoding = LatentDecoding(taking: &waiting, queries: queries, heads: heads, rank: rank, scale: scale)
            decoding.run(into: out)
        }
        return out
    }

    /// The same for one sequence: `queries` are those of its newest rows.
    public func attendLatent(_ queries: Tensor, heads: Int, rank: Int, scale: Float) -> Tensor {
        LayerCache.attendLatent(queries, caches: [self], heads: heads, rank: rank, scale: scale)
    }
}

/// Sixteen queries of one sequence: tokens and heads in the order of memory.
private struct LaneGroup {
    let cache: LayerCache
    /// Number of the sequence.
    let sequence: Int
    /// The first lane, counted over all sequences.
    let firstLane: Int
    let lanes: Int
    /// Rows of the cache that each lane sees; those of missing lanes are 0.
    let limits: [Int32]
    /// Chunks with rows that some lane sees.
    let chunks: Int
    /// Number of the group's first partial result.
    var firstPart = 0
}

/// As many groups as are worked on at once: their partial results are in memory together.
private struct LatentDecoding {
    static let lanes = Int(MinkeLanes)
    /// Bytes of partial results, which long contexts of many queries would make large.
    static let memory = 64 << 20
    /// The most groups for which one task reads a chunk, where there are tasks enough for all threads.
    static let groupsPerTask = 8

    var groups: [LaneGroup] = []
    let queries: Tensor
    let rank: Int
    let scale: Float
    private let width: Int
    private var parts = 0
    private var columns: Int { Int(minkeMixedColumns(Int64(rank))) }

    static func groups(tokens: Int, heads: Int, caches: [LayerCache]) -> [LaneGroup] {
        var groups: [LaneGroup] = []
        for (sequence, cache) in caches.enumerated() {
            for first in stride(from: 0, to: tokens * heads, by: lanes) {
                let count = min(lanes, tokens * heads - first)
                let before = cache.count - tokens
                let limits = (0..<lanes).map { $0 < count ? Int32(before + (first + $0) / heads + 1) : 0 }
                let seen = before + (first + count - 1) / heads + 1
                groups.append(
                    LaneGroup(
                        cache: cache, sequence: sequence, firstLane: sequence * tokens * heads + first, lanes: count,
                        limits: limits, chunks: (seen + LayerCache.chunkRows - 1) / LayerCache.chunkRows))
            }
        }
        return groups
    }

    /// Takes groups from the front until the memory is full, at least one.
    init(taking waiting: inout ArraySlice<LaneGroup>, queries: Tensor, heads: Int, rank: Int, scale: Float) {
        self.rank = rank
        self.scale = scale
        width = queries.columns / heads
        self.queries = queries.reshaped(queries.rows * heads, width)
        let limit = LatentDecoding.memory / (LatentDecoding.lanes * columns * 4)
        while var group = waiting.first, groups.isEmpty || parts + group.chunks <= limit {
            group.firstPart = parts
            parts += group.chunks
            groups.append(group)
            waiting.removeFirst()
        }
    }

    /// Groups of one sequence and a chunk that they read together.
    private struct Task {
        let groups: Range<Int>
        let chunk: Int
    }

    private func tasks() -> [Task] {
        var tasks: [Task] = []
        var first = 0
        let most = max(1, min(LatentDecoding.groupsPerTask, parts / (4 * CPU.shared.threadCount)))
        while first < groups.count {
            var end = first
            while end < min(groups.count, first + most),
                groups[end].sequence == groups[first].sequence
            {
                end += 1
            }
            tasks += (0..<groups[end - 1].chunks).map { Task(groups: first..<end, chunk: $0) }
            first = end
        }
        return tasks
    }

    func run(into out: Tensor) {
        let lanes = LatentDecoding.lanes
        let kernels = CPU.shared.kernels
        let room = LayerCache.roundedUp(parts)
        let mixed = Tensor(uninitialized: room * lanes, columns)
        let tops = Tensor(uninitialized: room, lanes)
        let sums = Tensor(uninitialized: room, lanes)
        // One word a value is enough for either type.
        let packed = Tensor(uninitialized: groups.count, width * lanes)
        CPU.shared.parallel(groups.count) { index in
            let group = groups[index]
            kernels.packLanes(
                queries.pointer(row: group.firstLane).assumingMemoryBound(to: Float.self), Int64(width),
                Int64(group.lanes), Int64(width), packed.pointer(row: index), group.cache.type.computeType.code)
        }
        let tasks = tasks()
        CPU.shared.parallel(tasks.count) { index in
            let task = tasks[index]
            let cache = groups[task.groups.lowerBound].cache
            let scratch = Storage(bytes: cache.chunkScratchBytes)
            withExtendedLifetime(scratch) {
                var chunk = MinkeLatentChunk()
                chunk.rows = cache.chunk(task.chunk, scratch: scratch.pointer)
                chunk.type = cache.type.computeType.code
                chunk.stride = Int64(cache.chunkStride)
                chunk.width = Int64(width)
                chunk.rank = Int64(rank)
                chunk.first = Int64(task.chunk * LayerCache.chunkRows)
                chunk.count = min(Int64(LayerCache.chunkRows), Int64(cache.count) - chunk.first)
                chunk.scale = scale
                for index in task.groups where task.chunk < groups[index].chunks {
                    let part = groups[index].firstPart + task.chunk
                    chunk.queries = UnsafeRawPointer(packed.pointer(row: index))
                    chunk.mixed = mixed.floats + part * lanes * columns
                    chunk.top = tops.floats + part * lanes
                    chunk.sum = sums.floats + part * lanes
                    groups[index].limits.withUnsafeBufferPointer {
                        chunk.limits = $0.baseAddress
                        kernels.attendLatents(&chunk)
                    }
                }
            }
        }
        let rows = out.reshaped(queries.rows, rank)
        CPU.shared.parallel(groups.count * lanes) { task in
            let (index, lane) = task.quotientAndRemainder(dividingBy: lanes)
            let group = groups[index]
            guard lane < group.lanes else { return }
            let first = group.firstPart * lanes + lane
            kernels.mergeChunks(
                mixed.floats + first * columns, Int64(lanes * columns), tops.floats + first, sums.floats + first,
                Int64(lanes), Int64((Int(group.limits[lane]) - 1) / LayerCache.chunkRows + 1), Int64(rank),
                rows.pointer(row: group.firstLane + lane).assumingMemoryBound(to: Float.self))
        }
    }
}
