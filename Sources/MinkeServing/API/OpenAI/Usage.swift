import MinkeFiles

/// Tokens that a request took, over all its answers.
struct Usage: Sendable {
    var promptTokens = 0
    /// Of the prompt's, those that were in the cache.
    var cachedTokens = 0
    var completionTokens = 0
    /// Of the answers', those that were thoughts.
    var reasoningTokens = 0

    /// Adds an answer.
    ///
    /// - Parameter countsPrompt: whether its prompt is not that of an answer before.
    mutating func add(_ end: AnswerEnd, countsPrompt: Bool) {
        if countsPrompt {
            promptTokens += end.summary.promptTokens
            cachedTokens += end.summary.cachedTokens
        }
        completionTokens += end.summary.completionTokens
        reasoningTokens += end.reasoningTokens
    }

    /// In the form of OpenAI, with DeepSeek's counts of what the cache held and did not hold.
    var json: JSON {
        [
            "prompt_tokens": .integer(promptTokens), "completion_tokens": .integer(completionTokens),
            "total_tokens": .integer(promptTokens + completionTokens),
            "prompt_tokens_details": ["cached_tokens": .integer(cachedTokens)],
            "completion_tokens_details": ["reasoning_tokens": .integer(reasoningTokens)],
            "prompt_cache_hit_tokens": .integer(cachedTokens),
            "prompt_cache_miss_tokens": .integer(promptTokens - cachedTokens),
        ]
    }
}
