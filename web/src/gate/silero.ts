/** Silero VAD 5: a short-time Fourier transform, four convolutions, one LSTM cell and a sum (edge/vad/silero.py). */

import { BLOCK_SAMPLES } from "../audio/format.ts";
import { Spectrum } from "../audio/fft.ts";

const WINDOW = 256;
const HOP = 128;
const CONTEXT = 64; // samples of the block before, which are read again
const REFLECTED = 64; // samples after the block, which mirror its end
const STEPS = 4; // of the transform in a block
const BINS = WINDOW / 2 + 1;
const UNITS = 128;

interface Convolution {
  /** [out][in][3 taps], flattened. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
}

/** The network's numbers. */
export class SileroWeights {
  readonly convolutions: readonly Convolution[];
  readonly input: Float32Array;
  readonly hidden: Float32Array;
  readonly bias: Float32Array;
  readonly last: Float32Array;
  readonly lastBias: number;

  /** From the arrays of silero.npz. Throws where one is missing or of another size. */
  constructor(arrays: ReadonlyMap<string, Float32Array>) {
    const array = (name: string, size: number): Float32Array => {
      const found = arrays.get(name);
      if (found?.length !== size) throw new Error(`the voice detector's weights ${name} are missing or damaged`);
      return found;
    };
    const channels = [BINS, 128, 64, 64, UNITS];
    this.convolutions = [1, 2, 2, 1].map((stride, layer) => {
      const [inputs, outputs] = [channels[layer], channels[layer + 1]];
      const name = `encoder.${layer}.reparam_conv`;
      return { weight: array(`${name}.weight`, outputs * inputs * 3), bias: array(`${name}.bias`, outputs), inputs, outputs, stride };
    });
    this.input = array("decoder.rnn.weight_ih", 4 * UNITS * UNITS);
    this.hidden = array("decoder.rnn.weight_hh", 4 * UNITS * UNITS);
    const more = array("decoder.rnn.bias_hh", 4 * UNITS);
    this.bias = array("decoder.rnn.bias_ih", 4 * UNITS).map((value, index) => value + more[index]);
    this.last = array("decoder.decoder.2.weight", UNITS);
    this.lastBias = array("decoder.decoder.2.bias", 1)[0];
  }
}

/** How likely each block of a stream continues or begins speech. */
export class Silero {
  private readonly samples = new Float32Array(CONTEXT + BLOCK_SAMPLES + REFLECTED);
  private readonly spectrum = new Spectrum(WINDOW);
  private readonly spectra = new Float32Array(STEPS * BINS);
  private readonly state = new Float32Array(UNITS);
  private readonly cell = new Float32Array(UNITS);

  constructor(private readonly weights: SileroWeights) {}

  /** Forgets everything heard so far. */
  reset(): void {
    for (const memory of [this.samples, this.state, this.cell]) memory.fill(0);
  }

  /** Of speech in `block` [512], full scale 1, after all blocks since `reset`: 0..1. */
  probability(block: Float32Array): number {
    const { samples, weights } = this;
    const end = CONTEXT + BLOCK_SAMPLES;
    samples.copyWithin(0, BLOCK_SAMPLES, end);
    samples.set(block, CONTEXT);
    for (let index = 0; index < REFLECTED; index++) samples[end + index] = samples[end - 2 - index];
    for (let step = 0; step < STEPS; step++) this.spectrum.magnitudes(samples, step * HOP, this.spectra, step * BINS);
    let values: Float32Array = this.spectra;
    let steps = STEPS;
    for (const convolution of weights.convolutions) [values, steps] = convolve(convolution, values, steps);
    this.recur(values);
    let score = weights.lastBias;
    for (let unit = 0; unit < UNITS; unit++) score += Math.max(this.state[unit], 0) * weights.last[unit];
    return 1 / (1 + Math.exp(-score));
  }

  /** One step of the LSTM (gates in PyTorch's order: input, forget, cell, output). */
  private recur(encoded: Float32Array): void {
    const { input, hidden, bias } = this.weights;
    const gates = new Float64Array(4 * UNITS);
    for (let gate = 0; gate < gates.length; gate++) {
      let sum = bias[gate];
      for (let unit = 0, at = gate * UNITS; unit < UNITS; unit++, at++) sum += input[at] * encoded[unit] + hidden[at] * this.state[unit];
      gates[gate] = sum;
    }
    for (let unit = 0; unit < UNITS; unit++) {
      const keep = sigmoid(gates[UNITS + unit]) * this.cell[unit];
      this.cell[unit] = keep + sigmoid(gates[unit]) * Math.tanh(gates[2 * UNITS + unit]);
      this.state[unit] = sigmoid(gates[3 * UNITS + unit]) * Math.tanh(this.cell[unit]);
    }
  }
}

/** Three taps over `steps` rows of inputs, one row of zeros at both ends, and nothing below zero: [steps'][outputs]. */
function convolve(layer: Convolution, values: Float32Array, steps: number): [Float32Array, number] {
  const { weight, bias, inputs, outputs, stride } = layer;
  const count = Math.floor((steps - 1) / stride) + 1;
  const result = new Float32Array(count * outputs);
  for (let step = 0; step < count; step++) {
    for (let out = 0; out < outputs; out++) {
      let sum = bias[out];
      for (let tap = 0; tap < 3; tap++) {
        const from = step * stride + tap - 1;
        if (from < 0 || from >= steps) continue;
        for (let index = 0, at = out * inputs * 3 + tap, row = from * inputs; index < inputs; index++, at += 3, row++) {
          sum += weight[at] * values[row];
        }
      }
      result[step * outputs + out] = Math.max(sum, 0);
    }
  }
  return [result, count];
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
