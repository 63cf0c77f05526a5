import MinkeFiles
import MinkePlanning
import Testing

@Suite struct FactTests {
    @Test func everyFactHasASource() {
        #expect(Chip.known.count >= 24 && TrainingRun.published.count >= 27 && TokenPrice.published.count >= 40)
        #expect(
            Chip.known.allSatisfy {
                !$0.source.isEmpty && ($0.rent.map { !$0.date.isEmpty && !$0.source.isEmpty } ?? true)
            })
        #expect(TrainingRun.published.allSatisfy { !$0.source.isEmpty })
        #expect(TokenPrice.published.allSatisfy { !$0.source.isEmpty && !$0.date.isEmpty })
        #expect(ModelShape.known.allSatisfy { !$0.shape.source.isEmpty })
        #expect(Set(Chip.known.map(\.id)).count == Chip.known.count)
    }

    @Test func chipsByName() throws {
        let catalog = ChipCatalog()
        #expect(try catalog.chip(named: "H100").id == "h100-sxm")
        #expect(try catalog.chip(named: "a100").id == "a100-80-sxm")
        #expect(throws: InputError.self) { try catalog.chip(named: "") }
        #expect(throws: InputError.self) { try catalog.chip(named: "h1") }
    }

    @Test func weakChipsAreWarnedOf() throws {
        #expect(try !ChipCatalog().chip(named: "ascend910b").cautions.isEmpty)
        #expect(try ChipCatalog().chip(named: "h100").cautions.isEmpty)
    }

    @Test func peaksThatAChipLacksAreNotMadeUp() throws {
        let a100 = try ChipCatalog().chip(named: "a100")
        #expect(throws: InputError.self) { try a100.peak(.fp8) }
        let v100 = try ChipCatalog().chip(named: "v100-sxm2-32").peak(.bf16)
        #expect(v100.type == "fp16" && v100.operations == 125e12)
    }

    @Test func chipsOfAFileComeFirst() throws {
        let file = try TemporaryFile(
            #"[{"id": "h100-sxm", "bf16_tflops": 500, "price": 1.25}, {"id": "x", "tdp": 10}]"#)
        let catalog = try ChipCatalog(path: file.path)
        let chip = try catalog.chip(named: "h100-sxm")
        #expect(chip.bfloat16 == 500 && chip.rent?.typical == 1.25 && chip.float8 == nil)
        #expect(try catalog.chip(named: "x").tdpWatts == 10)
        let single = try TemporaryFile(#"{"id": "y", "bandwidth_gbs": 12.5}"#)
        #expect(try ChipCatalog(path: single.path).chip(named: "y").bandwidthGBs == 12.5)
    }

    @Test(arguments: [
        "", "3", "[3]", "[{}]", #"[{"id": "x", "bf16": 3}]"#, #"[{"id": "x", "tdp": -1}]"#,
        #"[{"id": "x", "tdp": "many"}]"#, #"[{"id": "x", "achievable": 2}]"#,
    ])
    func brokenChipFilesAreRefused(text: String) throws {
        let file = try TemporaryFile(text)
        #expect(throws: InputError.self) { try ChipCatalog(path: file.path) }
    }

    @Test func publishedFiguresAreReproduced() throws {
        let checks = try PublishedCheck.all()
        #expect(checks.count >= 10)
        for check in checks { #expect(check.deviation.magnitude < 0.005, "\(check.name)") }
    }
}

@Suite struct QuantityTests {
    @Test func readsWhatPeopleWrite() {
        #expect(Quantity.parse("14.8T") == 14.8e12)
        #expect(Quantity.parse("671b") == 671e9)
        #expect(Quantity.parse("2048") == 2048)
        #expect(Quantity.parse("1e12") == 1e12)
        for wrong in ["", "T", "nan", "inf", "0x10", "1e999", "1.2.3", "three", "1 T"] {
            #expect(Quantity.parse(wrong) == nil, "\(wrong)")
        }
    }

    @Test func writesWhatPeopleRead() {
        #expect(Quantity.count(36_623_000_000) == "36.62B")
        #expect(Quantity.count(3.7068e24) == "3.707e24")
        #expect(Quantity.fixed(1_234_567.891, 1) == "1,234,567.9")
        #expect(Quantity.fixed(-0.04, 1) == "0.0")
        #expect(Quantity.dollars(5_323_220.4) == "$5,323,220")
        #expect(Quantity.dollars(0.0042) == "$0.00420")
        #expect(Quantity.bytes(70_272) == "70.27 kB")
        #expect(Quantity.duration(0.0067) == "6.70 ms")
        #expect(Quantity.count(.nan) == "–" && Quantity.fixed(.infinity, 2) == "–" && Quantity.count(0) == "0")
    }
}
