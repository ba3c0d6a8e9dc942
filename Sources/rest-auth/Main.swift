import RESTAuthServer

@main
struct Main {
    static func main() async {
        await RESTAuthCommand.main()
    }
}
