"""Who asks: tokens, sessions, forged requests, and how often one may ask."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from analyte.contract.event import Role
from analyte.runtime.serve.tokens import TokenFile

COOKIE = "analyte_session"
CSRF_HEADER = "x-csrf-token"
MOST_SESSIONS = 200
TRIES_PER_MINUTE = 10
"""Wrong tokens of one address."""
REQUESTS_PER_MINUTE = 6000
"""Of one token or person: a hundred pages at one desk are served, a program run wild is not."""
_ORDER = (Role.VIEWER, Role.OPERATOR, Role.SUPERVISOR)


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, and with which right."""

    name: str
    role: Role
    csrf: str
    """What unsafe requests of the page have to repeat; empty for programs with a token."""

    def may(self, least: Role) -> bool:
        """Return whether the role is enough."""
        return _ORDER.index(self.role) >= _ORDER.index(least)


@dataclass(slots=True)
class _Session:
    person: Person
    proof: str
    """Hash of the token's record: a removed or replaced token ends its sessions."""
    ends_s: float


class RateLimit:
    """At most so many in a minute, by key; keys beyond a bound forget the oldest."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = per_minute
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def full(self, key: str) -> bool:
        """Return whether the minute's share is used up."""
        with self._lock:
            begun, count = self._windows.get(key, (self._clock(), 0))
            return count >= self._most and self._clock() - begun < 60

    def count(self, key: str) -> None:
        """Take notice of one."""
        with self._lock:
            now = self._clock()
            begun, count = self._windows.pop(key, (now, 0))
            self._windows[key] = (now, 1) if now - begun >= 60 else (begun, count + 1)
            while len(self._windows) > 4096:
                del self._windows[next(iter(self._windows))]


class Gatekeeper:
    """Knows people by token or session. May be used by several threads."""

    def __init__(
        self,
        tokens: TokenFile | None,
        session_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``tokens``: None lets everybody in as the supervisor ``local``: for loopback only."""
        self.tokens = tokens
        self._session_s = session_s
        self._clock = clock
        self._now = now
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()
        self.tries = RateLimit(TRIES_PER_MINUTE, clock)
        self.requests = RateLimit(REQUESTS_PER_MINUTE, clock)
        self._local = Person("local", Role.SUPERVISOR, secrets.token_urlsafe(24))
        self._known: dict[bytes, str] = {}
        """Hashes of tokens that scrypt has agreed to, and the record then: scrypt is slow by intent."""

    def local(self) -> Person | None:
        """Return the person at the machine; None where tokens are demanded."""
        return self._local if self.tokens is None else None

    def of_token(self, token: str) -> Person | None:
        """Return whose token it is, or None. Raises: InputError, IntegrityError for the file."""
        if self.tokens is None:
            return None
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        name = token.partition(":")[0]
        proof = self._proof(name)
        if proof is None or self._known.get(digest) != proof:
            record = self.tokens.check(token, self._now())
            if record is None or proof is None:
                return None
            with self._lock:
                if len(self._known) >= MOST_SESSIONS:
                    self._known.clear()
                self._known[digest] = proof
        role = next(record.role for record in self.tokens.records() if record.name == name)
        return Person(name, role, "")

    def sign_in(self, token: str) -> tuple[str, Person] | None:
        """Return a new session's key and its person, or None for a wrong token."""
        person = self.of_token(token)
        proof = None if person is None else self._proof(person.name)
        if person is None or proof is None:
            return None
        person = Person(person.name, person.role, secrets.token_urlsafe(24))
        key = secrets.token_urlsafe(32)
        with self._lock:
            if len(self._sessions) >= MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[_digest(key)] = _Session(person, proof, self._clock() + self._session_s)
        return key, person

    def of_session(self, key: str) -> Person | None:
        """Return who is signed in, or None."""
        with self._lock:
            session = self._sessions.get(_digest(key))
        if session is None:
            return None
        if self._clock() >= session.ends_s or self._proof(session.person.name) != session.proof:
            self.sign_out(key)
            return None
        return session.person

    def sign_out(self, key: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(_digest(key), None)

    def _proof(self, name: str) -> str | None:
        if self.tokens is None:
            return None
        now = self._now()
        found = next((one for one in self.tokens.records() if one.name == name), None)
        return None if found is None or found.expired(now) else f"{found.salt}{found.hash}{found.role}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def same(given: str, expected: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
