from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace.unprivileged import Identity, choose


def whoami(identity: Identity) -> int:
    process = identity.popen(["id", "-u"], stdout=subprocess.PIPE)
    return int(process.communicate()[0])


def test_whoever_we_are_the_child_is_not_root_and_has_a_name() -> None:
    uid = whoami(choose())
    assert uid != 0
    assert pwd.getpwuid(uid).pw_name


def test_a_prefix_stands_before_the_command() -> None:
    process = Identity(prefix=("env", "GREETING=hello")).popen(
        ["sh", "-c", 'printf "$GREETING"'], stdout=subprocess.PIPE
    )
    assert process.communicate()[0] == b"hello"


def test_ourselves_reach_every_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    Identity().check_reach(tmp_path / "postgres")


def test_another_user_needs_every_parent_open(tmp_path: Path) -> None:
    somebody = Identity(account=pwd.getpwnam("nobody"))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match="the user nobody cannot enter"):
        somebody.check_reach(closed / "postgres")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_becomes_another_user_and_gives_it_what_it_needs(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").touch()
    identity = Identity(account=nobody)
    identity.give(tmp_path / "below")
    assert (tmp_path / "below" / "file").stat().st_uid == nobody.pw_uid
    assert whoami(identity) == nobody.pw_uid
    Identity().give(tmp_path / "below")
    assert (tmp_path / "below" / "file").stat().st_uid == 0
