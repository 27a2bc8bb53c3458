"""Page: the nodes of a broker, live."""

import datetime
from pathlib import Path

import msgspec
import streamlit as st
from msgspec import UNSET

from app import nodes, palette, verdict
from app.feed import Feed, View
from app.nodes import Node
from app.plots import bars, lanes
from edge import config
from edge.config import MqttSettings
from edge.errors import AffectdError
from edge.events.event import NO_EMOTION

_EVERY_S = 1.0


def page() -> None:
    """Draw the page."""
    st.title("Who sounds how, now", anchor=False)
    try:
        feed = _feed(msgspec.json.encode(_settings()))
    except AffectdError as error:
        st.error(f"{error}", icon=":material/error:")
        return
    _nodes(feed)


def _settings() -> MqttSettings:
    """The broker that the user enters, or the default one."""
    host, port, file = st.columns([2, 1, 3])
    default = MqttSettings()
    options = {
        "host": host.text_input("Broker", default.host, key="broker_host", persist_state="session").strip(),
        "port": port.number_input("Port", 1, 65535, default.port, key="broker_port", persist_state="session"),
    }
    path = file.text_input(
        "Configuration file",
        placeholder="path of a daemon's YAML: its broker, login and TLS",
        key="broker_config",
        persist_state="session",
    )
    if path:
        return config.load(Path(path)).mqtt
    return config.changed(default, **options | {"host": options["host"] or default.host})


@st.cache_resource(max_entries=1, on_release=Feed.stop, show_spinner=False)
def _feed(settings: bytes) -> Feed:
    """One subscription for all users, until another broker is chosen; JSON is a hashable cache key."""
    return Feed(msgspec.json.decode(settings, type=MqttSettings))


@st.fragment(run_every=_EVERY_S)
def _nodes(feed: Feed) -> None:
    view = feed.view()
    _connection(feed.address, view)
    for name in sorted(view.nodes):
        with st.container(border=True):
            _node(view.nodes[name])


def _connection(address: str, view: View) -> None:
    if view.connected_since is None:
        st.warning(view.problem, icon=":material/cloud_off:")
    elif not view.nodes:
        st.info(
            f"Connected to {address}. No node has published anything yet: start `affectd run`.",
            icon=":material/hearing:",
        )
    else:
        count = len(view.nodes)
        st.caption(f"Connected to {address}: {count} node{'s' if count > 1 else ''}")


def _node(node: Node) -> None:
    now = datetime.datetime.now(datetime.UTC)
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        _present(node)
        _hour(node, now)
    with right:
        _last(node, now)
    _details(node)


def _present(node: Node) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"### {_plain(node.name)}", width="content")
        st.badge(_plain(node.status), color="green" if node.online else "red", icon=":material/sensors:")
        if node.listening == "OFF":
            st.badge("not listening", color="gray", icon=":material/mic_off:")
        elif node.online and node.microphone != "online":
            st.badge("microphone offline", color="red", icon=":material/mic_off:")
        speaking = node.online and node.speech == "ON"
        st.html(
            f'<span class="{"speaking" if speaking else "quiet"}"></span> {"somebody speaks" if speaking else "quiet"}',
            width="content",
        )
    last = node.last
    current = node.state if node.online else NO_EMOTION
    fresh = last if last and last.emotion == current else None
    detail = "the current emotion" if node.online else "the node is offline"
    if fresh and fresh.voice is not UNSET:
        detail += f", of {fresh.voice.name or fresh.voice.id}"
    verdict.show(
        current if node.online else "–",
        fresh.confidence if fresh else None,
        node.labels,
        detail,
        intensity=None if fresh is None or fresh.intensity is UNSET else fresh.intensity,
    )


def _hour(node: Node, now: datetime.datetime) -> None:
    """The timeline moves by whole minutes, so it is redrawn only then and after an utterance."""
    end = now.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
    stays = [
        lanes.Stay(event.emotion, event.confidence, nodes.moment(event.start), nodes.moment(event.end))
        for event in node.events
        if end - nodes.moment(event.end) < nodes.HISTORY
    ]
    st.caption(f"The last hour: {len(stays)} utterance{'' if len(stays) == 1 else 's'}, while this app was running")
    st.altair_chart(lanes.over_hour(stays, node.labels, palette.current(), end - nodes.HISTORY, end))


def _last(node: Node, now: datetime.datetime) -> None:
    event = node.last
    if event is None:
        st.caption("Nobody has spoken since this app was started.")
        return
    ago = max(0, round((now - nodes.moment(event.end)).total_seconds() / 5) * 5)
    when = f"{ago} s ago" if ago < 60 else f"{ago // 60} min ago"
    st.markdown(
        f"**The last utterance** :gray[:small[{when}, {event.duration_s:.1f} s, {event.snr_db:.0f} dB over the noise]]"
    )
    st.altair_chart(bars.probabilities(event.probabilities, None, node.labels, palette.current()))
    if event.explanation is not None:
        st.markdown(f"**Why {_plain(event.explanation.target)}** :gray[:small[LMAC by family, in log-odds]]")
        st.altair_chart(bars.contributions(event.explanation.families, palette.current()))


def _details(node: Node) -> None:
    with st.expander("Diagnostics", icon=":material/monitor_heart:"):
        facts: dict[str, object] = {**(node.diagnostics or {})}
        if node.info:
            facts = {"version": node.info.version, "bundle": node.info.bundle, "model": node.info.model[:19], **facts}
        facts |= {"threshold": node.threshold} if node.threshold else {}
        if not facts:
            st.caption("The node has not published any yet.")
            return
        rows = [
            {"what": key.replace("_", " "), "value": "–" if value is None else str(value)}
            for key, value in facts.items()
        ]
        half = -(-len(rows) // 2)
        for column, part in zip(st.columns(2), (rows[:half], rows[half:]), strict=True):
            if part:
                column.dataframe(part, hide_index=True, height="content")


def _plain(text: str) -> str:
    """A name from the network, without characters that Markdown would interpret."""
    return "".join(character if character.isalnum() or character in " -_." else "·" for character in text[:60])
