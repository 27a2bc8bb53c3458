/** The files that hearing needs, with their names and sizes as the build made them. */

interface Asset {
  readonly path: string;
  readonly bytes: number;
}

export type Name = "runtime" | "fvad" | "silero" | "spectra" | "frames" | "network" | "coalitions" | "manifest";

declare const ASSETS: Readonly<Record<Name, Asset>>;

const GZIP = [0x1f, 0x8b];

/** Fetches them all at once; `onProgress` gets the share that has come. Throws where one does not come. */
export async function load(onProgress: (share: number) => void): Promise<Record<Name, ArrayBuffer>> {
  const total = Object.values(ASSETS).reduce((sum, { bytes }) => sum + bytes, 0);
  let come = 0;
  const entries = Object.entries(ASSETS).map(async ([name, { path }]) => {
    const bytes = await fetched(path, (count) => onProgress((come += count) / total));
    return [name, await unpacked(bytes)] as const;
  });
  return Object.fromEntries(await Promise.all(entries)) as Record<Name, ArrayBuffer>;
}

async function fetched(path: string, onBytes: (count: number) => void): Promise<ArrayBuffer> {
  const response = await fetch(path);
  if (!response.ok || !response.body) throw new Error(`${path} did not come (${response.status})`);
  const reader = response.body.getReader();
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    pieces.push(value);
    onBytes(value.length);
  }
  return new Blob(pieces).arrayBuffer();
}

/** What is packed with gzip, unpacked: no web server has to know that it is. */
async function unpacked(bytes: ArrayBuffer): Promise<ArrayBuffer> {
  const begin = new Uint8Array(bytes, 0, Math.min(2, bytes.byteLength));
  if (!GZIP.every((byte, index) => begin[index] === byte)) return bytes;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}
