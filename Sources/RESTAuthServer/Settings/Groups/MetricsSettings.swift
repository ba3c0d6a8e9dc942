import RESTAuth

struct MetricsSettings: SettingGroup {
    static let title = "Metrics"

    let port = Setting(
        "metrics_port", \.metricsPort, SettingType.count(in: 1...65535, of: "port").or("none"),
        "Port on which to serve metrics for Prometheus.")
    let hostname = Setting(
        "metrics_hostname", \.metricsAddress, .metricsAddress,
        "Address on which to serve metrics, * for all addresses.")
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
