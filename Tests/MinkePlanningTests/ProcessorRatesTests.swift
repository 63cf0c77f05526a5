import MinkeFiles
import MinkePlanning
import Testing

/// What was measured of a processor, and plans with it.
@Suite struct ProcessorRatesTests {
    func rates(attention: Double = 50e9) throws -> ProcessorRates {
        func product(_ type: String, _ bits: Double, _ gbs: Double...) throws -> ProcessorRates.Product {
            try #require(
                ProcessorRates.Product(
                    type: type, bits: bits,
                    points: zip([1, 8, 64], gbs).map { .init(rows: $0, bytesPerSecond: $1 * 1e9) }))
        }
        return try #require(
            try ProcessorRates(
                products: [product("Q4_K", 4.5, 8, 4, 1), product("Q8_0", 8.5, 16, 10, 4)], attention: attention))
    }

    @Test func betweenAndBeyondWhatWasMeasured() throws {
        let product = try rates().products[0]
        #expect(product.secondsPerByte(rows: 1) == 1 / 8e9)
        #expect(product.secondsPerByte(rows: 0.2) == 1 / 8e9, "a matrix is passed whole")
        #expect((product.secondsPerByte(rows: 4.5) / ((1 / 8e9 + 1 / 4e9) / 2) - 1).magnitude < 1e-12)
        // From 8 to 64 rows a byte takes 0.75 ns more; 56 rows on, as much again.
        #expect((product.secondsPerByte(rows: 120) / 1.75e-9 - 1).magnitude < 1e-12)
    }

    @Test func typesThatWereNotMeasuredAreLikeTheNearest() throws {
        let rates = try rates()
        #expect(rates.product(type: "Q8_0", bits: 4).type == "Q8_0")
        #expect(rates.product(type: "Q5_0", bits: 5.5).type == "Q4_K")
        #expect(rates.product(type: nil, bits: 16).type == "Q8_0")
    }

    @Test func nothingIsMadeOfTooLittle() {
        #expect(ProcessorRates.Product(type: "x", bits: 4, points: [.init(rows: 1, bytesPerSecond: 1)]) == nil)
        let zero = [(1.0, 1.0), (2, 0)].map { ProcessorRates.Product.Point(rows: $0, bytesPerSecond: $1) }
        #expect(ProcessorRates.Product(type: "x", bits: 4, points: zero) == nil)
        #expect(ProcessorRates(products: [], attention: 1) == nil)
    }

    @Test func aChipsFileKeepsThem() throws {
        let rates = try rates()
        var object = rates.json
        object["id"] = "this"
        object["memory_gb"] = 16
        object["bandwidth_gbs"] = 30
        object["fp32_tflops"] = 0.2
        let file = try TemporaryFile(JSON.object(object).text())
        let read = try #require(try ChipCatalog(path: file.path).chip(named: "this").rates)
        #expect(Set(read.products.map(\.type)) == ["Q4_K", "Q8_0"])
        #expect((read.attention / rates.attention - 1).magnitude < 1e-12)
    }

    @Test(arguments: [
        #""products": 3"#, #""products": {}, "attention_tflops": 1"#, #""products": {"x": 3}, "attention_tflops": 1"#,
        #""products": {"x": {"bits": 4, "rows": [1, 2], "gbs": [1]}}, "attention_tflops": 1"#,
        #""products": {"x": {"bits": 4, "rows": [1, 2], "gbs": [1, -1]}}, "attention_tflops": 1"#,
        #""products": {"x": {"bits": 4, "rows": [1, 2], "gbs": [1, 1]}}"#,
    ])
    func brokenRatesAreRefused(text: String) throws {
        let file = try TemporaryFile(#"{"id": "this", \#(text)}"#)
        #expect(throws: InputError.self) { try ChipCatalog(path: file.path) }
    }

    func plan(_ parts: [StoredPart] = []) throws -> ServingPlan {
        var chip = Chip(id: "this", name: "this", memoryGB: 25, bandwidthGBs: 30, float32: 0.2, source: "test")
        chip.rates = try rates()
        var plan = try ServingPlan(#require(ModelShape.named("deepseek-v2-lite")), chip: chip)
        plan.weightBits = 4.5
        plan.storedParts = parts
        return plan
    }

    /// A step is every part's bytes at the rate of its type, then attention.
    @Test func aStepIsItsPartsOneAfterTheOther() throws {
        var plan = try plan([
            StoredPart(type: "Q4_K", bytes: 6.4e9, use: .experts), StoredPart(type: "Q8_0", bytes: 1.6e9, use: .others),
        ])
        plan.context = 1000
        plan.productShare = 0.8
        // Six of 64 experts, then all others; 27 layers of 16 heads over 1000 latents.
        let multiplications: Double = 27 * 1000 * 16 * (2 * 512 + 64)
        let experts: Double = 6.4e9 * 6 / 64 / 8e9
        let expected = (experts + 0.1 + 2 * multiplications / 50e9) / 0.8
        #expect((plan.step(batch: 1).seconds / expected - 1).magnitude < 1e-9)
        #expect(plan.step(batch: 1).limit == "products")
        plan.context = 100_000
        #expect(plan.step(batch: 1).limit == "attention")
    }

    /// Four tokens that each choose three of four experts: an expert gets 1 to 4 of them by the binomial distribution.
    @Test func expertsGetUnequalNumbersOfTokens() throws {
        var plan = try plan([StoredPart(type: "Q4_K", bytes: 4e9, use: .experts)])
        plan.productShare = 1
        plan.context = 1e-9
        plan.shape.experts = ModelShape.Experts(routed: 4, shared: 0, perToken: 3, width: 1)
        let product = try rates().products[0]
        let chances = [1: 12.0, 2: 54, 3: 108, 4: 81].mapValues { $0 / 256 }
        let expected = chances.reduce(0) { $0 + 4e9 * $1.value * product.secondsPerByte(rows: Double($1.key)) }
        #expect((plan.step(batch: 4).seconds / expected - 1).magnitude < 1e-8)
    }

    @Test func moreUsersShareTheWeights() throws {
        let plan = try plan()
        let (one, eight) = (plan.step(batch: 1), plan.step(batch: 8))
        #expect(eight.tokensPerSecond > one.tokensPerSecond && eight.tokensPerSecond < 8 * one.tokensPerSecond)
    }

    @Test func longerPromptsAreNotFasterThanTheirAttention() throws {
        var plan = try plan()
        plan.prompt = 512
        let short = plan.promptRate
        plan.prompt = 32_768
        #expect(short > plan.promptRate && plan.promptRate > 0)
    }
}
