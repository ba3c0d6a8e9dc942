import RESTAuth

struct MetricsSettings: SettingGroup {
    static let title = "Metrics"

    let port = Setting(
        "metrics_port", \.metricsPort, SettingType.count(in: 1...65535, of: "port").or("none"),
        "Serve metrics for Prometheus on this port.")
    let hostname = Setting(
        "metrics_hostname", \.metricsAddress, .metricsAddress, "Address to serve metrics on, * for every one.")
}

extension Setting {
    static let metrics = MetricsSettings()
}

extension SettingType<ListenAddress> {
    fileprivate static let metricsAddress: SettingType<ListenAddress> = .init(
        placeholder: "address", range: "an address, or the name of one", text: \.text
    ) { found throws(AuthError) in
        let address: ListenAddress
        do throws(ListenAddress.Misreading) {
            address = try ListenAddress(found.value)
        } catch {
            throw found.refused(error.reason.replacing("--hostname", with: "--metrics-hostname"))
        }
        if case .unixSocket = address {
            throw found.refused("is a unix-domain socket, which Prometheus cannot read: write an address")
        }
        return address
    }
}
