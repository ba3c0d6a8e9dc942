/// The users that have been read, grouped by what is known of their outcome.
struct ImportArrivals {
    let concessions: UserImport.Concessions
    var admitted: [UserImport.Candidate] = []
    /// Users who get another id, stored after all others.
    var displaced: [UserImport.Candidate] = []
    /// The outcomes that are certain.
    var settled: [ImportNote] = []
    /// The ids of refused users, to be reserved.
    var leftOutIDs: [User.ID] = []
    /// The number of entries whose id could not be read.
    var withoutReadableID = 0
    /// Whether any user has an id.
    var haveIDs = false

    private var names: [String: ImportPlace] = [:]
    private var ids: [User.ID: ImportPlace] = [:]
    private var legacyIDs: Set<Int64> = []
    private var emails: Set<String> = []

    init(concessions: UserImport.Concessions) { self.concessions = concessions }

    mutating func take(_ candidate: UserImport.Candidate) {
        let user = candidate.user
        haveIDs = haveIDs || user.id != nil
        if let first = names[user.name.canonical] {
            leaveOut(user.id, candidate.place)
            return settled.append(
                candidate.refused(
                    .duplicate, "when case is put aside, the name is that of \(first), which came first"))
        }
        if let legacyID = user.legacyID, !legacyIDs.insert(legacyID).inserted {
            return refuse(candidate, candidate.legacyIDTaken)
        }
        if let key = user.profile.verifiedEmailKey, !emails.insert(key).inserted {
            return refuse(candidate, candidate.emailTaken)
        }
        names[user.name.canonical] = candidate.place
        guard let id = user.id else { return admitted.append(candidate) }
        if let first = ids[id] { return displace(candidate, "it is that of \(first), which came first") }
        ids[id] = candidate.place
        admitted.append(candidate)
    }

    mutating func refuse(
        _ place: ImportPlace, _ id: User.ID?, named username: String? = nil, _ refusal: ImportRefusal
    ) {
        settled.append(ImportNote(place: place, username: username, outcome: .refused(refusal)))
        leaveOut(id, place)
    }

    mutating func refuse(_ candidate: UserImport.Candidate, _ note: ImportNote) {
        settled.append(note)
        leaveOut(candidate.user.id, candidate.place)
    }

    private mutating func leaveOut(_ id: User.ID?, _ place: ImportPlace) {
        haveIDs = haveIDs || id != nil
        if let id, UserImport.ids.contains(id), ids[id] ?? place == place { leftOutIDs.append(id) }
    }

    /// Takes out those of ``displaced`` whom a condition holds for.
    mutating func takeDisplaced(
        where isTaken: (UserImport.Candidate) -> Bool
    ) -> [UserImport.Candidate] {
        let taken = displaced.filter(isTaken)
        if !taken.isEmpty { displaced.removeAll(where: isTaken) }
        return taken
    }

    /// Adds a user whose id is not free.
    mutating func displace(_ candidate: UserImport.Candidate, _ reason: String) {
        guard concessions.contains(.renumbering) else {
            let id = candidate.user.id.map(String.init) ?? "-"
            return settled.append(candidate.refused(.id, "the id \(id) is not free: \(reason)"))
        }
        displaced.append(candidate.withoutID())
    }
}

extension UserImport.Candidate {
    func note(_ outcome: ImportOutcome, isTrial: Bool) -> ImportNote {
        switch outcome {
        case .imported(let id):
            ImportNote(
                place: place, username: user.name.text, outcome: .imported(id: isTrial ? nil : id, former: formerID),
                lacksPassword: hash == nil)
        case .nameTaken: ImportNote(place: place, username: user.name.text, outcome: .skipped)
        case .nameOfAnotherID(let present):
            refused(.id, "the name is there already, with the id \(present) and not \(user.id ?? 0)")
        case .legacyIDTaken: legacyIDTaken
        case .emailTaken: emailTaken
        case .nameReserved: nameReserved
        // A user without an id to keep cannot get this outcome.
        case .idTaken: refused(.id, "the id could not be given")
        }
    }

    var legacyIDTaken: ImportNote {
        refused(.legacyID, "another user came with the id \(user.legacyID ?? 0) of a Flask server")
    }

    var emailTaken: ImportNote { refused(.email, "another user has verified the same mail address") }

    var nameReserved: ImportNote {
        refused(.name, "another user had the name until lately, and it is kept for that user")
    }

    var nameOfAddress: ImportNote {
        refused(
            .name,
            """
            the name has an @, and by sign_in_by_email users sign in with mail addresses: give it another name and the \
            address as email, or import while that setting is off
            """)
    }

    func refused(_ kind: ImportRefusal.Kind, _ reason: String) -> ImportNote {
        ImportNote(place: place, username: user.name.text, outcome: .refused(ImportRefusal(kind: kind, reason: reason)))
    }

    func withoutID() -> UserImport.Candidate {
        UserImport.Candidate(
            place: place, user: user.with(id: nil, passwordHash: user.passwordHash), formerID: user.id, hash: hash)
    }
}

extension ImportableUser {
    func with(id: User.ID?, passwordHash: String?) -> ImportableUser {
        ImportableUser(
            id: id, legacyID: legacyID, name: name, passwordHash: passwordHash, createdAt: createdAt,
            disabledAt: disabledAt, roles: roles, profile: profile)
    }
}
