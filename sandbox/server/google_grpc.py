"""The transport of Google's own Ads client: the REST door's answers as protocol buffers over gRPC.

The client always speaks TLS, so the server makes a certificate of its own for ``localhost``, which
whoever asks has to trust: ``GRPC_DEFAULT_SSL_ROOTS_FILE_PATH`` names its file, set before gRPC is
used. Messages of all versions that the client knows are read with those of the served one: on the
wire they are the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent import futures
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from sandbox.server.wire import Request, Response

VERSIONS = ("v23", "v24", "v25", "v26")
SERVED = "v26"


class GoogleAdsGrpc:
    """Serves ``GoogleAdsService`` on ``localhost``.

    Args:
        answer: Answers a REST request below ``/google-ads``: both doors say the same.
        certificate: File to write the server's certificate to.
        port: 0 picks a free one; ``endpoint`` tells it.
    """

    def __init__(
        self, answer: Callable[[Request], Response], certificate: Path, port: int = 0
    ) -> None:
        import grpc

        self._answer = answer
        key, chain = _self_signed()
        certificate.write_bytes(chain)
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        for version in VERSIONS:
            self._server.add_generic_rpc_handlers((self._service(version),))
        bound = self._server.add_secure_port(
            f"127.0.0.1:{port}", grpc.ssl_server_credentials([(key, chain)])
        )
        if bound == 0:
            raise OSError(f"port {port} is taken")
        self.endpoint = f"localhost:{bound}"
        self._server.start()

    def close(self) -> None:
        """Stop at once."""
        self._server.stop(None).wait()

    def _service(self, version: str) -> Any:
        import grpc

        messages = import_module(f"google.ads.googleads.{SERVED}.services.types.google_ads_service")
        asked, paged = messages.SearchGoogleAdsStreamRequest, messages.SearchGoogleAdsRequest
        part, page = messages.SearchGoogleAdsStreamResponse, messages.SearchGoogleAdsResponse

        def stream(request: Any, context: Any) -> Iterator[Any]:
            body = {"query": request.query}
            for each in self._ask(version, request, "searchStream", body, context):
                yield _as_message(part, each)

        def search(request: Any, context: Any) -> Any:
            body = {"query": request.query, "pageToken": request.page_token}
            body["pageSize"] = request.page_size
            given = {name: value for name, value in body.items() if value}
            return _as_message(page, self._ask(version, request, "search", given, context))

        return grpc.method_handlers_generic_handler(
            f"google.ads.googleads.{version}.services.GoogleAdsService",
            {
                "SearchStream": grpc.unary_stream_rpc_method_handler(
                    stream,
                    request_deserializer=asked.deserialize,
                    response_serializer=part.serialize,
                ),
                "Search": grpc.unary_unary_rpc_method_handler(
                    search,
                    request_deserializer=paged.deserialize,
                    response_serializer=page.serialize,
                ),
            },
        )

    def _ask(
        self, version: str, request: Any, method: str, body: dict[str, Any], context: Any
    ) -> Any:
        """The REST answer's JSON; a refusal ends the call as Google ends it."""
        import grpc

        path = f"/google-ads/{version}/customers/{request.customer_id}/googleAds:{method}"
        headers = dict(context.invocation_metadata())
        response = self._answer(
            Request("POST", path, {}, headers, json.dumps(body).encode(), "https://localhost")
        )
        try:
            told = json.loads(response.body)
        except ValueError:  # a web page: something stands before the API
            context.abort(grpc.StatusCode.UNAVAILABLE, f"HTTP {response.status}")
        if response.status == 200:
            return told
        self._abort(version, told[0] if isinstance(told, list) else told, context)
        return None

    def _abort(self, version: str, told: dict[str, Any], context: Any) -> None:
        import grpc

        error = told["error"]
        trailing = []
        for detail in error.get("details", ()):
            if not detail["@type"].endswith("GoogleAdsFailure"):
                continue
            errors = import_module(f"google.ads.googleads.{SERVED}.errors.types.errors")
            given = {name: value for name, value in detail.items() if name != "@type"}
            message = _as_message(errors.GoogleAdsFailure, given)
            name = f"google.ads.googleads.{version}.errors.googleadsfailure-bin"
            trailing.append((name, errors.GoogleAdsFailure.serialize(message)))
            trailing.append(("request-id", detail["requestId"]))
        context.set_trailing_metadata(tuple(trailing))
        code = getattr(grpc.StatusCode, error["status"], grpc.StatusCode.UNKNOWN)
        context.abort(code, error["message"])


def _as_message(kind: Any, told: dict[str, Any]) -> Any:
    """Strictly: a field that the message does not have is a fault of the sandbox."""
    from google.protobuf import json_format

    made = kind()
    json_format.ParseDict(told, kind.pb(made))
    return made


def _self_signed() -> tuple[bytes, bytes]:
    """A key and a certificate for ``localhost``, good for a few days."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return secret, certificate.public_bytes(serialization.Encoding.PEM)
