import Testing

@testable import MinkeTraining

@Suite struct SVGPlotTests {
    private func ticks(
        _ low: Double, _ high: Double, _ unit: PlotAxis.Unit, scale: PlotAxis.Scale = .linear, isRounded: Bool = true
    ) -> [String]? {
        PlotAxis([low, high], label: "", unit: unit, scale: scale, isRounded: isRounded)?.ticks.map(\.text)
    }

    @Test func ticksAreNiceNumbers() {
        #expect([0.011, 1, 1.2, 3, 4, 7, 83].map(PlotAxis.niceStep) == [0.02, 1, 2, 5, 5, 10, 100])
        #expect(ticks(2.1, 4.9, .plain) == ["2", "3", "4", "5"])
        #expect(ticks(3.02, 3.21, .plain) == ["3.00", "3.05", "3.10", "3.15", "3.20", "3.25"])
        #expect(ticks(0, 12_300_000, .count, isRounded: false) == ["0", "2M", "4M", "6M", "8M", "10M", "12M"])
        #expect(ticks(0, 2_400, .count) == ["0", "0.5k", "1k", "1.5k", "2k", "2.5k"])
        #expect(ticks(0, 3_000, .seconds) == ["0", "10", "20", "30", "40", "50"])
        #expect(ticks(1e3, 1e6, .count, scale: .logarithmic) == ["1k", "10k", "100k", "1M"])
        #expect(ticks(1e14, 9e14, .flops, scale: .logarithmic) == ["100T", "200T", "500T"])
        #expect(ticks(5, 5, .plain)?.isEmpty == false)
        #expect(ticks(-1, 0, .plain, scale: .logarithmic) == nil)
        #expect(ticks(.nan, .infinity, .plain) == nil)
    }

    @Test func timeAxisNamesItsUnit() {
        #expect(PlotAxis([0, 100], label: "CPU time", unit: .seconds)?.label == "CPU time (s)")
        #expect(PlotAxis([0, 7_000], label: "CPU time", unit: .seconds)?.label == "CPU time (min)")
        #expect(PlotAxis([0, 70_000], label: "CPU time", unit: .seconds)?.label == "CPU time (h)")
    }

    @Test func positionsRunFromZeroToOne() throws {
        let linear = try #require(PlotAxis([2, 6], label: "", unit: .plain))
        #expect(linear.position(2) == 0 && linear.position(5) == 0.75 && linear.position(6) == 1)
        let decades = try #require(PlotAxis([1, 10_000], label: "", unit: .plain, scale: .logarithmic))
        #expect(abs(decades.position(100) - 0.5) < 1e-12)
    }

    @Test func thinningKeepsSpikesAndEnds() {
        var points = (0..<10_000).map { SVGPlot.Point(x: Double($0), y: 1) }
        points[5_003].y = 9
        points[7_001].y = -9
        let thinned = SVGPlot.thinned(points, limit: 100)
        #expect(thinned.count <= 100)
        #expect(thinned.contains(points[5_003]) && thinned.contains(points[7_001]))
        #expect(thinned.first == points.first && thinned.last == points.last)
        #expect(zip(thinned, thinned.dropFirst()).allSatisfy { $0.x <= $1.x })
    }

    @Test func movingMeanKeepsStraightLines() {
        let line = (0..<200).map { SVGPlot.Point(x: Double($0), y: 2 * Double($0)) }
        #expect(zip(SVGPlot.smoothed(line), line).allSatisfy { abs($0.y - $1.y) < 1e-9 })
        #expect(SVGPlot.smoothed([]).isEmpty)
    }

    @Test func loadsAreRelativeToTheirMean() {
        #expect(HeatMap.columns([[1, 3]]) == [[0.5, 1.5]])
        #expect(HeatMap.columns([[1, 3], [3, 1]], limit: 1) == [[1, 1]])
        #expect(HeatMap.columns([[.nan, 2, -1]]) == [[0, 3, 0]])
        #expect(HeatMap.columns((0..<500).map { _ in [1, 1] }).count == 52)
        #expect(HeatMap.columns([]).isEmpty)
    }
}
