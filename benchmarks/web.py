"""Measure the page in a browser: its equality with the command, its cost, its start, its memory.

python -m benchmarks.web --site DIR --bundle NAME [--data DIR] [PART ...]   (make bench-web)
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import soundfile
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import pages
from benchmarks.measure import DEMO, RESULTS, ROOT
from edge.audio import SAMPLE_RATE
from edge.sources.conversion import read_audio

PAGE = ROOT / "docs" / "web.md"
CLIPS = 50
RUNS = 30
SLOWDOWN = 4
STARTS = 5
SPEED = 60  # times faster than life
PATIENCE_MS = 300_000

# Listens to what the worker says, and feeds it sound faster than any microphone where a recording is given.
_LISTEN_IN = """
window.heard = []; window.voices = []; window.ends = 0; window.feed = null;
window.Worker = class extends Worker {
    constructor(...given) {
        super(...given);
        this.addEventListener("message", ({ data }) => {
            const { outline, ...utterance } = data.utterance ?? {};
            if (data.kind === "heard") window.heard.push(utterance);
            if (data.kind === "voice") window.voices.push(data.voice);
            if (data.kind === "finished") window.ends += 1;
        });
    }
    postMessage(message, transfer) {
        if (message.kind === "listen" && window.feed) {
            const { port1, port2 } = new MessageChannel();
            window.feed.port = port1;
            super.postMessage({ ...message, port: port2, rate: 16000 }, [port2]);
        } else super.postMessage(message, transfer);
    }
};
"""


@contextmanager
def serving(site: Path) -> Iterator[str]:
    """The address of a built page."""
    command = ["node", "web/serve.mjs", "--folder", str(site), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip()  # type: ignore[union-attr]
        finally:
            server.terminate()


def opened(browser: Browser, address: str, before: Callable[[Page], object] = id, *, voices: bool = True) -> Page:
    """The page, ready, as one that has never been opened; with or without what is heard in ``voices``."""
    page = browser.new_context(permissions=["microphone"]).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(_LISTEN_IN)
    settings = json.dumps(json.dumps({"whole": True, "adapt": False, "voices": voices}))
    page.add_init_script(f"localStorage.setItem('affectd.settings', {settings})")
    before(page)
    page.goto(address)
    page.wait_for_selector("html[data-state=ready]", state="attached")
    return page


def hear(page: Page, clip: Path) -> list[dict[str, Any]]:
    """The utterances of a file."""
    before, ends = page.evaluate("[heard.length, ends]")
    page.set_input_files("input[type=file]", clip)
    while page.evaluate("ends") == ends:
        page.wait_for_timeout(10)
    found: list[dict[str, Any]] = page.evaluate("heard")[before:]
    return found


def voice(page: Page, clip: Path) -> dict[str, Any]:
    """What is heard in the voice of a file that is one utterance."""
    before = page.evaluate("voices.length")
    hear(page, clip)
    while page.evaluate("voices.length") == before:
        page.wait_for_timeout(10)
    found: dict[str, Any] = page.evaluate("voices.at(-1)")
    return found


def parity(browser: Browser, address: str, options: argparse.Namespace) -> dict[str, float]:
    """How far the page is from `affectd analyse --whole` on real clips: verdicts, and what is heard in the voices."""
    files = sorted(options.data.glob("*/*.opus"))
    with tempfile.TemporaryDirectory() as folder:
        clips = []
        for index, file in enumerate(random.Random(3).sample(files, CLIPS)):
            clips.append(Path(folder) / f"{index:02d}.wav")
            soundfile.write(clips[-1], read_audio(file), SAMPLE_RATE)
        command = [
            sys.executable,
            "-m",
            "edge",
            "analyse",
            "--whole",
            "--bundle",
            options.bundle,
            "--explain",
            "aspects",
        ]
        printed = subprocess.run(
            [*command, *map(str, clips)], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout
        expected = [json.loads(line) for line in printed.splitlines()]
        page = opened(browser, address)
        voices = [voice(page, clip) for clip in clips]
        found = page.evaluate("heard")
    apart = [
        max(abs(ours["probabilities"][label] - share) for label, share in theirs["probabilities"].items())
        for ours, theirs in zip(found, expected, strict=True)
    ]
    page.context.close()
    return {
        "clips": len(apart),
        "same": sum(ours["emotion"] == theirs["emotion"] for ours, theirs in zip(found, expected, strict=True)),
        "within": sum(distance <= 1e-3 for distance in apart),
        "median": median(apart),
        "most": max(apart),
        **aspects(voices, expected),
    }


def aspects(voices: list[dict[str, Any]], expected: list[dict[str, Any]]) -> dict[str, float]:
    """How far what is heard in voices is from what the command hears in them: shares, and how many sentences differ."""
    pairs = [
        (found["aspects"], one["explanation"]["aspects"])
        for found, one in zip(voices, expected, strict=True)
        if found["aspects"]
    ]
    apart = [
        max(
            (abs(each["effect"] - theirs["effects"][name]["effect"]) for name, each in ours["effects"].items()),
            default=0,
        )
        for ours, theirs in pairs
    ]
    return {
        "voices": len(pairs),
        "sentences": sum(found["sentence"] == one["sentence"] for found, one in zip(voices, expected, strict=True)),
        "others": sum(ours.get("counterfactual") == theirs.get("counterfactual") for ours, theirs in pairs),
        "shares_median": median(apart),
        "shares_most": max(apart),
    }


def utterance(browser: Browser, address: str, _: argparse.Namespace) -> dict[str, float]:
    """Three seconds of speech to verdict and explanation: of the worker's CPU, and by the clock, ms; and its voice."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.wav"
        soundfile.write(clip, read_audio(DEMO)[SAMPLE_RATE : 4 * SAMPLE_RATE], SAMPLE_RATE)
        page = opened(browser, address, voices=False)
        for _warm in range(5):
            hear(page, clip)
        cpu, clock = [], []
        for _run in range(RUNS):
            before = worker_cpu_ms()
            clock.append(hear(page, clip)[0]["milliseconds"])
            cpu.append(worker_cpu_ms() - before)
        page.context.close()
        page = opened(browser, address)
        for _warm in range(5):
            voice(page, clip)
        both = []
        for _run in range(RUNS):
            before = worker_cpu_ms()
            voice(page, clip)
            both.append(worker_cpu_ms() - before)
        evaluations = page.evaluate("voices.at(-1).aspects.evaluations")
    page.context.close()
    found = {"cpu": median(cpu), "cpu_least": min(cpu), "clock": median(clock), "clock_least": min(clock)}
    more = {"voice": median(both) - median(cpu), "voice_least": min(both) - min(cpu), "evaluations": evaluations}
    return found | more


