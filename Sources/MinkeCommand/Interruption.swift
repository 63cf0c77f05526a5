import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Ctrl-C as a wish instead of an end: the first sets a flag that long work looks at, a second one before it was
/// heard ends the program.
enum Interruption {
    private static let requested = Atomic<Bool>(false)

    /// Takes over SIGINT, and SIGTERM if asked. A blocking read returns when it comes.
    static func listen(toTermination: Bool = false) {
        _ = requested.load(ordering: .relaxed)  // Made before a handler needs it.
        for number in toTermination ? [SIGINT, SIGTERM] : [SIGINT] {
            var action = sigaction()
            let handler: @convention(c) (Int32) -> Void = { number in
                if Interruption.requested.exchange(true, ordering: .relaxed) { _exit(128 + number) }
            }
            #if canImport(Darwin)
                action.__sigaction_u.__sa_handler = handler
            #elseif canImport(Musl)
                action.__sa_handler.sa_handler = handler
            #else
                action.__sigaction_handler.sa_handler = handler
            #endif
            sigaction(number, &action, nil)
        }
    }

    /// Whether Ctrl-C was pressed.
    static var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// Whether Ctrl-C was pressed since this was asked last.
    static func take() -> Bool { requested.exchange(false, ordering: .relaxed) }
}
