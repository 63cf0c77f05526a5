import MinkeFiles
import Testing

@testable import MinkeTraining

@Suite struct ResourceMeterTests {
    @Test func timeAndMemoryGrow() {
        var meter = ResourceMeter(wattsPerCore: 10, counter: nil)
        let start = meter.read()
        var state: UInt64 = 1
        for _ in 0..<200_000 { state = state &* 6_364_136_223_846_793_005 &+ 1 }
        let used = meter.read() - start
        #expect(state != 0)
        #expect(used.cpuSeconds >= 0 && used.wallSeconds >= 0)
        #expect(abs(used.joules - 10 * used.cpuSeconds) < 1e-6)
        #expect(meter.joulesSource == "estimate: 10 W per busy core")
        let peak = ResourceMeter.peakMemoryBytes()
        #expect(peak > 1_000_000)
        if let resident = ResourceMeter.residentMemoryBytes() { #expect(resident > 1_000_000) }
    }

    @Test func energyCountersAreSummedAndWrap() throws {
        let folder = try TemporaryFolder()
        // A package with cores inside it and memory beside it, and a platform zone that counts the package again.
        for (zone, name, energy) in [
            ("intel-rapl:0", "package-0", 900_000), ("intel-rapl:0:0", "core", 5), ("intel-rapl:0:1", "dram", 100_000),
            ("intel-rapl:1", "psys", 7),
        ] {
            try folder.write("\(name)\n", to: "\(zone)/name")
            try folder.write("\(energy)\n", to: "\(zone)/energy_uj")
            try folder.write("1000000\n", to: "\(zone)/max_energy_range_uj")
        }
        let counter = try #require(EnergyCounter(root: folder.path))
        var meter = ResourceMeter(wattsPerCore: 10, counter: counter)
        #expect(meter.joulesSource == "rapl")
        #expect(meter.read().joules == 0)
        try folder.write("400000\n", to: "intel-rapl:0/energy_uj")
        try folder.write("300000\n", to: "intel-rapl:0:1/energy_uj")
        try folder.write("999999\n", to: "intel-rapl:1/energy_uj")
        #expect(abs(meter.read().joules - 0.7) < 1e-9)
        #expect(EnergyCounter(root: folder.path + "/nothing") == nil)
    }

    @Test func countersThatResetDoNotOverflow() {
        #expect(EnergyCounter.difference(from: 5, to: 9, range: 10) == 4)
        #expect(EnergyCounter.difference(from: 9, to: 2, range: 10) == 3)
        #expect(EnergyCounter.difference(from: 90, to: 2, range: 10) == 2)
    }

    @Test func prices() throws {
        #expect(try Price(parsing: "0.04") == Price(dollarsPerHour: 0.04, per: .coreHour))
        #expect(try Price(parsing: "$1.2/machine-hour") == Price(dollarsPerHour: 1.2, per: .machineHour))
        for text in ["", "free", "-1", "nan", "inf", "1/day", "1/"] {
            #expect(throws: InputError.self) { try Price(parsing: text) }
        }
        #expect(abs(Price.standard.dollars(cpuSeconds: 7200, wallSeconds: 3600) - 0.08) < 1e-12)
        #expect(try Price(parsing: "2/machine-hour").dollars(cpuSeconds: 7200, wallSeconds: 1800) == 1)
        #expect(Price.standard.assumption == "assuming $0.04 per core-hour (default)")
    }

    @Test func costKeepsItsKeysAndComesBack() throws {
        let cost = Cost(
            cpuSeconds: 12.5, evaluationCPUSeconds: 1, wallSeconds: 7, flops: 3e12, tokens: 4096,
            peakMemoryBytes: 1 << 30, joules: 100, joulesSource: "rapl", dollars: 0.01)
        #expect(
            cost.json.objectValue?.keys == [
                "cpu_seconds", "evaluation_cpu_seconds", "wall_seconds", "flops", "tokens", "peak_memory_bytes",
                "joules", "joules_source", "dollars",
            ])
        #expect(try Cost(json: JSON(parsing: cost.json.text())) == cost)
        #expect(throws: InputError.self) { try Cost(json: ["cpu_seconds": 1]) }
        #expect(throws: InputError.self) { try Cost(json: [1, 2]) }

        let both = cost + Cost(tokens: .max, peakMemoryBytes: 5, joulesSource: "estimate: 8 W per busy core")
        #expect(both.tokens == .max && both.peakMemoryBytes == 1 << 30)
        #expect(both.joulesSource == "rapl + estimate: 8 W per busy core")
    }

    @Test func costTableSaysWhatIsAssumed() {
        let table = CostTable(
            [
                ("dense", Cost(cpuSeconds: 65, joulesSource: "estimate: 8 W per busy core", dollars: 0.5)),
                ("sparse", Cost()),
            ],
            price: .standard)
        #expect(table.names == ["dense", "sparse"])
        #expect(table.rows.first?.values == ["1m 05s", "0s"])
        #expect(table.text.contains("$0.50"))
        #expect(table.text.contains("assuming $0.04 per core-hour (default)"))
        #expect(table.text.contains("estimate: 8 W per busy core"))
        #expect(CostTable([], price: .standard).rows.allSatisfy { $0.values.isEmpty })
    }
}
