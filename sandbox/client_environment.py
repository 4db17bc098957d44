"""What leads Google's clients to the sandbox's BigQuery, and nowhere else."""

from __future__ import annotations

from pathlib import Path

_LOOPBACK = "127.0.0.1,localhost"
# google-auth asks Google where a service account may be used, and nothing switches that off. With a
# proxy that has no host the question ends before it is sent, without a word.
_NOWHERE = "http://"


def client_environment(url: str, project: str, account: Path) -> dict[str, str]:
    """Environment variables for a process that uses google-cloud-bigquery.

    Args:
        url: Where the sandbox's BigQuery answers, ``http://127.0.0.1:<port>``.
        project: Its project.
        account: The service account's file that it wrote.
    """
    return {
        "BIGQUERY_EMULATOR_HOST": url,
        "GOOGLE_APPLICATION_CREDENTIALS": str(account),
        "GOOGLE_CLOUD_PROJECT": project,
        # The storage API is gRPC, which is never spoken here; it takes no proxy without a host.
        "grpc_proxy": url,
        # In small letters too: those win, and the caller's shell may have them.
        "HTTPS_PROXY": _NOWHERE,
        "https_proxy": _NOWHERE,
        "NO_PROXY": _LOOPBACK,
        "no_proxy": _LOOPBACK,
    }
