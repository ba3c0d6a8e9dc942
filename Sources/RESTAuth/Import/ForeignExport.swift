import Foundation

/// The users in another system's export, recognised by members that only that system has.
///
/// Roles and groups are not read: they have another meaning in another system.
enum ForeignExport {
    case auth0, cognito, firebase, goTrue, keycloak

    /// The members by which each system is recognised: all of one of these lists.
    private static let members: [(ForeignExport, [String])] = [
        (.firebase, ["localId"]),
        (.cognito, ["Username", "UserStatus"]), (.cognito, ["Username", "Attributes"]),
        (.cognito, ["cognito:username"]),
        (.goTrue, ["encrypted_password"]), (.goTrue, ["aud", "role", "email"]),
        (.keycloak, ["username", "credentials"]), (.keycloak, ["username", "createdTimestamp"]),
        (.keycloak, ["username", "enabled"]),
        (.auth0, ["user_id", "email"]), (.auth0, ["user_id", "username"]), (.auth0, ["user_id", "phone_number"]),
        (.auth0, ["_id", "passwordHash"]), (.auth0, ["_id", "tenant", "connection"]),
    ]

    /// - Parameter names: names of all members of an object, or of all columns of a list.
    /// - Returns: `nil` for names with `password_hash`, which no other system uses: such a list is
    ///   in this server's own format, and its unknown names are refused.
    init?(of names: Set<WireText>) {
        guard !names.contains(where: { $0.isWord("password_hash") }) else { return nil }
        let found = Self.members.first { $0.1.allSatisfy { names.contains(WireText($0)) } }
        guard let (export, _) = found else { return nil }
        self = export
    }

    /// - Parameters:
    ///   - object: an object of the export.
    ///   - place: its place in the source.
    ///   - parameters: parameters of the Firebase project that made the hashes.
    ///   - now: the time to compare the end of a ban with.
    func user(
        _ object: JSON, _ place: ImportPlace, firebase parameters: FirebaseParameters?, now: Date
    ) throws(UnreadableUser) -> ForeignUser {
        var fields = UserFields(place: place)
        fields.id = id(of: object)
        switch self {
        case .auth0: try Self.auth0(object, &fields)
        case .cognito: try Self.cognito(object, &fields)
        case .firebase: try Self.firebase(object, &fields, parameters)
        case .goTrue: try Self.goTrue(object, &fields, now)
        case .keycloak: try Self.keycloak(object, &fields)
        }
        guard fields.username != nil else {
            throw UnreadableUser(reason: "there is neither a user name nor a mail address to be one")
        }
        return try fields.user()
    }

    /// The user's id, where the system has numeric ids.
    func id(of object: JSON) -> Int64? {
        switch self {
        // Auth0's ids are `auth0|…`; a number comes from another system's list with the same names.
        case .auth0: Self.number(object["user_id"])
        // A UUID in GoTrue, a number in Devise.
        case .goTrue: Self.number(object["id"])
        case .cognito, .firebase, .keycloak: nil
        }
    }

    private static func number(_ value: JSON?) -> Int64? { try? ForeignValue.id(value, .id) }

    /// The first of these members that is a text and not empty.
    private static func text(_ object: JSON, _ names: String...) -> String? {
        names.lazy.compactMap { object[$0]?.string }.first { !$0.isEmpty }
    }

    // MARK: Systems

    /// Reads the output of Auth0's job "export users" (JSON lines, or CSV), and the list with
    /// hashes that Auth0's support sends.
    private static func auth0(_ object: JSON, _ fields: inout UserFields) throws(UnreadableUser) {
        fields.username = text(object, "username", "email", "phone_number")
        fields.passwordHash = text(object, "passwordHash")
        fields.createdAt = try ForeignValue.time(object["created_at"], .createdAt)
        fields.isDisabled = try ForeignValue.isTrue(object["blocked"], .disabled)
    }

    /// Reads the output of `aws cognito-idp list-users`, and the columns of Cognito's own lists.
    /// Cognito does not export hashes.
    private static func cognito(_ object: JSON, _ fields: inout UserFields) throws(UnreadableUser) {
        var attributes: [String: String] = [:]
        if case .array(let elements)? = object["Attributes"] ?? object["UserAttributes"] {
            for element in elements {
                if let name = element["Name"]?.string { attributes[name] = element["Value"]?.string }
            }
        }
        let given = text(object, "Username", "cognito:username")
        let isNumber = given != nil && given == attributes["sub"]
        fields.username =
            (isNumber ? nil : given) ?? attributes["preferred_username"] ?? attributes["email"]
            ?? attributes["phone_number"] ?? text(object, "email", "phone_number")
        fields.createdAt = try ForeignValue.time(object["UserCreateDate"], .createdAt)
        fields.isDisabled = try ForeignValue.isTrue(object["Enabled"] ?? object["enabled"], .disabled).map { !$0 }
    }

