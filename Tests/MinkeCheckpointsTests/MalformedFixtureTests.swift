import MinkeFiles
import Testing

@testable import MinkeCheckpoints

/// The shared collection of broken files, as far as the folder and its containers can tell.
@Suite struct MalformedFixtureTests {
    /// Faults that only a model can see: the container is sound.
    static let soundContainers = ["tensor_", "values_", "scale_", "weight_"]
    static let brokenConfigurations = [
        "empty", "not_json", "array", "truncated", "bad_utf8", "deep", "eps_nan", "number_overflow",
    ]

    @Test func everyCaseBehavesAsTheManifestSays() throws {
        guard let root = Fixtures.directory("malformed") else { return }
        let manifest = try JSON(parsing: FileSystem.readAll(FileSystem.join(root, "manifest.json")))
        var checked = 0
        for entry in try #require(manifest.arrayValue) {
            let kind = try #require(entry["kind"]?.stringValue)
            guard ["weights", "weights_fp8", "index", "config"].contains(kind) else { continue }
            try check(entry, kind: kind, root: root)
            checked += 1
        }
        #expect(checked > 100)
    }

    func check(_ entry: JSON, kind: String, root: String) throws {
        let file = try #require(entry["file"]?.stringValue)
        let base = FileSystem.join(root, try #require(entry["base"]?.stringValue))
        let replaced = try #require(entry["replaces"]?.stringValue)
        let directory = try TemporaryDirectory()
        for name in try FileSystem.list(base) where name != replaced {
            try AtomicFile.write(FileSystem.readAll(FileSystem.join(base, name)), to: directory(name))
        }
        try AtomicFile.write(FileSystem.readAll(FileSystem.join(root, file)), to: directory(replaced))

        let name = FileSystem.name(of: file)
        let isModelsConcern =
            kind == "config"
            ? !Self.brokenConfigurations.contains { name == $0 + ".json" }
            : Self.soundContainers.contains { name.hasPrefix($0) }
        let expectation = isModelsConcern ? "accept" : try #require(entry["expect"]?.stringValue)
        do {
            let folder = try ModelFolder(path: directory.path)
            #expect(expectation != "reject", "\(file) must be rejected")
            for name in folder.tensorNames { _ = try folder.tensor(name).withBytes { $0.reduce(0, &+) } }
            if !isModelsConcern { try expectEqual(folder, ModelFolder(path: base), file) }
        } catch let error as InputError {
            #expect(expectation != "accept", "\(file): \(error)")
            #expect(error.description.hasPrefix(directory.path), "\(file): \(error)")
        }
    }

    func expectEqual(_ folder: ModelFolder, _ base: ModelFolder, _ file: String) throws {
        for name in base.tensorNames {
            let (tensor, expected) = try (folder.tensor(name), base.tensor(name))
            #expect(tensor.shape == expected.shape && tensor.type == expected.type, "\(file): \(name)")
            #expect(tensor.withBytes { Array($0) } == expected.withBytes { Array($0) }, "\(file): \(name)")
        }
    }

    @Test(arguments: ["a_v2_lite", "b_v2_group", "c_v3_f32", "d_v3_bf16", "e_v3_fp8", "f_v3_mtp"])
    func soundModelsOpen(name: String) throws {
        guard let path = Fixtures.directory(name) else { return }
        let folder = try ModelFolder(path: path)
        #expect(!folder.tensorNames.isEmpty)
        for name in folder.tensorNames { #expect(try folder.tensor(name).elementCount > 0) }
    }
}
