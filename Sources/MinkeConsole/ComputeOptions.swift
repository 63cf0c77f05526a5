import ArgumentParser
import MinkeTensors

/// Options that every command has which computes.
package struct ComputeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Threads (default: all cores); results stay the same.", valueName: "n"))
    package var threads: Int?

    package init() {}

    package func validate() throws {
        if let threads, !(1...4096).contains(threads) { throw ValidationError("--threads must be 1 to 4096") }
    }

    /// Puts the options into force.
    package func apply() {
        if let threads { CPU.shared.threadCount = threads }
        if CPU.instructionSetRequestFailed {
            let known = CPU.supportedInstructionSets.joined(separator: ", ")
            Console.report(
                "warning: MINKE_ISA names an instruction set that this processor does not have; using "
                    + "\(CPU.shared.instructionSet) (known here: \(known))")
        }
    }
}
