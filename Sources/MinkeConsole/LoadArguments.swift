import ArgumentParser
import Minke
import MinkeTensors

/// The options that say how a model is opened.
package struct LoadArguments: ParsableArguments {
    private enum PrecisionChoice: String, ExpressibleByArgument, CaseIterable {
        case auto, f32, fast
    }

    private enum CacheChoice: String, ExpressibleByArgument, CaseIterable {
        case f32, bf16, q8
    }

    @Option(
        help: ArgumentHelp(
            "f32 is exact, fast narrows operands; auto is f32 for small models.",
            valueName: "p"))
    private var precision = PrecisionChoice.auto

    @Option(
        help: ArgumentHelp("How the cache is kept (default: f32 with f32 precision, else bf16).", valueName: "type"))
    private var cacheType: CacheChoice?

    @OptionGroup package var memory: MemoryArgument

    package init() {}

    package var options: LoadOptions {
        let cache: CacheType? =
            switch cacheType {
            case .f32: .float32
            case .bf16: .bfloat16
            case .q8: .q8
            case nil: nil
            }
        return LoadOptions(precision: Precision(rawValue: precision.rawValue), cacheType: cache, memory: memory.bytes)
    }
}

/// `--memory`
package struct MemoryArgument: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Memory for weights and cache, as 4GB (default: what is free); other experts are read when needed.",
            valueName: "size"))
    private var memory: ByteCount?

    package init() {}

    package var bytes: Int? { memory?.bytes }
}

/// A size as people write it: `4GB`, `1.5GiB`, `800M`, `4000000000`.
package struct ByteCount: ExpressibleByArgument {
    package let bytes: Int

    package init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = argument.dropFirst(digits.count).lowercased()
        let powers = ["": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4]
        let isBinary = unit.hasSuffix("ib")
        let letter = isBinary ? String(unit.dropLast(2)) : unit.hasSuffix("b") ? String(unit.dropLast()) : unit
        guard let number = Double(digits), let power = powers[letter] else { return nil }
        let value = (0..<power).reduce(number) { value, _ in value * (isBinary ? 1024 : 1000) }
        guard value >= 1, value < 9e18 else { return nil }
        bytes = Int(value)
    }
}
