import CQRencode
import RESTAuth

/// A text as a QR code (ISO/IEC 18004), for a camera to read.
package struct QRCode: Sendable {
    /// Number of modules along a side.
    package let side: Int
    /// Whether each module is dark, row by row.
    private let modules: [Bool]

    /// Width of the white margin in modules (ISO/IEC 18004 section 6.3.8).
    package static let quietZone = 4

    /// Encodes a text; `nil` if it is empty, or longer than 2,331 bytes.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, let count = Int32(exactly: bytes.count),
            // The smallest size, at the level that survives 15 % of damage.
            let code = QRcode_encodeData(count, bytes, 0, QR_ECLEVEL_M)
        else { return nil }
        defer { QRcode_free(code) }
        side = Int(code.pointee.width)
        modules = UnsafeBufferPointer(start: code.pointee.data, count: side * side).map { $0 & 1 == 1 }
    }

    /// The picture: black on a white ground of its own, so that it can be read on a dark page, too.
    /// It fills the place that it is put in, has a label for screen readers, and has the text only
    /// as modules.
    package var svg: String {
        let size = side + 2 * Self.quietZone
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(size) \(size)" role="img" aria-label="QR code for \
            an authenticator app" shape-rendering="crispEdges"><rect width="\(size)" height="\(size)" fill="#fff"/>\
            <path stroke="#000" d="\((0..<side).map(path(ofRow:)).joined())"/></svg>
            """
    }

    /// Draws the dark modules of a row as lines one module wide.
    private func path(ofRow row: Int) -> String {
        var path = ""
        var (end, start) = (0, 0)
        let dark = modules.dropFirst(row * side).prefix(side)
        for (column, isDark) in zip(1..., dark + [false]) {
            if isDark { continue }
            let length = column - 1 - start
            if length > 0 {
                path +=
                    path.isEmpty
                    ? "M\(start + Self.quietZone) \(row + Self.quietZone).5h\(length)" : "m\(start - end) 0h\(length)"
                end = column - 1
            }
            start = column
        }
        return path
    }
}

extension QRCode: Redacted {}
