import MinkeCheckpoints
import MinkeFiles
import MinkeTensors
import Testing

@testable import MinkeModel

/// Models whose weights stay in their files against the reference, and rounded arithmetic against exact.
@Suite(.serialized) struct StoredParityTests {
    /// Fixtures with a file within, the name of their logits, and the tolerance that their README states.
    struct Case: CustomTestStringConvertible {
        let folder: String
        var file: String?
        var key: String
        var tolerance: Float = 0.0001

        var testDescription: String { "\(folder) \(key)" }

        var logitsName: String { file == nil ? "logits_0" : "logits.\(key)" }

        func model(in path: String, _ options: ModelOptions) throws -> LanguageModel {
            let path = file.map { FileSystem.join(path, $0) } ?? path
            return try LanguageModel(contentsOf: Checkpoint(path: path), options: options)
        }

        func ids(in path: String) throws -> [Int32] {
            try file == nil
                ? Fixtures.file(path, "inputs").ids("input_ids_0") : Fixtures.file(path, "expected").ids("input_ids")
        }

        func generation(in path: String) throws -> (prompt: [Int32], new: [Int32]) {
            let json = try Fixtures.json(path, "generation.json")
            let reference = file == nil ? json : try #require(json[key])
            return (
                try #require(reference["prompt_ids"]?.arrayValue).compactMap { $0.intValue.map { Int32($0) } },
                try #require(reference["new_ids"]?.arrayValue).compactMap { $0.intValue.map { Int32($0) } }
            )
        }
    }

    static let cases =
        GGUFParityTests.cases.map { Case(folder: $0.folder, file: $0.file, key: $0.key) }
        + [Case(folder: "e_v3_fp8", key: "fp8", tolerance: 0.00012)]

    @Test(arguments: cases, [true, false]) func logitsAndGeneration(item: Case, keepsStoredWeights: Bool) throws {
        // GGUFParityTests has the expanded GGUF files.
        guard keepsStoredWeights || item.file == nil, let folder = Fixtures.folder(item.folder) else { return }
        let model = try item.model(in: folder, ModelOptions(keepsStoredWeights: keepsStoredWeights))
        let ids = try item.ids(in: folder)
        let logits = model.logits(ids, batch: SequenceBatch(sequences: 1, length: ids.count)).values
        let expected = try Fixtures.file(folder, "expected").values(item.logitsName)
        #expect(largestDifference(logits, expected) <= item.tolerance)
        let (prompt, new) = try item.generation(in: folder)
        let cache = model.makeCache(capacity: prompt.count + new.count)
        var next = model.next(prompt, cache: cache)
        var produced: [Int32] = []
        while produced.count < new.count {
            produced.append(Int32(try #require(next.indices.max { next[$0] < next[$1] })))
            next = model.next([produced[produced.count - 1]], cache: cache)
        }
        #expect(produced == new)
    }

    /// Rounded activations may route a token differently, which moves its logits by more; the rest stays near.
    @Test(arguments: cases) func fastStaysNear(item: Case) throws {
        guard let folder = Fixtures.folder(item.folder) else { return }
        let model = try item.model(in: folder, ModelOptions(precision: .fast, keepsStoredWeights: true))
        let ids = try item.ids(in: folder)
        let expected = try Fixtures.file(folder, "expected").values(item.logitsName)
        let width = expected.count / ids.count
        let logits = model.logits(ids, batch: SequenceBatch(sequences: 1, length: ids.count)).values
        let near = ids.indices.filter {
            largestDifference(
                Array(logits[$0 * width..<($0 + 1) * width]), Array(expected[$0 * width..<($0 + 1) * width])) <= 0.6
        }
        #expect(logits.count == expected.count && near.count * 10 >= ids.count * 9)
        // Token by token, in the kernels of few rows.
        let cache = model.makeCache(capacity: ids.count)
        let nearOneByOne = ids.indices.filter {
            let next = model.next([ids[$0]], cache: cache)
            return largestDifference(next, Array(expected[$0 * width..<($0 + 1) * width])) <= 0.6
        }
        #expect(nearOneByOne.count * 10 >= ids.count * 9)
    }
}

/// Blocks made by other software, in every format that products read in place.
@Suite struct StoredBlockFixtureTests {
    @Test func productsOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            guard let folder = Fixtures.folder("gguf_types") else { return }
            let file = try GGUFFile(path: FileSystem.join(folder, "types.gguf"))
            let expected = try Fixtures.file(folder, "expected")
            var checked = 0
            for name in file.tensorNames {
                // Types that no product reads are refused, and some blocks are there for encoders only.
                guard let tensor = try? file.tensor(name), let format = tensor.type.formatCode,
                    let values = try expected.tensor(name)?.floats()
                else { continue }
                let columns = try #require(tensor.shape.last)
                let rows = values.count / columns
                let stored = try #require(
                    StoredRows(
                        format: format, bytes: tensor.bytes, rows: rows, columns: columns, owner: tensor.owner))
                // Small numbers: the largest factors are near the end of float's range.
                let x = (0..<8 * columns).map { Float(($0 * 7919) % 513 - 256) / 262144 }
                for name in CPU.supportedInstructionSets {
                    #expect(CPU.shared.use(instructionSet: name))
                    for count in [1, 8] {
                        check(stored, values, x: Array(x.prefix(count * columns)), "\(tensor.name) on \(name)")
                    }
                }
                checked += 1
            }
            #expect(checked >= 16)
        }
    }
}

private func check(_ stored: StoredRows, _ values: [Float], x: [Float], _ label: String) {
    let (rows, depth) = (stored.rows, stored.columns)
    let weight = Parameter("w", stored: [stored])
    for type in [ElementType.float32, .bfloat16] {
        let input = Variable(Tensor(x, rows: x.count / depth, columns: depth, type: type))
        let got = Tape(computeType: type).linear(input, weight, output: .float32).value.values
        for index in got.indices {
            let (i, n) = index.quotientAndRemainder(dividingBy: rows)
            var (sum, terms) = (0.0, 0.0)
            for k in 0..<depth {
                let term = Double(x[i * depth + k]) * Double(values[n * depth + k])
                sum += term
                terms += abs(term)
            }
            let allowed = terms * (type == .float32 ? 4e-6 : 0.01) + 1e-12
            #expect(abs(Double(got[index]) - sum) <= allowed, "\(label), \(type), [\(i), \(n)]")
        }
    }
}
