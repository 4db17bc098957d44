"""The calls by which a client asks whom its token opens. A token that does not hold is left to the
platform, which refuses it in its own words."""

from __future__ import annotations

from sandbox.server.google_ads import Call
from sandbox.server.tokens import HUBSPOT_PORTAL, TOKENS
from sandbox.server.wire import Request, Response, as_json
from sandbox.world import World
from sandbox.world.company import CURRENCY, GOOGLE_ACCOUNT

SYSTEM_USER = "122100001234567"
PERMISSIONS = ("ads_read", "business_management")


def answer_whoami(request: Request, world: World) -> Response | None:
    """Answer such a call; None where it is another one."""
    if request.method != "GET":
        return None
    bearer = request.query.get("access_token") or request.bearer()
    path = request.path
    if path == "/google-ads/v26/customers:listAccessibleCustomers":
        if not TOKENS.accepts(bearer):
            text = "The OAuth token in the request header is invalid."
            call = Call("26", "listAccessibleCustomers", "sandbox0")
            return call.refuse(401, "authenticationError", "OAUTH_TOKEN_INVALID", text).response
        return as_json({"resourceNames": [f"customers/{GOOGLE_ACCOUNT}"]})
    if not TOKENS.accepts(bearer):
        return None
    if path == "/meta-ads/v26.0/me":
        return as_json({"id": SYSTEM_USER})
    if path == "/meta-ads/v26.0/me/permissions":
        granted = [{"permission": name, "status": "granted"} for name in PERMISSIONS]
        return as_json({"data": granted})
    if path == "/hubspot/account-info/v3/details":
        return as_json(
            {
                "portalId": HUBSPOT_PORTAL,
                "accountType": "STANDARD",
                "timeZone": world.clock.zone.key,
                "companyCurrency": CURRENCY,
                "additionalCurrencies": [],
                "utcOffset": "+01:00",
                "utcOffsetMilliseconds": 3600000,
                "uiDomain": "app.hubspot.com",
                "dataHostingLocation": "eu1",
            }
        )
    return None
