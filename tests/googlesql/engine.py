"""The GoogleSQL analyser of package ``zetasql``: Google's own C++ as one WebAssembly module.

Compiling the module takes about a minute and a gigabyte of memory, so the compiled form is kept
under ``.cache/googlesql``. Its name holds everything it depends on: another wheel, wasmtime or kind
of machine compiles anew.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TypeVar

import tzdata
import wasmtime
from google.protobuf.message import Message  # noqa: TID253 - small, and no DAG imports this
from zetasql.wasi import get_wasm_path

CACHE_DIR = Path(__file__).resolve().parents[2] / ".cache" / "googlesql"

Response = TypeVar("Response", bound=Message)


class GoogleSqlError(Exception):
    """What the analyser said; its message ends in ``[at line:column]`` where it knows the place."""


class Engine:
    """One running instance of the analyser. Not thread-safe."""

    def __init__(self, cache_dir: Path = CACHE_DIR) -> None:
        engine = wasmtime.Engine(_config())
        module = _compiled_module(engine, cache_dir)
        wasi = wasmtime.WasiConfig()
        wasi.inherit_stderr()
        zoneinfo = Path(tzdata.__file__).parent / "zoneinfo"
        wasi.preopen_dir(str(zoneinfo), "/usr/share/zoneinfo")
        self._store = wasmtime.Store(engine)
        self._store.set_wasi(wasi)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        self._exports = linker.instantiate(self._store, module).exports(self._store)
        self._exports["_initialize"](self._store)

    def call(self, method: str, request: Message, response_type: type[Response]) -> Response:
        """Call one RPC of ZetaSqlLocalService.

        Raises:
            GoogleSqlError: the service refused the request.
        """
        data = request.SerializeToString()
        request_at = self._export("wasm_malloc", max(1, len(data)))
        size_at = self._export("wasm_malloc", 4)
        try:
            ctypes.memmove(self._memory() + request_at, data, len(data))
            function = f"ZetaSqlLocalService_{method}"
            answer_at = self._export(function, request_at, len(data), size_at)
            if answer_at == 0:
                raise GoogleSqlError(self._last_error())
            size = int.from_bytes(self._read(size_at, 4), "little")
            answer = self._read(answer_at, size)
            self._export("wasm_free", answer_at)
        finally:
            self._export("wasm_free", request_at)
            self._export("wasm_free", size_at)
        return response_type.FromString(answer)

    def _export(self, name: str, *arguments: int) -> int:
        result = self._exports[name](self._store, *arguments)  # type: ignore[operator]
        # Addresses come as signed numbers: beyond 2 GiB they would be negative.
        return 0 if result is None else int(result) & 0xFFFF_FFFF

    def _memory(self) -> int:
        # Growing the memory moves it, so the address is asked for on every access.
        return ctypes.addressof(self._exports["memory"].data_ptr().contents)

    def _read(self, offset: int, size: int) -> bytes:
        return ctypes.string_at(self._memory() + offset, size)

    def _last_error(self) -> str:
        size = self._export("wasm_get_last_error_size")
        offset = self._export("wasm_get_last_error")
        return self._read(offset, size).decode("utf-8", "replace") if size else "unknown error"


def _config() -> wasmtime.Config:
    config = wasmtime.Config()
    config.shared_memory = True
    return config


def _compiled_module(engine: wasmtime.Engine, cache_dir: Path) -> wasmtime.Module:
    wasm = get_wasm_path()
    sha256 = hashlib.sha256(Path(wasm).read_bytes()).hexdigest()
    version = metadata.version("wasmtime")
    machine = f"{sys.platform}-{platform.machine()}"
    compiled = cache_dir / f"{sha256[:16]}-wasmtime{version}-{machine}.cwasm"
    if compiled.exists():
        try:
            return wasmtime.Module.deserialize_file(engine, str(compiled))
        except wasmtime.WasmtimeError as error:
            # The same kind of machine with fewer CPU features: a restored CI cache, for example.
            print(f"The compiled analyser does not fit this CPU ({error}).", file=sys.stderr)
    print(
        "Compiling the GoogleSQL analyser once; this takes about a minute …",
        file=sys.stderr,
        flush=True,
    )
    module = wasmtime.Module.from_file(engine, str(wasm))
    cache_dir.mkdir(parents=True, exist_ok=True)
    unfinished = compiled.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(module.serialize())
    unfinished.replace(compiled)
    return module
