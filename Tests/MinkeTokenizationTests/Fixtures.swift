import Foundation
import MinkeFiles
import MinkeTokenization

/// The shared reference data, which a bare clone does not have.
enum Fixtures {
    static let root: URL = {
        if let path = ProcessInfo.processInfo.environment["MINKE_FIXTURES"] { return URL(fileURLWithPath: path) }
        var package = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { package.deleteLastPathComponent() }
        return package.deletingLastPathComponent().appendingPathComponent("shared/fixtures")
    }()

    /// The bytes of a file, or `nil` with a note that the test is skipped.
    static func bytes(_ path: String) -> [UInt8]? {
        if let data = FileManager.default.contents(atPath: root.appendingPathComponent(path).path) {
            return Array(data)
        }
        print("skipped: no fixture \(path) (set MINKE_FIXTURES)")
        return nil
    }

    static func tokenizer(_ path: String) throws -> Tokenizer? {
        try bytes(path).map { try Tokenizer(parsing: $0) }
    }

    /// The objects of a file with one JSON value a line.
    static func rows(_ path: String) throws -> [JSON]? {
        try bytes(path)?.split(separator: UInt8(ascii: "\n")).map { try JSON(parsing: Array($0)) }
    }
}

extension JSON {
    /// An array of integers as token ids.
    var ids: [Int32] { arrayValue?.compactMap { $0.intValue.map { Int32($0) } } ?? [] }
}

/// Random numbers that are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

/// A small tokenizer that needs no fixture.
func smallTokenizer(
    _ preTokenizer: PreTokenizer = .deepSeek, specialTokens: [String] = Tokenizer.defaultSpecialTokens + ["<｜User｜>"]
) throws -> Tokenizer {
    let trainer = BytePairTrainer(preTokenizer: preTokenizer, specialTokens: specialTokens)
    let line = "the whale swam to the harbour, the whale's calf swam too; 1234 größere 鯨は泳ぐ <｜User｜> User\n"
    for _ in 0..<5 { trainer.add(line) }
    return try trainer.train(vocabularySize: 330)
}
