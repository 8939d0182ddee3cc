"""Unpacks a package of Debian unstable with all it depends on into a folder, beside a stable system.

apt does the work, with a configuration, a package list and an (empty) record of installed packages of its own: so it
wants the whole closure, down to the C library, and the system's own state is neither read nor changed. The mirror and
the keys are those the system already trusts. No root is needed.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SUITE = "unstable"
COMMAND_TIMEOUT_S = 900
SYSTEM_SOURCES = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
# Names a Debian source may go by, besides the release's own.
MOVING_SUITES = {"stable", "testing", "unstable", "sid", "oldstable"}


class DebianError(Exception):
    """The package could not be had; the message says why and what to do."""


def unpack_closure(package: str, scratch: Path, target: Path) -> int:
    """Downloads `package` and its dependencies into `scratch`, unpacks them into `target`, returns their number."""
    config = _private_apt(scratch)
    _apt(config, "update")
    _apt(config, "install", "--download-only", "--yes", "--no-install-recommends", package)
    archives = sorted((scratch / "cache/archives").glob("*.deb"))
    target.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        _run(["dpkg", "-x", str(archive), str(target)])
    return len(archives)


def _private_apt(scratch: Path) -> Path:
    """Writes a configuration under which apt lives wholly in `scratch`; returns the file for APT_CONFIG."""
    for folder in ("state/lists/partial", "cache/archives/partial", "sources", "empty"):
        (scratch / folder).mkdir(parents=True, exist_ok=True)
    (scratch / "status").touch()
    (scratch / "sources/unstable.sources").write_text(_source_of_unstable())
    # How the network is reached (proxies, time-outs) is the system's business; its hooks and lists are not ours.
    dump = _run(["apt-config", "dump"]).splitlines()
    network = [line for line in dump if line.startswith("Acquire::") and "::IndexTargets" not in line]
    own = {
        "Dir::State": scratch / "state",
        "Dir::State::status": scratch / "status",
        "Dir::Cache": scratch / "cache",
        "Dir::Etc::Main": scratch / "empty/none",
        "Dir::Etc::Parts": scratch / "empty",
        "Dir::Etc::PreferencesParts": scratch / "empty",
        "Dir::Etc::Preferences": scratch / "empty/none",
        "Dir::Etc::SourceList": scratch / "empty/none",
        "Dir::Etc::SourceParts": scratch / "sources",
        "Dir::Log": scratch / "empty",
        "Acquire::Languages": "none",
        # The scratch folder belongs to who runs this; apt's own user could not write there.
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
    }
    config = scratch / "apt.conf"
    config.write_text("\n".join([*network, *(f'{key} "{value}";' for key, value in own.items())]) + "\n")
    return config


def _source_of_unstable() -> str:
    """Returns the system's own Debian source with the suite changed, in deb822 form, keys included."""
    codename = _codename()
    for path in sorted(SYSTEM_SOURCES.glob("sources.list.d/*.sources")):
        for stanza in path.read_text().split("\n\n"):
            fields = _fields(stanza)
            suites = set(fields.get("suites", "").split())
            if _is_debian(fields.get("types", ""), suites, fields.get("components", ""), codename):
                return _stanza(fields["uris"].split()[0], fields.get("signed-by"))
    for path in [SYSTEM_SOURCES / "sources.list", *sorted(SYSTEM_SOURCES.glob("sources.list.d/*.list"))]:
        for line in path.read_text().splitlines() if path.is_file() else ():
            kind, options, uri, suite, components = _one_line(line)
            if _is_debian(kind, {suite}, components, codename):
                return _stanza(uri, options.get("signed-by"))
    raise DebianError(
        "no Debian mirror in the system's apt sources, so MySQL cannot be taken from Debian unstable. "
        "On another system run the demo with Docker: docker compose up"
    )


def _codename() -> str:
    lines = OS_RELEASE.read_text().splitlines() if OS_RELEASE.is_file() else []
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return values.get("VERSION_CODENAME", "").strip('"') if values.get("ID") == "debian" else ""


def _is_debian(kind: str, suites: set[str], components: str, codename: str) -> bool:
    """True for Debian's main archive. Other vendors' sources have suites of other names, security ones a suffix."""
    return "deb" in kind.split() and bool(suites & {codename, *MOVING_SUITES}) and "main" in components.split()


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace():
            # A key may be written out in the file itself, over many lines.
            fields[name] = f"{fields.get(name, '')}\n{line}"
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return {} if fields.get("enabled", "yes").lower() == "no" else fields


def _one_line(line: str) -> tuple[str, dict[str, str], str, str, str]:
    """Takes `deb [option=value …] uri suite component …` apart; all empty for anything else."""
    words = line.split("#", 1)[0].split()
    options: dict[str, str] = {}
    if len(words) > 1 and words[1].startswith("["):
        end = next((index for index, word in enumerate(words) if word.endswith("]")), 1)
        pairs = (pair.split("=", 1) for pair in " ".join(words[1 : end + 1]).strip("[]").split())
        options = {pair[0].lower(): pair[1] for pair in pairs if len(pair) == 2}
        words = [words[0], *words[end + 1 :]]
    if len(words) < 4:
        return "", {}, "", "", ""
    return words[0], options, words[1], words[2], " ".join(words[3:])


def _stanza(uri: str, signed_by: str | None) -> str:
    lines = ["Types: deb", f"URIs: {uri}", f"Suites: {SUITE}", "Components: main"]
    return "\n".join([*lines, *([f"Signed-By: {signed_by}"] if signed_by else [])]) + "\n"


def _apt(config: Path, *arguments: str) -> None:
    _run(["apt-get", "--quiet", *arguments], {**os.environ, "APT_CONFIG": str(config)})


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n  ".join(done.stdout.strip().splitlines()[-8:])
        raise DebianError(f"`{' '.join(command[:4])} …` failed:\n  {tail}")
    return done.stdout
