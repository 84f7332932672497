# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resident service: reconciles containers on the events of their engines, and all links at intervals.

One loop in one thread. Events and changed directories are only hints of what to read: each run asks the
engine and the kernel, and its plan decides what changes. Where the kernel shows that a container ended, as
its event says, the engine is not asked. Hints that arrive during a run wait in their sockets, and the next
run handles them together.
"""

from __future__ import annotations

import contextlib
import selectors
import time
import types
import typing as t

from .. import model
from ..engines import registry
from ..links import ledger, run, session, transitions
from . import examination, findings, report, systemd
from .config import Config
from .signals import Signals
from .stream import SOURCES, Source, Stream, further_streams
from .watch import WATCH_SPECS, Watches, WatchSpec, further_specs

STOP, RELOAD = "stop", "reload"
_NEVER = float("inf")
# Seconds from the end of a container to the run for it. By then, the container may be removed or started
# again, and others may have ended: one run handles them all.
_END_DELAY = 0.5
_END_ACTIONS = ("die", "died")
# Seconds from a change in a watched directory to each run for it. A container's directory appears before
# the container runs, on a loaded host four seconds before.
_WATCH_DELAYS = (0.02, 0.3, 1.5, 4.5)
# Seconds from the end of an event stream to the resync. If the daemon only restarts, the service connects
# to it again before that, and the resync takes place then.
_DISCONNECT_DELAY = 5.0
_CONFLICT_DELAY = 1.0
_LINKED = (transitions.CREATED, transitions.REPAIRED, transitions.RELINKED, transitions.UNCHANGED)


class Service:
    """The service's loop, with the streams and watches that it waits for and the runs that are due.

    A resync is a run over all containers. Other runs are over some containers, or over one engine.
    """

    def __init__(
        self,
        config: Config,
        sources: t.Sequence[Source] = SOURCES,
        watch_specs: t.Sequence[WatchSpec] = WATCH_SPECS,
        state_dir: str = ledger.DIRECTORY,
    ) -> None:
        self._config = config
        self._state_dir = state_dir
        self._selector = selectors.DefaultSelector()
        given = registry.parse_sources(config.sources, config.engines)
        self._streams = [
            Stream(source)
            for source in (*sources, *further_streams(given))
            if config.includes(source.engine)
        ]
        self._watches = Watches(
            spec
            for spec in (*watch_specs, *further_specs(given))
            if any(config.includes(engine) for engine in spec.engines)
        )
        self._watches_registered = False
        self._reporter = report.Reporter(state_dir)
        self._session = session.SessionCache(ledger.Ledger(state_dir))
        self._resync_at = 0.0
        self._resync_cause = "service start"
        # By engine: when to run over all of its containers.
        self._engine_runs: dict[str, list[float]] = {}
        # By engine and container id: the actions in the container's events. The run over these containers
        # is due at _ids_at.
        self._ids: dict[str, dict[str, str]] = {}
        self._ids_at = _NEVER
        # Ids of containers that share their namespace with containers that joined it.
        self._joined: frozenset[str] = frozenset()
        self._link_names: set[str] = set()
        self._status = ""
        self._watchdog = systemd.watchdog()
        self._watchdog_at = 0.0
        self._watch_error: str | None = None
        self._examination = examination.Examination(config.netns_dir, state_dir, config.sources)
        self._findings = findings.FindingsReporter(state_dir) if config.doctor else None

    def loop(self, signals: Signals) -> str:
        """Work until a signal arrives. Returns STOP or RELOAD."""
        self._selector.register(signals, selectors.EVENT_READ, signals.drain)
        try:
            self._check_watches()
            self._connect()
            while not signals.stop:
                self._run_due()
                self._notify_systemd()
                for key, _events in self._selector.select(self._wait_timeout()):
                    key.data()
                # After a run, so that a burst of reloads does not keep the service from its work.
                if signals.take_reload():
                    return RELOAD
                self._connect()
            return STOP
        finally:
            for stream in self._streams:
                self._close(stream)
            self._examination.close()
            self._session.close()
            self._watches.close()
            self._selector.close()

    def _wait_timeout(self) -> float:
        """The seconds until something is due."""
        now = time.monotonic()
        times = [self._resync_at, self._ids_at]
        times += [due[0] for due in self._engine_runs.values()]
        times += [stream.retry_at for stream in self._streams if stream.retry_at is not None]
        if self._watchdog:
            times.append(now + self._watchdog / 2)
        return max(0.0, min(times) - now)

    # Hints.

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
            # The stream has closed its descriptor, so only the number identifies it here.
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(fd)
            if was_open:
                self._schedule_resync(_DISCONNECT_DELAY, f"{error}")
            return
        if stream.open and not was_open:
            self._schedule_resync(0.0, f"{stream.label} is followed")
        for event in events:
            self._on_event(stream.engine, event.action, event.id)

    def _on_event(self, engine: str, action: str, identity: str) -> None:
        delay = _END_DELAY if action in _END_ACTIONS else 0.0
        if identity in self._joined:
            # Containers that joined its namespace may go on in it. They need links then, so the run is
            # over all containers of the engine.
            self._schedule_engine(engine, (delay,))
            return
        actions = self._ids.setdefault(engine, {})
        actions[identity] = f"{actions[identity]}, {action}" if identity in actions else action
        self._ids_at = min(self._ids_at, time.monotonic() + delay)

    def _on_watches(self) -> None:
        hints = self._watches.read()
        self._check_watches()
        if hints.missed:
            self._schedule_resync(0.0, "the kernel dropped events of the watched directories")
        followed = {stream.engine for stream in self._streams if stream.open}
        for engine in hints.engines - followed:
            if self._config.includes(engine):
                self._schedule_engine(engine, _WATCH_DELAYS)
        for stream in self._streams:
            if stream.engine in hints.sockets:
                stream.restart()

    def _check_watches(self) -> None:
        """Wait for the watches if there are some now, and log why some are missing."""
        if not self._watches_registered and self._watches.fileno() >= 0:
            self._selector.register(self._watches, selectors.EVENT_READ, self._on_watches)
            self._watches_registered = True
        error = self._watches.error
        if error and error != self._watch_error:
            text = (
                "some directories are not watched, so only the resync finds changes in them: "
                f"{error}"
            )
            systemd.log(systemd.WARNING, text)
        elif self._watch_error and not error:
            systemd.log(systemd.INFO, "resolved: all directories are watched")
        self._watch_error = error

    def _schedule_engine(self, engine: str, delays: t.Sequence[float]) -> None:
        now = time.monotonic()
        first = self._engine_runs.get(engine, [now + delays[0]])[0]
        later = (now + delay for delay in delays[1:])
        self._engine_runs[engine] = [min(first, now + delays[0]), *later]

    def _schedule_resync(self, delay: float, cause: str) -> None:
        at = time.monotonic() + delay
        if at < self._resync_at:
            self._resync_at, self._resync_cause = at, cause

    # Runs.

    def _run_due(self) -> None:
        now = time.monotonic()
        if self._resync_at <= now:
            self._resync()
            return
        only: dict[str, frozenset[str] | None] = {}
        ended: dict[str, frozenset[str]] = {}
        causes: list[str] = []
        if self._ids_at <= now:
            for engine, ids in self._ids.items():
                only[engine] = frozenset(ids)
                ended[engine] = frozenset(
                    identity
                    for identity, actions in ids.items()
                    if actions.rpartition(", ")[2] in _END_ACTIONS
                )
                causes += [f"{engine}: {actions}" for actions in dict.fromkeys(ids.values())]
            self._ids.clear()
            self._ids_at = _NEVER
        for engine, due in list(self._engine_runs.items()):
            if due[0] <= now:
                only[engine] = None
                causes.append(f"{engine}: changed directory")
                due.pop(0)
                if not due:
                    del self._engine_runs[engine]
        if only and self._run(only, "; ".join(causes), ended):
            self._schedule_resync(_CONFLICT_DELAY, "retry after a conflict or failure")

    def _resync(self) -> None:
        self._ids.clear()
        self._ids_at = _NEVER
        cause = self._resync_cause
        self._resync_cause = "resync interval"
        for stream in self._streams:
            stream.retry_now()
        if self._watches.error:
            self._watches.complete()
            self._check_watches()
        self._run(None, cause)
        self._start_examination()
        self._resync_at = time.monotonic() + self._config.resync_interval

    def _start_examination(self) -> None:
        """Have the doctor look at the host, if the settings ask for that and it is not doing it still."""
        if self._findings is None:
            return
        if self._examination.overdue:
            self._selector.unregister(self._examination)
            self._examination.close()
            self._findings.log_failure(examination.OVERDUE)
        try:
            is_new = self._examination.start()
        except examination.FailedError as error:
            self._findings.log_failure(str(error))
            return
        if is_new:
            reporter = self._findings
            self._selector.register(
                self._examination, selectors.EVENT_READ, lambda: self._on_examination(reporter)
            )

    def _on_examination(self, reporter: findings.FindingsReporter) -> None:
        fd = self._examination.fileno()
        try:
            found = self._examination.read()
        except examination.FailedError as error:
            reporter.log_failure(str(error))
        else:
            if found is not None:
                reporter.log(found)
        if self._examination.fileno() < 0:
            self._selector.unregister(fd)

    def _run(
        self,
        only: dict[str, frozenset[str] | None] | None,
        cause: str,
        ended: t.Mapping[str, frozenset[str]] = types.MappingProxyType({}),
    ) -> bool:
        """One run, over all containers or those in `only`. Of those in `ended`, events say so.

        Returns whether a resync is needed: a run over some containers found a conflict or failed, and a
        run over all containers may resolve that.
        """
        try:
            result = run.run(
                self._config.link_request(only, ended),
                state_dir=self._state_dir,
                session=self._session,
            )
        except (model.NetnsError, OSError) as error:
            self._session.ledger.invalidate()
            self._reporter.log_failed_run(str(error))
            return only is not None
        removed = {row["name"] for row in result.links if row["action"] == transitions.REMOVED}
        linked = {row["name"] for row in result.links if row["action"] in _LINKED}
        if only is None:
            self._joined = result.joined
            self._link_names = linked
        else:
            self._joined |= result.joined
            self._link_names = (self._link_names - removed) | linked
        new_conflict = self._reporter.log_result(result, cause, only)
        return only is not None and (new_conflict or bool(result.failures))

    def _notify_systemd(self) -> None:
        engines = (
            f"{stream.label} is {'' if stream.open else 'not '}followed" for stream in self._streams
        )
        status = "; ".join((f"{len(self._link_names)} links", *engines))
        states = {}
        if status != self._status:
            self._status = status
            states = {"READY": "1", "STATUS": status}
        now = time.monotonic()
        if self._watchdog and now - self._watchdog_at >= self._watchdog / 4:
            self._watchdog_at = now
            states["WATCHDOG"] = "1"
        if states:
            systemd.notify(**states)
