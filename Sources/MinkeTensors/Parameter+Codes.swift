import CMinkeKernels

extension Parameter {
    /// Panels of codes in both orders.
    typealias CodePanels = (transposed: PackedPanels, direct: PackedPanels)

    /// Panels of Wᵀ (`transposed`, for y = x·Wᵀ) or of W (for dx = dy·W) of every group, both made of the same codes.
    func coded(_ width: CodeWidth, transposed: Bool) -> PackedPanels {
        let current = codePanels[width] ?? makeCodePanels(width)
        codePanels[width] = current
        if current.direct.version != version { pack(width, into: current) }
        return transposed ? current.transposed : current.direct
    }

    private func makeCodePanels(_ width: CodeWidth) -> CodePanels {
        func panels(depth: Int, width columns: Int) -> PackedPanels {
            PackedPanels(
                bytesPerGroup: (columns + 31) / 32 * Int(minkeCodePanelBytes(Int64(depth), width.rawValue)),
                groups: groups)
        }
        return (panels(depth: columns, width: rows), panels(depth: rows, width: columns))
    }

    private func pack(_ width: CodeWidth, into panels: CodePanels) {
        let cpu = CPU.shared
        let block = Int(MinkeCodeBlock)
        let (rowBlocks, columnBlocks) = ((rows + block - 1) / block, (columns + block - 1) / block)
        let stride = Int(minkeCodeRowBytes(Int64(columns), width.rawValue))
        let codes = Storage(bytes: groups * rows * stride)
        let scales = Storage(bytes: groups * rowBlocks * columnBlocks * MemoryLayout<Float>.size)
        func scalesOf(_ group: Int) -> UnsafeMutablePointer<Float> {
            scales.pointer.assumingMemoryBound(to: Float.self) + group * rowBlocks * columnBlocks
        }
        cpu.parallel(groups * rowBlocks) { task in
            let (group, part) = task.quotientAndRemainder(dividingBy: rowBlocks)
            cpu.kernels.quantizeCodeWeight(
                value.floats + group * rows * columns, Int64(columns), Int64(columns), width.rawValue,
                codes.pointer + group * rows * stride, Int64(stride), scalesOf(group), Int64(part * block),
                Int64(min(rows, (part + 1) * block)))
        }
        let (across, along) = ((rows + 31) / 32, (columns + 31) / 32)
        cpu.parallel(groups * (across + along)) { task in
            let (group, panel) = task.quotientAndRemainder(dividingBy: across + along)
            let pack = panel < across ? cpu.kernels.packCodeTransposed : cpu.kernels.packCodeDirect
            let first = panel < across ? panel : panel - across
            pack?(
                codes.pointer + group * rows * stride, Int64(stride), scalesOf(group), Int64(rows), Int64(columns),
                width.rawValue, (panel < across ? panels.transposed : panels.direct).pointer(group: group),
                Int64(first), Int64(first + 1))
        }
        panels.transposed.version = version
        panels.direct.version = version
    }
}
