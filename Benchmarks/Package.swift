// swift-tools-version: 6.2
import PackageDescription

// The Swift side of the benchmarks: peers and load generators. It is a package of its own, so that
// no one who depends on rest-auth resolves it. The binary is measured from outside; only what reads
// the storage without HTTP depends on rest-auth.
let package = Package(
    name: "rest-auth-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "rest-auth", path: ".."),
        // The same lower bounds as the server's own package: both resolve to the same versions, or
        // the ratio is unfair.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        // Named otherwise than those of rest-auth: in a build no two targets may have one name.
        .systemLibrary(
            name: "CBenchSodium", pkgConfig: "libsodium",
            providers: [.apt(["libsodium-dev"]), .brew(["libsodium"])]),
        .systemLibrary(
            name: "CBenchLibpq", pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
        .executableTarget(
            name: "bare-hummingbird",
            dependencies: [
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/BareHummingbird"),
        .executableTarget(name: "argon2-loop", dependencies: ["CBenchSodium"], path: "Sources/Argon2Loop"),
        .executableTarget(name: "libpq-loop", dependencies: ["CBenchLibpq"], path: "Sources/LibpqLoop"),
        .executableTarget(
            name: "postgres-reads", dependencies: [.product(name: "RESTAuthPostgres", package: "rest-auth")],
            path: "Sources/PostgresReads"),
        .systemLibrary(name: "CTimer"),
        .executableTarget(name: "steady-load", dependencies: ["CTimer"], path: "Sources/SteadyLoad"),
    ],
    swiftLanguageModes: [.v6]
)
