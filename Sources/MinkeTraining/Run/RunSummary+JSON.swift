import MinkeFiles

extension RunSummary {
    /// The object that `minke train --json` prints.
    public var json: JSON.Object {
        var json: JSON.Object = [
            "name": .string(name), "ending": .string(ending.rawValue), "steps": .integer(steps),
            "validation_loss": .number(validationLoss), "bits_per_byte": .number(bitsPerByte),
        ]
        for (key, value) in cost.json.objectValue ?? [:] { json[key] = value }
        json["tokens_per_second"] = .number(tokensPerSecond)
        json["parameters_total"] = .integer(parametersTotal)
        json["parameters_active"] = .integer(parametersActive)
        json["out"] = .string(out)
        return json
    }
}
