/** One stream of sound: cut into blocks, filtered, and searched for utterances, whose samples it keeps until they end. */

import { BLOCK_SAMPLES, FULL_SCALE, SAMPLE_RATE } from "../audio/format.ts";
import { HighPass } from "../audio/highpass.ts";
import { Gate, type GateItem } from "../gate/gate.ts";

const CAPACITY = (Gate.reach + 1) * BLOCK_SAMPLES;

/** Samples are counted from the beginning of the stream, 16 kHz. */
export class Stream {
  private readonly ring = new Float32Array(CAPACITY);
  private readonly filter = new HighPass();
  private block = new Float32Array(BLOCK_SAMPLES);
  private filled = 0; // of the block
  /** Samples that went through the gate. */
  length = 0;

  constructor(private readonly gate: Gate) {}

  /** Takes the next samples, full scale 1; `onBlock` sees each whole block, high-passed, full scale 1. */
  push(samples: Float32Array, onBlock: (filtered: Float32Array) => void = () => undefined): GateItem[] {
    const items: GateItem[] = [];
    for (let at = 0; at < samples.length; ) {
      const taken = samples.subarray(at, at + BLOCK_SAMPLES - this.filled);
      this.block.set(taken, this.filled);
      this.filled += taken.length;
      at += taken.length;
      if (this.filled === BLOCK_SAMPLES) items.push(...this.whole(onBlock));
    }
    return items;
  }

  /** Ends the stream: the utterance in hand, if there is one. What is pushed next begins another. */
  finish(): GateItem[] {
    const items = this.filled ? this.push(new Float32Array(BLOCK_SAMPLES - this.filled)) : [];
    this.filter.reset();
    return [...items, ...this.gate.finish()];
  }

  /** The samples of an utterance as they came, at least `shortest` of them. */
  cut(start: number, end: number, shortest: number): Float32Array {
    const from = Math.max(Math.min(start, end - shortest), 0, this.length - CAPACITY);
    return Float32Array.from({ length: end - from }, (_, index) => this.ring[(from + index) % CAPACITY]);
  }

  /** Overwrites all sound that is held. */
  wipe(): void {
    this.ring.fill(0);
    this.block.fill(0);
  }

  private whole(onBlock: (filtered: Float32Array) => void): GateItem[] {
    this.filled = 0;
    this.ring.set(this.block, this.length % CAPACITY);
    this.length += BLOCK_SAMPLES;
    const filtered = this.filter.push(this.block.map((sample) => Math.round(sample * FULL_SCALE)));
    const clipped = filtered.map((value) => Math.min(Math.max(Math.round(value), -FULL_SCALE), FULL_SCALE - 1));
    onBlock(clipped.map((value) => value / FULL_SCALE));
    return this.gate.push(clipped);
  }
}

/** Samples as seconds. */
export function seconds(samples: number): number {
  return samples / SAMPLE_RATE;
}
