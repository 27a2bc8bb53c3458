// Builds the page: `node build.mjs --model DIR --out DIR`, where DIR holds what `python -m export --waveform` wrote.

import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { policy } from "./headers.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const EDGE = join(HERE, "..", "edge");
const MOST_BYTES = 16e6; // of the whole download
const TARGET = ["chrome105", "firefox113", "safari16.4"]; // WebAssembly SIMD, DecompressionStream, OffscreenCanvas

const { values: options } = parseArgs({
  options: { model: { type: "string" }, out: { type: "string", default: join(HERE, "dist") } },
});
if (!options.model)
  throw new Error("say where the model is: --model DIR, as `python -m export --waveform --out DIR` writes it");
const out = options.out;

const texts = await loadTexts();
rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "assets"), { recursive: true });
cpSync(join(HERE, "public"), out, { recursive: true, filter: (path) => !path.endsWith(".html") });
const assets = {
  runtime: asset("runtime", join(HERE, "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"), gzipped),
  fvad: asset("fvad", join(HERE, "node_modules/@echogarden/fvad-wasm/fvad.wasm")),
  silero: asset("silero", join(EDGE, "vad/silero.npz")),
  spectra: asset("spectra", join(options.model, "spectra.onnx")),
  frames: asset("frames", join(options.model, "frames.onnx")),
  network: asset("network", join(options.model, "model.onnx")),
  coalitions: asset("coalitions", join(options.model, "coalitions.onnx")),
  manifest: asset("manifest", join(options.model, "affectd.json"), gzipped),
};
await bundle(["src/main.ts"], {}, { splitting: true });
await bundle(["src/hearing/worker.ts"], { ASSETS: JSON.stringify(assets) });
await bundle(["src/audio/tap.worklet.ts"], {}, { entryNames: "tap" });
const html = readFileSync(join(HERE, "public/index.html"), "utf8");
writeFileSync(join(out, "index.html"), filled(html, { policy: policy(false), entry: "" }));
writeFileSync(join(out, "node.html"), filled(html, { policy: policy(true), entry: "sensor" }));
writeFileSync(join(out, "manifest.webmanifest"), webManifest());
writeFileSync(join(out, "licences.txt"), licences());
const files = listed(out);
const version = hash(files.map((file) => hash(readFileSync(join(out, file)))).join());
await bundle(["src/sw.ts"], { VERSION: JSON.stringify(version), FILES: JSON.stringify(["./", ...files]) });
const bytes = files.reduce((sum, file) => sum + statSync(join(out, file)).size, 0);
if (bytes > MOST_BYTES) throw new Error(`the page is ${bytes} bytes, more than ${MOST_BYTES}`);
console.log(`${out}: ${files.length} files, ${(bytes / 1e6).toFixed(1)} MB`);

/** The page's texts, which also stand in its HTML. */
async function loadTexts() {
  const { outputFiles } = await build({
    entryPoints: [join(HERE, "src/texts.ts")],
    bundle: true,
    format: "esm",
    write: false,
  });
  const module = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
  return module.texts;
}

async function bundle(entries, define, more = {}) {
  const entryPoints = entries.map((entry) => join(HERE, entry));
  await build({
    entryPoints,
    define,
    outdir: out,
    entryNames: "[name]",
    chunkNames: "[name]-[hash]",
    bundle: true,
    format: "esm",
    minify: true,
    target: TARGET,
    legalComments: "none",
    external: ["module", "fs", "path", "url", "node:*"],
    logLevel: "warning",
    ...more,
  });
}

/** Copies a file under a name that changes with its content. */
function asset(name, source, pack = (content) => content) {
  const content = pack(readFileSync(source));
  const path = `assets/${name}-${hash(content)}.bin`;
  writeFileSync(join(out, path), content);
  return { path, bytes: content.length };
}

function gzipped(content) {
  return gzipSync(content, { level: 9 });
}

function hash(content) {
  return createHash("sha256").update(content).digest("hex").slice(0, 12);
}

function filled(html, more) {
  const { language, title, description, noScript, outdated } = texts;
  return html.replace(
    /\{\{(\w+)\}\}/g,
    (_, name) => ({ language, title, description, noScript, outdated, ...more })[name],
  );
}

function webManifest() {
  const icon = (size, purpose) => ({
    src: `icons/${purpose}-${size}.png`,
    sizes: `${size}x${size}`,
    type: "image/png",
    purpose,
  });
  return JSON.stringify({
    name: texts.name,
    short_name: texts.name,
    description: texts.description,
    lang: texts.language,
    id: "./",
    start_url: "./",
    scope: "./",
    display: "standalone",
    background_color: "#f6f5f2",
    theme_color: "#f6f5f2",
    icons: [icon(192, "any"), icon(512, "any"), icon(512, "maskable")],
  });
}

/** The licences of all that the page is made of. */
function licences() {
  const npm = (name, file = "LICENSE") => [name, readFileSync(join(HERE, "node_modules", name, file), "utf8")];
  const own = (name, path) => [name, readFileSync(join(HERE, "..", path), "utf8")];
  const all = [
    own("affectd", "LICENSE"),
    own("affectd's networks", "LICENSE-weights"),
    own("Silero VAD", "edge/vad/silero.txt"),
    npm("@echogarden/fvad-wasm"),
    npm("mqtt", "LICENSE.md"),
    // Its package has no file for its licence, which is the same as ours but for the name.
    ["onnxruntime-web", own("", "LICENSE")[1].replace(/^Copyright.*$/m, "Copyright (c) Microsoft Corporation")],
  ];
  return all.map(([name, text]) => `${name}\n${"=".repeat(name.length)}\n\n${text.trim()}\n`).join("\n\n");
}

function listed(folder, under = "") {
  return readdirSync(join(folder, under), { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? listed(folder, `${under}${entry.name}/`) : [under + entry.name]))
    .filter((file) => file !== "sw.js")
    .sort();
}
