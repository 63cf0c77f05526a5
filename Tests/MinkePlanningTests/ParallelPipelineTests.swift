import MinkeFiles
import Testing

@testable import MinkePlanning

struct ParallelPipelineTests {
    private static let sizes = [(2, 4), (4, 8), (4, 13), (8, 20), (8, 32), (16, 40)]

    private func plan(
        _ schedule: PipelineSchedule, _ ranks: Int, _ microBatches: Int, _ costs: PipelineCosts, chunks: Int = 2
    ) throws -> PipelinePlan {
        try PipelinePlan(schedule, ranks: ranks, microBatches: microBatches, chunksPerRank: chunks, costs: costs)
    }

    private func close(_ left: Double, _ right: Double) -> Bool { abs(left - right) < 1e-9 * max(1, abs(right)) }

    @Test func `1F1B and GPipe idle for (PP-1)(F+B), whatever the costs`() throws {
        for (ranks, microBatches) in Self.sizes + [(8, 3), (1, 5), (5, 1)] {
            for (forward, input, weight) in [(1.0, 1.0, 1.0), (2, 1, 0.25), (1, 3, 2)] {
                let costs = try PipelineCosts(forward: forward, inputGradient: input, weightGradient: weight)
                let expected = Double(ranks - 1) * (forward + input + weight)
                for schedule in [PipelineSchedule.gpipe, .oneForwardOneBackward] {
                    let plan = try plan(schedule, ranks, microBatches, costs)
                    #expect(plan.timeline.idle.allSatisfy { close($0, expected) })
                    #expect(plan.agrees && plan.caveat == nil)
                }
            }
        }
    }

    @Test func `Interleaving divides the bubble by the chunks`() throws {
        let costs = try PipelineCosts(forward: 1, inputGradient: 1.25, weightGradient: 0.5)
        for (ranks, microBatches, chunks) in [(4, 4, 2), (4, 12, 2), (4, 16, 3), (8, 32, 4), (1, 6, 2)] {
            let plan = try plan(.interleaved, ranks, microBatches, costs, chunks: chunks)
            let expected = Double(ranks - 1) * 2.75 / Double(chunks)
            #expect(plan.timeline.idle.allSatisfy { close($0, expected) }, "\(ranks) \(microBatches) \(chunks)")
            #expect(plan.agrees)
        }
    }

    @Test func `ZB1P idles for (PP-1)(F+B-2W) where W fits the gaps`() throws {
        for (ranks, microBatches) in Self.sizes {
            for (forward, input, weight) in [(1.0, 1.0, 1.0), (2, 1, 0.5), (1, 2.5, 0.75), (1, 1, 0)] {
                let costs = try PipelineCosts(forward: forward, inputGradient: input, weightGradient: weight)
                let plan = try plan(.zeroBubble, ranks, microBatches, costs)
                let expected = Double(ranks - 1) * (forward + (input + weight) - 2 * weight)
                #expect(plan.timeline.idle.allSatisfy { close($0, expected) })
                #expect(plan.agrees && plan.caveat == nil)
            }
        }
    }

    /// Where the published formula ends: W cannot fill more than a gap of F or B-W, and there must be enough of them.
    @Test func `ZB1P outside of its formula follows the gaps that W can fill`() throws {
        for (ranks, microBatches) in Self.sizes + [(8, 3), (4, 2), (8, 7)] {
            for (forward, input, weight) in [(1.0, 1.0, 1.3), (1, 2, 1.5), (3, 1, 2), (1, 0.5, 1), (1, 1, 0.5)] {
                let costs = try PipelineCosts(forward: forward, inputGradient: input, weightGradient: weight)
                let plan = try plan(.zeroBubble, ranks, microBatches, costs)
                let (longer, shorter) = (max(forward, input), min(forward, input))
                let expected =
                    Double(ranks - 1) * (longer + max(0, shorter - weight))
                    + Double(max(0, ranks - microBatches)) * min(weight, shorter)
                #expect(plan.timeline.idle.allSatisfy { close($0, expected) })
                #expect(plan.agrees == (plan.caveat == nil))
            }
        }
    }

