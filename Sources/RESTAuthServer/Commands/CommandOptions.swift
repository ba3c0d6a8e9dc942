// Groups of flags for each kind of command. All other settings come from the environment and the
// settings file.

/// Flags of a server, and of commands that inspect a whole deployment. This list has every group,
/// in the order in which settings are shown.
typealias AllOptions = SettingsOptions<
    AddressSettings, SocketSettings, MetricsSettings, TLSSettings, DatabaseSettings, PostgresSettings,
    ServerDatabaseSettings,
    SecretSettings, ClientSettings, TokenSettings, SigningKeySettings, SessionSettings, RegistrationSettings,
    ProfileSettings,
    PasswordSettings, HashingSettings, HashingQueueSettings, ImportedUserSettings, FactorSettings, PasskeySettings,
    GuessingSettings,
    OperatorSettings, AuditSettings, RequestSettings, LogSettings
>

/// Flags of a command that uses the core.
typealias CoreOptions = SettingsOptions<DatabaseSettings, PostgresSettings, SecretSettings, LogSettings>

/// Flags of a command that adds a user.
typealias NewUserOptions = SettingsOptions<
    DatabaseSettings, PostgresSettings, SecretSettings, ProfileSettings, PasswordSettings, HashingSettings, LogSettings
>

/// Flags of a command that changes a profile or a name.
typealias ProfileOptions = SettingsOptions<
    DatabaseSettings, PostgresSettings, SecretSettings, ProfileSettings, LogSettings
>

/// Flags of a command that sets a new password.
typealias NewPasswordOptions = SettingsOptions<
    DatabaseSettings, PostgresSettings, SecretSettings, PasswordSettings, HashingSettings, LogSettings
>

/// Flags of a command that makes a link for a password.
typealias LinkOptions = SettingsOptions<
    DatabaseSettings, PostgresSettings, SecretSettings, OperatorSettings, LogSettings
>

typealias ImportOptions = SettingsOptions<
    DatabaseSettings, PostgresSettings, SecretSettings, ProfileSettings, HashingSettings, ImportedUserSettings,
    LogSettings
>

/// Flags of a command that may make a signing key.
typealias KeyOptions = SettingsOptions<
    DatabaseSettings, PostgresSettings, SecretSettings, SigningKeySettings, LogSettings
>

/// Flags of a command that reports throttling.
typealias GuessingOptions = SettingsOptions<
    DatabaseSettings, PostgresSettings, SecretSettings, GuessingSettings, LogSettings
>
