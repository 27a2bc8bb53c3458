/** Colours for any colour vision (Okabe and Ito, 2008), as in the Streamlit app. */

const HUES = ["#D55E00", "#009E73", "#CC79A7", "#E69F00", "#8C8C8C", "#0072B2", "#56B4E9", "#B79F00"];
const UNLABELLED = "#B0B0B0"; // uncertain

/** The colour of a label, by its place among all; grey for any other. */
export function hue(label: string, labels: readonly string[]): string {
  const place = labels.indexOf(label);
  return place < 0 ? UNLABELLED : HUES[place % HUES.length];
}

/** A colour of the style sheet, as canvases need it. */
export function colour(name: "ink" | "muted" | "favour" | "against" | "neutral" | "card" | "line"): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const CIVIDIS = [
  [0, 32, 81], [17, 54, 109], [60, 77, 110], [98, 100, 111], [127, 124, 117], [154, 149, 119], [187, 175, 113], [226, 203, 92], [253, 231, 55],
]; // Nuñez, Anderton and Renslow, 2018

/** Red, green, blue of a level 0..255: brighter is louder, for any colour vision. */
export function loudness(level: number): readonly [number, number, number] {
  const place = (level / 255) * (CIVIDIS.length - 1);
  const below = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const mix = (channel: number): number => CIVIDIS[below][channel] + (place - below) * (CIVIDIS[below + 1][channel] - CIVIDIS[below][channel]);
  return [mix(0), mix(1), mix(2)];
}
