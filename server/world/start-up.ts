/**
 * The start of a simulated machine: the graphs that it compiles or finds in the
 * folder of NEFFs, and its loading of weights. Always reported; `--simulate-startup`
 * waits it out before the server listens.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import type { Device } from "../../device/device.ts";
import type { CompiledGraph, MachineStart } from "../../device/machine.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";
import { NeffFolder } from "./neff-folder.ts";

/** A start as it will be: what was kept is not compiled again. */
export interface StartUp {
  readonly neffs: readonly (CompiledGraph & { readonly cached: boolean })[];
  /** Seconds for those that are missing. */
  readonly compileSeconds: number;
  readonly loadSeconds: number;
  readonly loadBytes: number;
}

/** `has`: was the graph of this key compiled before? A cached one takes no time. */
export function planStartUp(
  { graphs, loadSeconds, loadBytes }: MachineStart,
  has: (key: string) => boolean,
): StartUp {
  const neffs = graphs.map((graph) => {
    const cached = has(graph.key);
    return { ...graph, compileSeconds: cached ? 0 : graph.compileSeconds, cached };
  });
  const compileSeconds = neffs.reduce((sum, neff) => sum + neff.compileSeconds, 0);
  return { neffs, compileSeconds, loadSeconds, loadBytes };
}

export interface SimulatedStart extends StartUp {
  /** Where compiled graphs are kept; absent: the default folder cannot be written. */
  readonly cache?: string;
  /** What the log says, with `startUpFields`. */
  readonly line: string;
  /** Keeps each graph once it is compiled; with `--simulate-startup` resolves when all is loaded. */
  run(): Promise<void>;
}

/** Waits until so many milliseconds after the call of `run`. */
type Wait = (milliseconds: number) => Promise<void>;

interface SimulatedStartOptions {
  readonly settings: Settings;
  /** Absent: every start is a first one. */
  readonly folder?: NeffFolder | undefined;
  readonly waiter?: () => Wait;
}

/**
 * Undefined: the device is no simulated machine. Data-parallel ranks run the same
 * graphs and load side by side, so the first one's start is that of all.
 */
export function simulatedStart(
  device: Device,
  { settings, folder, waiter = deadlines }: SimulatedStartOptions,
): SimulatedStart | undefined {
  const { machine } = device;
  if (machine === undefined) return undefined;
  const plan = planStartUp(machine.start, (key) => folder?.has(key) ?? false);
  const waits = settings["simulate-startup"];
  const scale = 1000 * (settings["time-scale"] ?? 1);
  return {
    ...plan,
    ...(folder !== undefined && { cache: folder.path }),
    line: describe(plan, waits),
    run: async () => {
      const wait = waiter();
      let compiled = 0;
      for (const neff of plan.neffs) {
        if (neff.cached) continue;
        compiled += neff.compileSeconds;
        if (waits) await wait(compiled * scale);
        folder?.add(neff);
      }
      if (waits) await wait((compiled + plan.loadSeconds) * scale);
    },
  };
}

/** The numbers of the line, for machines. */
export function startUpFields(start: SimulatedStart): Readonly<Record<string, unknown>> {
  const { neffs, compileSeconds, loadSeconds, loadBytes, cache } = start;
  return {
    compileSeconds: round(compileSeconds),
    loadSeconds: round(loadSeconds),
    loadBytes,
    graphs: neffs.length,
    cached: neffs.filter((neff) => neff.cached).length,
    ...(cache === undefined ? { cache: "not writable" } : { cache }),
  };
}

function describe({ neffs, compileSeconds, loadSeconds }: StartUp, waits: boolean): string {
  const missing = neffs.filter((neff) => !neff.cached).length;
  const compile =
    missing === 0
      ? `${neffs.length} graphs are cached`
      : `compile ${missing} of ${neffs.length} graphs in ${compileSeconds.toFixed(1)} s`;
  const then = waits ? "waiting for them" : "not waited for (see --simulate-startup)";
  return `Simulated start: ${compile}, load in ${loadSeconds.toFixed(1)} s; ${then}`;
}

/**
 * Undefined: the default folder cannot be written. Throws SettingsError when the
 * one that was asked for cannot.
 */
export function openNeffFolder(asked: string | undefined): NeffFolder | undefined {
  const caches = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  try {
    return new NeffFolder(asked ?? join(caches, "trainyard", "neff"));
  } catch (error) {
    if (asked === undefined) return undefined;
    throw new SettingsError(`--neff-cache: ${(error as Error).message}`); // the file system throws Errors
  }
}

/** Deadlines are absolute, so that waiting for many graphs is as long as their sum. */
function deadlines(): Wait {
  const began = performance.now();
  return (milliseconds) =>
    new Promise((resolve) => {
      setTimeout(resolve, began + milliseconds - performance.now());
    });
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
