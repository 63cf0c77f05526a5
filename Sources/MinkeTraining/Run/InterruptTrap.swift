import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

private let interrupts = Atomic<Int>(0)
private let saveRequests = Atomic<Int>(0)
private let isInstalled = Atomic<Bool>(false)

/// Turns Ctrl-C and SIGTERM into a request to stop after the current step. A second one ends the process at once.
/// SIGUSR1 asks for a checkpoint without stopping.
public enum InterruptTrap {
    /// Starts catching the signals. Later calls change nothing: a signal between two runs counts for the second.
    public static func install() {
        guard isInstalled.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged else { return }
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                if interrupts.add(1, ordering: .relaxed).oldValue >= 1 { _exit(128 + number) }
            }
        }
        signal(SIGUSR1) { _ in saveRequests.add(1, ordering: .relaxed) }
    }

    /// Whether somebody asked to stop.
    public static var isInterrupted: Bool { interrupts.load(ordering: .relaxed) > 0 }

    /// Whether somebody asked for a checkpoint since the last call.
    static func takeSaveRequest() -> Bool { saveRequests.exchange(0, ordering: .relaxed) > 0 }
}
