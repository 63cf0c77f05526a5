import Minke
import Testing

/// `minke plan` as people run it.
@Suite(.serialized) struct PlanCommandTests {
    @Test func trainingV3() throws {
        guard let minke = Program.built else { return }
        let page = try TemporaryFolder()
        let file = page("plan.html")
        let result = try minke.run(
            "plan", "train", "--model", "deepseek-v3", "--tokens", "14.8T", "--chip", "h800", "--count", "2048",
            "--mfu",
            "0.391", "--json", "--html", file)
        #expect(result.status == 0 && result.error == "")
        let json = try result.json
        let hours = try #require(json["device_hours"]?.doubleValue)
        #expect((hours / 2.664e6 - 1).magnitude < 0.005)
        #expect((try #require(json["dollars"]?.doubleValue) - hours * 2).magnitude < 1e-3)
        let html = String(decoding: try FileSystem.readAll(file), as: UTF8.self)
        #expect(html.contains("<svg") && html.contains("DeepSeek-V3"))
    }

    @Test func optionsChangeWhatIsAssumed() throws {
        guard let minke = Program.built else { return }
        let plan = ["plan", "train", "--model", "llama-3.1-8b", "--tokens", "1T", "--chip", "h100", "--json"]
        func hours(_ more: String...) throws -> Double {
            try #require(try minke.run(all: plan + more).json["device_hours"]?.doubleValue)
        }
        let plain = try hours("--mfu", "0.4")
        #expect((try hours("--mfu", "0.2") / plain - 2).magnitude < 1e-9)
        #expect((try hours("--mfu", "0.4", "--goodput", "0.5") / plain - 2).magnitude < 1e-9)
        #expect((try hours("--mfu", "0.4", "--peak-tflops", "494.7") / plain - 2).magnitude < 1e-9)
        #expect((try hours("--mfu", "0.4", "--recompute") / plain - 4.0 / 3).magnitude < 1e-9)
    }

    @Test func modelsComeFromFilesToo() throws {
        guard let minke = Program.built else { return }
        let folder = try CommandTests.model()
        for path in [folder.path, folder("config.json")] {
            let result = try minke.run(
                "plan", "serve", "--model", path, "--chip", "mine", "--peak-tflops", "1", "--bandwidth-gbs", "10",
                "--memory-gb", "1", "--price", "1", "--context", "64", "--json")
            #expect(result.status == 0, "\(result.error)")
            // Two layers of a latent of 8 and 4 more values for positions, in 2 bytes.
            #expect(try result.json["cache_bytes_per_token"]?.doubleValue == 48)
        }
    }

