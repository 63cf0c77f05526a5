import CMinkeKernels

/// Muon: momentum made orthogonal, matrix by matrix (Jordan, 2024; with the scaling of Moonlight, arXiv 2502.16982).
///
/// B ← μ·B + G; D = G + μ·B; O ≈ UVᵀ of D by five Newton–Schulz steps; W ← W·(1 − η·λ) − η·0.2·√max(rows, columns)·O.
/// The factor gives the update the size of AdamW's, so that both share η and λ.
public struct Muon: Sendable {
    public var rate: Float
    public var momentum: Float
    public var decay: Float
    /// Newton–Schulz steps.
    public var steps: Int
    /// The polynomial of each step.
    public var iteration: Iteration
    /// The type of the products inside the iteration.
    public var precision: ElementType

    /// How singular values are driven towards 1.
    public enum Iteration: String, Sendable, CaseIterable {
        /// The same quintic in every step (Jordan, 2024).
        case quintic
        /// A quintic of its own for each step, fast first and exact last (Polar Express, arXiv 2505.16932).
        case polar

        /// a, b and c of aX + (bA + cA²)X in step `step`, from 0.
        func coefficients(step: Int) -> (Float, Float, Float) {
            switch self {
            case .quintic: return (3.4445, -4.7750, 2.0315)
            case .polar:
                // With fewer steps those at the beginning stay: they are what small singular values need.
                return Self.polarSteps[min(step, Self.polarSteps.count - 1)]
            }
        }

        private static let polarSteps: [(Float, Float, Float)] = [
            (8.156_554_5, -22.483_293, 15.878_77), (4.042_929_9, -2.808_917_5, 0.500_017_8),
            (3.891_667_8, -2.772_484_2, 0.506_064_8), (3.285_753_7, -2.368_129_5, 0.464_490_24),
            (2.346_541_3, -1.709_782_8, 0.423_235_5),
        ]
    }

    public init(
        rate: Float, momentum: Float = 0.95, decay: Float, steps: Int = 5, precision: ElementType = .bfloat16,
        iteration: Iteration = .quintic
    ) {
        self.rate = rate
        self.momentum = momentum
        self.decay = decay
        self.steps = steps
        self.precision = precision
        self.iteration = iteration
    }

    /// A matrix with its gradient and its momentum.
    public struct Matrix {
        let value: Tensor
        let gradient: Tensor
        let momentum: Tensor

        public init(value: Tensor, gradient: Tensor, momentum: Tensor) {
            self.value = value
            self.gradient = gradient
            self.momentum = momentum
        }
    }

    /// One update of every matrix in place; each is one task, so that the result does not depend on the threads.
    ///
    /// - Parameter isDue: whether the matrix of that index moves; of the others only the momentum takes the gradient.
    public func update(_ matrices: [Matrix], gradientScale: Float, isDue: (Int) -> Bool = { _ in true }) {
        // The largest first: the threads then end together.
        let order = matrices.indices.sorted {
            (matrices[$0].value.count, $1) > (matrices[$1].value.count, $0)
        }
        let due = order.map(isDue)
        CPU.shared.parallel(order.count) { task in
            update(matrices[order[task]], gradientScale: gradientScale, moves: due[task])
        }
    }

    private func update(_ matrix: Matrix, gradientScale: Float, moves: Bool) {
        let kernels = CPU.shared.kernels
        let count = Int64(matrix.value.count)
        let direction = Tensor(uninitialized: matrix.value.rows, matrix.value.columns)
        kernels.nesterov(
            matrix.momentum.floats, matrix.gradient.floats, direction.floats, momentum, gradientScale, count)
        guard moves else { return }
        let orthogonal = Muon.orthogonalized(direction, steps: steps, precision: precision, iteration: iteration)
        let size = Float(max(direction.rows, direction.columns)).squareRoot()
        kernels.axpby(orthogonal.floats, matrix.value.floats, -rate * 0.2 * size, 1 - rate * decay, count)
    }

    /// The quintic iteration X ← aX + (bA + cA²)X with A = XXᵀ, which drives singular values towards 1.
    static func orthogonalized(
        _ matrix: Tensor, steps: Int, precision: ElementType, iteration: Iteration = .quintic
    ) -> Tensor {
        let isTall = matrix.rows > matrix.columns
        let norm = Float(CPU.shared.kernels.sumOfSquares(matrix.floats, Int64(matrix.count)).squareRoot())
        // The first polar step would throw values beyond 1 far away; rounding must not bring them there.
        let room: Float = iteration == .polar ? 1.02 : 1
        var x = (isTall ? matrix.transposed() : matrix).scaled(by: 1 / (norm * room + 1e-7)).converted(to: precision)
        let rows = x.rows
        for step in 0..<steps {
            let (a, b, c) = iteration.coefficients(step: step)
            let gram = x.product(withTransposeOf: x)
            let narrow = gram.converted(to: precision)
            let polynomial = narrow.product(with: narrow)
            for row in 0..<rows {
                CPU.shared.kernels.axpby(
                    gram.pointer(row: row).assumingMemoryBound(to: Float.self),
                    polynomial.pointer(row: row).assumingMemoryBound(to: Float.self), b, c, Int64(rows))
                (polynomial.floats + row * rows + row).pointee += a
            }
            x = polynomial.converted(to: precision).product(with: x).converted(to: precision)
        }
        let result = x.converted(to: .float32)
        return isTall ? result.transposed() : result
    }
}

extension Tensor {
    fileprivate func transposed() -> Tensor {
        let result = Tensor(uninitialized: columns, rows)
        let (from, to) = (floats, result.floats)
        // Blocks of 16 × 16: both sides stay in the first-level cache.
        for rowBlock in Swift.stride(from: 0, to: rows, by: 16) {
            for columnBlock in Swift.stride(from: 0, to: columns, by: 16) {
                for row in rowBlock..<min(rows, rowBlock + 16) {
                    for column in columnBlock..<min(columns, columnBlock + 16) {
                        to[column * rows + row] = from[row * columns + column]
                    }
                }
            }
        }
        return result
    }

    fileprivate func scaled(by factor: Float) -> Tensor {
        let result = Tensor(uninitialized: rows, columns)
        result.assign(self)
        CPU.shared.kernels.scale(result.floats, factor, Int64(count))
        return result
    }

    /// self·otherᵀ, `float32`.
    fileprivate func product(withTransposeOf other: Tensor) -> Tensor {
        let panels = Storage(bytes: Int(minkePanelBytes(Int64(columns), Int64(other.rows), type.code)))
        CPU.shared.kernels.packTransposed(
            other.pointer, type.code, Int64(other.stride), Int64(other.rows), Int64(columns), panels.pointer,
            type.code, 0, Int64((other.rows + 31) / 32))
        let out = Tensor(uninitialized: rows, other.rows)
        withExtendedLifetime(panels) { Product.multiply(self, panels: panels.pointer, into: out) }
        return out
    }

    /// self·other, `float32`.
    fileprivate func product(with other: Tensor) -> Tensor {
        let panels = Storage(bytes: Int(minkePanelBytes(Int64(columns), Int64(other.columns), type.code)))
        CPU.shared.kernels.packDirect(
            other.pointer, type.code, Int64(other.stride), nil, Int64(other.columns), Int64(columns), panels.pointer,
            type.code, 0, Int64((other.columns + 31) / 32))
        let out = Tensor(uninitialized: rows, other.columns)
        withExtendedLifetime(panels) { Product.multiply(self, panels: panels.pointer, into: out) }
        return out
    }
}
