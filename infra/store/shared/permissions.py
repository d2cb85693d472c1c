"""A folder that a group shares: who may write into it may write into all that is made under it, whatever the umask.

As git does it with `core.sharedRepository`, only that the folder's own mode is the setting.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class GroupAccess:
    """What a folder hands on to those under it: its mode and its group."""

    mode: int
    group: int

    @classmethod
    def of(cls, folder: Path) -> "GroupAccess | None":
        """None where the group may not write; a sticky folder (/tmp) is everybody's, and hands on nothing."""
        status = folder.stat()
        if not status.st_mode & stat.S_IWGRP or status.st_mode & stat.S_ISVTX:
            return None
        return cls(stat.S_IMODE(status.st_mode) & 0o777, status.st_gid)

    def open_folder(self, path: Path) -> None:
        """Let a folder of ours be what the shared one is."""
        self._own(path)
        path.chmod(self.mode | stat.S_ISGID)

    def open_file(self, path: Path) -> None:
        """Let a file of ours be read and written by whom the shared folder is open to."""
        self._own(path)
        path.chmod(self.mode & 0o666)

    def _own(self, path: Path) -> None:
        """The group, where one may give it: without setgid on the shared folder, a file has its maker's own."""
        may = os.geteuid() == 0 or self.group in (os.getegid(), *os.getgroups())
        if may and path.stat().st_gid != self.group:
            os.chown(path, -1, self.group)


def owner(path: Path) -> str:
    """Whose a path is, and its mode, for a message."""
    status = path.stat()
    try:
        user = path.owner()
    except KeyError:
        user = str(status.st_uid)
    return f"{user}, {stat.filemode(status.st_mode)}"
