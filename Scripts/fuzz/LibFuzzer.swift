import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

// What libFuzzer calls. The target's name is in MINKE_FUZZ_TARGET, a folder of its own in MINKE_FUZZ_SCRATCH; with
// MINKE_FUZZ_SEEDS the program writes the target's seeds into that folder before it begins.

private func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

private let scratch = variable("MINKE_FUZZ_SCRATCH") ?? "/tmp/minke-fuzz"

private let target: FuzzTarget = {
    guard let target = FuzzTarget(rawValue: variable("MINKE_FUZZ_TARGET") ?? "") else {
        preconditionFailure("MINKE_FUZZ_TARGET is none of \(FuzzTarget.allCases.map(\.rawValue))")
    }
    do {
        try FuzzTarget.prepare(scratch)
        if let folder = variable("MINKE_FUZZ_SEEDS") {
            for (index, seed) in try target.seeds(scratch: scratch).enumerated() {
                try FuzzTarget.overwrite(FileSystem.join(folder, "seed-\(index)"), seed)
            }
        }
    } catch {
        preconditionFailure("\(error)")
    }
    return target
}()

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
    _ = target
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try target.run(Array(UnsafeBufferPointer(start: start, count: count)), scratch: scratch)
    } catch {
        preconditionFailure("\(error)")
    }
    return 0
}

/// libFuzzer's own changes of bytes.
@_silgen_name("LLVMFuzzerMutate")
private func mutateBytes(_ start: UnsafeMutablePointer<UInt8>?, _ count: Int, _ capacity: Int) -> Int

/// Half of the changes of a GGUF file are of one field of it, with the rest still sound.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ start: UnsafeMutablePointer<UInt8>?, _ count: Int, _ capacity: Int, _ seed: UInt32) -> Int {
    var random = FuzzRandom(seed: UInt64(seed))
    guard target == .gguf, let start, Bool.random(using: &random),
        var container = FuzzContainer(Array(UnsafeBufferPointer(start: start, count: count)))
    else { return mutateBytes(start, count, capacity) }
    container.change(&random)
    let changed = container.bytes
    guard changed.count <= capacity else { return mutateBytes(start, count, capacity) }
    start.update(from: changed, count: changed.count)
    return changed.count
}
