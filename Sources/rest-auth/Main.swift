import RESTAuthServer

@main
struct Main {
    /// Not `async`: what runs such a one opens descriptors before it, with the numbers of standard
    /// input and output where these are closed.
    static func main() {
        RESTAuthCommand.start()
    }
}
