import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Shows how a long run goes, on standard error: one line that updates itself on a terminal, a plain line now and
/// then elsewhere, nothing when quiet. Safe to use from any thread.
public final class ProgressDisplay: Sendable {
    /// How the display writes.
    enum Style: Equatable, Sendable {
        /// One line, redrawn in place.
        case terminal
        /// A line at most every so many seconds, and one for the last step.
        case plain(every: Double)
        case quiet
    }

    private struct State {
        var style: Style
        var shown: RunProgress?
        var first: (step: Int, seconds: Double)?
        var lastDrawn = -Double.infinity
    }

    private let state: Mutex<State>
    private let put: @Sendable (String) -> Void
    private let clock: @Sendable () -> Double
    private let width: @Sendable () -> Int

    /// A display on standard error.
    ///
    /// - Parameters:
    ///   - quiet: print nothing at all.
    ///   - interval: seconds between plain lines where standard error is no terminal.
    public convenience init(quiet: Bool = false, plainEvery interval: Double = 10) {
        // A terminal that cannot move its cursor says so in TERM.
        let canRedraw = isatty(STDERR_FILENO) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb"
        self.init(
            style: quiet ? .quiet : canRedraw ? .terminal : .plain(every: interval),
            put: { _ = SystemFile.put(Array($0.utf8), into: STDERR_FILENO) },
            clock: { ResourceMeter.monotonicSeconds() },
            width: {
                var size = winsize()
                return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
            })
    }

    init(
        style: Style, put: @escaping @Sendable (String) -> Void, clock: @escaping @Sendable () -> Double,
        width: @escaping @Sendable () -> Int
    ) {
        state = Mutex(State(style: style))
        self.put = put
        self.clock = clock
        self.width = width
    }

    /// Shows `progress`, unless the last line is too recent. Fills in the remaining time where it is not given.
    public func update(_ progress: RunProgress) {
        state.withLock { state in
            let now = clock()
            var progress = progress
            if let first = state.first, progress.remainingSeconds == nil, progress.step > first.step,
                now > first.seconds
            {
                let perStep = (now - first.seconds) / Double(progress.step - first.step)
                progress.remainingSeconds = perStep * Double(max(0, progress.totalSteps - progress.step))
            }
            if state.first == nil { state.first = (progress.step, now) }
            state.shown = progress
            let interval: Double
            switch state.style {
            case .quiet: return
            case .terminal: interval = 0.1
            case .plain(let seconds): interval = seconds
            }
            guard now - state.lastDrawn >= interval || progress.step >= progress.totalSteps else { return }
            state.lastDrawn = now
            draw(state)
        }
    }

    /// Prints a line of its own, above the one that updates itself.
    public func message(_ text: String) {
        state.withLock { state in
            switch state.style {
            case .quiet: return
            case .plain: put(text + "\n")
            case .terminal:
                put(Self.eraseLine + text + "\n")
                if state.shown != nil { draw(state) }
            }
        }
    }

    /// Ends the line that updates itself with the last progress seen. The next update starts a new one.
    public func finish() {
        state.withLock { state in
            if state.style == .terminal, state.shown != nil {
                draw(state)
                put("\n")
            }
            state.shown = nil
            state.first = nil
            state.lastDrawn = -Double.infinity
        }
    }

    private static let eraseLine = "\r\u{1B}[K"

    private func draw(_ state: State) {
        guard let progress = state.shown else { return }
        switch state.style {
        case .quiet: break
        case .plain: put(progress.text + "\n")
        // A line that fills the last column would wrap.
        case .terminal: put(Self.eraseLine + progress.line(width: width() - 1))
        }
    }
}
