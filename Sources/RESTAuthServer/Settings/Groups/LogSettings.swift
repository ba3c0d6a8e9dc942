import Logging

struct LogSettings: SettingGroup {
    static let title = "Log"

    let level = Setting(
        "log_level", \.logLevel, .choice, standard: "info; warning for commands", platformName: "LOG_LEVEL",
        "Least level that is logged.", details: "Read again on SIGHUP.")
    let format = Setting(
        "log_format", \.logFormat, .choice, "Form of the log.", details: "One line an event, on standard error.")
}

extension Setting {
    static let log = LogSettings()
}
