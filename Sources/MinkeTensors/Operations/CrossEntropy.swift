import CMinkeKernels

extension Tape {
    /// Rows whose logits exist at the same time. In codes, which are fast, half as many: the logits are the largest tensor.
    private static func lossRows(inCodes: Bool) -> Int { inCodes ? 256 : 512 }

    /// Mean cross-entropy of the output head: L = mean over t of log Σᵥ exp(z[t, v]) − z[t, target], z = x·Wᵀ.
    ///
    /// Head and loss are one operation in chunks of rows, so that the logits of a whole batch never exist; the gradients
    /// dz = (softmax(z) − onehot)/T, dx = dz·W, dW = dzᵀ·x are formed in the forward pass, times `lossScale`.
    ///
    /// - Parameters:
    ///   - x: `[tokens, width]` in the compute type.
    ///   - head: `[vocabulary, width]`.
    ///   - targets: one token id a row; rows with a negative target count for nothing.
    ///   - lossScale: factor on the gradients.
    ///   - softcap: c of z ← c·tanh(z/c), which then comes before the softmax; dz is multiplied by 1 − tanh².
    /// - Returns: the loss of every row, in nats; 0 where the target is negative.
    public func crossEntropy(
        _ x: Variable, head: Parameter, targets: [Int32], lossScale: Float = 1, softcap: Float? = nil
    ) -> [Float] {
        let cpu = CPU.shared
        let input = x.value
        let vocabulary = head.rows
        precondition(input.type == computeType, "the head reads rows in the compute type")
        precondition(targets.count == input.rows && targets.allSatisfy { $0 < vocabulary })
        let counted = targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) }
        let scale = lossScale / Float(max(1, counted))
        var losses = [Float](repeating: 0, count: input.rows)
        let dx = isRecording ? Tensor(uninitialized: input.rows, input.columns, type: x.gradientType) : nil
        precondition(!isRecording || !head.isStored, "stored weights are not trained through")
        let inCodes = usesCodes && !head.isStored
        let panels = head.isStored || inCodes ? nil : head.packed(computeType, transposed: true).pointer(group: 0)
        let lossRows = Tape.lossRows(inCodes: inCodes)
        for first in stride(from: 0, to: input.rows, by: lossRows) {
            let rows = first..<min(input.rows, first + lossRows)
            let part = input.rows(rows)
            let logits = Tensor(uninitialized: rows.count, vocabulary)
            if inCodes {
                CodedProduct.multiply(
                    CodedRows(part, .bits13), panels: head.coded(.bits13, transposed: true).pointer(group: 0),
                    into: logits)
            } else if let panels {
                Product.multiply(part, panels: panels, into: logits)
            } else {
                StoredProduct.multiply(
                    part, head.stored, offsets: [0, part.rows], into: logits, usesIntegers: computeType == .bfloat16)
            }
            // In float, of which codes are made too, the gradient may overwrite the logits; in bfloat16 it is half as wide.
            let dLogits =
                computeType == .float32 || inCodes
                ? logits : Tensor(uninitialized: rows.count, vocabulary, type: computeType)
            let slopes = softcap != nil && dx != nil ? Tensor(uninitialized: rows.count, vocabulary) : nil
            losses.withUnsafeMutableBufferPointer { losses in
                targets.withUnsafeBufferPointer { targets in
                    guard let losses = losses.baseAddress, let targets = targets.baseAddress else { return }
                    cpu.parallel(rows.count, chunk: 16) { range in
                        let row = range.lowerBound
                        let values = Int64(range.count * vocabulary)
                        if let softcap {
                            cpu.kernels.softcap(
                                logits.floats + row * vocabulary, softcap,
                                slopes.map { $0.floats + row * vocabulary }, values)
                        }
                        cpu.kernels.crossEntropy(
                            logits.floats + row * vocabulary, Int64(vocabulary), targets + first + row,
                            losses + first + row, dx == nil ? nil : dLogits.pointer(row: row), dLogits.type.code,
                            Int64(vocabulary), scale, Int64(range.count), Int64(vocabulary))
                        if let slopes {
                            cpu.kernels.multiply(
                                dLogits.pointer(row: row), dLogits.type.code, slopes.floats + row * vocabulary, values)
                        }
                    }
                }
            }
            guard let dx else { continue }
            if inCodes {
                CodedProduct.multiply(
                    CodedRows(dLogits, .bits13), panels: head.coded(.bits13, transposed: false).pointer(group: 0),
                    into: dx.rows(rows))
            } else {
                Product.multiply(
                    dLogits, panels: head.packed(computeType, transposed: false).pointer(group: 0), into: dx.rows(rows))
            }
            if head.isTrainable {
                let (gradient, adds) = head.gradientForAccumulation()
                let products = [Product.Outer(rows: 0..<rows.count, out: gradient, adds: adds)]
                if inCodes {
                    CodedProduct.outer(dLogits, part, products, .bits13)
                } else {
                    Product.outer(dLogits, part, products)
                }
            }
        }
        if let dx { record { x.receiveGradient(dx) } }
        return losses
    }
}
