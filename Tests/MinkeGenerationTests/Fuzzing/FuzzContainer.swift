/// A GGUF file taken apart, to be changed where blind changes of bytes rarely come to: one field at a time, the rest sound.
///
/// Shared by the fuzzer's mutator and ``MutationTests``. What is read here is read on its own, not by what is tested.
struct FuzzContainer {
    /// A key with its value, as the file encodes that.
    struct Entry {
        var key: [UInt8]
        var kind: UInt32
        var payload: [UInt8]
    }

    struct Tensor {
        var name: [UInt8]
        var dimensions: [UInt64]
        var type: UInt32
        var offset: UInt64
    }

    private(set) var version: UInt32 = 3
    private(set) var entries: [Entry] = []
    private(set) var tensors: [Tensor] = []
    private(set) var data: [UInt8] = []
    /// What is written instead of the true counts.
    private var wrongCounts: (tensors: UInt64?, entries: UInt64?) = (nil, nil)

    private static let stringKind: UInt32 = 8
    private static let arrayKind: UInt32 = 9
    private static let widths: [UInt32: Int] = [
        0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8,
    ]
    private static let alignment = 32

    /// Nil for what is no sound container.
    init?(_ bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard bytes.starts(with: "GGUF".utf8), reader.bytes(4) != nil, let version = reader.word(4),
            let tensorCount = reader.word(8), let entryCount = reader.word(8), tensorCount < 10_000, entryCount < 10_000
        else { return nil }
        self.version = UInt32(version)
        for _ in 0..<entryCount {
            guard let key = reader.text(), let kind = reader.word(4) else { return nil }
            let start = reader.place
            guard reader.skipValue(UInt32(kind)) else { return nil }
            entries.append(Entry(key: key, kind: UInt32(kind), payload: Array(bytes[start..<reader.place])))
        }
        for _ in 0..<tensorCount {
            guard let name = reader.text(), let count = reader.word(4), count <= 8 else { return nil }
            var dimensions: [UInt64] = []
            for _ in 0..<count {
                guard let size = reader.word(8) else { return nil }
                dimensions.append(size)
            }
            guard let type = reader.word(4), let offset = reader.word(8) else { return nil }
            tensors.append(Tensor(name: name, dimensions: dimensions, type: UInt32(type), offset: offset))
        }
        let start = (reader.place + Self.alignment - 1) / Self.alignment * Self.alignment
        data = Array(bytes.dropFirst(start))
    }

    /// The file, its data where a reader looks for it.
    var bytes: [UInt8] {
        var bytes = Array("GGUF".utf8) + Self.little(UInt64(version), 4)
        bytes += Self.little(wrongCounts.tensors ?? UInt64(tensors.count), 8)
        bytes += Self.little(wrongCounts.entries ?? UInt64(entries.count), 8)
        for entry in entries { bytes += Self.text(entry.key) + Self.little(UInt64(entry.kind), 4) + entry.payload }
        for tensor in tensors {
            bytes += Self.text(tensor.name) + Self.little(UInt64(tensor.dimensions.count), 4)
            bytes += tensor.dimensions.flatMap { Self.little($0, 8) }
            bytes += Self.little(UInt64(tensor.type), 4) + Self.little(tensor.offset, 8)
        }
        return bytes + [UInt8](repeating: 0, count: -bytes.count & (Self.alignment - 1)) + data
    }

    static func little(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }

    private static func text(_ bytes: [UInt8]) -> [UInt8] { little(UInt64(bytes.count), 8) + bytes }

    private struct Reader {
        let bytes: [UInt8]
        var place = 0

        mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
            guard count >= 0, count <= bytes.count - place else { return nil }
            place += count
            return bytes[place - count..<place]
        }

        mutating func word(_ count: Int) -> UInt64? {
            bytes(count)?.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }

        mutating func text() -> [UInt8]? {
            guard let count = word(8).flatMap({ Int(exactly: $0) }) else { return nil }
            return bytes(count).map { Array($0) }
        }

        mutating func skipValue(_ kind: UInt32) -> Bool {
            if let width = widths[kind] { return bytes(width) != nil }
            if kind == stringKind { return text() != nil }
            guard kind == arrayKind, let element = word(4), let count = word(8), count <= UInt64(bytes.count) else {
                return false
            }
            if let width = widths[UInt32(element)] { return bytes(Int(count) * width) != nil }
            guard UInt32(element) == stringKind else { return false }
            for _ in 0..<count where text() == nil { return false }
            return true
        }
    }
}

