/** How a stretch of sound looks, small enough to keep. */

import type { Outline } from "../hearing/verdict.ts";
import { Spectrum } from "./fft.ts";

const SHARES = 360; // of the waveform
const COLUMNS = 240; // of the spectrogram, at most
export const ROWS = 48;
const WINDOW = 512;
const FLOOR_DB = 60; // under the loudest
const LOWEST_HZ = 80;
const HIGHEST_HZ = 8000;

const spectrum = new Spectrum(WINDOW);
const magnitudes = new Float32Array(WINDOW / 2 + 1);

/** Rows of a spectrogram, equally far apart on the mel scale: the bins [from, to] of each. */
const BANDS = Array.from({ length: ROWS }, (_, row) => {
  const bin = (place: number): number => (fromMel(toMel(LOWEST_HZ) + ((toMel(HIGHEST_HZ) - toMel(LOWEST_HZ)) * place) / ROWS) * WINDOW) / 16_000;
  return [Math.round(bin(row)), Math.max(Math.round(bin(row + 1)), Math.round(bin(row)) + 1)] as const;
});

/** The levels of one window of samples from `at` on, in dB of any reference: [ROWS]. */
export function columnLevels(samples: Float32Array, at: number): Float32Array {
  spectrum.magnitudes(samples, at, magnitudes);
  return Float32Array.from(BANDS, ([from, to]) => {
    let power = 1e-9;
    for (let bin = from; bin < to; bin++) power += magnitudes[bin] ** 2;
    return 10 * Math.log10(power / (to - from));
  });
}

/** Of samples at 16 kHz, full scale 1. */
export function outline(samples: Float32Array): Outline {
  const extremes = new Float32Array(2 * SHARES);
  for (let share = 0; share < SHARES; share++) {
    const from = Math.floor((samples.length * share) / SHARES);
    const to = Math.max(Math.floor((samples.length * (share + 1)) / SHARES), from + 1);
    let [low, high] = [0, 0];
    for (let index = from; index < to; index++) {
      low = Math.min(low, samples[index] ?? 0);
      high = Math.max(high, samples[index] ?? 0);
    }
    extremes[2 * share] = low;
    extremes[2 * share + 1] = high;
  }
  const columns = Math.min(COLUMNS, Math.ceil(samples.length / (WINDOW / 2)));
  const found = Array.from({ length: columns }, (_, index) =>
    columnLevels(samples, Math.floor(((samples.length - WINDOW) * index) / Math.max(columns - 1, 1))),
  );
  const loudest = found.reduce((most, column) => column.reduce((a, b) => Math.max(a, b), most), -Infinity);
  const levels = new Uint8Array(columns * ROWS);
  found.forEach((column, index) => column.forEach((level, row) => (levels[index * ROWS + row] = shade(level, loudest))));
  return { extremes, levels, columns, rows: ROWS };
}

/** A level as 0..255, from the floor under the loudest up to it. */
export function shade(level: number, loudest: number): number {
  return Math.round(255 * Math.min(Math.max(1 - (loudest - level) / FLOOR_DB, 0), 1));
}

function toMel(hertz: number): number {
  return 2595 * Math.log10(1 + hertz / 700);
}

function fromMel(mel: number): number {
  return 700 * (10 ** (mel / 2595) - 1);
}
