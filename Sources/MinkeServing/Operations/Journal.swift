import Logging

/// Tells log and metrics about requests that are over.
struct Journal: Sendable {
    let metrics: ServerMetrics
    let logger: Logger

    /// - Parameters:
    ///   - figures: what is known of the model's work for it.
    ///   - isGone: whether the client left before the answer was complete.
    func finish(
        _ request: Admission, status: Int, figures: RequestRecord.Figures = .init(), isGone: Bool = false
    ) {
        let took = ContinuousClock.now - request.received
        metrics.finished(
            route: request.routeName, method: request.method, status: status, isGone: isGone, took: took,
            figures: figures)
        logger.log(
            level: status == 500 ? .error : status >= 400 ? .warning : .info, "request",
            metadata: [
                "request_id": .string(request.id), "route": .string(request.routeName), "status": .value(status),
                "prompt_tokens": .value(figures.promptTokens), "cached_tokens": .value(figures.cachedTokens),
                "completion_tokens": .value(figures.completionTokens), "queue_ms": .milliseconds(figures.queued),
                "ttft_ms": .milliseconds(figures.timeToFirstToken), "total_ms": .milliseconds(took),
                "finish_reason": figures.finishReason.map { .string($0) } ?? .value(Int?.none),
                "client_gone": .stringConvertible(isGone),
            ])
    }
}

/// A missing value in a log.
struct NullLogValue: CustomStringConvertible, Sendable {
    var description: String { "-" }
}

extension Logger.MetadataValue {
    fileprivate static func value(_ number: Int?) -> Self {
        number.map { .stringConvertible($0) } ?? .stringConvertible(NullLogValue())
    }

    fileprivate static func milliseconds(_ duration: Duration?) -> Self {
        guard let duration else { return .stringConvertible(NullLogValue()) }
        return .stringConvertible((duration / .milliseconds(1) * 1000).rounded() / 1000)
    }
}
