import CMinkeKernels

/// Products of activations with stored weights, split over the threads.
///
/// Groups of few rows are multiplied with the weights as they lie; for many rows, panels of 32 weight rows are decoded
/// (or brought to 8 bits) by the task that multiplies with them, so that nothing is kept twice in memory.
struct StoredProduct {
    /// Rows of one group for which decoding panels does not pay.
    private static let fewRows = 24

    private let x: Tensor
    private let out: Tensor
    private let base: Tensor?
    private var dots: [Part] = []
    private var panels: [Part] = []

    /// One piece of a weight and the rows of `x` that meet it; its products begin at column `column` of `out`.
    private struct Part {
        let weight: StoredRows
        let rows: Range<Int>
        let column: Int
        let usesIntegers: Bool
    }

    /// out = x·Wᵀ (+ base), for each group of rows with its own W.
    ///
    /// - Parameters:
    ///   - weight: the pieces of the groups' matrices, one below the other; as many for every group.
    ///   - offsets: group g has rows `offsets[g]..<offsets[g + 1]` of `x` and `out`.
    ///   - out: `float32`.
    ///   - base: `float32`, of the shape of `out`.
    ///   - usesIntegers: whether activations may be quantised to 8 bits for blocks of few bits, and to bfloat16 for the
    ///     rest; otherwise products are taken in `float32`.
    ///   - keepsRowsApart: multiplies with the weights as they lie however many rows there are, since panels round
    ///     otherwise.
    static func multiply(
        _ x: Tensor, _ weight: [StoredRows], offsets: [Int], into out: Tensor, base: Tensor? = nil, usesIntegers: Bool,
        keepsRowsApart: Bool = false
    ) {
        var product = StoredProduct(x: x.converted(to: .float32), out: out, base: base)
        product.plan(
            weight, offsets: offsets, usesIntegers: usesIntegers, fewRows: keepsRowsApart ? .max : Self.fewRows)
        product.runDots()
        product.runPanels(narrow: usesIntegers)
    }

    private init(x: Tensor, out: Tensor, base: Tensor?) {
        self.x = x
        self.out = out
        self.base = base
    }

    private mutating func plan(_ weight: [StoredRows], offsets: [Int], usesIntegers: Bool, fewRows: Int) {
        let groups = offsets.count - 1
        let pieces = weight.count / groups
        for group in 0..<groups where offsets[group] < offsets[group + 1] {
            let rows = offsets[group]..<offsets[group + 1]
            var column = 0
            for piece in weight[group * pieces..<(group + 1) * pieces] {
                let part = Part(
                    weight: piece, rows: rows, column: column, usesIntegers: usesIntegers && piece.isBlocked)
                if rows.count <= fewRows { dots.append(part) } else { panels.append(part) }
                column += piece.rows
            }
        }
    }

    /// Some rows of one part's weights. Tasks and the kernels' views of weights hold no references: counting them, on
    /// lines that all threads share, would cost more than a task's arithmetic.
    private struct Task {
        let part: Int
        let rows: Range<Int>
    }

    /// Calls `body` for the parts cut into ranges of weight rows, for the threads to take one by one.
    private static func forEachTask(
        _ parts: [Part], rowsPerTask: Int, _ body: (Task, UnsafePointer<MinkeStored>) -> Void
    ) {
        var tasks: [Task] = []
        for (index, part) in parts.enumerated() {
            for first in stride(from: 0, to: part.weight.rows, by: rowsPerTask) {
                tasks.append(Task(part: index, rows: first..<min(part.weight.rows, first + rowsPerTask)))
            }
        }
        run(tasks, runs: tasks.indices.map { $0..<$0 + 1 }, of: parts, body)
    }

    /// Calls `body` for the parts cut into few long runs, for work that is bound by reading.
    ///
    /// The memory system fetches ahead of each thread, past the end of what it was given; where threads take short pieces
    /// in turn, that is read twice (measured: pieces of 256 rows cost a sixth of the bandwidth). So every thread gets
    /// most of its share in one piece, and what is left is cut finer and finer, that all end together.
    private static func forEachRun(_ parts: [Part], _ body: (Task, UnsafePointer<MinkeStored>) -> Void) {
        let threads = CPU.shared.threadCount
        var tasks: [Task] = []
        var runs: [Range<Int>] = []
        var left = parts.reduce(0) { $0 + $1.weight.rows }
        var (part, row) = (0, 0)
        while left > 0 {
            let share = max(shortestRun, left * 4 / 5 / threads)
            for _ in 0..<threads where left > 0 {
                var wanted = min(share, left)
                left -= wanted
                let first = tasks.count
                while wanted > 0 {
                    let count = min(wanted, parts[part].weight.rows - row)
                    if count > 0 { tasks.append(Task(part: part, rows: row..<row + count)) }
                    wanted -= count
                    row += count
                    if row == parts[part].weight.rows { (part, row) = (part + 1, 0) }
                }
                runs.append(first..<tasks.count)
            }
        }
        run(tasks, runs: runs, of: parts, body)
    }

    /// Rows of weights below which dividing work costs more than waiting for it.
    private static let shortestRun = 32

    private static func run(
        _ tasks: [Task], runs: [Range<Int>], of parts: [Part], _ body: (Task, UnsafePointer<MinkeStored>) -> Void
    ) {
        let views = parts.map { $0.weight.withKernelView(\.pointee) }
        withExtendedLifetime(parts) {
            tasks.withUnsafeBufferPointer { tasks in
                views.withUnsafeBufferPointer { views in
                    runs.withUnsafeBufferPointer { runs in
                        guard let views = views.baseAddress else { return }
                        CPU.shared.parallel(runs.count) { run in
                            for task in runs[run] { body(tasks[task], views + tasks[task].part) }
                        }
                    }
                }
            }
        }
    }

