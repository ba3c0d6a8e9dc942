import HTTPTypes
import RESTAuth

extension HTTPRequest {
    /// Refuses a token in the query: a request has one token, in its `Authorization` field (RFC
    /// 6750 section 2), and a URL is kept and shown in places that are no place for it (section
    /// 5.3).
    /// - Throws: `invalid_request`, whether or not there is such a field.
    func refuseTokenInQuery() throws(AuthError) {
        guard !hasTokenInQuery else {
            throw AuthError(
                .invalidRequest, "a token is taken from the Authorization field only, and here the query has one, too")
        }
    }

    /// Whether the query has a parameter `access_token`, with or without a value, and however its
    /// name is escaped. A path without a query is only searched for one.
    var hasTokenInQuery: Bool {
        guard let query = path.map({ WireText($0).from("?") })?.after("?") else { return false }
        return query.parts(at: "&").contains { parameter in
            let name = FormBody.decode(Array(parameter.before("=").bytes)[...])
            return name.map { WireText($0).equals("access_token") } ?? false
        }
    }
}