    @Test func comparingFiles() throws {
        guard let minke = Program.built else { return }
        let folder = try TemporaryFolder()
        try AtomicFile.write(
            #"{"model": "llama-3.1-8b", "tokens": "2T", "chip": "h100"}"#, to: folder("dense.json"))
        try AtomicFile.write(#"{"model": "moonlight", "chip": "h100"}"#, to: folder("sparse.json"))
        try AtomicFile.write(#"{"name": "land", "models_per_year": 10}"#, to: folder("land.json"))
        let result = try minke.run(
            "plan", "compare", folder("dense.json"), folder("sparse.json"), "--scenario", folder("land.json"), "--json")
        #expect(result.status == 0, "\(result.error)")
        let json = try result.json
        #expect(json["sparse"]?.arrayValue?.count == 3)
        let dense = try #require(json["dense"])
        let year = try #require(dense["year"]?["device_hours"]?.doubleValue)
        #expect(year > 10 * (try #require(dense["device_hours"]?.doubleValue)))
    }

    @Test(arguments: [
        "train --model deepseek-v3 --tokens 1T --chip h800 --mfu 0.9", "train --model none --tokens 1T --chip h100",
        "train --model deepseek-v3 --tokens 1T --chip none", "train --model deepseek-v3 --tokens 0 --chip h100",
        "train --params 7B --active 8B --layers 3 --tokens 1T --chip h100", "serve --model deepseek-v3 --chip h100",
        "serve --model deepseek-v3 --chip h200 --count 16 --api none", "compare none none",
        "compare llama-3.1-8b moonlight --tokens 1T --chip h100 --leverage 3,2,1",
        "train --model deepseek-v3 --tokens 1T --chip h800 --save-gbs inf",
        "train --model deepseek-v3 --tokens 1T --chip h800 --pipeline 0",
        "train --model deepseek-v3 --tokens 1T --chip h800 --html /no/such/folder/x.html", "parallel --ranks 7",
    ])
    func whatCannotBeIsOneLine(arguments: String) throws {
        guard let minke = Program.built else { return }
        let result = try minke.run(all: ["plan"] + arguments.split(separator: " ").map(String.init))
        #expect(result.status == 1 && result.output == "")
        #expect(result.error.hasSuffix("\n") && result.error.count { $0 == "\n" } == 1, "\(result.error)")
    }

    @Test func factsAreListed() throws {
        guard let minke = Program.built else { return }
        for list in ["check", "chips", "models", "prices"] {
            let result = try minke.run("plan", list, "--json")
            #expect(result.status == 0 && result.error == "")
            #expect(try result.json.objectValue != nil)
        }
    }

    @Test func helpFitsAScreen() throws {
        guard let minke = Program.built else { return }
        for command in ["train", "serve", "compare", "parallel", "check", "chips", "models", "prices"] {
            let help = try minke.run("plan", command, "--help")
            #expect(help.status == 0 && help.output.contains("minke plan \(command)"))
            #expect(help.output.count { $0 == "\n" } <= 60, "\(command)")
            #expect(!help.output.contains("PlanQuantity"))
        }
    }

    @Test func parallelWritesAPage() throws {
        guard let minke = Program.built else { return }
        let folder = try TemporaryFolder()
        let page = folder("parallel.html")
        let result = try minke.run("plan", "parallel", "--html", page, "--json")
        #expect(result.status == 0 && result.error == "")
        let html = String(decoding: try FileSystem.readAll(page), as: UTF8.self)
        #expect(html.contains("DualPipe") && html.contains("<svg") && html.contains("all-to-all"))
    }

    @Test func theMeasuredMachineIsAChip() throws {
        guard let minke = Program.built else { return }
        let folder = try TemporaryFolder()
        let measured = try minke.run("bench", "--machine", "--json")
        #expect(measured.status == 0 && measured.error == "")
        let bandwidth = try #require(try measured.json["bandwidth_gbs"]?.doubleValue)
        #expect(bandwidth > 0)
        #expect(try measured.json["products"]?["Q4_K"]?["gbs"]?.arrayValue?.count == 11)
        try AtomicFile.write(measured.output, to: folder("machine.json"))
        let model = try CommandTests.model()
        let plan = try minke.run(
            "plan", "serve", "--model", model.path, "--chips", folder("machine.json"), "--chip", "this", "--context",
            "64",
            "--bandwidth-share", "1", "--batch", "1", "--json")
        #expect(plan.status == 0, "\(plan.error)")
        #expect(try plan.json["chip"] == "this")
        #expect(try minke.run("bench").status == 64)
        // With a model, in its shapes and types of weights.
        let shaped = try minke.run("bench", "--machine", model.path, "--json")
        #expect(try shaped.status == 0 && shaped.json["bandwidth_gbs"]?.doubleValue ?? 0 > 0)
        #expect(try minke.run("bench", "--machine", folder("nothing.gguf")).status == 1)
    }

    /// The planner's shapes and the model's own count of its costs are two programs: they have to agree.
    @Test(arguments: [false, true]) func plansCountAsTheModelDoes(isDense: Bool) throws {
        var configuration = ModelConfiguration(
            family: .deepseekV3, vocabSize: 129_280, hiddenSize: 7168, numHiddenLayers: 61, numAttentionHeads: 128,
            intermediateSize: 18_432)
        configuration.qLoraRank = 1536
        configuration.kvLoraRank = 512
        configuration.qkNopeHeadDim = 128
        configuration.qkRopeHeadDim = 64
        configuration.vHeadDim = 128
        configuration.moeIntermediateSize = 2048
        configuration.nRoutedExperts = 256
        configuration.nSharedExperts = 1
        configuration.numExpertsPerTok = 8
        configuration.firstKDenseReplace = 3
        configuration.topkMethod = .greedy
        if isDense { configuration = configuration.denseTwin() }
        let costs = ModelCosts(configuration)
        let shape = try ModelShape(
            configuration: #require(configuration.json.objectValue), name: "model", at: "config.json")
        #expect(shape.totalParameters == Double(costs.totalParameters))
        #expect(shape.cachedValues == Double(costs.cachedValuesPerToken))
        #expect(shape.cachedValues(groups: nil) == Double(costs.multiHeadCachedValuesPerToken))
        for length in [512, 4096] {
            let planned = shape.forwardOperations(length: Double(length))
            #expect((planned / costs.forwardFLOPs(length: length) - 1).magnitude < 1e-3)
            let decoded = 2 * shape.multipliedParameters + 2 * shape.layers * Double(length) * shape.decodingWidth
            #expect((decoded / costs.decodingFLOPs(depth: length) - 1).magnitude < 1e-9)
        }
    }
}
