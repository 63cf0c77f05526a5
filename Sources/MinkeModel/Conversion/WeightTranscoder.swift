import MinkeCheckpoints
import MinkeFiles
import MinkeTensors
import Synchronization

/// How far encoded weights lie from what they were.
struct EncodingError {
    /// Sums of squares: of the differences, and of the weights.
    var difference = 0.0
    var weight = 0.0

    static func += (sum: inout EncodingError, other: EncodingError) {
        sum.difference += other.difference
        sum.weight += other.weight
    }
}

/// Encodes planned tensors piece by piece on all threads, in memory that does not grow with them.
struct WeightTranscoder {
    /// Elements that one task decodes and encodes, unless one unit of rows has more.
    private static let taskElements = 1 << 16
    private static let tasksAtATime = 64

    /// Makes the elements of `plan` and hands their bytes to `write`, in order.
    ///
    /// - Parameter progress: called with the elements done now and then; what it throws ends the work.
    /// - Throws: ``InputError`` when the source has values that are not finite or that `type` cannot express.
    static func transcode(
        _ plan: WeightPlan, to type: StoredType, progress: (Int) throws -> Void,
        write: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> EncodingError {
        let unitElements = plan.unit * plan.columns
        let units = plan.elementCount / unitElements
        let unitsPerTask = max(1, taskElements / unitElements)
        let tasks = (units + unitsPerTask - 1) / unitsPerTask
        let taskBytes = unitsPerTask * unitElements / type.blockElements * type.blockBytes
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: min(tasks, tasksAtATime) * taskBytes, alignment: 64)
        defer { bytes.deallocate() }
        var sum = EncodingError()
        for first in stride(from: 0, to: tasks, by: tasksAtATime) {
            let count = min(tasksAtATime, tasks - first)
            let errors = Mutex<[EncodingError?]>(Array(repeating: nil, count: count))
            let failure = Mutex<InputError?>(nil)
            let end = min(units, (first + count) * unitsPerTask)
            CPU.shared.parallel(count) { task in
                let start = (first + task) * unitsPerTask
                let range = start..<min(start + unitsPerTask, end)
                let size = range.count * unitElements / type.blockElements * type.blockBytes
                let target = UnsafeMutableRawBufferPointer(rebasing: bytes[task * taskBytes..<task * taskBytes + size])
                do {
                    let error = try encode(plan, units: range, to: type, target)
                    errors.withLock { $0[task] = error }
                } catch {
                    let problem = error as? InputError ?? InputError("\(error)", at: plan.name)
                    failure.withLock { $0 = $0 ?? problem }
                }
            }
            if let problem = failure.withLock({ $0 }) { throw problem }
            // In the order of the tasks, so that the sum does not depend on the threads.
            for error in errors.withLock({ $0 }) { if let error { sum += error } }
            let written = (end - first * unitsPerTask) * unitElements / type.blockElements * type.blockBytes
            try write(UnsafeRawBufferPointer(rebasing: bytes[..<written]))
            try progress((end - first * unitsPerTask) * unitElements)
        }
        return sum
    }

    private static func encode(
        _ plan: WeightPlan, units: Range<Int>, to type: StoredType, _ target: UnsafeMutableRawBufferPointer
    ) throws -> EncodingError {
        let count = units.count * plan.unit * plan.columns
        let scratch = UnsafeMutableBufferPointer<Float>.allocate(capacity: 2 * count)
        defer { scratch.deallocate() }
        let (elements, decoded) = (scratch.part(0, of: count), scratch.part(1, of: count))
        try plan.read(units.lowerBound * plan.unit..<units.upperBound * plan.unit, elements)
        type.encode(UnsafeBufferPointer(elements), to: target)
        type.decode(UnsafeRawBufferPointer(target), to: decoded)
        var error = EncodingError()
        for index in 0..<count {
            let difference = Double(decoded[index] - elements[index])
            error.difference += difference * difference
            error.weight += Double(elements[index]) * Double(elements[index])
        }
        guard error.difference.isFinite, error.weight.isFinite else {
            throw InputError(
                "holds values that are not finite, or that \(type.rawValue) cannot express",
                at: "tensor \"\(plan.name)\"")
        }
        return error
    }
}
