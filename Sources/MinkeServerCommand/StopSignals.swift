import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// SIGTERM and SIGINT: the first lets requests finish, the second ends the program at once.
enum StopSignals {
    static func pass(to group: ServiceGroup) async {
        var isStopping = false
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            if isStopping { _exit(128 + signal.number) }
            isStopping = true
            await group.triggerGracefulShutdown()
        }
    }
}

extension UnixSignal {
    fileprivate var number: Int32 { self == .sigint ? SIGINT : SIGTERM }
}
