/** The worker that hears: sound in, utterances with their verdicts out, so that the page itself never waits. */

import { bandwidth } from "../audio/bandwidth.ts";
import { BLOCK_SAMPLES, SAMPLE_RATE } from "../audio/format.ts";
import { Continuity } from "../audio/continuity.ts";
import { outline } from "../audio/outline.ts";
import { Resampler } from "../audio/resample.ts";
import { explain, type Heard, unheard } from "../explain/byaspects.ts";
import { sentence } from "../explain/sentence.ts";
import { Gate, type GateItem } from "../gate/gate.ts";
import { readNpz } from "../gate/npz.ts";
import { Silero, SileroWeights } from "../gate/silero.ts";
import { cheapDetector } from "../gate/webrtc.ts";
import { texts } from "../texts.ts";
import { Adapter } from "./adapter.ts";
import { load } from "./assets.ts";
import { FORMAT, type Manifest } from "./manifest.ts";
import type { Captured, FromWorker, ToWorker } from "./messages.ts";
import { Model, type Trace } from "./model.ts";
import { seconds, Stream } from "./stream.ts";
import type { AspectEffects, Verdict } from "./verdict.ts";

const TRACES = 12; // utterances that a closer look is possible at: about half a megabyte each
const MOST_WAITING = 40; // utterances whose voice is still to be explained: a third of a megabyte each
const MICROPHONE = "microphone";
const PORTION = SAMPLE_RATE; // of a file that goes through the gate at once

const page = self as unknown as {
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
  onmessage: (event: MessageEvent<ToWorker>) => void;
};

/** An utterance whose voice is to be explained. */
interface Waiting {
  readonly id: number;
  readonly verdict: Verdict;
  readonly heard: Heard;
  /** The explanation, once begun. */
  steps: AsyncGenerator<void, AspectEffects> | null;
}

/** All that hears, once it is loaded. */
class Hearing {
  private readonly adapter: Adapter;
  private readonly traces = new Map<number, Trace>();
  private readonly waiting: Waiting[] = []; // the newest last
  private explaining = false;
  private voices = true;
  private adapting = true;
  private port: MessagePort | null = null;
  private stream: Stream | null = null;
  private began = 0; // of the stream from the microphone, ms
  private utterances = 0; // of the stream
  private heard = 0; // in all

  constructor(
    private readonly model: Model,
    private readonly gate: () => Gate,
  ) {
    this.adapter = new Adapter(model.manifest);
  }

  /** Does what the page asks for. */
  async take(message: ToWorker): Promise<void> {
    switch (message.kind) {
      case "listen":
        this.listen(message.port, message.rate, message.seconds);
        break;
      case "stop":
        await this.stop();
        break;
      case "file":
        await this.file(message.name, message.samples, message.whole);
        break;
      case "adapt":
        this.adapting = message.on;
        break;
      case "voices":
        this.voices = message.on;
        break;
      case "forget":
        this.adapter.forget();
        break;
      case "closer": {
        const trace = this.traces.get(message.id);
        page.postMessage({ kind: "closer", id: message.id, closer: trace ? await this.model.closer(trace) : null });
        break;
      }
    }
  }

  private listen(port: MessagePort, rate: number, limit: number | null): void {
    this.stream = new Stream(this.gate());
    this.utterances = 0;
    this.began = 0;
    const resampler = new Resampler(rate);
    const continuity = new Continuity(rate);
    this.port = port;
    port.onmessage = ({ data }: MessageEvent<Captured>) =>
      inTurn(() => this.captured(data, resampler, continuity, limit));
  }

  private async captured(
    { samples, at }: Captured,
    resampler: Resampler,
    continuity: Continuity,
    limit: number | null,
  ): Promise<void> {
    const { stream } = this;
    if (!stream || !this.port) return; // what was on its way when the stream ended
    const missed = continuity.note(samples.length, at);
    if (missed) {
      page.postMessage({ kind: "deaf", seconds: missed });
      await this.items(stream.finish(), stream, MICROPHONE);
    }
    const sound = resampler.push(samples);
    const items = stream.push(sound, (filtered) =>
      page.postMessage({ kind: "sound", samples: filtered }, [filtered.buffer]),
    );
    this.began = at - 1000 * seconds(stream.length);
    await this.items(items, stream, MICROPHONE);
    if (limit !== null && seconds(stream.length) >= limit) await this.stop();
  }

  private async stop(): Promise<void> {
    const { stream } = this;
    if (!stream || !this.port) return;
    this.port.close();
    this.port = null;
    await this.items(stream.finish(), stream, MICROPHONE);
    stream.wipe();
    this.stream = null;
    page.postMessage({ kind: "finished", utterances: this.utterances });
  }

  private async file(name: string, samples: Float32Array, whole: boolean): Promise<void> {
    this.utterances = 0;
    if (whole) {
      await this.utterance(samples, { source: name, start: 0, end: seconds(samples.length), began: null, snrDb: null });
    } else {
      const stream = new Stream(this.gate());
      for (let at = 0; at < samples.length; at += PORTION) {
        await this.items(stream.push(samples.subarray(at, at + PORTION)), stream, name);
        page.postMessage({ kind: "loading", share: at / samples.length });
      }
      await this.items(stream.finish(), stream, name);
    }
    samples.fill(0);
    page.postMessage({ kind: "finished", utterances: this.utterances });
  }

