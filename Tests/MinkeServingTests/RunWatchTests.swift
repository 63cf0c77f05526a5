import Foundation
import MinkeFiles
import MinkeServing
import Testing

/// Following a run's metrics.
struct RunWatchTests {
    private let folder: RunFolder
    private let watch: RunWatch

    init() throws {
        folder = try RunFolder()
        watch = try RunWatch(folder: folder.path)
    }

    private func steps(_ news: RunWatch.News) -> [Int] { news.lines.compactMap { $0["step"]?.intValue } }

    private static func line(_ step: Int, _ loss: Double = 1) -> String { #"{"step":\#(step),"loss":\#(loss)}"# + "\n" }

    @Test func linesComeOnceEach() throws {
        let before = try watch.news(since: .start)
        #expect(before.lines.isEmpty && before.age == nil && !before.isRestarted)
        try folder.write(Self.line(1) + Self.line(2), to: "metrics.jsonl")
        let first = try watch.news(since: before.cursor)
        #expect(steps(first) == [1, 2] && first.age != nil && !first.hasMore)
        #expect(steps(try watch.news(since: first.cursor)).isEmpty)
        // A torn line waits for its end.
        try folder.append(Self.line(3) + #"{"step":4,"#, to: "metrics.jsonl")
        let second = try watch.news(since: first.cursor)
        #expect(steps(second) == [3])
        try folder.append(#""loss":2}"# + "\n", to: "metrics.jsonl")
        let third = try watch.news(since: second.cursor)
        #expect(steps(third) == [4] && !third.isRestarted)
    }

    @Test func aCursorSurvivesItsText() throws {
        try folder.write(Self.line(1), to: "metrics.jsonl")
        let cursor = try watch.news(since: .start).cursor
        #expect(RunWatch.Cursor(cursor.text) == cursor)
        #expect(RunWatch.Cursor(RunWatch.Cursor.start.text) == .start)
        let long = "1-" + String(repeating: "a", count: 65)
        for text in ["", "5", "-", "x-", "-1-", "1-2-3", "99999999999999999999-", long] {
            #expect(RunWatch.Cursor(text) == nil, "\(text)")
        }
    }

    @Test func aRunThatBeganAnewIsReadAnew() throws {
        try folder.write((1...9).map { Self.line($0) }.joined(), to: "metrics.jsonl")
        let cursor = try watch.news(since: .start).cursor
        // Shorter than before, as long as before, longer than before, and gone.
        for count in [2, 9, 30] {
            try folder.write((1...count).map { Self.line($0, 3) }.joined(), to: "metrics.jsonl")
            let news = try watch.news(since: cursor)
            #expect(news.isRestarted && steps(news) == Array(1...count), "\(count)")
        }
        try FileManager.default.removeItem(atPath: "\(folder.path)/metrics.jsonl")
        let news = try watch.news(since: cursor)
        #expect(news.isRestarted && news.lines.isEmpty && news.cursor == .start)
    }

    @Test func cursorsThatNobodyGaveBeginAnew() throws {
        try folder.write(Self.line(1), to: "metrics.jsonl")
        for text in ["7-", "7-0123456789abcdef", "\(Int.max)-", "\(Int.max)-00"] {
            let cursor = try #require(RunWatch.Cursor(text))
            let news = try watch.news(since: cursor)
            #expect(news.isRestarted && steps(news) == [1], "\(text)")
        }
    }

    @Test func longMetricsComeInPieces() throws {
        let watch = try RunWatch(folder: folder.path, chunkSize: 64)
        try folder.write((1...20).map { Self.line($0) }.joined(), to: "metrics.jsonl")
        var seen: [Int] = []
        var cursor = RunWatch.Cursor.start
        var hasMore = true
        while hasMore {
            let news = try watch.news(since: cursor)
            #expect(!news.isRestarted && news.lines.count <= 3)
            seen += steps(news)
            cursor = news.cursor
            hasMore = news.hasMore
        }
        #expect(seen == Array(1...20))
    }

    @Test func whatIsNoMetricsIsPassedOver() throws {
        let watch = try RunWatch(folder: folder.path, chunkSize: 64)
        let long = String(repeating: "x", count: 1000) + "\n"
        try folder.write("[1]\nnonsense\n\n" + Self.line(1) + long + Self.line(2), to: "metrics.jsonl")
        var seen: [Int] = []
        var cursor = RunWatch.Cursor.start
        for _ in 0..<40 {
            let news = try watch.news(since: cursor)
            seen += steps(news)
            cursor = news.cursor
        }
        #expect(seen == [1, 2])
    }

    @Test func whatIsNoFileIsRefused() throws {
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/metrics.jsonl", withIntermediateDirectories: false)
        #expect(throws: InputError.self) { try watch.news(since: .start) }
        #expect(throws: InputError.self) { try RunWatch(folder: "\(folder.path)/nowhere") }
    }

    @Test func theRouteTellsAllThatThePageAsks() async throws {
        try folder.write(Self.line(1), to: "metrics.jsonl")
        try folder.write(#"{"hidden_size":384}"#, to: "run.json")
        func reply(_ path: String, _ parameter: String?) async throws -> JSON {
            let route = try #require(watch.routes.first { $0.path == path })
            guard case .json(let json) = try await route.handle(APIRequest(id: "1", parameter: parameter)) else {
                throw InputError("no JSON")
            }
            return json
        }
        let first = try await reply("/runs/metrics", nil)
        #expect(first["settings"]?["hidden_size"] == 384)
        #expect(first["name"]?.stringValue == FileSystem.name(of: folder.path))
        #expect(first["lines"]?.arrayValue?.count == 1 && first["restarted"] == false && first["more"] == false)
        let cursor = try #require(first["cursor"]?.stringValue)
        let second = try await reply("/runs/metrics/{cursor}", cursor)
        #expect(second["lines"]?.arrayValue?.isEmpty == true && second["settings"] == nil)
        #expect(second["age_seconds"]?.doubleValue != nil)
        await #expect(throws: APIError.self) { _ = try await reply("/runs/metrics/{cursor}", "../../etc/passwd") }
    }
}
