import Foundation
import MinkeCheckpoints
import MinkeFiles
import MinkeTensors
import Testing

@testable import MinkeModel

/// FP8 folders in every way to share scales, against folders of what they decode to.
@Suite struct BlockScalesTests {
    /// Blocks of a matrix that share a scale.
    enum Sharing: CustomTestStringConvertible {
        case blocks(Int, Int)
        case rows
        case tensor

        var testDescription: String { "\(self)" }

        func sides(_ rows: Int, _ columns: Int) -> (rows: Int, columns: Int) {
            switch self {
            case .blocks(let rows, let columns): (rows, columns)
            case .rows: (1, columns)
            case .tensor: (rows, columns)
            }
        }

        /// The shape of the scales of a matrix.
        func shape(_ rows: Int, _ columns: Int) -> [Int] {
            switch self {
            case .blocks(let height, let width): [(rows + height - 1) / height, (columns + width - 1) / width]
            case .rows: [rows, 1]
            case .tensor: []
            }
        }

        var configuration: JSON {
            var json: JSON.Object = ["quant_method": "fp8", "fmt": "e4m3"]
            if case .blocks(let rows, let columns) = self {
                json["weight_block_size"] = [.integer(rows), .integer(columns)]
            }
            return .object(json)
        }
    }

    static let sharings: [Sharing] = [
        .blocks(128, 128), .blocks(64, 64), .blocks(256, 128), .blocks(32, 128), .blocks(1, 48), .blocks(512, 512),
        .blocks(7, 5), .rows, .tensor,
    ]

    /// A folder for one test, removed with the object.
    final class Scratch {
        let path = FileSystem.join(NSTemporaryDirectory(), "minke-scales-\(UUID().uuidString)")
        init() throws { try FileSystem.createDirectory(path) }
        deinit { try? FileSystem.removeTree(path) }
        func callAsFunction(_ name: String) -> String { FileSystem.join(path, name) }
    }

    /// What each code of E4M3 stands for, without those for NaN.
    static let codes: [(code: UInt8, value: Float)] = (0...255).compactMap { (code: UInt8) in
        var value: Float = 0
        withUnsafeBytes(of: code) { source in
            withUnsafeMutablePointer(to: &value) {
                StoredType.float8E4M3.decode(source, to: UnsafeMutableBufferPointer(start: $0, count: 1))
            }
        }
        return value.isNaN ? nil : (code, value)
    }

    /// Writes `folder`'s model twice: in FP8, and in F32 what that decodes to.
    static func quantize(_ folder: String, _ sharing: Sharing, to fp8: String, _ plain: String) throws {
        let source = try ModelFolder(path: folder)
        typealias Entry = (name: String, type: StoredType, shape: [Int], bytes: [UInt8])
        func bytes(_ values: [Float]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }
        var quantized: [Entry] = []
        var decoded: [Entry] = []
        for name in source.tensorNames {
            let tensor = try source.tensor(name)
            var values = try tensor.floats()
            guard name.hasSuffix("_proj.weight") || name.contains("kv_a_proj") else {
                quantized.append((name, .float32, tensor.shape, bytes(values)))
                decoded.append((name, .float32, tensor.shape, bytes(values)))
                continue
            }
            let (rows, columns) = (tensor.shape[0], tensor.shape[1])
            let sides = sharing.sides(rows, columns)
            let width = (columns + sides.columns - 1) / sides.columns
            let count = sharing.shape(rows, columns).reduce(1, *)
            let scales = (0..<count).map { Float(0.001) * Float(1 + $0 % 5) }
            var elements = [UInt8](repeating: 0, count: values.count)
            for index in values.indices {
                let scale = scales[index / columns / sides.rows * width + index % columns / sides.columns]
                let wanted = values[index] / scale
                let best = codes.min { abs($0.value - wanted) < abs($1.value - wanted) } ?? codes[0]
                elements[index] = best.code
                values[index] = best.value * scale
            }
            quantized.append((name, .float8E4M3, tensor.shape, elements))
            let suffix = if case .blocks = sharing { "_scale_inv" } else { "_scale" }
            quantized.append((name + suffix, .float32, sharing.shape(rows, columns), bytes(scales)))
            decoded.append((name, .float32, tensor.shape, bytes(values)))
        }
        var configuration = source.configuration
        for (path, entries, quantization) in [
            (plain, decoded, JSON.null), (fp8, quantized, sharing.configuration),
        ] {
            configuration["quantization_config"] = quantization
            try FileSystem.createDirectory(path)
            try AtomicFile.write(JSON.object(configuration).text(), to: FileSystem.join(path, "config.json"))
            try SafetensorsWriter.write(
                to: FileSystem.join(path, "model.safetensors"), tensors: entries.map { ($0.name, $0.type, $0.shape) }
            ) { index, write in try entries[index].bytes.withUnsafeBytes { try write($0) } }
        }
    }

