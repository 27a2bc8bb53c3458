/** The elliptic high-pass of edge/sources/highpass.py, as a sum of first-order sections, one for each pole. */

const DIRECT = 1.0465939745596238;
const REAL = { pole: 0.9693482329047747, weight: -0.05373340939647997 };
/** Complex poles and the residues of their sections; the section of a conjugate adds the same real part again. */
const PAIRS = [
  { re: 0.9798824040242846, im: 0.022470066053057014, weightRe: -0.02446755391828374, weightIm: -0.0217442402503295 },
  { re: 0.991697728180681, im: 0.028435914078539546, weightRe: 0.003366383766954698, weightIm: -0.01026518983061287 },
  { re: 0.9975823968253725, im: 0.02933073009745981, weightRe: 0.0024120687420298055, weightIm: 0.00041367486603893577 },
] as const;

/** Filters a stream. It begins as if the first sample had always been, so that an offset makes no click. */
export class HighPass {
  private real = 0;
  private readonly pairs = PAIRS.map(() => ({ re: 0, im: 0 }));
  private begun = false;

  /** Filters samples of any scale, in place. */
  push(samples: Float32Array): Float32Array {
    if (!this.begun && samples.length) this.rest(samples[0]);
    for (let index = 0; index < samples.length; index++) {
      const sample = samples[index];
      this.real = REAL.pole * this.real + sample;
      let out = DIRECT * sample + REAL.weight * this.real;
      for (let k = 0; k < PAIRS.length; k++) {
        const pole = PAIRS[k];
        const state = this.pairs[k];
        const re = pole.re * state.re - pole.im * state.im + sample;
        state.im = pole.im * state.re + pole.re * state.im;
        state.re = re;
        out += 2 * (pole.weightRe * state.re - pole.weightIm * state.im);
      }
      samples[index] = out;
    }
    return samples;
  }

  /** Forgets the stream: what is pushed next begins another one. */
  reset(): void {
    this.begun = false;
  }

  /** The state after a constant `sample` for ever: sample / (1 - pole). */
  private rest(sample: number): void {
    this.begun = true;
    this.real = sample / (1 - REAL.pole);
    PAIRS.forEach((pole, k) => {
      const size = (1 - pole.re) ** 2 + pole.im ** 2;
      this.pairs[k] = { re: (sample * (1 - pole.re)) / size, im: (sample * pole.im) / size };
    });
  }
}
