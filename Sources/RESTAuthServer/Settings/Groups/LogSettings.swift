import Logging

struct LogSettings: SettingGroup {
    static let title = "Log"

    let level = Setting(
        "log_level", \.logLevel, .choice, standard: "info; warning for commands", platformName: "LOG_LEVEL",
        "Lowest level that is logged.",
        details: "It is read again on SIGHUP.")
    let format = Setting(
        "log_format", \.logFormat, .choice, "Format of the log.",
        details: "Each event is one line on standard error.")
}

extension Setting {
    static let log = LogSettings()
}
