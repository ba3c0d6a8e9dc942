# FakeClient of ruby-webauthn.
#
# With an origin: reads requests as lines of JSON, and writes the answer of the browser to each.
#     {"create": PublicKeyCredentialCreationOptionsJSON}
#     {"get": PublicKeyCredentialRequestOptionsJSON}
#     with "user_verified": true, as if its user had been verified
# With a number: writes that many lines, each with a passkey and an answer by it at
# https://example.org. With AS_IT_IS in the environment the entries of its keys stay where they are.
require "json"
require "webauthn"
require "webauthn/fake_client"

WebAuthn.configure { |configuration| configuration.encoding = :base64url }
$stdout.sync = true

# FakeClient writes the entries of a key in the order 3, -1, -2, 1, -3. Authenticators have to use
# the canonical form of CTAP2, and so does it with this.
class COSE::Key::Base
  prepend(Module.new do
    def serialize
      map = CBOR.decode(super)
      CBOR.encode(map.sort_by { |label, _| label < 0 ? 1000 - label : label }.to_h)
    end
  end)
end unless ENV["AS_IT_IS"]

def text(bytes)
  WebAuthn.standard_encoder.encode(bytes)
end

def browser(origin, authenticator = WebAuthn::FakeAuthenticator.new)
  WebAuthn::FakeClient.new(origin, authenticator: authenticator, encoding: :base64url)
end

def serve(origin)
  client = browser(origin)
  handle = nil
  $stdin.each_line do |line|
    request = JSON.parse(line)
    verified = request["user_verified"] || false
    if (options = request["create"])
      handle = WebAuthn.standard_encoder.decode(options["user"]["id"])
      puts JSON.generate(
        client.create(challenge: options["challenge"], rp_id: options["rp"]["id"], user_verified: verified))
    else
      options = request["get"]
      puts JSON.generate(
        client.get(
          challenge: options["challenge"], rp_id: options["rpId"], user_verified: verified, user_handle: handle))
    end
  end
end

def samples(count)
  count.times do |number|
    authenticator = WebAuthn::FakeAuthenticator.new
    client = browser("https://example.org", authenticator)
    extensions = number % 3 == 0 ? { "uvm" => [1, 2], "fakeExtension" => "value" } : nil
    parameters = { rp_id: "example.org", user_verified: number % 2 == 0, extensions: extensions }
    first, second, handle = text(SecureRandom.random_bytes(32)), text(SecureRandom.random_bytes(32)),
      SecureRandom.random_bytes(64)
    created = client.create(challenge: first, **parameters)
    key = authenticator.instance_variable_get(:@credentials)["example.org"].values.first[:credential_key]
    got = client.get(challenge: second, user_handle: handle, **parameters)
    puts JSON.generate(
      { created: created, got: got, challenge_created: first, challenge_got: second, key: key.to_pem,
        user_handle: text(handle) })
  end
end

ARGV[0].match?(/\A[0-9]+\z/) ? samples(ARGV[0].to_i) : serve(ARGV[0])