  private async items(items: readonly GateItem[], stream: Stream, source: string): Promise<void> {
    const shortest = this.model.manifest.seconds.shortest * SAMPLE_RATE;
    for (const item of items) {
      if (item.kind === "utterance") {
        const samples = stream.cut(item.start, item.end, shortest);
        const began = source === MICROPHONE ? this.began + 1000 * seconds(item.start) : null;
        await this.utterance(samples, {
          source,
          start: seconds(item.start),
          end: seconds(item.end),
          began,
          snrDb: item.snrDb,
        });
      } else if (source === MICROPHONE) {
        page.postMessage({ kind: "speaking", on: item.kind === "started" });
      }
    }
  }

  private async utterance(
    samples: Float32Array,
    place: { source: string; start: number; end: number; began: number | null; snrDb: number | null },
  ): Promise<void> {
    const begin = performance.now();
    const [verdict, trace, heard] = await this.model.hear(samples, this.adapter, this.adapting);
    const milliseconds = performance.now() - begin;
    const id = (this.heard += 1);
    this.utterances += 1;
    this.traces.set(id, trace);
    this.traces.delete(id - TRACES);
    page.postMessage({
      kind: "heard",
      utterance: { ...verdict, ...place, id, bandwidthHz: bandwidth(samples), outline: outline(samples), milliseconds },
    });
    this.wait({ id, verdict, heard: { ...heard, samples: samples.slice() }, steps: null });
    samples.fill(0); // freed memory is not cleared
  }

  /** Has a voice explained when there is time. */
  private wait(utterance: Waiting): void {
    this.waiting.push(utterance);
    if (!this.voices) return this.done(utterance, null, null);
    if (this.waiting.length > MOST_WAITING) this.done(this.waiting[0], null, texts.voiceLate);
    if (this.explaining) return;
    this.explaining = true;
    this.later();
  }

  /** Goes on with the voices once what has come meanwhile, such as sound, is done: a promise alone would not wait. */
  private later(): void {
    setTimeout(() => inTurn(() => this.step()));
  }

  /** One run of a graph for the voice that was begun, else the newest; then whatever else has come goes first. */
  private async step(): Promise<void> {
    const utterance = this.waiting.find(({ steps }) => steps) ?? this.waiting[this.waiting.length - 1];
    const { manifest } = this.model;
    try {
      const reason = unheard(utterance.heard, manifest);
      if (reason !== null) return this.done(utterance, null, reason);
      utterance.steps ??= explain(this.model, manifest, utterance.heard);
      const { done, value } = await utterance.steps.next();
      if (done) this.done(utterance, value, null);
    } catch (error) {
      this.done(utterance, null, null);
      throw error;
    } finally {
      this.explaining = this.waiting.length > 0;
      if (this.explaining) this.later();
    }
  }

  /** Says what was found of a voice, or the `reason` why nothing was, and overwrites its sound. */
  private done(utterance: Waiting, aspects: AspectEffects | null, reason: string | null): void {
    const { id, verdict, heard, steps } = utterance;
    this.waiting.splice(this.waiting.indexOf(utterance), 1);
    void steps?.return(undefined as never);
    heard.samples.fill(0);
    heard.raw.data.fill(0);
    const said = sentence(verdict, aspects, this.model.manifest.texts);
    page.postMessage({ kind: "voice", id, voice: { aspects, unheard: reason, sentence: said } });
  }
}

let turn: Promise<unknown> = Promise.resolve();

/** One thing after another, in the order in which they came. */
function inTurn(action: () => Promise<void>): void {
  turn = turn.then(action).catch((error: unknown) => page.postMessage({ kind: "failed", reason: String(error) }));
}

async function open(): Promise<Hearing> {
  const files = await load((share) => page.postMessage({ kind: "loading", share }));
  const manifest = JSON.parse(new TextDecoder().decode(files.manifest)) as Manifest;
  if (manifest.format !== FORMAT) throw new Error(`the model's format is ${manifest.format}, not ${FORMAT}`);
  const weights = new SileroWeights(readNpz(files.silero));
  const cheap = await cheapDetector(files.fvad);
  const model = await Model.open(files.runtime, manifest, files);
  await model.hear(
    new Float32Array(manifest.seconds.shortest * SAMPLE_RATE + BLOCK_SAMPLES),
    new Adapter(manifest),
    false,
  ); // the first run prepares
  const { bundle, labels, families, threshold, affectd } = manifest;
  const names = families.map(({ name }) => name);
  page.postMessage({
    kind: "ready",
    about: {
      version: affectd,
      bundle: bundle.name,
      digest: bundle.digest,
      labels,
      families: names,
      threshold,
      texts: manifest.texts,
    },
  });
  return new Hearing(model, () => new Gate(cheap, new Silero(weights)));
}

const hearing = open();
hearing.catch((error: unknown) => page.postMessage({ kind: "failed", reason: String(error) }));
page.onmessage = ({ data }) => inTurn(async () => (await hearing).take(data));
