import Foundation
import MinkeCheckpoints
import MinkeFiles
import MinkeModel
import MinkeTensors
import Testing

/// Folders to GGUF and back, on the fixtures and on small models made here.
@Suite struct ConversionTests {
    /// A directory for the test's files, removed with the object.
    final class Scratch {
        let path = FileSystem.join(NSTemporaryDirectory(), "minke-convert-\(UUID().uuidString)")
        init() throws { try FileSystem.createDirectory(path) }
        deinit { try? FileSystem.removeTree(path) }
        func callAsFunction(_ name: String) -> String { FileSystem.join(path, name) }
    }

    static let ids: [Int32] = [3, 1, 4, 15, 9, 2, 6, 5, 35, 8]

    static func configuration(_ family: ModelConfiguration.Family) -> ModelConfiguration {
        var configuration = ModelConfiguration(
            family: family, vocabSize: 40, hiddenSize: 32, numHiddenLayers: 2, numAttentionHeads: 2,
            intermediateSize: 64)
        configuration.maxPositionEmbeddings = 64
        configuration.qkRopeHeadDim = 8
        configuration.vHeadDim = 8
        guard family.isLatent else {
            configuration.ropeInterleave = false
            return configuration
        }
        configuration.qLoraRank = 16
        configuration.kvLoraRank = 12
        configuration.qkNopeHeadDim = 6
        configuration.nRoutedExperts = 4
        configuration.nSharedExperts = 1
        configuration.numExpertsPerTok = 2
        configuration.moeIntermediateSize = 32
        configuration.firstKDenseReplace = 1
        configuration.numNextnPredictLayers = 1
        return configuration
    }

    static func logits(_ folder: String) throws -> [Float] {
        let model = try LanguageModel(contentsOf: ModelFolder(path: folder))
        return model.logits(ids, batch: SequenceBatch(sequences: 1, length: ids.count)).withUnsafeBytes {
            Array($0.bindMemory(to: Float.self))
        }
    }

    static func contents(_ tensor: StoredTensor) -> [UInt8] { tensor.withBytes { Array($0) } }

    private func expectEqualTensors(_ a: ModelFolder, _ b: ModelFolder) throws {
        #expect(Set(a.tensorNames) == Set(b.tensorNames))
        for name in a.tensorNames {
            let (original, copy) = (try a.tensor(name), try b.tensor(name))
            #expect(original.shape == copy.shape && original.type == copy.type, "\(name)")
            #expect(Self.contents(original) == Self.contents(copy), "\(name)")
        }
    }

    @Test(arguments: ["a_v2_lite", "b_v2_group", "c_v3_f32", "f_v3_mtp"]) func fixturesComeBackToTheBit(name: String)
        throws
    {
        guard let folder = Fixtures.folder(name) else { return }
        let scratch = try Scratch()
        let converter = ModelConverter(to: .f32)
        let report = try converter.convert(folder: folder, toGGUF: scratch("x.gguf"))
        #expect(report.relativeError == 0)
        _ = try converter.convert(gguf: scratch("x.gguf"), toFolder: scratch("back"))
        try expectEqualTensors(ModelFolder(path: folder), ModelFolder(path: scratch("back")))
        let original = try ModelConfiguration(ModelFolder(path: folder).configuration)
        var copy = try ModelConfiguration(ModelFolder(path: scratch("back")).configuration)
        // Not in the file, and of no effect on what is computed.
        copy.initializerRange = original.initializerRange
        #expect(copy == original)
    }

    @Test(arguments: [ModelConfiguration.Family.deepseekV3, .llama], [false, true])
    func rotaryOrdersMeanTheSame(family: ModelConfiguration.Family, isInterleaved: Bool) throws {
        let scratch = try Scratch()
        var configuration = Self.configuration(family)
        configuration.ropeInterleave = isInterleaved
        let weights = WeightSource.random(seed: 1, Initialization(deviation: 0.3))
        try LanguageModel(configuration, weights: weights).write(to: scratch("model"))
        let converter = ModelConverter(to: .f32)
        _ = try converter.convert(folder: scratch("model"), toGGUF: scratch("x.gguf"))
        _ = try converter.convert(gguf: scratch("x.gguf"), toFolder: scratch("back"))
        #expect(try largestDifference(Self.logits(scratch("model")), Self.logits(scratch("back"))) < 1e-5)
        // What comes back has the order that transformers gives the family.
        let back = try ModelConfiguration(ModelFolder(path: scratch("back")).configuration)
        #expect(back.ropeInterleave == family.isLatent)
    }

