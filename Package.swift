// swift-tools-version: 6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// The shipped program has the Swift libraries inside, so that it runs where there is no Swift, and
/// no debugging information but the names. Only its link says so: the tests link the same object
/// files.
let selfContained: [LinkerSetting] =
    [
        .unsafeFlags(
            ["-static-stdlib", "-Xlinker", "--strip-debug"], .when(platforms: [.linux], configuration: .release))
    ]
    // What Foundation is made of, each before what it needs.
    + [
        "Foundation", "FoundationInternationalization", "FoundationEssentials", "CoreFoundation", "_FoundationICU",
        "_FoundationCShims", "_FoundationCollections",
    ].map { .linkedLibrary($0, .when(platforms: [.linux], configuration: .release)) }

/// Tests are compiled as fast as can be; what they test is compiled as it is shipped.
let testSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"), .unsafeFlags(["-Onone"], .when(configuration: .release)),
]

let package = Package(
    name: "rest-auth",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "rest-auth", targets: ["rest-auth"]),
        .library(name: "RESTAuth", targets: ["RESTAuth"]),
        .library(name: "RESTAuthSQLite", targets: ["RESTAuthSQLite"]),
        .library(name: "RESTAuthPostgres", targets: ["RESTAuthPostgres"]),
        .library(name: "RESTAuthHummingbird", targets: ["RESTAuthHummingbird"]),
        .library(name: "RESTAuthVerifier", targets: ["RESTAuthVerifier"]),
        .library(name: "RESTAuthTesting", targets: ["RESTAuthTesting"]),
        .library(name: "PasswordHashing", targets: ["PasswordHashing"]),
    ],
    dependencies: [
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: ["FullFoundation"]),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        // SettingsOptions depends on how ArgumentParser reflects and decodes options, which may
        // change in any minor version.
        .package(url: "https://github.com/apple/swift-argument-parser", .upToNextMinor(from: "1.8.2")),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CSodium", pkgConfig: "libsodium",
            providers: [.apt(["libsodium-dev"]), .brew(["libsodium"])]),
        .systemLibrary(
            name: "CCrypt", pkgConfig: "libxcrypt",
            providers: [.apt(["libcrypt-dev"]), .brew(["libxcrypt"])]),
        .systemLibrary(
            name: "CLibpq", pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .systemLibrary(
            name: "CQRencode", pkgConfig: "libqrencode",
            providers: [.apt(["libqrencode-dev"]), .brew(["qrencode"])]),
        .systemLibrary(name: "CLinux"),
        .target(
            name: "PasswordHashing",
            dependencies: [
                "CSodium", "CCrypt",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: swiftSettings),
        .target(
            name: "RESTAuth",
            dependencies: [
                "PasswordHashing", "CZlib",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [.embedInCode("Resources/common-passwords.filter")],
            swiftSettings: swiftSettings),
        .target(
            name: "RESTAuthSQLite",
            dependencies: [
                "RESTAuth", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings),
        .target(
            name: "RESTAuthPostgres",
            dependencies: [
                "RESTAuth", "CLibpq", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings),
        .target(
            name: "RESTAuthHummingbird",
            dependencies: [
                "RESTAuth", "CZlib", "CQRencode",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings),
        .target(
            name: "RESTAuthVerifier",
            dependencies: [
                "RESTAuth",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings),
        .target(
            name: "RESTAuthTesting",
            dependencies: ["RESTAuth"],
            swiftSettings: swiftSettings),
        .target(
            name: "RESTAuthServer",
            dependencies: [
                "RESTAuth", "RESTAuthSQLite", "RESTAuthPostgres", "RESTAuthHummingbird", "PasswordHashing",
                .target(name: "CLinux", condition: .when(platforms: [.linux])),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Yams", package: "Yams"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdHTTP2", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            resources: [.embedInCode("Resources/openapi.yaml")],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "rest-auth", dependencies: ["RESTAuthServer"], swiftSettings: swiftSettings,
            linkerSettings: selfContained),
        // The example, compiled with the house so that it keeps compiling; who copies it takes its
        // own Package.swift.
        .executableTarget(
            name: "Notes",
            dependencies: [
                "RESTAuth", "RESTAuthHummingbird", "RESTAuthSQLite",
                .product(name: "Hummingbird", package: "hummingbird"),
            ],
            path: "Examples/Notes/Sources/Notes", packageAccess: false,
            // Its tests reach into it.
            swiftSettings: [.unsafeFlags(["-enable-testing"])]),
        .testTarget(
            name: "NotesTests",
            dependencies: [
                "Notes", "RESTAuth", "RESTAuthSQLite", .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
            ],
            path: "Examples/Notes/Tests/NotesTests", swiftSettings: testSettings),
        // What an adopter does with a backend of the own: like the example, it sees what is public.
        .testTarget(
            name: "AdopterTests", dependencies: ["RESTAuth", "RESTAuthSQLite", "RESTAuthTesting"],
            packageAccess: false, swiftSettings: testSettings),
        .target(name: "Support", path: "Tests/Support", swiftSettings: testSettings),
        .target(
            name: "Authenticators",
            dependencies: [
                "RESTAuth", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            path: "Tests/Authenticators", swiftSettings: testSettings),
        .testTarget(
            name: "RESTAuthTests",
            dependencies: [
                "Authenticators", "RESTAuth", "RESTAuthSQLite", "RESTAuthTesting", "PasswordHashing", "Support",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: testSettings),
        .testTarget(
            name: "StorageTests",
            dependencies: [
                "RESTAuth", "RESTAuthSQLite", "RESTAuthPostgres", "RESTAuthTesting", "Support",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: testSettings),
        .testTarget(
            name: "HTTPTests",
            dependencies: [
                "Authenticators", "RESTAuth", "RESTAuthHummingbird", "RESTAuthPostgres", "RESTAuthServer",
                "RESTAuthSQLite", "RESTAuthTesting", "RESTAuthVerifier", "Support",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: testSettings),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "RESTAuthServer", "RESTAuthSQLite", "Support",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: testSettings),
    ],
    swiftLanguageModes: [.v6]
)
