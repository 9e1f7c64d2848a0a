"""Starting a program that refuses to run as root, whoever we are ourselves."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_dataloader.exceptions import ConfigurationError

#: Accounts looked for first when root has to become somebody else; any other will do as well.
_PREFERRED = ("postgres", "nobody")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a child process is to be.

    A user namespace changes nothing outside the child: its files still belong to us, so they may lie below
    a home folder that nobody else may enter. A switch of user needs folders which that user can reach.
    """

    #: Words put before the command.
    prefix: tuple[str, ...] = ()
    #: The account to switch to, or None to stay who we are.
    account: pwd.struct_passwd | None = None

    def popen(self, command: Sequence[object], **arguments: Any) -> subprocess.Popen[bytes]:
        """Start ``command`` under this identity; ``arguments`` are those of :class:`subprocess.Popen`."""
        if self.account is not None:
            arguments |= {
                "user": self.account.pw_uid,
                "group": self.account.pw_gid,
                "extra_groups": [],
            }
        return subprocess.Popen([*self.prefix, *map(str, command)], **arguments)

    def give(self, folder: Path) -> None:
        """Make ``folder`` and all below it this identity's own; only root can, and only root must."""
        if os.geteuid() != 0:
            return
        owner = (self.account.pw_uid, self.account.pw_gid) if self.account else (0, 0)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *owner, follow_symlinks=False)

    def check_reach(self, folder: Path) -> None:
        """Raise ConfigurationError if this identity could not enter ``folder``."""
        if self.account is None:
            return
        for parent in folder.resolve().parents:
            if not parent.stat().st_mode & 0o001:
                raise ConfigurationError(
                    f"The server refuses root, and the user {self.account.pw_name} cannot enter {parent}.",
                    field="DATALOADER_HOME",
                    fix="set DATALOADER_HOME to a folder whose parents every user may enter, "
                    "start as an ordinary user, or allow user namespaces",
                )


def choose() -> Identity:
    """Return the identity that changes least: ourselves, else a user namespace, else another account."""
    if os.geteuid() != 0 and _has_account(os.geteuid()):
        return Identity()
    account = _some_account()
    if account is not None:
        namespace = Identity(prefix=_namespace(account))
        if _works(namespace):
            return namespace
        if os.geteuid() == 0:
            return Identity(account=account)
    raise ConfigurationError(
        f"Nothing can run here that refuses root: user {os.geteuid()} has no usable account.",
        fix="add an ordinary user to this machine, or start as one",
    )


def _has_account(uid: int) -> bool:
    # initdb looks its own user up by number, and stops where there is no entry.
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _some_account() -> pwd.struct_passwd | None:
    ordinary = [account for account in pwd.getpwall() if account.pw_uid != 0]
    preferred = [account for name in _PREFERRED for account in ordinary if account.pw_name == name]
    return next(iter(preferred + ordinary), None)


def _namespace(account: pwd.struct_passwd) -> tuple[str, ...]:
    return ("unshare", "--user", f"--map-user={account.pw_uid}", f"--map-group={account.pw_gid}", "--")


def _works(identity: Identity) -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = identity.popen(
        ["id", "-u"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return probe.wait() == 0
