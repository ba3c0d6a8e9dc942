-- Starts a session for a random user. Argument: as for random_login.
require "random_login"

wrk.method = "POST"
