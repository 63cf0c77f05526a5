import Testing

@testable import MinkeTraining

@Suite struct TextPiecesTests {
    private func pieces(_ text: String, size: Int) -> [String] {
        Array(text.utf8).withUnsafeBytes { bytes in
            TextPieces(bytes, wantedSize: size).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    @Test func linesAreCutBeforeTheirFirstCharacter() {
        #expect(pieces("one,\ntwo,\nthree", size: 2) == ["one,\n", "two,\n", "three"])
        #expect(pieces("一。\n二。\n3", size: 1) == ["一。\n", "二。\n", "3"])
        #expect(pieces("one,\ntwo,\nthree", size: 6) == ["one,\ntwo,\n", "three"])
    }

    @Test func wordsAreCutBeforeTheirSpace() {
        #expect(pieces("one two  three 4 five", size: 1) == ["one", " two  three 4 five"])
        #expect(pieces("раз два 한 국", size: 1) == ["раз", " два", " 한", " 국"])
    }

    @Test func tokensThatMayCrossAreKept() {
        for text in [
            "\n\n  indented", "a\n\n\n", "1 2 3", "aaaaaa", "a.\n/b", "a\n\nb", "a\r\nb", "a\u{3000}\nb", "a\n\u{301}b",
        ] {
            #expect(pieces(text, size: 1) == [text])
        }
        #expect(pieces("", size: 1) == [])
    }

    @Test func charactersAreNotCut() {
        let text = Array("aé€😀".utf8)
        text.withUnsafeBytes { bytes in
            let boundaries = (0...12).map { bytes.characterBoundary(atOrBefore: $0) }
            #expect(boundaries == [0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10, 10])
        }
    }
}
