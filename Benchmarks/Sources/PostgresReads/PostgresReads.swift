import RESTAuthPostgres

/// How often rest-auth's storage on PostgreSQL reads a user by id when nothing else is in the way,
/// HTTP least of all: many tasks, each with one read under way. Prints one line of JSON.
@main
struct PostgresReads {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let numbers = arguments.dropFirst(2).compactMap { Int64($0) }
        guard arguments.count == 5, numbers.count == 3, numbers.allSatisfy({ $0 > 0 }) else {
            fatalError("usage: postgres-reads URL USERS TASKS SECONDS")
        }
        let (users, tasks, seconds) = (numbers[0], Int(numbers[1]), numbers[2])
        let storage = try await PostgresStorage(PostgresConfiguration(url: arguments[1]))
        try await read(1, from: storage)  // the connection is open from now on

        let clock = ContinuousClock()
        let start = clock.now
        let count = try await reads(of: users, from: storage, until: start + .seconds(seconds), tasks: tasks)
        // The last reads end after the deadline: divide by the time that really passed.
        let elapsed = (clock.now - start) / .seconds(1)
        print(#"{"tasks":\#(tasks),"per_second":\#(Double(count) / elapsed)}"#)
    }

    @concurrent
    static func reads(
        of users: Int64, from storage: PostgresStorage, until deadline: ContinuousClock.Instant, tasks: Int
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<tasks {
                group.addTask { try await reads(of: users, from: storage, until: deadline) }
            }
            return try await group.reduce(0, +)
        }
    }

    /// Reads random users, one after the other, and counts them.
    static func reads(of users: Int64, from storage: PostgresStorage, until deadline: ContinuousClock.Instant)
        async throws -> Int
    {
        var count = 0
        while ContinuousClock.now < deadline {
            try await read(.random(in: 1...users), from: storage)
            count += 1
        }
        return count
    }

    static func read(_ id: Int64, from storage: PostgresStorage) async throws {
        guard try await storage.user(id: id) != nil else { fatalError("there is no user \(id)") }
    }
}
