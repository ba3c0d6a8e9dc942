/// A value that is secret, or has a secret in it: printed, reflected or dumped it says "redacted",
/// and shows no property.
///
/// A type that has something to say beside its secret describes itself by that alone.
package protocol Redacted: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {}

extension Redacted {
    public var description: String { "redacted" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
