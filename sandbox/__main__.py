"""Command line: ``python -m sandbox serve``, ``generate`` and ``bigquery``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from datetime import date, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

from sandbox.files import write_world
from sandbox.server.app import SandboxServer, ready_line
from sandbox.world import World
from sandbox.world.company import TIME_ZONE


def _yesterday() -> date:
    return datetime.now(ZoneInfo(TIME_ZONE)).date() - timedelta(days=1)


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve the platforms' APIs on 127.0.0.1")
    serve.add_argument("--port", type=int, required=True, help="0 picks a free one")
    serve.add_argument(
        "--google-ads-grpc",
        type=Path,
        metavar="CERTIFICATE",
        help="serve Google's own Ads client too, over gRPC; write the certificate to trust there",
    )
    serve.add_argument(
        "--today",
        type=date.fromisoformat,
        default=None,
        help="YYYY-MM-DD: answer as at the end of that day; default: the last day",
    )
    serve.add_argument("--faults", type=Path, help="JSON file of misbehaviour, see docs/reference")
    generate = commands.add_parser("generate", help="write the world as plain files")
    generate.add_argument("--out", type=Path, required=True, help="folder to write to")
    for command in (serve, generate):
        command.add_argument("--seed", type=int, default=7)
        command.add_argument(
            "--last-day",
            type=date.fromisoformat,
            default=None,
            help="YYYY-MM-DD; default: yesterday in the company's time zone",
        )
        command.add_argument("--days", type=int, default=90)
        command.add_argument("--size", type=float, default=1.0, help="1.0: 20,000 tag events")
    bigquery = commands.add_parser("bigquery", help="serve a fake of BigQuery on 127.0.0.1")
    bigquery.add_argument("--port", type=int, required=True, help="0 picks a free one")
    bigquery.add_argument("--project", default="sandbox-project")
    bigquery.add_argument("--location", default="EU", help="for datasets that name none")
    bigquery.add_argument("--data", type=Path, help="DuckDB file; in memory without it")
    bigquery.add_argument("--record", type=Path, help="append requests and statements to it")
    bigquery.add_argument(
        "--credentials", type=Path, help="service account file to write, or to know if it is there"
    )
    return parser.parse_args(given)


def _cannot_use(port: int, error: OSError | OverflowError) -> int:
    reason = getattr(error, "strerror", None) or str(error)
    print(
        f"sandbox: port {port} on 127.0.0.1 cannot be used ({reason}); choose another with --port.",
        file=sys.stderr,
    )
    return 2


def _serve(world: World, asked: argparse.Namespace) -> int:
    try:
        rules = json.loads(asked.faults.read_text("utf-8")) if asked.faults else []
        server = SandboxServer(world, asked.port, today=asked.today)
        server.faults.add(rules)
    except FileNotFoundError:
        print(f"sandbox: there is no file {asked.faults}.", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"sandbox: {error}.", file=sys.stderr)
        return 2
    except (OSError, OverflowError) as error:
        return _cannot_use(asked.port, error)
    if asked.google_ads_grpc is None:
        return _until_stopped(server, ready_line(server))
    from sandbox.server.google_grpc import GoogleAdsGrpc

    door = GoogleAdsGrpc(server.answer, asked.google_ads_grpc)
    ready = f"{ready_line(server)}; Google Ads over gRPC at {door.endpoint}"
    code = _until_stopped(server, ready)
    door.close()
    return code


def _serve_bigquery(asked: argparse.Namespace) -> int:
    from sandbox.bigquery import server as bigquery

    try:
        server = bigquery.BigQueryServer(
            port=asked.port,
            project=asked.project,
            location=asked.location,
            data=asked.data,
            record=asked.record,
        )
    except (OSError, OverflowError) as error:
        return _cannot_use(asked.port, error)
    if asked.credentials:
        server.write_credentials(asked.credentials)
    code = _until_stopped(server, bigquery.ready_line(server))
    server.close()
    return code


def _until_stopped(server: ThreadingHTTPServer, ready: str) -> int:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    thread = threading.Thread(target=server.serve_forever, name="sandbox", daemon=True)
    thread.start()
    print(ready, flush=True)
    stopped.wait()
    server.shutdown()
    server.server_close()
    return 0


def main(given: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    asked = _arguments(given)
    if asked.command == "bigquery":
        return _serve_bigquery(asked)
    try:
        world = World.make(
            asked.seed, last_day=asked.last_day or _yesterday(), days=asked.days, size=asked.size
        )
    except ValueError as error:
        print(f"sandbox: {error}.", file=sys.stderr)
        return 2
    if asked.command == "serve":
        return _serve(world, asked)
    for line in write_world(world, asked.out):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
