# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resident service: follows what the engines tell, and looks at everything now and then.

One loop in one thread. What an engine tells is a hint of which container to look at: what is done
about it the plan says, by what the engine and the kernel answer then. Hints that come while a run
is under way wait in their sockets, and are taken together by the next one.
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import time
import typing as t

from .. import model
from ..links import ledger, run, snapshot, transitions
from . import report, systemd
from .config import Config
from .stream import SOURCES, Source, Stream
from .watch import WATCH_SPECS, Watches, WatchSpec

STOP, RELOAD = "stop", "reload"
# Between the end of a container and its removal, or its next start, so that one run does for both.
_AFTER_END = 0.1
_ENDS = ("die", "died")
# A folder comes before its container runs: it is looked at more than once.
_SETTLE = (0.02, 0.3, 1.5)
# A daemon that restarts is back by then, and is looked at in full as soon as it is.
_AFTER_LOSS = 5.0
_AFTER_CONFLICT = 1.0
_LINKED = (transitions.CREATED, transitions.REPAIRED, transitions.RELINKED, transitions.UNCHANGED)


class Service:
    """The state of the loop: streams, watches, and which containers to look at by when."""

    def __init__(
        self,
        config: Config,
        sources: t.Sequence[Source] = SOURCES,
        places: t.Sequence[WatchSpec] = WATCH_SPECS,
        state_dir: str = ledger.DIRECTORY,
    ) -> None:
        self._config = config
        self._state_dir = state_dir
        self._selector = selectors.DefaultSelector()
        self._streams = [Stream(one) for one in sources if config.follows(one.engine)]
        self._watches = Watches(
            one for one in places if any(config.follows(engine) for engine in one.engines)
        )
        self._selector.register(self._watches, selectors.EVENT_READ, self._on_watches)
        self._report = report.Reporter(state_dir)
        self._session = snapshot.SessionCache(ledger.Ledger(state_dir))
        # When to look: at everything, at engines once or again, at containers.
        self._full_at = 0.0
        self._full_why = "the service has started"
        self._looks: dict[str, list[float]] = {}
        self._ids: dict[str, dict[str, str]] = {}
        self._ids_at = float("inf")
        self._joined: frozenset[str] = frozenset()
        self._links: set[str] = set()
        self._status = ""
        self._watchdog = systemd.watchdog()
        self._told_at = 0.0
        self._told_unwatched = False
        self._end: str | None = None

    def loop(self) -> str:
        """Work until a signal ends it: STOP or RELOAD."""
        with self._signals():
            try:
                self._tell_unwatched()
                self._connect()
                while self._end is None:
                    self._work()
                    self._tell_status()
                    for key, _events in self._selector.select(self._wait_timeout()):
                        key.data()
                    self._connect()
                return self._end
            finally:
                for stream in self._streams:
                    self._close(stream)
                self._session.close()
                self._watches.close()
                self._selector.close()

    @contextlib.contextmanager
    def _signals(self) -> t.Iterator[None]:
        here, there = socket.socketpair()
        for one in (here, there):
            one.setblocking(False)
        former = {
            number: signal.signal(number, lambda _number, _frame: None)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        wakeup = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)

        def on_signal() -> None:
            for number in here.recv(64):
                self._end = RELOAD if number == signal.SIGHUP and self._end != STOP else STOP

        self._selector.register(here, selectors.EVENT_READ, on_signal)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in former.items():
                signal.signal(number, handler)
            here.close()
            there.close()

    def _wait_timeout(self) -> float:
        """How long nothing is to be done."""
        now = time.monotonic()
        times = [self._full_at, self._ids_at]
        times += [looks[0] for looks in self._looks.values()]
        times += [one.retry_at for one in self._streams if one.retry_at is not None]
        if self._watchdog:
            times.append(now + self._watchdog / 2)
        return max(0.0, min(times) - now)

    # What comes in.

    def _connect(self) -> None:
        now = time.monotonic()
        for stream in self._streams:
            if stream.retry_at is None or stream.retry_at > now:
                continue
            if stream.connect():
                self._selector.register(
                    stream, selectors.EVENT_READ, lambda stream=stream: self._on_stream(stream)
                )

    def _close(self, stream: Stream) -> None:
        if stream.fileno() >= 0:
            self._selector.unregister(stream)
        stream.close()

    def _on_stream(self, stream: Stream) -> None:
        was_open, fd = stream.open, stream.fileno()
        try:
            events = stream.receive()
        except model.EngineError as error:
            # Its descriptor is closed, which the selector has to be told by its number.
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(fd)
            if was_open:
                self._full_in(_AFTER_LOSS, f"{error}")
            return
        if stream.open and not was_open:
            self._full_in(0.0, f"{stream.engine} is followed")
        for event in events:
            self._on_event(stream.engine, event.action, event.id)

    def _on_event(self, engine: str, action: str, identity: str) -> None:
        pause = _AFTER_END if action in _ENDS else 0.0
        if identity in self._joined:
            # Who has joined its namespace may be left alone in it.
            self._look_at(engine, (pause,))
            return
        known = self._ids.setdefault(engine, {})
        known[identity] = f"{known[identity]}, {action}" if identity in known else action
        self._ids_at = min(self._ids_at, time.monotonic() + pause)

    def _on_watches(self) -> None:
        hints = self._watches.read()
        self._tell_unwatched()
        if hints.missed:
            self._full_in(0.0, "too much happened in folders at once")
        followed = {one.engine for one in self._streams if one.open}
        for engine in hints.engines - followed:
            if self._config.follows(engine):
                self._look_at(engine, _SETTLE)
        for stream in self._streams:
            if stream.engine in hints.sockets:
                stream.wake()

    def _tell_unwatched(self) -> None:
        if self._watches.problem and not self._told_unwatched:
            self._told_unwatched = True
            text = f"what happens there, only the look at everything finds: {self._watches.problem}"
            systemd.log(systemd.WARNING, text)

    def _look_at(self, engine: str, pauses: t.Sequence[float]) -> None:
        now = time.monotonic()
        first = self._looks.get(engine, [now + pauses[0]])[0]
        self._looks[engine] = [min(first, now + pauses[0]), *(now + one for one in pauses[1:])]

    def _full_in(self, pause: float, why: str) -> None:
        at = time.monotonic() + pause
        if at < self._full_at:
            self._full_at, self._full_why = at, why

    # What is done.

    def _work(self) -> None:
        now = time.monotonic()
        if self._full_at <= now:
            self._ids.clear()
            self._ids_at = float("inf")
            full_why = self._full_why
            self._full_why = "now and then"
            for stream in self._streams:
                stream.try_again()
            self._run(None, full_why)
            self._full_at = time.monotonic() + self._config.resync_interval
            return
        parts: dict[str, frozenset[str] | None] = {}
        why: list[str] = []
        if self._ids_at <= now:
            for engine, ids in self._ids.items():
                parts[engine] = frozenset(ids)
                why += [f"{engine}: {actions}" for actions in dict.fromkeys(ids.values())]
            self._ids.clear()
            self._ids_at = float("inf")
        for engine, looks in list(self._looks.items()):
            if looks[0] <= now:
                parts[engine] = None
                why.append(f"{engine}: a look")
                looks.pop(0)
                if not looks:
                    del self._looks[engine]
        if parts and self._run(parts, "; ".join(why)):
            self._full_in(_AFTER_CONFLICT, "a conflict")

    def _run(self, only: dict[str, frozenset[str] | None] | None, why: str) -> bool:
        """One run. Returns whether a part of the host did not tell enough to decide all of it."""
        try:
            result = run.run(
                self._config.request(only), state_dir=self._state_dir, session=self._session
            )
        except (model.NetnsError, OSError) as error:
            self._session.book.distrust()
            self._report.trouble(str(error))
            return only is not None
        removed = {row["name"] for row in result.links if row["action"] == transitions.REMOVED}
        linked = {row["name"] for row in result.links if row["action"] in _LINKED}
        if only is None:
            self._joined = result.joined
            self._links = linked
        else:
            self._joined |= result.joined
            self._links = (self._links - removed) | linked
        news = self._report.tell(result, why, only)
        return only is not None and (news or bool(result.failures))

    def _tell_status(self) -> None:
        engines = (f"{one.engine} is {'' if one.open else 'not '}followed" for one in self._streams)
        status = "; ".join((f"{len(self._links)} links", *engines))
        states = {}
        if status != self._status:
            self._status = status
            states = {"READY": "1", "STATUS": status}
        now = time.monotonic()
        if self._watchdog and now - self._told_at >= self._watchdog / 4:
            self._told_at = now
            states["WATCHDOG"] = "1"
        if states:
            systemd.notify(**states)
