"""What a process prints, cut into messages: lines of its output, frames of the runtime's log channel.

awslambdaric writes log records as frames with a length and a time when it is given a descriptor for them,
so a record with a traceback stays one message, as on AWS.
"""

from __future__ import annotations

import os
import selectors
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK: Final = 65_536
FRAME_HEAD: Final = 16


class Output:
    """The reading ends of a process's two channels; `deliver(message, at_ms)` is called for each message."""

    def __init__(self, deliver: Callable[[str, int | None], None]) -> None:
        self._deliver = deliver
        self._printed, self.print_to = os.pipe()
        self._framed, self.frame_to = os.pipe()
        for descriptor in (self._printed, self._framed):
            os.set_blocking(descriptor, False)
        self._lines = b""
        self._frames = b""
        self._open = {self._printed, self._framed}
        self._lock = threading.Lock()

    def started(self) -> None:
        """Give up our copies of the writing ends, once the process has its own, and read until both end."""
        os.close(self.print_to)
        os.close(self.frame_to)
        threading.Thread(target=self._follow, name="tidegate-output", daemon=True).start()

    def drain(self, *, rest: bool = False) -> None:
        """Deliver all that was written up to now; with `rest`, also a last line without its end."""
        with self._lock:
            self._take_frames(self._read(self._framed))
            self._take_lines(self._read(self._printed))
            if rest and self._lines:
                self._deliver(self._lines.decode("utf-8", "replace"), None)
                self._lines = b""

    def _follow(self) -> None:
        with selectors.DefaultSelector() as selector:
            for descriptor in (self._printed, self._framed):
                selector.register(descriptor, selectors.EVENT_READ)
            while selector.get_map():
                selector.select()
                self.drain()
                for ended in [key for key in selector.get_map() if key not in self._open]:
                    selector.unregister(ended)
        with self._lock:
            os.close(self._printed)
            os.close(self._framed)
            self._printed = self._framed = -1

    def _read(self, descriptor: int) -> bytes:
        chunks = []
        while descriptor in self._open:
            try:
                chunk = os.read(descriptor, CHUNK)
            except BlockingIOError:
                break
            if not chunk:
                self._open.discard(descriptor)
            chunks.append(chunk)
        return b"".join(chunks)

    def _take_lines(self, data: bytes) -> None:
        *lines, self._lines = (self._lines + data).split(b"\n")
        for line in lines:
            self._deliver(line.decode("utf-8", "replace") + "\n", None)

    def _take_frames(self, data: bytes) -> None:
        self._frames += data
        while len(self._frames) >= FRAME_HEAD:
            end = FRAME_HEAD + int.from_bytes(self._frames[4:8], "big")
            if len(self._frames) < end:
                return
            at_ms = int.from_bytes(self._frames[8:16], "big") // 1000
            self._deliver(self._frames[FRAME_HEAD:end].decode("utf-8", "replace"), at_ms)
            self._frames = self._frames[end:]
