import Foundation
import Support

/// A database for one test, into which users are imported, and the files that they come from.
struct ImportDesk {
    let directory: TemporaryDirectory
    let database: TestDatabase

    init() async throws {
        directory = try TemporaryDirectory()
        database = try await directory.database()
    }

    func users(_ arguments: String..., input: String? = nil, bytes: [UInt8]? = nil) async throws -> CommandOutcome {
        try await users(arguments, input: input, bytes: bytes)
    }

    func users(_ arguments: [String], input: String? = nil, bytes: [UInt8]? = nil) async throws -> CommandOutcome {
        try await runCommand(
            ["users"] + arguments + ["--database", database.url], environment: database.environment,
            directory: directory, input: input, bytes: bytes)
    }

    /// The path of a file that the commands did not make.
    func path(_ name: String) -> String { "\(directory.path)/process-\(name)" }

    func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    func listed() async throws -> [[String: Any]] {
        try await users("list", "--json").output.split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
    }

    func names() async throws -> [String] { try await listed().compactMap { $0["username"] as? String } }

    /// Whether there are any users; `false` where there is no database either.
    func isAnyoneThere() async throws -> Bool { try await !users("list").output.isEmpty }

    /// Ids of the users, by name.
    func ids() async throws -> [String: Int] {
        Dictionary(
            uniqueKeysWithValues: try await listed().compactMap { user in
                guard let name = user["username"] as? String, let id = user["id"] as? Int else { return nil }
                return (name, id)
            })
    }

    /// Creation times of the users, by name.
    func times() async throws -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: try await listed().compactMap { user in
                guard let name = user["username"] as? String, let time = user["created_at"] as? String else {
                    return nil
                }
                return (name, time)
            })
    }
}

/// Hashes of the password `python`, as other programs write them.
enum PythonHash {
    static let bcrypt = "$2b$04$1gm0XQxrn5PfEedWx.jOtuS24yILj9JdftrLkHmDAQRkq2d3H/n3G"
    static let argon2 =
        "$argon2id$v=19$m=64,t=2,p=1$ZjrrBfxvbB7B7QmHeAgHpA$bubJPFW3Y1keJKCsMoMp3rKKVaFEDw6G8l2bIbWEIjk"
}

/// The text as Windows writes it, in UTF-16 without a byte order mark.
func utf16(_ text: String, isBigEndian: Bool = false) -> [UInt8] {
    var bytes: [UInt8] = []
    for unit in text.utf16 {
        let pair = [UInt8(unit & 0xFF), UInt8(unit >> 8)]
        bytes += isBigEndian ? pair.reversed() : pair
    }
    return bytes
}
