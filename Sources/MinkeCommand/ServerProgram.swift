import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The program `minke-server`, which is built apart because it needs libraries that `minke` does not.
enum ServerProgram {
    /// Becomes that program, which lies beside this one.
    ///
    /// - Parameter arguments: what follows its name on the command line.
    /// - Throws: ``InputError`` when it is not there or cannot be started; otherwise this does not return.
    static func replace(with arguments: [String]) throws -> Never {
        let path = try path
        var pointers: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
        pointers.append(nil)
        execv(path, pointers)
        throw InputError("cannot be started: \(String(cString: strerror(errno)))", at: path)
    }

    /// Where it is: beside this one.
    ///
    /// - Throws: ``InputError`` when it is not there.
    static var path: String {
        get throws {
            let path = FileSystem.join(FileSystem.directory(of: try ownPath()), "minke-server")
            guard FileSystem.exists(path) else {
                throw InputError(
                    "the server was not built", at: path, remedy: "swift build -c release --product minke-server")
            }
            return path
        }
    }

    private static func ownPath() throws -> String {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        #if canImport(Darwin)
            var size = UInt32(bytes.count)
            let count = _NSGetExecutablePath(&bytes, &size) == 0 ? strlen(bytes) : 0
        #else
            let count = max(0, readlink("/proc/self/exe", &bytes, bytes.count))
        #endif
        guard count > 0 else { throw InputError("this program's own place is not known", remedy: "run minke-server") }
        return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
