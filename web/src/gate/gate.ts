/** The gate: from blocks of sound to utterances, at next to no cost while nobody speaks (edge/vad/gate.py). */

import { BLOCK_SAMPLES, BLOCK_SECONDS, FULL_SCALE } from "../audio/format.ts";
import { type Decision, Segmenter, type SegmenterSettings } from "./segmenter.ts";
import type { Silero } from "./silero.ts";
import type { CheapDetector } from "./webrtc.ts";

const TRIGGER_DB = 2; // above the noise, from which the detectors look at a block
const QUIETEST_DB = -90; // dBFS: the floor of 16-bit audio, and of the noise estimate
const QUIETEST_POWER = 10 ** (QUIETEST_DB / 10);
const NOISE_BLOCKS = 32; // that the noise estimate looks back: about one second
const NOISE_STEP_DB = 12; // a slammed door moves the estimate no further than this much louder noise
const RISEN_BLOCKS = 16; // in a row that are louder than that: half a second is no door, the noise has risen
const LEAST_SNR = 1e-2; // -20 dB: no estimate of speech buried deeper means anything
const LOUD_DB = 4; // above the noise: what may lead into speech
const NO_SPEECH = 0.1; // below this probability a block teaches the noise estimate, however loud it is
const WARM_UP = 12; // blocks that the neural detector hears before the one that woke it
const VIGIL = 8; // blocks that it goes on listening after the last suspicion

const atLeast = (seconds: number): number => Math.max(Math.ceil(seconds / BLOCK_SECONDS - 1e-9), 1);
const atMost = (seconds: number): number => Math.floor(seconds / BLOCK_SECONDS + 1e-9);

/** The daemon's defaults (docs/configuration.md). */
export const SEGMENTING: SegmenterSettings = {
  openProbability: 0.4,
  closeProbability: 0.25,
  confirm: atLeast(0.128),
  hangover: atLeast(0.6),
  leadIn: atMost(1.5),
  loud: LOUD_DB,
  preRoll: atLeast(0.5),
  tail: atMost(0.25),
  shortest: atLeast(0.3),
  longest: atMost(12),
};

/** What a block brings to light; samples are counted from the beginning of the stream. */
export type GateItem =
  | { readonly kind: "started"; readonly sample: number }
  | { readonly kind: "utterance"; readonly start: number; readonly end: number; readonly snrDb: number }
  | { readonly kind: "ended"; readonly sample: number };

/** Cuts utterances out of a stream of blocks; depends on the samples alone, never on a clock. */
export class Gate {
  /** How far back the beginning of an utterance may lie, in blocks. */
  static readonly reach = SEGMENTING.longest + SEGMENTING.leadIn + WARM_UP + 1;

  private readonly segmenter = new Segmenter(SEGMENTING);
  private readonly ring = Array.from({ length: Gate.reach }, () => new Float32Array(BLOCK_SAMPLES));
  private readonly levels = new Float64Array(Gate.reach).fill(QUIETEST_DB); // of each block in the ring, dBFS
  private listenUntil = 0; // the block at which the neural detector may sleep again
  private lessons = 1;
  private louder: number[] = []; // levels of the latest blocks, all too loud for a step, dBFS
  private noiseDb = QUIETEST_DB;
  private blocks = 0;

  constructor(
    private readonly cheap: CheapDetector,
    private readonly neural: Silero,
  ) {}

  /** Takes the next block [512], high-passed, in whole int16 units. */
  push(block: Float32Array): GateItem[] {
    const index = this.blocks;
    this.blocks += 1;
    const row = this.ring[index % Gate.reach];
    let power = 0;
    for (let n = 0; n < BLOCK_SAMPLES; n++) {
      power += block[n] * block[n];
      row[n] = block[n] / FULL_SCALE;
    }
    power /= BLOCK_SAMPLES * FULL_SCALE ** 2;
    const level = power > QUIETEST_POWER ? 10 * Math.log10(power) : QUIETEST_DB;
    this.levels[index % Gate.reach] = level;
    const excess = level - this.noiseDb;
    if (excess > TRIGGER_DB && this.cheap(block)) this.listenUntil = index + VIGIL;
    if (index >= this.listenUntil && this.segmenter.idle) {
      this.learnNoise(excess);
      return [];
    }
    return this.listen(excess);
  }

  /** Ends the stream: the utterance in hand, if there is one. What is known of the noise is kept, as a first guess. */
  finish(): GateItem[] {
    const items = this.segmenter.finish().map((decision) => this.item(decision));
    this.segmenter.begin(this.blocks);
    this.neural.reset();
    this.listenUntil = this.blocks;
    this.lessons = 1;
    this.louder = [];
    return items;
  }

  /** Asks the neural detector about the newest block, after those before it that it has not heard. */
  private listen(excess: number): GateItem[] {
    const { segmenter } = this;
    const first = this.blocks - 1 - WARM_UP;
    if (segmenter.position < first) {
      this.neural.reset();
      const unheard: number[] = [];
      for (let index = Math.max(segmenter.position, first - SEGMENTING.leadIn); index < first; index++)
        unheard.push(this.excess(index));
      segmenter.skipTo(first, unheard);
    }
    const items: GateItem[] = [];
    let probability = 0;
    for (let index = segmenter.position; index < this.blocks; index++) {
      probability = this.neural.probability(this.ring[index % Gate.reach]);
      items.push(...segmenter.push(probability, this.excess(index)).map((decision) => this.item(decision)));
    }
    if (excess < 0 || probability < NO_SPEECH) this.learnNoise(excess);
    return items;
  }

  /** How far block `index` lies above the noise, in dB. */
  private excess(index: number): number {
    return this.levels[index % Gate.reach] - this.noiseDb;
  }

  /** Moves the noise estimate towards a block `excess` dB above it: an average at first, then a running one. */
  private learnNoise(excess: number): void {
    if (this.lessons < NOISE_BLOCKS) this.lessons += 1;
    if (excess <= NOISE_STEP_DB) {
      this.louder = [];
      this.noiseDb += excess / this.lessons;
      return;
    }
    this.louder.push(this.noiseDb + excess);
    if (this.louder.length < RISEN_BLOCKS) {
      this.noiseDb += NOISE_STEP_DB / this.lessons;
      return;
    }
    this.noiseDb = Math.min(...this.louder);
    this.louder = [];
  }

  private item(decision: Decision): GateItem {
    switch (decision.kind) {
      case "opened":
        return { kind: "started", sample: decision.onset * BLOCK_SAMPLES };
      case "closed":
        return { kind: "ended", sample: decision.offset * BLOCK_SAMPLES };
      case "span": {
        let sum = 0;
        for (let index = decision.onset; index < decision.offset; index++) sum += 10 ** (this.excess(index) / 10);
        const snr = Math.max(sum / (decision.offset - decision.onset) - 1, LEAST_SNR); // without the noise beneath it
        return {
          kind: "utterance",
          start: decision.start * BLOCK_SAMPLES,
          end: decision.stop * BLOCK_SAMPLES,
          snrDb: 10 * Math.log10(snr),
        };
      }
    }
  }
}