def worker_cpu_ms() -> float:
    """CPU time of all threads of workers in browsers that are our children (Linux)."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        for task in Path(f"/proc/{process.pid}/task").glob("*"):
            try:
                if (task / "comm").read_text().startswith("DedicatedWorker"):
                    total += int((task / "schedstat").read_text().split()[0])
            except OSError:  # a thread that has just ended
                continue
    return total / 1e6


def start(browser: Browser, address: str, _: argparse.Namespace) -> dict[str, float]:
    """From the address to *ready*, the page slowed down, seconds by the clock; and CPU seconds of all its threads."""
    seconds, cpu = [], []
    for _start in range(STARTS):

        def slow(page: Page) -> None:
            page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})

        before, begun = browser_cpu_s(), time.monotonic()
        page = opened(browser, address, slow)
        seconds.append(time.monotonic() - begun)
        cpu.append(browser_cpu_s() - before)
        page.context.close()
    return {"seconds": median(seconds), "seconds_least": min(seconds), "cpu": median(cpu)}


def browser_cpu_s() -> float:
    """CPU time of all processes of browsers that are our children, those that still live."""
    spent = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            spent += sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return spent


def memory(browser: Browser, address: str, _: argparse.Namespace) -> dict[str, Any]:
    """What the page and its worker hold after each ten minutes of an hour of sound, MB (performance API)."""
    sound = read_audio(DEMO)[: 10 * SAMPLE_RATE]
    page = opened(browser, address)
    page.evaluate("sound => { window.feed = { sound: new Int16Array(sound) }; }", sound.tolist())
    page.get_by_role("button", name="Listen").click()
    page.get_by_role("button", name="Stop").wait_for()
    held = []
    for _tens in range(7):
        held.append(page.evaluate("performance.measureUserAgentSpecificMemory().then(({ bytes }) => bytes / 1e6)"))
        page.evaluate(
            """([seconds, speed]) => new Promise((resolve) => {
                const { port, sound } = window.feed;
                const step = 1600;
                window.feed.at ??= 0; window.feed.time ??= 0;
                const until = window.feed.time + 1000 * seconds;
                const timer = setInterval(() => {
                    for (let n = 0; n < speed / 2; n++) {
                        const at = window.feed.at;
                        const level = (_, index) => sound[(at + index) % sound.length] / 32768;
                        const samples = Float32Array.from({ length: step }, level);
                        window.feed.at = (window.feed.at + step) % sound.length;
                        window.feed.time += 100;
                        port.postMessage({ samples, at: window.feed.time }, [samples.buffer]);
                    }
                    if (window.feed.time >= until) { clearInterval(timer); resolve(null); }
                }, 50);
            })""",
            [600, SPEED],
        )
        before = -1
        while before != (before := page.evaluate("heard.length")):  # until the worker has caught up
            page.wait_for_timeout(3000)
    utterances = page.evaluate("heard.length")
    page.context.close()
    slope = float(np.polyfit(np.arange(len(held) - 1), held[1:], 1)[0]) * 6
    return {"held_mb": held, "slope_mb_per_h": slope, "utterances": utterances}


def lighthouse(_: Browser, address: str, __: argparse.Namespace) -> dict[str, float]:
    """Lighthouse's scores, 0-100; its version 11 is the last that judges installable pages. npx fetches it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        categories = "--only-categories=accessibility,best-practices,pwa"
        command = ["npx", "--yes", "lighthouse@11.7.1", address, categories, "--quiet", "--output=json"]
        flags = ["--chrome-flags=--headless=new --no-sandbox", "--max-wait-for-load=90000", f"--output-path={report}"]
        environment = os.environ | {"CHROME_PATH": shutil.which("chromium") or ""}
        subprocess.run([*command, *flags], check=True, env=environment, cwd=folder)
        found = json.loads(report.read_text())["categories"]
    return {name: 100 * category["score"] for name, category in found.items()}


