import Testing

@testable import MinkeFiles

@Suite struct JSONTests {
    @Test func readsEveryKindOfValue() throws {
        let json = try JSON(parsing: #" {"a": [1, -2.5e1, true, false, null], "b": {"c": "x\n\u00e9\ud83d\udc33"}} "#)
        #expect(json["a"] == [1, -25.0, true, false, .null])
        #expect(json["b"]?["c"]?.stringValue == "x\né🐳")
        #expect(json.objectValue?.keys == ["a", "b"])
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "NaN", "01", "1.", "1e", "+1", "1e999", "\"\u{1}\"",
        "\"a",
        #""\ud800""#, #""\udc00""#, #""\x""#, "[1] 2", "tru", "\u{FEFF}{}", "{1:2}", "[1 2]", "'a'",
    ])
    func refusesWhatIsNotJSON(text: String) {
        #expect(throws: InputError.self) { try JSON(parsing: text) }
    }

    @Test func boundsTheDepth() throws {
        let nested = String(repeating: "[", count: 100_000)
        #expect(throws: InputError("invalid JSON: nested deeper than 128 levels", at: "byte 129")) {
            try JSON(parsing: nested)
        }
        #expect(throws: InputError.self) { try JSON(parsing: "[[[1]]]", maximumDepth: 2) }
        #expect(try JSON(parsing: "[[1]]", maximumDepth: 2) == [[1]])
    }

    @Test func refusesInvalidUTF8() {
        #expect(throws: InputError.self) { try JSON(parsing: [0x22, 0xFF, 0x22]) }
        #expect(throws: InputError.self) { try JSON(parsing: [0x22, 0x5C, 0x6E, 0xC3, 0x22]) }
    }

    @Test func keysAreComparedByCodeUnits() throws {
        let json = try JSON(parsing: "{\"\u{E9}\": 1, \"e\u{301}\": 2}")
        #expect(json["\u{E9}"] == 1)
        #expect(json["e\u{301}"] == 2)
        #expect(json.objectValue?.count == 2)
    }

    @Test func writesWhatItReads() throws {
        let json: JSON = ["b": [1, 2.5, "q\"\\\u{1}\u{2028}é"], "a": [:], "n": .null, "e": []]
        #expect(try JSON(parsing: json.text()) == json)
        #expect(try JSON(parsing: json.text(indented: true)) == json)
        #expect(json.text().hasPrefix(#"{"b":[1,2.5,"q\"\\\u0001\u2028é"],"a":{}"#))
    }

    @Test func wholeNumbersCountAsIntegers() {
        #expect(JSON.number(3).intValue == 3)
        #expect(JSON.number(3.5).intValue == nil)
        #expect(JSON.number(1e30).intValue == nil)
        #expect(JSON.integer(3).doubleValue == 3)
        #expect(JSON.string("3").intValue == nil)
    }

    @Test func objectsForgetRemovedKeys() {
        var object: JSON.Object = ["a": 1, "b": 2]
        object["a"] = nil
        object["c"] = 3
        #expect(object.keys == ["b", "c"])
        #expect(object["a"] == nil)
    }

    @Test func errorsAreOneLine() {
        let error = InputError("two\nlines", at: "byte 3", remedy: "fix it").located(at: "a.json")
        #expect(error.description == "a.json: byte 3: two lines (fix it)")
    }
}
