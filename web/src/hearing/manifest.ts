/** What `affectd.json` says of the graphs beside it. */

export interface Family {
  readonly name: string;
  readonly start: number;
  readonly stop: number;
}

/** The numbers of edge/model/calibration.py. */
export interface Calibration {
  readonly measures: readonly string[];
  readonly mean: readonly number[];
  readonly scale: readonly number[];
  readonly coefficients: readonly number[];
  readonly bias: number;
  readonly limit: number;
}

/** The numbers of edge/model/intensity.py. */
export interface IntensityHead {
  readonly mean: readonly number[];
  readonly scale: readonly number[];
  readonly weights: readonly number[];
  readonly bias: number;
}

export interface Manifest {
  readonly format: number;
  readonly affectd: string;
  readonly bundle: { readonly name: string; readonly digest: string; readonly created: string };
  readonly frame_rate: number;
  readonly seconds: { readonly shortest: number; readonly longest: number };
  readonly labels: readonly string[];
  readonly threshold: number;
  readonly temperature: number;
  readonly calibration: Calibration | null;
  readonly intensity: IntensityHead | null;
  readonly families: readonly Family[];
  /** The hand-made features in words, in the order of the columns. */
  readonly features: readonly string[];
  readonly baseline: string | null;
  readonly scaler: { readonly mean: readonly number[]; readonly scale: readonly number[] };
  readonly embedding: number;
  readonly adapter: { readonly prior: number; readonly memory: number; readonly smallest_variance: number };
}

export const FORMAT = 1;

/** The columns of a family; it must be there. */
export function family(manifest: Manifest, name: string): Family {
  const found = manifest.families.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`the model hears no ${name}`);
  return found;
}
