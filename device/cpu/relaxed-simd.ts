/**
 * Relaxed SIMD: half the instructions of a sum of products, which then is rounded once. Node has it
 * from 22 on; 20 knows it behind a flag of V8, which modules that are compiled later see.
 */
import { setFlagsFromString } from "node:v8";
import { takesMultiplyAdd } from "../wasm.ts";

if (!takesMultiplyAdd()) setFlagsFromString("--experimental-wasm-relaxed-simd");

export const hasMultiplyAdd = takesMultiplyAdd();
