/** The page's side of the worker that hears. */

import { type Capture, capture } from "../audio/capture.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** Owns the worker and the microphone. */
export class Listener {
  private readonly worker: Worker;
  private open: Capture | null = null;

  constructor(onMessage: (message: FromWorker) => void, onFailure: (reason: string) => void) {
    this.worker = new Worker("worker.js", { type: "module" });
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === "finished") this.close();
      onMessage(data);
    };
    this.worker.onerror = (event) => onFailure(event.message);
  }

  /** Opens the microphone and listens, for so many seconds or until `stop`. Throws a CaptureError. */
  async listen(seconds: number | null, onLost: () => void): Promise<void> {
    this.open = await capture(onLost);
    this.worker.postMessage({ kind: "listen", port: this.open.port, rate: this.open.rate, seconds } satisfies ToWorker, [this.open.port]);
  }

  /** Closes the microphone; what was being said is still heard to its end. */
  stop(): void {
    this.send({ kind: "stop" });
    this.close();
  }

  /** Hears a recording. */
  file(name: string, samples: Float32Array, whole: boolean): void {
    this.worker.postMessage({ kind: "file", name, samples, whole } satisfies ToWorker, [samples.buffer]);
  }

  send(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private close(): void {
    this.open?.close();
    this.open = null;
  }
}
