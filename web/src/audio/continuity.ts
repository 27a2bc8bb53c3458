/** Whether the sound of a stream is all there: a page in the background may be deaf for a while. */

const NOTED_SECONDS = 1; // a shorter gap is a busy machine

/** Compares how much sound came with how much time went by; wall time, so that sleep counts too. */
export class Continuity {
  private begun: number | null = null; // when the stream would have begun had nothing been missed, ms
  private samples = 0;

  constructor(private readonly rate: number) {}

  /** Takes `count` samples, the last of which was heard at `at` ms; returns the seconds missed before them, or 0. */
  note(count: number, at: number): number {
    this.samples += count;
    const begun = at - (1000 * this.samples) / this.rate;
    if (this.begun === null || begun < this.begun) this.begun = begun;
    const missed = (begun - this.begun) / 1000;
    if (missed < NOTED_SECONDS) return 0;
    this.begun = begun;
    return missed;
  }
}
