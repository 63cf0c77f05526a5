import MinkeFiles

/// Chips by name: those that are known, and those of a file, which come first.
public struct ChipCatalog: Sendable {
    public private(set) var chips: [Chip]

    public init(_ chips: [Chip] = Chip.known) { self.chips = chips }

    /// The known chips behind those of a JSON file: an object, or an array of them, with `id` and any of `name`,
    /// `memory_gb`, `bandwidth_gbs`, `tdp`, `fp32_tflops`, `bf16_tflops`, `fp8_tflops`, `int8_tops`, `achievable`, `price`,
    /// `source`; of a processor `products` and `attention_tflops` (``ProcessorRates``).
    ///
    /// - Throws: ``InputError`` naming the entry and key that is wrong.
    public init(path: String) throws {
        let json = try JSON.file(path)
        let entries: [JSON]
        switch json {
        case .array(let list): entries = list
        case .object: entries = [json]
        default:
            throw InputError("is neither a chip nor an array of chips", at: path, remedy: "see minke plan train --help")
        }
        self.init(try entries.enumerated().map { try Self.chip($1, at: "\(path): chip \($0 + 1)") } + Chip.known)
    }

    /// The chip called `name`: its id, a part of the id that begins it, or its whole name, in any case.
    ///
    /// - Throws: ``InputError`` that lists what is known.
    public func chip(named name: String) throws -> Chip {
        let wanted = name.lowercased()
        if let exact = chips.first(where: { $0.id.lowercased() == wanted || $0.name.lowercased() == wanted }) {
            return exact
        }
        // `h100` is unmistakable as long as only one size of it is known; of several the last, largest one counts.
        let starting = chips.filter { $0.id.lowercased().hasPrefix(wanted + "-") }
        if !wanted.isEmpty, let chip = starting.last { return chip }
        throw InputError(
            "the chip \"\(name.prefix(60))\" is not known",
            remedy: "known: \(chips.map(\.id).joined(separator: ", ")); or give --peak-tflops, --bandwidth-gbs, "
                + "--memory-gb and --tdp")
    }

    private static func chip(_ json: JSON, at place: String) throws -> Chip {
        guard let object = json.objectValue else { throw InputError("is not an object", at: place) }
        let known: Set = [
            "id", "name", "memory_gb", "bandwidth_gbs", "tdp", "fp32_tflops", "bf16_tflops", "fp8_tflops", "int8_tops",
            "achievable", "price", "source", "products", "attention_tflops",
        ]
        if let key = object.keys.first(where: { !known.contains($0) }) {
            throw InputError(
                "the key \"\(key.prefix(40))\" is not known", at: place,
                remedy: "known: \(known.sorted().joined(separator: ", "))")
        }
        guard let id = object["id"]?.stringValue, !id.isEmpty else { throw InputError("has no \"id\"", at: place) }
        func number(_ key: String) throws -> Double? { try object.positive(key, at: place) }
        let achievable = try number("achievable")
        if let achievable, achievable > 1 { throw InputError("\"achievable\" is a share of 1 at most", at: place) }
        var chip = Chip(
            id: id, name: object["name"]?.stringValue ?? id, memoryGB: try number("memory_gb"),
            bandwidthGBs: try number("bandwidth_gbs"), tdpWatts: try number("tdp"),
            float32: try number("fp32_tflops"),
            bfloat16: try number("bf16_tflops"), float8: try number("fp8_tflops"), int8: try number("int8_tops"),
            achievable: achievable,
            rent: try number("price").map {
                Chip.Rent(low: $0, typical: $0, high: $0, date: "the user's", source: place)
            },
            confidence: .a, source: object["source"]?.stringValue ?? place)
        chip.rates = try ProcessorRates(object, at: place)
        return chip
    }
}

extension Chip {
    /// All chips whose figures came with the program.
    public static let known: [Chip] = accelerators + processors
}

extension JSON {
    /// The value of a whole file.
    ///
    /// - Throws: ``InputError`` that names the path.
    static func file(_ path: String) throws -> JSON {
        let bytes = try FileSystem.readAll(path, limit: 16 << 20)
        do { return try JSON(parsing: bytes) } catch let error as InputError { throw error.located(at: path) }
    }
}

extension JSON.Object {
    /// The number above zero under `key`; nil where the key is absent or null.
    ///
    /// - Throws: ``InputError`` naming `place` and key.
    func positive(_ key: String, at place: String) throws -> Double? {
        guard let value = self[key], !value.isNull else { return nil }
        guard let number = value.doubleValue ?? value.stringValue.flatMap(Quantity.parse), number > 0,
            number.isFinite, number < 1e30
        else {
            throw InputError(
                "\"\(key)\" is not a number above zero", at: place, remedy: "write 7168, 14.8e12 or \"14.8T\"")
        }
        return number
    }
}
