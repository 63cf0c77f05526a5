/// How a model writes its answers: where thoughts end, and how it calls tools.
public struct AnswerSyntax: Equatable, Sendable {
    /// How tools are called.
    public enum Calls: Equatable, Sendable {
        case none
        /// Between tool tokens, the arguments in a fence of backticks: V2.5, V3, R1.
        case fenced
        /// Between tool tokens, name and arguments apart by a token: V3.1.
        case separated
        /// `functions.name:index` and arguments between tool tokens: Kimi-K2.
        case numbered
        /// Markup with one element an argument, in a block of the given name: V3.2, V4.
        case markup(block: String)
        /// `<tool_call>` with pairs of `<arg_key>` and `<arg_value>`: GLM.
        case tagged
    }

    /// How tools are called.
    public let calls: Calls
    /// Whether line breaks around thoughts belong to the format rather than to what is said.
    public let trimsThoughts: Bool

    public init(calls: Calls, trimsThoughts: Bool) {
        self.calls = calls
        self.trimsThoughts = trimsThoughts
    }

    /// The syntax of a family.
    public init(_ family: ChatFamily) {
        switch family {
        case .v2: self.init(calls: .none, trimsThoughts: false)
        case .v25, .v3: self.init(calls: .fenced, trimsThoughts: false)
        case .r1: self.init(calls: .fenced, trimsThoughts: true)
        case .v31: self.init(calls: .separated, trimsThoughts: false)
        case .v32: self.init(calls: .markup(block: "function_calls"), trimsThoughts: false)
        case .v4: self.init(calls: .markup(block: "tool_calls"), trimsThoughts: false)
        case .kimiK2: self.init(calls: .numbered, trimsThoughts: true)
        }
    }

    /// The syntax of a checkpoint: that of its template's family, else what the tokens of its vocabulary tell.
    public init(_ template: ChatTemplate?, tokenizer: Tokenizer, modelType: String? = nil) {
        if case .family(let family)? = template?.form {
            self.init(family)
        } else if tokenizer.id(of: "<tool_call>") != nil, tokenizer.id(of: "<arg_key>") != nil {
            self.init(calls: .tagged, trimsThoughts: true)
        } else if tokenizer.id(of: "<|tool_calls_section_begin|>") != nil {
            self.init(.kimiK2)
        } else if tokenizer.id(of: "<|im_middle|>") == nil,
            let family = ChatFamily(tokenizer: tokenizer, modelType: modelType)
        {
            self.init(family)
        } else {
            self.init(calls: .none, trimsThoughts: true)
        }
    }

    /// Whether an answer behind `prompt` begins inside thoughts: the template opened them and did not close them.
    public static func isThinking(behind prompt: ChatPrompt) -> Bool {
        for piece in prompt.pieces.reversed() where piece.isTemplate {
            let text = Array(piece.text.utf8)
            for start in text.indices.reversed() where text[start] == UInt8(ascii: "<") {
                if text[start...].starts(with: ChatFamily.Mark.thinkEnd.utf8) { return false }
                if text[start...].starts(with: ChatFamily.Mark.thinkBegin.utf8) { return true }
            }
        }
        return false
    }

    /// The tokens between which calls stand, where the syntax has such tokens.
    struct CallMarks {
        let open: String
        let begin: String
        let separator: String
        let end: String
        let close: String
    }

    var callMarks: CallMarks? {
        switch calls {
        case .fenced, .separated:
            CallMarks(
                open: ChatFamily.Mark.callsBegin, begin: ChatFamily.Mark.callBegin,
                separator: ChatFamily.Mark.separator, end: ChatFamily.Mark.callEnd, close: ChatFamily.Mark.callsEnd)
        case .numbered:
            CallMarks(
                open: "<|tool_calls_section_begin|>", begin: "<|tool_call_begin|>",
                separator: "<|tool_call_argument_begin|>", end: "<|tool_call_end|>",
                close: "<|tool_calls_section_end|>")
        default: nil
        }
    }

    /// Texts that count as control tokens where the vocabulary has them.
    var controlTexts: [String] {
        var texts = [ChatFamily.Mark.thinkBegin, ChatFamily.Mark.thinkEnd]
        if let marks = callMarks { texts += [marks.open, marks.begin, marks.separator, marks.end, marks.close] }
        switch calls {
        case .markup: texts.append(DSML.bar)
        case .tagged:
            texts += ["<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"]
        default: break
        }
        return texts
    }
}
