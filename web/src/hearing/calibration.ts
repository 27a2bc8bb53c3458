/** How sure the network may be, by what can be measured of an utterance (edge/model/calibration.py). */

import { column, deviation, type Frames, mean, quantiles } from "./frames.ts";
import { family, type Manifest } from "./manifest.ts";

const MIDDLE = { from: 8, to: 24 }; // mel bands of about 0.6 to 2.7 kHz
const HIGH = { from: 32, to: 40 }; // from 4.3 kHz on
const FLOOR = 1e-10;

/** What to multiply the logits by: `raw` are the features without scaler, `history` what the adapter's is worth. */
export function inverseTemperature(manifest: Manifest, raw: Frames, embedding: Float32Array, history: number): number {
  const { calibration } = manifest;
  if (!calibration) return 1 / manifest.temperature;
  const measured = measures(manifest, raw, embedding, history);
  let sum = calibration.bias;
  calibration.measures.forEach((name, index) => {
    const standard = (measured[name] - calibration.mean[index]) / calibration.scale[index];
    sum += calibration.coefficients[index] * Math.min(Math.max(standard, -calibration.limit), calibration.limit);
  });
  return Math.max(sum, 0) + Math.log1p(Math.exp(-Math.abs(sum)));
}

/** The softmax of logits times the inverse temperature. */
export function softmax(logits: ArrayLike<number>, inverse = 1): number[] {
  const highest = Math.max(...Array.from(logits));
  const powers = Array.from(logits, (logit) => Math.exp((logit - highest) * inverse));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function measures(manifest: Manifest, raw: Frames, embedding: Float32Array, history: number): Record<string, number> {
  const mel = family(manifest, "mel");
  const levels = Array.from({ length: mel.stop - mel.start }, (_, band) => column(raw, mel.start + band));
  const powers = levels.map((band) => band.map((level) => 10 ** (level / 10)));
  const frames = Float64Array.from({ length: raw.time }, (_, row) => powers.reduce((sum, band) => sum + band[row], 0));
  const bands = powers.map((band) => decibels(mean(band)));
  const [low, high] = quantiles(frames.map(decibels), [0.1, 0.95]);
  return {
    seconds: Math.log2(raw.time / manifest.frame_rate),
    level: decibels(mean(frames)),
    range: high - low,
    high: mean(bands.slice(HIGH.from, HIGH.to)) - mean(bands.slice(MIDDLE.from, MIDDLE.to)),
    modulation: mean(levels.slice(MIDDLE.from, MIDDLE.to).map(deviation)),
    distance: Math.log((embedding.length ? mean(embedding.map((value) => value * value)) : 1) + 1e-9),
    history: Math.log1p(history),
  };
}

function decibels(power: number): number {
  return 10 * Math.log10(Math.max(power, FLOOR));
}
