import MinkeCheckpoints
import MinkeFiles
import MinkeGeneration
import MinkeModel
import MinkeTensors
import MinkeTokenization
import Testing

/// The shared collection of broken files, loaded as the program loads them and run.
@Suite struct MalformedFixtureTests {
    /// In exact arithmetic from expanded weights, and in fast arithmetic from weights that stay in their files.
    @Test(arguments: Precision.allCases) func everyCaseBehavesAsTheManifestSays(precision: Precision) throws {
        guard let root = Fixtures.folder("malformed") else { return }
        let expected = try SafetensorsFile(path: FileSystem.join(root, "base_expected.safetensors"))
        let ids = try #require(expected.tensor("input_ids")).integers().map { Int32($0) }
        var bases: [String: [Float]] = [:]
        var checked = 0
        for entry in try #require(Fixtures.json(root, "manifest.json").arrayValue) where entry["kind"] != "tokenizer" {
            let file = try #require(entry["file"]?.stringValue)
            let base = try #require(entry["base"]?.stringValue)
            let expectation = try #require(entry["expect"]?.stringValue)
            let folder = try Self.assemble(entry, root: root)
            checked += 1
            do {
                let logits = try Self.logits(folder.path, precision, ids)
                #expect(expectation != "reject", "\(file) must be rejected")
                if expectation == "reject_or_report" { continue }
                // A case that is accepted says what its base says.
                if bases[base] == nil { bases[base] = try Self.logits(FileSystem.join(root, base), precision, ids) }
                let reference =
                    precision == .float32 ? try expected.tensor("logits.\(base)")?.floats() ?? bases[base] : bases[base]
                #expect(try Self.difference(logits, #require(reference)) <= 1e-4, "\(file)")
            } catch let error as InputError {
                #expect(expectation != "accept", "\(file): \(error)")
                #expect(error.description.hasPrefix(folder.path), "\(file) does not say where: \(error)")
                #expect(!error.description.contains("\n"))
            }
        }
        #expect(checked == 175)
    }

    @Test func tokenizers() throws {
        guard let root = Fixtures.folder("malformed") else { return }
        var checked = 0
        for entry in try #require(Fixtures.json(root, "manifest.json").arrayValue) where entry["kind"] == "tokenizer" {
            let folder = try Self.assemble(entry, root: root)
            checked += 1
            do {
                _ = try Tokenizer(path: folder.path)
                #expect(entry["expect"] != "reject", "\(entry) must be rejected")
            } catch let error as InputError {
                #expect(entry["expect"] != "accept", "\(error)")
                #expect(error.description.hasPrefix(folder.path) && !error.description.contains("\n"))
            }
        }
        #expect(checked == 19)
    }

    static func logits(_ folder: String, _ precision: Precision, _ ids: [Int32]) throws -> [Float] {
        let file = FileSystem.join(folder, "model.gguf")
        let model = try TextModel(
            contentsOf: FileSystem.exists(file) ? file : folder, options: LoadOptions(precision: precision))
        let ids = ids.map { $0 % Int32(model.configuration.vocabSize) }
        return model.withModel { $0.logits(ids, batch: SequenceBatch(sequences: 1, length: ids.count)).values }
    }

    static func difference(_ left: [Float], _ right: [Float]) -> Float {
        guard left.count == right.count else { return .infinity }
        return zip(left, right).reduce(0) { max($0, ($1.0 - $1.1).isFinite ? abs($1.0 - $1.1) : .infinity) }
    }

    /// The base of a case with the one file replaced.
    static func assemble(_ entry: JSON, root: String) throws -> TemporaryFolder {
        let base = FileSystem.join(root, try #require(entry["base"]?.stringValue))
        let replaced = try #require(entry["replaces"]?.stringValue)
        let file = FileSystem.join(root, try #require(entry["file"]?.stringValue))
        let folder = try TemporaryFolder()
        for name in try FileSystem.list(base) {
            let source = name == replaced ? file : FileSystem.join(base, name)
            try FuzzTarget.overwrite(FileSystem.join(folder.path, name), FileSystem.readAll(source))
        }
        return folder
    }
}
