/** Reads numpy's archive of arrays, a ZIP without compression, as edge/vad/silero.npz is. */

const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const LOCAL_HEADER = 30;
const NPY_PREAMBLE = 10;

/** The float32 arrays of an archive by name, flattened. Throws where it is none. */
export function readNpz(archive: ArrayBuffer): Map<string, Float32Array> {
  const view = new DataView(archive);
  const text = new TextDecoder();
  const arrays = new Map<string, Float32Array>();
  let at = centralDirectory(view);
  while (at + 4 <= archive.byteLength && view.getUint32(at, true) === CENTRAL) {
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const name = text.decode(new Uint8Array(archive, at + 46, nameLength));
    if (view.getUint16(at + 10, true) !== 0) throw new Error(`${name} is compressed: only plain archives are read`);
    const local = view.getUint32(at + 42, true);
    const lengths = view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    arrays.set(name.replace(/\.npy$/, ""), readNpy(archive, local + LOCAL_HEADER + lengths, view.getUint32(at + 24, true)));
    at += 46 + nameLength + extra + comment;
  }
  return arrays;
}

function centralDirectory(view: DataView): number {
  for (let at = view.byteLength - 22; at >= 0; at--) {
    if (view.getUint32(at, true) === END) return view.getUint32(at + 16, true);
  }
  throw new Error("this is no archive of arrays");
}

function readNpy(archive: ArrayBuffer, at: number, length: number): Float32Array {
  const header = new DataView(archive).getUint16(at + 8, true);
  const described = new TextDecoder().decode(new Uint8Array(archive, at + NPY_PREAMBLE, header));
  if (!described.includes("'<f4'")) throw new Error(`float32 arrays are read, not ${described}`);
  const data = at + NPY_PREAMBLE + header;
  return new Float32Array(archive.slice(data, at + length));
}
