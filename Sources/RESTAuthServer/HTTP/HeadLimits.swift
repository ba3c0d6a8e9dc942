import HTTPTypes
import RESTAuth
import RESTAuthHummingbird

/// The limits on the head of a request, in bytes: its path and the names and values of its fields.
///
/// A proxy that calls `/api/verify` forwards the fields of a request to another application, with
/// the cookies of that application.
struct HeadLimits: Sendable {
    /// Limit of the whole head. The path, and each field, may take up to half of it.
    var ordinary = 16 << 10
    /// Limit of the whole head at `/api/verify`, where one field may take all of it.
    var verify = 32 << 10

    /// The values that each limit may have.
    static let range = 4096...(1 << 20)

    struct Exceeded: Error {}

    /// The limit that the parser applies, which does not know the path yet.
    var largest: Int { max(ordinary, verify) }

    /// The total and the largest size among the parts of one head.
    struct Sizes {
        private(set) var total = 0
        private(set) var longest = 0

        mutating func add(_ size: Int) {
            total += size
            longest = max(longest, size)
        }
    }

    func admit(_ sizes: Sizes, path: String) -> Bool {
        let isSmall = sizes.total <= ordinary && sizes.longest <= ordinary / 2
        // Nearly every head is small, and then its path does not matter.
        if isSmall, sizes.total <= verify { return true }
        return WireText(path).isVerifyPath ? sizes.total <= verify : isSmall
    }

    func admit(_ head: HTTPRequest) -> Bool {
        var sizes = Sizes()
        let path = head.path ?? ""
        sizes.add(path.utf8.count)
        for field in head.headerFields { sizes.add(field.name.rawName.utf8.count + field.value.utf8.count) }
        return admit(sizes, path: path)
    }
}
