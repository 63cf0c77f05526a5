import MinkeFiles

extension PreTokenizer {
    /// The pre-tokenizer that `tokenizer.ggml.pre` names in a GGUF file.
    ///
    /// The expressions are those of the models' own files, where llama.cpp's differ too (digits of `deepseek-llm`).
    ///
    /// - Throws: ``InputError`` for names that are not known: with other splits a model reads wrong tokens.
    init(ggufName name: String) throws {
        switch name {
        case "deepseek-v3": self = .deepSeek
        case "deepseek-llm": self = .deepSeekLLM
        case "deepseek-coder": self = .deepSeekCoder
        case "kimi-k2": self = .kimi
        case "llama-bpe", "llama3", "llama-v3", "glm4", "chatglm-bpe": self = .llama3
        case "gpt-2", "gpt2", "default": self = .gpt2
        default:
            throw InputError(
                "the pre-tokenizer \"\(name.prefix(60))\" is not supported", at: "tokenizer.ggml.pre",
                remedy: "deepseek-llm, deepseek-coder, deepseek-v3, kimi-k2, glm4, llama-bpe and gpt-2 are")
        }
    }

    /// DeepSeek LLM, V2 and their relatives: lines, words of cased scripts, punctuation, Chinese and Korean, digits.
    static let deepSeekLLM = PreTokenizer(known: [
        split(#"[\r\n]"#),
        split(#"\s?["# + casedLetters + "]+"),
        split(#"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+"#),
        split(#"\s+$"#),
        split(eastAsian),
        ["type": "Digits", "individual_digits": true],
        byteLevel(usesExpression: false),
    ])

    /// The first DeepSeek Coder.
    static let deepSeekCoder = PreTokenizer(known: [
        split(#"[\r\n]"#), split(#"\s?\p{L}+"#), split(#"\s?\p{P}+"#), split(eastAsian),
        ["type": "Digits", "individual_digits": true], byteLevel(usesExpression: false),
    ])

    /// Llama 3 and GLM-4: contractions, words, digits in threes, other characters, white space.
    static let llama3 = PreTokenizer(known: [
        split(
            contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + tail),
        byteLevel(usesExpression: false),
    ])

    /// Kimi K2 and Moonlight: runs of Chinese characters, words by their case, digits in threes, others, white space.
    static let kimi = PreTokenizer(known: [
        split(
            [
                #"\p{Han}+"#,
                word(upper + "*", lower + "+"), word(upper + "+", lower + "*"),
                tail,
            ].joined(separator: "|")),
        byteLevel(usesExpression: false),
    ])

    private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    private static let tail = #"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    private static let upper = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"#
    private static let lower = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"#

    private static func word(_ first: String, _ rest: String) -> String {
        #"[^\r\n\p{L}\p{N}]?"# + first + rest + contractions + "?"
    }

    /// Ideographs, Hangul, and what lies from U+0800 up to the ideographs.
    private static let eastAsian = "[一-龥\u{800}-一가-\u{D7FF}]+"

    /// Letters that have a case, as DeepSeek LLM's tokenizer lists them: not the whole of that Unicode property.
    private static let casedLetters: String = casedLetterRanges.reduce(into: "") { text, range in
        for code in [range.lowerBound, range.upperBound] {
            if code > range.lowerBound { text += "-" }
            if code == range.lowerBound || range.count > 1, let scalar = Unicode.Scalar(code) {
                text.unicodeScalars.append(scalar)
            }
        }
    }

    private static let casedLetterRanges: [ClosedRange<UInt32>] = [
        0x41...0x5A, 0x61...0x7A, 0xB5...0xB5, 0xC0...0xD6, 0xD8...0xF6, 0xF8...0x1BA, 0x1BC...0x1BF, 0x1C4...0x293,
        0x295...0x2AF, 0x370...0x373, 0x376...0x376, 0x377...0x377, 0x37B...0x37D, 0x37F...0x37F, 0x386...0x386,
        0x388...0x38A, 0x38C...0x38C, 0x38E...0x3A1, 0x3A3...0x3F5, 0x3F7...0x481, 0x48A...0x52F, 0x531...0x556,
        0x10A0...0x10C5, 0x13A0...0x13F5, 0x13F8...0x13FD, 0x1C90...0x1CBA, 0x1CBD...0x1CBF, 0x1D00...0x1D2B,
        0x1D6B...0x1D77, 0x1D79...0x1D9A, 0x1E00...0x1F15, 0x1F18...0x1F1D, 0x1F20...0x1F45, 0x1F48...0x1F4D,
        0x1F50...0x1F57, 0x1F59...0x1F59, 0x1F5B...0x1F5B, 0x1F5D...0x1F5D, 0x1F5F...0x1F7D, 0x1F80...0x1FB4,
        0x1FB6...0x1FBC, 0x1FBE...0x1FBE, 0x1FC2...0x1FC4, 0x1FC6...0x1FCC, 0x1FD0...0x1FD3, 0x1FD6...0x1FDB,
        0x1FE0...0x1FEC, 0x1FF2...0x1FF4, 0x1FF6...0x1FFC, 0x2102...0x2102, 0x2107...0x2107, 0x210A...0x2113,
        0x2115...0x2115, 0x2119...0x211D, 0x2124...0x2124, 0x2126...0x2126, 0x2128...0x2128, 0x212A...0x212D,
        0x212F...0x2134, 0x2139...0x2139, 0x213C...0x213F, 0x2145...0x2149, 0x214E...0x214E, 0x2183...0x2184,
        0x2C00...0x2C7B, 0x2C7E...0x2CE4, 0x2CEB...0x2CEE, 0x2CF2...0x2CF3, 0xA640...0xA66D, 0xA680...0xA69B,
        0xA722...0xA76F, 0xA771...0xA787, 0xA78B...0xA78E, 0xAB70...0xABBF, 0xFB00...0xFB06, 0xFB13...0xFB17,
        0xFF21...0xFF3A, 0xFF41...0xFF5A, 0x10400...0x1044F, 0x104B0...0x104D3, 0x104D8...0x104FB, 0x10C80...0x10CB2,
        0x10CC0...0x10CF2, 0x118A0...0x118DF, 0x1E900...0x1E943,
    ]
}
