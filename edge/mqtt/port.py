"""Why a port that takes connections does not answer as an MQTT broker would."""

import socket
import ssl
from typing import Literal

from edge.config import MqttSettings

_TIMEOUT_S = 2.0


def mismatch(settings: MqttSettings) -> str:
    """A sentence on a broker that takes a connection and does not answer CONNECT; the port is asked what it speaks."""
    where = f"{settings.host}:{settings.port}"
    found = speaks(settings.host, settings.port)
    if found == "tls" and settings.tls is None:
        return f"the port {where} wants TLS: set mqtt.tls, or name the broker's plain port, often 1883"
    if found == "tls" and settings.tls is not None and settings.tls.certificate_file is None:
        return f"the broker {where} hangs up: does it want a certificate (mqtt.tls.certificate_file)?"
    if found == "http":
        return f"the port {where} speaks HTTP, as for MQTT over websockets: name the broker's MQTT port, often 1883"
    return f"the broker {where} does not answer: is this port a broker's?"


def speaks(host: str, port: int) -> Literal["tls", "http"] | None:
    """What a port speaks, of what it is often taken for; None where it is neither, or does not say within seconds."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is said to it
    try:
        with (
            socket.create_connection((host, port), _TIMEOUT_S) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return "tls"
    except ssl.SSLEOFError:
        pass
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):  # RFC 8446, section 6: whoever sends one speaks TLS
            return "tls"
    except (OSError, ValueError):
        pass
    try:
        with socket.create_connection((host, port), _TIMEOUT_S) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return "http" if connection.recv(5) == b"HTTP/" else None
    except OSError:
        return None
