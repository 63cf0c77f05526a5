import MinkeTraining
import Testing

@Suite struct HumanFormatTests {
    @Test(arguments: [
        (0.0, 2, "0.00"), (-0.001, 2, "0.00"), (1.005, 1, "1.0"), (2.5, 0, "3"), (-2.5, 0, "-3"), (0.05, 3, "0.050"),
        (123.456, 2, "123.46"), (9.999, 2, "10.00"), (1e20, 2, "1e+20"), (.nan, 2, "–"), (-.infinity, 0, "–"),
    ]) func fixed(value: Double, decimals: Int, text: String) {
        #expect(HumanFormat.fixed(value, decimals) == text)
    }

    @Test(arguments: [
        (0.0, "0"), (0.000_421_9, "0.00042"), (3.14159, "3.1"), (31.4159, "31"), (3141.0, "3141"), (.nan, "–"),
        (1e-300, "0.000000000000000"),
    ]) func significant(value: Double, text: String) {
        #expect(HumanFormat.significant(value, 2) == text)
    }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567"), (.min, "-9,223,372,036,854,775,808"),
    ]) func grouped(value: Int, text: String) {
        #expect(HumanFormat.grouped(value) == text)
    }

    @Test(arguments: [
        (0.0, "0s"), (0.0042, "4.2ms"), (0.35, "350ms"), (0.9996, "1.0s"), (4.2, "4.2s"), (9.97, "10s"),
        (59.7, "1m 00s"),
        (65, "1m 05s"), (3_600, "1h 00m"), (11_220, "3h 07m"), (187_200, "2d 04h"), (-3, "0s"), (.infinity, "–"),
    ]) func duration(seconds: Double, text: String) {
        #expect(HumanFormat.duration(seconds) == text)
    }

    @Test func sizesAndCounts() {
        #expect(HumanFormat.bytes(0) == "0 B")
        #expect(HumanFormat.bytes(999) == "999 B")
        #expect(HumanFormat.bytes(1_234_000_000) == "1.2 GB")
        #expect(HumanFormat.bytes(999_960) == "1.0 MB")
        #expect(HumanFormat.count(950) == "950")
        #expect(HumanFormat.count(12_300_000) == "12.3M")
        #expect(HumanFormat.count(123_400) == "123k")
        #expect(HumanFormat.count(0.5) == "0.5")
        #expect(HumanFormat.flops(3.2e15) == "3.2 PFLOP")
        #expect(HumanFormat.joules(1_500) == "1.5 kJ")
        #expect(HumanFormat.rate(12_300, "tok/s") == "12.3k tok/s")
        #expect(HumanFormat.percent(0.38) == "38%")
        #expect(HumanFormat.percent(0.042) == "4.2%")
        #expect(HumanFormat.count(.nan) == "–")
    }

    @Test(arguments: [
        (0.0, "$0"), (1e-9, "<$0.000001"), (0.0004, "$0.0004"), (0.043, "$0.043"), (0.5, "$0.50"), (1.234, "$1.23"),
        (999.99, "$999.99"), (999.996, "$1,000"), (1_234_567, "$1,234,567"), (-2, "-$2.00"), (.nan, "–"),
    ]) func dollars(amount: Double, text: String) {
        #expect(HumanFormat.dollars(amount) == text)
    }
}
