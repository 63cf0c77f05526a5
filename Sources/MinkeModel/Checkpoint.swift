import MinkeCheckpoints
import MinkeFiles

/// A model on disk, in either layout; tensors go by the names that Hugging Face's checkpoints give them.
public enum Checkpoint: Sendable {
    /// `config.json` and safetensors.
    case folder(ModelFolder)
    case gguf(GGUFModel)

    /// Whether `path` names a GGUF file rather than a folder.
    public static func isGGUF(_ path: String) -> Bool {
        path.lowercased().hasSuffix(".gguf") && !FileSystem.isDirectory(path)
    }

    /// Opens what lies at `path`: a folder, or a `.gguf` file (of several parts, any).
    ///
    /// - Throws: ``InputError`` that names the file and what is missing or broken.
    public init(path: String) throws {
        if Self.isGGUF(path) {
            guard FileSystem.exists(path) else { throw InputError("no such file", at: path) }
            self = .gguf(try GGUFModel(path: path))
        } else {
            self = .folder(try ModelFolder(path: path))
        }
    }

    /// The folder or file.
    public var path: String {
        switch self {
        case .folder(let folder): folder.path
        case .gguf(let model): model.file.path
        }
    }

    /// The file that says what the model's shape is.
    public var configurationPath: String {
        switch self {
        case .folder(let folder): FileSystem.join(folder.path, "config.json")
        case .gguf(let model): model.file.path
        }
    }

    /// The configuration in the keys of a `config.json`.
    public var configuration: JSON.Object {
        switch self {
        case .folder(let folder): folder.configuration
        case .gguf(let model): model.configuration
        }
    }

    /// The model's shape, with the prediction modules that the checkpoint really has: copies of a release often lack
    /// those that its configuration names.
    ///
    /// - Throws: ``InputError`` naming the file and the key.
    public func modelConfiguration() throws -> ModelConfiguration {
        var result: ModelConfiguration
        do {
            result = try ModelConfiguration(configuration)
        } catch let error as InputError {
            throw error.located(at: configurationPath)
        }
        let layers = result.numHiddenLayers
        result.numNextnPredictLayers =
            (0..<result.numNextnPredictLayers).prefix { hasTensor("model.layers.\(layers + $0).eh_proj.weight") }.count
        return result
    }

    public func hasTensor(_ name: String) -> Bool {
        switch self {
        case .folder(let folder): folder.hasTensor(name)
        case .gguf(let model): model.hasTensor(name)
        }
    }

    /// - Throws: ``InputError`` when there is no such tensor, or its type is not supported.
    public func tensor(_ name: String) throws -> StoredTensor {
        switch self {
        case .folder(let folder): try folder.tensor(name)
        case .gguf(let model): try model.tensor(name)
        }
    }

    /// Every tensor under the name that the files give it.
    public func storedTensors() throws -> [StoredTensor] {
        switch self {
        case .folder(let folder): try folder.tensorNames.map(folder.tensor)
        case .gguf(let model): try model.file.tensorNames.map(model.file.tensor)
        }
    }
}
