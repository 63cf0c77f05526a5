#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Expands DEFLATE data (RFC 1951) in constant memory.
struct Inflater: ~Copyable {
    typealias Sink = (UnsafeRawBufferPointer) throws -> Void

    private static let windowSize = 1 << 15
    private static let chunkSize = 1 << 17
    /// Room for the longest match, and for copying it eight bytes at a time.
    private static let slack = 258 + 8

    /// Up to 32 KiB of what was already handed out, then what was not.
    private let window = UnsafeMutablePointer<UInt8>.allocate(capacity: windowSize + chunkSize + slack)
    private var filled = 0
    private var handedOut = 0
    private var literals = HuffmanTable()
    private var distances = HuffmanTable()

    init() {
        window.initialize(repeating: 0, count: Inflater.windowSize + Inflater.chunkSize + Inflater.slack)
    }

    deinit { window.deallocate() }

    /// Expands the stream that begins at `position`, handing the output to `sink` piece by piece.
    ///
    /// - Returns: the position after the stream.
    mutating func inflate(_ bytes: UnsafeRawBufferPointer, startingAt position: Int, into sink: Sink) throws -> Int {
        filled = 0
        handedOut = 0
        var input = BitReader(bytes, startingAt: position)
        var isFinal = false
        while !isFinal {
            input.refill()
            guard let flag = input.read(1), let type = input.read(2) else { throw Inflater.damage(input, "ends early") }
            isFinal = flag == 1
            switch type {
            case 0: try copyStored(&input, sink)
            case 1:
                useFixedCodes()
                try expandBlock(&input, sink)
            case 2:
                try readCodes(&input)
                try expandBlock(&input, sink)
            default: throw Inflater.damage(input, "unknown block type 3")
            }
        }
        try handOut(sink)
        return input.bytePosition
    }

    static func damage(_ input: BitReader, _ problem: String) -> InputError {
        InputError("damaged compressed data: \(problem)", at: "byte \(input.bytePosition)")
    }

    private mutating func handOut(_ sink: Sink) throws {
        if filled > handedOut { try sink(UnsafeRawBufferPointer(start: window + handedOut, count: filled - handedOut)) }
        handedOut = filled
    }

    /// Hands out what is new and keeps the last 32 KiB for matches.
    private mutating func makeRoom(_ sink: Sink) throws {
        try handOut(sink)
        let kept = min(filled, Inflater.windowSize)
        memmove(window, window + (filled - kept), kept)
        filled = kept
        handedOut = kept
    }

    private mutating func copyStored(_ input: inout BitReader, _ sink: Sink) throws {
        input.alignToByte()
        input.refill()
        guard let length = input.read(16), let check = input.read(16) else {
            throw Inflater.damage(input, "ends early")
        }
        guard length == ~check & 0xFFFF else { throw Inflater.damage(input, "a stored block's length fails its check") }
        guard let bytes = input.readBytes(length) else { throw Inflater.damage(input, "ends inside a stored block") }
        var rest = bytes[...]
        while !rest.isEmpty {
            if filled >= Inflater.windowSize + Inflater.chunkSize { try makeRoom(sink) }
            let piece = UnsafeRawBufferPointer(
                rebasing: rest.prefix(Inflater.windowSize + Inflater.chunkSize - filled))
            UnsafeMutableRawBufferPointer(start: window + filled, count: piece.count).copyMemory(from: piece)
            filled += piece.count
            rest = rest.dropFirst(piece.count)
        }
    }

    /// The bytes, lengths and distances of one block coded with `literals` and `distances`.
    private mutating func expandBlock(_ input: inout BitReader, _ sink: Sink) throws {
        var reader = input
        defer { input = reader }
        while true {
            if filled >= Inflater.windowSize + Inflater.chunkSize { try makeRoom(sink) }
            // 15 bits of length code, 5 more, 15 of distance code, 13 more: one refill serves a match.
            reader.refill()
            guard let symbol = literals.decode(&reader) else { throw Inflater.damage(reader, "no such length code") }
            if symbol < 256 {
                window[filled] = UInt8(truncatingIfNeeded: symbol)
                filled &+= 1
                continue
            }
            if symbol == 256 { return }
            guard symbol < 286, let length = Inflater.value(symbol - 257, Inflater.lengths, &reader),
                let distanceSymbol = distances.decode(&reader), distanceSymbol < 30,
                let distance = Inflater.value(distanceSymbol, Inflater.distances, &reader)
            else { throw Inflater.damage(reader, "no such length or distance code") }
            guard distance <= filled else { throw Inflater.damage(reader, "a distance reaches before the start") }
            copyMatch(distance: distance, length: length)
        }
    }

