import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// write(2), which inside ``Console`` would be taken for its own `write`.
private func send(_ descriptor: Int32, _ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Int {
    write(descriptor, UnsafeBufferPointer(rebasing: bytes).baseAddress, bytes.count)
}

/// Standard input, output and error, unbuffered.
package enum Console {
    package static var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }
    package static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    package static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Writes text on standard output.
    ///
    /// - Throws: ``InputError`` when it cannot be written, as on a full disk.
    package static func write(_ text: String) throws { try put(text, STDOUT_FILENO) }

    /// Writes a line on standard output.
    package static func line(_ text: String) throws { try write(text + "\n") }

    /// Writes a line on standard error. That it cannot be written is no reason to stop.
    package static func report(_ text: String) { try? put(text + "\n", STDERR_FILENO) }

    /// Shows text on standard error without ending the line.
    package static func show(_ text: String) { try? put(text, STDERR_FILENO) }

    private static func put(_ text: String, _ descriptor: Int32) throws {
        var text = text
        try text.withUTF8 { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = send(descriptor, rest)
                if count < 0 {
                    if errno == EINTR { continue }
                    throw InputError("cannot write the output: \(String(cString: strerror(errno)))")
                }
                rest = rest.dropFirst(count)
            }
        }
    }
}

/// Reads standard input line by line.
package struct LineReader {
    private var buffer: [UInt8] = []
    /// Where the lines that were not handed out yet begin.
    private var start = 0
    private var isAtEnd = false

    package init() {}

    /// The next line without its end, or nil at the end of the input or when a signal interrupts the wait.
    package mutating func next() throws -> [UInt8]? {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { start = end + 1 }
                let line = buffer[start..<end]
                return Array(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
            }
            if isAtEnd {
                defer { start = buffer.count }
                return start < buffer.count ? Array(buffer[start...]) : nil
            }
            buffer.removeFirst(start)
            start = 0
            searched = buffer.count
            var block = [UInt8](repeating: 0, count: 1 << 16)
            let count = read(STDIN_FILENO, &block, block.count)
            if count < 0 {
                if errno == EINTR { return nil }
                throw InputError("cannot read the input: \(String(cString: strerror(errno)))")
            }
            isAtEnd = count == 0
            buffer += block[..<count]
        }
    }
}
