import CMinkeKernels

/// A weight: one matrix `[rows, columns]`, or `groups` of them stacked (the same projection of every expert).
///
/// A weight that can be trained has its value in `float32`; products read packed copies in the compute type, made once
/// after each change and kept for as long as the value stays. A stored weight is read where it lies, in the format of
/// its file, and never changes. A layer computes `y = x·Wᵀ`.
public final class Parameter {
    /// The name in a checkpoint of the whole parameter, for messages; pieces have their own names.
    public let name: String
    /// Master copy, `float32`, `[groups × rows, columns]`. Stored weights have none.
    public var value: Tensor {
        guard let master else { preconditionFailure("\(name) is stored and has no master copy") }
        return master
    }
    private let master: Tensor?
    /// The pieces of a stored weight, one below the other and as many for every group; empty for others.
    let stored: [StoredRows]
    public let groups: Int
    /// Rows of one of the stacked matrices.
    public let rows: Int
    public let columns: Int
    /// Whether a tape computes gradients for it.
    public var isTrainable = true
    /// The sum of the gradients since the last `clearGradient()`, `float32`; `nil` when nothing reached it.
    public private(set) var gradient: Tensor?

    /// Whether the gradient is kept for the rows that were read only: ``rowGradient`` instead of ``gradient``.
    public let hasRowGradients: Bool
    /// Decay that rows have not yet been multiplied with; nil where there is none.
    public var rowDecay: RowDecay?
    private var readings: [RowReadings] = []
    private var readingSum: RowGradient?
    private var summation: RowSummation?

    private var gradientStorage: Tensor?
    private var panels: [PanelKey: PackedPanels] = [:]
    var codePanels: [CodeWidth: CodePanels] = [:]
    /// Counts the changes of the value.
    private(set) var version = 0

    /// - Parameter hasRowGradients: for tables of which a step reads few rows.
    public init(_ name: String, _ value: Tensor, groups: Int = 1, hasRowGradients: Bool = false) {
        precondition(value.type == .float32 && value.rows % groups == 0)
        self.name = name
        self.hasRowGradients = hasRowGradients
        master = value
        stored = []
        self.groups = groups
        rows = value.rows / groups
        columns = value.columns
    }

    /// A weight that stays where it is.
    ///
    /// - Parameter pieces: rows of equal width, one below the other, as many pieces for every group.
    public init(_ name: String, stored pieces: [StoredRows], groups: Int = 1) {
        precondition(!pieces.isEmpty && pieces.count % groups == 0)
        precondition(pieces.allSatisfy { $0.columns == pieces[0].columns })
        self.name = name
        hasRowGradients = false
        master = nil
        stored = pieces
        self.groups = groups
        rows = pieces.prefix(pieces.count / groups).reduce(0) { $0 + $1.rows }
        columns = pieces[0].columns
        isTrainable = false
    }

    /// Whether the weight lies in a file's format instead of having a master copy.
    public var isStored: Bool { master == nil }

    /// The pieces of one group of a stored weight, one below the other.
    public func storedPieces(group: Int) -> [StoredRows] {
        let count = stored.count / groups
        return Array(stored[group * count..<(group + 1) * count])
    }

    public var count: Int { groups * rows * columns }

    /// Bytes of the whole weight as products read it.
    public var storedBytes: Int { isStored ? stored.reduce(0) { $0 + $1.bytes } : count * value.type.byteWidth }

    /// Row `row` as floats.
    func copyRow(_ row: Int, to target: UnsafeMutablePointer<Float>) {
        guard isStored else {
            target.update(from: value.floats + row * value.stride, count: columns)
            return
        }
        var row = row
        for piece in stored {
            if row < piece.rows { return piece.decode(row: row, to: target) }
            row -= piece.rows
        }
    }

    /// Tells that `value` was changed in place, so that packed copies are made anew.
    public func didChange() { version += 1 }

    /// Forgets the gradient but keeps its memory for the next one.
    public func clearGradient() {
        gradient = nil
        readings = []
        readingSum = nil
    }

    /// The gradient of a table's rows since the last `clearGradient()`; nil when nothing reached it.
    public var rowGradient: RowGradient? {
        if let readingSum { return readingSum }
        guard !readings.isEmpty else { return nil }
        let summation = summation ?? RowSummation(tableRows: value.rows)
        self.summation = summation
        let sum = summation.sum(readings, width: columns)
        readingSum = sum
        return sum
    }

    /// Takes the gradients of rows that were read; the tensor must not change any more.
    func receive(_ part: RowReadings) {
        precondition(hasRowGradients)
        readings.append(part)
        readingSum = nil
    }

    /// The gradient's memory, and whether it holds a sum already (else its content is undefined and must be stored to).
    func gradientForAccumulation() -> (Tensor, holdsSum: Bool) {
        if let gradient { return (gradient, true) }
        let memory = gradientStorage ?? Tensor(uninitialized: value.rows, value.columns)
        gradientStorage = memory
        gradient = memory
        return (memory, false)
    }

    /// The gradient, made zero first if nothing has reached it.
    @discardableResult
    public func gradientOrZero() -> Tensor {
        let (tensor, holdsSum) = gradientForAccumulation()
        if !holdsSum { tensor.clear() }
        return tensor
    }

    private struct PanelKey: Hashable {
        let type: ElementType
        let isTransposed: Bool
    }

    final class PackedPanels {
        let storage: Storage
        let bytesPerGroup: Int
        var version = -1

        init(bytesPerGroup: Int, groups: Int) {
            self.bytesPerGroup = bytesPerGroup
            storage = Storage(bytes: bytesPerGroup * groups)
        }

        func pointer(group: Int) -> UnsafeMutableRawPointer { storage.pointer + group * bytesPerGroup }
    }

    /// Panels of Wᵀ (`transposed`, for y = x·Wᵀ) or of W (for dx = dy·W) of every group.
    func packed(_ type: ElementType, transposed: Bool) -> PackedPanels {
        let key = PanelKey(type: type, isTransposed: transposed)
        let depth = transposed ? columns : rows
        let width = transposed ? rows : columns
        let bytes = Int(minkePanelBytes(Int64(depth), Int64(width), type.code))
        let packed = panels[key] ?? PackedPanels(bytesPerGroup: bytes, groups: groups)
        panels[key] = packed
        if packed.version == version { return packed }
        let cpu = CPU.shared
        let panelCount = (width + 31) / 32
        cpu.parallel(groups * panelCount) { task in
            let (group, panel) = task.quotientAndRemainder(dividingBy: panelCount)
            let matrix = value.pointer(row: group * rows)
            let to = packed.pointer(group: group)
            if transposed {
                cpu.kernels.packTransposed(
                    matrix, 0, Int64(columns), Int64(width), Int64(depth), to, type.code, Int64(panel),
                    Int64(panel + 1))
            } else {
                cpu.kernels.packDirect(
                    matrix, 0, Int64(columns), nil, Int64(width), Int64(depth), to, type.code, Int64(panel),
                    Int64(panel + 1))
            }
        }
        packed.version = version
        return packed
    }
}
