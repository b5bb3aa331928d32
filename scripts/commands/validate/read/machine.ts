/** The words of `instance`, `chips`, `tp` and `lnc` → a machine and its logical cores. */
import {
  findInstance,
  INSTANCES,
  type InstanceSpec,
} from "../../../../device/trainium/instances.ts";
import type { Row } from "../rows.ts";
import { countOf, Refusal, Words } from "./words.ts";

export interface Machine {
  readonly instance: InstanceSpec;
  readonly logicalCore: number;
  readonly ranks: number;
  /** Processes side by side that the `tp` column counts. */
  readonly replicas: number | undefined;
}

/** Families by how tables call them, in order of preference. */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [
    /\b(?:trn3|trainium[\s-]?3)\b[\w\s-]*\bgen[\s-]?2\b(?:[\s-]*ultra[\s-]?servers?)?/i,
    "trn3-gen2-ultraserver",
  ],
  [
    /\b(?:trn3|trainium[\s-]?3)\b(?:[\w\s-]*\bgen[\s-]?1\b)?(?:[\s-]*ultra[\s-]?servers?)?/i,
    "trn3-gen1-ultraserver",
  ],
  [/\b(?:trn2u?|trainium[\s-]?2)[\s-]*ultra[\s-]?servers?/i, "trn2-ultraserver"],
  [/\b(?:trn2u?|trainium[\s-]?2)\b/i, "trn2"],
  [/\btrn1n\b/i, "trn1n"],
  [/\b(?:trn1|trainium(?:[\s-]?1)?)\b/i, "trn1"],
  [/\b(?:inf2|inferentia[\s-]?2)\b/i, "inf2"],
];

export function readMachine(row: Row): [Machine, readonly Words[]] {
  const ranks = new Words("tp", row.tp);
  const degree = ranks.take(
    /(?:(\d+)\s*x\s*)?(?:tp\s*[=-]?\s*)?(\d+)(?:\s*process(?:es)?)?(?:\s*\(?\d+ nodes?\)?)?/i,
  );
  const tp = Number(degree?.[2]);
  if (!(tp >= 1)) throw new Refusal(`tensor parallelism "${row.tp}" is no number`);
  const words = new Words("instance", row.instance);
  if (words.has(/\bvs\.?\b/i) || /\w+\d\s*\/\s*(?:trn|inf)\d/i.test(row.instance))
    throw new Refusal(`instance "${row.instance}" is not one machine`);
  const several = Number(words.take(/(?:^|\s)(\d+)\s*x\s+(?=trn|inf|train)/i)?.[1] ?? 1);
  const after = words.take(/\bx\s*(\d+)\b|\((\d+) (?:nodes|instances)\)/i);
  const nodes = several * Number(after?.[1] ?? after?.[2] ?? 1);
  const cores = new Words("lnc", row.lnc);
  const logical = Number(cores.take(/\d+/)?.[0] ?? words.take(/\blnc\s*[=-]?\s*(\d)\b/i)?.[1] ?? 0);
  cores.takes(/\blnc\b|\bdefault\b|=/i);
  const chips = countOf(row.chips);
  const instance = severalOf(instanceOf(words, row, { tp, chips, logical }), nodes);
  words.takes(
    /\b(?:chips?|one|two|four|(?:logical|physical)?\s*cores?|neuron\s?cores?(?:-v\d)?|devices?|unstated|implied|servers?|instances?|nodes?|lnc|half|part|\d+)\b/i,
  );
  const { logicalCores, defaultLogicalCore } = instance.chip;
  const logicalCore = logical || defaultLogicalCore;
  if (!logicalCores.includes(logicalCore)) throw new Refusal(`LNC ${row.lnc} is not possible`);
  const replicas = degree?.[1] === undefined ? undefined : Number(degree[1]);
  return [{ instance, logicalCore, ranks: tp, replicas }, [words, ranks, cores]];
}

function instanceOf(
  words: Words,
  row: Row,
  its: { readonly tp: number; readonly chips: number; readonly logical: number },
): InstanceSpec {
  const named = words.take(/\b(?:ml\.)?((?:inf2|trn1n?|trn2u?|trn3)\.\w+)/i)?.[1];
  if (named !== undefined) {
    try {
      return findInstance(named);
    } catch {
      throw new Refusal(`instance "${row.instance}" is not known`);
    }
  }
  const family = FAMILIES.find(([pattern]) => words.takes(pattern))?.[1];
  if (family === undefined) throw new Refusal(`instance "${row.instance}" is not known`);
  const ofFamily = INSTANCES.filter(({ name }) => name === family || name.startsWith(`${family}.`));
  // The smallest that has the chips: those told, else those that the ranks fill.
  const fits = ofFamily.filter(({ chip, chips }) => {
    const cores = its.logical || chip.defaultLogicalCore;
    return chips >= (its.chips > 0 ? its.chips : Math.ceil((its.tp * cores) / chip.cores));
  });
  const found = fits.sort((a, b) => a.chips - b.chips)[0] ?? ofFamily.at(-1);
  if (found === undefined) throw new Refusal(`instance "${row.instance}" is not known`);
  return found;
}

/** Several instances, joined by their network. */
function severalOf(instance: InstanceSpec, nodes: number): InstanceSpec {
  if (nodes <= 1) return instance;
  return {
    ...instance,
    name: `${nodes} x ${instance.name}`,
    chips: instance.chips * nodes,
    networkBytesPerSecond: instance.networkBytesPerSecond * nodes,
    ...(instance.dollarsPerHour !== undefined && {
      dollarsPerHour: instance.dollarsPerHour * nodes,
    }),
  };
}