def pictures(browser: Browser, address: str, options: argparse.Namespace) -> dict[str, Any]:
    """The page on a phone and on a desk, after the demonstration recording, for the docs; of the default bundle."""
    if options.bundle != "default":
        return {}
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "doorbell.wav"
        soundfile.write(recording, read_audio(DEMO), SAMPLE_RATE)
        for width, height, theme in ((360, 740, "light"), (1280, 1000, "dark")):
            page = opened(browser, address)
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            page.get_by_role("button", name="Settings").click()
            page.get_by_label("Take a file as one utterance").uncheck()
            page.get_by_label("Adapt to this voice").check()
            page.get_by_label("Colours").select_option(theme)
            page.get_by_role("button", name="Close", exact=True).click()
            hear(page, recording)
            page.locator(".timeline button").nth(1).click()
            page.get_by_role("button", name="Look closer").click()
            page.get_by_role("heading", name="Single features").wait_for()
            page.get_by_role("heading", name="What is heard in the voice").wait_for()
            page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
            page.screenshot(path=ROOT / "docs" / f"web-{width}.png")
            page.context.close()
    return {}


PARTS = {
    "parity": parity,
    "utterance": utterance,
    "start": start,
    "memory": memory,
    "lighthouse": lighthouse,
    "pictures": pictures,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, required=True, metavar="DIR", help="what `make web OUT=DIR` left")
    parser.add_argument("--bundle", default="default", help="the bundle that the page was built with")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="the corpora, for parity")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}")
    options = parser.parse_args()
    file = RESULTS / "web.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    mine = results.setdefault(options.bundle, {})
    with sync_playwright() as playwright, serving(options.site.resolve()) as address:
        flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        for name in options.parts or PARTS:
            mine[name] = PARTS[name](browser, address, options)
            print(options.bundle, name, mine[name], flush=True)
            file.write_text(json.dumps(results, indent=1) + "\n")
        browser.close()
    pages.fill(PAGE, {f"figures-{options.bundle}": table(mine)})


def table(found: dict[str, Any]) -> str:
    """The figures of one bundle against their goals."""
    rows = ["| | measured | floor | goal |", "|---|---|--:|--:|"]
    if each := found.get("parity"):
        rows.append(
            f"| verdicts equal to `affectd analyse --whole`, {each['clips']} clips | {each['same']} the same; "
            f"probabilities within 1e-3 on {each['within']}, median {each['median']:.1g}, most {each['most']:.1g} "
            "| all | all |"
        )
        rows.append(
            f"| voices as `analyse --explain aspects` hears them, {each['voices']} | {each['sentences']} sentences and "
            f"{each['others']} other verdicts the same; shares within {each['shares_most']:.1g} log-odds, median "
            f"{each['shares_median']:.1g} | | |"
        )
    if each := found.get("utterance"):
        rows.append(
            f"| an explained utterance of 3 s, one thread | {each['cpu']:.0f} ms of CPU (least "
            f"{each['cpu_least']:.0f}); {each['clock']:.0f} ms by the clock (least {each['clock_least']:.0f}) "
            "| 120 ms | 50 ms |"
        )
        rows.append(
            f"| what is heard in its voice, {each['evaluations']} coalitions, after that | {each['voice']:.0f} ms of "
            f"CPU (least {each['voice_least']:.0f}) | | |"
        )
    if each := found.get("start"):
        rows.append(
            f"| first load to *ready*, {SLOWDOWN} times slower | {each['seconds']:.1f} s (least "
            f"{each['seconds_least']:.1f}); {each['cpu']:.1f} s of CPU | 6 s | 2.5 s |"
        )
    if each := found.get("memory"):
        held = ", ".join(f"{value:.0f}" for value in each["held_mb"])
        rows.append(
            f"| memory through an hour of sound, {each['utterances']} utterances | {held} MB after each ten minutes: "
            f"{each['slope_mb_per_h']:+.1f} MB/h since the first | no slope | no slope |"
        )
    if each := found.get("lighthouse"):
        scores = ", ".join(f"{name} {score:.0f}" for name, score in each.items())
        rows.append(f"| Lighthouse 11 | {scores} | 95 | 100 |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
