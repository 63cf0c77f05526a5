import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The page of a training run, served by a process of its own that ends with this one.
///
/// The server is another program (`minke-server`), so that training carries none of its libraries and none of its
/// threads. It reads what the run writes anyway.
final class RunDashboard {
    private let process: pid_t
    /// The end of the pipe whose other end is the server's standard input. Closed by ``end()``, or by the kernel when
    /// this process dies in whatever way; the server takes that as the signal to end.
    private let lifeline: Int32
    private var isEnded = false

    /// Starts the server. It says itself where the page is, or why it cannot listen: training goes on without it.
    ///
    /// - Parameters:
    ///   - folder: the folder of the run, which exists.
    ///   - port: on 127.0.0.1; 0 takes a free one.
    /// - Throws: ``InputError`` when there is no such program.
    init(folder: String, port: Int) throws {
        let program = try ServerProgram.path
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Self.failure(program, errno) }
        let (input, lifeline) = (ends[0], ends[1])
        _ = fcntl(input, F_SETFD, FD_CLOEXEC)
        _ = fcntl(lifeline, F_SETFD, FD_CLOEXEC)
        defer { close(input) }

        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        // Standard output is the run's alone, as with --json.
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        // A group of its own: Ctrl-C is for the run, which saves before it ends.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        posix_spawnattr_setpgroup(&attributes, 0)

        let words = [program, "dashboard", folder, "--port", String(port), "--follows-input"]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, program, &actions, &attributes, &arguments, environ)
        guard code == 0 else {
            close(lifeline)
            throw Self.failure(program, code)
        }
        self.process = process
        self.lifeline = lifeline
    }

    deinit { end() }

    /// Ends the server and waits until it has ended.
    func end() {
        if isEnded { return }
        isEnded = true
        close(lifeline)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }

    private static func failure(_ program: String, _ code: Int32) -> InputError {
        InputError("cannot start the dashboard: \(String(cString: strerror(code)))", at: program)
    }
}
