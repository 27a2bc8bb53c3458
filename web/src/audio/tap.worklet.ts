/** Runs beside the microphone: gathers what it hears, mixed to one channel, and sends it to the worker that hears. */

declare const sampleRate: number;
declare function registerProcessor(name: string, processor: unknown): void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

const GATHERED_SECONDS = 0.064;

class Tap extends AudioWorkletProcessor {
  private out: MessagePort | null = null;
  private gathered = new Float32Array(Math.round(GATHERED_SECONDS * sampleRate));
  private filled = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<MessagePort | null>) => (this.out = data);
  }

  /** Takes a render quantum; returning false lets the browser clear the node away. */
  process(inputs: Float32Array[][]): boolean {
    const channels = inputs[0];
    if (!this.out) return true;
    const length = channels?.[0]?.length ?? 0;
    for (let index = 0; index < length; index++) {
      let sum = 0;
      for (const channel of channels) sum += channel[index];
      this.gathered[this.filled++] = sum / channels.length;
      if (this.filled === this.gathered.length) this.send();
    }
    return true;
  }

  private send(): void {
    const samples = this.gathered.slice();
    this.filled = 0;
    this.out?.postMessage({ samples, at: Date.now() }, [samples.buffer]);
  }
}

registerProcessor("tap", Tap);
