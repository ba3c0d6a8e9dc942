/// A table of a room, by the names that all backends share: it moves from one to another, and a role
/// that serves may read and write it.
///
/// The names are those that the rooms declare and no others, so a backend may make its statements
/// from them.
/// What a backend keeps for itself, as a count that triggers maintain, is no column here: it comes
/// out right by inserting the rows.
package struct StoredTable: Sendable {
    package enum Kind: Sendable {
        case integer
        case text
        case bytes
        case time
        case boolean
        /// Moves as its 36 characters in lower case, whose order is that of the bytes.
        case uuid
    }

    package struct Column: Sendable {
        package let name: String
        package let kind: Kind
        package let isNullable: Bool

        init(_ name: String, _ kind: Kind, isNullable: Bool = false) {
            self.name = name
            self.kind = kind
            self.isNullable = isNullable
        }
    }

    /// Rows that come into being although nobody has stored anything.
    package enum FirstRows: Sendable {
        case none
        case any
        /// Those with that text in that column.
        case having(_ column: String, _ text: String)
    }

    package let name: String
    package let columns: [Column]
    package let firstRows: FirstRows
    /// Rows that an upgrade of the schema writes, by the text in a column: a database that has no
    /// others is empty.
    package let rowsOfUpgrades: (column: String, text: String)?
    private let keyLength: Int

    init(
        _ name: String, keyLength: Int = 1, firstRows: FirstRows = .none,
        rowsOfUpgrades: (column: String, text: String)? = nil, _ columns: [Column]
    ) {
        self.name = name
        self.firstRows = firstRows
        self.rowsOfUpgrades = rowsOfUpgrades
        self.keyLength = keyLength
        self.columns = columns
    }

    /// The columns that say which row it is, and in which order rows move; texts among them are
    /// compared byte by byte.
    package var key: ArraySlice<Column> { columns.prefix(keyLength) }

    /// Those values of a row that are its key.
    package func key(of row: TransferRow) -> TransferRow { Array(row.prefix(keyLength)) }
}
