// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Notes",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "rest-auth", path: "../.."),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    ],
    targets: [
        .executableTarget(
            name: "Notes",
            dependencies: [
                .product(name: "RESTAuth", package: "rest-auth"),
                .product(name: "RESTAuthHummingbird", package: "rest-auth"),
                .product(name: "RESTAuthSQLite", package: "rest-auth"),
                .product(name: "Hummingbird", package: "hummingbird"),
            ]),
        .testTarget(
            name: "NotesTests",
            dependencies: ["Notes", .product(name: "HummingbirdTesting", package: "hummingbird")]),
    ]
)
