import CMinkeKernels

/// AdamW (arXiv 1711.05101) on tensors: m and v are running means of the gradient and its square,
/// w ← w·(1 − η·λ) − η·m̂/(√v̂ + ε) with bias-corrected m̂, v̂.
public struct AdamW: Sendable {
    public var rate: Float
    public var beta1: Float
    public var beta2: Float
    public var epsilon: Float
    /// λ, decoupled from the gradient.
    public var decay: Float

    public init(rate: Float, beta1: Float = 0.9, beta2: Float = 0.95, epsilon: Float = 1e-8, decay: Float) {
        self.rate = rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.decay = decay
    }

    /// One update of `value` in place.
    ///
    /// - Parameters:
    ///   - mean: `float32` or `bfloat16`, as `square` is: rounded between updates, not within one (as DeepSeek-V3 keeps
    ///     both, arXiv 2412.19437, section 3.3.3).
    ///   - step: number of this update, from 1.
    ///   - gradientScale: factor on the gradient (clipping).
    public func update(
        _ value: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, step: Int, gradientScale: Float
    ) {
        precondition([value, gradient, mean, square].allSatisfy { $0.isContiguous && $0.count == value.count })
        precondition(mean.type == square.type)
        let corrections = (Double(beta1), Double(beta2))
        var arguments = MinkeAdamW(
            rate: rate, beta1: beta1, beta2: beta2, epsilon: epsilon, decay: decay,
            correction1: Float(1 - power(corrections.0, step)), correction2: Float(1 - power(corrections.1, step)),
            gradientScale: gradientScale)
        withUnsafePointer(to: &arguments) { arguments in
            CPU.shared.parallel(value.count, chunk: 16_384) { range in
                let first = range.lowerBound
                CPU.shared.kernels.adamW(
                    value.floats + first, gradient.floats + first, mean.pointer + first * mean.type.byteWidth,
                    square.pointer + first * square.type.byteWidth, mean.type.code, arguments, Int64(range.count))
            }
        }
    }
}

extension Tensor {
    /// Sum of the squares of a contiguous `float32` tensor, in a fixed order.
    public var sumOfSquares: Double {
        precondition(isContiguous)
        let chunk = 65_536
        var parts = [Double](repeating: 0, count: (count + chunk - 1) / chunk)
        parts.withUnsafeMutableBufferPointer { parts in
            let parts = SendableBuffer(parts)
            CPU.shared.parallel(count, chunk: chunk) { range in
                parts.buffer[range.lowerBound / chunk] = CPU.shared.kernels.sumOfSquares(
                    floats + range.lowerBound, Int64(range.count))
            }
        }
        return parts.reduce(0, +)
    }
}

/// A buffer whose elements are written by one task each.
private struct SendableBuffer<Element>: @unchecked Sendable {
    let buffer: UnsafeMutableBufferPointer<Element>
    init(_ buffer: UnsafeMutableBufferPointer<Element>) { self.buffer = buffer }
}
