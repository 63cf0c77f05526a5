/// Expands `count` little-endian elements of a floating-point `type`, at any alignment.
///
/// Other types leave `target` as it is.
func convert(_ source: UnsafeRawPointer, _ type: StoredType, to target: UnsafeMutablePointer<Float>, count: Int) {
    switch type {
    case .float32:
        for index in 0..<count { target[index] = Float(bitPattern: load(source, index)) }
    case .bfloat16:
        for index in 0..<count { target[index] = Float(bitPattern: UInt32(load(source, index) as UInt16) &<< 16) }
    case .float16:
        for index in 0..<count { target[index] = float(half: load(source, index)) }
    case .float64:
        for index in 0..<count { target[index] = Float(Double(bitPattern: load(source, index))) }
    case .float8E4M3: look(up: source, float(e4m3:), to: target, count: count)
    // The upper half of a binary16 number.
    case .float8E5M2: look(up: source, { float(half: UInt16($0) << 8) }, to: target, count: count)
    case .float8E8M0: look(up: source, float(e8m0:), to: target, count: count)
    default: break
    }
}

@inline(__always)
private func load<Bits: FixedWidthInteger>(_ source: UnsafeRawPointer, _ index: Int) -> Bits {
    Bits(littleEndian: source.loadUnaligned(fromByteOffset: index &* MemoryLayout<Bits>.size, as: Bits.self))
}

/// Converts one-byte elements through a table of all 256.
private func look(
    up source: UnsafeRawPointer, _ value: (UInt8) -> Float, to target: UnsafeMutablePointer<Float>, count: Int
) {
    (0...UInt8.max).map(value).withUnsafeBufferPointer { table in
        for index in 0..<count { target[index] = table[Int(source.load(fromByteOffset: index, as: UInt8.self))] }
    }
}

/// The value of an IEEE 754 binary16 number. (`Float16` is not available on every platform.)
@inline(__always)
func float(half bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) &<< 16
    let magnitude = UInt32(bits & 0x7FFF)
    let value: UInt32
    if magnitude >= 0x7C00 {  // Infinity or NaN.
        value = 0x7F80_0000 | magnitude &<< 13
    } else if magnitude >= 0x0400 {
        value = magnitude &<< 13 &+ (127 - 15) << 23
    } else {  // Subnormal: a multiple of 2⁻²⁴.
        value = (Float(magnitude) * 0x1p-24).bitPattern
    }
    return Float(bitPattern: sign | value)
}

/// The value of an OCP 8-bit number with four exponent and three fraction bits: bias 7, no infinities, NaN at 0x7F.
func float(e4m3 bits: UInt8) -> Float {
    let exponent = Int(bits >> 3 & 15)
    let fraction = Float(bits & 7)
    if bits & 0x7F == 0x7F { return .nan }
    let magnitude =
        exponent == 0
        ? fraction * 0x1p-9 : Float(sign: .plus, exponent: exponent - 7, significand: 1 + fraction / 8)
    return bits & 0x80 == 0 ? magnitude : -magnitude
}

/// The value of an OCP 8-bit scale: two to the power of `bits - 127`, NaN at 0xFF.
func float(e8m0 bits: UInt8) -> Float {
    bits == 0xFF ? .nan : Float(sign: .plus, exponent: Int(bits) - 127, significand: 1)
}
