import CMinkeKernels

/// Products of block-scaled codes, split over the threads as ``Product`` splits others.
enum CodedProduct {
    static func description(
        _ x: CodedRows, panels: UnsafeRawPointer, out: Tensor, _ destination: Product.Destination
    ) -> MinkeCodeProduct {
        var product = MinkeCodeProduct()
        product.columns = Int64(out.columns)
        product.depth = Int64(x.columns)
        product.width = x.width.rawValue
        product.a = UnsafeRawPointer(x.codes.pointer)
        product.aRowBytes = Int64(x.stride)
        product.aScales = UnsafePointer(x.scales.pointer.assumingMemoryBound(to: Float.self))
        product.b = panels
        product.out = out.pointer
        product.outStride = Int64(out.stride)
        if case .add(let base) = destination {
            product.base = UnsafePointer(base.floats)
            product.baseStride = Int64(base.stride)
        }
        product.mode = Product.mode(out, destination)
        return product
    }

    static func run(_ product: inout MinkeCodeProduct, _ rows: Range<Int>, _ panels: Range<Int>) {
        CPU.shared.kernels.multiplyCodes(
            &product, Int64(rows.lowerBound), Int64(rows.upperBound), Int64(panels.lowerBound),
            Int64(panels.upperBound))
    }

    /// out = x·B, for B packed as `panels`.
    static func multiply(
        _ x: CodedRows, panels: UnsafeRawPointer, into out: Tensor, _ destination: Product.Destination = .store
    ) {
        let product = description(x, panels: panels, out: out, destination)
        let panelCount = (out.columns + 31) / 32
        Product.parallel(rows: x.rows, panels: panelCount) { rows, panels in
            var product = product
            run(&product, rows, panels)
        }
    }
}

extension CodedProduct {
    /// Largest product, in elements of the result, that one task does alone.
    private static let largestAlone = 1 << 18
    /// Most rows that one task packs and multiplies: its operands stay in the second-level cache.
    private static let rowsAlone = 2048

    /// out (+)= yᵀ·x over each range of rows: both sides are quantised anew, with a scale for every 128 rows of a column.
    ///
    /// A range of few rows is one task, which packs and multiplies it. Of others all tasks pack, then all multiply; no sum
    /// is cut, so how the work is shared changes nothing.
    static func outer(_ y: Tensor, _ x: Tensor, _ products: [Product.Outer], _ width: CodeWidth = .bits8) {
        precondition(y.rows == x.rows)
        let products = products.filter { !$0.rows.isEmpty }
        func isAlone(_ product: Product.Outer) -> Bool {
            products.count > 1 && product.rows.count <= rowsAlone && y.columns * x.columns <= largestAlone
        }
        let alone = products.filter(isAlone)
        let most = alone.map(\.rows.count).max() ?? 0
        let (strips, panels) = ((y.columns + 31) / 32, (x.columns + 31) / 32)
        CPU.shared.parallel(alone.count) { task in
            let operands = OuterOperands(y, x, alone[task], width, capacity: most)
            operands.pack(strips: 0..<strips, panels: 0..<panels)
            operands.multiply(0..<y.columns, panels: 0..<panels)
        }
        for product in products where !isAlone(product) {
            let operands = OuterOperands(y, x, product, width, capacity: product.rows.count)
            CPU.shared.parallel(strips + panels) { task in
                operands.pack(
                    strips: task < strips ? task..<task + 1 : 0..<0,
                    panels: task < strips ? 0..<0 : task - strips..<task - strips + 1)
            }
            // Every strip against a few panels.
            let groups = (panels + Product.panelsPerTask - 1) / Product.panelsPerTask
            CPU.shared.parallel(strips * groups) { task in
                let (strip, group) = task.quotientAndRemainder(dividingBy: groups)
                let first = group * Product.panelsPerTask
                operands.multiply(
                    strip * 32..<min(y.columns, strip * 32 + 32),
                    panels: first..<min(panels, first + Product.panelsPerTask))
            }
        }
    }

    /// The operands of one sum of outer products, packed.
    private final class OuterOperands: Sendable {
        private let y: Tensor
        private let x: Tensor
        private let product: Product.Outer
        private let width: CodeWidth
        private let strips: Storage
        private let panels: Storage

        /// - Parameter capacity: rows to have room for, so that operands of one sum take the same memory.
        init(_ y: Tensor, _ x: Tensor, _ product: Product.Outer, _ width: CodeWidth, capacity: Int) {
            self.y = y.rows(product.rows)
            self.x = x.rows(product.rows)
            self.product = product
            self.width = width
            let bytes = Int(minkeCodePanelBytes(Int64(capacity), width.rawValue))
            strips = Storage(bytes: (y.columns + 31) / 32 * bytes)
            panels = Storage(bytes: (x.columns + 31) / 32 * bytes)
        }

        func pack(strips stripRange: Range<Int>, panels panelRange: Range<Int>) {
            for (tensor, storage, isLeft, range) in [(y, strips, true, stripRange), (x, panels, false, panelRange)] {
                CPU.shared.kernels.packCodeColumns(
                    tensor.pointer, tensor.type.code, Int64(tensor.stride), Int64(tensor.columns), Int64(tensor.rows),
                    width.rawValue, storage.pointer, isLeft, Int64(range.lowerBound), Int64(range.upperBound))
            }
        }

        func multiply(_ rows: Range<Int>, panels range: Range<Int>) {
            var arguments = MinkeCodeProduct()
            arguments.columns = Int64(x.columns)
            arguments.depth = Int64(x.rows)
            arguments.width = width.rawValue
            arguments.a = UnsafeRawPointer(strips.pointer)
            arguments.aIsPacked = 1
            arguments.b = UnsafeRawPointer(panels.pointer)
            arguments.out = product.out.pointer
            arguments.outStride = Int64(product.out.stride)
            arguments.base = UnsafePointer(product.out.floats)
            arguments.baseStride = Int64(product.out.stride)
            arguments.mode = Int32(product.adds ? MinkeAddFloat32 : MinkeStoreFloat32)
            run(&arguments, rows, range)
        }
    }
}
