import CMinkeKernels

/// Matrix products of a whole tensor with packed panels, split over the threads.
enum Product {
    /// Rows of the left operand that one task takes: they stay in the second-level cache while all panels pass.
    /// Whole blocks of the kernels.
    static var rowsPerTask: Int { 8 * Int(CPU.shared.kernels.stripHeight) }
    /// Panels that one task takes when there are few rows.
    static let panelsPerTask = 4

    /// How the result is written.
    enum Destination {
        case store
        /// out = base + product, `float32`.
        case add(base: Tensor)
    }

    static func mode(_ out: Tensor, _ destination: Destination) -> Int32 {
        if case .add = destination { return Int32(MinkeAddFloat32) }
        return Int32(out.type == .bfloat16 ? MinkeStoreBFloat16 : MinkeStoreFloat32)
    }

    static func description(
        _ x: Tensor, panels: UnsafeRawPointer, depth: Int, out: Tensor, _ destination: Destination
    ) -> MinkeProduct {
        var product = MinkeProduct()
        product.rows = Int64(x.rows)
        product.columns = Int64(out.columns)
        product.depth = Int64(depth)
        product.a = UnsafeRawPointer(x.pointer)
        product.aStride = Int64(x.stride)
        product.b = panels
        product.out = out.pointer
        product.outStride = Int64(out.stride)
        if case .add(let base) = destination {
            product.base = UnsafePointer(base.floats)
            product.baseStride = Int64(base.stride)
        }
        product.mode = mode(out, destination)
        return product
    }

    static func run(
        _ product: inout MinkeProduct, type: ElementType, _ rows: Range<Int>, _ panels: Range<Int>
    ) {
        let kernels = CPU.shared.kernels
        let function: (@convention(c) (UnsafePointer<MinkeProduct>?, Int64, Int64, Int64, Int64) -> Void)? =
            type == .bfloat16 ? kernels.productBFloat16 : kernels.productFloat32
        function?(
            &product, Int64(rows.lowerBound), Int64(rows.upperBound), Int64(panels.lowerBound),
            Int64(panels.upperBound))
    }

    /// out = x·B, for B packed as `panels`; `out` decides the stored type.
    static func multiply(
        _ x: Tensor, panels: UnsafeRawPointer, into out: Tensor, _ destination: Destination = .store
    ) {
        let product = description(x, panels: panels, depth: x.columns, out: out, destination)
        parallel(rows: x.rows, panels: (out.columns + 31) / 32) { rows, panels in
            var product = product
            run(&product, type: x.type, rows, panels)
        }
    }

    /// Runs `body` over rows and panels cut into tasks.
    static func parallel(rows: Int, panels: Int, _ body: (Range<Int>, Range<Int>) -> Void) {
        let rowsPerTask = rowsPerTask
        let rowTasks = (rows + rowsPerTask - 1) / rowsPerTask
        // Few rows: the panels are split as well.
        let panelsEach = rowTasks >= CPU.shared.threadCount * 2 ? panels : min(panels, panelsPerTask)
        let panelTasks = (panels + panelsEach - 1) / panelsEach
        CPU.shared.parallel(rowTasks * panelTasks) { task in
            let (rowTask, panelTask) = task.quotientAndRemainder(dividingBy: panelTasks)
            body(
                rowTask * rowsPerTask..<min(rows, (rowTask + 1) * rowsPerTask),
                panelTask * panelsEach..<min(panels, (panelTask + 1) * panelsEach))
        }
    }
}

extension Tensor {
    /// The same elements in another type; the tensor itself when it has that type already.
    func converted(to type: ElementType) -> Tensor {
        if self.type == type { return self }
        let result = Tensor(uninitialized: rows, columns, type: type)
        CPU.shared.parallel(rows, chunk: Tensor.rowsPerTask) { range in
            for row in range {
                CPU.shared.kernels.convert(
                    pointer(row: row), self.type.code, result.pointer(row: row), type.code, Int64(columns))
            }
        }
        return result
    }

    /// Adds `other`, a tensor of the same shape; a narrower sum is taken in `float32` and rounded once.
    func add(_ other: Tensor) {
        if type != .float32 {
            let sum = converted(to: .float32)
            sum.add(other)
            return assign(sum)
        }
        CPU.shared.parallel(rows, chunk: Tensor.rowsPerTask) { range in
            for row in range {
                CPU.shared.kernels.accumulate(
                    other.pointer(row: row), other.type.code,
                    pointer(row: row).assumingMemoryBound(to: Float.self), Int64(columns))
            }
        }
    }

    /// Rows that one task of a row-wise operation takes. Fixed, so that sums over rows do not depend on the threads.
    static let rowsPerTask = 64
}

extension Tensor {
    /// Whether no element is NaN or infinite.
    public var isFinite: Bool {
        var sum = 0.0
        let floats = converted(to: .float32)
        for row in 0..<rows {
            sum += CPU.shared.kernels.sumOfSquares(
                floats.pointer(row: row).assumingMemoryBound(to: Float.self), Int64(columns))
        }
        // Squares of finite floats may exceed the float range; then every element is looked at.
        return sum.isFinite || values.allSatisfy(\.isFinite)
    }
}
