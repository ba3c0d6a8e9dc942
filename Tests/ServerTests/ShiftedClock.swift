import Support
import Testing

extension TemporaryDirectory {
    /// Compiles the library that sets a program's clock forward by `CLOCK_SHIFT` seconds.
    /// - Returns: its path, for `LD_PRELOAD`.
    func shiftedClock() async throws -> String {
        let library = "\(path)/process-clock.so"
        let source = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/shifted_clock.c").path
        let compiler = try ExternalProcess(
            ExternalProcess.program("clang"), ["-shared", "-fPIC", "-o", library, source], directory: self)
        #expect(try await compiler.exitStatus() == 0, "\(compiler.errorText)")
        return library
    }
}
