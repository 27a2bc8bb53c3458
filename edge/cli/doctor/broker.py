"""The way to the broker, stage by stage: name, TCP, TLS, login, and one message there and back."""

import queue
import secrets
import socket
import ssl
from collections.abc import Iterator

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from edge.cli.doctor.findings import Finding, fail, ok, skip
from edge.config import MqttSettings
from edge.errors import AffectdError
from edge.mqtt.credentials import authenticate, tls_context

STAGES = ("broker.dns", "broker.tcp", "broker.tls", "broker.login", "broker.publish")
_TIMEOUT_S = 10.0


def examine(settings: MqttSettings, root: str) -> Iterator[Finding]:
    """A finding for each of ``STAGES``; after the first failure the rest is skipped. ``root``: the node's topics."""
    for passed, finding in enumerate(_stages(settings, root), 1):
        yield finding
        if finding.verdict == "fail":
            yield from (skip(stage, f"needs {finding.stage}") for stage in STAGES[passed:])
            return


def _stages(settings: MqttSettings, root: str) -> Iterator[Finding]:
    where = f"{settings.host}:{settings.port}"
    try:
        addresses = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield fail(
            STAGES[0], f"{settings.host} has no address ({error.strerror})", "set mqtt.host to the broker's name or IP"
        )
        return
    yield ok(STAGES[0], f"{settings.host} is {', '.join(sorted({str(address[4][0]) for address in addresses}))}")
    try:
        connection = socket.create_connection((settings.host, settings.port), _TIMEOUT_S)
    except OSError as error:
        reason = error.strerror or "no answer in time"
        yield fail(
            STAGES[1], f"{where}: {reason}", "start the broker, let its listener bind to the network, open the port"
        )
        return
    with connection:
        yield ok(STAGES[1], f"{where} answers")
        yield _tls(settings, connection)
    yield from _session(settings, root)


def _tls(settings: MqttSettings, connection: socket.socket) -> Finding:
    if settings.tls is None:
        return skip(STAGES[2], "mqtt.tls is not set, so the connection is not encrypted")
    try:
        with tls_context(settings.tls).wrap_socket(connection, server_hostname=settings.host) as encrypted:
            return ok(STAGES[2], f"{encrypted.version()}, the certificate is valid for {settings.host}")
    except AffectdError as error:
        return fail(STAGES[2], str(error), "see mqtt.tls in the configuration")
    except ssl.SSLCertVerificationError as error:
        todo = "set mqtt.tls.ca_file to the authority's certificate, and mqtt.host to the name in the broker's"
        return fail(STAGES[2], f"the certificate is refused: {error.verify_message}", todo)
    except OSError as error:
        return fail(
            STAGES[2], f"no TLS on {settings.host}:{settings.port} ({error})", "use the broker's TLS port, often 8883"
        )


def _session(settings: MqttSettings, root: str) -> Iterator[Finding]:
    answers: queue.Queue[ReasonCode] = queue.Queue()
    subscribed: queue.Queue[ReasonCode] = queue.Queue()
    received: queue.Queue[bytes] = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2, f"affectd-doctor-{secrets.token_hex(4)}")
    client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.put(reason)
    client.on_subscribe = lambda _client, _data, _mid, reasons, _properties: subscribed.put(reasons[0])
    client.on_message = lambda _client, _data, message: received.put(bytes(message.payload))
    try:
        authenticate(client, settings)
        client.connect(settings.host, settings.port, 30)
    except (AffectdError, OSError) as error:
        yield fail(STAGES[3], str(error), "see mqtt in the configuration")
        return
    client.loop_start()
    try:
        yield _login(settings, answers)
        yield _round_trip(client, f"{root}/doctor", subscribed, received)
    finally:
        client.disconnect()
        client.loop_stop()


def _login(settings: MqttSettings, answers: "queue.Queue[ReasonCode]") -> Finding:
    who = settings.username or "anonymous"
    try:
        reason = answers.get(timeout=_TIMEOUT_S)
    except queue.Empty:
        return fail(STAGES[3], "no answer to CONNECT", "is this port a broker's, and does it want TLS?")
    if reason.is_failure:
        todo = "set mqtt.username, and put the password into /etc/credstore/affectd.mqtt-password"
        return fail(STAGES[3], f"{who} is refused: {reason}", todo)
    return ok(STAGES[3], f"as {who}")


def _round_trip(
    client: paho.Client, topic: str, subscribed: "queue.Queue[ReasonCode]", received: "queue.Queue[bytes]"
) -> Finding:
    todo = f"let this user read and write {topic.rpartition('/')[0]}/# in the broker's ACL"
    token = secrets.token_hex(8).encode()
    client.subscribe(topic, qos=1)
    try:
        if subscribed.get(timeout=_TIMEOUT_S).is_failure:
            return fail(STAGES[4], f"subscribing to {topic} is refused", todo)
        published = client.publish(topic, token, qos=1)
        if published.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return fail(STAGES[4], paho.error_string(published.rc), todo)
        while received.get(timeout=_TIMEOUT_S) != token:
            pass
    except queue.Empty:
        return fail(STAGES[4], f"a message to {topic} did not come back", todo)
    return ok(STAGES[4], f"a message to {topic} came back")
