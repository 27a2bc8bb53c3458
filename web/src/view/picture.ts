/** A picture of one utterance to share: what it sounds like, when and why. */

import type { Closer, Utterance } from "../hearing/verdict.ts";
import { colour, hue } from "../palette.ts";
import { emotionName, familyName, texts } from "../texts.ts";
import { signed } from "./bars.ts";
import { drawMoments } from "./moments.ts";
import { sureness } from "./verdict.ts";

const WIDTH = 1080;
const HEIGHT = 1350;
const MARGIN = 72;
const FONT = "system-ui, sans-serif";

/** A PNG. */
export async function picture(utterance: Utterance, closer: Closer | null, labels: readonly string[]): Promise<File> {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  const drawing = context as unknown as CanvasRenderingContext2D;
  drawing.fillStyle = colour("card");
  drawing.fillRect(0, 0, WIDTH, HEIGHT);
  drawing.fillStyle = hue(utterance.emotion, labels);
  drawing.beginPath();
  drawing.arc(MARGIN + 28, 140, 28, 0, 2 * Math.PI);
  drawing.fill();
  write(drawing, emotionName(utterance.emotion), MARGIN + 84, 168, 84, "ink", 700);
  const strength = utterance.intensity === null ? "" : `, ${texts.strength(utterance.intensity)}`;
  write(drawing, sureness(utterance) + strength, MARGIN, 244, 40, "muted");
  drawMoments(drawing, { x: MARGIN, y: 300, width: WIDTH - 2 * MARGIN, height: 460 }, utterance, closer, 18);
  write(drawing, `${texts.why}: ${texts.whyBelow(emotionName(utterance.label))}`, MARGIN, 836, 30, "muted");
  families(drawing, utterance, 880);
  write(drawing, texts.pictureFooter, MARGIN, HEIGHT - 48, 26, "muted");
  return new File([await canvas.convertToBlob({ type: "image/png" })], "affectd.png", { type: "image/png" });
}

function families(drawing: CanvasRenderingContext2D, { explanation }: Utterance, top: number): void {
  const all = Object.entries(explanation.families);
  const most = Math.max(...all.map(([, value]) => value), 0);
  const least = Math.min(...all.map(([, value]) => value), 0);
  const [left, width] = [MARGIN + 400, WIDTH - 2 * MARGIN - 500];
  const unit = width / (most - least || 1);
  all.forEach(([name, value], index) => {
    const y = top + index * 54;
    write(drawing, familyName(name), MARGIN, y + 30, 28, "ink");
    drawing.fillStyle = colour(value < 0 ? "against" : "favour");
    drawing.fillRect(left + (Math.min(value, 0) - least) * unit, y + 6, Math.max(Math.abs(value) * unit, 2), 30);
    write(drawing, signed(value), left + width + 20, y + 30, 28, "muted");
  });
}

function write(drawing: CanvasRenderingContext2D, text: string, x: number, y: number, size: number, name: "ink" | "muted", weight = 400): void {
  drawing.font = `${weight} ${size}px ${FONT}`;
  drawing.fillStyle = colour(name);
  drawing.fillText(text, x, y, WIDTH - 2 * MARGIN);
}
