/** The rank threads of a model, as the device's settings ask for them. */
import type { Checkpoint } from "../../models/model.ts";
import type { DeviceSettings } from "../settings.ts";
import { partsOfAll } from "./load-lines.ts";
import { heldBytes, type MemoryPlan, quantizationOf } from "./plan.ts";
import { RankGroup } from "./ranks.ts";
import { WINDOW_ROWS } from "./windows.ts";

/** Longest a step may take, in seconds; own flag `--step-timeout`. */
const DEFAULT_STEP_TIMEOUT_SECONDS = 120;

/** Rejects with the error of the first rank that cannot load. */
export function startRanks(
  settings: DeviceSettings,
  checkpoint: Checkpoint,
  plan: MemoryPlan,
): Promise<RankGroup> {
  const { architecture } = settings.model;
  const { ranks } = plan;
  const timeout = Number(settings.own["step-timeout"] ?? DEFAULT_STEP_TIMEOUT_SECONDS);
  return RankGroup.start(
    {
      architecture,
      checkpoint,
      rank: 0,
      ranks,
      threads: plan.threads,
      expertParallel: settings.own["enable-expert-parallel"] === true,
      ...(settings.adapters && { maxAdapterRank: settings.adapters.maxRank }),
      quantization: quantizationOf(settings.quantization, checkpoint),
      blockBits: plan.blockBits,
      twoCopies: plan.secondCopyBytes > 0,
      batchInvariant: settings.own["batch-invariant"] === true,
      blockSize: plan.blockSize,
      blocks: plan.blocks,
      kvFormat: plan.kvFormat,
      maxContext: plan.maxContext,
      maxTokens: plan.maxTokens,
      maxRows: plan.maxRows,
      weightBytes: heldBytes(plan),
      ...(settings.convertedWeights && { store: settings.convertedWeights }),
    },
    {
      ...(settings.onLoading && { onOpened: partsOfAll(ranks, settings.onLoading) }),
      stepTimeoutMs: timeout * 1000,
      resultElements: WINDOW_ROWS * Math.max(architecture.vocabSize, architecture.hidden),
    },
  );
}
