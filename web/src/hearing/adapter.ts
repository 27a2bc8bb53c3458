/** The adapter: the running statistics of one source's speech, learnt without labels (edge/model/adapter.py). */

import { column, type Frames, mean } from "./frames.ts";
import type { Manifest } from "./manifest.ts";

/** An adapter as it was at one moment. */
export interface Adaptation {
  /** What is subtracted from scaled features, and what they are then divided by. */
  readonly shift: Float64Array;
  readonly scale: Float64Array;
  /** The same two for the embedding, [2, embedding], which the network applies itself. */
  readonly usual: Float32Array;
  /** Utterances that the history is worth. */
  readonly weight: number;
  /** How far the history is believed, 0 to 1. */
  readonly trust: number;
}

/** The history of one source. It holds no audio, no label and no identity. */
export class Adapter {
  private readonly columns: number;
  private mean: Float64Array;
  private square: Float64Array;
  private weight = 0;
  /** Utterances heard in all. */
  utterances = 0;

  constructor(private readonly manifest: Manifest) {
    this.columns = manifest.scaler.mean.length;
    this.mean = new Float64Array(this.columns + manifest.embedding);
    this.square = new Float64Array(this.columns + manifest.embedding).fill(1);
  }

  /** Empties the history. */
  forget(): void {
    this.mean.fill(0);
    this.square.fill(1);
    this.weight = this.utterances = 0;
  }

  /** Learns from one utterance's scaled frames and its embedding, after its prediction. */
  observe(scaled: Frames, embedding: Float32Array): void {
    this.weight = Math.min(this.weight + 1, this.manifest.adapter.memory);
    for (let index = 0; index < this.mean.length; index++) {
      const values = index < this.columns ? column(scaled, index) : embedding.slice(index - this.columns, index - this.columns + 1);
      this.mean[index] += (mean(values) - this.mean[index]) / this.weight;
      this.square[index] += (mean(values.map((value) => value * value)) - this.square[index]) / this.weight;
    }
    this.utterances += 1;
  }

  /** The adapter as it is now, whatever is learnt later. */
  snapshot(): Adaptation {
    const { prior, smallest_variance: smallest } = this.manifest.adapter;
    const trust = this.weight / (this.weight + prior);
    const shift = this.mean.map((value) => trust * value);
    const scale = this.square.map((value, index) => Math.sqrt(Math.max(trust * value + 1 - trust - shift[index] ** 2, smallest)));
    const usual = Float32Array.from([...shift.subarray(this.columns), ...scale.subarray(this.columns)]);
    return { shift: shift.slice(0, this.columns), scale: scale.slice(0, this.columns), usual, weight: this.weight, trust };
  }
}

/** Scaled frames as deviations from what is usual for this source. */
export function adapted(scaled: Frames, { shift, scale }: Adaptation): Frames {
  const { width } = scaled;
  return { ...scaled, data: scaled.data.map((value, index) => (value - shift[index % width]) / scale[index % width]) };
}
