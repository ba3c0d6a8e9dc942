/// What each kind of command is told by flags; everything else it reads from the environment and
/// the settings file.

/// Of a server, and of what looks at a deployment as a whole. Every group stands here, in the order
/// in which settings are shown.
typealias AllOptions = SettingsOptions<
    AddressSettings, SocketSettings, MetricsSettings, TLSSettings, DatabaseSettings, PostgresSettings,
    ServerDatabaseSettings,
    SecretSettings, ClientSettings, TokenSettings, SigningKeySettings, SessionSettings, RegistrationSettings,
    PasswordSettings, HashingSettings, HashingQueueSettings, ImportedUserSettings, GuessingSettings, AuditSettings,
    RequestSettings, LogSettings
>

/// Of a command over the core.
typealias CoreOptions = SettingsOptions<DatabaseSettings, PostgresSettings, SecretSettings, LogSettings>

/// Of a command that takes a new password.
typealias NewPasswordOptions = SettingsOptions<
    DatabaseSettings, PostgresSettings, SecretSettings, PasswordSettings, HashingSettings, LogSettings
>

typealias ImportOptions = SettingsOptions<
    DatabaseSettings, PostgresSettings, SecretSettings, HashingSettings, ImportedUserSettings, LogSettings
>

/// Of a command that may make a signing key.
typealias KeyOptions = SettingsOptions<
    DatabaseSettings, PostgresSettings, SecretSettings, SigningKeySettings, LogSettings
>

/// Of a command that says who has to wait.
typealias GuessingOptions = SettingsOptions<
    DatabaseSettings, PostgresSettings, SecretSettings, GuessingSettings, LogSettings
>
