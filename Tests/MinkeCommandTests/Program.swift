import Foundation
import MinkeFiles
import Testing

/// The built program, run as people run it.
struct Program {
    let path: String

    /// The program beside the tests, or nil where it was not built.
    static let built: Program? = {
        for argument in CommandLine.arguments where argument.contains("/") {
            var folder = FileSystem.directory(of: argument)
            while folder.count > 1 {
                let path = FileSystem.join(folder, "minke")
                if FileSystem.exists(path), !FileSystem.isDirectory(path) { return Program(path: path) }
                folder = FileSystem.directory(of: folder)
            }
        }
        print("skipped: the program was not built beside the tests")
        return nil
    }()

    struct Result {
        let status: Int32
        let output: String
        let error: String

        /// What was printed, which must be exactly one line of JSON.
        var json: JSON {
            get throws {
                #expect(output.hasSuffix("\n") && output.dropLast().allSatisfy { $0 != "\n" })
                return try JSON(parsing: output)
            }
        }
    }

    func run(_ arguments: String..., input: String = "", environment: [String: String] = [:]) throws -> Result {
        try run(all: arguments, input: input, environment: environment)
    }

    func run(all arguments: [String], input: String = "", environment: [String: String] = [:]) throws -> Result {
        let folder = try TemporaryFolder()
        let names = ["in", "out", "err"].map { FileSystem.join(folder.path, $0) }
        for name in names { try AtomicFile.write(name.hasSuffix("/in") ? input : "", to: name) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle(forReadingAtPath: names[0])
        process.standardOutput = FileHandle(forWritingAtPath: names[1])
        process.standardError = FileHandle(forWritingAtPath: names[2])
        let ending = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ending.signal() }
        try process.run()
        // Far longer than any command of a test takes, so that one that hangs is named.
        if ending.wait(timeout: .now() + .seconds(300)) == .timedOut {
            Issue.record("did not end: \(arguments)")
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        func text(_ name: String) throws -> String { String(decoding: try FileSystem.readAll(name), as: UTF8.self) }
        #expect(process.terminationReason == .exit, "ended by a signal")
        return Result(status: process.terminationStatus, output: try text(names[1]), error: try text(names[2]))
    }
}

/// A folder for one test, removed with the object.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileSystem.join(NSTemporaryDirectory(), "minke-tests-\(UUID().uuidString)")
        try FileSystem.createDirectory(path)
    }

    deinit { try? FileSystem.removeTree(path) }

    func callAsFunction(_ name: String) -> String { FileSystem.join(path, name) }
}
