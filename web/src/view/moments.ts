/** When: the waveform and the spectrogram of an utterance, with where the network looked or what each moment said. */

import type { Closer, Utterance } from "../hearing/verdict.ts";
import { colour, loudness } from "../palette.ts";
import { emotionName, texts } from "../texts.ts";
import { el, sized } from "./dom.ts";

type Drawing = CanvasRenderingContext2D;
interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The three strips, one above the other, for a canvas of the page or the picture to share. */
export function drawMoments(context: Drawing, box: Box, utterance: Utterance, closer: Closer | null, gap = 8): void {
  const unit = (box.height - 2 * gap) / 10;
  const strip = (from: number, size: number, index: number): Box => ({ ...box, y: box.y + from * unit + index * gap, height: size * unit });
  drawSpectrogram(context, strip(3, 4, 1), utterance);
  drawWaveform(context, strip(0, 3, 0), utterance);
  if (closer?.moments.length) drawCurve(context, strip(7, 3, 2), closer.moments);
  else drawAttention(context, strip(7, 3, 2), utterance.attention);
}

/** The strips with their caption; drawn once they have a size, and again when it changes. */
export function momentsView(utterance: Utterance, closer: Closer | null): HTMLElement {
  const label = emotionName(utterance.label);
  const [from, to] = strongest(utterance, closer);
  const canvas = el("canvas", { class: "moments", role: "img", "aria-label": texts.whenPicture(label, from, to) });
  const below = el("div", { class: "axis muted", "aria-hidden": "true" }, el("span", {}, "0 s"), el("span", {}, `${utterance.seconds.toFixed(1)} s`));
  new ResizeObserver(() => {
    if (!canvas.isConnected || !canvas.clientWidth) return;
    const { context, width, height } = sized(canvas);
    context.clearRect(0, 0, width, height);
    drawMoments(context, { x: 0, y: 0, width, height }, utterance, closer);
  }).observe(canvas);
  return el("figure", {}, canvas, below, el("figcaption", { class: "muted" }, closer?.moments.length ? texts.moments(label) : texts.attention));
}

/** The tenth of the utterance, in seconds, that says most. */
function strongest(utterance: Utterance, closer: Closer | null): [number, number] {
  const curve = closer?.moments.length ? closer.moments : utterance.attention;
  const best = curve.indexOf(Math.max(...curve));
  const middle = ((best + 0.5) / curve.length) * utterance.seconds;
  const half = Math.max(utterance.seconds / curve.length / 2, 0.2);
  return [Math.max(middle - half, 0), Math.min(middle + half, utterance.seconds)];
}

function drawWaveform(context: Drawing, box: Box, { outline }: Utterance): void {
  const { extremes } = outline;
  const highest = extremes.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-4);
  const step = (2 * box.width) / extremes.length;
  context.fillStyle = colour("neutral");
  for (let share = 0; share < extremes.length / 2; share++) {
    const top = box.y + (box.height / 2) * (1 - extremes[2 * share + 1] / highest);
    const size = ((extremes[2 * share + 1] - extremes[2 * share]) / highest) * (box.height / 2);
    context.fillRect(box.x + share * step, top, Math.max(step * 0.8, 0.7), Math.max(size, 0.7));
  }
}

function drawSpectrogram(context: Drawing, box: Box, { outline }: Utterance): void {
  const { levels, columns, rows } = outline;
  if (!columns) return;
  const picture = new ImageData(columns, rows);
  levels.forEach((level, index) => {
    const [column, row] = [Math.floor(index / rows), index % rows];
    picture.data.set([...loudness(level), 255], 4 * ((rows - 1 - row) * columns + column));
  });
  const sheet = new OffscreenCanvas(columns, rows);
  sheet.getContext("2d")?.putImageData(picture, 0, 0);
  context.save();
  context.beginPath();
  context.roundRect(box.x, box.y, box.width, box.height, 6);
  context.clip();
  context.drawImage(sheet, box.x, box.y, box.width, box.height);
  context.restore();
}

function drawAttention(context: Drawing, box: Box, attention: readonly number[]): void {
  const most = Math.max(...attention, 1e-9);
  const step = box.width / attention.length;
  context.fillStyle = colour("favour");
  attention.forEach((weight, index) => {
    const height = Math.max((weight / most) * box.height, 1);
    context.globalAlpha = 0.35 + (0.65 * weight) / most;
    context.fillRect(box.x + index * step + 1, box.y + box.height - height, Math.max(step - 2, 1), height);
  });
  context.globalAlpha = 1;
}

/** A curve over time around zero, filled above and below it. */
function drawCurve(context: Drawing, box: Box, moments: readonly number[]): void {
  const [most, least] = [Math.max(...moments, 0), Math.min(...moments, 0)];
  const span = most - least || 1;
  const height = (value: number): number => box.y + ((most - value) / span) * box.height;
  for (const [name, of] of [["favour", Math.max], ["against", Math.min]] as const) {
    context.fillStyle = colour(name);
    context.beginPath();
    context.moveTo(box.x, height(0));
    moments.forEach((value, index) => context.lineTo(box.x + ((index + 0.5) * box.width) / moments.length, height(of(value, 0))));
    context.lineTo(box.x + box.width, height(0));
    context.fill();
  }
  context.fillStyle = colour("muted");
  context.fillRect(box.x, height(0) - 0.5, box.width, 1);
}
