/// The tokens of a generation as an asynchronous sequence: `for try await piece in try model.stream("Once") { … }`.
///
/// Each iteration generates anew. Waiting for a token blocks no thread of the concurrency runtime.
public struct TextStream: AsyncSequence, Sendable {
    let model: TextModel
    let prompt: [Int32]
    let options: GenerationOptions

    public func makeAsyncIterator() -> Iterator {
        Iterator(generator: TextGenerator(model), prompt: prompt, options: options)
    }

    public struct Iterator: AsyncIteratorProtocol {
        let generator: TextGenerator
        let prompt: [Int32]
        let options: GenerationOptions
        private var hasBegun = false

        init(generator: TextGenerator, prompt: [Int32], options: GenerationOptions) {
            self.generator = generator
            self.prompt = prompt
            self.options = options
        }

        /// - Throws: ``InputError`` as ``TextGenerator/generate(_:options:onPiece:)``, or `CancellationError`.
        public mutating func next() async throws -> GeneratedPiece? {
            try Task.checkCancellation()
            if !hasBegun {
                try generator.begin(prompt, options)
                hasBegun = true
            }
            let generator = generator
            return try await generator.model.withModel { try generator.step($0) }
        }
    }
}
