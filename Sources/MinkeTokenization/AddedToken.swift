import MinkeFiles

/// A token that is cut out of the text as it stands, before any splitting or merging.
public struct AddedToken: Sendable, Equatable {
    public let id: Int32
    /// The text that stands for the token.
    public let content: String
    /// Whether the token steers the model rather than carrying text; such tokens can be skipped in decoding.
    public let isSpecial: Bool
    /// Whether the token is looked for only after all those where this is false.
    public let isNormalized: Bool

    public init(id: Int32, content: String, isSpecial: Bool = true, isNormalized: Bool = false) {
        self.id = id
        self.content = content
        self.isSpecial = isSpecial
        self.isNormalized = isNormalized
    }

    /// Reads an entry of `added_tokens`.
    init(parsing json: JSON, at place: String) throws {
        guard let content = json["content"]?.stringValue, !content.isEmpty else {
            throw InputError("an added token without text", at: "\(place).content")
        }
        guard let id = json["id"]?.intValue, let id = Int32(exactly: id), id >= 0 else {
            throw InputError("an added token without a valid id", at: "\(place).id")
        }
        for key in ["single_word", "lstrip", "rstrip"] where json[key]?.boolValue == true {
            throw InputError(
                "the added token \(content) asks for \(key), which is not supported", at: "\(place).\(key)")
        }
        let isSpecial = json["special"]?.boolValue ?? false
        self.init(
            id: id, content: content, isSpecial: isSpecial,
            isNormalized: json["normalized"]?.boolValue ?? !isSpecial)
    }

    var json: JSON {
        [
            "id": .integer(Int(id)), "content": .string(content), "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": .bool(isNormalized), "special": .bool(isSpecial),
        ]
    }
}

/// Finds added tokens in text: leftmost first, the longest of those that start at one place.
struct AddedTokenFinder: Sendable {
    /// Key: node and byte. Value: node.
    private var children: [UInt64: Int] = [:]
    /// The id that ends at each node, or -1.
    private var ids: [Int32] = [-1]
    private var isFirstByte = [Bool](repeating: false, count: 256)

    var isEmpty: Bool { ids.count == 1 }

    init(_ tokens: [AddedToken]) {
        for token in tokens {
            var node = 0
            for byte in token.content.utf8 {
                if node == 0 { isFirstByte[Int(byte)] = true }
                let key = UInt64(node) << 8 | UInt64(byte)
                if let child = children[key] {
                    node = child
                } else {
                    ids.append(-1)
                    children[key] = ids.count - 1
                    node = ids.count - 1
                }
            }
            ids[node] = token.id
        }
    }

    /// The first added token inside `range`.
    func first(in text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> (range: Range<Int>, id: Int32)? {
        isFirstByte.withUnsafeBufferPointer { isFirstByte in
            for start in range where isFirstByte[Int(text[start])] {
                if let found = longest(in: text, start..<range.upperBound) { return found }
            }
            return nil
        }
    }

    /// The longest added token at the start of `range`.
    private func longest(in text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> (range: Range<Int>, id: Int32)? {
        var found: (range: Range<Int>, id: Int32)?
        var node = 0
        for position in range {
            guard let child = children[UInt64(node) << 8 | UInt64(text[position])] else { break }
            node = child
            if ids[node] >= 0 { found = (range.lowerBound..<position + 1, ids[node]) }
        }
        return found
    }
}
