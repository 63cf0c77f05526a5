extension BenchCommand {
    /// What `minke-server` is called with for `minke bench --server URL …`: `bench URL …`.
    ///
    /// - Parameter arguments: those of this program, without its name.
    /// - Returns: nil where no server is to be measured.
    static func serverArguments(_ arguments: [String]) -> [String]? {
        let flag = "--server"
        guard arguments.first == configuration.commandName else { return nil }
        var rest = Array(arguments.dropFirst())
        guard let place = rest.firstIndex(where: { $0 == flag || $0.hasPrefix(flag + "=") }) else { return nil }
        let option = rest.remove(at: place)
        if option == flag {
            // Without a URL the other program says what is missing.
            guard place < rest.count else { return ["bench"] + rest }
            return ["bench", rest.remove(at: place)] + rest
        }
        return ["bench", String(option.dropFirst(flag.count + 1))] + rest
    }
}
