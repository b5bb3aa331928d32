/**
 * A prompt's K and V from one machine's engine to another's, pulled by the ranks that decode: each
 * rank its heads of every token (of a sliding layer: of its window), over the links between them.
 */
import type { Nanos } from "../../clock.ts";
import { constant } from "../constants.ts";
import { kvBytesPerToken } from "../memory.ts";
import type { Plan } from "../plan.ts";

/** `efa`: the network between instances; `neuronlink`: the links within one, or an UltraServer. */
export type KvLink = "efa" | "neuronlink";

export const KV_LINKS: readonly KvLink[] = ["efa", "neuronlink"];

/** Bytes that the decoding ranks pull for a prompt, whole blocks. */
export function transferBytes(to: Plan, tokens: number): number {
  const { blockSize } = to.stack;
  const whole = (count: number): number => Math.ceil(count / blockSize) * blockSize;
  const each = to.architecture.kvGroups.reduce(
    (sum, group) =>
      sum + kvBytesPerToken(group, to) * whole(Math.min(tokens, group.window ?? tokens)),
    0,
  );
  return each * to.tensorParallel;
}

/** ns of it, alone on the links of both. */
export function transferNanos(from: Plan, to: Plan, tokens: number, link: KvLink): Nanos {
  const bandwidth = Math.min(ownBandwidth(from, link), ownBandwidth(to, link));
  const latency =
    link === "efa" ? constant(to.constants, "collective.efa-hop") : to.instance.chip.link.hopNanos;
  return Math.round(latency + (1e9 * transferBytes(to, tokens)) / bandwidth);
}

/** Bytes a second, one way, of the chips that an engine's ranks lie on. */
function ownBandwidth({ instance, tensorParallel, logicalCore }: Plan, link: KvLink): number {
  const { chip } = instance;
  const chips = Math.min(instance.chips, (tensorParallel * logicalCore) / chip.cores);
  return link === "efa"
    ? (instance.networkBytesPerSecond / instance.chips) * chips
    : (chip.link.interBytesPerSecond ?? chip.link.bytesPerSecond) * chips;
}
