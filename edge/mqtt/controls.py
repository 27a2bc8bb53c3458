"""What is done about a command: the settings, and the requests that are answered."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge import log
from edge.errors import AffectdError
from edge.explain.explainer import Part
from edge.mqtt import commands, settings
from edge.mqtt.settings import Settings
from edge.mqtt.topics import Incoming, Message, Response, Topics

BIRTH_WAIT_S = (1.0, 10.0)  # so that a house full of nodes does not answer in the same second

_logger = logging.getLogger("affectd")


@dataclass(frozen=True)
class Effects:
    """What the controls reach."""

    publish: Callable[[Message], None]
    apply: Callable[[Settings], None]
    greet_again: Callable[[float], None]
    restart: Callable[[], None]
    forget: Callable[[], None]
    explain: Callable[[str, tuple[Part, ...]], bytes]
    later: Callable[[Callable[[], None]], None]
    """Do it on the listener's thread, between two blocks."""


class Controls:
    """Carries out what arrives over MQTT; what it refuses changes nothing."""

    def __init__(self, topics: Topics, birth_topic: str, path: Path, effects: Effects) -> None:
        self._topics = topics
        self._birth_topic = birth_topic
        self._path = path
        self._effects = effects
        self._repeats = log.Repeats(every_s=1.0)
        self.settings = settings.load(path)
        self.refused = 0

    def hear(self, message: Incoming) -> None:
        match commands.parse(message, self._topics, self._birth_topic):
            case commands.SetListening(on):
                self._set(msgspec.structs.replace(self.settings, listening=on))
            case commands.SetThreshold(value):
                self._set(msgspec.structs.replace(self.settings, threshold=value))
            case commands.Birth():
                self._effects.greet_again(random.uniform(*BIRTH_WAIT_S))  # noqa: S311 (jitter, not a secret)
            case commands.Request() as request:
                self._answer(request, message)
            case commands.Refusal() as refusal:
                self._refuse(refusal, message)
            case None:
                pass

    def _set(self, changed: Settings) -> None:
        self.settings = changed
        self._effects.apply(changed)
        _logger.info(log.line("settings", listening=changed.listening, threshold=changed.threshold))
        try:
            settings.save(self._path, changed)
        except OSError as error:
            _logger.warning(log.line("settings", error=str(error), todo="they hold until the next restart"))

    def _answer(self, request: commands.Request, message: Incoming) -> None:
        body = request.body
        _logger.info(log.line("request", verb=request.verb, transaction=body.transaction))
        match request.verb:
            case "restart":
                self._respond(request.verb, body.transaction, message)
                self._effects.restart()
            case "forget":
                self._effects.later(lambda: self._forget(body, message))
            case "explain":
                self._effects.later(lambda: self._explain(body, message))
            case _:
                self._respond(request.verb, body.transaction, message)

    def _forget(self, body: commands.Body, message: Incoming) -> None:
        self._effects.forget()
        self._respond("forget", body.transaction, message)

    def _explain(self, body: commands.Body, message: Incoming) -> None:
        try:
            found = self._effects.explain(body.id or "", (body.part,) if body.part else ("features", "time"))
        except AffectdError as error:
            self._respond("explain", body.transaction, message, error=str(error))
        else:
            self._respond("explain", body.transaction, message, result=msgspec.Raw(found))

    def _refuse(self, refusal: commands.Refusal, message: Incoming) -> None:
        self.refused += 1
        if self._repeats.due("refused", time.monotonic()):  # a flood of nonsense must not fill the log
            _logger.warning(log.line("refused", topic=message.topic[:100], reason=refusal.reason))
        if refusal.verb is not None:
            self._respond(refusal.verb, None, message, error=refusal.reason)

    def _respond(
        self,
        verb: str,
        transaction: str | None,
        message: Incoming,
        *,
        error: str | None = None,
        result: msgspec.Raw | None = None,
    ) -> None:
        response = Response(verb=verb, transaction=transaction, ok=error is None, error=error, result=result)
        self._effects.publish(self._topics.response(response, message))
