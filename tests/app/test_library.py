"""The library face: what notebooks and Airflow call, on real servers."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import marked, put_all, review

import twinrow


def test_load_sync_verify_status(make_copying: MakeCopying, dynamodb_client: Any) -> None:
    copying = make_copying()
    put_all(dynamodb_client, copying.table, [marked(number) for number in range(30)])
    loaded = twinrow.load(copying.config_file())
    assert isinstance(loaded, twinrow.Twinrow)

    synced = loaded.sync_once()
    assert synced.in_step
    assert synced.seconds > 0
    (one,) = synced.tables
    assert (one.table, one.error, one.left_to_holder) == (copying.table, None, False)
    assert one.status is not None
    assert (one.status.rows, one.status.phase) == (30, "LIVE")

    seen: list[tuple[str, int, int]] = []
    verified = loaded.verify(progress=lambda table, items, of: seen.append((table, items, of)))
    assert verified.in_step
    (verdict,) = verified.tables
    assert (verdict.items, verdict.rows, verdict.missing, verdict.different) == (30, 30, 0, 0)
    assert seen[-1][:2] == (copying.table, 30)

    (status,) = loaded.status(copying.table).tables
    assert (status.rows, status.lag_s, status.running) == (30, 0.0, False)
    assert status.verified is not None
    assert status.verified["in_step"] is True


def test_verify_finds_a_row_changed_by_hand(make_copying: MakeCopying, dynamodb_client: Any) -> None:
    copying = make_copying()
    put_all(dynamodb_client, copying.table, [marked(number) for number in range(3)])
    loaded = twinrow.load(copying.config_file())
    loaded.sync_once()
    copying.database.query(f"UPDATE `{copying.table}` SET rating = 99 WHERE row_id = 1")

    verified = loaded.verify()
    assert not verified.in_step
    (verdict,) = verified.tables
    assert (verdict.different, verdict.examples[0].attributes) == (1, ("rating",))


@pytest.mark.either_server
def test_a_failed_table_is_raised_after_the_others_are_through(make_copying: MakeCopying, dynamodb_client: Any) -> None:
    copying = make_copying()
    put_all(dynamodb_client, copying.table, [review(number) for number in range(3)])
    copying.tables["no_such_table"] = {"capture": "scan"}
    with pytest.raises(twinrow.SyncFailed) as failure:
        twinrow.load(copying.config_file()).sync_once()

    by_name = {one.table: one for one in failure.value.synced.tables}
    assert by_name[copying.table].in_step
    missing = by_name["no_such_table"]
    assert (missing.status, missing.in_step) == (None, False)
    assert missing.error is not None
    assert "check the table's name" in str(failure.value)
    assert failure.value.exit_code == 1


@pytest.mark.either_server
def test_out_of_time_is_an_error_and_the_next_call_goes_on(make_copying: MakeCopying, dynamodb_client: Any) -> None:
    copying = make_copying()
    put_all(dynamodb_client, copying.table, [marked(number) for number in range(3)])
    loaded = twinrow.load(copying.config_file())
    with pytest.raises(twinrow.TwinrowError, match="not through after 0 s"):
        loaded.sync_once(timeout_s=0.0)
    assert loaded.sync_once().in_step
    copying.assert_equal(items=3)


def test_errors_of_use_are_told_before_anything_is_sent(make_copying: MakeCopying) -> None:
    copying = make_copying()
    with pytest.raises(twinrow.ConfigError, match="no such file"):
        twinrow.load(copying.folder / "absent.toml")
    loaded = twinrow.load(copying.config_file())
    with pytest.raises(twinrow.ConfigError, match="not in the configuration"):
        loaded.sync_once("unknown")
    with pytest.raises(twinrow.TwinrowError, match="never copied"):
        loaded.verify()
    (status,) = loaded.status().tables
    assert (status.phase, status.rows, status.lag_s) == ("NEW", 0, None)


@pytest.mark.either_server
def test_it_works_in_a_thread_that_is_not_the_main_one(make_copying: MakeCopying, dynamodb_client: Any) -> None:
    copying = make_copying()
    put_all(dynamodb_client, copying.table, [marked(1)])
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(twinrow.load(copying.config_file()).sync_once().in_step))
    thread.start()
    thread.join(60)
    assert found == [True]


def test_a_world_readable_password_is_told_not_printed(
    make_copying: MakeCopying, capfd: pytest.CaptureFixture[str]
) -> None:
    copying = make_copying()
    path = copying.config_file()
    path.chmod(0o644)
    loaded = twinrow.load(path)
    assert "others can read the password" in loaded.warnings[0]
    assert capfd.readouterr() == ("", "")


def test_every_name_of_the_package_is_there() -> None:
    for name in twinrow.__all__:
        assert getattr(twinrow, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        twinrow.nothing  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, twinrow; print([name for name in sys.modules if name.split('.')[0] in ('botocore', 'pymysql')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
