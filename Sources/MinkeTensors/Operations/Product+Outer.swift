import CMinkeKernels

/// Sums of outer products, out (+)= yᵀ·x over ranges of rows: the gradients of weights.
///
/// Both operands must be packed, and memory traffic would cost more than the arithmetic if that were done in a pass of
/// its own. So the rows are cut into chunks whose packed operands stay in the second-level cache; a task packs a chunk
/// and multiplies it at once. Several chunks of one product leave partial sums, which are added in order. How the work
/// is cut depends on shapes only, never on the number of threads.
extension Product {
    /// One product over a range of rows, into its own rows of a gradient.
    struct Outer {
        let rows: Range<Int>
        /// `[y.columns, x.columns]`, `float32`.
        let out: Tensor
        let adds: Bool
    }

    /// Rows of one chunk, about: 256 words of depth in bfloat16, one pass of the micro-kernel.
    private static let rowsPerChunk = 512
    /// Largest product, in elements of the result, that one task does alone.
    private static let largestAlone = 1 << 18
    /// Strips of the left operand that one task takes of a larger one.
    private static let stripsPerTask = 6

    /// out (+)= yᵀ·x over each range of rows.
    static func outer(_ y: Tensor, _ x: Tensor, _ products: [Outer]) {
        precondition(y.type == x.type && y.rows == x.rows)
        let products = products.filter { !$0.rows.isEmpty }
        if y.columns * x.columns > largestAlone {
            for product in products { outerTogether(y, x, product) }
        } else {
            outerInChunks(y, x, products)
        }
    }

    private struct Chunk {
        let rows: Range<Int>
        let out: Tensor
        let adds: Bool
    }

    private static func outerInChunks(_ y: Tensor, _ x: Tensor, _ products: [Outer]) {
        var chunks: [Chunk] = []
        var partials: [(out: Tensor, parts: [Tensor])] = []
        for product in products {
            // Rounded to the nearest: up to one and a half chunks' rows stay together, as an expert's usually are.
            let count = max(1, (product.rows.count + rowsPerChunk / 2) / rowsPerChunk)
            // Even numbers of rows, so that no word of a chunk is half empty.
            let bounds = (0...count).map { part in
                product.rows.lowerBound + min(product.rows.count, product.rows.count * part / count / 2 * 2)
            }
            let last = product.rows.upperBound
            var parts: [Tensor] = []
            for part in 0..<count {
                let rows = bounds[part]..<(part + 1 == count ? last : bounds[part + 1])
                // The first chunk goes straight to the gradient.
                let out = part == 0 ? product.out : Tensor(uninitialized: y.columns, x.columns)
                if part > 0 { parts.append(out) }
                chunks.append(Chunk(rows: rows, out: out, adds: part == 0 && product.adds))
            }
            if !parts.isEmpty { partials.append((product.out, parts)) }
        }
        let depth = chunks.map(\.rows.count).max() ?? 0
        let stripHeight = CPU.shared.kernels.stripHeight
        let stripBytes =
            (Int(minkeStripBytes(Int64(depth), Int64(y.columns), y.type.code, stripHeight)) + 63) / 64 * 64
        let panelBytes = Int(minkePanelBytes(Int64(depth), Int64(x.columns), y.type.code))
        CPU.shared.parallel(chunks.count) { task in
            let scratch = Storage(bytes: stripBytes + panelBytes)
            withExtendedLifetime(scratch) {
                multiply(y, x, chunks[task], strips: scratch.pointer, panels: scratch.pointer + stripBytes)
            }
        }
        for (out, parts) in partials {
            CPU.shared.parallel(out.rows, chunk: 32) { rows in
                for part in parts {
                    for row in rows {
                        CPU.shared.kernels.accumulate(
                            part.pointer(row: row), ElementType.float32.code,
                            out.pointer(row: row).assumingMemoryBound(to: Float.self), Int64(out.columns))
                    }
                }
            }
        }
    }

