/** The two graphs at work: from the samples of one utterance to its verdict, and to why. */

import * as ort from "onnxruntime-web/wasm";
import { SAMPLE_RATE } from "../audio/format.ts";
import { logOdds } from "../explain/logodds.ts";
import { curve, hidden, windows } from "../explain/occlusion.ts";
import { coalitions, shapley } from "../explain/shapley.ts";
import { adapted, type Adapter } from "./adapter.ts";
import { inverseTemperature, softmax } from "./calibration.ts";
import type { Frames } from "./frames.ts";
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

/** A model in memory; it holds no state but its sessions. */
export class Model {
  private constructor(
    readonly manifest: Manifest,
    private readonly waveform: ort.InferenceSession,
    private readonly tail: ort.InferenceSession,
    private readonly masks: Float32Array,
  ) {}

  /** Opens the graphs, on one thread. Throws where the runtime refuses them. */
  static async open(runtime: ArrayBuffer, manifest: Manifest, waveform: ArrayBuffer, tail: ArrayBuffer): Promise<Model> {
    ort.env.wasm.wasmBinary = runtime;
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "error";
    const open = (graph: ArrayBuffer): Promise<ort.InferenceSession> =>
      ort.InferenceSession.create(new Uint8Array(graph), { executionProviders: ["wasm"], enableCpuMemArena: false });
    return new Model(manifest, await open(waveform), await open(tail), coalitions(manifest.families.length));
  }

  /**
   * Hears `samples`, 16 kHz, full scale 1. `adapter` is what is known of the source, and learns from the utterance
   * afterwards where `learn` says so.
   */
  async hear(samples: Float32Array, adapter: Adapter, learn: boolean): Promise<[Verdict, Trace]> {
    const { manifest } = this;
    const heard = await this.waveform.run({ samples: new ort.Tensor("float32", samples, [1, samples.length]) }, ["frames", "attention"]);
    const scaled = matrix(heard["frames"]);
    const adaptation = adapter.snapshot();
    const adaptedOn = adapter.utterances;
    const inputs = adapted(scaled, adaptation);
    const { logits, embedding } = await this.of(inputs, this.masks, adaptation.usual);
    const raw = unscaled(manifest, scaled);
    const whole = logits[logits.length - 1]; // of all coalitions, the last is the utterance itself
    const inverse = inverseTemperature(manifest, raw, embedding, adaptation.weight);
    const probabilities = softmax(whole, inverse);
    const target = probabilities.indexOf(Math.max(...probabilities));
    const verdict = this.verdict(target, probabilities, logits, adaptedOn);
    const strength = intensity(manifest, raw, scaled, embedding, adaptation);
    if (learn) adapter.observe(scaled, embedding);
    const attention = Array.from(heard["attention"].data as Float32Array);
    return [{ ...verdict, intensity: strength, attention, seconds: samples.length / SAMPLE_RATE }, { inputs, usual: adaptation.usual, target }];
  }

  /** Which moments, and which single features, spoke for the target: two dozen runs a second of sound, and one a feature. */
  async closer({ inputs, usual, target }: Trace): Promise<Closer> {
    const all = new Float32Array(this.manifest.families.length).fill(1);
    const value = async (data: Float32Array): Promise<number> => logOdds((await this.of({ ...inputs, data }, all, usual)).logits[0], target);
    const whole = await value(inputs.data);
    return { moments: await this.moments(inputs, whole, value), features: await this.features(inputs, whole, value) };
  }

  private verdict(target: number, probabilities: number[], logits: Float32Array[], adaptedOn: number): Omit<Verdict, "intensity" | "attention" | "seconds"> {
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
  private async of(inputs: Frames, masks: Float32Array, usual: Float32Array): Promise<{ logits: Float32Array[]; embedding: Float32Array }> {
    const { families, labels, embedding } = this.manifest;
    const rows = masks.length / families.length;
    const found = await this.tail.run({
      frames: new ort.Tensor("float32", inputs.data, [1, inputs.time, inputs.width]),
      masks: new ort.Tensor("float32", masks, [rows, families.length]),
      usual: new ort.Tensor("float32", usual, [2, embedding]),
    });
    const logits = found["logits"].data as Float32Array;
    return {
      logits: Array.from({ length: rows }, (_, row) => logits.subarray(row * labels.length, (row + 1) * labels.length)),
      embedding: (found["embedding"].data as Float32Array).slice(-embedding),
    };
  }

  /** The mean of what goes when a window alone is hidden, and what comes when it alone is shown, for each frame. */
  private async moments(inputs: Frames, whole: number, value: (data: Float32Array) => Promise<number>): Promise<number[]> {
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
  private async features(inputs: Frames, whole: number, value: (data: Float32Array) => Promise<number>): Promise<Effect[]> {
    const { features, families } = this.manifest;
    const without = (start: number, stop: number): Float32Array =>
      inputs.data.map((kept, index) => (index % inputs.width >= start && index % inputs.width < stop ? 0 : kept));
    const effects: Effect[] = [];
    for (const [index, name] of features.entries()) effects.push({ name, effect: whole - (await value(without(index, index + 1))) });
    const speech = families.find(({ name }) => name === "speech");
    if (speech) effects.push({ name: speech.name, effect: whole - (await value(without(speech.start, speech.stop))) });
    effects.sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect));
    const rest = effects.slice(TOP_FEATURES).reduce((sum, { effect }) => sum + effect, 0);
    return [...effects.slice(0, TOP_FEATURES), { name: null, effect: rest }];
  }
}

function matrix(tensor: ort.Tensor): Frames {
  const [, time, width] = tensor.dims;
  return { data: tensor.data as Float32Array, time, width };
}

function unscaled(manifest: Manifest, scaled: Frames): Frames {
  const { mean, scale } = manifest.scaler;
  return { ...scaled, data: scaled.data.map((value, index) => value * scale[index % scaled.width] + mean[index % scaled.width]) };
}
