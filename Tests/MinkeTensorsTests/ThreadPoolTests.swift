import Synchronization
import Testing

@testable import MinkeTensors

@Suite struct ThreadPoolTests {
    /// Every task of many tiny regions runs exactly once, while the number of threads changes.
    @Test func everyTaskRunsOnce() {
        let pool = ThreadPool(width: 1)
        defer { pool.resize(to: 1) }
        let counts = UnsafeMutablePointer<Int>.allocate(capacity: 64)
        defer { counts.deallocate() }
        for width in [1, 2, 5, 3, 1, 16] {
            pool.resize(to: width)
            #expect(pool.width == width)
            var wrong = 0
            for region in 0..<2_000 {
                let count = region % 64
                counts.initialize(repeating: 0, count: 64)
                pool.run(count) { counts[$0] += 1 }
                for task in 0..<64 where counts[task] != (task < count ? 1 : 0) { wrong += 1 }
            }
            #expect(wrong == 0)
        }
    }

    @Test func regionsInsideTasksRunToo() {
        let pool = ThreadPool(width: 3)
        defer { pool.resize(to: 1) }
        let total = Atomic<Int>(0)
        for _ in 0..<200 {
            pool.run(5) { outer in
                pool.run(4) { inner in
                    total.add(outer * 4 + inner, ordering: .relaxed)
                }
            }
        }
        #expect(total.load(ordering: .relaxed) == 200 * 190)
    }

    @Test func severalThreadsMayUseOnePool() async {
        let pool = ThreadPool(width: 3)
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let sum = Atomic<Int>(0)
                    for round in 0..<500 {
                        pool.run(10) { sum.add($0, ordering: .relaxed) }
                        if round % 100 == 99 { pool.resize(to: 1 + round / 100 % 3) }
                    }
                    return sum.load(ordering: .relaxed)
                }
            }
            for await sum in group { #expect(sum == 500 * 45) }
        }
        pool.resize(to: 1)
    }

    /// Workers that fell asleep are woken.
    @Test func sleepingWorkersWake() async throws {
        let pool = ThreadPool(width: 4)
        defer { pool.resize(to: 1) }
        for _ in 0..<5 {
            try await Task.sleep(for: .milliseconds(30))
            let total = Atomic<Int>(0)
            pool.run(1_000) { total.add($0, ordering: .relaxed) }
            #expect(total.load(ordering: .relaxed) == 499_500)
        }
    }

    @Test func widthsBelowOneMeanOne() {
        let pool = ThreadPool(width: -3)
        #expect(pool.width == 1)
        var order: [Int] = []
        pool.run(3) { order.append($0) }
        #expect(order == [0, 1, 2])
    }

    @Test func unknownInstructionSetsAreRefused() {
        let before = CPU.shared.instructionSet
        #expect(!CPU.shared.use(instructionSet: "vax"))
        #expect(CPU.shared.instructionSet == before)
        #expect(CPU.supportedInstructionSets.last == "portable")
        #expect(CPU.supportedInstructionSets.contains(before))
        #expect(CPU.coreCount >= 1)
    }
}
