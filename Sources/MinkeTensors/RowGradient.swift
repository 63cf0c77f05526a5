import CMinkeKernels

/// The gradient of a table of which few rows were read: those rows and their sums.
public struct RowGradient {
    /// Rows that were read, each once, in the order of their first reading.
    public let rows: [Int32]
    /// `float32`, `[rows, columns of the table]`.
    public let values: Tensor
}

/// Gradients that reached single rows of a table, not yet summed.
struct RowReadings {
    /// Row numbers, `slices` for every row of `gradient`.
    let rows: [Int32]
    /// `[readings / slices, slices × columns of the table]`; may be a range of columns.
    let gradient: Tensor
    let slices: Int

    func pointer(_ reading: Int, width: Int) -> UnsafeMutableRawPointer {
        let (row, slice) = reading.quotientAndRemainder(dividingBy: slices)
        return gradient.pointer(row: row, column: slice * width)
    }
}

/// Brings readings of equal rows together. What it costs depends on the readings, not on the rows of the table.
final class RowSummation {
    /// The place of each row among those of the current sum, plus 1; 0 for rows that were not read.
    private var places: [Int32]

    init(tableRows: Int) { places = [Int32](repeating: 0, count: tableRows) }

    /// The sum of all readings; every row is summed by one task, in the order of the readings.
    func sum(_ parts: [RowReadings], width: Int) -> RowGradient {
        var rows: [Int32] = []
        var counts: [Int] = []
        var order: [Int] = []
        order.reserveCapacity(parts.reduce(0) { $0 + $1.rows.count })
        for part in parts {
            for row in part.rows {
                var place = Int(places[Int(row)])
                if place == 0 {
                    rows.append(row)
                    counts.append(0)
                    place = rows.count
                    places[Int(row)] = Int32(place)
                }
                counts[place - 1] += 1
                order.append(place - 1)
            }
        }
        for row in rows { places[Int(row)] = 0 }
        var ends: [Int] = []
        ends.reserveCapacity(rows.count)
        var end = 0
        for count in counts {
            ends.append(end)
            end += count
        }
        var addresses = [UnsafeMutableRawPointer?](repeating: nil, count: order.count)
        var types = [Int32](repeating: 0, count: order.count)
        var reading = 0
        for part in parts {
            let type = part.gradient.type.code
            for index in part.rows.indices {
                let place = order[reading]
                addresses[ends[place]] = part.pointer(index, width: width)
                types[ends[place]] = type
                ends[place] += 1
                reading += 1
            }
        }
        let values = Tensor(zeros: rows.count, width)
        let sources = ReadingSources(addresses: addresses, types: types)
        CPU.shared.parallel(rows.count, chunk: 256) { range in
            for place in range {
                let to = values.floats + place * width
                for index in ends[place] - counts[place]..<ends[place] {
                    guard let from = sources.addresses[index] else { continue }
                    CPU.shared.kernels.accumulate(from, sources.types[index], to, Int64(width))
                }
            }
        }
        return withExtendedLifetime(parts) { RowGradient(rows: rows, values: values) }
    }
}

/// Where readings lie; the tensors that own them are kept by the caller.
private struct ReadingSources: @unchecked Sendable {
    let addresses: [UnsafeMutableRawPointer?]
    let types: [Int32]
}
