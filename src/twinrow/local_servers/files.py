"""Where the programs of DynamoDB Local, MySQL and MariaDB lie, and fresh data folders for the latter two.

Setting up a data folder takes seconds; so it is done once for each installed version, and copied from then on.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from twinrow.flavour import Flavour
from twinrow.local_servers.process import ServerError

SERVERS_VARIABLE: Final = "TWINROW_SERVERS"
_REMEDY: Final = f"run `make servers` in Twinrow's project folder, or set {SERVERS_VARIABLE} to the folder that has it"

# Server programs live in sbin, which is not on everybody's PATH.
_PROGRAM_PATH: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
_SET_UP_TIMEOUT_S: Final = 180.0

# The input that mariadb-install-db gives to the server; that script is not used because it wants programs of other
# packages.
_MARIADB_SYSTEM_TABLES: Final = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mysql_sys_schema.sql",
)


def servers_folder() -> Path:
    """Returns where servers are installed: what TWINROW_SERVERS names, the checkout's folder, or the user's cache."""
    named = os.environ.get(SERVERS_VARIABLE)
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "tools" / "install_servers.py").is_file():
        return checkout / ".servers"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "twinrow" / "servers"


def dynamodb_command(*, long_running: bool = False) -> list[str]:
    """Returns the command that starts DynamoDB Local, without port and storage. Raises ServerError if it is missing.

    Java compiles lightly unless it is `long_running`: start and 1,000 writes cost 10.5 s of CPU instead of 21.6 s,
    8,000 writes 28 s instead of 44 s. One collector thread for garbage is enough: 40,000 batched writes cost 32 s of
    CPU instead of 44 s (two cores, DynamoDB Local 3.3, Java 17).
    """
    java = shutil.which("java")
    if java is None:
        raise ServerError("Java is missing; DynamoDB Local needs version 17 or newer", remedy=_REMEDY)
    folder = servers_folder() / "dynamodb"
    jar = folder / "DynamoDBLocal.jar"
    if not jar.is_file():
        raise ServerError("DynamoDB Local is missing", remedy=_REMEDY)
    options = ["-XX:+UseSerialGC", *([] if long_running else ["-XX:TieredStopAtLevel=1"])]
    return [java, *options, f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}", "-jar", str(jar)]


def kinesis_folder() -> Path:
    """Returns the folder of kinesis-local, from which it has to be started. Raises ServerError if it is missing."""
    folder = servers_folder() / "kinesis"
    if shutil.which("node") is None or not (folder / "main.js").is_file():
        raise ServerError("kinesis-local, or the Node that it runs on, is missing", remedy=_REMEDY)
    return folder


@dataclass(frozen=True)
class Program:
    """A MySQL or MariaDB server program: the start of its command line, the file whose change means another version."""

    flavour: Flavour
    command: tuple[str, ...]
    binary: Path
    share: Path

    @property
    def version_mark(self) -> str:
        """A name that changes when the program is upgraded."""
        facts = self.binary.stat()
        return f"{self.flavour}-{facts.st_size:x}-{facts.st_mtime_ns:x}"


def program(flavour: Flavour) -> Program:
    """Returns how to start the server of that flavour. Raises ServerError if it is missing."""
    found = _mysql() if flavour == "mysql" else _mariadb()
    # Both refuse to run as root without an option that allows it.
    as_root = ("--user=root",) if os.geteuid() == 0 else ()
    return Program(flavour, (*found.command, *as_root), found.binary, found.share)


def _mysql() -> Program:
    root = servers_folder() / "mysql"
    binary = root / "usr/sbin/mysqld"
    # Its own loader with its own C library: the package is newer than the system it runs on.
    loader = next(iter(sorted(root.glob("usr/lib/*-linux-gnu*/ld-linux-*.so.*"))), None)
    if loader is None or not binary.is_file():
        raise ServerError("MySQL is missing", remedy=_REMEDY)
    share = root / "usr/share/mysql"
    command = (
        *(str(loader), "--library-path", str(loader.parent), str(binary)),
        # Must come first of the server's options.
        "--no-defaults",
        f"--basedir={root / 'usr'}",
        f"--lc-messages-dir={share}",
        f"--character-sets-dir={share / 'charsets'}",
        f"--plugin-dir={root / 'usr/lib/mysql/plugin'}",
        "--secure-file-priv=NULL",
        # The X protocol listens on a fixed port of its own: a second server would fail.
        "--mysqlx=OFF",
    )
    return Program("mysql", command, binary, share)


def _mariadb() -> Program:
    binary = shutil.which("mariadbd", path=_PROGRAM_PATH)
    if binary is None:
        raise ServerError("MariaDB is missing", remedy=_REMEDY)
    prefix = Path(binary).resolve().parent.parent
    shares = [prefix / "share" / name for name in ("mysql", "mariadb")]
    share = next((path for path in shares if (path / _MARIADB_SYSTEM_TABLES[0]).is_file()), None)
    if share is None:
        raise ServerError(f"MariaDB's system tables are not in {shares[0]}: the package is incomplete", remedy=_REMEDY)
    return Program("mariadb", (binary, "--no-defaults", f"--basedir={prefix}"), Path(binary), share)


def fresh_data_folder(server: Program, target: Path, options: Sequence[str] = ()) -> None:
    """Makes `target` the data folder of a server that has never run: no database, root without a password.

    `options` are those of the server that count when its data folder is made (`--innodb-page-size=4096`).
    """
    templates = servers_folder() / "templates"
    template = templates / "".join([server.version_mark, *(option.replace("=", "-") for option in options)])
    if not template.is_dir():
        templates.mkdir(parents=True, exist_ok=True)
        with open(templates / "lock", "w") as lock:  # noqa: PTH123 - fcntl wants the open file
            # Parallel test workers start at the same moment; one sets up, the others wait.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not template.is_dir():
                _set_up(server, template, options)
    shutil.copytree(template, target)


def _set_up(server: Program, template: Path, options: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix=".", dir=template.parent) as scratch:
        data = Path(scratch) / "data"
        if server.flavour == "mysql":
            _run_once([*server.command, "--initialize-insecure", f"--datadir={data}", *options])
            # The identity of a server: each copy makes its own.
            (data / "auto.cnf").unlink(missing_ok=True)
        else:
            (data / "mysql").mkdir(parents=True)
            _run_once(
                [*server.command, "--bootstrap", f"--datadir={data}", *options], _mariadb_system_tables(server.share)
            )
        data.rename(template)


def _mariadb_system_tables(share: Path) -> str:
    head = ["CREATE DATABASE IF NOT EXISTS mysql;", "USE mysql;", "SET @auth_root_socket = NULL;"]
    # Accounts without a password; an account of the very host would be matched before an account of any host, too.
    tail = ["DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');"]
    return "\n".join([*head, *((share / name).read_text() for name in _MARIADB_SYSTEM_TABLES), *tail]) + "\n"


def _run_once(command: Sequence[str], sql: str = "") -> None:
    done = subprocess.run(
        command,
        input=sql,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SET_UP_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(f"  {line}" for line in done.stdout.splitlines()[-12:])
        raise ServerError(f"a new data folder could not be set up by {command[0]}:\n{tail}")