    @inline(__always)
    private static func value(_ symbol: Int, _ table: [UInt32], _ reader: inout BitReader) -> Int? {
        let entry = Int(table[symbol])
        guard let extra = reader.read(entry & 15) else { return nil }
        return entry &>> 4 &+ extra
    }

    @inline(__always)
    private mutating func copyMatch(distance: Int, length: Int) {
        let target = UnsafeMutableRawPointer(window + filled)
        let source = UnsafeRawPointer(window + (filled &- distance))
        filled &+= length
        if distance >= 8 {
            var offset = 0
            while offset < length {
                target.storeBytes(
                    of: source.loadUnaligned(fromByteOffset: offset, as: UInt64.self), toByteOffset: offset,
                    as: UInt64.self)
                offset &+= 8
            }
        } else {
            for offset in 0..<length {
                target.storeBytes(
                    of: source.load(fromByteOffset: offset, as: UInt8.self), toByteOffset: offset, as: UInt8.self)
            }
        }
    }
}

// MARK: - Codes

extension Inflater {
    /// For each length symbol from 257 on: the shortest length times 16, plus the count of extra bits.
    private static let lengths = table(first: 3, extraBits: (0..<28).map { max(0, $0 / 4 - 1) }) + [258 << 4]

    /// For each distance symbol: the shortest distance times 16, plus the count of extra bits.
    private static let distances = table(first: 1, extraBits: (0..<30).map { max(0, $0 / 2 - 1) })

    private static func table(first: UInt32, extraBits: [Int]) -> [UInt32] {
        var base = first
        return extraBits.map { bits in
            defer { base += 1 << UInt32(bits) }
            return base << 4 | UInt32(bits)
        }
    }

    private mutating func useFixedCodes() {
        let literalLengths =
            [UInt8](repeating: 8, count: 144) + [UInt8](repeating: 9, count: 112)
            + [UInt8](repeating: 7, count: 24) + [UInt8](repeating: 8, count: 8)
        _ = literals.build(literalLengths[...])
        _ = distances.build([UInt8](repeating: 5, count: 32)[...])
    }

    /// The order in which a block gives the lengths of the codes of code lengths.
    private static let lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

    /// Reads the two codes at the start of a dynamic block (RFC 1951, section 3.2.7).
    private mutating func readCodes(_ input: inout BitReader) throws {
        input.refill()
        guard let literalField = input.read(5), let distanceField = input.read(5), let lengthField = input.read(4)
        else {
            throw Inflater.damage(input, "ends early")
        }
        let literalCount = literalField + 257
        let distanceCount = distanceField + 1
        guard literalCount <= 286, distanceCount <= 30 else { throw Inflater.damage(input, "too many codes") }

        var codeLengths = [UInt8](repeating: 0, count: 19)
        for symbol in Inflater.lengthOrder.prefix(lengthField + 4) {
            input.refill()
            guard let length = input.read(3) else { throw Inflater.damage(input, "ends early") }
            codeLengths[symbol] = UInt8(length)
        }
        guard literals.build(codeLengths[...]) else { throw Inflater.damage(input, "impossible code lengths") }

        var lengths: [UInt8] = []
        while lengths.count < literalCount + distanceCount {
            input.refill()
            guard let symbol = literals.decode(&input) else { throw Inflater.damage(input, "no such length code") }
            var repeated = UInt8(truncatingIfNeeded: symbol)
            var count: Int? = 1
            switch symbol {
            case 16:
                guard let last = lengths.last else { throw Inflater.damage(input, "repeats a length before the first") }
                repeated = last
                count = input.read(2).map { $0 + 3 }
            case 17:
                repeated = 0
                count = input.read(3).map { $0 + 3 }
            case 18:
                repeated = 0
                count = input.read(7).map { $0 + 11 }
            default: break
            }
            guard let count else { throw Inflater.damage(input, "ends early") }
            lengths.append(contentsOf: repeatElement(repeated, count: count))
        }
        guard lengths.count == literalCount + distanceCount else {
            throw Inflater.damage(input, "too many code lengths")
        }
        guard lengths[256] > 0 else { throw Inflater.damage(input, "no code for the end of the block") }
        guard literals.build(lengths[..<literalCount]), distances.build(lengths[literalCount...]) else {
            throw Inflater.damage(input, "impossible code lengths")
        }
    }
}
