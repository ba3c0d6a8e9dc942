import Foundation
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import RESTAuthServer
import Support
import Testing
import Yams

/// Every list that is read in pages reads its query alike, and strictly.
@Suite(.server()) struct ListQueryTests {
    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../openapi.yaml").standardizedFileURL

    private let server: RunningServer
    private let lists: [List]

    /// A described `GET` with `limit`.
    private struct List {
        let path: String
        let parameters: [String]
    }

    init() throws {
        server = try SharedServer.current()
        let document = try #require(Yams.load(yaml: String(contentsOf: Self.file, encoding: .utf8)) as? [String: Any])
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        lists = try paths.compactMap { path, operations in
            guard let get = operations["get"] as? [String: Any] else { return nil }
            let parameters = try (get["parameters"] as? [[String: Any]] ?? []).filter { $0["in"] as? String != "path" }
                .map { parameter in
                    // `limit` is the only one that lists have in common.
                    try #require(
                        parameter["name"] as? String
                            ?? ((parameter["$ref"] as? String)?.hasSuffix("/Limit") == true ? "limit" : "-"))
                }
            return parameters.contains("limit") ? List(path: path, parameters: parameters) : nil
        }
    }

    private func send(_ list: List, _ query: String, as account: Account, id: Int) async throws -> HTTPAnswer {
        let path = list.path.replacing(/\{\w+\}/, with: "\(id)")
        return try await server.send("GET", "\(path)?\(query)", as: account)
    }

    @Test func everyListIsRead() async throws {
        #expect(lists.count >= 11)
        let boss = try await server.newOperator()
        for list in lists {
            for query in ["", "&", "limit=1", "limit=100", "limit=007", "limit=%31", "&limit=1&&"] {
                let answer = try await send(list, query, as: boss, id: boss.id)
                #expect(answer.status == 200, "\(list.path)?\(query): \(answer.body)")
                #expect((answer.json["pagination"] as? [String: Any])?["limit"] is Int)
            }
        }
    }

    private static let noPages = [
        "limit=0", "limit=101", "limit=-1", "limit=1e3", "limit=", "limit", "limit=%FF", "limit=1%00", "limit=+1",
        "limit=%2B1", "limit=1.0", "limit=0x1", "limit=1%2", "limit=%", "limit=%zz", "limit=99999999999999999999",
        "limit=1&limit=1", "limit=1&limit=2", "limit=1&limit=x", "limit=%EF%BC%91",
        "after=%FF", "after=%C3", "after=%ED%A0%80", "after=%00", "after=1%00", "after=", "after=%F0%9F%98%80%FF",
        "after=1&after=1",
    ]

    @Test func whatIsNoPageIsRefused() async throws {
        let boss = try await server.newOperator()
        for list in lists {
            for query in Self.noPages {
                let answer = try await send(list, query, as: boss, id: boss.id)
                let field = query.hasPrefix("limit") ? "/limit" : "/after"
                #expect(answer.status == 400 && answer.code == "validation_failed", "\(list.path)?\(query)")
                #expect(answer.pointer == field, "\(list.path)?\(query): \(answer.body)")
            }
        }
    }

    private static let unknown = [
        "limits=1", "Limit=1", "li%6Dit=1", "limit%20=1", "limit%00=1", "%FF=1", "%", "=1", "=", "page=2", "limit[]=1",
        "limit=1;after=1", "limit=1&x=%FF", "x", "offset=1", "__proto__=1", "limit\u{301}=1",
    ]

    @Test func aParameterThatNoListKnowsIsRefused() async throws {
        let boss = try await server.newOperator()
        for list in lists {
            for query in Self.unknown {
                let answer = try await send(list, query, as: boss, id: boss.id)
                #expect(answer.status == 400, "\(list.path)?\(query): \(answer.status)")
            }
        }
    }

    /// Every parameter that a list has, and not only those of pages.
    @Test func noParameterComesTwiceOrAsOtherThanText() async throws {
        let boss = try await server.newOperator()
        for list in lists {
            for name in list.parameters {
                for value in ["%FF", "a%C3", "%00", "a%00b", "%", "%4", "%G0"] {
                    let answer = try await send(list, "\(name)=\(value)", as: boss, id: boss.id)
                    #expect(answer.status == 400, "\(list.path)?\(name)=\(value)")
                    #expect(answer.pointer == "/\(name)", "\(list.path)?\(name)=\(value): \(answer.body)")
                }
                // An event is one of several that are asked for.
                guard name != "event" else { continue }
                let answer = try await send(list, "\(name)=1&\(name)=1", as: boss, id: boss.id)
                #expect(answer.status == 400, "\(list.path)?\(name) twice")
            }
        }
    }

    /// The place where a page of one list ends is none in a list of another kind.
    @Test func aCursorOfAnotherListIsRefused() async throws {
        let boss = try await server.newOperator()
        _ = (try await server.newAccount(), try await server.signIn(boss))
        let session = try await server.send("GET", "/api/me/sessions?limit=1", as: boss).entries.first?["id"] as? String
        let users = try await server.send("GET", "/api/operator/users?limit=1", as: boss).next
        for cursor in [try #require(session), try #require(users), "W10", "!", "a%20b", "-1", "%22"] {
            // Any id of a service account is a place between two of them.
            for list in lists where list.path != "/api/operator/service-accounts" {
                guard !(cursor == session && list.path.hasSuffix("/sessions")),
                    !(cursor == users && list.path == "/api/operator/users")
                else { continue }
                let answer = try await send(list, "after=\(cursor)", as: boss, id: boss.id)
                #expect(answer.status == 400 && answer.pointer == "/after", "\(list.path)?after=\(cursor)")
            }
        }
    }

    /// The routes of the contract take what they do not know, and so does who asks for a proxy.
    @Test func theContractIgnoresWhatItDoesNotKnow() async throws {
        let miguel = try await server.newAccount()
        for path in ["/api/users/\(miguel.id)", "/api/user/\(miguel.id)", "/api/token", "/api/resource"] {
            for query in ["x=1", "limit=0", "x=%FF", "limit=1&limit=2", "%"] {
                let answer = try await server.send("GET", "\(path)?\(query)", as: miguel)
                #expect(answer.status == 200, "\(path)?\(query)")
            }
        }
        #expect(try await server.send("GET", "/api/verify/x?limit=0", as: miguel).status == 200)
    }

    @Test(arguments: ["since=%FF", "since=0&since=0", "sinse=0", "since=0&x=1", "since=%00", "since=", "since=-1"])
    func theListOfRevocationsReadsItsQueryAlike(query: String) async throws {
        let answer = try await server.send("GET", "/api/revocations?\(query)")
        #expect(answer.status == 400 && answer.code == "validation_failed", "\(answer.body)")
    }
}
