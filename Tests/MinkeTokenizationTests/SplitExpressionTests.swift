import MinkeFiles
import Testing

@testable import MinkeTokenization

@Suite struct SplitExpressionTests {
    private func matches(_ pattern: String, _ text: [UInt8]) throws -> [String] {
        var matcher = ExpressionMatcher(try SplitExpression(pattern))
        return text.withUnsafeBufferPointer { text in
            matcher.begin(text, 0..<text.count)
            var found: [String] = []
            while let match = matcher.next() { found.append(String(decoding: text[match], as: UTF8.self)) }
            return found
        }
    }

    private func matches(_ pattern: String, _ text: String) throws -> [String] {
        try matches(pattern, Array(text.utf8))
    }

    @Test(arguments: [
        ("ab|a", "abaac", ["ab", "a", "a"]),
        ("a|ab", "ab", ["a"]),
        ("a{2,3}", "aaaaaa1a", ["aaa", "aaa"]),
        ("x{,2}y", "xxxyy", ["xxy", "y"]),
        ("a{b", "a{b", ["a{b"]),
        (#"\s+(?!\S)|\s+"#, "a   b \t", ["  ", " ", " \t"]),
        (#"\w+(?=!|\?)"#, "no yes! so?", ["yes", "so"]),
        (#"\s*[\r\n]+"#, "  \n\n  x", ["  \n\n"]),
        (#"(?:\p{L}\p{M}*)+"#, "e\u{301}a1\u{301}b", ["e\u{301}a", "b"]),
        (#"(?i:'S|k)"#, "'s'ſ K\u{212A}", ["'s", "'ſ", "K", "\u{212A}"]),
        (#"(?:a(?i)b)c"#, "aBc abC Abc", ["aBc"]),
        (#"[\p{L}&&[^\p{Han}a-c]]+"#, "abcde鯨f", ["de", "f"]),
        (#"[^(\s|[.,!])]+"#, "ab.(c|d", ["ab", "c", "d"]),
        (#"\p{Lu}\p{^Lu}*"#, "éAbcD", ["Abc", "D"]),
        (#"[\x41-\u0043\-]+"#, "xA-CD", ["A-C"]),
        (#"a++b?+"#, "aaab aa", ["aaab", "aa"]),
        (#"a++a"#, "aaaa", []),
        (#"^a|a$"#, "aba\nab\na", ["a", "a", "a", "a"]),
        (#"(?:ab?){2}c"#, "aabc abac aac", ["aabc", "abac", "aac"]),
        (".b", "ab\nbéb", ["ab", "éb"]),
    ])
    func matchesLikeOniguruma(pattern: String, text: String, expected: [String]) throws {
        #expect(try matches(pattern, text) == expected)
    }

    @Test(arguments: [
        "([a-z", "a)", "*a", "a**", "a+?", #"\1"#, #"\bx"#, "(?<=a)b", "(?<n>a)", "[]", "[z-a]", #"\p{Greek}"#,
        #"\p{L"#,
        "a*", "(?:a?)+", "a{300}", "[[:alpha:]]", "(?=a+)b", "\\", "(?:(?:a{200}b){200}c){200}", "a{3,2}", "",
    ])
    func refuses(pattern: String) {
        #expect(throws: InputError.self) { try SplitExpression(pattern) }
    }

    @Test func nestingIsBounded() {
        let deep = 10_000
        for (open, close) in [("(", ")"), ("[", "]")] {
            let pattern = String(repeating: open, count: deep) + "a" + String(repeating: close, count: deep)
            #expect(throws: InputError.self) { try SplitExpression(pattern) }
        }
    }

    @Test(arguments: ["(a+)+$", "(a|a|aa)+$", "(?:a*a)*b", "a*a*a*a*b", "a++b|a+c", "(?:a?a?)aaaa(?:a?a?)b"])
    func backtrackingIsBounded(pattern: String) throws {
        #expect(try matches(pattern, String(repeating: "a", count: 5_000) + "!").isEmpty)
    }

    /// Remembering failed states must not change what matches.
    @Test func matchesAfterManyFailures() throws {
        let run = String(repeating: "a", count: 3_000)
        #expect(try matches("(?:a+)+b|a{1,2}c|d", run + "!d aac" + run + "b") == ["d", "aac", run + "b"])
    }

    @Test func invalidBytesAreCharactersOfTheirOwn() throws {
        let text: [UInt8] = [0x61, 0xFF, 0xE9, 0xAF, 0x20, 0xC3, 0xA9, 0xED, 0xA0, 0x80]
        #expect(try matches(#"\p{L}"#, text) == ["a", "é"])
        #expect(try matches(#"[^\s\p{L}]"#, text).count == 6)
        #expect(try matches(#"\S+\s"#, text).count == 1)
        #expect(try matches(#"[^a]*\p{L}"#, text).count == 2)
    }

    @Test func tablesAgreeWithTheStandardLibrary() throws {
        let letters = try #require(ScalarSet.property(named: "L"))
        let spaces = ScalarSet.whiteSpace
        let tables = ScalarTables([letters, spaces, letters.complement, try #require(ScalarSet.property(named: "Cn"))])
        for value in stride(from: UInt32(0), to: 0x110000, by: 7) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let category = scalar.properties.generalCategory
            let isLetter = [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter]
                .contains(category)
            guard tables.contains(0, value) == isLetter, tables.contains(2, value) != isLetter,
                tables.contains(1, value) == scalar.properties.isWhitespace,
                tables.contains(3, value) == (category == .unassigned)
            else {
                Issue.record("U+\(String(value, radix: 16))")
                return
            }
        }
        #expect(!tables.contains(0, ScalarSet.invalidByte) && tables.contains(2, ScalarSet.invalidByte))
    }
}
