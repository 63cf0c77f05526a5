import Testing

/// What `operation` returns. Where it never returns, the test fails by its time limit instead of waiting for ever.
func result<Value: Sendable>(_ operation: @escaping @Sendable () async -> Value) async throws -> Value {
    let (results, continuation) = AsyncStream.makeStream(of: Value.self)
    Task { continuation.yield(await operation()) }
    for await result in results { return result }
    throw CancellationError()
}

extension Trait where Self == TimeLimitTrait {
    /// Much longer than any test takes, whatever the machine: what waits for something that never comes ends so.
    static var patient: Self { .timeLimit(.minutes(10)) }
}
