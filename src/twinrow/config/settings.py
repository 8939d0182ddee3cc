"""The settings of `twinrow.toml`: their shapes, defaults and meaning, section by section."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal

import msgspec

from twinrow.capture_kind import Traits, traits_of
from twinrow.config.column import ColumnConfig
from twinrow.config.entities import SEPARATOR_DEFAULT, EntityConfig, SplitConfig, Unmatched
from twinrow.config.mysql_url import MySQLConfig
from twinrow.config.notify import NotifyConfig, NotifyPlaces
from twinrow.config.patterns import Pattern
from twinrow.config.protecting import HidingRule, ProtectConfig
from twinrow.errors import ConfigError
from twinrow.table_description import name_in_dynamodb
from twinrow.wanted import Where

Capture = Literal["pending-index", "stream", "scan", "kinesis", "events"]
Deletes = Literal["hard", "soft"]
Mark = str | int | float

LINK_ATTRIBUTE_DEFAULT = "mysql_id"
UNITS_PER_S_MAX = 1e9
REBUILD_ROWS_MAX = 1_000_000
WORKERS_MAX = 64
MYSQL_CONNECTIONS_MAX = 1000
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _told(text: str, **limits: Any) -> msgspec.Meta:
    """The text on a setting for `docs/config.md` and the JSON Schema."""
    return msgspec.Meta(description=text, **limits)


class DynamoDBConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the tables are. Credentials come by botocore's usual chain: environment, profile, role."""

    region: Annotated[str, _told("AWS Region.", min_length=1)] = "us-east-1"
    endpoint_url: Annotated[str | None, _told("Another endpoint, for DynamoDB Local: `http://HOST:PORT`.")] = None


class SourceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another account or Region with tables, beside `[dynamodb]`; a table names it with `source`.

    Such a table is called `SOURCE:NAME` on the command line, in MySQL's state and in JSON.
    """

    name: Annotated[str, _told("What tables call it.", pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    region: Annotated[
        Annotated[str, msgspec.Meta(min_length=1)] | None, _told("AWS Region; default: that of `[dynamodb]`.")
    ] = None
    endpoint_url: Annotated[str | None, _told("Another endpoint, for DynamoDB Local: `http://HOST:PORT`.")] = None
    role_arn: Annotated[
        Annotated[str, msgspec.Meta(min_length=1)] | None,
        _told("A role that is assumed for it (`sts:AssumeRole`), renewed before it runs out."),
    ] = None
    external_id: Annotated[
        Annotated[str, msgspec.Meta(min_length=1)] | None, _told("What the role's trust policy asks for.")
    ] = None
    profile: Annotated[
        Annotated[str, msgspec.Meta(min_length=1)] | None,
        _told("A profile of `~/.aws/config`; default: botocore's usual chain."),
    ] = None


class KinesisConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the streams of `capture = "kinesis"` are; Region and credentials are those of [dynamodb]."""

    endpoint_url: Annotated[str | None, _told("Another endpoint, for tests: `http://HOST:PORT`.")] = None


class MySQLTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the copy lives: MySQL 8.0.23, Aurora MySQL 3, MariaDB 10.6, or newer."""

    url: Annotated[
        str,
        _told(
            "`mysql://USER:${MYSQL_PASSWORD}@HOST:3306/DATABASE`. Options, as query parameters: `ssl_mode` (DISABLED, "
            "PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY; default PREFERRED, with `ssl_ca` VERIFY_CA; VERIFY_… "
            "wants `ssl_ca`), `ssl_ca`, `ssl_cert`, `ssl_key` (files), `connect_timeout_s` (default 10), "
            "`unix_socket`, `server_public_key` (a file: the key with which the password is encrypted where TLS is not "
            "verified), `auth=rds-iam` (a token signed by AWS for each session takes the password's place; wants "
            "`ssl_ca`), `secret` (the ARN of a secret of Secrets Manager with user and password, read again where "
            "MySQL refuses them); a dash does for an underscore (`ssl-mode`)."
        ),
    ]


class PendingIndexConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The index on the mark that the app writes; needed with `capture = "pending-index"`."""

    index: Annotated[str, _told("Name of the global secondary index whose hash key is `attribute`.", min_length=1)]
    attribute: Annotated[str, _told("The mark: the app writes a value of `pending` here on every write.", min_length=1)]
    pending: Annotated[
        list[Mark], _told('Values that mean "not copied yet", texts or numbers; several are write sharding.')
    ] = msgspec.field(default_factory=lambda: ["false"])
    done: Annotated[Mark, _told('What takes the mark\'s place once copied; `""` removes the attribute.')] = ""
    deleted: Annotated[
        Annotated[str, msgspec.Meta(min_length=1)] | None,
        _told("An item in which this attribute is BOOL true counts as deleted: its row goes."),
    ] = None


class KinesisTableConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The Kinesis stream to which DynamoDB writes the table's changes; needed with `capture = "kinesis"`."""

    stream_arn: Annotated[
        str,
        _told(
            "ARN of the stream; several tables may share it.",
            pattern=r"^arn:[^:]+:kinesis:[^:]*:[^:]*:stream/[A-Za-z0-9_.-]+$",
        ),
    ]


class ExportConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where DynamoDB writes exports of the table, and Twinrow reads them."""

    bucket: Annotated[
        str,
        _told("The bucket in S3.", min_length=3, max_length=255, pattern=r"^[a-z0-9A-Z]+[\.\-\w]*[a-z0-9A-Z]+$"),
    ]
    prefix: Annotated[
        Annotated[str, msgspec.Meta(min_length=1, max_length=900)] | None,
        _told("The folder in it, without a slash at its end."),
    ] = None
    kms_key: Annotated[
        Annotated[str, msgspec.Meta(min_length=1, max_length=2048)] | None,
        _told("A KMS key that encrypts the files; default: S3's own encryption (AES256)."),
    ] = None
    bucket_owner: Annotated[
        Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}$")] | None,
        _told("The account that owns the bucket; needed where that is not the table's account."),
    ] = None


class S3Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the buckets of exports are; needed for another Region than the table's, and for tests."""

    region: Annotated[
        Annotated[str, msgspec.Meta(min_length=1)] | None, _told("AWS Region of the buckets; default: the table's.")
    ] = None
    endpoint_url: Annotated[str | None, _told("Another endpoint: `http://HOST:PORT`.")] = None


class TableConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A DynamoDB table and its copy; there may be many."""

    # The `*_name`, `linked`, `*_kind`… properties below resolve what was left out.
    name: Annotated[
        str, _told("The DynamoDB table.", min_length=3, max_length=255, pattern=r"^[A-Za-z0-9_.-]+$")
    ]  # fmt: skip
    capture: Annotated[Capture, _told("How changes are found; see architecture.md.")]
    into: Annotated[
        Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None,
        _told(
            "The MySQL table; default: `name`. `{name}` and `{source}` are put in, and `{rest}`: what the stars of "
            "`match` stand for."
        ),
    ] = None
    source: Annotated[str | None, _told("The `[[sources]]` that the table is in; default: `[dynamodb]`.")] = None
    link: Annotated[
        bool | None, _told("Write each row's id back into its item; default: only with a pending index.")
    ] = None
    link_attribute: Annotated[
        Annotated[str, msgspec.Meta(min_length=1)] | None,
        _told("The attribute that holds the row's id; default where linked: `mysql_id`. Named, it is Twinrow's own."),
    ] = None
    deletes: Annotated[Deletes, _told("`hard` removes the row, `soft` keeps it and sets `_twinrow_deleted_at`.")] = (
        "hard"
    )
    ttl_deletes: Annotated[Deletes | None, _told("The same for expiries by TTL; default: as `deletes`.")] = None
    reconcile_every: Annotated[
        str | None,
        _told('Pace of whole-table passes (`"15m"`, `"6h"`, `"1d"`); default: 15m with scan capture, else off.'),
    ] = None
    idle_poll_max: Annotated[
        str | None,
        _told(
            'Longest pause between two questions whether an idle table has changed (`"10s"`, at most `"60s"`): fewer '
            "requests, more lag; default: 1.2s for a shard, 0.4s for a pending index."
        ),
    ] = None
    read_capacity_max: Annotated[
        Annotated[float, msgspec.Meta(gt=0, le=UNITS_PER_S_MAX)] | None,
        _told("Read units a second for this table; default: 25 % of provisioned, 1,000 on demand."),
    ] = None
    write_capacity_max: Annotated[
        Annotated[float, msgspec.Meta(gt=0, le=UNITS_PER_S_MAX)] | None,
        _told("Write units a second for this table; default: 25 % of provisioned, 200 on demand."),
    ] = None
    allow_global_table_writes: Annotated[
        bool,
        _told("Link although the table has replicas in other Regions; only where a single Region writes each item."),
    ] = False
    rebuild_rows_max: Annotated[
        int, _told("A rebuild of a table with more rows waits for `twinrow schema --apply`.", ge=0)
    ] = REBUILD_ROWS_MAX
    lag_alert: Annotated[
        str | None,
        _told('`[notify]` tells when the copy is further behind, or not known to be nearer (`"5m"`); default: never.'),
    ] = None
    verify_every: Annotated[
        str | None,
        _told('A running sync proves the table so often (`"7d"`), within its read budget; default: never.'),
    ] = None
    segments: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=1000)] | None, _told("Segments of a parallel scan; default: by size.")
    ] = None
    first_copy: Annotated[
        Literal["scan", "export"],
        _told(
            'How a new copy begins: `"scan"` reads the table, `"export"` lets DynamoDB export it to S3, which takes no '
            "read capacity; see exports.md."
        ),
    ] = "scan"
    where: Annotated[
        Where | None,
        _told(
            "Rows are wanted of these items alone; an item that does not match has no row. Attribute = value, or "
            "`{ not = … }`, `{ from = …, to = … }`, `{ exists = … }`; a list is any of several."
        ),
    ] = None
    gap_fill: Annotated[
        Literal["auto", "export", "reconcile"] | None,
        _told(
            'With `[tables.export]`: what mends a gap of the stream. `"export"` fills it by exports of the missing '
            'window, `"reconcile"` reads the whole table, `"auto"` (default) takes what costs less; see exports.md.'
        ),
    ] = None
    index: Annotated[
        list[str | list[str]],
        _told(
            'Indexes of the copy, by attribute: `["ordered_on", ["product", "rating"]]`; built after the first copy, '
            "dropped when they are taken out."
        ),
    ] = msgspec.field(default_factory=list)
    views: Annotated[
        bool,
        _told("A sync makes the views of `schema --views`, with its own rights, and keeps them up to date."),
    ] = False
    separator: Annotated[
        str, _told("The text that a `{part}` of a key never holds, 1 to 4 characters; see single-table.md.")
    ] = SEPARATOR_DEFAULT
    unmatched: Annotated[
        Unmatched,
        _told("Items that match no entity: `keep` them in `into`, `ignore` them, or make each a `dead-letter`."),
    ] = "keep"
    entities: Annotated[
        list[EntityConfig], _told("Kinds of items with MySQL tables of their own; the first that matches has the item.")
    ] = msgspec.field(default_factory=list)
    split: SplitConfig | None = None
    pending_index: PendingIndexConfig | None = None
    kinesis: KinesisTableConfig | None = None
    export: ExportConfig | None = None
    columns: Annotated[dict[str, ColumnConfig], _told("Overrides, by attribute.")] = msgspec.field(default_factory=dict)
    protect: Annotated[
        dict[str, HidingRule],
        _told(
            'Attributes that MySQL must not see as they are: `email = "hash"`, `phone = { mask = 4 }`, `ssn = "drop"`, '
            '`"address.street" = "drop"`, `PK = { hash_part = "USER#{email}" }`; see protection.md.'
        ),
    ] = msgspec.field(default_factory=dict)
    attributes: Annotated[
        list[str] | None,
        _told("Only these attributes are copied, and the key; all others are left out, also those to come."),
    ] = None

    @property
    def traits(self) -> Traits:
        """The capture's settings for the engine."""
        return traits_of(self.capture)

    @property
    def fills_gaps(self) -> bool:
        """Whether exports may fill gaps of the table's stream."""
        return self.export is not None and self.gap_fill != "reconcile" and self.traits.is_whole_log

    @property
    def dynamodb_name(self) -> str:
        """The table's name in DynamoDB: `name` without the source that stands before it."""
        return name_in_dynamodb(self.name)

    @property
    def into_name(self) -> str:
        """The MySQL table: `into`, or the same name."""
        return self.into or self.dynamodb_name

    @property
    def into_names(self) -> tuple[str, ...]:
        """The MySQL tables that are named: the rest of a split first, then those of its entities."""
        return self.into_name, *(entity.into or entity.name for entity in self.entities if not entity.ignore)

    @property
    def linked(self) -> bool:
        """Whether row ids are written back: `link`, by default only with a pending index."""
        return self.link if self.link is not None else self.traits.links_by_default

    @property
    def ttl_kind(self) -> Deletes:
        """`ttl_deletes`, by default the same as `deletes`."""
        return self.ttl_deletes or self.deletes

    @property
    def soft(self) -> bool:
        """Whether any delete keeps its row."""
        return "soft" in (self.deletes, self.ttl_kind)

    @property
    def reconcile_s(self) -> float | None:
        """Seconds between reconciles; None is off."""
        text = self.reconcile_every or self.traits.reconcile_every
        return duration_s(text) if text else None

    @property
    def idle_poll_s(self) -> float | None:
        """The longest pause of an idle table in seconds; None is the capture's own."""
        return duration_s(self.idle_poll_max) if self.idle_poll_max else None

    @property
    def lag_alert_s(self) -> float | None:
        """A lag in seconds that somebody hears of; None is off."""
        return duration_s(self.lag_alert) if self.lag_alert else None

    @property
    def verify_s(self) -> float | None:
        """Seconds between proofs that a running sync makes; None is off."""
        return duration_s(self.verify_every) if self.verify_every else None

    @property
    def own(self) -> frozenset[str]:
        """The attributes that are Twinrow's: no columns and no differences, in every capture that names them."""
        names = {self.link_name} if self.linked or self.link_attribute is not None else set()
        if self.pending_index is not None:
            names.add(self.pending_index.attribute)
        return frozenset(names)

    @property
    def link_name(self) -> str:
        """`link_attribute`, by default `mysql_id`."""
        return self.link_attribute or LINK_ATTRIBUTE_DEFAULT


class SyncConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the process works."""

    lease_s: Annotated[
        float,
        _told("Seconds after which another process may take over from a process that gives no sign.", ge=6, le=600),
    ] = 8.0
    workers: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=WORKERS_MAX)] | None,
        _told("Processes that read a first copy without links; 1 does without; default: by size and cores, at most 4."),
    ] = None
    mysql_connections_max: Annotated[
        int,
        _told("MySQL sessions that all tables share; an idle table holds none.", ge=4, le=MYSQL_CONNECTIONS_MAX),
    ] = 32
    discover_every: Annotated[
        str,
        _told("How often a running sync looks for tables that `match` or `tags` take since, and for vanished ones."),
    ] = "5m"

    @property
    def discover_s(self) -> float:
        """Seconds between two looks for tables of patterns."""
        return duration_s(self.discover_every)


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any text may hold `${NAME}`, which takes an environment variable."""

    # tables are read by themselves (`config.resolve`): their settings come from several places

    mysql: MySQLTable
    dynamodb: DynamoDBConfig = DynamoDBConfig()
    s3: S3Config = S3Config()
    sync: SyncConfig = SyncConfig()
    notify: NotifyConfig | None = None
    sources: list[SourceConfig] = msgspec.field(default_factory=list)
    kinesis: KinesisConfig = KinesisConfig()
    protect: ProtectConfig | None = None


_KNOWN: Final = (msgspec.json.Decoder(File), msgspec.json.Decoder(ColumnConfig))
"""msgspec must know these types before two threads ask for them at once: see `twinrow.decode.compiled`."""


_NO_S3: Final = S3Config()
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class Config:
    """A whole configuration, checked."""

    dynamodb: DynamoDBConfig
    mysql: MySQLConfig
    tables: tuple[TableConfig, ...]
    sync: SyncConfig
    path: str = "twinrow.toml"
    literal_password: bool = False
    """Whether the password stands in the file itself."""
    sources: tuple[SourceConfig, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    """Parts that stand for tables that are still to be found."""
    found: frozenset[str] = frozenset()
    """The names of the tables that patterns have brought."""
    watched: tuple[str, ...] = ()
    """The files that it was read from, and the patterns of `include`."""
    notify: NotifyPlaces | None = None
    kinesis: KinesisConfig = field(default_factory=KinesisConfig)
    s3: S3Config = _NO_S3
    secret: str = field(default="", repr=False)
    """That of [protect]; empty where there is none."""
    literal_secret: bool = False
    """Whether it stands in the file itself."""

    def without_found(self) -> Config:
        """The configuration as its files have it, before patterns brought tables."""
        return replace(self, tables=tuple(table for table in self.tables if table.name not in self.found), found=_NONE)

    def chosen(self, names: list[str] | tuple[str, ...]) -> tuple[TableConfig, ...]:
        """The tables of those names, all when there are none. Raises ConfigError for a name that is not configured."""
        known = {table.name: table for table in self.tables}
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"table {name!r} is not in the configuration", where=self.path,
                    remedy=f"it has: {', '.join(known)}",
                )  # fmt: skip
        return tuple(known[name] for name in dict.fromkeys(names)) if names else self.tables


def duration_s(text: str) -> float:
    """Seconds of `"15m"`, `"2h"`, `"30s"`, `"1d"`. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is no duration: write a number and s, m, h or d, for example 15m")
    return float(match[1]) * _UNIT_S[match[2]]


def mark_value(mark: Mark) -> dict[str, Any]:
    """A mark from the configuration as a DynamoDB value: text is S, numbers are N."""
    return {"S": mark} if isinstance(mark, str) else {"N": str(mark)}
