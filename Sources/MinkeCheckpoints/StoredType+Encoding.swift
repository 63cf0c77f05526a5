import CMinkeKernels

extension StoredType {
    /// Types that ``encode(_:to:)`` writes.
    public static let encodable: [StoredType] = [
        .float32, .float16, .bfloat16, .q80, .q40, .q41, .q50, .q51, .q4K, .q5K, .q6K, .mxfp4,
    ]

    /// Encodes whole blocks of elements: to the nearest value, in blocks by the rule of `encode.c`.
    ///
    /// Only for ``encodable`` types. `target` has the exact size.
    public func encode(_ elements: UnsafeBufferPointer<Float>, to target: UnsafeMutableRawBufferPointer) {
        precondition(
            elements.count.isMultiple(of: blockElements)
                && target.count == elements.count / blockElements * blockBytes,
            "whole blocks and room for exactly them")
        guard let source = elements.baseAddress, let address = target.baseAddress, let formatCode else { return }
        let isWritten = minkeEncodeBlocks(formatCode, source, address, Int64(elements.count))
        precondition(isWritten, "\(rawValue) cannot be encoded")
    }

    /// Decodes what ``encode(_:to:)`` wrote.
    public func decode(_ blocks: UnsafeRawBufferPointer, to elements: UnsafeMutableBufferPointer<Float>) {
        precondition(
            elements.count.isMultiple(of: blockElements)
                && blocks.count == elements.count / blockElements * blockBytes,
            "whole blocks and room for exactly them")
        guard let source = blocks.baseAddress, let address = elements.baseAddress, let formatCode else { return }
        minkeDecodeBlocks(formatCode, source, address, Int64(elements.count))
    }
}
