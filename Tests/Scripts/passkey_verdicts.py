"""The verdicts of py_webauthn: passkey_verdicts.py < answers.jsonl > verdicts.jsonl"""

import base64
import json
import sys

import webauthn
from webauthn.helpers.cose import COSEAlgorithmIdentifier as A


def unb64(s):
    return base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))


for line in sys.stdin:
    r = json.loads(line)
    try:
        common = dict(
            credential=r["credential"],
            expected_challenge=unb64(r["challenge"]),
            expected_rp_id=r["rp_id"],
            expected_origin=r["origins"],
            require_user_verification=r["require_uv"],
        )
        if r["kind"] == "registration":
            v = webauthn.verify_registration_response(
                **common, supported_pub_key_algs=[A.EDDSA, A.ECDSA_SHA_256, A.RSASSA_PKCS1_v1_5_SHA_256]
            )
            out = {
                "verdict": "accepted",
                "credential_id": v.credential_id.hex(),
                "public_key": v.credential_public_key.hex(),
                "sign_count": v.sign_count,
                "user_verified": v.user_verified,
                "backup_eligible": v.credential_device_type.value == "multi_device",
                "backed_up": v.credential_backed_up,
                "aaguid": v.aaguid.replace("-", ""),
            }
        else:
            v = webauthn.verify_authentication_response(
                **common, credential_public_key=unb64(r["public_key"]), credential_current_sign_count=r["sign_count"]
            )
            out = {
                "verdict": "accepted",
                "credential_id": v.credential_id.hex(),
                "sign_count": v.new_sign_count,
                "user_verified": v.user_verified,
                "backup_eligible": v.credential_device_type.value == "multi_device",
                "backed_up": v.credential_backed_up,
            }
    except Exception as e:
        out = {"verdict": "refused", "reason": type(e).__name__ + ": " + str(e)[:120]}
    print(json.dumps(out))
