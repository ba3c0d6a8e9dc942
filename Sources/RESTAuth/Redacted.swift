/// A value that is or contains a secret. Printed, reflected or dumped it says "redacted" and shows
/// no property.
///
/// A type with something to show besides its secret has a description of that alone.
package protocol Redacted: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {}

extension Redacted {
    public var description: String { "redacted" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
