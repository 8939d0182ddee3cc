"""`twinrow.toml`, read strictly: unknown keys, wrong types and unset variables are errors that name key and place.

In: the text of a file, the environment. Out: a `Config`, wholly checked. Not to be touched: no server is asked, and
no file is written.
"""

from twinrow.config.column import ColumnConfig
from twinrow.config.mysql_url import MySQLConfig, mysql_config
from twinrow.config.reading import load, parse
from twinrow.config.settings import (
    LINK_ATTRIBUTE_DEFAULT,
    Capture,
    Config,
    Deletes,
    DynamoDBConfig,
    ExportConfig,
    File,
    KinesisConfig,
    KinesisTableConfig,
    Mark,
    MySQLTable,
    PendingIndexConfig,
    S3Config,
    SourceConfig,
    SyncConfig,
    TableConfig,
    duration_s,
    mark_value,
)

__all__ = [
    "LINK_ATTRIBUTE_DEFAULT",
    "Capture",
    "ColumnConfig",
    "Config",
    "Deletes",
    "DynamoDBConfig",
    "ExportConfig",
    "File",
    "KinesisConfig",
    "KinesisTableConfig",
    "Mark",
    "MySQLConfig",
    "MySQLTable",
    "PendingIndexConfig",
    "S3Config",
    "SourceConfig",
    "SyncConfig",
    "TableConfig",
    "duration_s",
    "load",
    "mark_value",
    "mysql_config",
    "parse",
]
