/// Ids that an import passed by: it made the next id of the server greater than they are, and they
/// were never given to anybody, nor reserved. Only that import can still give them.
package struct PassedIDs: Sendable {
    /// Ascending, and apart from each other.
    private var ranges: [ClosedRange<User.ID>] = []

    /// Number of ranges beyond which the import ends.
    private let limit: Int

    /// - Parameter limit: number of ranges that are kept, of 16 bytes each. Users with all ids from
    ///   1 on, in the worst order, leave one range for every four of them.
    package init(limit: Int = 1 << 20) { self.limit = limit }

    /// Checks that all ranges could be kept.
    /// - Throws: `validation_failed`.
    func check() throws(AuthError) {
        guard ranges.count > limit else { return }
        throw AuthError(
            .validationFailed,
            "the ids leave more gaps than can be kept: sort the lines by id, and import them into a new database")
    }

    func contains(_ id: User.ID) -> Bool {
        let place = place(of: id)
        return place < ranges.count && ranges[place].lowerBound <= id
    }

    /// Adds the ids between two, each of which was the greatest one of the server.
    mutating func add(after last: User.ID, through greatest: User.ID) {
        if greatest > last { ranges.append(last + 1...greatest) }
    }

    /// Takes out ids that are given, or reserved.
    mutating func remove(_ ids: [User.ID]) {
        let ids = ids.filter(contains).sorted()
        guard let first = ids.first else { return }
        let start = place(of: first)
        var (rest, kept) = (ids[...], [ClosedRange<User.ID>]())
        for range in ranges[start...] {
            var lower = range.lowerBound
            while let id = rest.first, id <= range.upperBound {
                rest.removeFirst()
                if id > lower { kept.append(lower...id - 1) }
                lower = max(lower, id + 1)
            }
            if lower <= range.upperBound { kept.append(lower...range.upperBound) }
        }
        ranges.replaceSubrange(start..., with: kept)
    }

    /// The place of the first range that does not end before an id.
    private func place(of id: User.ID) -> Int {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = low + (high - low) / 2
            if ranges[middle].upperBound < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
