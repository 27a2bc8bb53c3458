/** The Fourier transform of real windows whose length is a power of two. */

/** Magnitudes of windows of `size` samples; holds its tables and its working memory. */
export class Spectrum {
  private readonly re: Float64Array;
  private readonly im: Float64Array;
  private readonly cos: Float64Array;
  private readonly sin: Float64Array;
  private readonly reversed: Uint32Array;
  readonly hann: Float64Array;

  constructor(readonly size: number) {
    this.re = new Float64Array(size);
    this.im = new Float64Array(size);
    this.cos = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.sin = Float64Array.from({ length: size / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
    this.hann = Float64Array.from({ length: size }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size));
    this.reversed = new Uint32Array(size);
    for (let index = 0; index < size; index++) {
      this.reversed[index] = (this.reversed[index >> 1] >> 1) | (index & 1 ? size >> 1 : 0);
    }
  }

  /** Writes the magnitudes [size / 2 + 1] of `samples` from `at` on, under a Hann window, to `out` from `to` on. */
  magnitudes(samples: ArrayLike<number>, at: number, out: Float32Array | Float64Array, to = 0): void {
    const { size, re, im } = this;
    for (let n = 0; n < size; n++) {
      re[this.reversed[n]] = (samples[at + n] ?? 0) * this.hann[n];
      im[n] = 0;
    }
    for (let span = 2; span <= size; span *= 2) this.butterflies(span);
    for (let k = 0; k <= size / 2; k++) out[to + k] = Math.hypot(re[k], im[k]);
  }

  private butterflies(span: number): void {
    const { size, re, im, cos, sin } = this;
    const half = span / 2;
    const step = size / span;
    for (let first = 0; first < size; first += span) {
      for (let k = 0; k < half; k++) {
        const even = first + k;
        const odd = even + half;
        const real = re[odd] * cos[k * step] - im[odd] * sin[k * step];
        const imaginary = re[odd] * sin[k * step] + im[odd] * cos[k * step];
        re[odd] = re[even] - real;
        im[odd] = im[even] - imaginary;
        re[even] += real;
        im[even] += imaginary;
      }
    }
  }
}
