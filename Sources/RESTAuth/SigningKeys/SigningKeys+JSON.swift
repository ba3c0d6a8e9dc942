import Foundation

extension SigningKeys.Description {
    /// The key as an object, of which nothing is secret.
    package var json: JSON {
        [
            "kid": .string(id), "alg": .string(algorithm), "state": .string(state.rawValue),
            "created_at": .string(createdAt.ISO8601Format()), "signs_from": .string(signsFrom.ISO8601Format()),
        ]
    }
}
