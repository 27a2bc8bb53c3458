/** The state machine that turns speech probabilities into utterances, counted in blocks: edge/vad/segmenter.py. */

const CLOSURE = 4; // blocks: a plosive's

/** What the state machine decides by; all lengths in blocks, `loud` in the unit of the levels. */
export interface SegmenterSettings {
  readonly openProbability: number;
  readonly closeProbability: number;
  readonly confirm: number;
  readonly hangover: number;
  readonly leadIn: number;
  readonly loud: number;
  readonly preRoll: number;
  readonly tail: number;
  readonly shortest: number;
  readonly longest: number;
}

/** Blocks; `stop` and `offset` are the ones behind the last. Speech proper runs from `onset` to `offset`. */
export type Decision =
  | { readonly kind: "opened"; readonly onset: number }
  | { readonly kind: "span"; readonly start: number; readonly onset: number; readonly offset: number; readonly stop: number }
  | { readonly kind: "closed"; readonly offset: number };

/** Hysteresis, confirmation, hangover, pre-roll, minimum and maximum length over one pair of values a block. */
export class Segmenter {
  private next = 0; // the block that comes next
  private free = 0; // the first block that no utterance holds yet
  private levels: number[] = [];
  private onset: number | null = null;
  private confirmed = false;
  private continued = false;
  private certain = 0;
  private start = 0;
  private offset = 0;

  constructor(private readonly settings: SegmenterSettings) {}

  /** The index of the block that the next `push` describes. */
  get position(): number {
    return this.next;
  }

  /** Whether no speech is open or suspected, so that blocks may be skipped. */
  get idle(): boolean {
    return this.onset === null;
  }

  /** Takes the blocks up to `position` as no speech, only while idle; `levels` are the last ones of theirs. */
  skipTo(position: number, levels: readonly number[]): void {
    this.next = position;
    levels.forEach((level) => this.remember(level));
  }

  /** Takes the next block's speech probability (0..1) and level. */
  push(probability: number, level: number): Decision[] {
    const { openProbability, closeProbability, preRoll, hangover, longest } = this.settings;
    const block = this.next;
    this.next += 1;
    this.remember(level);
    if (this.onset === null) {
      if (probability < openProbability) return [];
      this.onset = this.leadIn(block);
      this.start = Math.max(this.onset - preRoll, this.free);
      this.certain = block;
    }
    if (probability >= closeProbability) this.offset = this.next;
    if (!this.confirmed) return this.confirm();
    if (this.next - this.offset >= hangover) return this.close();
    if (this.next - this.start >= longest) return this.cut();
    return [];
  }

  /** Ends the stream here: the utterance in hand, if there is one. */
  finish(): Decision[] {
    if (this.confirmed) return this.close();
    this.onset = null;
    return [];
  }

  /** Takes block `position` as the first of another stream, only while idle: nothing reaches back before it. */
  begin(position: number): void {
    this.next = this.free = position;
    this.levels = [];
  }

  private remember(level: number): void {
    this.levels.push(level);
    if (this.levels.length > this.settings.longest) this.levels.shift();
  }

  private level(block: number): number {
    return this.levels[this.levels.length + block - this.next] ?? -Infinity;
  }

  /** The first of the loud blocks that lead into `block`, gaps as short as a plosive's closure included. */
  private leadIn(block: number): number {
    let onset = block;
    const earliest = Math.max(block - this.settings.leadIn, this.free, this.next - this.levels.length);
    for (let earlier = block - 1; earlier >= earliest; earlier--) {
      if (this.level(earlier) >= this.settings.loud) onset = earlier;
      else if (onset - earlier > CLOSURE) break;
    }
    return onset;
  }

  /** Waits until speech has lasted without a gap; a click never gets there. */
  private confirm(): Decision[] {
    if (this.offset < this.next || this.onset === null) {
      this.onset = null;
    } else if (this.next - this.certain >= this.settings.confirm) {
      this.confirmed = true;
      return [{ kind: "opened", onset: this.onset }];
    }
    return [];
  }

  private close(): Decision[] {
    const onset = this.onset ?? this.offset;
    const decisions: Decision[] = [{ kind: "closed", offset: this.offset }];
    // What remains of a cut utterance is kept however short its speech: nothing is lost at a cut.
    if (this.continued || this.offset - onset >= this.settings.shortest) {
      const stop = Math.min(this.offset + this.settings.tail, this.next);
      decisions.unshift({ kind: "span", start: this.start, onset, offset: this.offset, stop });
      this.free = stop;
    }
    this.onset = null;
    this.confirmed = this.continued = false;
    return decisions;
  }

  /** Ends the utterance at its quietest block of the later half; the rest goes on as the next one. */
  private cut(): Decision[] {
    const { longest, shortest } = this.settings;
    const first = this.start + Math.floor(longest / 2);
    let cut = this.next - shortest;
    for (let block = cut - 1; block >= first; block--) if (this.loudness(block) < this.loudness(cut)) cut = block;
    if (cut >= this.offset) return this.close(); // the pause before the hangover ran out
    const span: Decision = { kind: "span", start: this.start, onset: this.onset ?? cut, offset: cut, stop: cut };
    this.start = this.onset = this.free = cut;
    this.continued = true;
    return [span];
  }

  /** The level around `block`, its neighbours included, so that a pause beats a plosive's closure. */
  private loudness(block: number): number {
    return this.level(block - 1) + this.level(block) + this.level(Math.min(block + 1, this.next - 1));
  }
}
