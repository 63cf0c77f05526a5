import MinkeFiles

extension ServingPlan {
    /// The plan in words and figures.
    ///
    /// - Throws: ``InputError`` where a figure cannot be, or the model does not fit.
    public func report() throws -> PlanReport {
        try validate()
        let step = step(batch: usedBatch)
        var headline =
            "\(Quantity.fixed(usedBatch, 0)) \(usedBatch == 1 ? "user" : "users") of \(Quantity.fixed(context, 0)) tokens: "
            + "\(Quantity.count(step.tokensPerSecond)) tokens/s, \(Quantity.significant(step.tokensPerSecondPerUser)) a user"
        if let ownPrice { headline += ", \(Quantity.dollars(ownPrice.output)) per million output tokens" }
        var report = PlanReport(
            title: "Serving \(shape.name) on \(Quantity.fixed(count, 0)) × \(chip.name)", headline: headline,
            tables: [memoryTable, cacheTable, decodingTable, moneyTable], assumptions: assumptions,
            warnings: warnings, figures: figures(step))
        report.plots = plots
        return report
    }

    private var memoryTable: PlanReport.Table {
        PlanReport.Table(
            "memory",
            rows: [
                ["weights", Quantity.bytes(weightBytes)],
                ["on each device", Quantity.bytes(weightBytesPerDevice)],
                ["cache per token", Quantity.bytes(cacheBytesPerToken)],
                ["tokens that fit the cache", Quantity.count(cacheCapacity)],
                ["users of \(Quantity.fixed(context, 0)) tokens", Quantity.fixed(largestBatch, 0)],
            ]
                + [4096, 32_768, 131_072].filter { $0 != context }.map {
                    [
                        "users of \(Quantity.fixed($0, 0)) tokens",
                        Quantity.fixed((cacheCapacity / $0).rounded(.down), 0),
                    ]
                })
    }

    /// The kinds of attention with this model's heads.
    private var caches: [(name: String, values: Double)] {
        var kinds: [(String, Double)] = []
        if case .latent = shape.attention { kinds.append(("MLA, this model", shape.cachedValues)) }
        if case .grouped(let groups, _) = shape.attention {
            kinds.append((groups < shape.heads ? "GQA, this model" : "MHA, this model", shape.cachedValues))
            // A latent of 4 heads' width and half a head for positions, as DeepSeek-V2 to V3 have.
            kinds.append(("MLA, latent 512 + 64", shape.layers * 576))
        }
        if shape.heads > 8, shape.cachedValues != shape.cachedValues(groups: 8) {
            kinds.append(("GQA, 8 groups", shape.cachedValues(groups: 8)))
        }
        if shape.cachedValues != shape.cachedValues(groups: nil) {
            kinds.append(("MHA", shape.cachedValues(groups: nil)))
        }
        return kinds
    }

    private var cacheTable: PlanReport.Table {
        PlanReport.Table(
            "cache by kind of attention", columns: ["kind", "a token", "tokens that fit", "users"],
            rows: caches.map { kind in
                let bytes = kind.values * cacheBits / 8
                let tokens = cacheCapacity(bytesPerToken: bytes)
                return [
                    kind.name, Quantity.bytes(bytes), Quantity.count(tokens),
                    Quantity.fixed((tokens / context).rounded(.down), 0),
                ]
            })
    }

    private var batches: [Double] {
        var batches = [1.0]
        while let last = batches.last, last * 4 < usedBatch, batches.count < 10 { batches.append(last * 4) }
        if usedBatch > 1 { batches.append(usedBatch) }
        return batches
    }

    private var decodingTable: PlanReport.Table {
        PlanReport.Table(
            "decoding by users at once",
            columns: ["users", "experts read", "tokens/s", "a user", "limit", "$ per M output"],
            rows: batches.map { batch in
                let step = step(batch: batch)
                return [
                    Quantity.fixed(batch, 0), shape.experts == nil ? "–" : Quantity.percent(step.coverage),
                    Quantity.count(step.tokensPerSecond), Quantity.significant(step.tokensPerSecondPerUser), step.limit,
                    dollarsPerMillion(step.tokensPerSecond).map(Quantity.dollars) ?? "–",
                ]
            })
    }

