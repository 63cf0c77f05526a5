import CMinkeKernels
import Testing

@testable import MinkeTensors

/// A format of stored weights, for tests that run over all of them.
struct StoredFormat: CustomStringConvertible {
    let description: String
    let code: Int32
    /// Where a block has its half-precision factors.
    var halves: [Int] = []

    var elements: Int { Int(minkeBlockElements(code)) }
    var blockBytes: Int { Int(minkeBlockBytes(code)) }

    /// The depths that tests use: whole blocks, and for plain formats odd ones that cut vectors and scaled blocks.
    var depths: [Int] {
        switch elements {
        case 1: [33, 132, 148, 256]
        case 32: [32, 96, 256, 1408]
        default: [256, 1280]
        }
    }

    static let plain = [
        StoredFormat(description: "F32", code: Int32(MinkeStoredF32)),
        StoredFormat(description: "F16", code: Int32(MinkeStoredF16)),
        StoredFormat(description: "BF16", code: Int32(MinkeStoredBF16)),
        StoredFormat(description: "E4M3", code: Int32(MinkeStoredE4M3)),
    ]
    static let blocked = [
        StoredFormat(description: "Q4_0", code: Int32(MinkeStoredQ4_0), halves: [0]),
        StoredFormat(description: "Q4_1", code: Int32(MinkeStoredQ4_1), halves: [0, 2]),
        StoredFormat(description: "Q5_0", code: Int32(MinkeStoredQ5_0), halves: [0]),
        StoredFormat(description: "Q5_1", code: Int32(MinkeStoredQ5_1), halves: [0, 2]),
        StoredFormat(description: "Q8_0", code: Int32(MinkeStoredQ8_0), halves: [0]),
        StoredFormat(description: "Q2_K", code: Int32(MinkeStoredQ2_K), halves: [80, 82]),
        StoredFormat(description: "Q3_K", code: Int32(MinkeStoredQ3_K), halves: [108]),
        StoredFormat(description: "Q4_K", code: Int32(MinkeStoredQ4_K), halves: [0, 2]),
        StoredFormat(description: "Q5_K", code: Int32(MinkeStoredQ5_K), halves: [0, 2]),
        StoredFormat(description: "Q6_K", code: Int32(MinkeStoredQ6_K), halves: [208]),
        StoredFormat(description: "IQ4_NL", code: Int32(MinkeStoredIQ4_NL), halves: [0]),
        StoredFormat(description: "IQ4_XS", code: Int32(MinkeStoredIQ4_XS), halves: [0]),
        StoredFormat(description: "MXFP4", code: Int32(MinkeStoredMXFP4)),
    ]
    static let all = plain + blocked

    static func named(_ name: String) throws -> StoredFormat { try #require(all.first { $0.description == name }) }
}

/// Bytes at an odd address, as files may have them.
final class StoredBytes {
    private let whole: UnsafeMutableRawBufferPointer
    let bytes: UnsafeMutableRawBufferPointer

    init(count: Int, misalignment: Int) {
        whole = .allocate(byteCount: count + misalignment, alignment: 64)
        bytes = UnsafeMutableRawBufferPointer(rebasing: whole[misalignment...])
    }

    deinit { whole.deallocate() }
}

extension Numbers {
    /// Random codes under factors of both signs, some of them zero and some subnormal.
    ///
    /// - Parameters:
    ///   - byte: what all codes are made of instead.
    ///   - factors: the half-precision numbers of every block instead.
    mutating func stored(
        _ format: StoredFormat, _ rows: Int, _ columns: Int, misalignment: Int = 1, filling byte: UInt8? = nil,
        factors: [UInt16]? = nil
    ) throws -> StoredRows {
        let blocks = rows * columns / format.elements
        let memory = StoredBytes(count: blocks * format.blockBytes, misalignment: misalignment)
        for block in 0..<blocks {
            let bytes = UnsafeMutableRawBufferPointer(
                rebasing: memory.bytes[block * format.blockBytes..<(block + 1) * format.blockBytes])
            for index in bytes.indices { bytes[index] = byte ?? UInt8(below(256)) }
            for (number, offset) in format.halves.enumerated() {
                bytes.storeBytes(of: factors?[number] ?? factor(), toByteOffset: offset, as: UInt16.self)
            }
            fillSpecial(format, bytes)
        }
        let scales = format.code == Int32(MinkeStoredE4M3) ? tensor((rows + 127) / 128, (columns + 127) / 128) : nil
        return try #require(
            StoredRows(
                format: format.code, bytes: UnsafeRawBufferPointer(memory.bytes), rows: rows, columns: columns,
                scales: scales, owner: memory))
    }

    /// A half-precision factor.
    private mutating func factor() -> UInt16 {
        let sign = UInt16(below(2)) << 15
        switch below(16) {
        case 0: return sign
        case 1: return sign | UInt16(1 + below(1023))
        default: return sign | UInt16(9 + below(3)) << 10 | UInt16(below(1024))
        }
    }

    private mutating func fillSpecial(_ format: StoredFormat, _ bytes: UnsafeMutableRawBufferPointer) {
        switch Int(format.code) {
        case Int(MinkeStoredMXFP4): bytes[0] = below(16) == 0 ? 0 : UInt8(120 + below(4))
        case Int(MinkeStoredF32): bytes.storeBytes(of: next(), as: Float.self)
        case Int(MinkeStoredF16): bytes.storeBytes(of: factor(), as: UInt16.self)
        case Int(MinkeStoredBF16): bytes.storeBytes(of: UInt16(next().bitPattern >> 16), as: UInt16.self)
        case Int(MinkeStoredE4M3) where bytes[0] & 0x7F == 0x7F: bytes[0] = 0
        default: break
        }
    }
}
