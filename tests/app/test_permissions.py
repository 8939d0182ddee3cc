"""IAM policies for many tables fit AWS's limit, and together give every table all its rights and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.command_line import InProcess

from twinrow import config
from twinrow.app.setup import permissions
from twinrow.errors import ConfigError

AWS_CHARACTERS = 6_144
ACCOUNT = "123456789012"
HEAD = '[mysql]\nurl = "mysql://u:p@h/d"\n'


def table(name: str, kind: int) -> str:
    """A `[[tables]]` part: three captures, with and without links, TTL of its own kind and names of their own."""
    part = f'[[tables]]\nname = "{name}"\n'
    if kind % 3 == 0:
        attribute = "migrated" if kind % 2 else f"mark of {name}"
        part += (
            f'capture = "pending-index"\n[tables.pending_index]\nindex = "index-{name}"\nattribute = "{attribute}"\n'
        )
    elif kind % 3 == 1:
        part += f'capture = "stream"\nlink = {"true" if kind % 2 else "false"}\n'
    else:
        part += 'capture = "scan"\n' + ('ttl_deletes = "soft"\n' if kind % 2 else "")
    return part


def iam_policies(*arguments: Any, fix: bool) -> list[dict[str, Any]]:
    """The documents of the policies."""
    return [policy.document for policy in permissions.iam_policies(*arguments, fix=fix)]


def documents(text: str) -> list[dict[str, Any]]:
    """The JSON documents that stand one after the other."""
    decoder, found = json.JSONDecoder(), []
    while text.strip():
        document, end = decoder.raw_decode(text.lstrip())
        found.append(document)
        text = text.lstrip()[end:]
    return found


def rights(policies: list[dict[str, Any]]) -> set[tuple[str, str, tuple[str, ...]]]:
    """Every (action, resource, attributes that may be written) of the policies together."""
    given = set()
    for policy in policies:
        assert set(policy) == {"Version", "Statement"}
        for one in policy["Statement"]:
            assert one["Effect"] == "Allow"
            limit = one.get("Condition", {}).get("ForAllValues:StringEquals", {}).get("dynamodb:Attributes", ())
            given |= {(action, resource, tuple(limit)) for action in one["Action"] for resource in one["Resource"]}
    return given


@pytest.mark.parametrize("count", [1, 30, 200])
@pytest.mark.parametrize("fix", [False, True])
def test_each_policy_fits_and_every_table_has_its_rights(tmp_path: Path, count: int, fix: bool) -> None:
    command = InProcess(tmp_path)
    names = [f"production-table-of-some-length-{n:03}" for n in range(count)]
    parts = {name: table(name, n) for n, name in enumerate(names)}
    keys = [f"--keys={name}=username,reviewed_at" for name in names]
    asked = ("iam-policy", "--account", ACCOUNT, *keys, *(["--fix"] if fix else []))

    def printed() -> tuple[list[dict[str, Any]], str]:
        done = command.run(*asked)
        assert done.code == 0
        return documents(done.out), done.err

    alone = set()
    for name, part in parts.items():
        loaded = config.parse(HEAD + part, environment={})
        pair = {name: ["username", "reviewed_at"]}
        alone |= rights(iam_policies(loaded, loaded.tables, ACCOUNT, pair, fix=fix))
    command.write_config(HEAD + "".join(parts.values()))
    policies, told = printed()
    assert all(len("".join(json.dumps(one, indent=2).split())) < AWS_CHARACTERS for one in policies)
    assert rights(policies) == alone
    assert all(any(f"table/{name}" in resource for _, resource, _ in alone) for name in names)
    assert (len(policies) > 1) is (f"{len(policies)} policies" in told) is (count > 1)
    assert ("quota" in told) is (len(policies) > 10)
    for number in (1, len(policies)):
        done = command.run(*asked, "--policy", str(number))
        assert json.loads(done.out) == policies[number - 1]
    assert command.run(*asked, "--policy", str(len(policies) + 1)).code == 2


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 200)), max_size=40))
def test_tables_of_any_length_of_name_share_policies(kinds: list[tuple[int, int]]) -> None:
    parts = [table(f"t{n:02}{'x' * length}", kind) for n, (kind, length) in enumerate(kinds)] or [table("abc", 2)]
    loaded = config.parse(HEAD + "".join(parts), environment={})
    keys = {one.name: ["k"] for one in loaded.tables}
    policies = iam_policies(loaded, loaded.tables, ACCOUNT, keys, fix=True)
    assert all(len(permissions.compact(one)) < AWS_CHARACTERS for one in policies)
    each = [iam_policies(loaded, [one], ACCOUNT, keys, fix=True) for one in loaded.tables]
    assert rights(policies) == set().union(*map(rights, each))


def test_rights_that_no_policy_can_hold_are_refused() -> None:
    part = f'[[tables]]\nname = "abc"\ncapture = "scan"\nlink = true\nlink_attribute = "{"x" * 7000}"\n'
    loaded = config.parse(HEAD + part, environment={})
    with pytest.raises(ConfigError, match="link_attribute"):
        iam_policies(loaded, loaded.tables, ACCOUNT, {"abc": ["k"]}, fix=False)


@pytest.mark.parametrize(
    ("reader", "account"),
    [
        ("bob", "'bob'@'%'"), ("bob@10.%", "'bob'@'10.%'"), ("'bob'@'10.%'", "'bob'@'10.%'"),
        ("`bob`@localhost", "'bob'@'localhost'"), ("bob@example.com@%", "'bob@example.com'@'%'"),
        ("o'hara@%", "'o''hara'@'%'"), ("'o''hara'@'%'", "'o''hara'@'%'"), ("back\\slash", "'back\\\\slash'@'%'"),
    ],
)  # fmt: skip
def test_a_reader_may_have_a_host(reader: str, account: str) -> None:
    loaded = config.parse(HEAD + table("abc", 2), environment={})
    assert permissions.grants(loaded, reader)[1].endswith(f" TO {account};")


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("us-east-1", "aws")],
)
def test_resources_are_in_the_partition_of_the_region(region: str, partition: str) -> None:
    text = f'[dynamodb]\nregion = "{region}"\n{HEAD}{table("reviews", 1)}'
    wanted = config.parse(text)
    policies = iam_policies(wanted, wanted.tables, ACCOUNT, {"reviews": ("username",)}, fix=True)
    assert {resource.split(":")[1] for _, resource, _ in rights(policies)} == {partition}


@pytest.mark.parametrize(
    ("account", "code"), [("x", 2), ("12345678901", 2), ("12345678901x", 2), ("*", 0), (ACCOUNT, 0)]
)
def test_an_account_is_twelve_digits_or_any(tmp_path: Path, account: str, code: int) -> None:
    command = InProcess(tmp_path)
    command.write_config(HEAD + table("reviews", 2))
    assert command.run("iam-policy", "--account", account, "--keys=reviews=username").code == code


@pytest.mark.parametrize(
    ("url", "right"),
    [
        (f"mysql://h/d?secret=arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:s-AbCdEf",
         ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:s-AbCdEf")),
        ("mysql://ann@db.x.eu-west-1.rds.amazonaws.com/d?auth=rds-iam&ssl_ca=f",
         ("rds-db:connect", f"arn:aws:rds-db:eu-west-1:{ACCOUNT}:dbuser:*/ann")),
    ],
)  # fmt: skip
def test_a_login_by_aws_has_its_right(url: str, right: tuple[str, str]) -> None:
    text = f'[mysql]\nurl = "{url}"\n{table("abc", 2)}'
    loaded = config.parse(text, environment={})
    given = rights(iam_policies(loaded, loaded.tables, ACCOUNT, {}, fix=False))
    assert (*right, ()) in given
    plain = config.parse(HEAD + table("abc", 2), environment={})
    alone = rights(iam_policies(plain, plain.tables, ACCOUNT, {}, fix=False))
    assert given - alone == {(*right, ())}


def test_the_rights_of_a_source_are_those_of_its_role_in_the_roles_account() -> None:
    """Twinrow's own identity may assume the role, and nothing of that account more; a profile has its own policy."""
    role = "arn:aws:iam::999999999999:role/reader"
    text = (
        f'{HEAD}[[sources]]\nname = "eu"\nregion = "eu-west-1"\nrole_arn = "{role}"\n'
        '[[sources]]\nname = "dev"\nprofile = "dev"\n[defaults]\ncapture = "scan"\n'
        '[[tables]]\nname = "films"\n[[tables]]\nname = "films"\nsource = "eu"\ninto = "eu_films"\n'
        '[[tables]]\nname = "films"\nsource = "dev"\ninto = "dev_films"\n'
        '[[tables]]\nmatch = "many-*"\nsource = "eu"\n'
    )
    loaded = config.parse(text, environment={})
    given: dict[str, set[tuple[str, str]]] = {}
    for policy in permissions.iam_policies(loaded, loaded.tables, ACCOUNT, {}, fix=False):
        pairs = {(action, resource) for action, resource, _ in rights([policy.document])}
        given.setdefault(str(policy.holder), set()).update(pairs)
    scan = "dynamodb:Scan"
    assert set(given) == {"Twinrow's own identity", f"the role {role}", "the credentials of the profile dev"}
    own = given["Twinrow's own identity"]
    assert (scan, f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/films") in own
    assert ("sts:AssumeRole", role) in own
    assert not [resource for _, resource in own if "999999999999:table" in resource or "eu-west-1" in resource]
    assert given[f"the role {role}"] >= {
        (scan, "arn:aws:dynamodb:eu-west-1:999999999999:table/films"), ("dynamodb:ListTables", "*"),
    }  # fmt: skip
    assert (scan, "arn:aws:dynamodb:us-east-1:*:table/films") in given["the credentials of the profile dev"]


def test_a_role_that_a_profile_assumes_wants_the_right_of_the_profile(tmp_path: Path) -> None:
    command = InProcess(tmp_path)
    role = "arn:aws:iam::999999999999:role/reader"
    command.write_config(
        f'{HEAD}[[sources]]\nname = "eu"\nrole_arn = "{role}"\nprofile = "hub"\n'
        '[[tables]]\nname = "films"\nsource = "eu"\ncapture = "scan"\n'
    )
    done = command.run("iam-policy", "--account", ACCOUNT)
    of_role, of_profile = documents(done.out)
    assert {action for action, _, _ in rights([of_profile])} == {"sts:AssumeRole"}
    assert ("dynamodb:Scan", "arn:aws:dynamodb:us-east-1:999999999999:table/films", ()) in rights([of_role])
    assert f"policy 1: for the role {role}" in done.err
    assert "policy 2: for the credentials of the profile hub" in done.err
