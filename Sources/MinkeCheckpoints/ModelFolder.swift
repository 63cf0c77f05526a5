import MinkeFiles

/// A model in the layout of Hugging Face: `config.json` and weights in one or more safetensors files.
public struct ModelFolder: Sendable {
    public let path: String
    /// The contents of `config.json`.
    public let configuration: JSON.Object
    /// The contents of `generation_config.json`, when there is one.
    public let generationConfiguration: JSON.Object?
    /// The names of all tensors: of the index when there is one, else of the file, in their order.
    public let tensorNames: [String]

    private let files: [SafetensorsFile]
    private let fileIndices: [String: Int]

    private static let configurationName = "config.json"
    private static let generationConfigurationName = "generation_config.json"
    private static let weightsName = "model.safetensors"
    private static let indexName = "model.safetensors.index.json"

    /// Opens a folder, checks its files, and maps the weights.
    ///
    /// - Throws: ``InputError`` that names what is missing or broken.
    public init(path: String) throws {
        guard FileSystem.exists(path) else { throw InputError("no such folder", at: path) }
        guard FileSystem.isDirectory(path) else {
            throw InputError(
                "is a file, but a model is a folder", at: path,
                remedy: "give the folder that holds \(ModelFolder.configurationName)")
        }
        let configurationPath = FileSystem.join(path, ModelFolder.configurationName)
        guard FileSystem.exists(configurationPath) else {
            throw InputError("\(ModelFolder.configurationName) is missing from the folder", at: path)
        }
        configuration = try ModelFolder.object(in: configurationPath)
        let generationPath = FileSystem.join(path, ModelFolder.generationConfigurationName)
        generationConfiguration = FileSystem.exists(generationPath) ? try ModelFolder.object(in: generationPath) : nil
        self.path = path

        let weightsPath = FileSystem.join(path, ModelFolder.weightsName)
        let indexPath = FileSystem.join(path, ModelFolder.indexName)
        if FileSystem.exists(weightsPath) {
            let file = try SafetensorsFile(path: weightsPath)
            files = [file]
            tensorNames = file.names
            fileIndices = Dictionary(file.names.map { ($0, 0) }, uniquingKeysWith: { first, _ in first })
        } else if FileSystem.exists(indexPath) {
            (files, tensorNames, fileIndices) = try ModelFolder.shards(of: indexPath, in: path)
        } else {
            throw InputError(
                "the weights are missing from the folder: neither \(ModelFolder.weightsName) nor \(ModelFolder.indexName)",
                at: path)
        }
    }

    /// Whether the model has a tensor of this name.
    public func hasTensor(_ name: String) -> Bool { fileIndices[name] != nil }

    /// The tensor called `name`.
    ///
    /// - Throws: ``InputError`` naming the tensor and the folder when there is none.
    public func tensor(_ name: String) throws -> StoredTensor {
        guard let index = fileIndices[name], let tensor = files[index].tensor(name) else {
            throw InputError("the weights have no tensor \"\(name)\"", at: path)
        }
        return tensor
    }

    private static func object(in path: String) throws -> JSON.Object {
        let file = try MappedFile(path: path)
        do {
            let json = try file.withBytes { try JSON(parsing: $0) }
            guard let object = json.objectValue else { throw InputError("is not a JSON object") }
            return object
        } catch let error as InputError {
            throw error.located(at: path)
        }
    }

    /// Opens the files that an index names, and checks that each has the tensors the index puts there.
    private static func shards(
        of indexPath: String, in folder: String
    ) throws -> (files: [SafetensorsFile], names: [String], fileIndices: [String: Int]) {
        guard let map = try object(in: indexPath)["weight_map"] else {
            throw InputError("weight_map is missing", at: indexPath)
        }
        guard let map = map.objectValue else { throw InputError("weight_map is not an object", at: indexPath) }
        var files: [SafetensorsFile] = []
        var opened: [String: Int] = [:]
        var fileIndices: [String: Int] = [:]
        for (name, value) in map {
            let place = "\(indexPath): tensor \"\(name.prefix(200))\""
            guard let fileName = value.stringValue else { throw InputError("its file is not a string", at: place) }
            let index: Int
            if let known = opened[fileName] {
                index = known
            } else {
                guard isPlainName(fileName) else {
                    throw InputError("\"\(fileName.prefix(200))\" is not the plain name of a file", at: place)
                }
                let path = FileSystem.join(folder, fileName)
                guard FileSystem.exists(path) else {
                    throw InputError(
                        "the weights file \(fileName) is missing from the folder", at: folder,
                        remedy: "is the download complete?")
                }
                index = files.count
                files.append(try SafetensorsFile(path: path))
                opened[fileName] = index
            }
            guard files[index].tensor(name) != nil else {
                throw InputError("\(fileName) has no such tensor", at: place)
            }
            fileIndices[name] = index
        }
        return (files, map.keys, fileIndices)
    }

    /// Whether `name` stays inside the folder: no path, no parent, nothing that a file system may read otherwise.
    private static func isPlainName(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".."
            && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "/" && $0 != "\\" && $0 != "\u{7F}" }
    }
}
