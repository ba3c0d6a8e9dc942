"""Writes the first inputs of the harness, made of the specification's vectors.

    python3 Tests/Fuzz/seeds.py Tests/Vectors/webauthn.json DIRECTORY
"""
import base64
import json
import os
import sys

vectors, directory = sys.argv[1:]
os.makedirs(directory, exist_ok=True)
count = 0


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def seed(mode, data):
    global count
    with open(f"{directory}/seed-{count:03}", "wb") as file:
        file.write(bytes([mode]) + data)
    count += 1


def ceremony(client_data, data):
    seed(7, len(client_data).to_bytes(2, "big") + client_data + data)


def answer(id, results, **response):
    seed(5, json.dumps({"id": id, "rawId": id, "type": "public-key", "clientExtensionResults": results,
                        "response": response}).encode())


EXTENSIONS = bytes.fromhex("a26b6372656450726f74656374026b686d61632d736563726574f5")
# An attestation object as a browser hands it on that was asked for no attestation, up to its data.
NONE = bytes.fromhex("a363666d74646e6f6e656761747453746d74a0")

for vector in json.load(open(vectors))["vectors"]:
    made = {name: bytes.fromhex(value) for name, value in vector["registration"].items()}
    used = {name: bytes.fromhex(value) for name, value in vector["authentication"].items()}
    attestation = made["attestationObject"]
    start = attestation.index(b"authData") + 8
    data = attestation[start + (2 if attestation[start] == 0x58 else 3):]
    seed(0, attestation)
    seed(1, data)
    seed(1, data[:32] + bytes([data[32] | 0x80]) + data[33:] + EXTENSIONS)
    seed(1, used["authenticatorData"])
    seed(2, data[37 + 18 + len(made["credential_id"]):])
    seed(3, made["clientDataJSON"])
    seed(3, used["clientDataJSON"])
    seed(4, attestation)
    seed(6, used["signature"])
    id = text(made["credential_id"])
    for each in (attestation, NONE + attestation[attestation.index(b"hauthData"):]):
        ceremony(made["clientDataJSON"], each)
        answer(id, {"credProps": {"rk": True}}, clientDataJSON=text(made["clientDataJSON"]),
               attestationObject=text(each), transports=["usb", "nfc"])
    ceremony(used["clientDataJSON"], used["authenticatorData"])
    answer(id, {}, clientDataJSON=text(used["clientDataJSON"]), authenticatorData=text(used["authenticatorData"]),
           signature=text(used["signature"]), userHandle="AAAA")
print(count, "seeds")
