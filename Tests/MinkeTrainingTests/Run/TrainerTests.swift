import MinkeCheckpoints
import MinkeFiles
import MinkeModel
import MinkeTensors
import MinkeTraining
import Testing

/// Whole runs of a tiny model.
@Suite(.serialized) struct TrainerTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        var text = ""
        var random = CounterRandom(seed: 7, purpose: "text")
        for _ in 0..<1500 {
            text += ["the ", "whale ", "swims ", "in ", "cold ", "water.\n"][random.integer(below: 6)]
        }
        try folder.write(text, to: "text.txt")
    }

    static func configuration(_ settings: [String] = []) throws -> RunConfiguration {
        var run = try Preset.shakespeare.configuration()
        let tiny = [
            "hidden_size=16", "num_hidden_layers=2", "moe_intermediate_size=8", "kv_lora_rank=8", "v_head_dim=8",
            "qk_nope_head_dim=8", "qk_rope_head_dim=4", "n_routed_experts=4", "sequence_length=16", "batch_size=4",
            "steps=12", "eval_interval=4", "eval_tokens=256", "num_nextn_predict_layers=1", "save_interval=0",
        ]
        for assignment in tiny + settings { try run.apply(assignment: assignment) }
        return run
    }

    func data(_ run: RunConfiguration, text: String = "text.txt") throws -> TrainingData {
        try TrainingData.prepare(
            .init(paths: [folder.path(text)]), configuration: run, folder: folder.path("data-\(text)")
        ) { _ in }
    }

    func options(_ name: String) -> RunOptions {
        var options = RunOptions(out: folder.path(name))
        options.isQuiet = true
        options.trapsInterrupts = false
        return options
    }

    func train(
        _ name: String, _ settings: [String] = [], text: String = "text.txt", pause: Int? = nil, fresh: Bool = false
    ) throws -> RunSummary {
        let run = try Self.configuration(settings)
        var options = options(name)
        options.pausesAfterStep = pause
        options.isFresh = fresh
        return try Trainer(run, data: data(run, text: text), options: options).run()
    }

    func hashes(_ name: String, step: Int = 12) throws -> [String] {
        let checkpoint = "\(name)/checkpoints/step-0000000\(step)"
        return try [
            "\(name)/model.safetensors", "\(checkpoint)/weights.safetensors", "\(checkpoint)/optimizer.safetensors",
        ]
        .map { try SHA256.hexadecimal(ofFile: folder.path($0)) }
    }

    func losses(_ name: String) throws -> [Double] {
        try MetricsLog.read(path: folder.path("\(name)/metrics.jsonl")).compactMap { $0["loss"]?.doubleValue }
    }

    /// Everything that no released architecture has, and every warm-up.
    static let extensions = [
        "ngram_max_order=3", "ngram_table_rows=97", "ngram_hashes=2", "value_embedding_order=2", "qk_norm=true",
        "logit_softcap=8", "hidden_act=relu2", "muon_interval=2", "muon_iteration=polar", "weight_decay=0.1",
        "table_learning_rate=0.05", "head_learning_rate=0.01", "batch_start=2", "batch_warmup=0.5",
        "sequence_start=4", "sequence_warmup=0.6", "dropout=0.2",
    ]

    @Test(arguments: [["validation_fraction=0.1"], []])
    func theTokenizerLearnsFromTrainingTextOnly(own: [String]) throws {
        let text = String(repeating: "the whale swims in cold water. ", count: 400)
        let kept = String(repeating: "quixotic zebras jump. ", count: 60)
        try folder.write(own.isEmpty ? text : text + kept, to: "mixed.txt")
        try folder.write(kept, to: "kept.txt")
        let run = try Self.configuration(["tokenizer=bpe", "tokenizer_vocabulary=300"] + own)
        let data = try TrainingData.prepare(
            .init(paths: [folder.path("mixed.txt")], validationPaths: own.isEmpty ? [folder.path("kept.txt")] : []),
            configuration: run, folder: folder.path("leak-\(own.count)")
        ) { _ in }
        // What was learned is joined; what was only validated stays in bytes.
        #expect(data.tokenizer.encode("whale").count < 5)
        #expect(data.tokenizer.encode("zebra").count == 5)
    }

    @Test(arguments: [
        ["precision=bf16"], ["precision=int8"], ["precision=int8", "muon=false", "moments=bf16"],
        ["precision=f32", "muon=false", "accumulation=2", "balance_loss=0.001"], extensions,
        extensions + ["accumulation=2", "gradient_clip=0.5"],
        extensions + ["precision=f32", "beta1=0", "muon_steps=3", "muon_iteration=quintic"],
    ])
    func resumingIsBitExact(recipe: [String]) throws {
        let settings = recipe + ["steps=60", "eval_interval=25"]
        _ = try train("straight", settings)
        // Where a run stops does not depend on the recipe: two of them are stopped everywhere.
        for step in recipe.count == 1 || recipe == Self.extensions ? [1, 17, 30, 59] : [17] {
            let paused = try train("stopped", settings, pause: step, fresh: true)
            #expect(paused.ending == .interrupted && paused.steps == step)
            let whole = try train("stopped", settings)
            #expect(whole.ending == .complete && whole.steps == 60)
            #expect(try hashes("stopped", step: 60) == hashes("straight", step: 60))
            #expect(try losses("stopped") == losses("straight"))
        }
    }

    @Test func anExtendedModelIsWrittenWithAllItsDecay() throws {
        _ = try train("run", Self.extensions)
        let model = try LanguageModel(contentsOf: ModelFolder(path: folder.path("run")))
        let tables = model.weights.filter { $0.role == .table }
        #expect(tables.count == 4 && tables.allSatisfy { $0.value.sumOfSquares > 0 })
        let log = try MetricsLog.read(path: folder.path("run/metrics.jsonl"))
        let losses = log.compactMap { $0["validation_loss"]?.doubleValue }
        let logged = try #require(losses.last)
        // The same loss from the written folder as the run last measured.
        let run = try Self.configuration(Self.extensions)
        let data = try data(run)
        let windows = try ValidationWindows(
            stream: data.shards.validation, sequenceLength: run.sequenceLength,
            tokenByteLengths: [Int](repeating: 1, count: 259), tokenBudget: run.evaluationTokens)
        var total = 0.0
        for index in 0..<windows.count {
            var (tokens, targets) = ([Int32](repeating: 0, count: 16), [Int32](repeating: 0, count: 16))
            try windows.fill(index, tokens: &tokens, targets: &targets)
            let batch = SequenceBatch(sequences: 1, length: 16)
            total += model.loss(tokens, targets: targets, batch: batch, Tape(computeType: .bfloat16)).mean
        }
        #expect(abs(total / Double(windows.count) - logged) < 2e-3)
        #expect(logged < 5)
    }

    @Test func otherSettingsAreNamedAndRefused() throws {
        _ = try train("run", pause: 3)
        let error = #expect(throws: InputError.self) { try train("run", ["learning_rate=0.001"]) }
        #expect(error?.problem.contains("learning_rate was 0.03 and is now 0.001") == true)
        #expect(error?.remedy?.contains("--fresh") == true)
        #expect(try train("run", ["learning_rate=0.001"], fresh: true).steps == 12)
        // Intervals do not change what is computed.
        _ = try train("run", ["learning_rate=0.001", "eval_interval=3"])
    }

    @Test func otherTextIsRefused() throws {
        _ = try train("run", pause: 3)
        try folder.write(String(repeating: "another text altogether. ", count: 200), to: "other.txt")
        let error = #expect(throws: InputError.self) { try train("run", text: "other.txt") }
        #expect(error?.problem.contains("another corpus") == true)
    }

    @Test func aDamagedCheckpointGivesWayToItsPredecessor() throws {
        _ = try train("straight")
        _ = try train("run", pause: 6)
        _ = try train("run", pause: 8)
        let weights = folder.path("run/checkpoints/step-000000008/weights.safetensors")
        var bytes = try FileSystem.readAll(weights)
        bytes[bytes.count / 2] ^= 1
        try AtomicFile.write(bytes, to: weights)
        _ = try train("run")
        #expect(try hashes("run") == hashes("straight"))
        #expect(try losses("run") == losses("straight"))
    }

    @Test func anUnfinishedCheckpointDoesNotCount() throws {
        _ = try train("straight")
        _ = try train("run", pause: 6)
        try FileSystem.createDirectory(folder.path("run/checkpoints/step-000000009"))
        try folder.write("half", to: "run/checkpoints/step-000000009/weights.safetensors")
        _ = try train("run")
        #expect(try hashes("run") == hashes("straight"))
    }

    @Test func theFolderIsAWholeModel() throws {
        let summary = try train("run")
        #expect(summary.validationLoss.isFinite && summary.validationLoss < 4)
        for name in [
            "config.json", "model.safetensors", "tokenizer.json", "generation_config.json", "report.html", "run.json",
        ] {
            #expect(FileSystem.exists(folder.path("run/\(name)")), "\(name)")
        }
        let keys = [
            "validation_loss", "bits_per_byte", "cpu_seconds", "evaluation_cpu_seconds", "wall_seconds", "tokens",
            "flops",
            "tokens_per_second", "peak_memory_bytes", "parameters_total", "parameters_active", "joules",
            "joules_source",
            "dollars", "steps", "out",
        ]
        for key in keys { #expect(summary.json[key] != nil, "\(key)") }
        // A finished run says so again without training.
        #expect(try train("run").steps == 12)
    }

    @Test func targetAndTimeEndARun() throws {
        let run = try Self.configuration(["steps=2000", "eval_interval=5"])
        var options = options("target")
        options.targetLoss = 4
        let reached = try Trainer(run, data: data(run), options: options).run()
        #expect(reached.ending == .targetReached && reached.validationLoss <= 4 && reached.steps < 2000)
        options = self.options("time")
        options.maximumSeconds = 0.3
        #expect(try Trainer(run, data: data(run), options: options).run().steps < 2000)
    }

    @Test func modelsBeyondTheMachineAreRefused() throws {
        let run = try Self.configuration(["hidden_size=131072", "num_hidden_layers=200", "n_routed_experts=512"])
        let error = #expect(throws: InputError.self) { try Trainer(run, data: data(run), options: options("huge")) }
        #expect(error?.problem.contains("of memory") == true)
    }

    @Test func aFolderHasOneTrainerAtATime() throws {
        let run = try Self.configuration()
        let first = try Trainer(run, data: data(run), options: options("run"))
        let error = #expect(throws: InputError.self) { try Trainer(run, data: data(run), options: options("run")) }
        #expect(error?.problem.contains("another process is training") == true)
        _ = try first.run()
    }

    @Test func aFinishedRunIsContinuedOnRequest() throws {
        _ = try train("run")
        let run = try Self.configuration(["steps=20"])
        var options = options("run")
        options.overridesDifferences = true
        #expect(try Trainer(run, data: data(run), options: options).run().steps == 20)
    }

    @Test func comparisonCountsBothModels() throws {
        let run = try Self.configuration(["num_nextn_predict_layers=0"])
        let comparison = try #require(
            try Comparison.run(run, data: data(run), seeds: [1, 2], options: options("pair")) { _ in })
        #expect(comparison.pairs.count == 2)
        let json = comparison.json
        for key in ["flops", "cpu_seconds", "kv_bytes_per_token", "parameters_active", "joules", "dollars"] {
            #expect(json["savings"]?[key]?["ratio_dense_to_sparse"]?.doubleValue != nil, "\(key)")
        }
        #expect(json["models"]?["dense"]?.arrayValue?.count == 2)
        #expect(comparison.table.contains("sparse"))
        #expect(try comparison.report(command: "minke compare").html().contains("</html>"))
    }

    static let memory = ["num_nextn_predict_layers=0", "ngram_max_order=3", "ngram_table_rows=64", "qk_norm=true"]

    @Test func theDenseTwinHasNoTables() throws {
        let twin = try Self.configuration(Self.memory + ["logit_softcap=15"]).model.denseTwin()
        #expect(twin.family == .llama && !twin.extensions.hasTables)
        #expect(twin.extensions.normalizesQueries && twin.extensions.logitSoftcap == 15)
        try twin.validate()
        #expect(try Self.configuration(["value_embedding_order=1", "ngram_table_rows=8"]).model.extensions.hasTables)
    }

    @Test func comparisonTellsItsPartsApart() throws {
        let run = try Self.configuration(Self.memory)
        let comparison = try #require(
            try Comparison.run(run, showsParts: true, data: data(run), seeds: [1], options: options("parts")) { _ in })
        #expect(comparison.pairs[0].parts.map(\.name) == ["experts-alone", "memory-alone"])
        let (experts, memory) = (comparison.pairs[0].parts[0].run, comparison.pairs[0].parts[1].run)
        #expect(experts.parametersTotal < comparison.pairs[0].sparse.parametersTotal)
        #expect(memory.parametersTotal > comparison.pairs[0].dense.parametersTotal)
        #expect(comparison.table.contains("experts alone: ") && comparison.table.contains("memory alone: "))
        let plain = try Self.configuration(["num_nextn_predict_layers=0"])
        #expect(throws: InputError.self) {
            try Comparison.run(plain, showsParts: true, data: data(plain), seeds: [1], options: options("none")) { _ in
            }
        }
    }

    @Test func othersCurvesAreDrawnBesideTheTwins() throws {
        let run = try Self.configuration(["num_nextn_predict_layers=0"])
        let comparison = try #require(
            try Comparison.run(run, data: data(run), seeds: [1], options: options("peers")) { _ in })
        try folder.write(
            """
            {"step":1,"tokens":64,"cpu_seconds":0.5,"flops":1e6,"validation_loss":5.0,"validation_bits_per_byte":7.5}
            {"step":2,"tokens":128,"cpu_seconds":1.0,"flops":2e6,"validation_loss":4.0,"validation_bits_per_byte":6.0}

            """, to: "peer.jsonl")
        let peer = try RunCurve(named: "a <peer>=\(folder.path("peer.jsonl"))")
        #expect(peer.name == "a <peer>" && peer.points.map(\.bitsPerByte) == [7.5, 6])
        let report = try comparison.report(command: "", peers: [peer])
        #expect(report.html().contains("a &lt;peer&gt;") && report.costToQuality().contains("a &lt;peer&gt;"))
        try folder.write("{\"step\":1,\"tokens\":64}\n", to: "empty.jsonl")
        #expect(throws: InputError.self) { try RunCurve(named: folder.path("empty.jsonl")) }
        #expect(throws: InputError.self) { try RunCurve(named: "x=\(folder.path("absent.jsonl"))") }
    }
}
