"""What a child process writes to its terminal: shown on ours as it comes, and its end kept for a message."""

import os
import pty
import sys
import termios
import threading
import tty
from codecs import getincrementaldecoder
from contextlib import suppress

LENGTH = 4096  # bytes that are kept
PATIENCE_SECONDS = 5.0


class LastWords:
    """What a process writes to its terminal: shown on ours as it comes, bars too, and its end kept for a message."""

    def __init__(self) -> None:
        if sys.stderr.isatty():
            ours, self.theirs = pty.openpty()
            with suppress(termios.error, OSError):
                tty.setraw(self.theirs)
                termios.tcsetwinsize(self.theirs, termios.tcgetwinsize(sys.stderr.fileno()))
        else:
            ours, self.theirs = os.pipe()
        self._ours, self._kept = ours, b""
        self._text = getincrementaldecoder("utf-8")("replace")  # A character may come in two pieces.
        self._thread = threading.Thread(target=self._pass_on, name="stage-words", daemon=True)

    def begin(self) -> None:
        """The process is there, and has its end."""
        os.close(self.theirs)
        self._thread.start()

    def end(self) -> None:
        """The process has ended: what it said last is shown. What it started and left behind is not waited for."""
        self._thread.join(PATIENCE_SECONDS)

    def last(self) -> str:
        """The end of what it said."""
        return self._kept.decode(errors="replace").strip()

    def _pass_on(self) -> None:
        while data := self._read():
            self._kept = (self._kept + data)[-LENGTH:]
            sys.stderr.write(self._text.decode(data))
            sys.stderr.flush()
        os.close(self._ours)

    def _read(self) -> bytes:
        try:
            return os.read(self._ours, LENGTH)
        except OSError:  # A terminal whose other end is closed says so by EIO.
            return b""