    @Test func `DualPipe idles for (PP/2-1)(F&B+B-3W)`() throws {
        for (ranks, microBatches) in [(2, 4), (4, 8), (6, 14), (8, 16), (8, 20), (16, 40)] {
            for (chunk, weight, overlapped) in [(1.0, 1.0, 3.0), (1, 1, 2), (2, 0.5, 4), (2, 1.5, 5.5), (1, 0, 1.5)] {
                let costs = try PipelineCosts(
                    forward: chunk, inputGradient: chunk, weightGradient: weight, overlapped: overlapped)
                let plan = try plan(.dualPipe, ranks, microBatches, costs)
                let expected = (Double(ranks) / 2 - 1) * (overlapped + (chunk + weight) - 3 * weight)
                #expect(close(plan.bubble, expected), "\(ranks) \(microBatches) \(costs)")
                // Ranks differ only by how many chunks they overlap.
                if overlapped == 2 * chunk + weight {
                    #expect(plan.timeline.idle.allSatisfy { close($0, expected) })
                    #expect(plan.caveat == nil)
                } else if ranks > 4 {
                    #expect(plan.bubbleRange.lowerBound < plan.bubbleRange.upperBound)
                }
            }
        }
    }

    @Test func `Where a formula misses, the plan says why`() throws {
        for (forward, input, weight, overlapped) in [
            (1.0, 1.5, 0.5, 3.0), (1, 1, 1.5, 3.5), (1, 1, 1, 1.8), (1, 0.8, 0.5, 2.3),
        ] {
            let costs = try PipelineCosts(
                forward: forward, inputGradient: input, weightGradient: weight, overlapped: overlapped)
            let plan = try plan(.dualPipe, 8, 20, costs)
            #expect(!plan.agrees)
            #expect(plan.caveat != nil)
        }
        let slow = try PipelineCosts(forward: 1, inputGradient: 1, weightGradient: 1, transfer: 0.25)
        for schedule in PipelineSchedule.allCases {
            let plan = try plan(schedule, 8, 24, slow)
            #expect(plan.bubble > plan.publishedBubble, "\(schedule)")
            #expect(plan.caveat != nil)
        }
    }

    @Test func `GPipe waits for a transfer at every step of the ramps`() throws {
        let costs = try PipelineCosts(forward: 1, inputGradient: 1, weightGradient: 1, transfer: 0.5)
        let plan = try plan(.gpipe, 6, 10, costs)
        #expect(close(plan.bubble, 5 * 3 + 2 * 5 * 0.5))
    }

