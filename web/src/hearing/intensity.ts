/** How strongly an emotion is expressed, 0 to 1: a linear head (edge/model/intensity.py). */

import type { Adaptation } from "./adapter.ts";
import { column, deviation, type Frames, mean, movement, quantiles } from "./frames.ts";
import { family, type Manifest } from "./manifest.ts";

const LIMIT = 4; // standard deviations from the mean that a measure counts no further than
const RANGE_DB = 30; // frames quieter than the loudest by more than this are no speech
const VOICED = 0.35; // of voicing, from which on a pitch can be trusted
const SHARES = [0.1, 0.5, 0.9];

/** Of one utterance, or null where the model does not say. `raw` and `scaled` are its features without and with scaler. */
export function intensity(manifest: Manifest, raw: Frames, scaled: Frames, embedding: Float32Array, adaptation: Adaptation): number | null {
  const head = manifest.intensity;
  if (!head) return null;
  const means = Array.from({ length: scaled.width }, (_, index) => mean(column(scaled, index)));
  const speech = manifest.families.find(({ name }) => name === "speech");
  const average = [...means, ...embedding];
  const usual = [...adaptation.shift, ...adaptation.usual.subarray(0, embedding.length)];
  const relative = average.map((value, index) => adaptation.trust * value - usual[index]);
  const measured = [...own(manifest, raw), ...(speech ? means.slice(speech.start) : []), ...embedding, ...relative];
  let score = head.bias;
  measured.forEach((value, index) => {
    const standard = (value - head.mean[index]) / head.scale[index];
    score += head.weights[index] * Math.min(Math.max(standard, -LIMIT), LIMIT);
  });
  return 1 / (1 + Math.exp(-score));
}

/** Statistics of one utterance alone, none of which a louder microphone changes. */
function own(manifest: Manifest, raw: Frames): number[] {
  const [prosody, mel, mfcc, contrast] = ["prosody", "mel", "mfcc", "contrast"].map((name) => family(manifest, name));
  const everywhere = column(raw, prosody.start + 2);
  const least = quantiles(everywhere, [0.95])[0] - RANGE_DB;
  const rows = Array.from(everywhere.keys()).filter((row) => everywhere[row] >= least);
  const spoken = (index: number): number[] => rows.map((row) => raw.data[row * raw.width + index]);
  const [pitches, voicing, energy, alpha, hammarberg] = [0, 1, 2, 3, 4].map((index) => spoken(prosody.start + index));
  const voiced = voicing.map((value) => value >= VOICED);
  const trusted = pitches.map((value, index) => value / voicing[index]).filter((_, index) => voiced[index]);
  const pitch = trusted.length > 1 ? trusted : [0, 0];
  const [quiet, usual, loud] = quantiles(energy, SHARES);
  const tilts = [alpha, hammarberg, voicing];
  const columns = (start: number, stop: number): number[][] => Array.from({ length: stop - start }, (_, index) => spoken(start + index));
  const bands = columns(mel.start, mel.stop).map(mean);
  const middle = mean(bands);
  return [
    ...[mean(pitch), deviation(pitch), ...quantiles(pitch, SHARES), movement(pitch)],
    voiced.filter(Boolean).length / voiced.length,
    ...[...tilts.map(mean), ...tilts.map(deviation)],
    ...[deviation(energy), loud - usual, usual - quiet, Math.max(...energy) - loud, movement(energy), rows.length / raw.time],
    ...bands.map((band) => band - middle),
    ...columns(mel.start, mel.stop).map(deviation),
    ...columns(mfcc.start + 1, mfcc.stop).map(mean), // the first coefficient is the level
    ...columns(contrast.start, contrast.stop).map(mean),
  ];
}
