/** The graphs at work: from the samples of one utterance to its verdict, and to why. */

import * as ort from "onnxruntime-web/wasm";
import { SAMPLE_RATE } from "../audio/format.ts";
import { logOdds } from "../explain/logodds.ts";
import { curve, hidden, windows } from "../explain/occlusion.ts";
import { coalitions, shapley } from "../explain/shapley.ts";
import type { Graphs, Heard } from "../explain/byaspects.ts";
import type { Power } from "../explain/spectra.ts";
import { adapted, type Adapter } from "./adapter.ts";
import { inverseTemperature, softmax } from "./calibration.ts";
import { type Frames, scaled } from "./frames.ts";
import { intensity } from "./intensity.ts";
import { type Manifest } from "./manifest.ts";
import type { Closer, Effect, Verdict } from "./verdict.ts";

const TOP_FEATURES = 8;

/** What a closer look at an utterance needs: its adapted features, and the target that is explained. */
export interface Trace {
  readonly inputs: Frames;
  readonly usual: Float32Array;
  readonly target: number;
}

/** The model's graphs: from samples to spectra, to frames, to logits; and those of coalitions of families. */
export const GRAPHS = ["spectra", "frames", "network", "coalitions"] as const;

type Sessions = Readonly<Record<(typeof GRAPHS)[number], ort.InferenceSession>>;

/** A model in memory; it holds no state but its sessions. */
export class Model implements Graphs {
  private constructor(
    readonly manifest: Manifest,
    private readonly sessions: Sessions,
    private readonly masks: Float32Array,
  ) {}

  /** Opens the graphs, on one thread. Throws where the runtime refuses them. */
  static async open(
    runtime: ArrayBuffer,
    manifest: Manifest,
    graphs: Readonly<Record<(typeof GRAPHS)[number], ArrayBuffer>>,
  ): Promise<Model> {
    ort.env.wasm.wasmBinary = runtime;
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "error";
    const sessions: Partial<Record<(typeof GRAPHS)[number], ort.InferenceSession>> = {};
    for (const name of GRAPHS)
      sessions[name] = await ort.InferenceSession.create(new Uint8Array(graphs[name]), {
        executionProviders: ["wasm"],
        enableCpuMemArena: false,
      });
    return new Model(manifest, sessions as Sessions, coalitions(manifest.families.length));
  }

  /**
   * Hears `samples`, 16 kHz, full scale 1. `adapter` is what is known of the source, and learns from the utterance
   * afterwards where `learn` says so.
   */
  async hear(samples: Float32Array, adapter: Adapter, learn: boolean): Promise<[Verdict, Trace, Heard]> {
    const { manifest } = this;
    const spectra = await this.spectra(samples);
    const raw = await this.frames(spectra);
    for (const { data } of spectra) data.fill(0); // freed memory is not cleared
    const standard = scaled(raw, manifest.scaler);
    const adaptation = adapter.snapshot();
    const adaptedOn = adapter.utterances;
    const inputs = adapted(standard, adaptation);
    const { logits, embedding } = await this.of(inputs, this.masks, adaptation.usual);
    const whole = logits[logits.length - 1]; // of all coalitions, the last is the utterance itself
    const inverse = inverseTemperature(manifest, raw, embedding, adaptation.weight);
    const probabilities = softmax(whole, inverse);
    const target = probabilities.indexOf(Math.max(...probabilities));
    const verdict = this.verdict(target, probabilities, logits, adaptedOn);
    const strength = intensity(manifest, raw, standard, embedding, adaptation);
    if (learn) adapter.observe(standard, embedding);
    const { attention } = await this.network(inputs.data, 1, adaptation.usual);
    return [
      { ...verdict, intensity: strength, attention, seconds: samples.length / SAMPLE_RATE },
      { inputs, usual: adaptation.usual, target },
      { samples, raw, adaptation, target: manifest.labels[target] },
    ];
  }

  /** The power spectra of samples: those of the families, and those of the encoder where there is one. */
  async spectra(samples: Float32Array): Promise<Power[]> {
    const { spectra } = this.sessions;
    const found = await spectra.run({ samples: new ort.Tensor("float32", samples, [1, samples.length]) });
    return spectra.outputNames.map((name) => {
      const [time, width] = found[name].dims;
      return { data: found[name].data as Float64Array, time, width };
    });
  }

  /** The raw frames of such spectra. */
  async frames(spectra: readonly Power[]): Promise<Frames> {
    const { frames } = this.sessions;
    const feed = spectra.map(({ data, time, width }, index) => [
      frames.inputNames[index],
      new ort.Tensor("float64", data, [time, width]),
    ]);
    const { dims, data } = (await frames.run(Object.fromEntries(feed)))["frames"];
    return { data: data as Float32Array, time: dims[0], width: dims[1] };
  }

