/** Wires the page: buttons to the listener, what is heard to the views. */

import { CaptureError } from "./audio/capture.ts";
import { decode, FileError, type FileRefusal, LONGEST_MINUTES } from "./audio/file.ts";
import { SAMPLE_RATE } from "./audio/format.ts";
import { keepAwake } from "./awake.ts";
import { Listener } from "./hearing/listener.ts";
import type { FromWorker } from "./hearing/messages.ts";
import { History, toCsv, toJson } from "./history.ts";
import { nodePanel } from "./node/panel.ts";
import { Page } from "./page.ts";
import { missing, withoutMicrophone } from "./requirements.ts";
import { download, share } from "./save.ts";
import { type Settings, store, stored } from "./settings.ts";
import { texts } from "./texts.ts";
import { Controls } from "./view/controls.ts";
import { el } from "./view/dom.ts";
import { Notice } from "./view/notice.ts";
import { picture } from "./view/picture.ts";
import { SettingsView } from "./view/settings.ts";

const TEN = 10; // seconds
const SHORTEST = 0.4; // seconds of a file as one utterance: affectd.json
const LONGEST = 60;

const history = new History();
let chosen = stored();
const notice = new Notice();
const node = nodePanel(chosen, (some) => settings.set(some));
const settings = new SettingsView(chosen, { change, forget }, node.element);
const controls = new Controls({
  listen: () => void listen(null),
  tenSeconds: () => void listen(TEN),
  stop,
  file: (file) => void hear(file),
});
const page = new Page(history, {
  closer: (id) => listener?.send({ kind: "closer", id }),
  exportJson,
  exportCsv,
  share: (utterance) => void sharePicture(utterance),
  clear,
});

let listener: Listener | null = null;
let asked: { kind: "microphone"; seconds: number | null } | { kind: "file"; name: string } | null = null;
let heardBlocks = 0;
let wasHidden = document.hidden;

function begin(): void {
  const gear = el("button", {
    type: "button",
    class: "gear",
    "aria-label": texts.settings,
    title: texts.settings,
    click: () => settings.element.showModal(),
  });
  const header = el("header", {}, el("h1", { id: "headline" }, texts.headline), gear);
  document.body.replaceChildren(
    header,
    el("main", {}, notice.element, page.element),
    controls.element,
    settings.element,
  );
  change(chosen);
  document.addEventListener("visibilitychange", () => (wasHidden ||= document.hidden));
  const lacking = missing();
  if (lacking) return notice.warn(texts.problems.missing(lacking));
  listener = new Listener(take, (reason) => notice.warn(texts.problems.model(reason)));
  listener.send({ kind: "adapt", on: chosen.adapt });
  listener.send({ kind: "voices", on: chosen.voices });
  notice.say(texts.loading(0));
}

/** What the worker says. */
function take(message: FromWorker): void {
  node.take(message);
  switch (message.kind) {
    case "loading":
      notice.say(asked ? texts.working : texts.loading(message.share));
      break;
    case "ready":
      page.ready(message.about);
      settings.describe(texts.about(message.about.version, message.about.bundle, message.about.digest));
      controls.show({ kind: "idle" });
      notice.say(texts.ready);
      document.documentElement.dataset["state"] = "ready";
      if ("serviceWorker" in navigator) void navigator.serviceWorker.register("sw.js").catch(() => null);
      break;
    case "failed":
      notice.warn(texts.problems.model(message.reason));
      break;
    case "sound":
      page.live.push(message.samples);
      count();
      break;
    case "speaking":
      notice.say(message.on ? texts.speaking : texts.quiet);
      break;
    case "heard":
      page.add(message.utterance);
      break;
    case "closer":
      if (message.closer) history.keep(message.id, message.closer);
      else notice.warn(texts.closerGone);
      page.closer(message.id);
      break;
    case "voice":
      history.keepVoice(message.id, message.voice);
      page.heardVoice(message.id);
      break;
    case "deaf":
      notice.warn(texts.problems.deaf(message.seconds, wasHidden));
      wasHidden = document.hidden;
      break;
    case "finished":
      finished(message.utterances);
      break;
  }
}

