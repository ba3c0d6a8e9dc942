import CBenchSodium
import Foundation
import Synchronization

/// The ceiling of a login: how often this machine can verify an Argon2id hash at rest-auth's
/// default cost when it does nothing else. Prints one line of JSON.
@main
struct Argon2Loop {
    static let passes: UInt64 = 2
    static let memory = 19456 * 1024
    static let password = "python"

    static func main() {
        let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        guard arguments.count == 2, arguments.allSatisfy({ $0 > 0 }) else {
            fatalError("usage: argon2-loop THREADS SECONDS")
        }
        guard sodium_init() >= 0 else { fatalError("libsodium cannot start") }
        let (threads, seconds) = (arguments[0], arguments[1])
        let hash = makeHash()

        // Threads of our own and not a pool's, which might run one after another what has to run at
        // the same time.
        let total = Mutex(0.0)
        let finished = DispatchGroup()
        for _ in 0..<threads {
            finished.enter()
            Thread.detachNewThread {
                let rate = verificationsPerSecond(of: hash, for: .seconds(seconds))
                total.withLock { $0 += rate }
                finished.leave()
            }
        }
        finished.wait()
        print(#"{"threads":\#(threads),"per_second":\#(total.withLock { $0 })}"#)
    }

    static func makeHash() -> [CChar] {
        var hash = [CChar](repeating: 0, count: Int(crypto_pwhash_STRBYTES))
        let outcome = crypto_pwhash_str_alg(
            &hash, password, UInt64(password.utf8.count), passes, memory, crypto_pwhash_ALG_ARGON2ID13)
        guard outcome == 0 else { fatalError("not enough memory for one hash") }
        return hash
    }

    static func verificationsPerSecond(of hash: [CChar], for duration: Duration) -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        var count = 0.0
        while clock.now < start + duration {
            guard crypto_pwhash_str_verify(hash, password, UInt64(password.utf8.count)) == 0 else {
                fatalError("the hash does not verify")
            }
            count += 1
        }
        // The last verification ends after the deadline: divide by the time that really passed.
        return count / ((clock.now - start) / .seconds(1))
    }
}
