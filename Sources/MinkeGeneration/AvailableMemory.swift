import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The memory that a program may take without driving others, or itself, to the disk.
public enum AvailableMemory {
    /// Bytes; nil where the system does not say. A container's limits count.
    public static var bytes: Int? {
        #if os(Linux)
            guard let machine = kilobytes("MemAvailable:", in: "/proc/meminfo") else { return nil }
            let free = min(machine, groupRoom(version2: true), groupRoom(version2: false))
            // Activations and the system's own needs are not in the plan.
            return free - free / 16
        #else
            return Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE))) * 3 / 4
        #endif
    }

    #if os(Linux)
        private static func text(_ path: String) -> String? {
            (try? FileSystem.readAll(path, limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) }
        }

        private static func kilobytes(_ key: String, in path: String) -> Int? {
            let line = text(path)?.split(separator: "\n").first { $0.hasPrefix(key) }
            return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
        }

        /// What the control group of the process and those around it still allow.
        private static func groupRoom(version2: Bool) -> Int {
            let groups = text("/proc/self/cgroup")?.split(separator: "\n") ?? []
            let own = groups.first { version2 ? $0.hasPrefix("0::") : $0.contains(":memory:") }
            guard let own, let slash = own.firstIndex(of: "/") else { return .max }
            let root = version2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"
            var parts = own[slash...].split(separator: "/")
            var room = Int.max
            while true {
                // Inside a container the group's own path often is not there, but its limit stands at the root.
                let folder = ([root] + parts.map(String.init)).joined(separator: "/")
                func number(_ name: String) -> Int? {
                    text("\(folder)/\(name)").flatMap { Int($0.filter(\.isNumber)) }
                }
                if let limit = number(version2 ? "memory.max" : "memory.limit_in_bytes"),
                    let used = number(version2 ? "memory.current" : "memory.usage_in_bytes")
                {
                    room = min(room, max(0, limit - max(0, used - reclaimable("\(folder)/memory.stat"))))
                }
                if parts.isEmpty { return room }
                parts.removeLast()
            }
        }

        /// Bytes of file pages that the group would give up first.
        private static func reclaimable(_ path: String) -> Int {
            let line = text(path)?.split(separator: "\n").first { $0.hasPrefix("inactive_file ") }
            return line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
        }
    #endif
}