    /// Reads the output of `firebase auth:export users.json`.
    private static func firebase(
        _ object: JSON, _ fields: inout UserFields, _ parameters: FirebaseParameters?
    ) throws(UnreadableUser) {
        fields.username = text(object, "email", "phoneNumber")
        if let hash = text(object, "passwordHash") {
            fields.passwordHash = parameters?.hash(hash, salt: text(object, "salt") ?? "") ?? hash
        }
        fields.createdAt = try ForeignValue.time(object["createdAt"], .createdAt)
        fields.isDisabled = try ForeignValue.isTrue(object["disabled"], .disabled)
    }

    /// Reads the table `auth.users` of GoTrue, which Supabase uses, as JSON or CSV; the answer of
    /// its `/admin/users`, without hashes; and the table of Devise, whose column has the same name.
    private static func goTrue(_ object: JSON, _ fields: inout UserFields, _ now: Date) throws(UnreadableUser) {
        fields.username = text(object, "username", "email", "phone")
        fields.passwordHash = text(object, "encrypted_password")
        fields.createdAt = try ForeignValue.time(object["created_at"], .createdAt)
        let isDeleted = object["deleted_at"].map { !isAbsent($0) } ?? false
        let isBanned = object["banned_until"].map { value in
            guard !isAbsent(value) else { return false }
            // A permanent ban has no date.
            return (try? ForeignValue.time(value, .disabledAt)).flatMap { $0 }.map { $0 > now } ?? true
        }
        fields.isDisabled = isDeleted || isBanned == true
    }

    private static func isAbsent(_ value: JSON) -> Bool {
        switch value {
        case .null: true
        case .string(let text): ForeignValue.isAbsent(WireText(text))
        default: false
        }
    }

    /// Reads a user of an exported Keycloak realm.
    private static func keycloak(_ object: JSON, _ fields: inout UserFields) throws(UnreadableUser) {
        fields.username = text(object, "username", "email")
        if case .array(let credentials)? = object["credentials"],
            let password = credentials.first(where: {
                $0["type"]?.string.map { WireText($0).equals("password") } == true
            })
        {
            // The credential is kept as JSON: `KeycloakCredential` parses it.
            fields.passwordHash = String(decoding: password.bytes, as: UTF8.self)
        }
        fields.createdAt = try ForeignValue.time(object["createdTimestamp"], .createdAt)
        fields.isDisabled = try ForeignValue.isTrue(object["enabled"], .disabled).map { !$0 }
    }
}

// MARK: - Firebase's hash parameters

/// The parameters that all hashes of a Firebase project share, as its console shows them.
public struct FirebaseParameters: Sendable {
    private let prefix: String

    /// - Parameter path: path of a file with the text `hash_config { … }`. It contains the
    ///   project's signer key, which is a secret.
    /// - Throws: `misconfigured` when the file cannot be read or lacks a parameter.
    public init(reading path: String) throws(AuthError) {
        let lines = try LineReader(path: path)
        var values: [String: String] = [:]
        while let line = try lines.next() {
            guard let text = String(validating: line.bytes, as: UTF8.self) else { continue }
            let pair = WireText(text).trimmingEnd("\r")
            let value = WireText(Substring(pair.from(":").bytes.dropFirst())).parts(at: ",").first
            values[pair.before(":").trimmed.string] = value?.string
        }
        guard let key = values["base64_signer_key"], let separator = values["base64_salt_separator"],
            let rounds = values["rounds"], let memory = values["mem_cost"], Base64.padded.decode(key.utf8) != nil,
            Base64.padded.decode(separator.utf8) != nil,
            [rounds, memory].allSatisfy({ WireText($0).isDigits })
        else {
            throw AuthError(
                .misconfigured,
                """
                \(path) must have base64_signer_key, base64_salt_separator, rounds and mem_cost of the project, as the \
                console of Firebase shows them under Authentication, "Password hash parameters"
                """)
        }
        prefix = "$fbscrypt$v=1,n=\(memory),r=\(rounds),p=1,ss=\(separator),sk=\(key)"
    }

    /// The hash together with its salt and the parameters, as one text.
    func hash(_ hash: String, salt: String) -> String {
        "\(prefix)$\(Self.ordinary(salt))$\(Self.ordinary(hash))"
    }

    /// Converts from the URL-safe base64 alphabet, which exports use.
    private static func ordinary(_ base64: String) -> String {
        let digits = base64.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            default: byte
            }
        }
        return String(decoding: digits, as: UTF8.self)
    }
}

extension FirebaseParameters: Redacted {}
