"""The daemon's configuration: every setting with its default, unit, range and help text."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.audio import BLOCK_SECONDS
from edge.config import host, schema, url
from edge.errors import UsageError

DEFAULT_PATH = Path("/etc/affectd/config.yaml")

Port = Annotated[int, Meta(ge=1, le=65535)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
NodeName = Annotated[str, Meta(pattern="^[a-z0-9_-]{1,40}$")]


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The source of the sound."""

    kind: Annotated[
        Literal["microphone", "command", "file", "stdin", "wyoming", "rtsp"],
        Meta(
            description="a microphone, a program that writes raw PCM, an audio file, raw PCM on standard input, a "
            "Wyoming satellite or microphone, or a camera (with ffmpeg)"
        ),
    ] = "microphone"
    device: Annotated[
        str | None,
        Meta(description="microphone: part of its name as printed by `affectd devices`; null: the default microphone"),
    ] = None
    command: Annotated[
        list[str], Meta(description="command: the program and its arguments; it writes signed 16-bit little-endian PCM")
    ] = []
    path: Annotated[str | None, Meta(description="file: anything libsndfile reads (WAV, FLAC, OGG, MP3)")] = None
    paced: Annotated[bool, Meta(description="file: read in real time (true) or as fast as possible (false)")] = True
    url: Annotated[
        str | None,
        Meta(description="wyoming: `tcp://HOST:PORT` of the satellite; rtsp: the camera's, without name and password"),
    ] = None
    listen: Annotated[
        bool,
        Meta(
            description="wyoming: connect to `url` (false), or be the server that a satellite connects to there (true)"
        ),
    ] = False
    credentials_file: Annotated[
        str | None, Meta(description="rtsp: file with one line `user:password`; null: the camera asks for none")
    ] = None
    rate: Annotated[int, Meta(ge=8000, le=192_000, description="command, stdin: samples per second of the PCM, Hz")] = (
        16_000
    )
    channels: Annotated[int, Meta(ge=1, le=32, description="command, stdin: interleaved channels of the PCM")] = 1
    silence_s: Annotated[
        float,
        Meta(
            ge=1,
            le=3600,
            description="the microphone is faulty after this long without blocks, or with every sample zero, s",
        ),
    ] = 10.0

    def __post_init__(self) -> None:
        if self.kind == "command" and not self.command:
            raise ValueError(
                "command is empty: name the program, such as [arecord, -q, -t, raw, -f, S16_LE, -r, '16000']"
            )
        if self.kind == "file" and self.path is None:
            raise ValueError("path is missing: name the audio file to listen to")
        wrong = url.problem(self.kind, self.url, listen=self.listen) if self.kind in url.SCHEMES else None
        if wrong:
            raise ValueError(wrong)


class GateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When speech begins and ends, and how utterances are cut out of it."""

    trigger_db: Annotated[
        float,
        Meta(ge=0, le=30, description="level above the noise floor from which the voice detectors look at a block, dB"),
    ] = 2.0
    aggressiveness: Annotated[
        int,
        Meta(
            ge=0,
            le=3,
            description="mode of the WebRTC detector: 0 misses the least speech, 3 has the fewest false alarms",
        ),
    ] = 0
    open_probability: Annotated[
        float, Meta(gt=0, le=1, description="speech probability (Silero) from which an utterance begins")
    ] = 0.4
    close_probability: Annotated[
        float,
        Meta(gt=0, le=1, description="speech probability below which an utterance ends; at most `open_probability`"),
    ] = 0.25
    confirm_s: Annotated[
        float, Meta(ge=0.032, le=1, description="speech without a break before an utterance begins, s")
    ] = 0.128
    hangover_s: Annotated[float, Meta(ge=0.1, le=3, description="pause that ends an utterance, s")] = 0.6
    lead_in_s: Annotated[
        float,
        Meta(ge=0, le=3, description="loud sound before recognised speech that also counts as speech, at most, s"),
    ] = 1.5
    pre_roll_s: Annotated[float, Meta(ge=0.5, le=2, description="sound kept before the first speech, s")] = 0.5
    tail_s: Annotated[
        float, Meta(ge=0, le=1, description="sound kept after the last speech, s; at most `hangover_s`")
    ] = 0.25
    min_utterance_s: Annotated[float, Meta(ge=0.032, le=3, description="shorter utterances are dropped, s")] = 0.3
    max_utterance_s: Annotated[
        float, Meta(ge=5, le=60, description="longer utterances are cut at their quietest point, s; pre-roll included")
    ] = 12.0

    def __post_init__(self) -> None:
        if self.close_probability > self.open_probability:
            raise ValueError("close_probability is above open_probability")
        if self.tail_s > self.hangover_s:
            raise ValueError("tail_s is above hangover_s")
        others = self.pre_roll_s + self.lead_in_s + self.confirm_s + self.min_utterance_s + self.hangover_s
        needed = 2 * (others + 5 * BLOCK_SECONDS)
        if self.max_utterance_s < needed:
            raise ValueError(f"max_utterance_s is below {needed:.1f}, which the other lengths need")


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The model that names the emotion."""

    bundle: Annotated[
        str | None,
        Meta(
            description="the model bundle: `default`, `light` (for little memory or a slow processor), or a folder; "
            "null: `light` with less than 700 MB of memory, else `default`"
        ),
    ] = None
    threshold: Annotated[
        Fraction | None,
        Meta(description="confidence below which the emotion is `uncertain`; null: the bundle's own threshold"),
    ] = None
    adapt: Annotated[
        bool,
        Meta(
            description="adapt to the voices at this microphone: judge an utterance by how it differs from those before"
        ),
    ] = True
    explain: Annotated[
        Literal["families", "aspects", "none"],
        Meta(
            description="`families`: each event has the share of each feature family in it; `aspects`: an event that "
            "is not `uncertain` also has what people would hear in the voice, such as its pitch, at several times the "
            "cost; `none`: it is made only for who asks for it within a minute (`request/explain`), which saves a "
            "quarter of an event's cost"
        ),
    ] = "families"


class VoicesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whether people are told apart by their voices; only with a bundle that can."""

    mode: Annotated[
        Literal["off", "adapt", "publish"],
        Meta(
            description="`off`: nobody is; `adapt`: each voice is judged by how it usually sounds (with "
            "`model.adapt`), in memory alone; `publish`: voices are kept on disk, too, and events say whose they are"
        ),
    ] = "adapt"


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """TLS to the broker. There is no fallback to an unencrypted connection."""

    ca_file: Annotated[
        str | None, Meta(description="PEM file of the certificate authority; null: the system's authorities")
    ] = None
    certificate_file: Annotated[str | None, Meta(description="PEM file of this client's certificate")] = None
    key_file: Annotated[str | None, Meta(description="PEM file of this client's key")] = None

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together: give both or neither")


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The broker."""

    host: Annotated[str, Meta(min_length=1, description="name or address of the broker, without scheme or port")] = (
        "localhost"
    )
    port: Annotated[Port, Meta(description="by convention 1883 without TLS, 8883 with TLS")] = 1883
    base: Annotated[
        str, Meta(pattern=r"^[^#+/]+(/[^#+/]+)*$", description="first levels of every topic, before the node")
    ] = "affectd"
    username: Annotated[str | None, Meta(description="user name for the broker")] = None
    password_file: Annotated[
        str | None,
        Meta(description="file with the password; null: the systemd credential `mqtt-password`, if there is one"),
    ] = None
    keepalive_s: Annotated[int, Meta(ge=5, le=3600, description="MQTT keep-alive interval, s")] = 30
    hold_s: Annotated[
        float, Meta(ge=1, le=3600, description="how long `state` keeps an emotion before it returns to `none`, s")
    ] = 20.0
    reconnect_max_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=600,
            description="longest pause between two attempts to connect, s; each pause is random, up to it",
        ),
    ] = 60.0
    tls: Annotated[TlsSettings | None, Meta(description="encrypts the connection; null: no TLS")] = None

    def __post_init__(self) -> None:
        wrong = host.problem(self.host)
        if wrong:
            raise ValueError(wrong)
        if self.password_file is not None and self.username is None:
            raise ValueError("username is missing: a password_file needs the name that goes with it")


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept for a broker that is away."""

    max_mb: Annotated[
        float, Meta(ge=1, le=4096, description="size on disk above which the oldest events are dropped, MiB")
    ] = 64.0
    max_days: Annotated[
        float, Meta(gt=0, le=365, description="age above which events are dropped, in days that the daemon ran")
    ] = 7.0


class HomeAssistantSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Home Assistant discovery."""

    discovery: Annotated[bool, Meta(description="announce the node's entities to Home Assistant")] = True
    prefix: Annotated[
        str, Meta(pattern=r"^[^#+/]+(/[^#+/]+)*$", description="Home Assistant's discovery prefix and birth topic")
    ] = "homeassistant"


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon reports about itself."""

    diagnostics_s: Annotated[
        float, Meta(ge=1, le=3600, description="interval between two `diagnostics` messages, s")
    ] = 60.0
    prometheus_port: Annotated[
        Port | None, Meta(description="port for Prometheus to scrape the diagnostics; null: no such port")
    ] = None
    prometheus_host: Annotated[str, Meta(min_length=1, description="address that the Prometheus port listens on")] = (
        "127.0.0.1"
    )


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration file."""

    node: Annotated[
        NodeName | None,
        Meta(description="name of this microphone in topics: a-z, 0-9, _ and -; null: derived from the machine id"),
    ] = None
    source: SourceSettings = SourceSettings()
    gate: GateSettings = GateSettings()
    model: ModelSettings = ModelSettings()
    voices: VoicesSettings = VoicesSettings()
    mqtt: MqttSettings = MqttSettings()
    journal: JournalSettings = JournalSettings()
    homeassistant: HomeAssistantSettings = HomeAssistantSettings()
    health: HealthSettings = HealthSettings()
    state_directory: Annotated[
        str | None,
        Meta(
            description="folder for journal, settings and adapter; null: systemd's StateDirectory, else "
            "/var/lib/affectd for root, else ~/.local/state/affectd"
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least severity that is logged")
    ] = "info"


def changed(settings: MqttSettings, **values: object) -> MqttSettings:
    """The same settings but for ``values``, given by a person; UsageError where one is not allowed."""
    try:
        return msgspec.convert({**msgspec.structs.asdict(settings), **values}, MqttSettings, from_attributes=True)
    except msgspec.ValidationError as error:
        raise UsageError(f"mqtt: {error}") from None


def load(path: Path) -> Config:
    """Read a configuration file; ConfigError has one sentence for every error in it."""
    return schema.read(path, Config)
