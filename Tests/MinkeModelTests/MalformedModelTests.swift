import MinkeCheckpoints
import MinkeFiles
import MinkeModel
import MinkeTensors
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The shared collection of broken models, loaded and run.
@Suite struct MalformedModelTests {
    @Test func everyCaseBehavesAsTheManifestSays() throws {
        guard let root = Fixtures.folder("malformed") else { return }
        let expected = try Fixtures.file(root, "base_expected")
        let ids = try expected.ids("input_ids")
        let reference = try expected.values("logits.base")
        var checked = 0
        for entry in try #require(Fixtures.json(root, "manifest.json").arrayValue) {
            let kind = try #require(entry["kind"]?.stringValue)
            guard ["weights", "weights_fp8", "index", "config"].contains(kind) else { continue }
            let file = try #require(entry["file"]?.stringValue)
            let expectation = try #require(entry["expect"]?.stringValue)
            let folder = try assemble(entry, file: file, root: root)
            defer { try? FileSystem.removeTree(folder) }
            checked += 1
            do {
                let model = try Fixtures.model(folder)
                #expect(expectation != "reject", "\(file) must be rejected")
                let logits = model.logits(ids, batch: SequenceBatch(sequences: 1, length: ids.count)).values
                if expectation == "reject_or_report" { continue }
                // A case that is accepted says what its base says.
                #expect(largestDifference(logits, reference) <= 1e-4, "\(file)")
            } catch let error as InputError {
                #expect(expectation != "accept", "\(file): \(error)")
                #expect(error.description.hasPrefix(folder), "\(file) does not say where: \(error)")
            }
        }
        #expect(checked > 100)
    }

    /// The base of a case with the one file replaced.
    func assemble(_ entry: JSON, file: String, root: String) throws -> String {
        let base = FileSystem.join(root, try #require(entry["base"]?.stringValue))
        let replaced = try #require(entry["replaces"]?.stringValue)
        var template = Array("/tmp/minke-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw InputError("no temporary folder") }
        let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        for name in try FileSystem.list(base) where name != replaced {
            try AtomicFile.write(
                FileSystem.readAll(FileSystem.join(base, name)), to: FileSystem.join(folder, name))
        }
        try AtomicFile.write(
            FileSystem.readAll(FileSystem.join(root, file)), to: FileSystem.join(folder, replaced))
        return folder
    }
}
