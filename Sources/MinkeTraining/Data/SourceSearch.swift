import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Finds the files that the arguments of a corpus mean.
struct SourceSearch {
    let options: Corpus.Options

    private struct Candidate {
        let path: String
        let name: String
        /// Whether the file itself was named, and so must be taken.
        let isNamed: Bool
    }

    func sources(of arguments: [String]) throws -> [Corpus.Source] {
        var known: Set<String> = []
        var sources: [Corpus.Source] = []
        for argument in arguments {
            for candidate in try candidates(for: argument) {
                let source = Corpus.Source(
                    path: candidate.path, name: candidate.name, size: try FileSystem.size(of: candidate.path),
                    modified: try FileSystem.modificationTime(of: candidate.path),
                    identity: Self.resolved(candidate.path), kind: SourceKind(name: FileSystem.name(of: candidate.path))
                )
                guard try isTaken(source, isNamed: candidate.isNamed) else { continue }
                if known.insert(source.identity).inserted { sources.append(source) }
            }
        }
        if sources.isEmpty {
            throw InputError(
                "no text files", at: arguments.isEmpty ? nil : arguments.joined(separator: " "),
                remedy: options.include.isEmpty
                    ? "name files, folders or patterns that hold text"
                    : "only files ending in .\(options.include.joined(separator: ", .")) are looked for")
        }
        return sources
    }

    private func candidates(for argument: String) throws -> [Candidate] {
        if FileSystem.isDirectory(argument) { return try files(below: argument) }
        if FileSystem.exists(argument) {
            return [Candidate(path: argument, name: FileSystem.name(of: argument), isNamed: true)]
        }
        guard argument.contains(where: { "*?[".contains($0) }) else {
            throw InputError("there is no such file or folder", at: argument)
        }
        let matches = try FileSystem.glob(argument)
        if matches.isEmpty { throw InputError("the pattern matches nothing", at: argument) }
        return try matches.flatMap { match in
            FileSystem.isDirectory(match)
                ? try files(below: match)
                : [Candidate(path: match, name: FileSystem.name(of: match), isNamed: false)]
        }
    }

    private func files(below folder: String) throws -> [Candidate] {
        try FileSystem.walk(folder).map { Candidate(path: FileSystem.join(folder, $0), name: $0, isNamed: false) }
    }

    private func isTaken(_ source: Corpus.Source, isNamed: Bool) throws -> Bool {
        if !isNamed {
            if source.size == 0 || source.kind.isKnownBinary { return false }
            let included = options.include.map { SourceKind(name: "." + $0.drop { $0 == "." }).nameExtension }
            if !included.isEmpty && !included.contains(source.kind.nameExtension) { return false }
        }
        guard let position = try SourceReader(source: source, field: options.field).firstNUL() else { return true }
        if isNamed {
            throw InputError(
                "not a text: it holds a NUL byte", at: "\(source.path): byte \(position)",
                remedy: "give UTF-8 text, .jsonl, or either compressed as .gz")
        }
        return false
    }

    /// The one absolute path of a file, however it is reached.
    private static func resolved(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
