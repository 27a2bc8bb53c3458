/** Power spectra of one utterance under a change of its voice (edge/explain/spectra.py). */

import { SAMPLE_RATE } from "../audio/format.ts";
import { type Frames, mean } from "../hearing/frames.ts";
import type { Manifest } from "../hearing/manifest.ts";
import { type Change, level, median, melody, prosody, VOICED } from "./aspects.ts";
import { roundEven } from "./occlusion.ts";

const REFERENCE = 150; // Hz, of octaves
const ENVELOPE = 28; // of the cepstrum, 1.8 ms: shorter than the period of nearly every voice
const SMALLEST = 1e-12; // power
const SILENCE = 1e-10; // power
const STEPS = 3; // of the secant that finds a tilt
const STEEPEST = 12; // dB an octave
const PIVOT = 1000; // Hz
const ALPHA_BANDS = [
  [50, 1000],
  [1000, 5000],
]; // Hz
const [HOP, FINE_HOP] = [256, 160]; // samples between the families' frames, and between the encoder's

/** Power spectra [time, width] in one piece, row by row. */
export interface Power {
  readonly data: Float64Array;
  readonly time: number;
  readonly width: number;
}

/** What a change has to know of each frame: its pitch in octaves from the median, and in Hz; voiced; level in dB. */
interface Course {
  readonly octaves: Float64Array;
  readonly hertz: Float64Array;
  readonly voiced: readonly boolean[];
  readonly level: Float64Array;
}

/** What the prosody of the utterance itself says. */
export function courseOf(raw: Frames, manifest: Manifest): Course {
  const [weighted, strength, energy] = prosody(raw, manifest);
  const voiced = Array.from(strength, (value) => value >= VOICED);
  const rows = Array.from(voiced.keys()).filter((row) => voiced[row]);
  const course = melody(rows.map((row) => weighted[row] / strength[row]));
  const middle = rows.length ? median(course) : 0;
  const octaves = new Float64Array(raw.time);
  rows.forEach((row, at) => (octaves[row] = Math.min(Math.max(course[at] - middle, -1), 1)));
  return { octaves, hertz: octaves.map((octave) => REFERENCE * 2 ** (octave + middle)), voiced, level: level(energy) };
}

/** The same at the moments of so many of the encoder's frames. */
export function courseAtFine(course: Course, count: number): Course {
  const last = course.voiced.length - 1;
  const places = Array.from({ length: count }, (_, row) =>
    Math.min(Math.floor((row * FINE_HOP + HOP / 2) / HOP), last),
  );
  const at = (values: Float64Array): Float64Array => Float64Array.from(places, (place) => values[place]);
  return {
    octaves: at(course.octaves),
    hertz: at(course.hertz),
    voiced: places.map((place) => course.voiced[place]),
    level: at(course.level),
  };
}

/** One kind of spectra of the utterance; `noise` are those of white noise of the same length. */
export class Stretch {
  private parts: { envelope: Float32Array; source: Float32Array } | null = null;

  constructor(
    readonly power: Power,
    private readonly course: Course,
    private readonly noise: () => Power,
  ) {}

  /** The power after a change; `tilt` in dB an octave. */
  changed(change: Change, tilt: number): Power {
    const { octaves, melody, regularity } = change;
    const other = octaves !== 0 || melody !== 1 || regularity !== 1;
    const { data, time, width } = other ? this.withAnotherSource(change) : this.power;
    const middle = mean(this.course.level);
    const gains = octavesAbove(width).map((octave) => 10 ** ((tilt * octave) / 10));
    const rows = change.rate === 1 ? Array.from({ length: time }, (_, row) => row) : stretched(time, change.rate);
    const changed = new Float64Array(rows.length * width);
    rows.forEach((row, place) => {
      const decibels = change.gain_db + (change.dynamics - 1) * (this.course.level[row] - middle);
      const gain = 10 ** (decibels / 10);
      for (let bin = 0; bin < width; bin++) changed[place * width + bin] = gain * gains[bin] * data[row * width + bin];
    });
    if (other) data.fill(0);
    return { data: changed, time: rows.length, width };
  }

  /** The harmonics moved or drawn out, in voiced frames; the level of each frame stays. */
  private withAnotherSource(change: Change): Power {
    const { time, width } = this.power;
    const { voiced, hertz, octaves } = this.course;
    const { envelope, source } = (this.parts ??= split(this.power));
    const breath = change.regularity === 1 ? null : this.noise().data;
    const data = this.power.data.slice();
    for (let row = 0; row < time; row++) {
      if (!voiced[row]) continue;
      const [from, to] = [row * width, (row + 1) * width];
      const before = this.power.data.subarray(from, to);
      const filter = Float64Array.from(envelope.subarray(from, to), Math.exp);
      const old = hertz[row] * ((2 * (width - 1)) / SAMPLE_RATE);
      const shift = change.octaves + (change.melody - 1) * octaves[row];
      const moved = harmonics(source.subarray(from, to), old, old * 2 ** shift);
      asLoud(
        moved.map((fine, bin) => filter[bin] * Math.exp(fine)),
        before,
        moved,
      );
      if (breath) {
        // Breath is noise in the shape of the envelope: so much of what was periodic becomes that.
        const noise = filter.map((value, bin) => value * breath[from + bin]);
        asLoud(noise, before, noise);
        const mixed = moved.map((value, bin) => change.regularity * value + (1 - change.regularity) * noise[bin]);
        asLoud(mixed, before, moved);
      }
      data.set(moved, from);
    }
    return { data, time, width };
  }

  /** Overwrites all of it. */
  wipe(): void {
    this.power.data.fill(0);
    this.parts?.envelope.fill(0);
    this.parts?.source.fill(0);
  }
}