    @Test func fp8ScalesApplyToPartialBlocks() throws {
        guard let folder = Fixtures.folder("e_v3_fp8") else { return }
        let scratch = try Scratch()
        _ = try ModelConverter(to: .f32).convert(folder: folder, toGGUF: scratch("x.gguf"))
        _ = try ModelConverter(to: .f32).convert(gguf: scratch("x.gguf"), toFolder: scratch("back"))
        _ = try ModelConverter(to: .f32).convert(folder: folder, toFolder: scratch("direct"))
        let model = try Fixtures.model(scratch("back"))
        let ids = try Fixtures.file(folder, "inputs").ids("input_ids_0")
        let logits = model.logits(ids, batch: SequenceBatch(sequences: 1, length: ids.count)).withUnsafeBytes {
            Array($0.bindMemory(to: Float.self))
        }
        #expect(largestDifference(logits, try Fixtures.file(folder, "expected").values("logits_0")) < 1e-3)
        try expectEqualTensors(ModelFolder(path: scratch("direct")), ModelFolder(path: scratch("back")))
    }

    @Test func attentionBiasesStayInFolders() throws {
        let scratch = try Scratch()
        var configuration = Self.configuration(.deepseekV3)
        configuration.attentionBias = true
        let weights = WeightSource.random(seed: 4, Initialization(deviation: 0.3))
        try LanguageModel(configuration, weights: weights).write(to: scratch("model"))
        for folder in [scratch("model"), Fixtures.folder("k_v3_options")].compactMap({ $0 }) {
            let report = try ModelConverter(to: .f32).convert(folder: folder, toFolder: scratch("copy"))
            #expect(report.notes.isEmpty && report.relativeError == 0)
            try expectEqualTensors(ModelFolder(path: folder), ModelFolder(path: scratch("copy")))
            #expect(try Self.logits(folder) == Self.logits(scratch("copy")))
            try FileSystem.removeTree(scratch("copy"))
            #expect { try ModelConverter(to: .f32).convert(folder: folder, toGGUF: scratch("x.gguf")) } throws: {
                "\($0)".contains("no place for the biases")
            }
        }
        #expect(try FileSystem.list(scratch.path) == ["model"])
    }

    /// The tensors of a file with gate and up of the experts joined, as llama.cpp's converter writes them when asked to.
    static func mergeExperts(_ path: String, to target: String) throws {
        let file = try GGUFFile(path: path)
        let (gate, up) = ("ffn_gate_exps", "ffn_up_exps")
        let tensors = try file.tensorNames.filter { !$0.contains(up) }.map { name in
            let tensor = try file.tensor(name)
            guard let range = name.range(of: gate) else {
                return (name: name, shape: tensor.shape, bytes: contents(tensor))
            }
            let other = try file.tensor(name.replacingCharacters(in: range, with: up))
            let shape = [tensor.shape[0], tensor.shape[1] * 2, tensor.shape[2]]
            let part = tensor.bytes.count / shape[0]
            let bytes = (0..<shape[0]).flatMap { expert in
                [tensor, other].flatMap { contents($0)[expert * part..<(expert + 1) * part] }
            }
            return (name.replacingCharacters(in: range, with: "ffn_gate_up_exps"), shape, bytes)
        }
        try GGUFWriter.write(
            to: target, metadata: file.metadata, tensors: tensors.map { ($0.name, .float32, $0.shape) }
        ) { index, write in try tensors[index].bytes.withUnsafeBytes { try write($0) } }
    }

    @Test func mergedExpertsAreTheSameModel() throws {
        let scratch = try Scratch()
        let weights = WeightSource.random(seed: 6, Initialization(deviation: 0.3))
        try LanguageModel(Self.configuration(.deepseekV3), weights: weights).write(to: scratch("model"))
        let converter = ModelConverter(to: .f32)
        _ = try converter.convert(folder: scratch("model"), toGGUF: scratch("x.gguf"))
        try Self.mergeExperts(scratch("x.gguf"), to: scratch("merged.gguf"))
        #expect(try GGUFFile(path: scratch("merged.gguf")).hasTensor("blk.1.ffn_gate_up_exps.weight"))
        _ = try converter.convert(gguf: scratch("merged.gguf"), toFolder: scratch("back"))
        try expectEqualTensors(ModelFolder(path: scratch("model")), ModelFolder(path: scratch("back")))
        for options in [ModelOptions(), ModelOptions(precision: .fast, keepsStoredWeights: true)] {
            let logits = try ["x.gguf", "merged.gguf"].map { name in
                let model = try LanguageModel(contentsOf: Checkpoint(path: scratch(name)), options: options)
                return model.next(Self.ids, cache: model.makeCache(capacity: Self.ids.count))
            }
            #expect(logits[0] == logits[1])
        }
    }

    @Test(arguments: TargetType.allCases) func errorsAreThoseOfTheType(target: TargetType) throws {
        let bounds: [TargetType: Double] = [
            .f32: 0, .f16: 3e-4, .bf16: 2.2e-3, .q80: 7e-3, .q40: 0.1, .q4K: 0.06, .q4KM: 0.06, .q5K: 0.06, .q6K: 0.02,
        ]
        let scratch = try Scratch()
        var configuration = Self.configuration(.deepseekV3)
        configuration.qkNopeHeadDim = 32
        configuration.kvLoraRank = 32
        let weights = WeightSource.random(seed: 2, Initialization(deviation: 0.3))
        try LanguageModel(configuration, weights: weights).write(to: scratch("model"))
        let report = try ModelConverter(to: target).convert(folder: scratch("model"), toGGUF: scratch("x.gguf"))
        for part in report.parts {
            let isExact = part.kind == .norms || part.kind == .router
            #expect(part.relativeError <= (isExact ? 0 : bounds[target] ?? 0), "\(part.kind): \(part.relativeError)")
        }
        // Blocks are never encoded twice: the type that they have is copied.
        let copied = try ModelConverter(to: target).convert(gguf: scratch("x.gguf"), toGGUF: scratch("copy.gguf"))
        #expect(copied.relativeError == 0 && copied.bytesBefore == report.bytesAfter)
        let files = try ["x.gguf", "copy.gguf"].map { try FileSystem.readAll(scratch($0)) }
        #expect(files[0] == files[1])
        _ = try ModelConverter(to: .f32).convert(gguf: scratch("x.gguf"), toGGUF: scratch("f32.gguf"))
        let (file, copy) = (try GGUFFile(path: scratch("x.gguf")), try GGUFFile(path: scratch("f32.gguf")))
        for name in file.tensorNames {
            #expect(try file.tensor(name).floats() == copy.tensor(name).floats())
            #expect(try copy.tensor(name).type == .float32)
        }
    }

    @Test func progressReachesTheEndAndMayStopTheWork() throws {
        let scratch = try Scratch()
        let weights = WeightSource.random(seed: 3, Initialization(deviation: 0.3))
        try LanguageModel(Self.configuration(.llama), weights: weights).write(to: scratch("model"))
        var last = (done: 0, total: 1)
        _ = try ModelConverter(to: .q80) { last = ($0, $1) }
            .convert(folder: scratch("model"), toGGUF: scratch("x.gguf"))
        #expect(last.done == last.total)
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try ModelConverter(to: .q80) { done, _ in if done > 2_000 { throw Stop() } }
                .convert(folder: scratch("model"), toGGUF: scratch("y.gguf"))
        }
        #expect(try FileSystem.list(scratch.path).sorted() == ["model", "x.gguf"])
    }

    @Test func whatCannotBeExpressedIsRefused() throws {
        let scratch = try Scratch()
        let weights = WeightSource.random(seed: 3, Initialization(deviation: 1e6))
        try LanguageModel(Self.configuration(.llama), weights: weights).write(to: scratch("model"))
        #expect { try ModelConverter(to: .f16).convert(folder: scratch("model"), toGGUF: scratch("x.gguf")) } throws: {
            "\($0)".contains("F16 cannot express")
        }
        #expect(throws: InputError.self) {
            try ModelConverter(to: .q80).convert(folder: scratch("model"), toFolder: scratch("back"))
        }
        // A configuration of fewer layers leaves the rest out, and says so.
        try LanguageModel(Self.configuration(.llama), weights: .random(seed: 3, Initialization(deviation: 0.3)))
            .write(to: scratch("model"))
        let path = FileSystem.join(scratch("model"), "config.json")
        var json = try #require(try JSON(parsing: FileSystem.readAll(path)).objectValue)
        json["num_hidden_layers"] = 1
        try AtomicFile.write(JSON.object(json).text(), to: path)
        let report = try ModelConverter(to: .f32).convert(folder: scratch("model"), toGGUF: scratch("y.gguf"))
        #expect(report.notes.contains { $0.hasPrefix("left out: 9 tensors") })
        try FileSystem.remove(scratch("y.gguf"))
        if let folder = Fixtures.folder("k_v3_options") {
            #expect { try ModelConverter(to: .f32).convert(folder: folder, toGGUF: scratch("x.gguf")) } throws: {
                "\($0)".contains("attention_bias")
            }
        }
        #expect(try FileSystem.list(scratch.path) == ["model"])
    }
}
