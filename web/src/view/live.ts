/** The sound of the last seconds, while it comes: waveform above, spectrogram below. */

import { columnLevels, ROWS, shade } from "../audio/outline.ts";
import { BLOCK_SAMPLES, BLOCK_SECONDS } from "../audio/format.ts";
import { colour, loudness } from "../palette.ts";
import { texts } from "../texts.ts";
import { el, sized } from "./dom.ts";

const SECONDS = 10;
const BLOCKS = Math.round(SECONDS / BLOCK_SECONDS);
const FADING = 0.999; // of the loudest level, a block: the picture follows a louder room and a quieter one
const FLOOR_DB = -10; // the loudest level is never taken for less, so that silence stays dark

export class LiveView {
  private readonly waveform = el("canvas", { class: "waveform", "aria-hidden": "true" });
  private readonly spectrogram = el("canvas", { class: "spectrogram", "aria-hidden": "true" });
  readonly element = el("div", { class: "live", role: "img", "aria-label": texts.liveSound }, this.waveform, this.spectrogram);
  private readonly extremes = new Float32Array(2 * BLOCKS);
  private readonly picture = new ImageData(BLOCKS, ROWS);
  private sheet: OffscreenCanvas | null = null;
  private loudest = FLOOR_DB;
  private drawing = false;

  /** Takes the next block, full scale 1. */
  push(block: Float32Array): void {
    this.extremes.copyWithin(0, 2);
    this.extremes[2 * BLOCKS - 2] = Math.min(...block);
    this.extremes[2 * BLOCKS - 1] = Math.max(...block);
    const levels = columnLevels(block, 0);
    this.loudest = Math.max(this.loudest - (1 - FADING) * 60, FLOOR_DB, ...levels);
    const { data } = this.picture;
    data.copyWithin(0, 4);
    levels.forEach((level, row) => {
      const [red, green, blue] = loudness(shade(level, this.loudest));
      data.set([red, green, blue, 255], 4 * ((ROWS - 1 - row) * BLOCKS + BLOCKS - 1));
    });
    if (!this.drawing && !document.hidden) {
      this.drawing = true;
      requestAnimationFrame(() => this.draw());
    }
  }

  /** Forgets what was shown. */
  clear(): void {
    for (let n = 0; n < BLOCKS; n++) this.push(new Float32Array(BLOCK_SAMPLES));
  }

  private draw(): void {
    this.drawing = false;
    const { context, width, height } = sized(this.waveform);
    context.clearRect(0, 0, width, height);
    context.fillStyle = colour("neutral");
    const highest = Math.max(0.05, ...this.extremes.map(Math.abs));
    const step = width / BLOCKS;
    for (let block = 0; block < BLOCKS; block++) {
      const [low, high] = [this.extremes[2 * block], this.extremes[2 * block + 1]];
      const top = (height / 2) * (1 - high / highest);
      context.fillRect(block * step, top, Math.max(step * 0.7, 1), Math.max(((high - low) / highest) * (height / 2), 1));
    }
    this.sheet ??= new OffscreenCanvas(BLOCKS, ROWS);
    this.sheet.getContext("2d")?.putImageData(this.picture, 0, 0);
    const below = sized(this.spectrogram);
    below.context.drawImage(this.sheet, 0, 0, below.width, below.height);
  }
}
