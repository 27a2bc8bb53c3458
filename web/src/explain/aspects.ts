/** Aspects of a voice that people hear: how far each is from usual, and the change back (edge/explain/aspects.py). */

import type { Adaptation } from "../hearing/adapter.ts";
import { column, deviation, type Frames, mean, movement, quantiles } from "../hearing/frames.ts";
import { type Aspect, family, type Manifest, type Texts } from "../hearing/manifest.ts";
import { roundEven } from "./occlusion.ts";

export const VOICED = 0.35; // of voicing: from here on pitch can be trusted
const SPEAKING_DB = 25; // below the loudest frames: deeper is a pause
const LEAST_VOICING = 0.05;
const SHORTEST_VOICE = 10; // voiced frames
const TEMPO_RANGE = [0.3, 0.97];
const MELODY_FRAMES = 15;
const MIDDLE = [0.16, 0.84];
const REGULARITY = 0.5; // of the periodic power, for a change of voicing, in logarithms

/** What is said of each aspect, by its name; NaN where an utterance has none. */
export type Measures = Readonly<Record<string, number>>;

/** A change of a voice: what is heard after it is another utterance of the same words. */
export interface Change {
  readonly octaves: number;
  readonly melody: number;
  readonly gain_db: number;
  readonly dynamics: number;
  readonly rate: number;
  readonly brighter_db: number;
  readonly regularity: number;
}

const NONE: Change = { octaves: 0, melody: 1, gain_db: 0, dynamics: 1, rate: 1, brighter_db: 0, regularity: 1 };

/** The columns of prosody as they are in raw frames. */
export function prosody(raw: Frames, manifest: Manifest): Float64Array[] {
  const { start, stop } = family(manifest, "prosody");
  return Array.from({ length: stop - start }, (_, index) => column(raw, start + index));
}

/** Each aspect of one utterance's raw frames, in its unit. */
export function measures(raw: Frames, manifest: Manifest): Measures {
  const [weighted, voicing, energy, alpha] = prosody(raw, manifest);
  const voiced = places(voicing, (strength) => strength >= VOICED);
  const enough = voiced.length >= SHORTEST_VOICE;
  const octaves = enough ? melody(voiced.map((row) => weighted[row] / voicing[row])) : [];
  const spoken = enough ? voiced : places(energy, speaking(energy));
  const mel = family(manifest, "mel");
  const levels = Float64Array.from({ length: raw.time }, (_, row) =>
    mean(raw.data.subarray(row * raw.width + mel.start, row * raw.width + mel.stop)),
  );
  return {
    pitch: enough ? 12 * median(octaves) : NaN,
    pitch_movement: enough ? 12 * range(octaves) : NaN,
    loudness: mean(energy),
    loudness_movement: range(spoken.map((row) => energy[row])),
    tempo: tempo(levels, manifest.frame_rate),
    brightness: -mean(alpha),
    clarity: enough ? mean(voicing) : NaN,
  };
}

/** Each aspect as it usually is: of the history that a verdict was adapted to, else of the training speech. */
export function usual(manifest: Manifest, { shift }: Adaptation): Measures {
  const { mean: middle, scale } = manifest.scaler;
  const { start } = family(manifest, "prosody");
  const [pitch, voicing, energy, alpha] = [0, 1, 2, 3].map(
    (index) => middle[start + index] + scale[start + index] * shift[start + index],
  );
  const clarity = Math.max(voicing, LEAST_VOICING);
  const always = manifest.aspects.flatMap(({ name, usual }) => (usual === null ? [] : [[name, usual]]));
  return {
    pitch: (12 * pitch) / clarity,
    loudness: energy,
    brightness: -alpha,
    clarity,
    ...Object.fromEntries(always),
  };
}

/** How far each aspect is from `normal`: a step in its unit, or a factor's natural logarithm. */
export function differences(aspects: readonly Aspect[], own: Measures, normal: Measures): Measures {
  return Object.fromEntries(
    aspects.map(({ name, relative }) => [
      name,
      relative ? Math.log(own[name] / normal[name]) : own[name] - normal[name],
    ]),
  );
}

/** The aspects that have no change back to usual, and why. */
export function absent(aspects: readonly Aspect[], apart: Measures, texts: Texts): Record<string, string> {
  const reasons: Record<string, string> = {};
  for (const { name, voiced, least } of aspects) {
    if (Number.isNaN(apart[name])) reasons[name] = voiced ? texts.NO_PITCH : texts.NO_MODULATION;
    else if (name === "clarity" && apart[name] <= -least) reasons[name] = texts.NOT_CLEARER;
  }
  return reasons;
}

/** What takes an aspect back by its `difference` from usual, as far as voices go. */
export function changeBack({ name, relative, change, limits }: Aspect, difference: number): Change {
  const wanted = name === "clarity" ? difference * REGULARITY : difference;
  const amount = Math.min(Math.max(relative ? Math.exp(-wanted) : -wanted, limits[0]), limits[1]);
  return { ...NONE, [change]: name === "pitch" ? amount / 12 : amount };
}

/** A course of pitch in voiced frames, octaves, without the errors of an octave that trackers make. */
export function melody(octaves: ArrayLike<number>): number[] {
  const half = Math.floor(MELODY_FRAMES / 2);
  const last = octaves.length - 1;
  return Array.from(octaves, (octave, row) => {
    const around = Array.from({ length: MELODY_FRAMES }, (_, at) =>
      at + row < half ? octaves[0] : octaves[Math.min(row + at - half, last)],
    );
    return octave - roundEven(octave - median(around));
  });
}

/** A course of levels, dB, in which pauses are no deeper than so much under the loudest frames. */
export function level(energy: ArrayLike<number>): Float64Array {
  const [loud] = quantiles(energy, [0.95]);
  return Float64Array.from(energy, (value) => Math.max(value, loud - SPEAKING_DB));
}

export function median(values: ArrayLike<number>): number {
  return quantiles(values, [0.5])[0];
}

/** How fast a course of levels, dB, goes up and down, Hz; NaN where it does not move. */
function tempo(levels: Float64Array, frameRate: number): number {
  const inside = places(levels, speaking(levels));
  const spoken = levels.subarray(inside[0], inside[inside.length - 1] + 1);
  if (spoken.length <= 3) return NaN;
  const [low, high] = quantiles(spoken, TEMPO_RANGE);
  const course = spoken.map((value) => Math.min(Math.max(value, low), high)); // pauses are no deep valleys
  const middle = mean(course);
  const smooth = Array.from({ length: course.length - 2 }, (_, at) =>
    [0.25, 0.5, 0.25].reduce((sum, weight, next) => sum + weight * (course[at + next] - middle), 0),
  );
  const spread = deviation(smooth);
  return spread > 0 ? (movement(smooth) * frameRate) / (4 * Math.SQRT2 * spread) : NaN;
}

function speaking(energy: ArrayLike<number>): (value: number) => boolean {
  const [loud] = quantiles(energy, [0.95]);
  return (value) => value >= loud - SPEAKING_DB;
}

/** Half the range of the middle two thirds. */
function range(course: ArrayLike<number>): number {
  const [low, high] = quantiles(course, MIDDLE);
  return Math.max((high - low) / 2, 1e-3);
}

function places(values: Float64Array, holds: (value: number) => boolean): number[] {
  return Array.from(values.keys()).filter((row) => holds(values[row]));
}
