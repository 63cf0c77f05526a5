import MinkeFiles

/// Where a run stands: all that, with the weights and the optimiser's tensors, lets it go on as if it had never stopped.
///
/// Random numbers and the data's order are functions of seed and step, so there is no generator to save.
struct RunState: Equatable {
    /// Optimiser steps done.
    var step = 0
    /// Windows of text used: the position in the data.
    var samples = 0
    /// Steps of the whole run. Fixed, unless a time budget is still being fitted.
    var totalSteps: Int
    /// Steps skipped because something was not finite.
    var skippedSteps = 0
    var cpuSeconds = 0.0
    var evaluationCPUSeconds = 0.0
    /// Wall time of the training loop.
    var trainingSeconds = 0.0
    /// Wall time of everything.
    var wallSeconds = 0.0
    var joules = 0.0
    /// Largest resident memory so far.
    var peakMemoryBytes = 0
    /// The last evaluation.
    var validationLoss: Double?
    var bitsPerByte: Double?
    var evaluatedStep: Int?
    /// The run met its end: steps, budget or target.
    var isComplete = false

    init(totalSteps: Int) { self.totalSteps = totalSteps }

    var json: JSON.Object {
        var json: JSON.Object = [
            "step": .integer(step), "samples": .integer(samples), "total_steps": .integer(totalSteps),
            "skipped_steps": .integer(skippedSteps),
            "cpu_seconds": .number(cpuSeconds), "evaluation_cpu_seconds": .number(evaluationCPUSeconds),
            "training_seconds": .number(trainingSeconds), "wall_seconds": .number(wallSeconds),
            "joules": .number(joules), "peak_memory_bytes": .integer(peakMemoryBytes), "is_complete": .bool(isComplete),
        ]
        json["validation_loss"] = validationLoss.map { .number($0) }
        json["bits_per_byte"] = bitsPerByte.map { .number($0) }
        json["evaluated_step"] = evaluatedStep.map { .integer($0) }
        return json
    }

    /// - Parameter samplesPerStep: of a run whose state does not say how many it has used.
    init(json: JSON, samplesPerStep: Int) throws {
        func number(_ key: String) throws -> Double {
            guard let value = json[key]?.doubleValue else { throw InputError("\(key) is missing", at: key) }
            return value
        }
        func count(_ key: String) throws -> Int {
            guard let value = json[key]?.intValue, (0...1 << 40).contains(value) else {
                throw InputError("\(key) is missing or out of range", at: key)
            }
            return value
        }
        totalSteps = try count("total_steps")
        step = try count("step")
        samples = try json["samples"] == nil ? step * samplesPerStep : count("samples")
        skippedSteps = try count("skipped_steps")
        cpuSeconds = try number("cpu_seconds")
        evaluationCPUSeconds = try number("evaluation_cpu_seconds")
        trainingSeconds = try number("training_seconds")
        wallSeconds = try number("wall_seconds")
        joules = try number("joules")
        peakMemoryBytes = json["peak_memory_bytes"]?.intValue ?? 0
        validationLoss = json["validation_loss"]?.doubleValue
        bitsPerByte = json["bits_per_byte"]?.doubleValue
        evaluatedStep = json["evaluated_step"]?.intValue
        isComplete = json["is_complete"]?.boolValue ?? false
    }

    /// Decides anew whether the run is over, by the budget and target that it is continued with.
    mutating func extend(to options: RunOptions) {
        if let target = options.targetLoss, let loss = validationLoss, loss <= target {
            isComplete = true
        } else if let seconds = options.maximumSeconds {
            isComplete = trainingSeconds >= seconds
            if !isComplete && step >= totalSteps {
                // Time is left: as many more steps as it holds at the speed so far.
                let more = (seconds - trainingSeconds) / max(1e-6, trainingSeconds / Double(max(1, step)))
                totalSteps = step + max(4, Int(min(1e9, more)))
            }
        } else {
            isComplete = step >= totalSteps
        }
    }
}
