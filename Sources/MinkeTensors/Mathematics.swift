#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Sine and cosine of an angle in radians.
func sineAndCosine(_ angle: Double) -> (sine: Double, cosine: Double) { (sin(angle), cos(angle)) }

/// base to the power of a whole number.
func power(_ base: Double, _ exponent: Int) -> Double { pow(base, Double(exponent)) }

/// Logarithm to base e.
func naturalLogarithm(_ x: Double) -> Double { log(x) }
