import MinkeCheckpoints
import MinkeFiles

/// `kv_b_proj` where a checkpoint keeps its halves apart, as newer GGUF files do: `k_b_proj`, per head the transpose of
/// the key's rows (`[heads × rank, nope]`), and `v_b_proj`, per head the value's rows (`[heads × value, rank]`).
struct SplitKeyValue {
    private let keys: StoredTensor
    private let values: StoredTensor
    private let heads: Int

    /// Nil where the checkpoint has no such halves for `name`, or has it whole.
    init?(_ name: String, in checkpoint: Checkpoint, heads: Int) throws {
        let whole = "kv_b_proj.weight"
        guard name.hasSuffix(whole), !checkpoint.hasTensor(name) else { return nil }
        let prefix = String(name.dropLast(whole.count))
        let (keyName, valueName) = (prefix + "k_b_proj.weight", prefix + "v_b_proj.weight")
        guard checkpoint.hasTensor(keyName), checkpoint.hasTensor(valueName) else { return nil }
        keys = try checkpoint.tensor(keyName)
        values = try checkpoint.tensor(valueName)
        self.heads = heads
    }

    /// Checks that the halves make a matrix of this shape.
    func check(rows: Int, columns: Int) throws {
        guard keys.shape.count == 2, keys.shape[0] == heads * columns else {
            throw InputError("shape \(keys.shape) does not fit \(heads) heads of rank \(columns)", at: keys.location)
        }
        guard values.shape.count == 2, values.shape[1] == columns, values.shape[0] % heads == 0,
            heads * keys.shape[1] + values.shape[0] == rows
        else {
            throw InputError("shape \(values.shape) does not make \(rows) rows of \(columns)", at: values.location)
        }
    }

    /// Writes the joined matrix, per head the key's rows and then the value's.
    func copyFloats(to target: UnsafeMutableBufferPointer<Float>) throws {
        let nope = keys.shape[1]
        let rank = values.shape[1]
        let width = values.shape[0] / heads
        let transposed = UnsafeMutableBufferPointer<Float>.allocate(capacity: heads * rank * nope)
        defer { transposed.deallocate() }
        try keys.copyFloats(to: transposed)
        let plain = UnsafeMutableBufferPointer<Float>.allocate(capacity: heads * width * rank)
        defer { plain.deallocate() }
        try values.copyFloats(to: plain)
        for head in 0..<heads {
            let first = head * (nope + width) * rank
            for row in 0..<nope {
                for column in 0..<rank {
                    target[first + row * rank + column] = transposed[(head * rank + column) * nope + row]
                }
            }
            let rows = UnsafeMutableBufferPointer(rebasing: target[(first + nope * rank)...].prefix(width * rank))
            _ = rows.update(from: plain[head * width * rank..<(head + 1) * width * rank])
        }
    }
}
