/** Trainium1 (NeuronCore-v2). Sources: SDK 2.32 trainium.rst, trainium_inferentia2_arch.rst, neuron-core-v2.rst. */
import type { ChipSpec } from "./chip.ts";
import { inferentia2 } from "./inferentia2.ts";

export const trainium1: ChipSpec = {
  ...inferentia2,
  name: "Trainium1",
  link: { topology: "torus-2d", bytesPerSecond: 192 * 2 ** 30, hopNanos: 1500 }, // 384 GiB/s both ways
};

/** Trainium1 of the trn1n instances: twice the links. */
export const trainium1n: ChipSpec = {
  ...trainium1,
  name: "Trainium1n",
  link: { topology: "torus-2d", bytesPerSecond: 384 * 2 ** 30, hopNanos: 1500 },
};
