"""The user that programs run as, where that is not the user of the unit."""

import grp
import os
import pwd
from typing import NamedTuple


class ProgramUser(NamedTuple):
    """As the system knows it. JSON keeps it as a list."""

    name: str
    uid: int
    gid: int
    groups: list[int]
    """All groups, the first one included."""
    home: str


class UserUnusable(Exception):
    """The text says why, and what to do."""


def find_user(wanted: str) -> ProgramUser:
    """The user `NAME` or `NAME:GROUP`. Raises UserUnusable if there is none, or this process may not become it."""
    name, _, group = wanted.partition(":")
    try:
        user = pwd.getpwnam(name)
        gid = grp.getgrnam(group).gr_gid if group else user.pw_gid
    except KeyError:
        raise UserUnusable(f"{wanted!r:.80} is no user, or no group, of this system") from None
    if user.pw_uid != os.geteuid() and os.geteuid() != 0:
        raise UserUnusable(f"only root can run programs as {name}: start the unit as root, or leave the setting empty")
    return ProgramUser(name, user.pw_uid, gid, sorted({gid, *os.getgrouplist(name, gid)}), user.pw_dir or "/")


def become(user: ProgramUser) -> None:
    """Makes this process one of that user, for good. What the kernel was to send when its parent dies is forgotten by
    that. Raises OSError."""
    if os.geteuid() == 0:
        os.setgroups(user.groups)
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
