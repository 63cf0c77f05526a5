import ArgumentParser
import Minke
import MinkeConsole
import MinkeFiles
import MinkeTensors
import MinkeTraining

/// `minke bench`: what this machine does, against what it could do.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures models, training and matrix products against this machine's limits.",
        subcommands: [Model.self, Train.self, Matmul.self], defaultSubcommand: Model.self)

    struct Train: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Times training steps of the reference sparse model.",
            discussion: "Example: minke bench train --data book.txt --steps 20 --json")

        @Option(help: "A text; its byte pairs become the tokens.") var data: String
        @Option(help: "Steps to time, after two that warm up.") var steps = 20
        @Option(help: "bf16, f32 or int8.") var dtype = "bf16"
        @Option(help: "Sequences a step.") var batch = 16
        @Option(help: "Tokens of one sequence.") var sequence = 256
        @Option(help: "Seed of weights and data order.") var seed = 1
        @OptionGroup var compute: ComputeOptions
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            compute.apply()
            guard (1...1_000_000).contains(steps) else { throw InputError("--steps must be positive") }
            var run = try Preset.reference.configuration()
            run.batchSize = batch
            run.sequenceLength = sequence
            run.seed = seed
            try run.apply(assignment: "precision=\(dtype)")
            try run.validate()
            let text = try FileSystem.readAll(data)
            let figures = try text.withUnsafeBytes { text in
                try Benchmark.training(run, text: text, steps: steps) { index, loss, seconds in
                    if !json {
                        print(
                            "step \(index) loss \(HumanFormat.fixed(loss, 4)) \(HumanFormat.fixed(seconds * 1e3, 1)) ms"
                        )
                    }
                }
            }
            print(JSON.object(figures).text(indented: !json))
        }
    }

    struct Matmul: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Times the matrix products of the reference sparse model against the measured peak.",
            discussion: "Example: minke bench matmul --rounds 20 --json")

        @Option(help: "Rounds of each product; the best counts.") var rounds = 10
        @Option(help: "bf16, f32 or int8.") var dtype = "bf16"
        @OptionGroup var compute: ComputeOptions
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            compute.apply()
            guard (1...1_000_000).contains(rounds) else { throw InputError("--rounds must be positive") }
            var run = try Preset.reference.configuration()
            try run.apply(assignment: "precision=\(dtype)")
            let figures = Benchmark.products(run, rounds: rounds) { row in
                if !json { print(Matmul.text(row)) }
            }
            if json {
                print(JSON.object(figures).text())
            } else {
                let total = (figures["fraction_of_peak"]?.objectValue ?? [:]).map { name, value in
                    "\(name) \(HumanFormat.percent(value.doubleValue ?? 0))"
                }
                print("of the peak, weighted as in a step: \(total.joined(separator: ", "))")
            }
        }

        /// One product: its shape and the share of the peak in each direction.
        private static func text(_ row: JSON.Object) -> String {
            let shape = ["rows", "columns", "depth"].map { "\(row[$0]?.intValue ?? 0)" }.joined(separator: " × ")
            let shares = ["forward", "input_gradient", "weight_gradient"].map { name in
                "\(name) \(HumanFormat.percent(row[name]?["fraction"]?.doubleValue ?? 0))"
            }
            return "\(row["name"]?.stringValue ?? ""): \(shape): \(shares.joined(separator: ", "))"
        }
    }
}
