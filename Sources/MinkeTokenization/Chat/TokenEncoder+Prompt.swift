extension TokenEncoder {
    /// The tokens of a prompt. See ``Tokenizer/encode(_:)``.
    public func encode(_ prompt: ChatPrompt) -> [Int32] {
        var bytes: [UInt8] = []
        var templates: [Range<Int>] = []
        for piece in prompt.pieces {
            let start = bytes.count
            bytes += piece.text.utf8
            if piece.isTemplate { templates.append(start..<bytes.count) }
        }
        precondition(bytes.count < Int(Int32.max), "a prompt of 2^31 bytes or more")
        var ids: [Int32] = []
        bytes.withUnsafeBufferPointer { bytes in
            var start = 0
            for range in templates {
                forEachAddedToken(in: bytes, range, finders[...]) { token in
                    encodeOrdinary(bytes, start..<token.range.lowerBound, into: &ids)
                    ids.append(token.id)
                    start = token.range.upperBound
                }
            }
            encodeOrdinary(bytes, start..<bytes.count, into: &ids)
        }
        return ids
    }

    /// Calls `body` with the added tokens inside `range` in order: those of the first finder, and between them those of
    /// the others.
    private func forEachAddedToken(
        in text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ finders: ArraySlice<AddedTokenFinder>,
        _ body: ((range: Range<Int>, id: Int32)) -> Void
    ) {
        guard let finder = finders.first else { return }
        var start = range.lowerBound
        while let token = finder.first(in: text, start..<range.upperBound) {
            forEachAddedToken(in: text, start..<token.range.lowerBound, finders.dropFirst(), body)
            body(token)
            start = token.range.upperBound
        }
        forEachAddedToken(in: text, start..<range.upperBound, finders.dropFirst(), body)
    }
}
