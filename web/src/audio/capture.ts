/** The microphone: from the person's permission to a stream of samples on a port. */

/** Why there is no sound; each has a sentence of its own. */
export type Refusal = "denied" | "absent" | "busy" | "unsupported";

export class CaptureError extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal);
  }
}

const TAP = "tap.js";

/** A microphone that is open. */
export interface Capture {
  /** Where its sound comes out: messages are `Captured`. */
  readonly port: MessagePort;
  /** Of that sound, Hz. */
  readonly rate: number;
  close(): void;
}

/** Opens the microphone, without what browsers add for telephone calls; `onLost` is called where it goes away. */
export async function capture(onLost: () => void): Promise<Capture> {
  const stream = await microphone();
  const context = new AudioContext();
  const wake = (): void => void (document.hidden || context.state === "closed" || context.resume()); // phones put it to sleep
  const close = (): void => {
    document.removeEventListener("visibilitychange", wake);
    stream.getTracks().forEach((track) => track.stop());
    if (context.state !== "closed") void context.close();
  };
  try {
    await context.audioWorklet.addModule(TAP);
    const tap = new AudioWorkletNode(context, "tap");
    const { port1, port2 } = new MessageChannel();
    tap.port.postMessage(port1, [port1]);
    context.createMediaStreamSource(stream).connect(tap).connect(context.destination); // it writes nothing: silence
    await context.resume();
    stream.getAudioTracks().forEach((track) => track.addEventListener("ended", onLost));
    document.addEventListener("visibilitychange", wake);
    return { port: port2, rate: context.sampleRate, close };
  } catch {
    close();
    throw new CaptureError("unsupported");
  }
}

async function microphone(): Promise<MediaStream> {
  const untouched = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: untouched });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError" || name === "SecurityError") throw new CaptureError("denied");
    if (name === "NotFoundError" || name === "OverconstrainedError") throw new CaptureError("absent");
    throw new CaptureError(name === "NotReadableError" || name === "AbortError" ? "busy" : "unsupported");
  }
}
