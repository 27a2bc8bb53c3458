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

/** One thing that people hear (edge/explain/aspects.py). */
export interface Aspect {
  readonly name: string;
  readonly unit: string;
  /** The smallest difference from usual that counts. */
  readonly least: number;
  /** Whether it takes a voice with a pitch. */
  readonly voiced: boolean;
  /** Whether differences are of the logarithm. */
  readonly relative: boolean;
  /** As it usually is, where no history tells. */
  readonly usual: number | null;
  /** What of a change moves it, and how far it may go. */
  readonly change: string;
  readonly limits: readonly [number, number];
}

/** The words of edge/explain/texts.py; `{}` stands for what the rules put in. */
export interface Texts {
  readonly EMOTIONS: Readonly<Record<string, string>>;
  readonly FAMILIES: Readonly<Record<string, string>>;
  readonly ASPECTS: Readonly<Record<string, readonly [string, string]>>;
  readonly ASPECT_NAMES: Readonly<Record<string, string>>;
  readonly AS_USUAL: string;
  readonly NO_PITCH: string;
  readonly NO_MODULATION: string;
  readonly NOT_CLEARER: string;
  readonly TOO_SHORT: string;
  readonly TOO_LONG: string;
  readonly NO_PROSODY: string;
  readonly MOSTLY_SINCE: string;
  readonly SINCE: string;
  readonly DESPITE: string;
  readonly COUNTERFACTUAL: string;
  readonly OTHER_EMOTION: string;
  readonly SOUNDS: string;
  readonly UNCERTAIN: string;
  readonly NOTHING: string;
  readonly MOSTLY: string;
  readonly BECAUSE: string;
  readonly ALTHOUGH: string;
  readonly ALTHOUGH_SEVERAL: string;
  readonly AND: string;
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
  readonly aspects: readonly Aspect[];
  readonly texts: Texts;
}

export const FORMAT = 1;

/** The columns of a family; it must be there. */
export function family(manifest: Manifest, name: string): Family {
  const found = manifest.families.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`the model hears no ${name}`);
  return found;
}