    @Test func `Activations and parameters are those published`() throws {
        let costs = try PipelineCosts(forward: 1, inputGradient: 1, weightGradient: 1)
        for (ranks, microBatches) in [(4, 8), (8, 20), (16, 40)] {
            let simple = try plan(.oneForwardOneBackward, ranks, microBatches, costs)
            #expect(simple.timeline.peakActivations == (0..<ranks).map { ranks - $0 })
            let zeroBubble = try plan(.zeroBubble, ranks, microBatches, costs)
            #expect(zeroBubble.timeline.peakActivations == Array(repeating: ranks, count: ranks))
            let dual = try plan(.dualPipe, ranks, microBatches, costs)
            #expect(dual.timeline.peakActivations == Array(repeating: ranks + 1, count: ranks))
            let all = try plan(.gpipe, ranks, microBatches, costs)
            #expect(all.timeline.peakActivations == Array(repeating: microBatches, count: ranks))
            for plan in [simple, zeroBubble, dual, all] {
                #expect(
                    Int(plan.peakActivations)
                        == plan.schedule.publishedActivations(ranks: ranks, microBatches: microBatches))
            }
        }
        #expect(PipelineSchedule.allCases.map(\.parameterCopies) == [1, 1, 1, 1, 2])
        // The first rank's warm-up, 2(PP-1) + (V-1)PP chunks, and one more.
        #expect(try plan(.interleaved, 4, 16, costs, chunks: 3).timeline.peakActivations[0] == 2 * 3 + 2 * 4 + 1)
    }

    @Test func `Every schedule does each pass of each micro-batch once at each stage`() throws {
        for schedule in PipelineSchedule.allCases {
            let program = try PipelineProgram(schedule, ranks: 6, microBatches: 24, chunksPerRank: 2)
            let chunks = program.ranks.joined().flatMap { [$0.chunk, $0.partner].compactMap(\.self) }
            func count(_ passes: [PipelineProgram.Chunk.Pass]) -> (all: Int, distinct: Int) {
                let places = chunks.filter { passes.contains($0.pass) }.map { $0.microBatch * 1000 + $0.stage }
                return (places.count, Set(places).count)
            }
            let expected = (all: 24 * program.stages, distinct: 24 * program.stages)
            #expect(count([.forward]) == expected)
            #expect(count([.backward, .inputGradient]) == expected)
            #expect(count([.backward, .weightGradient]) == expected)
        }
    }

    @Test func `Programs that wait for themselves are refused`() throws {
        typealias Operation = PipelineProgram.Operation
        let costs = try PipelineCosts(forward: 1, inputGradient: 1, weightGradient: 1)
        let backwardFirst = PipelineProgram(
            stages: 1, microBatches: 1,
            ranks: [
                [
                    Operation(.init(.backward, microBatch: 0, stage: 0)),
                    Operation(.init(.forward, microBatch: 0, stage: 0)),
                ]
            ])
        #expect(throws: InputError.self) { try PipelineTimeline(backwardFirst, costs: costs) }
        let outside = PipelineProgram(
            stages: 1, microBatches: 1, ranks: [[Operation(.init(.forward, microBatch: 0, stage: 1))]])
        #expect(throws: InputError.self) { try PipelineTimeline(outside, costs: costs) }
        let twice = PipelineProgram(
            stages: 1, microBatches: 1,
            ranks: [Array(repeating: Operation(.init(.forward, microBatch: 0, stage: 0)), count: 2)])
        #expect(throws: InputError.self) { try PipelineTimeline(twice, costs: costs) }
    }

    @Test func `Counts and costs that make no sense are refused`() {
        #expect(throws: InputError.self) { try PipelineProgram(.gpipe, ranks: 0, microBatches: 4) }
        #expect(throws: InputError.self) { try PipelineProgram(.gpipe, ranks: 257, microBatches: 4) }
        #expect(throws: InputError.self) { try PipelineProgram(.gpipe, ranks: 256, microBatches: 4096) }
        #expect(throws: InputError.self) { try PipelineProgram(.gpipe, ranks: 4, microBatches: .max) }
        #expect(throws: InputError.self) { try PipelineProgram(.dualPipe, ranks: 5, microBatches: 20) }
        #expect(throws: InputError.self) { try PipelineProgram(.dualPipe, ranks: 8, microBatches: 14) }
        #expect(throws: InputError.self) { try PipelineProgram(.dualPipe, ranks: 8, microBatches: 21) }
        #expect(throws: InputError.self) { try PipelineProgram(.interleaved, ranks: 4, microBatches: 6) }
        #expect(throws: InputError.self) {
            try PipelineProgram(.interleaved, ranks: 4, microBatches: 8, chunksPerRank: 0)
        }
        for time in [0, -1, .nan, .infinity] {
            #expect(throws: InputError.self) {
                try PipelineCosts(forward: time, inputGradient: 1, weightGradient: 1)
            }
        }
        #expect(throws: InputError.self) {
            try PipelineCosts(forward: 1, inputGradient: 1, weightGradient: 1, transfer: -1)
        }
    }

    @Test func `The drawing shows every operation and says what it is`() throws {
        let costs = try PipelineCosts(forward: 1, inputGradient: 1, weightGradient: 1)
        let plans = try [PipelineSchedule.zeroBubble, .dualPipe].map { try plan($0, 4, 8, costs) }
        let svg = try PipelineDrawing(plans).svg()
        let operations = plans.reduce(0) { $0 + $1.timeline.ranks.joined().count }
        #expect(svg.split(separator: "<title>rank ").count - 1 == operations)
        #expect(svg.contains("prefers-color-scheme:dark"))
        #expect(svg.contains("rank 3: forward of micro-batch 4 at stage 0, 0 to 1<"))
        let large = try plan(.gpipe, 64, 256, costs)
        #expect(throws: InputError.self) { try PipelineDrawing([large]).svg() }
    }
}
