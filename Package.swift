// swift-tools-version: 6.2
import PackageDescription

// Rooms from the ground up; a room imports only rooms below it (docs/ARCHITECTURE.md).
let package = Package(
    name: "minke",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "minke", targets: ["MinkeCommand"]),
        .executable(name: "minke-server", targets: ["MinkeServerCommand"]),
        .library(name: "Minke", targets: ["Minke"]),
        .library(name: "MinkeServing", targets: ["MinkeServing"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        // Only the server's: the program minke is built without them.
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.10.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    ],
    targets: [
        .target(
            name: "CMinkeKernels",
            // Kernels at -O0 would make `swift test` useless: they are optimised in every configuration.
            cSettings: [.unsafeFlags(["-O3"])]
        ),
        // The pages' files, embedded: the compiler follows them, so that changing one builds the module again.
        .target(name: "CMinkePages", exclude: ["web"]),
        .target(name: "CMinkeHash"),
        .target(name: "MinkeFiles", dependencies: ["CMinkeHash"]),
        .target(name: "MinkePlanning", dependencies: ["MinkeFiles"]),
        .target(name: "MinkeTensors", dependencies: ["CMinkeKernels"]),
        .target(name: "MinkeTokenization", dependencies: ["MinkeFiles"]),
        .target(name: "MinkeCheckpoints", dependencies: ["MinkeFiles", "CMinkeKernels"]),
        .target(name: "MinkeModel", dependencies: ["MinkeTensors", "MinkeCheckpoints"]),
        .target(name: "MinkeGeneration", dependencies: ["MinkeModel", "MinkeTokenization"]),
        .target(name: "MinkeTraining", dependencies: ["MinkeGeneration"]),
        .target(name: "MinkeEngine", dependencies: ["MinkeGeneration"]),
        .target(name: "Minke", dependencies: ["MinkeEngine", "MinkeGeneration", "MinkePlanning", "MinkeTraining"]),
        .target(
            name: "MinkeServing",
            dependencies: [
                "CMinkePages", "MinkeEngine", "MinkeFiles", "MinkeTraining",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),
        .target(
            name: "MinkeConsole",
            dependencies: [
                "Minke", "MinkeFiles", "MinkeTensors",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .executableTarget(
            name: "MinkeServerCommand",
            dependencies: [
                "Minke", "MinkeConsole", "MinkeServing", "MinkeTensors",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]
        ),
        .executableTarget(
            name: "MinkeCommand",
            dependencies: [
                "Minke", "MinkeConsole", "MinkeFiles", "MinkeCheckpoints", "MinkePlanning", "MinkeTensors",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .testTarget(name: "MinkeFilesTests", dependencies: ["MinkeFiles"]),
        .testTarget(name: "MinkePlanningTests", dependencies: ["MinkePlanning"]),
        .testTarget(name: "MinkeTensorsTests", dependencies: ["MinkeTensors", "CMinkeKernels"]),
        .testTarget(name: "MinkeTokenizationTests", dependencies: ["MinkeTokenization"]),
        .testTarget(name: "MinkeCheckpointsTests", dependencies: ["MinkeCheckpoints", "CMinkeKernels"]),
        .testTarget(name: "MinkeModelTests", dependencies: ["MinkeModel"]),
        .testTarget(name: "MinkeGenerationTests", dependencies: ["MinkeGeneration"]),
        // What tests of several rooms need.
        .target(name: "MinkeTestSupport", dependencies: ["MinkeGeneration"], path: "Tests/MinkeTestSupport"),
        .testTarget(name: "MinkeEngineTests", dependencies: ["MinkeEngine", "MinkeTestSupport"]),
        .testTarget(name: "MinkeServingTests", dependencies: ["MinkeServing", "MinkeTestSupport"]),
        .testTarget(name: "MinkeTrainingTests", dependencies: ["MinkeTraining"]),
        .testTarget(name: "MinkeCommandTests", dependencies: ["MinkeCommand"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
