// swift-tools-version: 6.2
import PackageDescription

// Rooms from the ground up; a room imports only rooms below it (docs/ARCHITECTURE.md).
let package = Package(
    name: "minke",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "minke", targets: ["MinkeCommand"]),
        .library(name: "Minke", targets: ["Minke"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
    ],
    targets: [
        .target(
            name: "CMinkeKernels",
            // Kernels at -O0 would make `swift test` useless: they are optimised in every configuration.
            cSettings: [.unsafeFlags(["-O3"])]
        ),
        .target(name: "MinkeFiles"),
        .target(name: "MinkePlanning", dependencies: ["MinkeFiles"]),
        .target(name: "MinkeTensors", dependencies: ["CMinkeKernels"]),
        .target(name: "MinkeTokenization", dependencies: ["MinkeFiles"]),
        .target(name: "MinkeCheckpoints", dependencies: ["MinkeFiles", "CMinkeKernels"]),
        .target(name: "MinkeModel", dependencies: ["MinkeTensors", "MinkeCheckpoints"]),
        .target(name: "MinkeGeneration", dependencies: ["MinkeModel", "MinkeTokenization"]),
        .target(name: "MinkeTraining", dependencies: ["MinkeGeneration"]),
        .target(name: "MinkeEngine", dependencies: ["MinkeGeneration"]),
        .target(name: "Minke", dependencies: ["MinkeEngine", "MinkeGeneration", "MinkePlanning", "MinkeTraining"]),
        .executableTarget(
            name: "MinkeCommand",
            dependencies: [
                "Minke", "MinkeFiles", "MinkeCheckpoints", "MinkePlanning", "MinkeTensors",
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
        .testTarget(name: "MinkeEngineTests", dependencies: ["MinkeEngine"]),
        .testTarget(name: "MinkeTrainingTests", dependencies: ["MinkeTraining"]),
        .testTarget(name: "MinkeCommandTests", dependencies: ["MinkeCommand"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
