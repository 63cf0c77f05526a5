import CMinkeKernels

extension Parameter {
    /// Panels of Wᵀ (`transposed`, for y = x·Wᵀ) or of W (for dx = dy·W) of every group in 8 bits, both made of the same
    /// codes.
    func packedBytes(transposed: Bool) -> PackedPanels {
        let current = bytePanels ?? makeBytePanels()
        bytePanels = current
        if current.direct.version != version { packBytes(into: current) }
        return transposed ? current.transposed : current.direct
    }

    private func makeBytePanels() -> (transposed: PackedPanels, direct: PackedPanels) {
        func panels(depth: Int, width: Int) -> PackedPanels {
            PackedPanels(bytesPerGroup: (width + 31) / 32 * Int(minkeBytePanelBytes(Int64(depth))), groups: groups)
        }
        return (panels(depth: columns, width: rows), panels(depth: rows, width: columns))
    }

    private func packBytes(into panels: (transposed: PackedPanels, direct: PackedPanels)) {
        let cpu = CPU.shared
        let block = Int(MinkeByteBlock)
        let (rowBlocks, columnBlocks) = ((rows + block - 1) / block, (columns + block - 1) / block)
        let stride = (columns + 3) / 4 * 4
        let codes = Storage(bytes: groups * rows * stride)
        let scales = Storage(bytes: groups * rowBlocks * columnBlocks * MemoryLayout<Float>.size)
        func codesOf(_ group: Int) -> UnsafeMutablePointer<Int8> {
            (codes.pointer + group * rows * stride).assumingMemoryBound(to: Int8.self)
        }
        func scalesOf(_ group: Int) -> UnsafeMutablePointer<Float> {
            scales.pointer.assumingMemoryBound(to: Float.self) + group * rowBlocks * columnBlocks
        }
        cpu.parallel(groups * rowBlocks) { task in
            let (group, part) = task.quotientAndRemainder(dividingBy: rowBlocks)
            cpu.kernels.quantizeByteWeight(
                value.floats + group * rows * columns, Int64(columns), Int64(columns), codesOf(group), Int64(stride),
                scalesOf(group), Int64(part * block), Int64(min(rows, (part + 1) * block)))
        }
        let (across, along) = ((rows + 31) / 32, (columns + 31) / 32)
        cpu.parallel(groups * (across + along)) { task in
            let (group, panel) = task.quotientAndRemainder(dividingBy: across + along)
            if panel < across {
                cpu.kernels.packByteTransposed(
                    codesOf(group), Int64(stride), scalesOf(group), Int64(rows), Int64(columns),
                    panels.transposed.pointer(group: group), Int64(panel), Int64(panel + 1))
            } else {
                cpu.kernels.packByteDirect(
                    codesOf(group), Int64(stride), scalesOf(group), Int64(rows), Int64(columns),
                    panels.direct.pointer(group: group), Int64(panel - across), Int64(panel - across + 1))
            }
        }
        panels.transposed.version = version
        panels.direct.version = version
    }
}
