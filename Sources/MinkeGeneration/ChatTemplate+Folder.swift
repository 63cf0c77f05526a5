import MinkeCheckpoints
import MinkeFiles
import MinkeModel
import MinkeTokenization

extension ChatTemplate {
    /// The template of the model at `path`, a folder or its `tokenizer.json`: that of `chat_template.jinja`, else of
    /// `tokenizer_config.json`, else that of the model's family; nil for a model that is not known to chat. Of a GGUF
    /// file, the template inside it, else its family's.
    ///
    /// - Throws: ``InputError`` naming the file.
    public init?(path: String, tokenizer: Tokenizer) throws {
        if Checkpoint.isGGUF(path) {
            let file = try GGUFFile(path: path)
            do {
                try self.init(source: file.chatTemplate, tokenizer: tokenizer)
            } catch let error as InputError where error.location?.hasPrefix(path) != true {
                throw error.located(at: path)
            }
            return
        }
        let folder = FileSystem.isDirectory(path) ? path : FileSystem.directory(of: path)
        func json(_ name: String) throws -> JSON? {
            let file = FileSystem.join(folder, name)
            return FileSystem.exists(file) ? try Tokenizer.json(at: file) : nil
        }
        let file = FileSystem.join(folder, "chat_template.jinja")
        let source = FileSystem.exists(file) ? String(decoding: try FileSystem.readAll(file), as: UTF8.self) : nil
        do {
            try self.init(
                source: source, configuration: json("tokenizer_config.json"), tokenizer: tokenizer,
                modelType: json("config.json")?["model_type"]?.stringValue)
        } catch let error as InputError where error.location?.hasPrefix(folder) != true {
            throw error.located(at: source == nil ? FileSystem.join(folder, "tokenizer_config.json") : file)
        }
    }

    /// A template by the name of its family, or from a file with a Jinja template.
    ///
    /// - Parameter tokenizer: gives a Jinja template its control tokens.
    public init(named name: String, tokenizer: Tokenizer?) throws {
        if let family = ChatFamily(rawValue: name) {
            self.init(family)
            return
        }
        guard FileSystem.exists(name), !FileSystem.isDirectory(name) else {
            let names = ChatFamily.allCases.map(\.rawValue).joined(separator: ", ")
            throw InputError("there is no chat template \(name)", remedy: "give a file, or one of \(names)")
        }
        let source = String(decoding: try FileSystem.readAll(name), as: UTF8.self)
        do {
            try self.init(jinja: source, tokenizer: tokenizer)
        } catch let error as InputError {
            throw error.located(at: name)
        }
    }
}
