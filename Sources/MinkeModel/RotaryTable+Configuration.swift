import MinkeTensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension RotaryTable {
    /// The table of a configuration, YaRN included (deepseek-ai/DeepSeek-V3 `precompute_freqs_cis`).
    ///
    /// - Parameter positions: how many positions to tabulate.
    init(_ configuration: ModelConfiguration, positions: Int) {
        let width = configuration.qkRopeHeadDim
        let plain = (0..<width / 2).map { pow(configuration.ropeTheta, -2 * Double($0) / Double(width)) }
        self.init(
            frequencies: configuration.yarn.map {
                $0.stretched(plain, width: width, theta: configuration.ropeTheta)
            } ?? plain,
            positions: positions, magnitude: configuration.yarn?.rotationMagnitude ?? 1,
            isInterleaved: configuration.ropeInterleave)
    }
}

extension YaRN {
    /// g(s, m) = 1 for s ≤ 1, else 0.1·m·ln(s) + 1.
    private func magnitude(_ m: Double) -> Double { factor <= 1 ? 1 : 0.1 * m * log(factor) + 1 }

    /// Factor on cosines and sines.
    var rotationMagnitude: Double {
        if let attentionFactor { return attentionFactor }
        if let mscale, let mscaleAllDim, mscale != 0, mscaleAllDim != 0 {
            return magnitude(mscale) / magnitude(mscaleAllDim)
        }
        return magnitude(1)
    }

    /// Factor on the softmax scale: g(s, mscale_all_dim)².
    var softmaxFactor: Double {
        guard let mscaleAllDim, mscaleAllDim != 0 else { return 1 }
        return magnitude(mscaleAllDim) * magnitude(mscaleAllDim)
    }

    /// Slow frequencies are divided by the factor, fast ones kept, with a ramp between.
    func stretched(_ frequencies: [Double], width: Int, theta: Double) -> [Double] {
        func correction(_ rotations: Double) -> Double {
            Double(width) * log(Double(originalMaxPositionEmbeddings) / (rotations * 2 * Double.pi)) / (2 * log(theta))
        }
        let low = max(floor(correction(betaFast)), 0)
        var high = min(ceil(correction(betaSlow)), Double(width - 1))
        if low == high { high += 0.001 }
        return frequencies.enumerated().map { index, frequency in
            let ramp = min(max((Double(index) - low) / (high - low), 0), 1)
            return frequency / factor * ramp + frequency * (1 - ramp)
        }
    }
}