async function listen(seconds: number | null): Promise<void> {
  notice.warn(null);
  const impossible = withoutMicrophone();
  if (impossible) return notice.warn(impossible);
  asked = { kind: "microphone", seconds };
  heardBlocks = 0;
  wasHidden = document.hidden;
  controls.show({ kind: "working" });
  try {
    await listener?.listen(seconds, lost);
  } catch (error) {
    asked = null;
    controls.show({ kind: "idle" });
    return notice.warn(texts.problems[error instanceof CaptureError ? error.refusal : "unsupported"]);
  }
  page.listening(true);
  controls.show({ kind: "listening", left: seconds });
  notice.say(texts.quiet);
  void keepAwake(true);
}

/** Counts ten seconds down by the sound that came, not by a clock. */
function count(): void {
  heardBlocks += 1;
  if (asked?.kind !== "microphone" || asked.seconds === null) return;
  const left = Math.max(Math.ceil(asked.seconds - (heardBlocks * 512) / SAMPLE_RATE), 0);
  controls.show({ kind: "listening", left });
}

function stop(): void {
  listener?.stop();
  controls.show({ kind: "working" });
}

function lost(): void {
  stop();
  notice.warn(texts.problems.lost);
}

function finished(utterances: number): void {
  if (asked?.kind === "microphone" && asked.seconds !== null && !utterances) notice.warn(texts.problems.nobody);
  if (asked?.kind === "file" && !utterances) notice.warn(texts.problems.nobodyInFile(asked.name));
  asked = null;
  page.listening(false);
  controls.show({ kind: "idle" });
  notice.say(texts.ready);
  void keepAwake(false);
}

async function hear(file: File): Promise<void> {
  notice.warn(null);
  controls.show({ kind: "working" });
  notice.say(texts.working);
  const { whole } = chosen;
  try {
    const samples = await decode(file);
    const seconds = samples.length / SAMPLE_RATE;
    const wrong =
      whole && seconds > LONGEST
        ? texts.problems.longWhole(file.name, LONGEST)
        : seconds < SHORTEST
          ? texts.problems.shortWhole(file.name, SHORTEST)
          : null;
    if (wrong) return idle(wrong);
    asked = { kind: "file", name: file.name };
    listener?.file(file.name, samples, whole);
  } catch (error) {
    idle(sentence(file.name, error instanceof FileError ? error.refusal : { kind: "no-audio" }));
  }
}

function sentence(name: string, refusal: FileRefusal): string {
  switch (refusal.kind) {
    case "no-audio":
      return texts.problems.noAudio(name);
    case "empty":
      return texts.problems.emptyFile(name);
    case "long":
      return texts.problems.longFile(name, refusal.minutes, LONGEST_MINUTES);
  }
}

function idle(problem: string): void {
  controls.show({ kind: "idle" });
  notice.say(texts.ready);
  notice.warn(problem);
}

function change(changed: Settings): void {
  chosen = changed;
  store(changed);
  document.documentElement.dataset["theme"] = changed.theme;
  listener?.send({ kind: "adapt", on: changed.adapt });
  listener?.send({ kind: "voices", on: changed.voices });
}

function forget(): void {
  listener?.send({ kind: "forget" });
  notice.say(texts.forgotten);
}

function exportJson(): void {
  download(new File([toJson(history)], "affectd.jsonl", { type: "application/jsonl" }));
}

function exportCsv(): void {
  download(new File([toCsv(history.utterances)], "affectd.csv", { type: "text/csv" }));
}

async function sharePicture(utterance: Parameters<typeof picture>[0]): Promise<void> {
  const labels = Object.keys(utterance.probabilities);
  await share(await picture(utterance, history.closer(utterance.id), labels), texts.shareTitle);
}

function clear(): void {
  history.clear();
  page.clear();
}

begin();
