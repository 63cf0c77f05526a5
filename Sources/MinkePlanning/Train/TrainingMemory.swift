/// Bytes that one device holds, by how a model is laid out over the devices.
public struct TrainingMemory: Sendable {
    /// Who holds what.
    public struct Layout: Sendable, Equatable {
        /// Devices that layers are divided over.
        public var pipeline = 1.0
        /// Devices of a pipeline stage that routed experts are divided over.
        public var expert = 1.0
        /// Whether the optimiser's state is divided over all devices that hold the same weights (ZeRO-1).
        public var isOptimizerSharded = false

        public init(pipeline: Double = 1, expert: Double = 1, isOptimizerSharded: Bool = false) {
            self.pipeline = pipeline
            self.expert = expert
            self.isOptimizerSharded = isOptimizerSharded
        }

        public var name: String {
            var parts: [String] = []
            if isOptimizerSharded { parts.append("ZeRO-1") }
            if expert > 1 { parts.append("experts over \(Int(expert))") }
            if pipeline > 1 { parts.append("pipeline of \(Int(pipeline))") }
            return parts.isEmpty ? "everything on every device" : parts.joined(separator: ", ")
        }
    }

    /// Bytes per parameter: bfloat16.
    public var weight = 2.0
    /// Bytes per parameter: float32 where sums over micro-batches are kept.
    public var gradient = 4.0
    /// Bytes per parameter: float32 master copy and two float32 moments.
    public var optimizer = 12.0
    /// Tokens of one micro-batch on one device.
    public var tokensAtOnce = 4096.0

    public init() {}

    /// Bytes of one device.
    ///
    /// - Parameter recomputing: whether layers are computed again in the backward pass, so that only their inputs stay.
    public func bytes(_ shape: ModelShape, _ layout: Layout, devices: Double, recomputing: Bool) -> Double {
        states(shape, layout, devices: devices) + activations(shape, recomputing: recomputing)
    }

    /// Weights, gradients and optimiser's state of one device.
    public func states(_ shape: ModelShape, _ layout: Layout, devices: Double) -> Double {
        let stageDevices = max(1, devices / layout.pipeline)
        func bytes(_ parameters: Double, copies: Double) -> Double {
            parameters * (weight + gradient + optimizer / (layout.isOptimizerSharded ? max(1, copies) : 1))
        }
        let routed = shape.routedParameters
        return bytes((shape.totalParameters - routed) / layout.pipeline, copies: stageDevices)
            + bytes(routed / layout.pipeline / layout.expert, copies: stageDevices / layout.expert)
    }

    /// What the backward pass needs of the forward pass, two bytes a value. Under 1F1B the first stage holds as many
    /// micro-batches as there are stages, so that the sum does not depend on their number.
    public func activations(_ shape: ModelShape, recomputing: Bool) -> Double {
        let h = shape.hidden
        // Per token and layer: six residual-width values, attention's inputs and output, and gate, up and product.
        let feedForward =
            shape.experts.map { experts in
                let used = experts.perToken + experts.shared
                let width = experts.width > 0 ? experts.width : shape.expertParameters / (3 * h)
                return used * (2 * h + 3 * width)
            } ?? 3 * (shape.denseWidth > 0 ? shape.denseWidth : 4 * h)
        let perLayer = recomputing ? h : 6 * h + 2.5 * shape.attentionWidth + feedForward
        return 2 * tokensAtOnce * shape.layers * perLayer
    }

    /// Usual layouts for this many devices, from the simplest.
    public static func layouts(_ shape: ModelShape, devices: Double) -> [Layout] {
        var layouts = [Layout(), Layout(isOptimizerSharded: true)]
        func powers(upTo limit: Double) -> Double {
            var power = 1.0
            while power * 2 <= limit, devices.truncatingRemainder(dividingBy: power * 2) == 0 { power *= 2 }
            return power
        }
        let expert = shape.experts.map { powers(upTo: min(64, $0.routed, devices)) } ?? 1
        if expert > 1 { layouts.append(Layout(expert: expert, isOptimizerSharded: true)) }
        let pipeline = powers(upTo: min(16, shape.layers, devices / expert))
        if pipeline > 1 { layouts.append(Layout(pipeline: pipeline, expert: expert, isOptimizerSharded: true)) }
        return layouts
    }
}
