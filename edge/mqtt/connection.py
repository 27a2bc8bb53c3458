"""The connection to the broker: one thread that connects, publishes, and reconnects for ever."""

import logging
import ssl
import threading
import time
from collections.abc import Callable

from edge import log
from edge.config import MqttSettings
from edge.errors import AffectdError
from edge.mqtt.backoff import Backoff
from edge.mqtt.opening import Opener, new_client
from edge.mqtt.outbox import Backlog, Outbox
from edge.mqtt.refusals import Refusals
from edge.mqtt.session import BrokerSession, Conversation, NotWantedError, RefusedError, UnsupportedError
from edge.mqtt.topics import Message
from edge.mqtt.waker import Waker

CONTESTED_S = 600.0  # how long a namesake is kept in mind

_logger = logging.getLogger("affectd")


class Connection:
    """Keeps a session with the broker and publishes what it is given, in order, then what the journal holds.

    It owns the retained topics: every session begins with the latest of each. Every call of paho happens on the thread
    that runs ``run``, but for opening; the other methods may be called from any. That thread calls ``beat`` every
    ``turn_s`` or more often. Raises AffectdError when a file with credentials is unusable from the start.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        conversation: Conversation,
        backlog: Backlog,
        beat: Callable[[], None],
        turn_s: float = 1.0,
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._conversation = conversation
        self._refusals = Refusals()
        self._outbox = Outbox(backlog, conversation.envelope, self._refusals)
        self._opener = Opener(settings)
        self._careful = False  # one packet in flight: the broker hung up, perhaps because of one of several
        self._beat = beat
        self._turn_s = min(turn_s, settings.keepalive_s / 4)
        self._five = True  # MQTT 5, until the broker turns out not to know it
        self._fallen_back = False
        self._clean = False  # without what the broker holds for us: it cannot be read
        self._waker = Waker()
        self._stopping = threading.Event()
        self._repeats = log.Repeats()
        self._contested_until = 0.0
        self._contest = f"another client uses the id {client_id}: give each daemon its own `node`"
        self._greet_at: float | None = None
        self.connected = False
        self.connections = 0
        new_client(client_id, settings, five=True)

    def publish(self, message: Message) -> None:
        """Send ``message`` as soon as there is a connection; of a retained topic only the latest."""
        if message.retain:
            self._outbox.keep(message)
            self._waker.wake()
        else:
            self.say(message)

    def say(self, message: Message) -> None:
        """Send ``message`` once, in order; a retained one is not said again on the next connection."""
        self._outbox.say(message)
        self._waker.wake()

    def journal_grown(self) -> None:
        """The journal has grown."""
        self._outbox.journal_grown()
        self._waker.wake()

    def greet_again(self, delay_s: float) -> None:
        """Repeat the greeting in ``delay_s``, once, however often this is asked for until then."""
        if self._greet_at is None:
            self._greet_at = time.monotonic() + delay_s
            self._waker.wake()

    def contested(self) -> None:
        """Somebody else speaks for this node; where the broker does not say so itself, what they publish does."""
        self._contested_until = time.monotonic() + CONTESTED_S
        self._warn(self._contest)

    @property
    def expired(self) -> int:
        """Live messages that waited too long, or were too many."""
        return self._outbox.expired

    def close(self) -> None:
        """Ask ``run`` to flush, say ``offline``, disconnect and return."""
        self._stopping.set()
        self._waker.wake()

    def run(self) -> None:
        """Connect and serve until ``close``; never raises for anything a broker or a network does."""
        backoff = Backoff(self._settings.reconnect_max_s)
        while not self._stopping.is_set():
            served_s = 0.0
            try:
                served_s = self._serve()
            except UnsupportedError:
                self._five = False
                if not self._fallen_back:
                    self._fallen_back = True
                    continue  # at once, but only once: a broker that is merely starting looks the same
            except NotWantedError:
                return
            except (OSError, ValueError, RefusedError, AffectdError) as error:
                self._warn(_sentence(error))
                self._five = True
            contested = time.monotonic() < self._contested_until
            self._wait(backoff.after_takeover() if contested else backoff.delay(served_s))

    def _serve(self) -> float:
        """One connection from CONNECT to its end; returns how long it lasted in seconds."""
        client = new_client(self._client_id, self._settings, five=self._five, clean=self._clean)
        session = BrokerSession(
            client,
            self._settings,
            self._conversation,
            self._outbox,
            self._refusals,
            self._waker,
            self._beat,
            careful=self._careful,
        )
        try:
            session.open(self._opener, wanted=lambda: not self._stopping.is_set(), clean=self._clean)
            began = time.monotonic()
            self.connections += 1
            _logger.info(log.line("connected", broker=self._address, protocol="MQTTv5" if self._five else "MQTTv311"))
            self._greet_at = None
            self._outbox.begin()
            self.connected = True
            if self.connections == 1:
                session.listen()  # what is kept of an earlier version has to go before anything is announced
            self._greet_at = self._greet_at or began
            while session.lost is None and not self._stopping.is_set():
                if self._greet_at is not None and time.monotonic() >= self._greet_at:
                    self._greet_at = None
                    self._outbox.greet(self._conversation.online)
                session.turn(self._until_next(time.monotonic()))
            if session.lost is None:
                session.leave()
            elif session.taken_over:
                self.contested()
            else:
                self._warn(session.lost)
            served_s = time.monotonic() - began
            if served_s > self._settings.reconnect_max_s:
                self._repeats.clear()
            return served_s
        finally:
            self.connected = False
            self._outbox.end()
            self._careful, self._clean = session.blame(), session.no_mqtt
            session.close()

    def _until_next(self, now: float) -> float:
        """Seconds until there is something to do, if nothing happens before."""
        return self._turn_s if self._greet_at is None else min(self._turn_s, max(0.0, self._greet_at - now))

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stopping.wait(min(left, 1.0)):
            self._beat()

    def _warn(self, reason: str) -> None:
        if self._repeats.due(reason, time.monotonic()):
            _logger.warning(
                log.line("broker", address=self._address, error=reason, todo="listening on and trying again")
            )

    @property
    def _address(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"


def _sentence(error: Exception) -> str:
    """What an error says, in words that name the setting where the library's do not."""
    if isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG"):
        return "this port speaks no TLS: name the broker's port for TLS, often 8883, or leave out mqtt.tls"
    return str(error)
