// swift-tools-version: 6.2
import PackageDescription

// The Swift side of the benchmarks: two peers and one load generator. It is a package of its own, so that no one who
// depends on rest-auth resolves it, and it does not depend on rest-auth, whose binary is measured from outside.
let package = Package(
    name: "rest-auth-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        // The same lower bounds as the server's own package: both resolve to the same versions, or the ratio is unfair.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CSodium", pkgConfig: "libsodium",
            providers: [.apt(["libsodium-dev"]), .brew(["libsodium"])]),
        .executableTarget(
            name: "bare-hummingbird",
            dependencies: [
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/BareHummingbird"),
        .executableTarget(name: "argon2-loop", dependencies: ["CSodium"], path: "Sources/Argon2Loop"),
        .systemLibrary(name: "CTimer"),
        .executableTarget(name: "steady-load", dependencies: ["CTimer"], path: "Sources/SteadyLoad"),
    ],
    swiftLanguageModes: [.v6]
)
