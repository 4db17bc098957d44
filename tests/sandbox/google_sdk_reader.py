"""Google's own Ads client, in a process of its own: gRPC reads the certificates to trust only once.

Reads calls from standard input, one JSON object a line, and prints one line for each: the batches
as JSON, or what the client raised.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main(endpoint: str) -> None:
    from google.ads.googleads.client import GoogleAdsClient
    from google.oauth2.credentials import Credentials

    for line in sys.stdin:
        call = json.loads(line)
        client = GoogleAdsClient(
            Credentials(token=call.get("token", "sandbox-token")),
            endpoint=endpoint,
            version=call.get("version", "v26"),
            login_customer_id=call.get("login"),
            use_proto_plus=True,
        )
        service = client.get_service("GoogleAdsService")
        print(json.dumps(_answer(service, call)), flush=True)


def _answer(service: Any, call: dict[str, Any]) -> dict[str, Any]:
    from google.ads.googleads.errors import GoogleAdsException
    from google.protobuf import json_format

    customer, query = call["customer"], call["query"]
    try:
        if call.get("method") == "search":
            rows = list(service.search(customer_id=customer, query=query))
            return {"rows": [json_format.MessageToDict(type(row).pb(row)) for row in rows]}
        batches = service.search_stream(customer_id=customer, query=query)
        return {"batches": [json_format.MessageToDict(type(each).pb(each)) for each in batches]}
    except GoogleAdsException as error:
        failure = json_format.MessageToDict(type(error.failure).pb(error.failure))
        return {
            "failure": failure,
            "code": error.error.code().name,
            "request_id": error.request_id,
        }


if __name__ == "__main__":
    main(sys.argv[1])
