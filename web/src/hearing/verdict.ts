/** What is said about one utterance: names and units as in edge/events/event.py. */

/** Signed contributions to the log-odds of `target`; they add up to `value` less `base_value`. */
export interface Explanation {
  readonly method: string;
  readonly target: string;
  readonly families: Readonly<Record<string, number>>;
  readonly base_value: number;
  readonly value: number;
  readonly residual: number;
}

export interface Verdict {
  /** The most probable label. */
  readonly label: string;
  /** The label, or `uncertain` below the threshold. */
  readonly emotion: string;
  readonly confidence: number;
  readonly probabilities: Readonly<Record<string, number>>;
  /** How strongly it is expressed, 0 to 1; null where the model does not say. */
  readonly intensity: number | null;
  readonly explanation: Explanation;
  /** Where the network looks: one weight for each equal share of the utterance. */
  readonly attention: readonly number[];
  /** Utterances that the adapter had heard before. */
  readonly adaptedOn: number;
  /** How long the utterance is. */
  readonly seconds: number;
}

/** What the target's log-odds lose without one feature; the name is null for all others together. */
export interface Effect {
  readonly name: string | null;
  readonly effect: number;
}

/** A closer look: what each frame adds to the target's log-odds, and which single features do. */
export interface Closer {
  readonly moments: readonly number[];
  readonly features: readonly Effect[];
}

/** One aspect of a voice: how it is, how it usually is, and what it adds to the log-odds of the target. */
export interface AspectEffect {
  readonly words: string;
  readonly own: number;
  readonly usual: number;
  readonly unit: string;
  /** Its Shapley value; 0 where it is as usual. */
  readonly effect: number;
}

/** What the aspects of a voice add to the log-odds of the verdict, shared out without rest. */
export interface AspectEffects {
  readonly method: string;
  readonly base_value: number;
  readonly value: number;
  readonly effects: Readonly<Record<string, AspectEffect>>;
  /** Aspects that this utterance has not, and why. */
  readonly absent: Readonly<Record<string, string>>;
  readonly residual: number;
  /** The fewest aspects that, as usual, change the verdict, and to what. */
  readonly counterfactual?: { readonly aspects: readonly string[]; readonly label: string };
  readonly evaluations: number;
}

/** What people hear in the voice, or why there is nothing to say of that; and one sentence about the verdict. */
export interface Voice {
  readonly aspects: AspectEffects | null;
  readonly unheard: string | null;
  readonly sentence: string;
}

/** An utterance as the page keeps it: no sound, only how it looked. */
export interface Utterance extends Verdict {
  readonly id: number;
  /** Where it comes from: the microphone, or a file's name. */
  readonly source: string;
  /** Seconds from the beginning of the stream. */
  readonly start: number;
  readonly end: number;
  /** When it began, in milliseconds since the epoch; null in a file. */
  readonly began: number | null;
  readonly snrDb: number | null;
  /** The highest frequency at which it holds speech. */
  readonly bandwidthHz: number;
  readonly outline: Outline;
  /** What hearing and explaining it took. */
  readonly milliseconds: number;
}

/** How a stretch of sound looks: its lowest and highest samples, and the levels of its spectrum. */
export interface Outline {
  /** Pairs of the lowest and the highest sample, full scale 1, of equal shares of time. */
  readonly extremes: Float32Array;
  /** Levels 0..255 from the floor to the loudest, [columns, rows], low frequencies first. */
  readonly levels: Uint8Array;
  readonly columns: number;
  readonly rows: number;
}
