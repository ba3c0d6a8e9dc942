/// A table of a room, by the names that all backends share. Its rows are moved from one backend to
/// another, and the database role of a server may read and write it.
///
/// The names are those that the rooms declare and no others, so a backend may build statements from
/// them. Columns that a backend maintains by itself, such as a count kept by triggers, are not
/// listed: they come out right when the rows are inserted.
package struct StoredTable: Sendable {
    package enum Kind: Sendable {
        case integer
        case text
        case bytes
        case time
        case boolean
        /// A UUID, moved as its 36 characters in lower case, which sort as its bytes do.
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

    /// Rows that a new database has before anything was stored.
    package enum FirstRows: Sendable {
        case none
        case any
        /// Rows with that text in that column.
        case having(_ column: String, _ text: String)
    }

    package let name: String
    package let columns: [Column]
    package let firstRows: FirstRows
    /// Column and text that mark the rows written by an upgrade of the schema; a table with no
    /// other rows counts as empty.
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

    /// The columns of the primary key, by which rows are ordered when they are moved; texts among
    /// them are compared byte by byte.
    package var key: ArraySlice<Column> { columns.prefix(keyLength) }

    /// The key's values in a row.
    package func key(of row: TransferRow) -> TransferRow { Array(row.prefix(keyLength)) }
}
