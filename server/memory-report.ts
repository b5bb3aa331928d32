/** What memory goes to, as lines for the log at the start. */
import { TrainiumDevice } from "../device/trainium/device.ts";
import { memoryTable } from "../device/trainium/memory.ts";
import type { World } from "./world.ts";

const MEBIBYTE = 2 ** 20;

export function memoryLines({ model, device }: World): readonly string[] {
  if (device instanceof TrainiumDevice) return memoryTable(device.plan, device.memory).split("\n");
  const { blocks, blockSize, maxContext, maxRows, maxTokens } = device.limits;
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
