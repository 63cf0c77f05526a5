import CMinkeKernels

extension Tensor {
    /// z ← cap·tanh(z/cap), in place (Gemma 2, arXiv 2408.00118). Its gradient is part of
    /// ``Tape/crossEntropy(_:head:targets:lossScale:softcap:)``.
    ///
    /// The tensor is contiguous and `float32`.
    public func softcap(_ cap: Float) {
        precondition(isContiguous && cap > 0)
        CPU.shared.parallel(count, chunk: 16_384) { range in
            CPU.shared.kernels.softcap(floats + range.lowerBound, cap, nil, Int64(range.count))
        }
    }
}
