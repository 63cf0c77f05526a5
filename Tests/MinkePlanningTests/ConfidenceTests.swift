import MinkePlanning
import Testing

@Suite struct ConfidenceTests {
    @Test func weakFiguresCarryACaution() {
        #expect(Confidence.a < .d)
        #expect(Confidence.allCases.filter { $0.caution != nil } == [.c, .d])
    }
}
