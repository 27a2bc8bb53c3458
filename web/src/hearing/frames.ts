/** Frames of features, and statistics of their columns. */

/** A matrix [time, width] in one piece, row by row. */
export interface Frames {
  readonly data: Float32Array;
  readonly time: number;
  readonly width: number;
}

/** Raw frames in standard deviations from the training mean. */
export function scaled(
  raw: Frames,
  { mean, scale }: { readonly mean: readonly number[]; readonly scale: readonly number[] },
): Frames {
  const { data, width } = raw;
  return {
    ...raw,
    data: data.map((value, index) => Math.fround(value - mean[index % width]) / scale[index % width]),
  };
}

/** One column as numbers. */
export function column(frames: Frames, index: number): Float64Array {
  return Float64Array.from({ length: frames.time }, (_, row) => frames.data[row * frames.width + index]);
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index];
  return sum / values.length;
}

/** The standard deviation of all of them, not of a sample. */
export function deviation(values: ArrayLike<number>): number {
  const middle = mean(values);
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += (values[index] - middle) ** 2;
  return Math.sqrt(sum / values.length);
}

/** Quantiles, between two values in proportion, as numpy's. */
export function quantiles(values: ArrayLike<number>, shares: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  return shares.map((share) => {
    const place = share * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  });
}

/** The mean change between neighbours, whichever way. */
export function movement(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 1; index < values.length; index++) sum += Math.abs(values[index] - values[index - 1]);
  return values.length > 1 ? sum / (values.length - 1) : 0;
}