    static func configuration() -> ModelConfiguration {
        var c = ModelConfiguration(
            family: .deepseekV3, vocabSize: 40, hiddenSize: 72, numHiddenLayers: 2, numAttentionHeads: 2,
            intermediateSize: 140)
        c.maxPositionEmbeddings = 64
        c.qLoraRank = 20
        c.kvLoraRank = 36
        c.qkNopeHeadDim = 10
        c.qkRopeHeadDim = 8
        c.vHeadDim = 12
        c.nRoutedExperts = 2
        c.nSharedExperts = 1
        c.numExpertsPerTok = 1
        c.moeIntermediateSize = 48
        c.firstKDenseReplace = 1
        return c
    }

    @Test(arguments: sharings) func everySharingIsWhatItDecodesTo(sharing: Sharing) throws {
        let scratch = try Scratch()
        try LanguageModel(
            Self.configuration(), weights: .random(seed: 5, Initialization(deviation: 0.3))
        ).write(to: scratch("model"))
        try Self.quantize(scratch("model"), sharing, to: scratch("fp8"), scratch("plain"))
        let ids: [Int32] = [3, 1, 4, 15, 9, 2, 6, 5, 35, 8]
        func logits(_ name: String, _ options: ModelOptions) throws -> [Float] {
            let model = try LanguageModel(contentsOf: Checkpoint(path: scratch(name)), options: options)
            return model.logits(ids, batch: SequenceBatch(sequences: 1, length: ids.count)).values
        }
        let expected = try logits("plain", ModelOptions())
        #expect(try largestDifference(logits("fp8", ModelOptions()), expected) == 0)
        #expect(try largestDifference(logits("fp8", ModelOptions(keepsStoredWeights: true)), expected) < 1e-4)
        let report = try ModelConverter(to: .f32).convert(folder: scratch("fp8"), toFolder: scratch("back"))
        #expect(report.notes.isEmpty)
        #expect(try logits("back", ModelOptions()) == expected)
    }

    @Test func scalesThatDoNotFitAreNamed() throws {
        let scratch = try Scratch()
        func readerError(_ shape: [Int], _ scaleShape: [Int], block: [Int]?) throws -> String? {
            let path = scratch("scales")
            try? FileSystem.removeTree(path)
            try FileSystem.createDirectory(path)
            var quantization: JSON.Object = ["quant_method": "fp8"]
            quantization["weight_block_size"] = block.map { .array($0.map { .integer($0) }) } ?? .null
            try AtomicFile.write(
                JSON.object(["quantization_config": .object(quantization)]).text(), to: path + "/config.json")
            let tensors: [SafetensorsWriter.Declaration] = [
                ("w", .float8E4M3, shape), ("w_scale_inv", .float32, scaleShape),
            ]
            try SafetensorsWriter.write(to: path + "/model.safetensors", tensors: tensors) { index, write in
                let count = tensors[index].1.byteCount(shape: tensors[index].2) ?? 0
                try [UInt8](repeating: 0, count: count).withUnsafeBytes { try write($0) }
            }
            do {
                _ = try MatrixReader("w", in: ModelFolder(path: path))
                return nil
            } catch let error as InputError {
                return error.description
            }
        }
        #expect(try readerError([70, 90], [2, 2], block: [64, 64]) == nil)
        #expect(try readerError([70, 90], [2, 2], block: [128, 128])?.contains("one scale to every block") == true)
        #expect(try readerError([70, 90], [1, 1], block: [.max, .max])?.contains("one scale to every block") == true)
        #expect(try readerError([70, 90], [1, 1], block: [0, 64])?.contains("one scale to every block") == true)
        #expect(try readerError([70, 90], [70], block: nil) == nil)
        #expect(try readerError([70, 90], [90], block: nil)?.contains("weight_block_size") == true)
        for sides in [[0, 128], [128], [128, -1], [1 << 21, 128]] {
            var json = try #require(Self.configuration().json.objectValue)
            json["quantization_config"] = [
                "quant_method": "fp8", "weight_block_size": .array(sides.map { .integer($0) }),
            ]
            #expect { try ModelConfiguration(json) } throws: { "\($0)".contains("weight_block_size") }
        }
    }
}
