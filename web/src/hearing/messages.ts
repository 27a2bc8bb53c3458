/** What the page and the worker that hears say to each other. */

import type { Texts } from "./manifest.ts";
import type { Closer, Utterance, Voice } from "./verdict.ts";

/** Sound as the microphone's worklet sends it: at its own rate, full scale 1. */
export interface Captured {
  readonly samples: Float32Array;
  /** When its last sample was heard, in milliseconds since the epoch. */
  readonly at: number;
}

export type ToWorker =
  | { readonly kind: "listen"; readonly port: MessagePort; readonly rate: number; readonly seconds: number | null }
  | { readonly kind: "stop" }
  | { readonly kind: "file"; readonly name: string; readonly samples: Float32Array; readonly whole: boolean }
  | { readonly kind: "adapt"; readonly on: boolean }
  | { readonly kind: "voices"; readonly on: boolean }
  | { readonly kind: "forget" }
  | { readonly kind: "closer"; readonly id: number };

/** What the page needs to know of the model. */
export interface About {
  readonly version: string;
  readonly bundle: string;
  readonly digest: string;
  readonly labels: readonly string[];
  readonly families: readonly string[];
  readonly threshold: number;
  readonly texts: Texts;
}

export type FromWorker =
  | { readonly kind: "loading"; readonly share: number }
  | { readonly kind: "ready"; readonly about: About }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "sound"; readonly samples: Float32Array }
  | { readonly kind: "speaking"; readonly on: boolean }
  | { readonly kind: "heard"; readonly utterance: Utterance }
  | { readonly kind: "short"; readonly seconds: number }
  | { readonly kind: "closer"; readonly id: number; readonly closer: Closer | null }
  /** Follows each `heard`, when there was time. */
  | { readonly kind: "voice"; readonly id: number; readonly voice: Voice }
  | { readonly kind: "deaf"; readonly seconds: number }
  /** The stream, or the file, has ended, after so many utterances. */
  | { readonly kind: "finished"; readonly utterances: number };