    private var moneyTable: PlanReport.Table {
        var rows = [["prompt tokens/s", Quantity.count(promptRate)]]
        if let ownPrice {
            rows += [
                ["$ per M input", Quantity.dollars(ownPrice.input ?? 0)],
                ["$ per M cached input", Quantity.dollars(ownPrice.cachedInput ?? 0)],
                ["$ per M output", Quantity.dollars(ownPrice.output)],
                ["$ per 1000 requests", Quantity.dollars(dollarsPerRequest(ownPrice) * 1000)],
            ]
            if let rival, let load = breakEvenLoad, let requests = breakEvenRequestsPerDay {
                rows += [
                    ["\(rival.model), $ per 1000 requests", Quantity.dollars(dollarsPerRequest(rival) * 1000)],
                    [
                        "own devices pay from a load of",
                        load <= 1 ? Quantity.percent(load) : "never (\(Quantity.percent(load)))",
                    ],
                    ["which is requests a day", Quantity.count(requests)],
                ]
            }
        } else {
            rows.append(["dollars", "no price is known: give --price"])
        }
        return PlanReport.Table("prompts and money", rows: rows)
    }

    private var requestSource: String {
        let fleet = Self.fleetRequest
        return (prompt, output, cachedShare) == fleet
            ? "the mix of DeepSeek's fleet of 2025-02-28 (608 B in, 342 B of them cached, 168 B out)" : "the user"
    }

    private var assumptions: [Assumption] {
        let peak = (try? chip.peak(precision)).map { "\(Quantity.rate($0.operations, "op/s")) \($0.type)" } ?? "?"
        var list = [
            Assumption(
                "chip", chip.name, source: "\(chip.source) [\(chip.confidence.rawValue)]", option: "--chip, --chips"),
            Assumption("peak", peak, source: "of the chip", option: "--peak-tflops, --precision"),
            Assumption(
                "bandwidth", "\(Quantity.significant(chip.bandwidthGBs ?? .nan)) GB/s", source: "of the chip",
                option: "--bandwidth-gbs"),
            Assumption(
                "weights", "\(Quantity.significant(weightBits)) bits", source: weightSource, option: "--weight-bits"),
            Assumption("cache", "\(Quantity.significant(cacheBits)) bits", source: "bf16", option: "--cache-bits"),
            Assumption(
                "other weights over", "\(Quantity.fixed(tensorParallel, 0)) devices",
                source: "routed experts are over all \(Quantity.fixed(count, 0))", option: "--tensor-parallel"),
            Assumption(
                "memory used", Quantity.percent(memoryShare), source: "the rest is for activations",
                option: "--memory-share"),
            Assumption(
                "request",
                "\(Quantity.fixed(prompt, 0)) in, \(Quantity.fixed(output, 0)) out, \(Quantity.percent(cachedShare)) cached",
                source: requestSource,
                option: "--prompt, --output, --cached"),
            Assumption(
                "context", Quantity.fixed(context, 0),
                source: context == Self.fleetContext ? "mean of DeepSeek's fleet, recalled [C]" : "the user",
                option: "--context"),
            Assumption(
                "stored prefixes", "\(Quantity.bytes(prefixRate))/s a device", source: "about a PCIe 4 link [D]",
                option: "--prefix-gbs"),
            Assumption(
                "load", Quantity.percent(load), source: "100 %: every device always busy", option: "--load"),
            Assumption(
                "experts", "chosen evenly", source: "coverage 1 − (1 − k/E)^n; real loads are less even",
                option: "--experts"),
            Assumption(
                "shape", shape.name, source: "\(shape.source) [\(shape.confidence.rawValue)]",
                option: "--model, --params"),
        ]
        if let processor {
            list.replaceSubrange(1...2, with: measured(processor))
        } else {
            list.insert(contentsOf: shares, at: 3)
        }
        if let price {
            list.append(
                Assumption("price", "\(Quantity.dollars(price)) an hour", source: priceSource, option: "--price"))
        }
        if let rival {
            list.append(
                Assumption(
                    "API price",
                    "\(rival.model): \(Quantity.dollars(rival.input ?? 0)) in, "
                        + "\(Quantity.dollars(rival.cachedInput ?? rival.input ?? 0)) cached, \(Quantity.dollars(rival.output)) out",
                    source: "\(rival.provider) \(rival.date): \(rival.source) [\(rival.confidence.rawValue)]",
                    option: "--api, --api-input, --api-cached, --api-output"))
        }
        return list
    }

    /// How much of the limits is reached.
    private var shares: [Assumption] {
        [
            Assumption(
                "bandwidth reached", Quantity.percent(bandwidthShare), source: bandwidthSource,
                option: "--bandwidth-share"),
            Assumption(
                "peak reached", Quantity.percent(computeShare), source: computeSource, option: "--compute-share"),
        ]
            + (weightRate.map {
                [
                    Assumption(
                        "weights opened", "\(Quantity.bytes($0))/s", source: "the user", option: "--weight-gbs")
                ]
            } ?? [])
    }

