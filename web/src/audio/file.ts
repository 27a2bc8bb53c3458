/** A recording that the person chose: its length before anything is unpacked, then its samples at 16 kHz. */

import { FULL_SCALE, SAMPLE_RATE } from "./format.ts";

export const LONGEST_MINUTES = 15; // unpacked, a quarter of an hour at 48 kHz in stereo is 350 MB for a moment

/** Why a file is not heard; each has a sentence of its own. */
export type FileRefusal = { readonly kind: "no-audio" } | { readonly kind: "long"; readonly minutes: number } | { readonly kind: "empty" };

export class FileError extends Error {
  constructor(readonly refusal: FileRefusal) {
    super(refusal.kind);
  }
}

/** The samples of a file, mixed to one channel, full scale 1. Throws a FileError. */
export async function decode(file: File): Promise<Float32Array> {
  if (!file.size) throw new FileError({ kind: "empty" });
  const length = await duration(file);
  if (length > 60 * LONGEST_MINUTES) throw new FileError({ kind: "long", minutes: Math.round(length / 60) });
  const context = new OfflineAudioContext(1, 1, SAMPLE_RATE);
  const sound = await context.decodeAudioData(await file.arrayBuffer()).catch(() => {
    throw new FileError({ kind: "no-audio" });
  });
  if (!sound.length) throw new FileError({ kind: "empty" });
  return symmetric(mixed(sound));
}

/** In seconds; 0 where the browser's player does not know, for decoding will tell. */
function duration(file: File): Promise<number> {
  const player = new Audio();
  const address = URL.createObjectURL(file);
  return new Promise<number>((resolve) => {
    player.preload = "metadata";
    player.onloadedmetadata = () => resolve(Number.isFinite(player.duration) ? player.duration : 0);
    player.onerror = () => resolve(0);
    player.src = address;
  }).finally(() => URL.revokeObjectURL(address));
}

function mixed(sound: AudioBuffer): Float32Array {
  const channels = Array.from({ length: sound.numberOfChannels }, (_, index) => sound.getChannelData(index));
  if (channels.length === 1) return channels[0].slice();
  return channels[0].map((_, index) => channels.reduce((sum, channel) => sum + channel[index], 0) / channels.length);
}

/**
 * Chromium divides negative samples of 16 bits by 32768 and positive ones by 32767: where all are such, the positive
 * ones are scaled as the negative ones are.
 */
function symmetric(samples: Float32Array): Float32Array {
  const steps = FULL_SCALE - 1;
  const whole = (value: number): boolean => Math.abs(value - Math.round(value)) < 2e-3;
  if (!samples.every((sample) => whole(sample * (sample > 0 ? steps : FULL_SCALE)))) return samples;
  return samples.map((sample) => (sample > 0 ? Math.round(sample * steps) / FULL_SCALE : sample));
}
