import MinkeTensors

/// A matrix of doubles, in which the expected results are computed.
struct Matrix {
    var rows: Int
    var columns: Int
    var values: [Double]

    init(_ rows: Int, _ columns: Int, _ values: [Double]) {
        precondition(values.count == rows * columns)
        (self.rows, self.columns, self.values) = (rows, columns, values)
    }

    init(zeros rows: Int, _ columns: Int) { self.init(rows, columns, [Double](repeating: 0, count: rows * columns)) }

    init(_ tensor: Tensor) { self.init(tensor.rows, tensor.columns, tensor.values.map { Double($0) }) }

    subscript(row: Int, column: Int) -> Double {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    var absolute: Matrix { map { abs($0) } }

    func map(_ body: (Double) -> Double) -> Matrix { Matrix(rows, columns, values.map(body)) }

    var transposed: Matrix {
        var result = Matrix(zeros: columns, rows)
        for row in 0..<rows { for column in 0..<columns { result[column, row] = self[row, column] } }
        return result
    }

    func rows(_ range: Range<Int>) -> Matrix {
        Matrix(range.count, columns, Array(values[range.lowerBound * columns..<range.upperBound * columns]))
    }

    /// x·Wᵀ. Plain loops over pointers: tests run unoptimised.
    func timesTransposed(_ other: Matrix) -> Matrix {
        precondition(columns == other.columns)
        var result = Matrix(zeros: rows, other.rows)
        let (height, width, depth) = (rows, other.rows, columns)
        values.withUnsafeBufferPointer { a in
            other.values.withUnsafeBufferPointer { b in
                result.values.withUnsafeMutableBufferPointer { out in
                    var i = 0
                    while i < height {
                        var j = 0
                        while j < width {
                            var sum = 0.0
                            var k = 0
                            while k < depth {
                                sum += a[i * depth + k] * b[j * depth + k]
                                k += 1
                            }
                            out[i * width + j] = sum
                            j += 1
                        }
                        i += 1
                    }
                }
            }
        }
        return result
    }

    static func + (a: Matrix, b: Matrix) -> Matrix {
        precondition(a.rows == b.rows && a.columns == b.columns)
        return Matrix(a.rows, a.columns, zip(a.values, b.values).map { $0 + $1 })
    }
}
