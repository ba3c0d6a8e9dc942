extension Role {
    /// Role of operators, who may use `/api/operator`. Only who holds it gives it.
    public static let `operator` = "rest-auth:operator"
}
