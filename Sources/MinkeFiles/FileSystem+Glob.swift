extension FileSystem {
    /// The existing paths that match a shell pattern, sorted byte by byte.
    ///
    /// `*` matches any run of characters within a name, `?` one character, `[a-z]` one of a set (`[!a-z]` one
    /// outside it), and `**` as a whole name any number of directories, none included. Wildcards do not match a
    /// leading dot. A pattern that is itself the path of a file means that file.
    public static func glob(_ pattern: String) throws -> [String] {
        if exists(pattern) { return [pattern] }
        let isAbsolute = pattern.utf8.first == UInt8(ascii: "/")
        var matches: Set<String> = [isAbsolute ? "/" : ""]
        let components = pattern.split(separator: "/").map(String.init)
        for (index, component) in components.enumerated() {
            let isLast = index == components.count - 1
            var extended: Set<String> = []
            for match in matches {
                for path in try expand(component, in: match, isLast: isLast) { extended.insert(path) }
            }
            matches = extended
        }
        return matches.filter { !$0.isEmpty }.sorted(by: precedes)
    }

    private static func expand(_ component: String, in directory: String, isLast: Bool) throws -> [String] {
        let place = directory.isEmpty ? "." : directory
        if !component.contains(where: { "*?[".contains($0) }) {
            let path = join(directory, component)
            return (isLast ? exists(path) : isDirectory(path)) ? [path] : []
        }
        guard isDirectory(place) else { return [] }
        if component == "**" {
            let found = try isLast ? walk(place) : walkDirectories(place)
            return found.map { $0.isEmpty ? directory : join(directory, $0) }
        }
        let pattern = GlobPattern(component)
        return try list(place).filter(pattern.matches).map { join(directory, $0) }
            .filter { isLast ? exists($0) : isDirectory($0) }
    }
}

/// One component of a shell pattern.
private struct GlobPattern {
    private enum Element {
        case character(Unicode.Scalar)
        case any
        case anyRun
        case set([ClosedRange<Unicode.Scalar>], isNegated: Bool)
    }

    private let elements: [Element]
    private let matchesHidden: Bool

    init(_ text: String) {
        let scalars = Array(text.unicodeScalars)
        var elements: [Element] = []
        var index = 0
        while index < scalars.count {
            switch scalars[index] {
            case "*": elements.append(.anyRun)
            case "?": elements.append(.any)
            case "[":
                if let (set, end) = GlobPattern.set(in: scalars, after: index) {
                    elements.append(set)
                    index = end
                } else {
                    elements.append(.character("["))
                }
            default: elements.append(.character(scalars[index]))
            }
            index += 1
        }
        self.elements = elements
        matchesHidden = scalars.first == "."
    }

    /// The set that opens at `start` and the index of its `]`; `nil` when it is not closed.
    private static func set(in scalars: [Unicode.Scalar], after start: Int) -> (Element, Int)? {
        var index = start + 1
        let isNegated = index < scalars.count && (scalars[index] == "!" || scalars[index] == "^")
        if isNegated { index += 1 }
        let first = index
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        while index < scalars.count {
            // A `]` in the first place stands for itself.
            if scalars[index] == "]" && index > first { return (.set(ranges, isNegated: isNegated), index) }
            if index + 2 < scalars.count, scalars[index + 1] == "-", scalars[index + 2] != "]" {
                if scalars[index] <= scalars[index + 2] { ranges.append(scalars[index]...scalars[index + 2]) }
                index += 3
            } else {
                ranges.append(scalars[index]...scalars[index])
                index += 1
            }
        }
        return nil
    }

    func matches(_ name: String) -> Bool {
        if name.utf8.first == UInt8(ascii: ".") && !matchesHidden { return false }
        let scalars = Array(name.unicodeScalars)
        var element = 0
        var position = 0
        // After a mismatch only the latest `*` has to take one more character: no exponential search.
        var retry: (element: Int, position: Int)?
        while position < scalars.count {
            if element < elements.count, case .anyRun = elements[element] {
                retry = (element, position)
                element += 1
            } else if element < elements.count, GlobPattern.matches(elements[element], scalars[position]) {
                element += 1
                position += 1
            } else if let last = retry {
                retry = (last.element, last.position + 1)
                element = last.element + 1
                position = last.position + 1
            } else {
                return false
            }
        }
        return elements[element...].allSatisfy { if case .anyRun = $0 { true } else { false } }
    }

    private static func matches(_ element: Element, _ scalar: Unicode.Scalar) -> Bool {
        switch element {
        case .character(let expected): expected == scalar
        case .any: true
        case .anyRun: false
        case .set(let ranges, let isNegated): ranges.contains { $0.contains(scalar) } != isNegated
        }
    }
}
