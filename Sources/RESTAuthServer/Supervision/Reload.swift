import Foundation
import Logging
import RESTAuth
import ServiceLifecycle
import UnixSignals

/// A service that reloads what can change without a restart: TLS files, the list of breached
/// passwords, the log level.
///
/// On SIGHUP it reads all of them and the settings. It also checks the TLS files every few seconds,
/// so that a renewed certificate needs no signal. Files that cannot be used are logged, and the
/// previous ones stay in use.
struct Reload: Service {
    /// SIGHUP, trapped before the server reports that it is ready.
    let signals: UnixSignalsSequence
    let settings: Settings
    let source: SettingsSource
    /// Reads the settings file again; the environment of a process does not change.
    let read: @Sendable () throws -> SettingsSource
    /// `nil` without TLS, which only a restart turns on or off.
    let certificate: CertificateInUse?
    let passwords: Passwords
    let sink: LogSink
    let manager: ServiceManager
    let logger: Logger

    private enum Occasion: Sendable { case signal, look }

    private static let pause = Duration.seconds(5)

    func run() async throws {
        let (occasions, says) = AsyncStream.makeStream(of: Occasion.self, bufferingPolicy: .bufferingNewest(8))
        let inUse = InUse(settings: settings, source: source)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in signals.cancelOnGracefulShutdown() { says.yield(.signal) }
                says.finish()
            }
            if certificate != nil {
                group.addTask {
                    while !Task.isShuttingDownGracefully, !Task.isCancelled {
                        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
                        says.yield(.look)
                    }
                }
            }
            for await occasion in occasions {
                // Reading files here would block a thread of the cooperative pool.
                await withCheckedContinuation { done in
                    Thread {
                        switch occasion {
                        case .signal: takeUpAll(inUse)
                        case .look: takeUpCertificate(inUse)
                        }
                        done.resume()
                    }.start()
                }
            }
            group.cancelAll()
        }
    }

    /// The files and settings that are in use.
    ///
    /// Only one thread at a time uses it, which the compiler cannot see: ``run()`` waits for each
    /// thread to end before it starts the next, which also makes the writes of the previous thread
    /// visible.
    private final class InUse: @unchecked Sendable {
        var settings: Settings
        var source: SettingsSource
        var certificate: FileState
        var breached: FileState
        var breachedFile: String?
        /// The state of the TLS files at the last check. `refused` is their state when they could
        /// not be used.
        var seen: FileState
        var refused: FileState?

        init(settings: Settings, source: SettingsSource) {
            (self.settings, self.source) = (settings, source)
            certificate = settings.tls.state
            seen = certificate
            breachedFile = settings.breachedPasswords
            breached = FileState(of: [settings.breachedPasswords].compactMap(\.self))
        }
    }

    // MARK: On SIGHUP

    private func takeUpAll(_ inUse: InUse) {
        manager.reloading()
        let names = readSettings(inUse)
        let changes = [levelChange(inUse), certificateChange(inUse), breachedChange(inUse)].compactMap(\.self)
        var metadata: Logger.Metadata = ["changed": "\(changes.isEmpty ? "nothing" : changes.joined(separator: "; "))"]
        if !names.isEmpty { metadata["needs_restart"] = "\(names.joined(separator: ", "))" }
        logger.notice("read again on SIGHUP", metadata: metadata)
        manager.ready("serving")
    }

    /// - Returns: names of settings that changed and are only read at a start.
    private func readSettings(_ inUse: InUse) -> [String] {
        do {
            let source = try read()
            let settings = try Settings(source)
            let names = Setting.all.filter { source[$0]?.value != self.source[$0]?.value }
            (inUse.settings, inUse.source) = (settings, source)
            let isTaken: (Setting) -> Bool = { setting in
                switch setting {
                case Setting.log.level: true
                case Setting.passwords.breached: settings.auth.passwordPolicy == self.settings.auth.passwordPolicy
                case Setting.tls.certificate, Setting.tls.key: certificate != nil && settings.tls != nil
                default: false
                }
            }
            return names.filter { !isTaken($0) }.map(\.name)
        } catch {
            say("the settings cannot be used, so that those from before stay in force", error)
            return []
        }
    }

    private func levelChange(_ inUse: InUse) -> String? {
        let (level, before) = (inUse.settings.logLevel ?? .info, sink.level)
        guard level != before else { return nil }
        sink.level = level
        return "log level \(before) to \(level)"
    }

    private func certificateChange(_ inUse: InUse) -> String? {
        guard let certificate, let files = inUse.settings.tls else { return nil }
        let state = inUse.settings.tls.state
        do {
            certificate.replace(with: try files.configuration())
            let isNew = state != inUse.certificate
            (inUse.certificate, inUse.refused) = (state, nil)
            return isNew ? "TLS certificate \(files.certificate)" : nil
        } catch {
            inUse.refused = state
            say("the TLS files were not taken up, and the certificate from before stays in use", error)
            return nil
        }
    }

    private func breachedChange(_ inUse: InUse) -> String? {
        // The password policy is that of the start of the server.
        guard settings.auth.passwordPolicy == .nist else { return nil }
        let file = inUse.settings.breachedPasswords
        let state = FileState(of: [file].compactMap(\.self))
        guard state != inUse.breached || file != inUse.breachedFile else { return nil }
        do {
            let breached = try file.map { file throws(AuthError) in try BreachedPasswords(file: file) }
            passwords.refuse(breached)
            (inUse.breached, inUse.breachedFile) = (state, file)
            return breached.map { "breached passwords \(file ?? "") (\($0.count))" } ?? "no breached passwords"
        } catch {
            say("the list of breached passwords was not taken up, and the one from before stays in use", error)
            return nil
        }
    }

    // MARK: Checking the TLS files

    /// Loads a pair of TLS files whose state is the same in two checks, so that no pair is read
    /// between the writes of the certificate and its key. A pair that cannot be used is logged
    /// once.
    private func takeUpCertificate(_ inUse: InUse) {
        let state = inUse.settings.tls.state
        defer { inUse.seen = state }
        guard state != inUse.certificate, state != inUse.refused, state == inUse.seen else { return }
        guard let change = certificateChange(inUse) else { return }
        logger.notice("read again because it was replaced", metadata: ["changed": "\(change)"])
    }

    private func say(_ message: String, _ error: any Error) {
        let reason = (error as? AuthError)?.detail ?? "\(error)"
        logger.error("\(message)", metadata: ["error": "\(reason)"])
    }
}

extension TLSFiles? {
    fileprivate var state: FileState { FileState(of: map { [$0.certificate, $0.key] } ?? []) }
}
