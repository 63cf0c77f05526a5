/// A problem with something that came from outside: a file, a key in it, an argument.
///
/// Prints as one line that says what is wrong, where, and what to do.
public struct InputError: Error, Equatable, CustomStringConvertible {
    /// The rule that was broken, in plain words.
    public let problem: String
    /// Where: a path, optionally followed by a byte offset or key. `nil` when the problem has no place.
    public let location: String?
    /// What the reader can do about it.
    public let remedy: String?

    public init(_ problem: String, at location: String? = nil, remedy: String? = nil) {
        self.problem = problem
        self.location = location
        self.remedy = remedy
    }

    /// The same problem, said of `place` when it had no location, or with `place` in front of the location it had.
    public func located(at place: String) -> InputError {
        InputError(problem, at: location.map { "\(place): \($0)" } ?? place, remedy: remedy)
    }

    public var description: String {
        var text = location.map { "\($0): " } ?? ""
        text += problem
        if let remedy { text += " (\(remedy))" }
        return String(text.map { $0.isNewline ? " " : $0 })
    }
}
