import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One expert to be read: its pieces may be read at the same time by several threads.
final class ReadJob: @unchecked Sendable {  // `next` and `left` are only touched under the queue's lock.
    struct Piece {
        let file: DirectFile
        let range: Range<Int>
        let target: UnsafeMutableRawPointer
    }

    /// The number that the asker knows it by.
    let expert: Int
    let pieces: [Piece]
    /// The first piece that no thread has begun.
    fileprivate var next = 0
    fileprivate var left: Int

    init(expert: Int, pieces: [Piece]) {
        self.expert = expert
        self.pieces = pieces
        left = pieces.count
    }
}

/// Threads that read what they are asked for: what is needed first, what may be needed only while nothing else is.
///
/// Several reads at once keep a disk's own queue filled, without which it gives a fraction of its rate.
final class ReadQueue: @unchecked Sendable {  // Everything that changes is touched under `mutex`.
    /// Reads at the same time.
    static let depth = 8

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let work = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let progress = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var needed: [ReadJob] = []
    private var expected: [ReadJob] = []
    private var finished: [ReadJob] = []
    private var failure: InputError?
    private var isStopping = false
    private var threads: [pthread_t] = []

    private var running = 0
    private var runningSince = ContinuousClock.now
    private var bytesRead = 0
    private var readSeconds = 0.0

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(work, nil)
        pthread_cond_init(progress, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(work)
        pthread_cond_destroy(progress)
        mutex.deallocate()
        work.deallocate()
        progress.deallocate()
    }

    private func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// The first error; nothing is read after it.
    var error: InputError? { locked { failure } }

    /// Bytes read so far, and the seconds in which at least one thread was reading.
    var totals: (bytes: Int, seconds: Double) { locked { (bytesRead, readSeconds) } }

    func submit(_ jobs: [ReadJob], isNeeded: Bool) {
        guard !jobs.isEmpty else { return }
        locked {
            startThreads()
            if isNeeded { needed += jobs } else { expected += jobs }
            pthread_cond_broadcast(work)
        }
    }

    /// What was only expected is needed now.
    func promote(_ job: ReadJob) {
        locked {
            guard let place = expected.firstIndex(where: { $0 === job }) else { return }
            needed.append(expected.remove(at: place))
            pthread_cond_broadcast(work)
        }
    }

    /// Takes back the expected jobs that no thread has begun.
    func cancelExpected() -> [ReadJob] {
        locked {
            let cancelled = expected.filter { $0.next == 0 }
            expected.removeAll { $0.next == 0 }
            return cancelled
        }
    }

    /// The jobs that were finished since the last call.
    ///
    /// - Parameter waits: whether to wait until there is one, or an error.
    func takeFinished(waits: Bool) -> [ReadJob] {
        locked {
            while waits, finished.isEmpty, failure == nil { pthread_cond_wait(progress, mutex) }
            defer { finished = [] }
            return finished
        }
    }

    /// Ends the threads, once the reads that have begun are done.
    func stop() {
        locked {
            isStopping = true
            pthread_cond_broadcast(work)
        }
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    private func startThreads() {
        while threads.count < Self.depth {
            let queue = Unmanaged.passRetained(self)
            #if canImport(Darwin)
                var thread: pthread_t?
            #else
                var thread = pthread_t()
            #endif
            guard pthread_create(&thread, nil, { ReadQueue.enter($0) }, queue.toOpaque()) == 0 else {
                queue.release()
                // Fewer are enough, but without any nobody would ever answer.
                if threads.isEmpty { failure = InputError("no thread can be started to read the weights") }
                return
            }
            #if canImport(Darwin)
                if let thread { threads.append(thread) }
            #else
                threads.append(thread)
            #endif
        }
    }

    private static func enter(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let context else { return nil }
        Unmanaged<ReadQueue>.fromOpaque(context).takeRetainedValue().serve()
        return nil
    }

    private func serve() {
        while let (job, piece) = nextPiece() {
            do {
                try piece.file.read(piece.range, into: piece.target)
                finish(job, bytes: piece.range.count)
            } catch {
                fail(error as? InputError ?? InputError("\(error)", at: piece.file.path))
            }
        }
    }

    /// The next piece to read; nil when the thread shall end.
    private func nextPiece() -> (ReadJob, ReadJob.Piece)? {
        locked {
            while !isStopping, failure != nil || needed.isEmpty && expected.isEmpty { pthread_cond_wait(work, mutex) }
            if isStopping { return nil }
            let job = needed.first ?? expected[0]
            let piece = job.pieces[job.next]
            job.next += 1
            if job.next == job.pieces.count { _ = needed.isEmpty ? expected.removeFirst() : needed.removeFirst() }
            if running == 0 { runningSince = ContinuousClock.now }
            running += 1
            return (job, piece)
        }
    }

    private func finish(_ job: ReadJob, bytes: Int) {
        locked {
            endRead()
            bytesRead += bytes
            job.left -= 1
            guard job.left == 0 else { return }
            finished.append(job)
            pthread_cond_broadcast(progress)
        }
    }

    private func fail(_ error: InputError) {
        locked {
            endRead()
            failure = failure ?? error
            pthread_cond_broadcast(progress)
        }
    }

    private func endRead() {
        running -= 1
        if running == 0 { readSeconds += (ContinuousClock.now - runningSince) / .seconds(1) }
    }
}