extension FuzzContainer {
    private static let sizes: [UInt64] = [
        0, 1, 2, 3, 4, 7, 31, 32, 33, 64, 255, 256, 257, 4096, 65_535, 1 << 20, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
        1 << 32, 1 << 40, 1 << 60, .max >> 1, 1 << 63, .max - 31, .max,
    ]
    private static let texts = [
        "", "deepseek2", "llama", "deepseek4", "gpt2", "none", "default", "gpt-2", "kimi-k2", "deepseek-v3",
        "llama-bpe",
        "yarn", "linear", "{{ messages[0].content }}", "{% for m in messages %}{{ m }}{% endfor %}", "\u{0}", "a b",
        "é",
    ]
    private static let tensorNames = [
        "token_embd.weight", "output.weight", "output_norm.weight", "blk.0.attn_q.weight", "blk.0.attn_kv_b.weight",
        "blk.1.ffn_gate_up_exps.weight", "blk.1.exp_probs_b.bias", "blk.0.attn_kv_a_mqa.bias",
        "blk.2.nextn.eh_proj.weight", "rope_freqs.weight", "blk.99999999999999999999.x", "blk.-1.attn_norm.weight",
    ]

    /// Changes one field, or two.
    mutating func change(_ random: inout some RandomNumberGenerator) {
        for _ in 0...Int.random(in: 0...1, using: &random) { changeOne(&random) }
    }

    private mutating func changeOne(_ random: inout some RandomNumberGenerator) {
        let size = Self.sizes.randomElement(using: &random) ?? 0
        let entry = entries.indices.randomElement(using: &random)
        let tensor = tensors.indices.randomElement(using: &random)
        switch Int.random(in: 0..<16, using: &random) {
        case 0: wrongCounts.tensors = size
        case 1: wrongCounts.entries = size
        case 2: version = UInt32(truncatingIfNeeded: size)
        case 3: if let entry { entries[entry].kind = UInt32.random(in: 0...13, using: &random) }
        case 4, 5, 6: if let entry { changePayload(entry, to: size, &random) }
        case 7: if let entry { entries.remove(at: entry) }
        case 8:
            if let entry, let other = entries.indices.randomElement(using: &random) {
                entries[entry].payload = entries[other].payload
                entries[entry].kind = entries[other].kind
            }
        case 9: if let entry { entries.append(entries[entry]) }
        case 10, 11:
            guard let tensor, let axis = tensors[tensor].dimensions.indices.randomElement(using: &random) else {
                return
            }
            switch Int.random(in: 0..<4, using: &random) {
            case 0: tensors[tensor].dimensions.swapAt(0, axis)
            case 1: tensors[tensor].dimensions.remove(at: axis)
            case 2: tensors[tensor].dimensions.append(size)
            default: tensors[tensor].dimensions[axis] = size
            }
        case 12: if let tensor { tensors[tensor].type = UInt32.random(in: 0...42, using: &random) }
        case 13:
            if let tensor { tensors[tensor].offset = Bool.random(using: &random) ? size : size & ~31 }
        case 14:
            guard let tensor else { return }
            if Bool.random(using: &random) {
                tensors[tensor].name = Array((Self.tensorNames.randomElement(using: &random) ?? "").utf8)
            } else {
                tensors.remove(at: tensor)
            }
        default:
            for _ in 0..<16 {
                if let place = data.indices.randomElement(using: &random) {
                    data[place] = UInt8.random(in: 0...255, using: &random)
                }
            }
        }
    }

    /// Another value of the same kind; of lists and strings another length, with or without as many elements.
    private mutating func changePayload(
        _ entry: Int, to size: UInt64, _ random: inout some RandomNumberGenerator
    ) {
        let payload = entries[entry].payload
        switch entries[entry].kind {
        case Self.stringKind:
            let text = Array((Self.texts.randomElement(using: &random) ?? "").utf8)
            let isSound = Bool.random(using: &random)
            entries[entry].payload = isSound ? Self.text(text) : Self.little(size, 8) + payload.dropFirst(8)
        case Self.arrayKind:
            let lead = payload.prefix(4)
            if let width = Self.widths[UInt32(lead.first ?? 0)], Bool.random(using: &random) {
                // Sound, but of another length than other lists of the file.
                let count = Int.random(in: 0...(payload.count - 12) / width, using: &random)
                entries[entry].payload =
                    lead + Self.little(UInt64(count), 8) + payload.dropFirst(12).prefix(count * width)
            } else {
                entries[entry].payload = lead + Self.little(size, 8) + payload.dropFirst(12)
            }
        default: entries[entry].payload = Self.little(size, payload.count)
        }
    }
}

/// Random numbers that a seed determines (SplitMix64).
struct FuzzRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
