import MinkeFiles
import MinkeGeneration
import Testing

/// The fuzz targets over a fixed sequence of changed files: what a machine without libFuzzer can do.
@Suite struct MutationTests {
    @Test(arguments: FuzzTarget.allCases) func changedFilesAreReadOrRefused(target: FuzzTarget) throws {
        let scratch = try TemporaryFolder()
        try FuzzTarget.prepare(scratch.path)
        let seeds = try target.seeds(scratch: scratch.path)
        for seed in seeds { try target.run(seed, scratch: scratch.path) }
        var mutator = Mutator(seed: 1)
        for round in 0..<(target.loadsModels ? 120 : 250) {
            let changed = mutator.changed(seeds[round % seeds.count], other: seeds[round / 2 % seeds.count])
            try target.run(changed, scratch: scratch.path)
        }
    }

    /// Containers that are sound but for a field or two.
    @Test func changedFieldsAreReadOrRefused() throws {
        let scratch = try TemporaryFolder()
        try FuzzTarget.prepare(scratch.path)
        let seeds = try FuzzTarget.gguf.seeds(scratch: scratch.path)
        var random = FuzzRandom(seed: 3)
        for round in 0..<150 {
            let seed = seeds[round % seeds.count]
            var container = try #require(FuzzContainer(seed))
            #expect(container.bytes == seed)
            container.change(&random)
            try FuzzTarget.gguf.run(container.bytes, scratch: scratch.path)
        }
    }

    /// A context may be shorter than what the targets would like to run.
    @Test(arguments: 1...4) func shortContextsAreRun(context: Int) throws {
        let scratch = try TemporaryFolder()
        try FuzzTarget.prepare(scratch.path)
        let text = String(decoding: try FuzzTarget.config.seeds(scratch: scratch.path)[0], as: UTF8.self)
        let short = text.replacing(/"max_position_embeddings": *64/, with: #""max_position_embeddings": \#(context)"#)
        #expect(short != text)
        try FuzzTarget.config.run(Array(short.utf8), scratch: scratch.path)
    }

    /// Seeds must get past the first checks, or the targets test nothing.
    @Test func soundModelsLoad() throws {
        let scratch = try TemporaryFolder()
        try FuzzTarget.prepare(scratch.path)
        _ = try TextModel(contentsOf: scratch.path)
        for bytes in try FuzzTarget.gguf.seeds(scratch: scratch.path) {
            let path = FileSystem.join(scratch.path, "model.gguf")
            try FuzzTarget.overwrite(path, bytes)
            _ = try TextModel(contentsOf: path)
        }
    }
}

extension FuzzTarget {
    var loadsModels: Bool { self == .safetensors || self == .gguf || self == .config }
}

/// Changes files as fuzzers do, always in the same way for the same seed.
struct Mutator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    private static let words: [UInt64] = [
        0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 32, 1 << 60, .max >> 1, 1 << 63, .max - 31, .max,
    ]
    private static let texts = [
        "-1", "0", "1e999", "18446744073709551615", "null", "[]", "{}", "\"\"", "\"\\ud800\"", "[[[[",
        "{% for x in y %}",
        "{{ x * 9999999999 }}", "|join", "\u{0}", "../../etc/passwd", "<0x-1>",
    ]

    /// SplitMix64.
    private mutating func next(below limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(max(1, limit)))
    }

    /// A place in the file; half of the time in its first kilobyte, where containers have their headers.
    private mutating func place(in bytes: [UInt8]) -> Int {
        next(below: next(below: 2) == 0 ? min(bytes.count, 1024) : bytes.count)
    }

    /// One to four changes of a file.
    mutating func changed(_ file: [UInt8], other: [UInt8]) -> [UInt8] {
        var bytes = file
        for _ in 0...next(below: 4) {
            guard !bytes.isEmpty else { return bytes }
            let place = place(in: bytes)
            let length = min(bytes.count - place, 1 << next(below: 8))
            switch next(below: 8) {
            case 0: bytes[place] ^= 1 << next(below: 8)
            case 1: bytes[place] = UInt8(next(below: 256))
            case 2: bytes.removeSubrange(place..<place + length)
            case 3: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
            case 4: bytes.removeLast(min(bytes.count, length))
            case 5:
                let word = Self.words[next(below: Self.words.count)]
                for index in 0..<min(8, bytes.count - place) {
                    bytes[place + index] = UInt8(truncatingIfNeeded: word >> (8 * index))
                }
            case 6: bytes.insert(contentsOf: Self.texts[next(below: Self.texts.count)].utf8, at: place)
            default:
                let start = next(below: other.count)
                bytes.insert(contentsOf: other[start..<min(other.count, start + length)], at: place)
            }
        }
        return bytes
    }
}
