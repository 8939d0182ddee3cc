"""The least rights that a configuration needs: IAM policies for DynamoDB, GRANT statements for MySQL (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from twinrow.app.wiring import dynamodb_settings_of, place_of, region_of
from twinrow.capture_kind import Right
from twinrow.config import Config, DynamoDBConfig, SourceConfig, TableConfig
from twinrow.errors import ConfigError
from twinrow.schema.naming import quote
from twinrow.sync.kind import kind_of

MYSQL_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "CREATE TEMPORARY TABLES")
"""The last is for speed alone: many changed rows are staged. No INDEX: ALTER TABLE … ADD KEY asks for ALTER only."""
POLICY_CHARACTERS_MAX = 6_143
"""Below 6,144 without white space: what AWS takes for one managed policy (IAM User Guide, "IAM and AWS STS quotas")."""
POLICIES_A_ROLE_MAX = 10
"""Managed policies that AWS attaches to a role, unless the account asks for up to 20 (the same page)."""
PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
"""How the names of Regions outside the partition `aws` begin (AWS General Reference, "Amazon Resource Names")."""
WRITES = ("dynamodb:PartiQLUpdate", "dynamodb:UpdateItem")
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):role/.+")
READS = ("dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:BatchGetItem")


def writes(table: TableConfig) -> bool:
    """Whether Twinrow writes to items of the table at all: links, or marks that it clears."""
    return table.linked or table.traits.carries_marks


def partition_of(region: str) -> str:
    """The part of AWS that a Region is in, as ARNs name it; with another part a policy gives no right at all."""
    return next((name for start, name in PARTITIONS.items() if region.startswith(start)), "aws")


@dataclass(frozen=True, slots=True)
class Holder:
    """A holder of rights: the identity that runs Twinrow (neither), a role that it assumes, or a profile."""

    role_arn: str | None = None
    profile: str | None = None

    def __str__(self) -> str:
        if self.role_arn is not None:
            return f"the role {self.role_arn}"
        return (
            f"the credentials of the profile {self.profile}" if self.profile is not None else "Twinrow's own identity"
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """An IAM policy, and who is to have it."""

    holder: Holder
    document: dict[str, Any]


def iam_policies(
    config: Config, chosen: Sequence[TableConfig], account: str, keys: Mapping[str, Sequence[str]], *, fix: bool
) -> list[Policy]:
    """The policies for these tables, to be attached all; `fix` adds what `check --fix` needs. `account` may be `*`.

    The rights to the tables of a source with a role are that role's, in the role's account; whoever assumes it needs
    `sts:AssumeRole` alone.

    `keys` are the key attributes of each table that is written to: writes are limited to them, the link attribute and
    the mark (AWS, "Using IAM policy conditions for fine-grained access control": `dynamodb:Attributes`). Raises
    ConfigError when one table's rights alone are too long for AWS.
    """
    of_holders: dict[Holder, list[Right]] = {Holder(): []}
    for table in chosen:
        place = place_of(config, table.source)
        rights = _rights(config, account_of(place, account), table, keys, fix=fix)
        of_holders.setdefault(holder_of(place), []).extend(rights)
    for source in dict.fromkeys(pattern.source for pattern in config.patterns):
        place = place_of(config, source)
        rights = _of_patterns(config, account_of(place, account), source)
        of_holders.setdefault(holder_of(place), []).extend(rights)
    for holder in list(of_holders):
        if holder.role_arn is not None:
            assume = Right(("sts:AssumeRole",), holder.role_arn)
            of_holders.setdefault(Holder(profile=holder.profile), []).append(assume)
    of_holders[Holder()].extend(_beside(config, account))
    return [Policy(holder, document) for holder, rights in of_holders.items() for document in _documents(rights)]


def holder_of(place: DynamoDBConfig | SourceConfig) -> Holder:
    """The holder of the rights to the tables of a source."""
    return Holder(place.role_arn, place.profile) if isinstance(place, SourceConfig) else Holder()


def account_of(place: DynamoDBConfig | SourceConfig, account: str) -> str:
    """The account of a source's tables: its role names it, and a profile may be of any."""
    if not isinstance(place, SourceConfig):
        return account
    found = _ROLE.fullmatch(place.role_arn or "")
    if found is not None:
        return found["account"]
    return account if place.role_arn is None and place.profile is None else "*"


def _documents(rights: Iterable[Right]) -> list[dict[str, Any]]:
    """The policies that give these rights, each short enough for AWS. Raises ConfigError as `iam_policies`."""
    by_kind: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Right]] = {}
    for right in rights:
        by_kind.setdefault(right.kind, []).append(right)
    policies: list[dict[str, Any]] = []
    for alike in by_kind.values():
        for right in dict.fromkeys(alike):
            if not policies or not _added(policies[-1], right):
                policies.append({"Version": "2012-10-17", "Statement": []})
                if not _added(policies[-1], right):
                    raise ConfigError(
                        f"the rights to {right.resource} take more than {POLICY_CHARACTERS_MAX:,} characters",
                        remedy="a shorter `link_attribute` or `pending_index.attribute`",
                    )
    return policies


