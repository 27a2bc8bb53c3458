/** Each aspect of a voice put back to usual, alone and together, and what the verdict loses (edge/explain/by_aspects.py). */

import { adapted, type Adaptation } from "../hearing/adapter.ts";
import { type Frames, scaled } from "../hearing/frames.ts";
import type { Manifest } from "../hearing/manifest.ts";
import type { AspectEffects } from "../hearing/verdict.ts";
import { absent, type Change, changeBack, differences, measures, usual } from "./aspects.ts";
import { logOdds } from "./logodds.ts";
import { finePowerOf, powerOf, whiteNoise } from "./noise.ts";
import { WINDOW_SECONDS } from "./occlusion.ts";
import { format } from "./sentence.ts";
import { coalitions, shapley } from "./shapley.ts";
import { courseAtFine, courseOf, type Power, Stretch, stretched, tiltFor } from "./spectra.ts";

const METHOD = "shapley-aspects";
const LONGEST_SECONDS = 20;
const FRAMES_OF_COPIES = 5000; // rows times frames in one run of the network
const COPIES_OF_INPUTS = 4;

/** What the graphs do. */
export interface Graphs {
  /** The power spectra of an utterance: those of the families, and those of the encoder where there is one. */
  spectra(samples: Float32Array): Promise<Power[]>;
  /** The raw frames of such spectra. */
  frames(spectra: readonly Power[]): Promise<Frames>;
  /** Logits [rows, classes] of so many copies of frames, one behind another. */
  logits(copies: Float32Array, rows: number, usual: Float32Array): Promise<Float32Array[]>;
}

/** An utterance of which the verdict is known. */
export interface Heard {
  readonly samples: Float32Array;
  readonly raw: Frames;
  readonly adaptation: Adaptation;
  /** The label that is explained. */
  readonly target: string;
}

/** Why an utterance has no aspects at all; null where it has. */
export function unheard({ raw }: Pick<Heard, "raw">, manifest: Manifest): string | null {
  const { families, frame_rate: rate, bundle, texts } = manifest;
  if (!["prosody", "mel"].every((name) => families.some((family) => family.name === name)))
    return format(texts.NO_PROSODY, bundle.name);
  if (raw.time < Math.round(WINDOW_SECONDS * rate)) return format(texts.TOO_SHORT, WINDOW_SECONDS);
  return raw.time > LONGEST_SECONDS * rate ? format(texts.TOO_LONG, LONGEST_SECONDS) : null;
}

/** Why the verdict is what it is, by what people hear; stops after each run of a graph, for what is more urgent. */
export async function* explain(graphs: Graphs, manifest: Manifest, heard: Heard): AsyncGenerator<void, AspectEffects> {
  const { aspects, labels, texts } = manifest;
  const own = measures(heard.raw, manifest);
  const normal = usual(manifest, heard.adaptation);
  const apart = differences(aspects, own, normal);
  const reasons = absent(aspects, apart, texts);
  const present = aspects.filter(({ name }) => !(name in reasons));
  const players = present.filter(({ name, least }) => Math.abs(apart[name]) >= least);
  const changes = players.map((aspect) => changeBack(aspect, apart[aspect.name]));
  const logits = yield* ofCoalitions(graphs, manifest, heard, changes);
  const target = labels.indexOf(heard.target);
  const worths = logits.map((row) => logOdds(row, target));
  const shares = shapley(worths);
  const effects = new Map(players.map(({ name }, index) => [name, shares[index]]));
  const [base, value] = [worths[0], worths[worths.length - 1]];
  const other = counterfactual(
    logits,
    players.map(({ name }) => name),
    shares,
    labels,
    target,
  );
  return {
    method: METHOD,
    base_value: base,
    value,
    effects: Object.fromEntries(
      present.map(({ name, unit }) => [
        name,
        {
          words: effects.has(name) ? texts.ASPECTS[name][apart[name] > 0 ? 1 : 0] : texts.AS_USUAL,
          own: Number(own[name].toFixed(3)),
          usual: Number(normal[name].toFixed(3)),
          unit,
          effect: effects.get(name) ?? 0,
        },
      ]),
    ),
    absent: reasons,
    residual: shares.reduce((sum, share) => sum + share, 0) - (value - base),
    ...(other ? { counterfactual: other } : {}),
    evaluations: logits.length,
  };
}