  /** Logits [rows, classes] of so many copies of adapted frames, one behind another. */
  async logits(copies: Float32Array, rows: number, usual: Float32Array): Promise<Float32Array[]> {
    return (await this.network(copies, rows, usual)).logits;
  }

  /** Which moments, and which single features, spoke for the target: two dozen runs a second of sound, and one a feature. */
  async closer({ inputs, usual, target }: Trace): Promise<Closer> {
    const all = new Float32Array(this.manifest.families.length).fill(1);
    const value = async (data: Float32Array): Promise<number> =>
      logOdds((await this.of({ ...inputs, data }, all, usual)).logits[0], target);
    const whole = await value(inputs.data);
    return { moments: await this.moments(inputs, whole, value), features: await this.features(inputs, whole, value) };
  }

  private verdict(
    target: number,
    probabilities: number[],
    logits: Float32Array[],
    adaptedOn: number,
  ): Omit<Verdict, "intensity" | "attention" | "seconds"> {
    const { labels, families, threshold } = this.manifest;
    const worths = logits.map((row) => logOdds(row, target));
    const shares = shapley(worths);
    const [base, value] = [worths[0], worths[worths.length - 1]];
    const confidence = probabilities[target];
    return {
      label: labels[target],
      emotion: confidence < threshold ? "uncertain" : labels[target],
      confidence,
      probabilities: Object.fromEntries(labels.map((label, index) => [label, probabilities[index]])),
      explanation: {
        method: "shapley-families",
        target: labels[target],
        families: Object.fromEntries(families.map(({ name }, index) => [name, shares[index]])),
        base_value: base,
        value,
        residual: shares.reduce((sum, share) => sum + share, 0) - (value - base),
      },
      adaptedOn,
    };
  }

  /** Logits of every row of masks, and the embedding of the last. */
  private async of(
    inputs: Frames,
    masks: Float32Array,
    usual: Float32Array,
  ): Promise<{ logits: Float32Array[]; embedding: Float32Array }> {
    const { families, embedding } = this.manifest;
    const rows = masks.length / families.length;
    const found = await this.sessions.coalitions.run({
      frames: new ort.Tensor("float32", inputs.data, [1, inputs.time, inputs.width]),
      masks: new ort.Tensor("float32", masks, [rows, families.length]),
      usual: new ort.Tensor("float32", usual, [2, embedding]),
    });
    return {
      logits: rowsOf(found["logits"]),
      embedding: (found["embedding"].data as Float32Array).slice(-embedding),
    };
  }

  /** What the network says of copies of frames: the logits of each, and where it looks in the first. */
  private async network(
    copies: Float32Array,
    rows: number,
    usual: Float32Array,
  ): Promise<{ logits: Float32Array[]; attention: number[] }> {
    const { scaler, embedding } = this.manifest;
    const width = scaler.mean.length;
    const found = await this.sessions.network.run({
      frames: new ort.Tensor("float32", copies, [rows, copies.length / rows / width, width]),
      usual: new ort.Tensor("float32", usual, [2, embedding]),
    });
    return { logits: rowsOf(found["logits"]), attention: Array.from(rowsOf(found["attention"])[0]) };
  }

  /** The mean of what goes when a window alone is hidden, and what comes when it alone is shown, for each frame. */
  private async moments(
    inputs: Frames,
    whole: number,
    value: (data: Float32Array) => Promise<number>,
  ): Promise<number[]> {
    const weights = windows(inputs.time, this.manifest.frame_rate);
    const silent = await value(hidden(inputs, new Float64Array(inputs.time), true));
    const effects: number[] = [];
    for (const row of weights) {
      const gone = await value(hidden(inputs, row, false));
      const left = await value(hidden(inputs, row, true));
      effects.push((whole - gone + left - silent) / 2);
    }
    return curve(weights, effects);
  }

  /** The features of the largest effects, either way, then the sum of the rest. */
  private async features(
    inputs: Frames,
    whole: number,
    value: (data: Float32Array) => Promise<number>,
  ): Promise<Effect[]> {
    const { features, families } = this.manifest;
    const without = (start: number, stop: number): Float32Array =>
      inputs.data.map((kept, index) => (index % inputs.width >= start && index % inputs.width < stop ? 0 : kept));
    const effects: Effect[] = [];
    for (const [index, name] of features.entries())
      effects.push({ name, effect: whole - (await value(without(index, index + 1))) });
    const speech = families.find(({ name }) => name === "speech");
    if (speech) effects.push({ name: speech.name, effect: whole - (await value(without(speech.start, speech.stop))) });
    effects.sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect));
    const rest = effects.slice(TOP_FEATURES).reduce((sum, { effect }) => sum + effect, 0);
    return [...effects.slice(0, TOP_FEATURES), { name: null, effect: rest }];
  }
}

function rowsOf({ data, dims }: ort.Tensor): Float32Array[] {
  return Array.from({ length: dims[0] }, (_, row) =>
    (data as Float32Array).subarray(row * dims[1], (row + 1) * dims[1]),
  );
}