def _rights(
    config: Config, account: str, table: TableConfig, keys: Mapping[str, Sequence[str]], *, fix: bool
) -> Iterator[Right]:
    settings = dynamodb_settings_of(table, config.path)
    region = region_of(config, table.source)
    service = f"arn:{partition_of(region)}:dynamodb"
    arn = f"{service}:{region}:{account}:table/{table.dynamodb_name}"
    actions: tuple[str, ...] = READS
    if table.ttl_kind != table.deletes:  # only then it matters which attribute is the TTL's
        actions = (*actions, "dynamodb:DescribeTimeToLive")
    if fix and table.traits.changes_table:
        actions = (*actions, *table.traits.fix_rights)
    yield Right(actions, arn)
    if writes(table):
        yield Right(WRITES, arn, _written(table, keys[table.name]))
    if table.linked and not table.allow_global_table_writes:
        yield Right(("dynamodb:DescribeGlobalTable",), f"{service}::{account}:global-table/{table.dynamodb_name}")
    yield from kind_of(settings).rights(settings, arn)
    if table.export is not None and (table.first_copy == "export" or table.fills_gaps):
        from twinrow.app.setup import exports

        yield from exports.rights(table.export, arn, partition_of(region), fix=fix)


def _of_patterns(config: Config, account: str, source: str | None) -> Iterator[Right]:
    """The rights to look for the tables of a source's patterns."""
    region = region_of(config, source)
    service = f"arn:{partition_of(region)}:dynamodb:{region}:{account}"
    yield Right(("dynamodb:ListTables",), "*")  # no ARN stands for the list of tables
    if any(pattern.tags for pattern in config.patterns if pattern.source == source):
        yield Right(("dynamodb:DescribeTable", "dynamodb:ListTagsOfResource"), f"{service}:table/*")


def _beside(config: Config, account: str) -> Iterator[Right]:
    """The rights that the login to MySQL and notifications need."""
    mysql = config.mysql
    if mysql.secret is not None:
        yield Right(("secretsmanager:GetSecretValue",), mysql.secret)
    if config.notify is not None and config.notify.sns_topic is not None:
        yield Right(("sns:Publish",), config.notify.sns_topic)
    if mysql.auth is not None:
        region = mysql.database_region
        # the database's resource id stands in no host name: any database of the account, but this user alone
        yield Right(("rds-db:connect",), f"arn:{partition_of(region)}:rds-db:{region}:{account}:dbuser:*/{mysql.user}")


def _written(table: TableConfig, keys: Sequence[str]) -> tuple[str, ...]:
    """The attributes that a link write names."""
    names = {*keys}
    if table.linked:
        names.add(table.link_name)
    if table.pending_index is not None and table.traits.carries_marks:
        names.add(table.pending_index.attribute)
    return tuple(sorted(names))


def _added(policy: dict[str, Any], right: Right) -> bool:
    """Add a right to the last statement, where that is of its kind, else to a new statement.

    False where it does not fit.
    """
    statements: list[dict[str, Any]] = policy["Statement"]
    statement = _statement(right)
    grown = [*statements, statement]
    if statements and statements[-1] | {"Resource": []} == statement | {"Resource": []}:
        grown = [*statements[:-1], statements[-1] | {"Resource": [*statements[-1]["Resource"], right.resource]}]
    if len(compact(policy | {"Statement": grown})) > POLICY_CHARACTERS_MAX:
        return False
    policy["Statement"] = grown
    return True


def _statement(right: Right) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(right.actions), "Resource": [right.resource]}
    if right.attributes:
        limit = {"dynamodb:Attributes": list(right.attributes)}
        statement["Condition"] = {"ForAllValues:StringEquals": limit}
    return statement


def compact(policy: Mapping[str, Any]) -> str:
    """A policy as JSON without white space, as AWS counts it; ASCII, since a policy takes nothing above U+00FF."""
    return json.dumps(policy, separators=(",", ":"))


def grants(config: Config, reader: str | None, views: Sequence[str] | None = None) -> list[str]:
    """The GRANT statements for the user of `mysql.url`, and for a `reader` of the copies only, or of these `views`."""
    database = quote(config.mysql.database)
    rights = (*MYSQL_RIGHTS, *(("CREATE VIEW", "SHOW VIEW") if any(table.views for table in config.tables) else ()))
    statements = [f"GRANT {', '.join(rights)} ON {_alone(database)}.* TO {_user(config.mysql.user)};"]
    if reader is not None:
        names = [into for table in config.tables for into in table.into_names] if views is None else views
        copies = [f"{database}.{quote(name)}" for name in names]
        statements += [f"GRANT SELECT, SHOW VIEW ON {copy} TO {_user(*_name_and_host(reader))};" for copy in copies]
    return statements


def _alone(database: str) -> str:
    """The database as GRANT takes it for itself alone: `_` and `%` there stand for other names, too."""
    return database.replace("_", "\\_").replace("%", "\\%")


def _name_and_host(account: str) -> tuple[str, str]:
    """`bob`, `bob@10.%` or `'bob'@'10.%'` as MySQL reads it: the host is what follows the last @, else any."""
    name, at, host = account.rpartition("@")
    if not at:
        name, host = account, "%"
    return _bare(name), _bare(host)


def _bare(text: str) -> str:
    """A name without the quotes around it, in which the same quote stands doubled."""
    for mark in "'`\"":
        if len(text) > 1 and text.startswith(mark) and text.endswith(mark):
            return text[1:-1].replace(mark * 2, mark)
    return text


def _user(name: str, host: str = "%") -> str:
    return f"{_text(name)}@{_text(host)}"


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
