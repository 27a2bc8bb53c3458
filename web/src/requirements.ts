/** What the page needs of the browser. */

import { texts } from "./texts.ts";

// A module of one function with a vector instruction: (func (result v128) (i8x16.splat (i32.const 0))).
const SIMD = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11]);

/** What is missing to hear anything at all, in words; null where nothing is. */
export function missing(): string | null {
  const needs: [string, boolean][] = [
    ["WebAssembly with SIMD", typeof WebAssembly === "object" && WebAssembly.validate(SIMD)],
    ["web workers", typeof Worker === "function"],
    ["decompression", typeof DecompressionStream === "function"],
    ["sound", typeof OfflineAudioContext === "function"],
    ["off-screen drawing", typeof OffscreenCanvas === "function"],
  ];
  return needs.find(([, there]) => !there)?.[0] ?? null;
}

/** Why the microphone cannot be asked for, as a sentence; null where it can. */
export function withoutMicrophone(): string | null {
  if (!window.isSecureContext) return texts.problems.insecure;
  const there = "mediaDevices" in navigator && typeof AudioWorkletNode === "function";
  return there ? null : texts.problems.unsupported;
}
