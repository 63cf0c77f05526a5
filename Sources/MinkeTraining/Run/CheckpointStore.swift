import MinkeCheckpoints
import MinkeFiles
import MinkeModel
import MinkeTensors

/// The checkpoints of a run: folders `step-N` that each hold weights, optimiser tensors and, written last, a manifest
/// with the SHA-256 of the others.
///
/// Every file is written beside its place, synchronised and renamed; a folder without a manifest was never finished and
/// does not count. The two newest are kept, so that a damaged one has a predecessor.
struct CheckpointStore {
    let folder: String

    init(in run: String) { folder = FileSystem.join(run, "checkpoints") }

    private static let kept = 2
    private static let weights = "weights.safetensors"
    private static let optimizer = "optimizer.safetensors"
    private static let manifest = "manifest.json"

    private func path(step: Int) -> String {
        let digits = String(step)
        return FileSystem.join(folder, "step-" + String(repeating: "0", count: max(0, 9 - digits.count)) + digits)
    }

    /// Steps that have a finished checkpoint, newest first.
    func steps() throws -> [Int] {
        guard FileSystem.exists(folder) else { return [] }
        return try FileSystem.list(folder).compactMap { name in
            name.hasPrefix("step-") && FileSystem.exists(FileSystem.join(FileSystem.join(folder, name), Self.manifest))
                ? Int(name.dropFirst(5)) : nil
        }.sorted(by: >)
    }

    /// Writes one checkpoint and removes the oldest.
    ///
    /// - Parameter identity: what must be the same for a run to go on from it.
    func save(_ state: RunState, identity: JSON, session: TrainingSession) throws {
        let target = path(step: state.step)
        // A finished checkpoint of this step may exist, as when a resumed run stops at once: its manifest goes first.
        try? FileSystem.remove(FileSystem.join(target, Self.manifest))
        try FileSystem.createDirectory(target)
        try write(
            session.model.weights.map { ($0.name, $0.shape, $0.value) }, to: FileSystem.join(target, Self.weights))
        try write(
            session.optimizer.state.map { ($0.name, [$0.tensor.rows, $0.tensor.columns], $0.tensor) },
            to: FileSystem.join(target, Self.optimizer))
        var files = JSON.Object()
        for name in [Self.weights, Self.optimizer] {
            files[name] = .string(try SHA256.hexadecimal(ofFile: FileSystem.join(target, name)))
        }
        let manifest: JSON = ["format": 1, "state": .object(state.json), "run": identity, "files": .object(files)]
        try AtomicFile.write(manifest.text(indented: true) + "\n", to: FileSystem.join(target, Self.manifest))
        for old in try steps().filter({ $0 != state.step }).dropFirst(Self.kept - 1) {
            try FileSystem.removeTree(path(step: old))
        }
    }

    private func write(_ tensors: [(name: String, shape: [Int], tensor: Tensor)], to path: String) throws {
        try SafetensorsWriter.write(
            to: path, tensors: tensors.map { ($0.name, $0.tensor.type == .bfloat16 ? .bfloat16 : .float32, $0.shape) }
        ) { index, write in
            try tensors[index].tensor.withUnsafeBytes(write)
        }
    }

    /// A checkpoint that was found whole.
    struct Found {
        let state: RunState
        let identity: JSON
        fileprivate let path: String
    }

    /// The newest checkpoint whose files match its manifest; damaged ones are named and passed over.
    func newest(warn: (String) -> Void) throws -> Found? {
        let candidates = try steps()
        for step in candidates {
            do {
                return try open(path(step: step))
            } catch let error as InputError {
                warn("checkpoint of step \(step) cannot be used: \(error)")
            }
        }
        if !candidates.isEmpty {
            throw InputError("no checkpoint can be used", at: folder, remedy: "start anew with --fresh")
        }
        return nil
    }

    private func open(_ path: String) throws -> Found {
        let manifestPath = FileSystem.join(path, Self.manifest)
        let manifest: JSON
        do {
            manifest = try JSON(parsing: FileSystem.readAll(manifestPath))
        } catch let error as InputError {
            throw error.located(at: manifestPath)
        }
        for name in [Self.weights, Self.optimizer] {
            let file = FileSystem.join(path, name)
            let actual = try SHA256.hexadecimal(ofFile: file)
            guard let expected = manifest["files"]?[name]?.stringValue, expected == actual else {
                throw InputError("its SHA-256 is \(actual.prefix(12))… and not the manifest's", at: file)
            }
        }
        guard let state = manifest["state"], let identity = manifest["run"] else {
            throw InputError("state or run is missing", at: manifestPath)
        }
        // Runs of earlier versions took as many windows in every step.
        let settings = identity["configuration"]
        let samples = ["batch_size", "accumulation"].map { min(1 << 11, max(1, settings?[$0]?.intValue ?? 1)) }
        return Found(
            state: try RunState(json: state, samplesPerStep: samples[0] * samples[1]), identity: identity, path: path)
    }

    /// Fills a session's weights and optimiser tensors from a checkpoint.
    func load(_ found: Found, into session: TrainingSession) throws {
        try fill(
            session.model.weights.map { ($0.name, $0.value) }, from: FileSystem.join(found.path, Self.weights))
        try fill(session.optimizer.state, from: FileSystem.join(found.path, Self.optimizer))
        session.model.parameters.forEach { $0.didChange() }
        session.step = found.state.step
    }

    private func fill(_ tensors: [(name: String, tensor: Tensor)], from path: String) throws {
        let file = try SafetensorsFile(path: path)
        for (name, tensor) in tensors {
            guard let stored = file.tensor(name), stored.elementCount == tensor.count else {
                throw InputError("tensor \"\(name)\" is missing or has another size", at: path)
            }
            // What is kept narrow was written narrow: reading it as floats and rounding it again changes nothing.
            let floats = tensor.type == .float32 ? tensor : Tensor(zeros: tensor.rows, tensor.columns)
            try floats.withUnsafeMutableBytes { try stored.copyFloats(to: $0.bindMemory(to: Float.self)) }
            if tensor.type != .float32 { tensor.copy(from: floats.values) }
        }
    }

    /// Removes what a save that was cut short left behind.
    func removeUnfinished() throws {
        guard FileSystem.exists(folder) else { return }
        for name in try FileSystem.list(folder) where name.hasPrefix("step-") {
            let path = FileSystem.join(folder, name)
            if !FileSystem.exists(FileSystem.join(path, Self.manifest)) { try FileSystem.removeTree(path) }
        }
    }

    /// Removes all checkpoints.
    func clear() throws {
        if FileSystem.exists(folder) { try FileSystem.removeTree(folder) }
    }
}