    private static func multiply(
        _ y: Tensor, _ x: Tensor, _ chunk: Chunk, strips: UnsafeMutableRawPointer, panels: UnsafeMutableRawPointer
    ) {
        let kernels = CPU.shared.kernels
        let depth = Int64(chunk.rows.count)
        let stripCount = minkeStripCount(Int64(y.columns), kernels.stripHeight)
        let panelCount = (x.columns + 31) / 32
        kernels.packDirect(
            x.pointer(row: chunk.rows.lowerBound), x.type.code, Int64(x.stride), nil, Int64(x.columns), depth, panels,
            x.type.code, 0, Int64(panelCount))
        kernels.packStrips(
            y.pointer(row: chunk.rows.lowerBound), y.type.code, Int64(y.stride), nil, Int64(y.columns), depth, strips,
            y.type.code, 0, stripCount)
        var product = description(
            strips: strips, panels: panels, rows: y.columns, columns: x.columns, depth: chunk.rows.count,
            out: chunk.out, adds: chunk.adds)
        run(&product, type: y.type, 0..<Int(stripCount), 0..<panelCount)
    }

    private static func description(
        strips: UnsafeRawPointer, panels: UnsafeRawPointer, rows: Int, columns: Int, depth: Int, out: Tensor, adds: Bool
    ) -> MinkeProduct {
        var product = MinkeProduct()
        product.rows = Int64(rows)
        product.columns = Int64(columns)
        product.depth = Int64(depth)
        product.a = strips
        product.aIsPacked = 1
        product.b = panels
        product.out = out.pointer
        product.outStride = Int64(out.stride)
        product.base = UnsafePointer(out.floats)
        product.baseStride = Int64(out.stride)
        product.mode = Int32(adds ? MinkeAddFloat32 : MinkeStoreFloat32)
        return product
    }

    /// One product too large for one task: all threads pack it, then all multiply.
    private static func outerTogether(_ y: Tensor, _ x: Tensor, _ outer: Outer) {
        let cpu = CPU.shared
        let type = y.type
        let first = outer.rows.lowerBound
        let depth = outer.rows.count
        let stripHeight = cpu.kernels.stripHeight
        let strips = Storage(bytes: Int(minkeStripBytes(Int64(depth), Int64(y.columns), type.code, stripHeight)))
        let panels = Storage(bytes: Int(minkePanelBytes(Int64(depth), Int64(x.columns), type.code)))
        let stripCount = Int(minkeStripCount(Int64(y.columns), stripHeight))
        let panelCount = (x.columns + 31) / 32
        let packEach = 4
        let stripTasks = (stripCount + packEach - 1) / packEach
        let panelTasks = (panelCount + packEach - 1) / packEach
        withExtendedLifetime((strips, panels)) {
            cpu.parallel(stripTasks + panelTasks) { task in
                if task < stripTasks {
                    cpu.kernels.packStrips(
                        y.pointer(row: first), type.code, Int64(y.stride), nil, Int64(y.columns), Int64(depth),
                        strips.pointer, type.code, Int64(task * packEach),
                        Int64(min(stripCount, (task + 1) * packEach)))
                } else {
                    let panel = (task - stripTasks) * packEach
                    cpu.kernels.packDirect(
                        x.pointer(row: first), type.code, Int64(x.stride), nil, Int64(x.columns), Int64(depth),
                        panels.pointer, type.code, Int64(panel), Int64(min(panelCount, panel + packEach)))
                }
            }
            let product = description(
                strips: strips.pointer, panels: panels.pointer, rows: y.columns, columns: x.columns, depth: depth,
                out: outer.out, adds: outer.adds)
            cpu.parallel((stripCount + stripsPerTask - 1) / stripsPerTask) { task in
                var product = product
                run(
                    &product, type: type, task * stripsPerTask..<min(stripCount, (task + 1) * stripsPerTask),
                    0..<panelCount)
            }
        }
    }
}
