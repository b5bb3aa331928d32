/** What a simulated device says of its machine: facts for the metrics, lines for the log. */
import { basename } from "node:path";
import type { Device } from "../../device/device.ts";
import type { Model } from "../../models/model.ts";
import type { MachineFacts } from "../metrics/machine-metrics.ts";
import type { Serving } from "../serving.ts";
import type { Settings } from "../settings/table.ts";
import { adapterLines } from "./adapters.ts";
import type { StartUp } from "./start-up.ts";

/** Undefined: the device is no simulated machine. */
export function machineFacts(
  devices: readonly Device[],
  settings: Settings,
  start: StartUp | undefined,
): MachineFacts | undefined {
  const machines = devices.flatMap(({ machine }) => machine ?? []);
  const [machine] = machines;
  if (machine === undefined) return undefined;
  const { memory } = machine;
  const cores = machine.cores * machines.length;
  const dollars = settings["price-per-hour"] ?? machine.dollarsPerHour;
  const used = memory.weights + memory.runtime + memory.kv;
  return {
    instanceType: machine.instanceType,
    cores,
    memoryBytes: used * cores,
    weightBytes: memory.weights * cores,
    chipsBilled: Math.ceil(cores / machine.coresPerChip),
    chips: machine.chips,
    compileSeconds: start?.compileSeconds ?? 0,
    loadSeconds: start?.loadSeconds ?? 0,
    trust: machine.trust,
    ...(dollars !== undefined && { dollarsPerHour: dollars }),
  };
}

/** What is simulated, whose words come out and whose tokens are counted, in a line; undefined: nothing is. */
export function simulationOf(
  { machine }: Device,
  { model, words }: { readonly model: Model; readonly words: Model | undefined },
): string | undefined {
  if (machine === undefined) return undefined;
  const name = ({ source }: Model): string => basename(source);
  const counting = model.tokenizer === undefined ? words : model;
  return [
    `time of ${machine.title}`,
    words === undefined ? "synthetic ids" : `words of ${name(words)}`,
    counting === undefined
      ? "four bytes of text a token"
      : `tokens of ${counting === model ? "the given tokenizer" : name(counting)}`,
  ].join("; ");
}

const MEBIBYTE = 2 ** 20;

/** What memory goes to. */
export function memoryLines(
  of: {
    readonly model: Model;
    readonly device: Device;
    readonly serving: Pick<Serving, "adapters">;
  },
  settings: Settings,
): readonly string[] {
  return [...deviceLines(of.model, of.device), ...adapterLines(settings, of.serving.adapters)];
}

function deviceLines(model: Model, device: Device): readonly string[] {
  const { machine, limits, loadLines } = device;
  if (machine !== undefined) return machine.memoryLines;
  const { blocks, blockSize, maxContext, maxRows, maxTokens } = limits;
  const perToken = model.architecture.kvGroups.reduce(
    (sum, group) => sum + group.layers.length * group.kvHeads * (group.keyDim + group.valueDim) * 4,
    0,
  );
  const tokens = blocks * blockSize;
  const cache = device.kvCache ?? { bytes: tokens * perToken, format: "F32" };
  const weights = model.checkpoint?.bytes ?? 0;
  const mebibytes = (bytes: number): string => `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
  return [
    ...(loadLines ?? [`weights    ${mebibytes(weights)} as stored (${model.format})`]),
    `KV cache   ${mebibytes(cache.bytes)} of ${cache.format}: ${blocks} blocks of ${blockSize} tokens = ${tokens} tokens`,
    `step       at most ${maxRows} requests, ${maxTokens} tokens`,
    `context    ${maxContext} tokens a request; ${(tokens / maxContext).toFixed(1)} whole contexts fit`,
  ];
}
