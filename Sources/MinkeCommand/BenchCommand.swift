import ArgumentParser
import Minke
import MinkeFiles
import MinkeTensors
import MinkeTraining

/// `minke bench`: what this machine does, against what it could do.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures training and matrix products against this machine's peak.",
        subcommands: [Train.self])

    struct Train: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Times training steps of the reference sparse model.",
            discussion: "Example: minke bench train --data book.txt --steps 20 --json")

        @Option(help: "A text; its byte pairs become the tokens.") var data: String
        @Option(help: "Steps to time, after two that warm up.") var steps = 20
        @Option(help: "bf16 or f32.") var dtype = "bf16"
        @Option(help: "Sequences a step.") var batch = 16
        @Option(help: "Tokens of one sequence.") var sequence = 256
        @OptionGroup var compute: ComputeOptions
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            compute.apply()
            var run = try Preset.reference.configuration()
            run.batchSize = batch
            run.sequenceLength = sequence
            try run.apply(assignment: "precision=\(dtype)")
            try run.validate()
            let text = try FileSystem.readAll(data)
            let figures = try text.withUnsafeBytes { text in
                try Benchmark.training(run, text: text, steps: steps) { index, loss, seconds in
                    if !json { print("step \(index) loss \(HumanFormat.fixed(loss, 4)) \(HumanFormat.fixed(seconds * 1e3, 1)) ms") }
                }
            }
            print(JSON.object(figures).text(indented: !json))
        }
    }
}
