import MinkeFiles

extension RunWatch {
    /// `GET /runs/metrics`, from the beginning, and `GET /runs/metrics/{cursor}`, from where an earlier reply ended.
    ///
    /// A reply is an object: `name` of the run, its `settings` where the lines begin anew, the new `lines`, the `cursor`
    /// to go on from, whether they were `restarted` and whether `more` can be had at once, and `age_seconds` since the
    /// metrics last changed, null where there are none.
    public var routes: [APIRoute] {
        [
            APIRoute(.get, "/runs/metrics") { _ in try reply(to: nil) },
            APIRoute(.get, "/runs/metrics/{cursor}") { request in try reply(to: request.parameter) },
        ]
    }

    private func reply(to place: String?) throws -> APIReply {
        guard let cursor = place.map({ Cursor($0) }) ?? .start else {
            throw APIError.invalid("not a cursor: take the one of an earlier reply", parameter: "cursor")
        }
        let news: News
        do {
            news = try self.news(since: cursor)
        } catch let error as InputError {
            // The problem without the path, which is nobody's business.
            throw APIError(status: 500, error.problem, type: "server_error")
        }
        var reply: JSON.Object = [
            "name": .string(name), "lines": .array(news.lines), "cursor": .string(news.cursor.text),
            "restarted": .bool(news.isRestarted), "more": .bool(news.hasMore),
            "age_seconds": news.age.map { .number($0) } ?? .null,
        ]
        if cursor == .start || news.isRestarted { reply["settings"] = settings }
        return .json(.object(reply))
    }

    /// The folder's own name.
    private var name: String {
        let name = FileSystem.name(of: folder)
        return name == "." || name == ".." || name == "/" ? "" : name
    }
}
