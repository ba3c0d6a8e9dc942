import RESTAuthServer
import Testing

@Suite struct ServiceLinksTests {
    @Test(arguments: [
        ("REST_AUTH_PORT", "tcp://10.96.0.12:80"), ("PORT", "tcp://10.96.0.12:80"),
        ("REST_AUTH_A_B_C_PORT_80_TCP", "tcp://h:80"), ("REST_AUTH_PORT_80_UDP_PROTO", "udp"),
        ("REST_AUTH_V2_SERVICE_PORT_HTTP_2", "80"), ("REST_AUTH_PORT_SERVICE_HOST", "fe80::1"),
        ("REST_AUTH_NAME", "/web/auth"), ("REST_AUTH_SERVICE_SERVICE_HOST", "10.0.0.1"),
    ])
    func aLinkIsToldByItsForm(name: String, value: String) {
        #expect(ServiceLinks.names(in: [name: value]) == [name])
    }

    @Test(arguments: [
        ("REST_AUTH_PORT", "5000"), ("PORT", "5000"), ("REST_AUTH_PORT", "tcp://10.96.0.12:80/"),
        ("REST_AUTH_PORT", "TCP://10.96.0.12:80"), ("REST_AUTH_PORT", "tcp://:80"), ("REST_AUTH_PORT", "tcp://h:"),
        ("REST_AUTH_PORT", "tcp://h:800000"), ("REST_AUTH_PORT", " tcp://h:80"), ("REST_AUTH_PORT_80", "tcp://h:80"),
        ("REST_AUTH_PORT_80_HTTP", "tcp://h:80"), ("REST_AUTH_PORT_80_TCP_ADDRESS", "10.0.0.1"),
        ("REST_AUTH_SERVICE", "10.0.0.1"), ("REST_AUTH_SERVICE_HOST_X", "10.0.0.1"), ("REST_AUTH_SERVICE_HOST", ""),
        ("REST_AUTH_NAME_X", "/web/auth"), ("REST_AUTH_NAME", "/web"), ("REST_AUTH_ENV_PATH", "/bin"),
        ("REST_AUTH_SECRET_KEY", "tcp://10.96.0.12:80"), ("RESTAUTH_PORT", "tcp://h:80"), ("REST_AUTH_", "tcp://h:80"),
        ("DATABASE_URL", "tcp://10.96.0.12:80"), ("LOG_LEVEL", "tcp://10.96.0.12:80"),
    ])
    func whatIsNotOfThatFormIsNone(name: String, value: String) {
        #expect(ServiceLinks.names(in: [name: value]).isEmpty)
    }

    @Test func theVariablesOfALinkedContainerAreThoseOfItsNameOnly() {
        let environment = ["REST_AUTH_NAME": "/web/auth", "REST_AUTH_ENV_HOME": "/", "REST_AUTH_DB_ENV_HOME": "/"]
        #expect(ServiceLinks.names(in: environment) == ["REST_AUTH_ENV_HOME", "REST_AUTH_NAME"])
    }
}
