/** What a device is made of, whichever it is; the registry is the roof above them all. */
import type { Model } from "../models/model.ts";
import type { Clock } from "./clock.ts";
import type { Device, Sampler } from "./device.ts";
import type { TraceSink } from "./trace.ts";

/** Adapters that a device keeps. */
export interface AdapterSettings {
  /** Adapters in one step. */
  readonly inStep: number;
  /** Adapters in memory; the one used longest ago makes room. */
  readonly inMemory: number;
  readonly maxRank: number;
}

/** What every device is built from; what it does not know it takes from its own settings. */
export interface DeviceSettings {
  readonly model: Model;
  readonly clock: Clock;
  readonly sampler: Sampler;
  readonly trace?: TraceSink;
  readonly tensorParallelSize: number;
  /** Absent: the device's own (cpu 16, trainium 32). */
  readonly blockSize?: number;
  /** KV blocks; absent: from the memory budget. */
  readonly blocks?: number;
  /** Bytes for the KV cache; absent: the device's own rule. */
  readonly kvCacheBytes?: number;
  readonly maxRows?: number;
  readonly maxTokens?: number;
  readonly maxContext?: number;
  readonly maxDrafted?: number;
  /** `int4`, `int8`; absent: as stored. */
  readonly quantization?: string;
  /** 1 or 2 steps under way; absent: the device's own. */
  readonly inFlight?: 1 | 2;
  /** Absent: no adapters. */
  readonly adapters?: AdapterSettings;
  readonly seed: number;
  /** Where weights are kept that had to be converted, and how many bytes of them; absent: nowhere. */
  readonly convertedWeights?: {
    readonly folder: string;
    readonly mostBytes: number;
    /** Smaller models are not kept. */
    readonly leastBytes?: number;
  };
  /** Told while weights are loaded, of `total` parts. */
  readonly onLoading?: (done: number, total: number) => void;
  /** Gives values when this device only gives time; absent: synthetic ids. */
  readonly inner?: Device;
  /** Flags of the device's own, as given on the command line (kebab-case keys). */
  readonly own: Readonly<Record<string, unknown>>;
}

export type DeviceFactory = (settings: DeviceSettings) => Promise<Device>;
