import ArgumentParser
import Minke

/// The options that say how tokens are drawn.
struct SamplingArguments: ParsableArguments {
    @Option(help: ArgumentHelp("0 takes the most likely token; higher is more surprising.", valueName: "t"))
    var temperature = 0.0

    @Option(help: ArgumentHelp("Only the k most likely tokens; 0 for all.", valueName: "k"))
    var topK = 0

    @Option(help: ArgumentHelp("Only the most likely tokens that together reach this probability.", valueName: "p"))
    var topP = 1.0

    @Option(help: ArgumentHelp("Only tokens at least this fraction as likely as the most likely one.", valueName: "p"))
    var minP = 0.0

    @Option(help: ArgumentHelp("Makes tokens that occurred less likely; 1 for none.", valueName: "r"))
    var repetitionPenalty = 1.0

    @Option(help: "Equal seeds give equal texts.")
    var seed: UInt64 = 0

    var options: SamplingOptions {
        SamplingOptions(
            temperature: temperature, topK: topK, topP: topP, minP: minP, repetitionPenalty: repetitionPenalty,
            seed: seed)
    }

    func validate() throws {
        do {
            try options.validate()
        } catch let error as InputError {
            throw ValidationError(error.description)
        }
    }
}
