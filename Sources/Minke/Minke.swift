/// Everything that a program needs to run and train models in its own process.
///
/// ```swift
/// import Minke
///
/// let model = try TextModel(contentsOf: "models/whale")
///
/// // A whole answer.
/// let options = GenerationOptions(maximumTokens: 64, sampling: SamplingOptions(temperature: 0.7, topP: 0.9))
/// print(try model.generate("Call me", options: options).text)
///
/// // An answer as it comes; waiting blocks no thread of the concurrency runtime, and leaving the loop ends the work.
/// for try await piece in try model.stream("Call me", options: options) {
///     print(piece.text, terminator: "")
/// }
/// ```
///
/// One ``TextModel`` serves a whole server: it is `Sendable`, and generations that run at the same time take turns.
/// Errors are ``InputError``, whose description is one line that says what is wrong, where, and what to do.
@_exported import MinkeEngine
@_exported import MinkeFiles
@_exported import MinkeGeneration
@_exported import MinkeModel
@_exported import MinkePlanning
@_exported import MinkeTokenization
@_exported import MinkeTraining
