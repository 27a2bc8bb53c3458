"""The form of the Home Assistant app: its options as the daemon's configuration, checked by the daemon's schema.

The form has the configuration's own names (homeassistant/affectd/config.yaml), with three exceptions that it can show
better: a password in place of ``mqtt.password_file``, true or false in place of the mapping ``mqtt.tls``, and a broker
that is left out in place of one that is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from edge.config import schema
from edge.config.settings import Config
from edge.errors import ConfigError, UsageError

PLACE = "the app's options"
PASSWORD_FILE = "mqtt-password"  # noqa: S105 (the name of a file)

Document = dict[str, object]


class MqttService(msgspec.Struct, frozen=True):
    """The broker that the Supervisor offers: ``data`` of its answer to ``GET /services/mqtt``.

    https://developers.home-assistant.io/docs/api/supervisor/endpoints/#service
    """

    host: str
    port: int = 1883
    ssl: bool = False
    username: str | None = None
    password: str | None = None


@dataclass(frozen=True)
class AppConfig:
    """A configuration file's content, the password that goes into a file of its own, and what a person should know."""

    document: Document
    password: str | None
    remark: str | None = None


def names_a_broker(options: Mapping[str, object]) -> bool:
    """Whether the form names a broker of its own, so that the Supervisor need not be asked for one."""
    return bool(_group(options, "mqtt").get("host"))


def configuration(options: Mapping[str, object], service: MqttService | None, folder: str) -> AppConfig:
    """The options of the form, and the Supervisor's broker where the form names none, as a configuration.

    Its state and its password file lie in ``folder``. Raises ConfigError with a sentence for each option that the
    daemon refuses, and UsageError where there is no broker.
    """
    document: Document = {key: _filled(value) for key, value in options.items() if _filled(value) not in (None, {})}
    mqtt = _group(document, "mqtt")
    remark = None
    if not mqtt.get("host"):
        if service is None:
            raise UsageError(
                "Home Assistant offers no MQTT broker: install and start the app Mosquitto broker, or name your own "
                "broker as mqtt.host in the configuration of this app"
            )
        offered = {
            "host": service.host, "port": service.port, "tls": service.ssl,
            "username": service.username or None, "password": service.password or None,
        }  # fmt: skip
        mqtt = {key: value for key, value in offered.items() if value is not None} | mqtt
        if "username" not in mqtt:
            remark = (
                f"the MQTT service at {service.host} gives no user name, so affectd connects without one: if the "
                "broker refuses it, set mqtt.username and mqtt.password in the configuration of this app"
            )
    password = mqtt.pop("password", None)
    if not isinstance(password, str | None):
        raise ConfigError([f"{PLACE}: mqtt.password is a {type(password).__name__}: allowed is a text"])
    if password is not None:
        if not mqtt.get("username"):
            raise ConfigError([f"{PLACE}: mqtt.username is missing: a password needs the name that goes with it"])
        mqtt["password_file"] = f"{folder}/{PASSWORD_FILE}"
    if isinstance(mqtt.get("tls"), bool):
        mqtt["tls"] = {} if mqtt["tls"] else None
    document |= {"mqtt": mqtt, "state_directory": folder}
    schema.check(document, Config, PLACE)
    return AppConfig(document, password, remark)


def _filled(value: object) -> object:
    """Without what the form leaves empty; null where nothing is left."""
    if isinstance(value, dict):
        return {key: inner for key, inner in value.items() if inner not in (None, "", [])}
    return None if value in ("", []) else value


def _group(options: Mapping[str, object], name: str) -> Document:
    group = options.get(name)
    return dict(group) if isinstance(group, dict) else {}
