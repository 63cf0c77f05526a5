// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "chat-server",
    platforms: [.macOS(.v15)],
    dependencies: [
        // Outside of this repository: .package(url: "…", from: "…")
        .package(name: "minke", path: "../.."),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.10.0"),
    ],
    targets: [
        .executableTarget(
            name: "ChatServer",
            dependencies: [
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Minke", package: "minke"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
