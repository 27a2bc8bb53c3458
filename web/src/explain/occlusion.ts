/** Windows of an utterance put aside one after another: where in time an emotion lies (edge/explain/occlusion.py). */

import type { Frames } from "../hearing/frames.ts";

export const WINDOW_SECONDS = 0.4;
const STEP_SECONDS = 0.2;
const EDGE = 0.5; // share of a window that fades: a sudden edge would be an event of its own

/** For each window, 1 where it hides a frame and 0 where it shows it; none for an utterance shorter than a window. */
export function windows(time: number, frameRate: number): Float64Array[] {
  const length = Math.round(WINDOW_SECONDS * frameRate);
  const last = time - length;
  if (last < 0) return [];
  const count = 1 + Math.round(last / (STEP_SECONDS * frameRate));
  const weights = Array.from({ length: count }, (_, index) => {
    const start = count > 1 ? roundEven((last * index) / (count - 1)) : Math.floor(last / 2);
    const row = new Float64Array(time);
    row.set(taper(length), start);
    return row;
  });
  const half = Math.floor(length / 2);
  weights[0].fill(1, 0, half); // nothing lies beyond the ends
  weights[count - 1].fill(1, time - half);
  return weights;
}

/** The nearest whole number, the even one of two, as numpy's. */
export function roundEven(value: number): number {
  const below = Math.floor(value);
  return value - below === 0.5 ? below + (below % 2) : Math.round(value);
}

/** A window of ones that rises and falls as a half cosine at its ends (Tukey). */
function taper(length: number): Float64Array {
  const edge = Math.max(1, Math.round((EDGE * length) / 2));
  return Float64Array.from({ length }, (_, index) => {
    const place = Math.min(index, length - 1 - index);
    return place < edge ? 0.5 - 0.5 * Math.cos((Math.PI * (place + 0.5)) / edge) : 1;
  });
}

/** Frames faded to their mean where `weights` are 1; with `others`, everywhere else. */
export function hidden(frames: Frames, weights: Float64Array, others: boolean): Float32Array {
  const { data, time, width } = frames;
  const mean = new Float64Array(width);
  data.forEach((value, index) => (mean[index % width] += value / time));
  return data.map((value, index) => {
    const weight = weights[Math.floor(index / width)];
    return value + (others ? 1 - weight : weight) * (mean[index % width] - value);
  });
}

/** The windows' effects as one value for each frame: the mean over the windows that hide it. */
export function curve(weights: readonly Float64Array[], effects: readonly number[]): number[] {
  return Array.from(weights[0] ?? [], (_, frame) => {
    let [total, weight] = [0, 0];
    weights.forEach((row, index) => {
      total += row[frame] * effects[index];
      weight += row[frame];
    });
    return total / weight;
  });
}
