"""Starts and stops kinesis-local, a model of Kinesis Data Streams that speaks the real protocol. For tests alone."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final, Self

from twinrow.local_servers.files import kinesis_folder
from twinrow.local_servers.process import LOOPBACK, ReservedPort, ServerProcess, answers_http


class KinesisLocal:
    """A server in memory; any credentials do. Its endpoint is plain HTTP on `port`."""

    def __init__(self) -> None:
        folder = kinesis_folder()
        self._ports: Final = (ReservedPort(), ReservedPort())
        self.port: Final = self._ports[0].number
        self.endpoint_url: Final = f"http://{LOOPBACK}:{self.port}"
        settings = {
            "KINESIS_MOCK_PLAIN_PORT": self.port,
            "KINESIS_MOCK_TLS_PORT": self._ports[1].number,
            "KINESIS_MOCK_CERT_PATH": folder / "server.json",
            "LOG_LEVEL": "ERROR",
            **dict.fromkeys(
                ("CREATE_STREAM_DURATION", "DELETE_STREAM_DURATION", "SPLIT_SHARD_DURATION", "MERGE_SHARDS_DURATION"),
                "50ms",
            ),
        }
        environment = [f"{name}={value}" for name, value in settings.items()]
        command = [shutil.which("env") or "env", *environment, "node", str(folder / "main.js")]
        place = Path(tempfile.mkdtemp(prefix="twinrow-kinesis-"))
        self._process: Final = ServerProcess("kinesis-local", command, place, remove_folder=True)

    @classmethod
    def start(cls) -> Self:
        """Starts a server and returns it when it answers (1.5 s here). Raises ServerError."""
        server = cls()
        try:
            server._process.start(server._answers)
        except BaseException:
            server.stop()
            raise
        return server

    def stop(self) -> None:
        """Ends it for good. Twice is once."""
        self._process.close()
        for port in self._ports:
            port.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        return answers_http(self.port)