/** Logits [2 ** n, classes] with each aspect as it is or as usual, in the order of `coalitions`. */
async function* ofCoalitions(
  graphs: Graphs,
  manifest: Manifest,
  { samples, raw, adaptation }: Heard,
  changes: readonly Change[],
): AsyncGenerator<void, Float32Array[]> {
  const prepare = (frames: Frames): Frames => adapted(scaled(frames, manifest.scaler), adaptation);
  const here = prepare(raw);
  const voices: Frames[] = [];
  const stretches = changes.length
    ? ofUtterance(await graphs.spectra(samples), courseOf(raw, manifest), samples.length)
    : [];
  try {
    for (const change of changes) {
      yield;
      const tilt = tiltFor(stretches[0].power, change.brighter_db);
      const spectra = stretches.map((stretch) => stretch.changed(change, tilt));
      voices.push(prepare(await graphs.frames(spectra)));
      for (const { data } of spectra) data.fill(0); // freed memory is not cleared
    }
  } finally {
    for (const stretch of stretches) stretch.wipe();
  }
  const masks = coalitions(changes.length);
  const gone = (row: number, player: number): boolean => masks[row * changes.length + player] === 0;
  const timed = changes.findIndex(({ rate }) => rate !== 1); // at most one
  const moves = voices.map(({ data }, player) =>
    player === timed ? null : data.map((value, at) => value - here.data[at]),
  );
  const logits: Float32Array[] = [];
  for (const slower of timed < 0 ? [false] : [false, true]) {
    const start = slower ? voices[timed] : here;
    const places = slower
      ? stretched(here.time, changes[timed].rate)
      : Array.from({ length: here.time }, (_, at) => at);
    const time = Math.min(places.length, start.time); // rounding may leave a frame over
    const rows = Array.from({ length: 2 ** changes.length }, (_, row) => row).filter(
      (row) => slower === (timed >= 0 && gone(row, timed)),
    );
    const size = Math.max(1, Math.floor(FRAMES_OF_COPIES / time) - COPIES_OF_INPUTS);
    for (let at = 0; at < rows.length; at += size) {
      yield;
      const batch = rows.slice(at, at + size);
      const copies = new Float32Array(batch.length * time * here.width);
      batch.forEach((row, index) => {
        const copy = copies.subarray(index * time * here.width, (index + 1) * time * here.width);
        copy.set(start.data.subarray(0, copy.length));
        moves.forEach((move, player) => {
          if (move && gone(row, player)) add(copy, move, places, here.width);
        });
      });
      const found = await graphs.logits(copies, batch.length, adaptation.usual);
      batch.forEach((row, index) => (logits[row] = found[index]));
      copies.fill(0);
    }
  }
  for (const data of [here.data, ...voices.map(({ data }) => data), ...moves]) data?.fill(0);
  return logits;
}

/** Adds rows of a `move`, those at `places`, to frames of so many columns. */
function add(frames: Float32Array, move: Float32Array, places: readonly number[], width: number): void {
  for (let row = 0; row * width < frames.length; row++)
    for (let column = 0; column < width; column++) frames[row * width + column] += move[places[row] * width + column];
}

function ofUtterance([power, fine]: readonly Power[], course: ReturnType<typeof courseOf>, length: number): Stretch[] {
  const once = (make: (samples: Float64Array) => Power): (() => Power) => {
    let made: Power | null = null;
    return () => (made ??= make(whiteNoise(length)));
  };
  const coarse = new Stretch(power, course, once(powerOf));
  return fine ? [coarse, new Stretch(fine, courseAtFine(course, fine.time), once(finePowerOf))] : [coarse];
}

/** The smallest set of aspects whose return to usual changes the verdict; of several the one of least effect. */
export function counterfactual(
  logits: readonly Float32Array[],
  names: readonly string[],
  shares: readonly number[],
  labels: readonly string[],
  target: number,
): { aspects: string[]; label: string } | null {
  const best = logits.map((row) => row.indexOf(Math.max(...row)));
  const sets = best.flatMap((label, row) => {
    if (label === target) return [];
    const gone = Array.from(names.keys()).filter((player) => !((row >> player) & 1));
    return [{ label, gone, size: gone.reduce((sum, player) => sum + Math.abs(shares[player]), 0) }];
  });
  sets.sort((a, b) => a.gone.length - b.gone.length || a.size - b.size);
  const [found] = sets;
  return found ? { aspects: found.gone.map((player) => names[player]), label: labels[found.label] } : null;
}
