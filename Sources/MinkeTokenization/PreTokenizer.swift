import MinkeFiles

/// Cuts text into the pieces inside which a byte-level BPE merges: one regular expression after the other, each on the
/// pieces that the one before left.
///
/// Matches and the gaps between them both become pieces, so nothing of the text is lost.
public struct PreTokenizer: Sendable {
    /// One entry of the `pre_tokenizer` of a `tokenizer.json`.
    struct Step: Sendable {
        /// The entry as it stands in the file.
        let json: JSON
        /// `nil` for a step that cuts nothing.
        let expression: SplitExpression?
    }

    let steps: [Step]

    var expressions: [SplitExpression] { steps.compactMap(\.expression) }

    /// Three splits as in DeepSeek-V3 and its successors: digits in threes, runs of Chinese characters and kana, words.
    public static let deepSeek = PreTokenizer(known: [
        split(#"\p{N}{1,3}"#),
        split("[一-龥\u{3040}-ゟ゠-ヿ]+"),
        split(
            ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^"## + "\r\n" + #"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"#
                + #"| ?[\p{P}\p{S}]+["# + "\r\n" + #"]*|\s*["# + "\r\n" + #"]+|\s+(?!\S)|\s+"#),
        byteLevel(usesExpression: false),
    ])

    /// The split of GPT-2: English contractions, words, numbers, other characters, white space.
    public static let gpt2 = PreTokenizer(known: [byteLevel(usesExpression: true)])

    /// No split at all: a whole text is one piece.
    public static let none = PreTokenizer(known: [byteLevel(usesExpression: false)])

    /// The expression that `ByteLevel` with `use_regex` stands for.
    private static let gpt2Expression =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    static func split(_ pattern: String) -> JSON {
        ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false]
    }

    static func byteLevel(usesExpression: Bool) -> JSON {
        ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": .bool(usesExpression)]
    }
}

extension PreTokenizer {
    /// Steps written in this module, which tests prove to parse.
    init(known steps: [JSON]) {
        do {
            self.steps = try steps.map(Step.init(parsing:))
        } catch {
            preconditionFailure("\(error)")
        }
    }

    /// Reads the value of `pre_tokenizer`.
    ///
    /// - Throws: ``InputError`` that names what is unknown or not supported.
    public init(parsing json: JSON) throws {
        var steps: [Step] = []
        var pending = [json]
        while let entry = pending.popLast() {
            if entry["type"]?.stringValue == "Sequence" {
                guard let inner = entry["pretokenizers"]?.arrayValue else {
                    throw InputError("a Sequence without its list", at: "pre_tokenizer.pretokenizers")
                }
                pending += inner.reversed()
            } else {
                steps.append(try Step(parsing: entry))
            }
        }
        guard steps.firstIndex(where: { $0.json["type"] == "ByteLevel" }) == steps.count - 1 else {
            throw InputError(
                "ByteLevel is not the last step", at: "pre_tokenizer",
                remedy: "only byte-level tokenizers are supported")
        }
        if steps.count > 16 { throw InputError("more than 16 steps", at: "pre_tokenizer") }
        self.steps = steps
    }

    /// The value of `pre_tokenizer`.
    public var json: JSON {
        steps.count == 1 ? steps[0].json : ["type": "Sequence", "pretokenizers": .array(steps.map(\.json))]
    }
}

extension PreTokenizer.Step {
    fileprivate init(parsing json: JSON) throws {
        let place = "pre_tokenizer"
        self.json = json
        do {
            switch json["type"]?.stringValue {
            case "Split":
                guard json["behavior"] == "Isolated" else {
                    throw InputError(
                        "a Split whose behavior is \(json["behavior"]?.text() ?? "missing"), not \"Isolated\"")
                }
                expression = try SplitExpression(try Self.pattern(json["pattern"]))
            case "Digits":
                let isIndividual = json["individual_digits"]?.boolValue ?? false
                expression = try SplitExpression(isIndividual ? #"\p{N}"# : #"\p{N}+"#)
            case "ByteLevel":
                if json["add_prefix_space"]?.boolValue ?? true {
                    throw InputError("a ByteLevel with add_prefix_space, which is not supported")
                }
                let usesExpression = json["use_regex"]?.boolValue ?? true
                expression = usesExpression ? try SplitExpression(PreTokenizer.gpt2Expression) : nil
            case let type?: throw InputError("the pre-tokenizer \"\(type)\" is not supported")
            case nil: throw InputError("a pre-tokenizer without its type")
            }
        } catch let error as InputError {
            throw error.located(at: place)
        }
    }

    /// The regular expression of a Split, or the one that matches its plain string.
    private static func pattern(_ json: JSON?) throws -> String {
        if let expression = json?["Regex"]?.stringValue { return expression }
        guard let plain = json?["String"]?.stringValue else { throw InputError("a Split without its pattern") }
        return plain.unicodeScalars.reduce(into: "") { pattern, scalar in
            let isLetterOrDigit = scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            if scalar.isASCII, !isLetterOrDigit { pattern += "\\" }
            pattern.unicodeScalars.append(scalar)
        }
    }
}

/// Applies a ``PreTokenizer`` to one text after the other; holds what its matchers need while they work.
struct TextSplitter {
    private var matchers: [ExpressionMatcher]

    init(_ preTokenizer: PreTokenizer) { matchers = preTokenizer.expressions.map(ExpressionMatcher.init) }

    /// Calls `body` with every piece of the text at `range`, in order. No piece is empty.
    mutating func split(
        _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ body: (Range<Int>) -> Void
    ) {
        split(text, range, level: 0, body)
    }

    private mutating func split(
        _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, level: Int, _ body: (Range<Int>) -> Void
    ) {
        if range.isEmpty { return }
        if level == matchers.count { return body(range) }
        var gapStart = range.lowerBound
        matchers[level].begin(text, range)
        while let match = matchers[level].next() {
            split(text, gapStart..<match.lowerBound, level: level + 1, body)
            split(text, match, level: level + 1, body)
            gapStart = match.upperBound
        }
        split(text, gapStart..<range.upperBound, level: level + 1, body)
    }
}
