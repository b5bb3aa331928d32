/**
 * What if a figure of the data sheet were another: `hbm.bandwidth=2x`, `clock.tensor=3e9`. Changes apply
 * to a copy of the instance, whose prices are then extrapolated.
 */
import type { Engine } from "./chips/chip.ts";
import type { InstanceSpec } from "./instances.ts";

/** A figure by name: how it is read and replaced. */
interface Figure {
  readonly of: (instance: InstanceSpec) => number | undefined;
  readonly with: (instance: InstanceSpec, value: number) => InstanceSpec;
  readonly unit: string;
}

const chipFigure = (
  key: "hbmBytes" | "dmaBytesPerSecondPerCore" | "sbufBytesPerCore" | "vectorWidth" | "scalarWidth",
  unit: string,
): Figure => ({
  of: ({ chip }) => chip[key],
  with: (instance, value) => ({ ...instance, chip: { ...instance.chip, [key]: value } }),
  unit,
});

const clock = (engine: Engine): Figure => ({
  of: ({ chip }) => chip.clockHz[engine],
  with: (instance, value) => ({
    ...instance,
    chip: { ...instance.chip, clockHz: { ...instance.chip.clockHz, [engine]: value } },
  }),
  unit: "Hz",
});

const rate = (format: "fp8" | "mxfp8" | "mxfp4" | "int8"): Figure => ({
  of: ({ chip }) => chip.tensorRate[format],
  with: (instance, value) => ({
    ...instance,
    chip: { ...instance.chip, tensorRate: { ...instance.chip.tensorRate, [format]: value } },
  }),
  unit: "of the BF16 rate",
});

const link = (
  key: "bytesPerSecond" | "interBytesPerSecond" | "hopNanos",
  unit: string,
): Figure => ({
  of: ({ chip }) => chip.link[key],
  with: (instance, value) => ({
    ...instance,
    chip: { ...instance.chip, link: { ...instance.chip.link, [key]: value } },
  }),
  unit,
});

/** HBM and the DMA engines that fill it are one figure to a step: the lesser binds, so both are scaled. */
const bandwidth: Figure = {
  of: ({ chip }) => chip.hbmBytesPerSecond,
  with: (instance, value) => {
    const { chip } = instance;
    const times = value / chip.hbmBytesPerSecond;
    return {
      ...instance,
      chip: {
        ...chip,
        hbmBytesPerSecond: value,
        dmaBytesPerSecondPerCore: chip.dmaBytesPerSecondPerCore * times,
      },
    };
  },
  unit: "bytes/s of a chip; its DMA engines keep up",
};

export const FIGURES: Readonly<Record<string, Figure>> = Object.freeze({
  "hbm.bandwidth": bandwidth,
  "hbm.capacity": chipFigure("hbmBytes", "bytes of a chip"),
  "dma.bandwidth": chipFigure("dmaBytesPerSecondPerCore", "bytes/s of a core"),
  "sbuf.capacity": chipFigure("sbufBytesPerCore", "bytes of a core"),
  "vector.width": chipFigure("vectorWidth", "elements a cycle"),
  "scalar.width": chipFigure("scalarWidth", "elements a cycle"),
  "clock.tensor": clock("tensor"),
  "clock.vector": clock("vector"),
  "clock.scalar": clock("scalar"),
  "clock.gpsimd": clock("gpsimd"),
  "rate.fp8": rate("fp8"),
  "rate.mxfp8": rate("mxfp8"),
  "rate.mxfp4": rate("mxfp4"),
  "rate.int8": rate("int8"),
  "link.bandwidth": link("bytesPerSecond", "bytes/s of a chip, one way"),
  "link.inter": link("interBytesPerSecond", "bytes/s between instances, one way"),
  "link.hop": link("hopNanos", "ns"),
  "network.bandwidth": {
    of: (instance) => instance.networkBytesPerSecond,
    with: (instance, value) => ({ ...instance, networkBytesPerSecond: value }),
    unit: "bytes/s of an instance",
  },
});

/** One change: so many times the figure, or a value in its own unit. */
export interface Change {
  readonly name: string;
  readonly times?: number;
  readonly value?: number;
}

/** `hbm.bandwidth=2x,link.hop=500`; throws naming what is wrong and the known figures. */
export function parseChanges(text: string): readonly Change[] {
  return text
    .split(/[,\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const [name = "", given = ""] = part.split("=").map((word) => word.trim());
      return changeOf(name, given);
    });
}

/** The same from a JSON object of names and `"2x"` or numbers. */
export function readChanges(values: Readonly<Record<string, unknown>>): readonly Change[] {
  return Object.entries(values).map(([name, value]) => changeOf(name, String(value)));
}

function changeOf(name: string, text: string): Change {
  if (FIGURES[name] === undefined) {
    throw new Error(`What if: no figure "${name}"; known: ${Object.keys(FIGURES).join(", ")}.`);
  }
  const times = /^(\d+(?:\.\d+)?)\s*x$/i.exec(text)?.[1];
  const value = Number(times ?? (text === "" ? Number.NaN : text));
  if (!(value > 0) || !Number.isFinite(value)) {
    throw new Error(
      `What if: ${name}=${text} must be times such as 2x, or a value above 0 (${FIGURES[name]?.unit}).`,
    );
  }
  return times === undefined ? { name, value } : { name, times: value };
}

/** Throws when the instance has no such figure to multiply. */
export function whatIf(instance: InstanceSpec, changes: readonly Change[]): InstanceSpec {
  if (changes.length === 0) return instance;
  let changed = instance;
  for (const { name, times, value } of changes) {
    const figure = FIGURES[name];
    const now = figure?.of(changed);
    if (figure === undefined || (now === undefined && value === undefined)) {
      throw new Error(`What if: ${instance.name} has no ${name} to multiply; give a value.`);
    }
    changed = figure.with(changed, value ?? (now ?? 0) * (times ?? 1));
  }
  return {
    ...changed,
    changes: changesText(changes),
    chip: { ...changed.chip, calibrated: false },
  };
}

/** `hbm.bandwidth=2x, link.hop=500`, as given. */
function changesText(changes: readonly Change[]): string {
  return changes.map(({ name, times, value }) => `${name}=${value ?? `${times}x`}`).join(", ");
}
