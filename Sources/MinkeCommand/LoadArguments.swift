import ArgumentParser
import Minke
import MinkeTensors

/// The options that say how a model is opened.
struct LoadArguments: ParsableArguments {
    private enum PrecisionChoice: String, ExpressibleByArgument, CaseIterable {
        case auto, f32, fast
    }

    private enum CacheChoice: String, ExpressibleByArgument, CaseIterable {
        case f32, bf16, q8
    }

    @Option(
        help: ArgumentHelp(
            "f32 computes as exactly as the weights are, fast with narrow operands; auto is f32 for small models.",
            valueName: "p"))
    private var precision = PrecisionChoice.auto

    @Option(
        help: ArgumentHelp("How the cache is kept (default: f32 with f32 precision, else bf16).", valueName: "type"))
    private var cacheType: CacheChoice?

    var options: LoadOptions {
        let cache: CacheType? =
            switch cacheType {
            case .f32: .float32
            case .bf16: .bfloat16
            case .q8: .q8
            case nil: nil
            }
        return LoadOptions(precision: Precision(rawValue: precision.rawValue), cacheType: cache)
    }
}
