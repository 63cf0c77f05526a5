import MinkeFiles

/// Where the parts of a plan that a file only names come from.
public struct PlanSources: Sendable {
    public var chips: ChipCatalog
    /// A model by name or path.
    public var model: @Sendable (String) throws -> ModelShape

    public init(chips: ChipCatalog, model: @escaping @Sendable (String) throws -> ModelShape) {
        self.chips = chips
        self.model = model
    }
}

extension TrainingPlan {
    /// The keys of a run in a file.
    static let keys: Set = [
        "name", "model", "params", "active", "layers", "hidden", "experts", "experts_per_token", "tokens", "chip",
        "count", "mfu", "precision", "price", "sequence", "goodput", "attention",
    ]

    /// A run as a file describes it: `model` (a name, a path, or an object as config.json) or `params`, `active` and
    /// `layers`; `tokens`, `chip`, and any of `count`, `mfu`, `precision`, `price`, `sequence`, `goodput`, `attention`.
    /// A config.json alone is a run too, with what `defaults` says.
    ///
    /// - Throws: ``InputError`` naming `place` and the key that is missing or wrong.
    public init(json: JSON, at place: String, defaults: JSON.Object, sources: PlanSources) throws {
        guard var object = json.objectValue else { throw InputError("is not a JSON object", at: place) }
        if object["hidden_size"] != nil || object["text_config"] != nil {
            var run: JSON.Object = ["model": json]
            run["name"] = object["_name_or_path"]
            object = run
        }
        if let key = object.keys.first(where: { !Self.keys.contains($0) }) {
            throw InputError(
                "the key \"\(key.prefix(40))\" is not known", at: place,
                remedy: "known: \(Self.keys.sorted().joined(separator: ", "))")
        }
        for (key, value) in defaults where object[key] == nil { object[key] = value }
        var shape = try Self.shape(object, at: place, sources)
        if let name = object["name"]?.stringValue { shape.name = name }
        guard let tokens = try object.positive("tokens", at: place) else {
            throw InputError("\"tokens\" is missing", at: place, remedy: "add \"tokens\": \"14.8T\", or give --tokens")
        }
        guard let chip = object["chip"]?.stringValue else {
            throw InputError("\"chip\" is missing", at: place, remedy: "add \"chip\": \"h100\", or give --chip")
        }
        let precision = object["precision"]?.stringValue ?? "bf16"
        guard let precision = Chip.Precision(rawValue: precision) else {
            throw InputError("\"precision\" is none of bf16, fp8, int8", at: place)
        }
        let attention = object["attention"]?.stringValue ?? "causal"
        guard let counting = AttentionCount(rawValue: attention) else {
            throw InputError("\"attention\" is none of causal, full, none", at: place)
        }
        do {
            try self.init(shape, tokens: tokens, chip: sources.chips.chip(named: chip), precision: precision)
            self.counting = counting
            if let value = try object.positive("count", at: place) { count = value }
            if let value = try object.positive("mfu", at: place) {
                utilization = value
                utilizationSource = place
            }
            if let value = try object.positive("price", at: place) {
                price = value
                priceSource = place
            }
            if let value = try object.positive("sequence", at: place) { sequence = value }
            if let value = try object.positive("goodput", at: place) { goodput = value }
            try validate()
        } catch let error as InputError {
            throw error.location == nil ? error.located(at: place) : error
        }
    }

    private static func shape(_ object: JSON.Object, at place: String, _ sources: PlanSources) throws -> ModelShape {
        switch object["model"] {
        case .string(let name)?: return try sources.model(name)
        case .object(let configuration)?:
            let name = object["name"]?.stringValue ?? FileSystem.name(of: place)
            return try ModelShape(configuration: configuration, name: name, at: place)
        case nil:
            guard let parameters = try object.positive("params", at: place),
                let layers = try object.positive("layers", at: place)
            else {
                throw InputError(
                    "says no model", at: place, remedy: "give \"model\", or \"params\", \"active\" and \"layers\"")
            }
            do {
                return try ModelShape(
                    parameters: parameters, active: object.positive("active", at: place), layers: layers,
                    hidden: object.positive("hidden", at: place), experts: object.positive("experts", at: place),
                    perToken: object.positive("experts_per_token", at: place))
            } catch let error as InputError {
                throw error.location == nil ? error.located(at: place) : error
            }
        default: throw InputError("\"model\" is neither a name nor an object", at: place)
        }
    }
}
