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
/// sleep only after about two milliseconds without work. Workers join a region while it has tasks left, and only those
/// that did are waited for: on a machine that is busy with other things, a worker that the system lets wait delays nobody.
/// Which thread runs a task is not determined; what a task computes must not depend on it. A region that starts while
/// another runs, inside a task or on another thread, is run by the thread that asked for it.
final class ThreadPool: @unchecked Sendable {
    private let threadCount = Atomic<Int>(1)
    private let isBusy = Atomic<Bool>(false)
    private let region = Atomic<UInt64>(0)
    private let next = Atomic<Int>(0)
    private let sleeping = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)
    private var taskCount = 0
    private var body: ((Int) -> Void)?
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var workers: [pthread_t] = []

    /// Rounds of spinning before a worker sleeps; a round is a pause instruction.
    private static let spins = 20_000

    // The newest region in one word: from below, the workers that are in it, whether more may join, and its number.
    private static let isOpen: UInt64 = 1 << 16
    private static let number: UInt64 = 1 << 17

    init(width: Int) {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
        resize(to: width)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(wake)
        mutex.deallocate()
        wake.deallocate()
    }

    /// Threads that run tasks, the caller's among them.
    var width: Int { threadCount.load(ordering: .relaxed) }

    /// Changes the number of threads, once the region that runs is done; fewer if the system grants no more. Width 1
    /// ends all workers. Not to be called from a task.
    func resize(to width: Int) {
        var rounds = 0
        while !begin() { ThreadPool.pause(&rounds) }
        defer { isBusy.store(false, ordering: .releasing) }
        isStopping.store(true, ordering: .sequentiallyConsistent)
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
        for worker in workers { pthread_join(worker, nil) }
        workers = []
        isStopping.store(false, ordering: .relaxed)
        region.store(0, ordering: .relaxed)
        while workers.count + 1 < width, start() {}
        threadCount.store(workers.count + 1, ordering: .relaxed)
    }

    /// Claims the workers; false while somebody else has them.
    private func begin() -> Bool {
        isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    }

    /// Runs `body(0)` … `body(count - 1)`, in any order, on all threads; returns when all are done.
    ///
    /// A call from within a task, or from another thread while the pool is busy, runs its tasks by itself.
    func run(_ count: Int, _ body: (Int) -> Void) {
        guard count > 1, width > 1, begin() else {
            for task in 0..<count { body(task) }
            return
        }
        defer { isBusy.store(false, ordering: .releasing) }
        withoutActuallyEscaping(body) { body in
            self.body = body
            taskCount = count
            next.store(0, ordering: .relaxed)
            // Nobody is in the last region any more.
            let last = region.load(ordering: .relaxed) / ThreadPool.number
            region.store((last + 1) * ThreadPool.number | ThreadPool.isOpen, ordering: .sequentiallyConsistent)
            if sleeping.load(ordering: .sequentiallyConsistent) > 0 {
                pthread_mutex_lock(mutex)
                pthread_cond_broadcast(wake)
                pthread_mutex_unlock(mutex)
            }
            takeTasks()
            region.bitwiseAnd(~ThreadPool.isOpen, ordering: .relaxed)
            var rounds = 0
            while region.load(ordering: .acquiring) % ThreadPool.isOpen > 0 { ThreadPool.pause(&rounds) }
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
        var seen: UInt64 = 0
        while true {
            var rounds = 0
            while region.load(ordering: .relaxed) / ThreadPool.number == seen {
                if isStopping.load(ordering: .acquiring) { return }
                ThreadPool.pause(&rounds)
                if rounds > ThreadPool.spins { sleep(seen: seen) }
            }
            let joined = join()
            seen = joined.number
            guard joined.isIn else { continue }
            takeTasks()
            region.subtract(1, ordering: .releasing)
        }
    }

    /// Joins the newest region, if it still has tasks to give.
    private func join() -> (number: UInt64, isIn: Bool) {
        var current = region.load(ordering: .relaxed)
        while current & ThreadPool.isOpen != 0 {
            let (isIn, original) = region.weakCompareExchange(
                expected: current, desired: current + 1, successOrdering: .acquiring, failureOrdering: .relaxed)
            if isIn { return (current / ThreadPool.number, true) }
            current = original
        }
        return (current / ThreadPool.number, false)
    }

    private func sleep(seen: UInt64) {
        pthread_mutex_lock(mutex)
        sleeping.add(1, ordering: .sequentiallyConsistent)
        while region.load(ordering: .sequentiallyConsistent) / ThreadPool.number == seen,
            !isStopping.load(ordering: .acquiring)
        {
            pthread_cond_wait(wake, mutex)
        }
        sleeping.subtract(1, ordering: .sequentiallyConsistent)
        pthread_mutex_unlock(mutex)
    }

    /// Starts a worker; false if the system does not allow another thread.
    private func start() -> Bool {
        let pool = Unmanaged.passRetained(self)
        #if canImport(Darwin)
            var worker: pthread_t?
        #else
            var worker = pthread_t()
        #endif
        guard pthread_create(&worker, nil, { ThreadPool.enter($0) }, pool.toOpaque()) == 0 else {
            pool.release()
            return false
        }
        #if canImport(Darwin)
            if let worker { workers.append(worker) }
        #else
            workers.append(worker)
        #endif
        return true
    }

    private static func enter(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let context else { return nil }
        Unmanaged<ThreadPool>.fromOpaque(context).takeRetainedValue().work()
        return nil
    }
}
