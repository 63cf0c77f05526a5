import MinkeFiles
import MinkeTraining
import Testing

@Suite struct MetricsLogTests {
    private func steps(_ path: String) throws -> [Int?] { try MetricsLog.read(path: path).map { $0["step"]?.intValue } }

    @Test func appendsAndReadsBack() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        let log = try MetricsLog(path: path)
        try log.append(["step": 1, "loss": 2.5, "text": "a\nb"])
        try MetricsLog(path: path).append(["step": 2, "loss": .number(.nan)])
        #expect(
            try folder.read("metrics.jsonl")
                == "{\"step\":1,\"loss\":2.5,\"text\":\"a\\nb\"}\n{\"step\":2,\"loss\":null}\n")
        #expect(try steps(path) == [1, 2])
    }

    @Test func resumingRepeatsNoStep() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        try MetricsLog.truncate(path: path, throughStep: 3)
        let log = try MetricsLog(path: path)
        try log.append(["event": "start"])
        for step in 1...5 { try log.append(["step": .integer(step)]) }
        try MetricsLog.truncate(path: path, throughStep: 3)
        try log.append(["step": 4])
        #expect(try steps(path) == [nil, 1, 2, 3, 4])
        try MetricsLog.truncate(path: path, throughStep: 0)
        #expect(try steps(path) == [nil])
    }

    @Test func lastLineCutShortIsDropped() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        try folder.write("{\"step\":1}\n{\"step\":2,\"lo", to: "metrics.jsonl")
        #expect(try steps(path) == [1])
        try MetricsLog.truncate(path: path, throughStep: 9)
        #expect(try folder.read("metrics.jsonl") == "{\"step\":1}\n")
    }

    @Test func damageIsNamed() throws {
        let folder = try TemporaryFolder()
        try folder.write("{\"step\":1}\n7\n", to: "metrics.jsonl")
        let error = #expect(throws: InputError.self) { try MetricsLog.read(path: folder.path + "/metrics.jsonl") }
        #expect(error?.location?.hasSuffix("metrics.jsonl: line 2") == true)
        #expect(throws: InputError.self) { try MetricsLog.read(path: folder.path) }
        #expect(throws: InputError.self) { try MetricsLog.read(path: folder.path + "/none") }
        #expect(throws: InputError.self) { try MetricsLog(path: folder.path + "/none/metrics.jsonl") }
    }
}
