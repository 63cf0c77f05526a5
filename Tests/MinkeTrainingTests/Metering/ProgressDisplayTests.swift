import Synchronization
import Testing

@testable import MinkeTraining

@Suite struct ProgressDisplayTests {
    private final class Screen: Sendable {
        let output = Mutex("")
        let seconds = Mutex(0.0)
        var text: String { output.withLock { $0 } }

        func display(_ style: ProgressDisplay.Style, width: Int = 80) -> ProgressDisplay {
            ProgressDisplay(
                style: style, put: { text in self.output.withLock { $0 += text } },
                clock: { self.seconds.withLock { $0 } }, width: { width })
        }

        func wait(_ time: Double) { seconds.withLock { $0 += time } }
    }

    private let progress = RunProgress(
        step: 1200, totalSteps: 5000, loss: 3.2144, bitsPerByte: 1.4321, tokensPerSecond: 12_300,
        flopsPerSecond: 45.2e9,
        peakFlopsPerSecond: 119e9, memoryBytes: 1_200_000_000, remainingSeconds: 65, dollars: 0.0004)

    @Test func saysEverythingWhereThereIsRoom() {
        #expect(
            progress.text
                == "1,200/5,000  loss 3.214  1.432 bits/byte  12.3k tok/s  45.2 GFLOP/s (38% of peak)  1.2 GB  ETA 1m 05s  $0.0004"
        )
        #expect(progress.line(width: 200).hasPrefix("[#####...................] 1,200/5,000  loss"))
    }

    @Test func keepsToTheWidth() {
        for width in 0..<150 { #expect(progress.line(width: width).count <= width) }
        #expect(progress.line(width: 24) == "1,200/5,000  loss 3.214")
        #expect(RunProgress(step: 3, totalSteps: 0).line(width: 40) == "3/0")
        #expect(RunProgress(step: 9, totalSteps: 3).line(width: 14) == "[########] 9/3")
    }

    @Test func terminalLineIsRedrawnAroundMessages() {
        let screen = Screen()
        let display = screen.display(.terminal, width: 21)
        display.message("before")
        display.update(RunProgress(step: 1, totalSteps: 9))
        display.update(RunProgress(step: 2, totalSteps: 9))
        display.message("saved")
        display.finish()
        let erase = "\r\u{1B}[K"
        #expect(
            screen.text == "\(erase)before\n\(erase)[#.............] 1/9\(erase)saved\n\(erase)[###...........] 2/9"
                + "\(erase)[###...........] 2/9\n")
    }

    @Test func plainLinesAreFew() {
        let screen = Screen()
        let display = screen.display(.plain(every: 10))
        for step in 1...30 {
            display.update(RunProgress(step: step, totalSteps: 30))
            screen.wait(1)
        }
        display.finish()
        #expect(screen.text == "1/30\n11/30  ETA 19s\n21/30  ETA 9.0s\n30/30  ETA 0s\n")
    }

    @Test func quietIsQuiet() {
        let screen = Screen()
        let display = screen.display(.quiet)
        display.update(progress)
        display.message("hello")
        display.finish()
        #expect(screen.text.isEmpty)
    }
}
