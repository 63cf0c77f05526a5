import MinkeFiles

/// A GGUF file seen as a checkpoint of Hugging Face: its configuration, and its tensors by their names there.
///
/// Matrices are two-dimensional with their rows outermost. What a file keeps otherwise:
/// - stacked experts are offered one by one, as slices that share the bytes, also where gate and up are one matrix;
/// - `self_attn.kv_b_proj` of newer files is split into `k_b_proj` (`[heads · kv_lora_rank, qk_nope_head_dim]`: per head
///   the transpose of its rows there) and `v_b_proj` (`[heads · v_head_dim, kv_lora_rank]`);
/// - a sigmoid router without `e_score_correction_bias` has one of zeros.
public struct GGUFModel: Sendable {
    public let file: GGUFFile
    /// The configuration in the keys of a `config.json`.
    public let configuration: JSON.Object
    /// Whether routers have a correction bias, in the file or of zeros.
    private let hasCorrectionBias: Bool

    /// - Throws: ``InputError`` naming the file, and the architecture, key or tensor that is missing or not supported.
    public init(_ file: GGUFFile) throws {
        self.file = file
        do {
            configuration = try GGUFConfiguration(file).json
        } catch let error as InputError {
            throw error.location == file.path ? error : error.located(at: file.path)
        }
        hasCorrectionBias = configuration["scoring_func"] == "sigmoid"
    }

    /// Opens the file at `path`, with its other parts when it is one of several.
    public init(path: String) throws { try self.init(GGUFFile(path: path)) }

    public func hasTensor(_ name: String) -> Bool {
        guard let place = GGUFTensorNames.place(of: name) else { return false }
        guard let expert = place.expert else {
            return file.hasTensor(place.name) || zeroBiasCount(for: name) != nil
        }
        let stack = file.hasTensor(place.name) ? place.name : GGUFTensorNames.mergedPlace(of: name)?.place.name
        return stack.flatMap { file.shape(of: $0) }.map { $0.count == 3 && expert < $0[0] } ?? false
    }

    /// The tensor that Hugging Face's checkpoints call `name`; one expert of a stack costs no more than any other.
    ///
    /// - Throws: ``InputError`` when there is none, or its type is not supported.
    public func tensor(_ name: String) throws -> StoredTensor {
        guard let place = GGUFTensorNames.place(of: name) else {
            throw InputError("the weights have no tensor \"\(name.prefix(200))\"", at: file.path)
        }
        if !file.hasTensor(place.name), let count = zeroBiasCount(for: name) {
            let zeros = ZeroBytes(count: count * StoredType.float32.blockBytes)
            return StoredTensor(
                name: name, type: .float32, shape: [count], bytes: zeros.bytes, owner: zeros, path: file.path)
        }
        if !file.hasTensor(place.name), let (place, half) = GGUFTensorNames.mergedPlace(of: name),
            file.hasTensor(place.name)
        {
            return try rows(of: place, part: half, of: 2)
        }
        guard place.expert == nil else { return try rows(of: place) }
        let tensor = try file.tensor(place.name)
        guard tensor.shape.count > 2, let columns = tensor.shape.last else { return tensor }
        return tensor.renamed(place.name, shape: [tensor.elementCount / columns, columns])
    }

    /// The rows of one expert in a stack, or one of `count` equal parts of them.
    private func rows(of place: GGUFTensorNames.Place, part: Int = 0, of count: Int = 1) throws -> StoredTensor {
        let tensor = try file.tensor(place.name)
        guard let expert = place.expert, tensor.shape.count == 3, expert < tensor.shape[0],
            tensor.shape[1].isMultiple(of: count)
        else {
            throw InputError(
                "shape \(tensor.shape) has no expert \(place.expert ?? 0)\(count > 1 ? " of \(count) halves" : "")",
                at: tensor.location)
        }
        let rows = tensor.shape[1] / count
        let first = expert * tensor.shape[1] + part * rows
        return try tensor.rows(first..<first + rows)
    }

    private static let biasSuffix = ".e_score_correction_bias"

    /// How many zeros stand for the correction bias called `name`, when that is what they are for.
    private func zeroBiasCount(for name: String) -> Int? {
        guard hasCorrectionBias, name.hasSuffix(Self.biasSuffix) else { return nil }
        let router = name.dropLast(Self.biasSuffix.count) + ".weight"
        return GGUFTensorNames.place(of: String(router)).flatMap { file.shape(of: $0.name)?.first }
    }
}

/// Memory of zeros behind a tensor that no file holds.
private final class ZeroBytes: @unchecked Sendable {  // Never written.
    let bytes: UnsafeRawBufferPointer

    init(count: Int) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        bytes = UnsafeRawBufferPointer(memory)
    }

    deinit { bytes.deallocate() }
}
