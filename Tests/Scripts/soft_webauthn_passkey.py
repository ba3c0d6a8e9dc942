"""A passkey of soft-webauthn, for pages of one origin: reads requests as lines of JSON, and writes the
answer of the browser to each.

    {"create": PublicKeyCredentialCreationOptionsJSON}
    {"get": PublicKeyCredentialRequestOptionsJSON}
    with "user_verified": true, as if its user had been verified, which the library never does
"""

import base64
import json
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.utils import sha256
from soft_webauthn import SoftWebauthnDevice

USER_VERIFIED = 0x04

origin = sys.argv[1]
device = SoftWebauthnDevice()


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def data(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verified(authenticator_data):
    return authenticator_data[:32] + bytes([authenticator_data[32] | USER_VERIFIED]) + authenticator_data[33:]


def create(options, is_verified):
    options = {**options, "challenge": data(options["challenge"]), "user": {"id": data(options["user"]["id"])}}
    answer = device.create({"publicKey": options}, origin)
    if is_verified:
        made = cbor.decode(answer["response"]["attestationObject"])
        answer["response"]["attestationObject"] = cbor.encode({**made, "authData": verified(made["authData"])})
    return answer


def get(options, is_verified):
    answer = device.get({"publicKey": {**options, "challenge": data(options["challenge"])}}, origin)
    response = answer["response"]
    if is_verified:
        response["authenticatorData"] = verified(response["authenticatorData"])
        response["signature"] = device.private_key.sign(
            response["authenticatorData"] + sha256(response["clientDataJSON"]), ec.ECDSA(hashes.SHA256())
        )
    return answer


for line in sys.stdin:
    request = json.loads(line)
    is_verified = request.get("user_verified", False)
    if "create" in request:
        answer = create(request["create"], is_verified)
    else:
        answer = get(request["get"], is_verified)
    id = text(answer["rawId"])
    response = {name: text(value) for name, value in answer["response"].items()}
    print(
        json.dumps(
            {"id": id, "rawId": id, "type": answer["type"], "clientExtensionResults": {}, "response": response}
        ),
        flush=True,
    )
