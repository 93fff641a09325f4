"""Signs somebody in with Authlib, as an application would.

ISSUER, CLIENT_ID, REDIRECT_URI and SCOPE come from the environment. It prints {"authorize": URL} and waits for one line:
the address that the browser came back to. Then it redeems the code, checks the ID token, asks userinfo, refreshes and
revokes, and prints what it has got. With `client-credentials`, CLIENT_SECRET gets a token for itself.
"""

import json
import os
import secrets
import sys

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken

ISSUER = os.environ["ISSUER"]


def say(value):
    print(json.dumps(value), flush=True)


def metadata():
    answer = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=30)
    answer.raise_for_status()
    found = answer.json()
    assert found["issuer"] == ISSUER, found["issuer"]
    return found


def session(provider):
    secret = os.environ.get("CLIENT_SECRET")
    return OAuth2Session(
        os.environ["CLIENT_ID"],
        secret,
        token_endpoint_auth_method="client_secret_basic" if secret else "none",
        scope=os.environ["SCOPE"],
        redirect_uri=os.environ.get("REDIRECT_URI"),
        code_challenge_method="S256",
        token_endpoint=provider["token_endpoint"],
        revocation_endpoint_auth_method="client_secret_basic" if secret else "none",
    )


def checked(provider, token, nonce=None):
    """The claims of an ID token that is for us."""
    keys = JsonWebKey.import_key_set(requests.get(provider["jwks_uri"], timeout=30).json())
    options = {
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": os.environ["CLIENT_ID"]},
    }
    params = {"client_id": os.environ["CLIENT_ID"], "access_token": token["access_token"]}
    if nonce is not None:
        params["nonce"] = nonce
    claims = JsonWebToken(["RS256"]).decode(
        token["id_token"], keys, claims_cls=CodeIDToken, claims_options=options, claims_params=params
    )
    claims.validate(leeway=30)
    return dict(claims)


def sign_in():
    provider = metadata()
    client = session(provider)
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    address, state = client.create_authorization_url(
        provider["authorization_endpoint"], code_verifier=verifier, nonce=nonce
    )
    say({"authorize": address})
    back = sys.stdin.readline().strip()
    token = client.fetch_token(
        provider["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
    )
    claims = checked(provider, token, nonce)
    userinfo = client.get(provider["userinfo_endpoint"]).json()
    refreshed = client.refresh_token(provider["token_endpoint"], refresh_token=token["refresh_token"])
    refreshed_claims = checked(provider, refreshed)
    client.revoke_token(provider["revocation_endpoint"], token=refreshed["refresh_token"]).raise_for_status()
    after_revocation = "accepted"
    try:
        client.refresh_token(provider["token_endpoint"], refresh_token=refreshed["refresh_token"])
    except AuthlibBaseError as error:
        after_revocation = error.error
    say(
        {
            "claims": claims,
            "userinfo": userinfo,
            "refreshed": refreshed_claims,
            "after_revocation": after_revocation,
        }
    )


def client_credentials():
    provider = metadata()
    client = session(provider)
    token = client.fetch_token(provider["token_endpoint"], grant_type="client_credentials")
    active = client.introspect_token(provider["introspection_endpoint"], token=token["access_token"]).json()
    say({"token_type": token["token_type"], "active": active})


STEPS = {"code": sign_in, "client-credentials": client_credentials}

if __name__ == "__main__":
    STEPS[sys.argv[1]]()
