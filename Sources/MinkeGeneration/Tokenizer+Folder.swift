import MinkeCheckpoints
import MinkeFiles
import MinkeModel
import MinkeTokenization

extension Tokenizer {
    private static let fileName = "tokenizer.json"
    private static let configurationName = "tokenizer_config.json"

    /// Whether a folder has a `tokenizer.json`.
    public static func exists(in folder: String) -> Bool {
        FileSystem.exists(FileSystem.join(folder, fileName))
    }

    /// Reads a `tokenizer.json`, given as the file or as the folder that holds it, and the `tokenizer_config.json`
    /// beside it if there is one; or the tokenizer inside a GGUF file.
    ///
    /// - Throws: ``InputError`` naming the file and the key.
    public convenience init(path: String) throws {
        if Checkpoint.isGGUF(path), FileSystem.exists(path) {
            try self.init(gguf: GGUFFile(path: path))
            return
        }
        var file = path
        if FileSystem.isDirectory(path) {
            file = FileSystem.join(path, Self.fileName)
            guard FileSystem.exists(file) else {
                throw InputError("the folder has no \(Self.fileName)", at: path)
            }
        }
        guard FileSystem.exists(file) else { throw InputError("no such file or folder", at: path) }
        let configurationPath = FileSystem.join(FileSystem.directory(of: file), Self.configurationName)
        let configuration = FileSystem.exists(configurationPath) ? try Self.json(at: configurationPath) : nil
        do {
            try self.init(
                parsing: MappedFile(path: file).withBytes { try JSON(parsing: $0) }, configuration: configuration)
        } catch let error as InputError {
            // A path is there already when the file could not be read, or when the other file is at fault.
            if error.location == file { throw error }
            if error.location?.hasPrefix(Self.configurationName) == true {
                throw error.located(at: FileSystem.directory(of: file))
            }
            throw error.located(at: file)
        }
    }

    /// Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json` into a folder.
    ///
    /// - Parameter maximumLength: the longest sequence of the model, in tokens.
    public func write(to folder: String, maximumLength: Int) throws {
        try FileSystem.createDirectory(folder)
        for (name, json) in [
            (Self.fileName, json), (Self.configurationName, configuration(maximumLength: maximumLength)),
            ("special_tokens_map.json", specialTokensMap),
        ] {
            try AtomicFile.write(json.text(indented: true) + "\n", to: FileSystem.join(folder, name))
        }
    }

    static func json(at path: String) throws -> JSON {
        let file = try MappedFile(path: path)
        do {
            return try file.withBytes { try JSON(parsing: $0) }
        } catch let error as InputError {
            throw error.located(at: path)
        }
    }
}