/** The tilt, dB an octave, that moves the mean alpha ratio of power spectra by so much. */
export function tiltFor({ data, time, width }: Power, brighterDb: number): number {
  if (!brighterDb) return 0;
  const slope = octavesAbove(width);
  const hertz = SAMPLE_RATE / 2 / (width - 1);
  const brightness = (tilt: number): number => {
    const gains = slope.map((octave) => 10 ** ((tilt * octave) / 10));
    const ratios = Float64Array.from({ length: time }, (_, row) => {
      const [low, high] = ALPHA_BANDS.map(([first, last]) => {
        let power = 0;
        for (let bin = Math.round(first / hertz); bin <= Math.round(last / hertz); bin++)
          power += data[row * width + bin] * gains[bin];
        return Math.max(power, SILENCE);
      });
      return 10 * Math.log10(high / low);
    });
    return mean(ratios);
  };
  let [before, tilt, found] = [0, brighterDb / 2, brightness(0)];
  const wanted = found + brighterDb;
  for (let step = 0; step < STEPS; step++) {
    const here = brightness(tilt);
    if (Math.abs(here - found) < 1e-6) break;
    [before, tilt, found] = [tilt, tilt + ((wanted - here) * (tilt - before)) / (here - found), here];
  }
  return Math.min(Math.max(tilt, -STEEPEST), STEEPEST);
}

/** Which of so many frames stands at each place of the same utterance, `rate` times as fast. */
export function stretched(frames: number, rate: number): number[] {
  return Array.from({ length: Math.max(1, roundEven(frames / rate)) }, (_, place) =>
    Math.max(Math.min(roundEven((place + 0.5) * rate - 0.5), frames - 1), 0),
  );
}

/** A source's spectrum with its harmonics at a `fresh` pitch in place of the `old`, both in bins. */
function harmonics(source: Float32Array, old: number, fresh: number): Float64Array {
  const last = source.length - 2;
  return Float64Array.from(source, (_, bin) => {
    const apart = bin - roundEven(bin / fresh) * fresh;
    const place = Math.fround(roundEven(bin / old) * old + Math.min(Math.max(apart, -old / 2), old / 2));
    const below = Math.min(Math.max(Math.trunc(place), 0), last);
    const share = Math.min(Math.max(place - below, 0), 1);
    return (1 - share) * source[below] + share * source[below + 1];
  });
}

/** One spectrum with as much below and above 1 kHz as `before`: neither louder nor brighter; to `out`. */
function asLoud(power: Float64Array, before: Float64Array, out: Float64Array): void {
  const edge = Math.round((PIVOT / (SAMPLE_RATE / 2)) * (power.length - 1));
  for (const [from, to] of [
    [0, edge],
    [edge, power.length],
  ]) {
    let [wanted, found] = [0, 0];
    for (let bin = from; bin < to; bin++) {
      wanted += before[bin];
      found += power[bin];
    }
    const gain = wanted / Math.max(found, SMALLEST);
    for (let bin = from; bin < to; bin++) out[bin] = power[bin] * gain;
  }
}

/** The natural logarithm of spectra in its smooth part, the low end of their cepstrum, and the rest. */
function split({ data, time, width }: Power): { envelope: Float32Array; source: Float32Array } {
  const { into, back } = lifter(width);
  const envelope = new Float32Array(data.length);
  const source = new Float32Array(data.length);
  const cepstrum = new Float64Array(ENVELOPE);
  for (let row = 0; row < time; row++) {
    const whole = Float32Array.from(data.subarray(row * width, (row + 1) * width), (power) =>
      Math.log(Math.max(power, SMALLEST)),
    );
    cepstrum.fill(0);
    for (let bin = 0; bin < width; bin++)
      for (let at = 0; at < ENVELOPE; at++) cepstrum[at] += whole[bin] * into[bin * ENVELOPE + at];
    for (let bin = 0; bin < width; bin++) {
      let smooth = 0;
      for (let at = 0; at < ENVELOPE; at++) smooth += cepstrum[at] * back[bin * ENVELOPE + at];
      envelope[row * width + bin] = smooth;
      source[row * width + bin] = whole[bin] - envelope[row * width + bin];
    }
  }
  return { envelope, source };
}

/** From log spectra to the low part of their cepstrum, and back: two matrices [bins, ENVELOPE]. */
function lifter(bins: number): { into: Float64Array; back: Float64Array } {
  const size = 2 * (bins - 1);
  const edge = Math.floor(ENVELOPE / 4);
  const taper = Float64Array.from({ length: ENVELOPE }, (_, at) => {
    const place = at - (ENVELOPE - edge);
    return place < 0 ? 1 : 0.5 + 0.5 * Math.cos((Math.PI * (place + 0.5)) / edge); // a sudden end would ring
  });
  const matrix = (weight: (bin: number, at: number) => number): Float64Array =>
    Float64Array.from({ length: bins * ENVELOPE }, (_, place) => {
      const [bin, at] = [Math.floor(place / ENVELOPE), place % ENVELOPE];
      return weight(bin, at) * Math.cos((2 * Math.PI * ((bin * at) % size)) / size);
    });
  return {
    into: matrix((bin) => (bin === 0 || bin === bins - 1 ? 1 : 2) / size),
    back: matrix((_, at) => (at === 0 ? 1 : 2) * taper[at]),
  };
}

/** How many octaves each bin lies above 1 kHz; below 62.5 Hz as there. */
function octavesAbove(bins: number): Float64Array {
  const hertz = SAMPLE_RATE / 2 / (bins - 1);
  return Float64Array.from({ length: bins }, (_, bin) => Math.log2(Math.max(bin * hertz, PIVOT / 16) / PIVOT));
}