    /// What takes the place of shares where products were measured.
    private func measured(_ rates: ProcessorRates) -> [Assumption] {
        let types = storedParts.isEmpty ? [""] : storedParts.map(\.type)
        let used = types.map { rates.product(type: $0, bits: weightBits).type }
        return rates.products.filter { used.contains($0.type) }.map { product in
            Assumption(
                "products, \(product.type)",
                product.points.map {
                    "\(Quantity.trimmed(Quantity.significant($0.bytesPerSecond / 1e9)))"
                }.joined(separator: ", ") + " GB/s",
                source: "weights passed with "
                    + product.points.map { Quantity.fixed($0.rows, 0) }.joined(separator: ", ") + " tokens: "
                    + chip.source,
                option: "--chips, or --bandwidth-share and --compute-share for a roofline")
        } + [
            Assumption(
                "attention", Quantity.rate(rates.attention, "op/s"), source: chip.source, option: "--chips"),
            Assumption(
                "products and attention", "\(Quantity.percent(productShare)) of the time",
                source: "profiles of two models: 87 to 91 %", option: "--product-share"),
        ]
    }

    private var warnings: [String] {
        var warnings = chip.cautions
        if let caution = shape.confidence.caution { warnings.append("\(shape.name): \(caution)") }
        if let rival, let caution = rival.confidence.caution { warnings.append("\(rival.model): \(caution)") }
        if let batch, batch > largestBatch {
            warnings.append(
                "\(Quantity.fixed(batch, 0)) users do not fit; planned for \(Quantity.fixed(largestBatch, 0))")
        }
        if count > 1 {
            warnings.append("time on the network is only in the share of the bandwidth; see minke plan parallel")
        }
        return warnings
    }

    private func figures(_ step: Step) -> JSON.Object {
        func optional(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
        return [
            "model": .string(shape.name), "chip": .string(chip.id), "count": .number(count),
            "precision": .string(precision.rawValue), "weight_bytes": .number(weightBytes),
            "weight_bytes_per_device": .number(weightBytesPerDevice),
            "cache_bytes_per_token": .number(cacheBytesPerToken),
            "cache_kinds": .array(
                caches.map { ["kind": .string($0.name), "bytes_per_token": .number($0.values * cacheBits / 8)] }),
            "cache_capacity_tokens": .number(cacheCapacity), "context": .number(context),
            "largest_batch": .number(largestBatch), "batch": .number(usedBatch),
            "prefill_tokens_per_second": .number(promptRate),
            "decode_tokens_per_second": .number(step.tokensPerSecond),
            "decode_tokens_per_second_per_user": .number(step.tokensPerSecondPerUser),
            "decode": .array(
                batches.map { batch in
                    let step = self.step(batch: batch)
                    return [
                        "batch": .number(batch), "expert_coverage": .number(step.coverage),
                        "tokens_per_second": .number(step.tokensPerSecond),
                        "tokens_per_second_per_user": .number(step.tokensPerSecondPerUser),
                        "limit": .string(step.limit),
                    ]
                }),
            "price_per_hour": optional(price), "dollars_per_million_input": optional(ownPrice?.input),
            "dollars_per_million_cached": optional(ownPrice?.cachedInput),
            "dollars_per_million_output": optional(ownPrice?.output),
            "dollars_per_request": optional(ownPrice.map(dollarsPerRequest)),
            "api_dollars_per_request": optional(rival.map(dollarsPerRequest)),
            "break_even_load": optional(breakEvenLoad),
            "break_even_requests_per_day": optional(breakEvenRequestsPerDay),
        ]
    }

    private var plots: [PlanPlot] {
        var sizes = [1.0]
        while let last = sizes.last, last * 1.5 < largestBatch { sizes.append(last * 1.5) }
        sizes.append(max(1, largestBatch))
        let steps = sizes.map { step(batch: $0) }
        var plots = [
            PlanPlot(
                "Tokens a second by users at once", x: "users", y: "tokens/s",
                series: [
                    .init("all users", points: steps.map { ($0.batch, $0.tokensPerSecond) }),
                    .init("one user", points: steps.map { ($0.batch, $0.tokensPerSecondPerUser) }),
                ])
        ]
        if price != nil {
            plots.append(
                PlanPlot(
                    "Price of output by speed of a user", x: "tokens/s a user", y: "$ per million",
                    series: [
                        .init(
                            "own devices",
                            points: steps.map {
                                ($0.tokensPerSecondPerUser, dollarsPerMillion($0.tokensPerSecond) ?? .nan)
                            })
                    ]
                        + (rival.map { rival in
                            [.init(rival.model, points: steps.map { ($0.tokensPerSecondPerUser, rival.output) })]
                        } ?? [])))
        }
        return plots
    }
}
