/** What a simulated device says of its machine: facts for the metrics, lines for the log. */
import { basename } from "node:path";
import type { Device } from "../../device/device.ts";
import type { StartUp } from "../../device/trainium/compile.ts";
import { TrainiumDevice } from "../../device/trainium/device.ts";
import { memoryTable } from "../../device/trainium/memory.ts";
import { trustOf } from "../../device/trainium/price/trust.ts";
import type { Model } from "../../models/model.ts";
import type { MachineFacts } from "../metrics/machine-metrics.ts";
import type { Settings } from "../settings/table.ts";

/** Undefined: the device is no simulated machine. */
export function machineFacts(
  devices: readonly Device[],
  settings: Settings,
  start: StartUp | undefined,
): MachineFacts | undefined {
  const simulated = devices.filter((device) => device instanceof TrainiumDevice);
  const [first] = simulated;
  if (first === undefined) return undefined;
  const { plan, memory } = first;
  const { instance, logicalCore, tensorParallel } = plan;
  const cores = tensorParallel * simulated.length;
  const dollars = settings["price-per-hour"] ?? instance.dollarsPerHour;
  const used = memory.weights + memory.runtime + memory.kv;
  return {
    instanceType: instance.name,
    cores,
    memoryBytes: used * cores,
    weightBytes: memory.weights * cores,
    chipsBilled: Math.ceil((cores * logicalCore) / instance.chip.cores),
    chips: instance.chips,
    compileSeconds: start?.compileSeconds ?? 0,
    loadSeconds: start?.loadSeconds ?? 0,
    trust: trustOf(plan),
    ...(dollars !== undefined && { dollarsPerHour: dollars }),
  };
}

/** What is simulated, whose words come out and whose tokens are counted, in a line; undefined: nothing is. */
export function simulationOf(
  device: Device,
  { model, words }: { readonly model: Model; readonly words: Model | undefined },
): string | undefined {
  if (!(device instanceof TrainiumDevice)) return undefined;
  const { instance, tensorParallel } = device.plan;
  const name = ({ source }: Model): string => basename(source);
  const counting = model.tokenizer === undefined ? words : model;
  return [
    `time of ${instance.name} at TP ${tensorParallel}${instance.changes !== undefined ? ` (what if ${instance.changes})` : instance.chip.calibrated ? "" : " (extrapolated)"}${device.plan.effects === undefined ? "" : ", calibrated by own measurements"}`,
    words === undefined ? "synthetic ids" : `words of ${name(words)}`,
    counting === undefined
      ? "four bytes of text a token"
      : `tokens of ${counting === model ? "the given tokenizer" : name(counting)}`,
  ].join("; ");
}

const MEBIBYTE = 2 ** 20;

/** What memory goes to. */
export function memoryLines(model: Model, device: Device): readonly string[] {
  if (device instanceof TrainiumDevice) return memoryTable(device.plan, device.memory).split("\n");
  const { blocks, blockSize, maxContext, maxRows, maxTokens } = device.limits;
  // The pool of the cpu device holds F32.
  const perToken = model.architecture.kvGroups.reduce(
    (sum, group) => sum + group.layers.length * group.kvHeads * (group.keyDim + group.valueDim) * 4,
    0,
  );
  const tokens = blocks * blockSize;
  const weights = model.checkpoint?.bytes ?? 0;
  const mebibytes = (bytes: number): string => `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
  return [
    `weights    ${mebibytes(weights)} as stored (${model.format})`,
    `KV cache   ${mebibytes(tokens * perToken)}: ${blocks} blocks of ${blockSize} tokens = ${tokens} tokens`,
    `step       at most ${maxRows} requests, ${maxTokens} tokens`,
    `context    ${maxContext} tokens a request; ${(tokens / maxContext).toFixed(1)} whole contexts fit`,
  ];
}
