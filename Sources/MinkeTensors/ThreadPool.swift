import CMinkeKernels
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Persistent threads that share out numbered tasks.
///
/// A parallel region costs well under a microsecond while the workers are awake: they spin between regions and go to
/// sleep only after about two milliseconds without work. Which thread runs a task is not determined; what a task
/// computes must not depend on it.
final class ThreadPool: @unchecked Sendable {
    let width: Int

    private let generation = Atomic<Int>(0)
    private let next = Atomic<Int>(0)
    private let working = Atomic<Int>(0)
    private let sleeping = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)
    private let isBusy = Atomic<Bool>(false)
    private var taskCount = 0
    private var body: ((Int) -> Void)?
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var threads: [pthread_t] = []

    /// Rounds of spinning before a worker sleeps; a round is a pause instruction.
    private static let spins = 20_000

    init(width: Int) {
        self.width = max(1, width)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
        for _ in 1..<self.width { start() }
    }

    /// Ends the workers. The pool must be idle and is not used afterwards.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    /// Runs `body(0)` … `body(count - 1)`, in any order, on all threads; returns when all are done.
    ///
    /// A call from within a task, or from another thread while the pool is busy, runs its tasks by itself.
    func run(_ count: Int, _ body: (Int) -> Void) {
        guard count > 1, width > 1, isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
        else {
            for task in 0..<count { body(task) }
            return
        }
        defer { isBusy.store(false, ordering: .releasing) }
        withoutActuallyEscaping(body) { body in
            self.body = body
            taskCount = count
            next.store(0, ordering: .relaxed)
            working.store(width - 1, ordering: .relaxed)
            generation.add(1, ordering: .sequentiallyConsistent)
            if sleeping.load(ordering: .sequentiallyConsistent) > 0 {
                pthread_mutex_lock(mutex)
                pthread_cond_broadcast(wake)
                pthread_mutex_unlock(mutex)
            }
            takeTasks()
            var rounds = 0
            while working.load(ordering: .acquiring) > 0 { ThreadPool.pause(&rounds) }
            self.body = nil
        }
    }

    private func takeTasks() {
        guard let body else { return }
        while true {
            let task = next.add(1, ordering: .relaxed).oldValue
            if task >= taskCount { return }
            body(task)
        }
    }

    /// Waits a moment; yields the processor now and then, for machines whose cores are shared.
    private static func pause(_ rounds: inout Int) {
        rounds += 1
        if rounds % 1_024 == 0 { sched_yield() } else { minkeRelax() }
    }

    private func work() {
        var seen = 0
        while true {
            var rounds = 0
            while generation.load(ordering: .acquiring) == seen {
                if isStopping.load(ordering: .acquiring) { return }
                ThreadPool.pause(&rounds)
                if rounds > ThreadPool.spins { sleep(seen: seen) }
            }
            seen += 1
            takeTasks()
            working.subtract(1, ordering: .releasing)
        }
    }

    private func sleep(seen: Int) {
        pthread_mutex_lock(mutex)
        sleeping.add(1, ordering: .sequentiallyConsistent)
        while generation.load(ordering: .sequentiallyConsistent) == seen, !isStopping.load(ordering: .acquiring) {
            pthread_cond_wait(wake, mutex)
        }
        sleeping.subtract(1, ordering: .sequentiallyConsistent)
        pthread_mutex_unlock(mutex)
    }

    private func start() {
        let pool = Unmanaged.passRetained(self).toOpaque()
        #if canImport(Darwin)
            var thread: pthread_t?
            pthread_create(&thread, nil, { ThreadPool.enter($0) }, pool)
            if let thread { threads.append(thread) }
        #else
            var thread = pthread_t()
            pthread_create(&thread, nil, { ThreadPool.enter($0) }, pool)
            threads.append(thread)
        #endif
    }

    private static func enter(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let context else { return nil }
        Unmanaged<ThreadPool>.fromOpaque(context).takeRetainedValue().work()
        return nil
    }
}
