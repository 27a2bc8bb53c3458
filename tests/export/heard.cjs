// What the graphs compute in WebAssembly, one thread: node heard.cjs DIR FILE..., each FILE float32 samples.
// Prints a line of JSON for each: the outputs by name, and the logits of all coalitions of families.
const { readFileSync } = require("node:fs");
const ort = require("onnxruntime-web");

ort.env.wasm.numThreads = 1;

function coalitions(families) {
  const rows = 2 ** families;
  const masks = Float32Array.from({ length: rows * families }, (_, at) => (Math.floor(at / families) >> at % families) & 1);
  return new ort.Tensor("float32", masks, [rows, families]);
}

async function main(folder, files) {
  const about = JSON.parse(readFileSync(`${folder}/affectd.json`));
  const options = { executionProviders: ["wasm"], logSeverityLevel: 3 };
  const whole = await ort.InferenceSession.create(`${folder}/affectd.onnx`, options);
  const parts = await ort.InferenceSession.create(`${folder}/coalitions.onnx`, options);
  const masks = coalitions(about.families.length);
  const usual = new ort.Tensor("float32", new Float32Array(2 * about.embedding).fill(1, about.embedding), [2, about.embedding]);
  for (const file of files) {
    const samples = new Float32Array(new Uint8Array(readFileSync(file)).buffer);
    const begin = performance.now();
    const heard = await whole.run({ samples: new ort.Tensor("float32", samples, [1, samples.length]) });
    const middle = performance.now();
    const { logits } = await parts.run({ frames: heard.frames, masks, usual });
    const outputs = Object.fromEntries(Object.entries(heard).map(([name, { data }]) => [name, Array.from(data)]));
    delete outputs.frames;
    const milliseconds = [middle - begin, performance.now() - middle];
    console.log(JSON.stringify({ ...outputs, coalitions: Array.from(logits.data), milliseconds }));
  }
}

main(process.argv[2], process.argv.slice(3));
