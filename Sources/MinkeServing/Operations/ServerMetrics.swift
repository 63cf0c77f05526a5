import MinkeEngine
import MinkeTraining
import Synchronization

/// What a server counts.
final class ServerMetrics: Sendable {
    private struct Request: Hashable {
        let route: String
        let method: String
        let status: Int
    }

    private struct Values {
        var requests: [Request: Int] = [:]
        var gone = 0
        var duration = Histogram.ofRequests
        var firstToken = Histogram.ofRequests
        var queue = Histogram.ofRequests
        var perToken = Histogram.ofTokens
        var betweenTokens = Histogram.ofTokens
    }

    private let values = Mutex(Values())
    private let start = ContinuousClock.now

    /// A request is over.
    func finished(
        route: String, method: String, status: Int, isGone: Bool, took: Duration, figures: RequestRecord.Figures
    ) {
        values.withLock {
            $0.requests[Request(route: route, method: Self.known(method), status: status), default: 0] += 1
            if isGone { $0.gone += 1 }
            if let queued = figures.queued { $0.queue.add(queued) }
            if let first = figures.timeToFirstToken { $0.firstToken.add(first) }
            // Only what generated: quick answers about the server itself would hide how long requests take.
            if let tokens = figures.completionTokens {
                $0.duration.add(took)
                if let decode = figures.decode, tokens > 1 { $0.perToken.add(decode / (tokens - 1)) }
            }
        }
    }

    /// Time passed between two pieces of a streamed answer that brought tokens.
    func tokensArrived(after pause: Duration) { values.withLock { $0.betweenTokens.add(pause) } }

    /// Labels must not be the clients' to choose.
    private static func known(_ method: String) -> String {
        ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"].contains(method) ? method : "other"
    }

    /// All metrics.
    func text(
        engine: EngineStatistics, isReady: Bool, connections: Int, active: Int, price: Price
    ) -> String {
        let values = values.withLock { $0 }
        var out = PrometheusText()
        out.gauge("minke_ready", "1 when requests are taken.", isReady ? 1 : 0)
        out.gauge("minke_connections", "Open connections.", connections)
        out.gauge("minke_http_requests_active", "Requests that are being answered, queued ones included.", active)
        write(values, &out)
        write(engine, &out)
        writeCost(engine, price, &out)
        return out.text
    }

    private func write(_ values: Values, _ out: inout PrometheusText) {
        let requests = values.requests.sorted {
            ($0.key.route, $0.key.method, $0.key.status) < ($1.key.route, $1.key.method, $1.key.status)
        }
        out.counters(
            "minke_requests_total", "Requests that were answered, by route and status.",
            requests.map {
                ([("route", $0.key.route), ("method", $0.key.method), ("status", "\($0.key.status)")], $0.value)
            })
        var errors: [Int: Int] = [:]
        for (key, count) in requests where key.status >= 400 { errors[key.status, default: 0] += count }
        out.counters(
            "minke_errors_total", "Requests that were answered with an error, by status.",
            errors.sorted { $0.key < $1.key }.map { ([("status", "\($0.key)")], $0.value) })
        out.counter(
            "minke_clients_gone_total", "Requests whose clients left before the answer was complete.", values.gone)
        out.histogram(
            "minke_time_to_first_token_seconds", "From a request to its first token.", values.firstToken)
        out.histogram(
            "minke_inter_token_latency_seconds", "Between two pieces of a streamed answer that brought tokens.",
            values.betweenTokens)
        out.histogram(
            "minke_time_per_output_token_seconds", "From the first token to the last, per further token.",
            values.perToken)
        out.histogram(
            "minke_e2e_request_latency_seconds", "From a request that generates to the end of its answer.",
            values.duration)
        out.histogram("minke_queue_wait_seconds", "From a request to its turn.", values.queue)
    }

    private func write(_ engine: EngineStatistics, _ out: inout PrometheusText) {
        out.gauge("minke_requests_running", "Requests that the engine works on.", engine.running)
        out.gauge("minke_requests_waiting", "Requests that wait for their turn.", engine.waiting)
        out.gauge(
            "minke_cache_tokens_capacity", "Tokens for which the cache may take memory.", engine.cacheTokensCapacity)
        out.gauge("minke_cache_tokens_used", "Tokens for which the cache has taken memory.", engine.cacheTokensUsed)
        out.gauge(
            "minke_cache_tokens_held", "Tokens in the cache of requests that are worked on.", engine.cacheTokensHeld)
        out.counter(
            "minke_prefix_cache_queries_total", "Tokens of prompts that were looked up in the cache.",
            engine.prefixQueries)
        out.counter(
            "minke_prefix_cache_hits_total", "Tokens of prompts that were found in the cache.", engine.prefixHits)
        out.counter("minke_preemptions_total", "Requests that had to give their cache to others.", engine.preemptions)
        out.counter("minke_prompt_tokens_total", "Tokens of prompts, cached ones included.", engine.promptTokens)
        out.counter("minke_generation_tokens_total", "New tokens.", engine.generatedTokens)
        out.counter("minke_engine_steps_total", "Rounds of one token for every request that decodes.", engine.steps)
        out.counters(
            "minke_engine_requests_total", "Requests that the engine ended, by how.",
            [
                ([("end", "completed")], engine.completed), ([("end", "cancelled")], engine.cancelled),
                ([("end", "failed")], engine.failed), ([("end", "refused")], engine.refused),
            ])
    }

    private func writeCost(_ engine: EngineStatistics, _ price: Price, _ out: inout PrometheusText) {
        var meter = ResourceMeter()
        let cpuSeconds = meter.read().cpuSeconds
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let cost = price.dollars(cpuSeconds: cpuSeconds, wallSeconds: seconds)
        let computed = engine.promptTokens - engine.prefixHits + engine.generatedTokens
        out.gauge("minke_uptime_seconds", "Since the server began.", seconds)
        out.counter("minke_cpu_seconds_total", "CPU time of all threads.", cpuSeconds)
        if let bytes = ResourceMeter.residentMemoryBytes() {
            out.gauge("minke_resident_memory_bytes", "Memory of the process that is in RAM.", bytes)
        }
        out.counter("minke_cost_dollars_total", "What the time cost, \(price.assumption).", cost)
        out.gauge(
            "minke_cost_dollars_per_million_tokens", "The same for a million computed tokens, since the start.",
            computed > 0 ? cost / Double(computed) * 1e6 : 0)
    }
}