    /// A part's place in `x` and `out`, without its weights.
    private struct Place {
        let rows: Range<Int>
        let column: Int
        let usesIntegers: Bool

        init(_ part: Part) {
            rows = part.rows
            column = part.column
            usesIntegers = part.usesIntegers
        }
    }

    private func runDots() {
        guard !dots.isEmpty else { return }
        let kernels = CPU.shared.kernels
        let depth = Int64(x.columns)
        let rowBytes = Int(minkeActivationBytes(depth))
        let activations = dots.contains(where: \.usesIntegers) ? Storage(bytes: x.rows * rowBytes) : nil
        if let activations {
            // Among many rows only those of small groups are needed so; a group's pieces follow each other.
            var groups: [Range<Int>] = []
            for part in dots where part.usesIntegers && groups.last != part.rows { groups.append(part.rows) }
            CPU.shared.parallel(groups.count) { group in
                kernels.quantizeActivations(
                    x.floats, Int64(x.stride), depth, activations.pointer, Int64(groups[group].lowerBound),
                    Int64(groups[group].upperBound))
            }
        }
        let places = dots.map { Place($0) }
        let (from, xStride) = (UnsafePointer(x.floats), x.stride)
        let (to, outStride) = (out.floats, out.stride)
        let (added, baseStride) = (base.map { UnsafePointer($0.floats) }, base?.stride ?? 0)
        let quantized = activations.map { UnsafeRawPointer($0.pointer) }
        let dotStored = kernels.dotStored
        places.withUnsafeBufferPointer { places in
            Self.forEachRun(dots) { task, view in
                let place = places[task.part]
                let first = place.rows.lowerBound
                dotStored?(
                    view, Int64(task.rows.lowerBound), Int64(task.rows.upperBound), from + first * xStride,
                    Int64(xStride), place.usesIntegers ? quantized.map { $0 + first * rowBytes } : nil,
                    Int64(place.rows.count), to + first * outStride + place.column, Int64(outStride),
                    added.map { $0 + first * baseStride + place.column }, Int64(baseStride))
            }
        }
        withExtendedLifetime((activations, base)) {}
    }

    /// Panels in integers and in bfloat16 pay only where the processor has instructions for them.
    private func runPanels(narrow: Bool) {
        let kernels = CPU.shared.kernels
        let hasIntegers = kernels.productBytes != nil
        let inIntegers = panels.filter { $0.usesIntegers && hasIntegers }
        let inFloats = panels.filter { !($0.usesIntegers && hasIntegers) }
        if !inIntegers.isEmpty { runBytePanels(inIntegers) }
        if !inFloats.isEmpty {
            runFloatPanels(inFloats, type: narrow && kernels.hasBFloat16Dots ? .bfloat16 : .float32)
        }
    }

    private func runBytePanels(_ parts: [Part]) {
        let kernels = CPU.shared.kernels
        let depth = Int64(x.columns)
        let codes = Storage(bytes: x.rows * Int(kernels.byteRowBytes(depth)))
        let scales = Tensor(uninitialized: x.rows, Int(minkeByteBlocks(depth)))
        CPU.shared.parallel(x.rows, chunk: 16) { rows in
            kernels.quantizeRows(
                x.floats, Int64(x.stride), depth, codes.pointer.assumingMemoryBound(to: UInt8.self), scales.floats,
                Int64(rows.lowerBound), Int64(rows.upperBound))
        }
        Self.forEachTask(parts, rowsPerTask: Int(MinkePanelWidth)) { task, view in
            let (part, range) = (parts[task.part], task.rows)
            let panel = Storage(bytes: Int(kernels.bytePanelBytes(view.pointee.format, depth)))
            let column = part.column + range.lowerBound
            kernels.packBytes(view, Int64(range.upperBound), Int64(range.lowerBound), panel.pointer)
            kernels.productBytes(
                codes.pointer.assumingMemoryBound(to: UInt8.self), scales.floats, view.pointee.format, depth,
                Int64(part.rows.lowerBound), Int64(part.rows.upperBound), panel.pointer, Int64(range.count),
                out.floats + column, Int64(out.stride), base.map { UnsafePointer($0.floats + column) },
                Int64(base?.stride ?? 0))
            withExtendedLifetime(panel) {}
        }
        withExtendedLifetime(codes) {}
    }

    private func runFloatPanels(_ parts: [Part], type: ElementType) {
        let kernels = CPU.shared.kernels
        let operand = x.converted(to: type)
        let panelBytes = Int(minkePanelBytes(Int64(x.columns), Int64(MinkePanelWidth), type.code))
        Self.forEachTask(parts, rowsPerTask: Int(MinkePanelWidth)) { task, view in
            let (part, range) = (parts[task.part], task.rows)
            let panel = Storage(bytes: panelBytes)
            kernels.packStored(view, Int64(range.upperBound), Int64(range.lowerBound), panel.pointer, type.code)
            let columns = part.column + range.lowerBound..<part.column + range.upperBound
            var product = Product.description(
                operand, panels: panel.pointer, depth: x.columns, out: out.columns(columns),
                base.map { .add(base: $0.columns(columns)) } ?? .store)
            Product.run(&product, type: type, part.rows, 0..<1)
            withExtendedLifetime(panel) {}
        }
    }
}
