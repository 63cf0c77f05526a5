/// What the name of a file says about its content.
struct SourceKind: Equatable, Sendable {
    /// Whether every line is a JSON object that holds a document.
    let isLines: Bool
    let isCompressed: Bool
    /// The last extension, in lower case, before any `.gz`.
    let nameExtension: String

    init(name: some StringProtocol) {
        var parts = name.split(separator: ".", omittingEmptySubsequences: false).dropFirst()
        isCompressed = parts.last?.lowercased() == "gz"
        if isCompressed { parts.removeLast() }
        nameExtension = parts.last?.lowercased() ?? ""
        isLines = nameExtension == "jsonl"
    }

    /// Whether files with this extension are never text, so that a search need not open them.
    var isKnownBinary: Bool { Self.binaryExtensions.contains(nameExtension) }

    private static let binaryExtensions: Set<String> = [
        // Archives and packages.
        "7z", "bz2", "deb", "dmg", "iso", "jar", "lz4", "rar", "rpm", "tar", "tgz", "whl", "xz", "zip", "zst",
        // Images, sound, film and fonts.
        "avi", "avif", "bmp", "flac", "gif", "heic", "icns", "ico", "jpeg", "jpg", "m4a", "mkv", "mov", "mp3", "mp4",
        "ogg", "otf", "png", "psd", "tif", "tiff", "ttf", "wav", "webm", "webp", "woff", "woff2",
        // Programs.
        "a", "bin", "class", "dll", "dylib", "exe", "lib", "o", "obj", "pyc", "so", "swiftdoc", "swiftmodule", "wasm",
        // Documents that are not plain text, and data.
        "arrow", "db", "doc", "docx", "gguf", "h5", "npy", "npz", "odt", "onnx", "parquet", "pdf", "pkl", "ppt",
        "pptx", "pt", "pth", "safetensors", "sqlite", "tokens", "xls", "xlsx",
    ]
}
