import ArgumentParser
import Minke
import MinkeCheckpoints
import MinkeConsole
import MinkeTensors

/// `minke logits`
struct LogitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logits",
        abstract: "Write a model's logits for token sequences, to compare with another program.",
        discussion: """
            Sequence k becomes the float32 tensor logits_k, [positions, vocabulary], in a safetensors file.

              minke logits models/whale --ids 1,2,3 --out logits.safetensors
              echo '[[1, 2, 3], [4, 5]]' > ids.json
              minke logits models/whale --ids ids.json --out logits.safetensors
            """)

    @Argument(help: "The model's folder or .gguf file.")
    var model: String

    @Option(
        help: ArgumentHelp(
            "A JSON file with an array of ids, or an array of such arrays; or a list as 1,2,3.", valueName: "file|list")
    )
    var ids: String

    @Option(help: ArgumentHelp("The safetensors file to write.", valueName: "file"))
    var out: String

    @OptionGroup var load: LoadArguments
    @OptionGroup var compute: ComputeOptions

    func run() throws {
        compute.apply()
        let sequences = try TokenArguments.sequences(ids)
        let model = try TextModel(contentsOf: model, options: load.options)
        let longest = model.configuration.maxPositionEmbeddings
        for (index, sequence) in sequences.enumerated() {
            guard (1...longest).contains(sequence.count) else {
                throw InputError(
                    "has \(sequence.count) tokens, but the model takes 1 to \(longest)", at: "sequence \(index)")
            }
            do {
                try model.check(sequence)
            } catch let error as InputError {
                throw error.located(at: "sequence \(index)")
            }
        }
        try SafetensorsWriter.write(
            to: out,
            tensors: sequences.enumerated().map {
                ("logits_\($0)", .float32, [$1.count, model.configuration.vocabSize])
            }
        ) { index, write in
            let sequence = sequences[index]
            try model.forEachPart(of: sequence) { model, _, states in
                // A few rows at a time: the logits of a long text would be larger than the model.
                for row in stride(from: 0, to: states.rows, by: 256) {
                    let rows = row..<min(states.rows, row + 256)
                    try model.logits(of: states.rows(rows)).withUnsafeBytes(write)
                }
            }
        }
    }
}
