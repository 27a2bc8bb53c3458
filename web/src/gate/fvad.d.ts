declare module "@echogarden/fvad-wasm" {
  interface Program {
    readonly HEAP16: Int16Array;
    _malloc(bytes: number): number;
    _fvad_new(): number;
    _fvad_set_sample_rate(detector: number, hertz: number): number;
    _fvad_set_mode(detector: number, mode: number): number;
    _fvad_process(detector: number, samples: number, count: number): number;
  }
  export default function fvad(options: { wasmBinary: ArrayBuffer }): Promise<Program>;
}
