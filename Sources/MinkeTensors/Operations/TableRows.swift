import CMinkeKernels

extension Tape {
    /// x[t] += [W[rows[t, 0]] | W[rows[t, 1]] | …], in place: rows of a table, side by side, added to each row.
    ///
    /// Gradient: dW[rows[t, s]] += slice s of dx[t], for the rows that are named only; dx passes through. Rows are read
    /// with the decay that they still owe (``RowDecay``).
    ///
    /// - Parameters:
    ///   - x: `[tokens, slices × columns of W]`; nothing before it may need its value.
    ///   - table: made with `hasRowGradients`, or stored.
    ///   - rows: row numbers, `slices` for every row of x.
    public func addRows(to x: Variable, of table: Parameter, rows: [Int32]) {
        let target = x.value
        let width = table.columns
        let slices = target.columns / width
        precondition(slices * width == target.columns && rows.count == slices * target.rows)
        let count = table.groups * table.rows
        precondition(rows.allSatisfy { $0 >= 0 && Int($0) < count }, "rows outside the table")
        let kernels = CPU.shared.kernels
        CPU.shared.parallel(target.rows, chunk: Tensor.rowsPerTask) { range in
            let copy = table.isStored ? Tensor(uninitialized: 1, width) : nil
            for index in range.lowerBound * slices..<range.upperBound * slices {
                let (token, slice) = index.quotientAndRemainder(dividingBy: slices)
                let row = Int(rows[index])
                let to = target.pointer(row: token, column: slice * width)
                if let copy {
                    table.copyRow(row, to: copy.floats)
                    kernels.addScaled(to, target.type.code, copy.floats, 1, Int64(width))
                } else {
                    let owed = table.rowDecay?.factor(row: row) ?? 1
                    kernels.addScaled(
                        to, target.type.code, table.value.floats + row * width, owed, Int64(width))
                }
            }
        }
        record {
            guard table.isTrainable, let dx = x.gradient else { return }
            table.receive(RowReadings(rows: rows, gradient: dx, slices: slices))
        }
    }
}
