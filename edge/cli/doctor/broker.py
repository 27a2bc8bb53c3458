"""The way to the broker, stage by stage: name, TCP, TLS, login, a message there and back, every topic of the node."""

import secrets
import socket
import ssl
from collections.abc import Iterator

from edge.cli.doctor.findings import Finding, fail, ok, skip, warn
from edge.config import MqttSettings
from edge.errors import AffectdError
from edge.mqtt.client import Client, RefusedError
from edge.mqtt.credentials import tls_context
from edge.mqtt.discovery import TopicList, every_topic
from edge.mqtt.topics import Topics

STAGES = ("broker.dns", "broker.tcp", "broker.tls", "broker.login", "broker.publish", "broker.topics")
_TIMEOUT_S = 10.0
_NO_JSON = b"affectd doctor"  # on the discovery topic, where an empty message would take the device away


def examine(settings: MqttSettings, topics: Topics, prefix: str, *, discovery: bool = True) -> Iterator[Finding]:
    """A finding for each of ``STAGES``; after the first failure the rest is skipped.

    ``prefix`` is Home Assistant's, whose ``discovery`` topic the node may publish to.
    """
    for passed, finding in enumerate(_stages(settings, topics, prefix, discovery=discovery), 1):
        yield finding
        if finding.verdict == "fail":
            yield from (skip(stage, f"needs {finding.stage}") for stage in STAGES[passed:])
            return


def _stages(settings: MqttSettings, topics: Topics, prefix: str, *, discovery: bool) -> Iterator[Finding]:
    where = f"{settings.host}:{settings.port}"
    try:
        addresses = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        yield fail(STAGES[0], f"{settings.host} has no address ({reason})", "set mqtt.host to the broker's name or IP")
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
    yield from _session(settings, topics, prefix, discovery=discovery)


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


def _session(settings: MqttSettings, topics: Topics, prefix: str, *, discovery: bool) -> Iterator[Finding]:
    five = True
    try:
        try:
            client = _logged_in(settings, five=True)
        except RefusedError:
            raise
        except AffectdError:  # a broker that does not know MQTT 5, as the daemon would take it
            five = False
            client = _logged_in(settings, five=False)
    except RefusedError as error:
        todo = "set mqtt.username, and put the password into /etc/credstore/affectd.mqtt-password"
        yield fail(STAGES[3], f"{settings.username or 'anonymous'} is refused: {error}", todo)
        return
    except AffectdError as error:
        yield fail(STAGES[3], str(error), "see mqtt in the configuration")
        return
    yield ok(STAGES[3], f"as {settings.username or 'anonymous'}, MQTT {'5' if five else '3.1.1'}")
    with client:
        yield _round_trip(client, topics.name("doctor"))
    yield _all_topics(settings, topics, every_topic(topics, prefix, announced=discovery), five=five)


def _logged_in(settings: MqttSettings, *, five: bool) -> Client:
    client = Client(settings, "doctor", five=five)
    client.open()
    return client


def _round_trip(client: Client, topic: str) -> Finding:
    todo = f"let this user read and write {topic.rpartition('/')[0]}/# in the broker's ACL"
    token = secrets.token_hex(8).encode()
    try:
        client.subscribe(topic)
        client.publish(topic, token)
        while client.receive(_TIMEOUT_S).payload != token:
            pass
    except RefusedError as error:
        return fail(STAGES[4], str(error), todo)
    except AffectdError:
        return fail(STAGES[4], f"a message to {topic} did not come back", todo)
    return ok(STAGES[4], f"a message to {topic} came back")


def _all_topics(settings: MqttSettings, topics: Topics, used: TopicList, *, five: bool) -> Finding:
    """Whether the broker lets the node publish to, and subscribe to, all that the daemon will.

    What is retained is published again as it is, not retained; elsewhere an empty message: to a subscriber, nothing
    changes. MQTT 5 acknowledges with a refusal. 3.1.1 does not, so what is taken has to come back.
    """
    everything, marker = f"{topics.root}/#", topics.name("doctor")
    outside = [topic for topic in used.published if not topic.startswith(f"{topics.root}/")]
    refused, says = [], five
    client = _logged_in(settings, five=five)
    try:
        refused += [topic for topic in used.subscribed if not _may_subscribe(client, topic)]
        for topic in outside:
            _may_subscribe(client, topic)
        found = client.retained(everything, marker=marker)
        for topic in used.published:
            try:
                client.publish(topic, found.get(topic, _NO_JSON if topic in outside else b""))
            except RefusedError:
                refused.append(topic)
            except AffectdError:  # MQTT 3.1.1, section 3.3.5: a broker may hang up instead
                refused.append(topic)
                says = True
                client.close()
                client = _logged_in(settings, five=five)
                client.subscribe(everything)
        back = {message.topic for message in client.arrived(marker)}
    except AffectdError as error:
        return fail(STAGES[5], str(error), f"let this user read {everything} in the broker's ACL")
    finally:
        client.close()
    missing = [] if says else [topic for topic in used.published if topic not in {*back, *refused}]
    refused += [topic for topic in missing if topic not in outside]
    if refused:
        todo = "let this user write, and read, them in the broker's ACL"
        return fail(STAGES[5], f"the broker refuses {', '.join(refused)}", todo)
    if missing:
        todo = "see that the broker's ACL lets this user write there: over MQTT 3.1.1 it does not say"
        return warn(STAGES[5], f"nothing came back from {', '.join(missing)}", todo)
    return ok(STAGES[5], f"{len(used.published)} topics may be published to, {len(used.subscribed)} subscribed to")


def _may_subscribe(client: Client, topic: str) -> bool:
    try:
        client.subscribe(topic)
    except RefusedError:
        return False
    return True
